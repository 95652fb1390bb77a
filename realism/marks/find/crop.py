"""A face cut out of its picture and brought to the size at which finders look.

At one size from ear to ear a mark has the same size in px in every picture, so that finders need
not search over sizes of faces.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from realism.faces.face import Face

SPAN = 600  # px from ear to ear at which finders look: a mole of 1 mm is then 8 px wide
FACE_SPAN_MM = 150.0  # mm from ear to ear, as finders have it
ROOM = 0.08  # of the span, kept beside the mesh
FOREHEAD = 0.25  # of the span, kept above the mesh, which ends below the hairline
# Below it 8-bit steps and sensor noise would count as deep dips.
BLACK = 6  # of 255, added before the logarithm: the networks were trained on light so taken


@dataclass(frozen=True, eq=False)
class FaceCrop:
    """A face cut out and brought to the finder's size.

    Attributes
    ----------
    log_light : (h, w, 3) float32 ndarray
        Log of the picture's values (0..255 + `BLACK`), R G B.
    skin : (h, w) float32 ndarray, 0..1
    origin : (2,) ndarray, px of the picture
        Where the crop's (0, 0) is.
    scale : float
        Crop px per picture px.
    """

    log_light: np.ndarray
    skin: np.ndarray
    origin: np.ndarray
    scale: float

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """(n, 2) crop px to picture px."""
        # Pixel centres: resizing keeps the corners, not the centres, in place.
        return (np.asarray(points) + 0.5) / self.scale - 0.5 + self.origin

    def from_picture(self, points: np.ndarray) -> np.ndarray:
        """(n, 2) picture px to crop px."""
        return (points - self.origin + 0.5) * self.scale - 0.5


def face_span(face: Face) -> float:
    """Width of the face from ear to ear, px, whatever its turn."""
    return float(np.linalg.norm(face.mesh[454] - face.mesh[234]))


def crop_face(pixels: np.ndarray, face: Face, skin: np.ndarray, span: float = SPAN) -> FaceCrop:
    """The face cut out with its forehead and brought to one size.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 ndarray, sRGB
    face : Face
    skin : (H, W) ndarray, 0..1
    span : float, px
        From ear to ear in the crop.
    """
    own_span = face_span(face)
    scale = span / own_span
    low = face.mesh[:, :2].min(0) - own_span * np.array([ROOM, FOREHEAD])
    high = face.mesh[:, :2].max(0) + own_span * ROOM
    height, width = pixels.shape[:2]
    x0, y0 = np.clip(np.floor(low), 0, [width - 2, height - 2]).astype(int)
    x1, y1 = np.clip(np.ceil(high), [x0 + 2, y0 + 2], [width, height]).astype(int)
    size = (round((x1 - x0) * scale), round((y1 - y0) * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    cut = cv2.resize(pixels[y0:y1, x0:x1].astype(np.float32), size, interpolation=how)
    log_light = np.log(np.clip(cut, 0, 255) + BLACK).astype(np.float32)
    own_skin = cv2.resize(skin[y0:y1, x0:x1].astype(np.float32), size)
    return FaceCrop(log_light, own_skin, np.array([x0, y0]), size[0] / (x1 - x0))
