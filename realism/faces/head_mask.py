"""Where a picture shows the person, and where the head: MediaPipe's selfie segmentation.

Segmentation: MediaPipe (Apache-2.0).
"""

import threading
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from realism.faces.face import Face, eye_centres
from realism.faces.features import CORE, fill_outlines
from realism.faces.mesh import roll_angle, upright_crop

# Set by eye on photographs and renders of faces.
PERSON_VIEW, HEAD_VIEW = 2.0, 3.0  # face sizes that the segmentation is shown
LEAST_OF_FACE = 0.9  # share of a face that must be person, or the segmentation has failed
HEAD_ASIDE = 0.85  # face sizes from the face's middle to the side of the hair
HEAD_UP = 1.15  # to the top of the hair
HEAD_DOWN = 0.62  # to below the chin
HEAD_FADE = 0.12  # share of that over which the outline fades

SEGMENTATION = Path(__file__).parent / "weights" / "selfie_segmentation.tflite"
SEGMENTATION_SIDE = 256  # px, input of the network

_ONE_AT_A_TIME = threading.Lock()  # the network keeps state between calls


def head_mask(pixels: np.ndarray, face: Face) -> np.ndarray:
    """Head and hair of one face, soft.

    Parameters
    ----------
    pixels : np.ndarray, (H, W, 3) uint8 sRGB
    face : Face

    Returns
    -------
    np.ndarray, (H, W) float32, 0..1
    """
    person, to_crop = _segment(pixels, face, HEAD_VIEW)
    # The head's outline in the crop: an egg round the face, wide at the top for hair, closing
    # under the chin.
    unit = SEGMENTATION_SIDE / HEAD_VIEW
    rows, columns = np.mgrid[:SEGMENTATION_SIDE, :SEGMENTATION_SIDE].astype(np.float32)
    x = (columns - SEGMENTATION_SIDE / 2) / unit
    y = (rows - SEGMENTATION_SIDE / 2) / unit
    tall = np.where(y < 0, HEAD_UP, HEAD_DOWN)
    radius = np.sqrt((x / HEAD_ASIDE) ** 2 + (y / tall) ** 2)
    egg = np.clip((1 - radius) / HEAD_FADE + 0.5, 0, 1)
    back = cv2.invertAffineTransform(to_crop)
    size = (pixels.shape[1], pixels.shape[0])
    return np.clip(cv2.warpAffine(person * egg, back, size, flags=cv2.INTER_LINEAR), 0, 1)


def person_mask(pixels: np.ndarray, face: Face) -> np.ndarray:
    """The person around one face, and whoever else is there, soft.

    Parameters
    ----------
    pixels : np.ndarray, (H, W, 3) uint8 sRGB
    face : Face

    Returns
    -------
    np.ndarray, (H, W) float32, 0..1
        1 everywhere where the face itself is not seen to be a person.
    """
    person, to_crop = _segment(pixels, face, PERSON_VIEW)
    points = face.mesh[:, :2] @ to_crop[:, :2].T + to_crop[:, 2]
    core = fill_outlines(CORE, points, person.shape) > 0
    if person[core].mean() < LEAST_OF_FACE:
        return np.ones(pixels.shape[:2], np.float32)
    way = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(person, to_crop, pixels.shape[1::-1], flags=way, borderValue=1)


def _segment(pixels: np.ndarray, face: Face, view: float) -> tuple[np.ndarray, np.ndarray]:
    """How likely each px of an upright square around a face is a person, and the map (2, 3) to it.

    view    face sizes
    """
    roll = roll_angle(eye_centres(face.mesh))
    points = face.mesh[:, :2]
    extent = float(np.max(points.max(0) - points.min(0)))
    centre = (points[10] + points[152]) / 2
    crop, to_crop = upright_crop(pixels, centre, extent * view, roll, SEGMENTATION_SIDE)
    with _ONE_AT_A_TIME:
        net = _segmentation()
        net.setInput(cv2.dnn.blobFromImage(crop, 1 / 255))
        return net.forward()[0, 0].copy(), to_crop


@cache
def _segmentation() -> cv2.dnn.Net:
    return cv2.dnn.readNetFromTFLite(str(SEGMENTATION), cv2.dnn.ENGINE_CLASSIC)
