"""The square in which a head always sits alike: eyes level, eyes and mouth at the same places.

A small model that sees every head in one place need not learn where heads are. The square is that
of FFHQ: turned by eyes and mouth together, four times as wide as the eyes are apart (or 3.6 times
as high as the mouth lies below them, where the head is turned), its centre a little below the eyes.

Karras et al., "A style-based generator architecture for generative adversarial networks", 2019,
appendix A.
"""

import cv2
import numpy as np

from realism.faces.face import Face
from realism.faces.mesh import upright_crop

# iBUG's 68 points
ONE_EYE, OTHER_EYE = slice(36, 42), slice(42, 48)  # image left, image right
MOUTH_CORNERS = [48, 54]
WIDE, HIGH = 4.0, 3.6  # side of the square over distance of the eyes, over eyes to mouth
BELOW = 0.1  # of eyes to mouth: how far the square's centre lies below the eyes


def alignment(landmarks: np.ndarray) -> tuple[np.ndarray, float, float]:
    """The square of a face, from its 68 landmarks (68, 2) px.

    ->    centre (2,) px, side px, roll in radians (> 0: the square is turned clockwise)
    """
    one, other = landmarks[ONE_EYE].mean(0), landmarks[OTHER_EYE].mean(0)
    eyes = (one + other) / 2
    across, down = other - one, landmarks[MOUTH_CORNERS].mean(0) - eyes
    level = across + np.array([down[1], -down[0]])  # "down", turned to point across, has its say
    side = max(WIDE * np.hypot(*across), HIGH * np.hypot(*down))
    return eyes + BELOW * down, float(side), float(np.arctan2(level[1], level[0]))


def aligned_crop(
    pixels: np.ndarray, face: Face, side: int = 256, margin: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The head in its usual place; what lies beyond the picture's border is mirrored in.

    pixels    (H, W, 3) uint8 sRGB
    side      px, of the square; `margin` px more of the picture on each edge
    ->        (side + 2 margin, side + 2 margin, 3) uint8 sRGB, and the (2, 3) matrix from px of
              the picture to px of the crop
    """
    centre, extent, roll = alignment(face.landmarks.astype(np.float64))
    size = side + 2 * margin
    extent *= size / side
    reach = extent / 2 * (abs(np.cos(roll)) + abs(np.sin(roll)))
    height, width = pixels.shape[:2]
    left, top = (max(0, int(np.ceil(reach - at))) for at in centre)
    right, bottom = (
        max(0, int(np.ceil(at + reach - end)))
        for at, end in zip(centre, (width, height), strict=True)
    )
    padded = cv2.copyMakeBorder(pixels, top, bottom, left, right, cv2.BORDER_REFLECT)
    crop, matrix = upright_crop(padded, centre + np.array([left, top]), extent, roll, size)
    matrix[:, 2] += matrix[:, :2] @ [left, top]
    return crop, matrix


def seen_share(shape: tuple[int, ...], matrix: np.ndarray, side: int) -> float:
    """Share of a crop inside the picture of `shape`, 0..1; matrix as `aligned_crop` gives it."""
    inside = cv2.warpAffine(np.ones(shape[:2], np.float32), matrix, (side, side))
    return float(inside.mean())
