"""Where a picture shows the head: MediaPipe's selfie segmentation, cut by head and hair.

Segmentation: MediaPipe (Apache-2.0).
"""

import threading
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from realism.faces.face import Face, eye_centres
from realism.faces.mesh import roll_angle, upright_crop

# Set by eye on photographs and renders of faces.
HEAD_VIEW = 3.0  # face sizes that the segmentation is shown
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
    roll = roll_angle(eye_centres(face.mesh))
    points = face.mesh[:, :2]
    extent = float(np.max(points.max(0) - points.min(0)))
    centre = (points[10] + points[152]) / 2
    crop, to_crop = upright_crop(pixels, centre, extent * HEAD_VIEW, roll, SEGMENTATION_SIDE)
    with _ONE_AT_A_TIME:
        net = _segmentation()
        net.setInput(cv2.dnn.blobFromImage(crop, 1 / 255))
        person = net.forward()[0, 0].copy()
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


@cache
def _segmentation() -> cv2.dnn.Net:
    return cv2.dnn.readNetFromTFLite(str(SEGMENTATION), cv2.dnn.ENGINE_CLASSIC)
