"""Where faces fold, and which lines there are none of its folds.

Faces fold on the forehead, between the brows, at the crow's feet, under the eyes, from nose to
mouth and below, each part in its own way. Two kinds of lines lie there, too, and are no wrinkles.
Strands and their shadow at the hairline: the more so as the hair's own edge is soft. And the
creases that every face has, however young, where the lids and the wings of the nose begin.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from realism.faces.features import EYES, disc
from realism.faces.skin import LEAST_SKIN
from realism.marks.find.crop import FACE_SPAN_MM, SPAN

PX_PER_MM = SPAN / FACE_SPAN_MM  # of a crop
# Set on 106 pictures of photo-faces, `benchmarks/occluders.py`: of 52 strands at hairlines 44 lie
# so near, of 175 folds of foreheads 18, most of them under a hat's brim.
HAIRLINE = 7.0  # mm under the end of what is surely skin
LARGEST_GAP = 1.4  # mm, radius: what a dark fold leaves out of that is closed
LID = 5.0  # mm around the eye, on average along the line: the lid's own crease
LID_UNDER_LENS = 9.0  # mm, the same through glasses, which draw lines of their own there
WING = 2.5  # mm around the wing of the nose, likewise
WINGS = ((198, 209, 49, 129, 98, 64, 102, 48, 115, 131), (420, 429, 279, 358, 327, 294, 331, 278,
    344, 360))  # fmt: skip


@dataclass(frozen=True)
class Zone:
    """A part of the face that folds.

    Attributes
    ----------
    outline : tuple of int
        Mesh points whose hull it is.
    way : tuple of int
        Two mesh points: folds run as the line between them does.
    slack : float, degrees
        By which they may differ from it.
    """

    outline: tuple[int, ...]
    way: tuple[int, int]
    slack: float


# Mesh points of the person's right side; `MIRROR` gives the left.
_RIGHT = (
    Zone((33, 130, 226, 35, 143, 34, 127, 116, 111, 31), (133, 33), 45),  # crow's feet
    Zone(  # under the eye
        (130, 25, 110, 24, 23, 22, 26, 112, 243, 128, 121, 120, 119, 118, 117, 111), (33, 133), 45
    ),
    Zone((129, 203, 142, 36, 205, 187, 207, 214, 212, 57, 186, 92, 165), (129, 212), 40),
    Zone((57, 212, 214, 210, 211, 204, 43), (212, 211), 40),  # mouth to chin
)
MIRROR = {
    33: 263, 130: 359, 226: 446, 35: 265, 143: 372, 34: 264, 127: 356, 116: 345, 111: 340, 31: 261,
    133: 362, 25: 255, 110: 339, 24: 254, 23: 253, 22: 252, 26: 256, 112: 341, 243: 463, 128: 357,
    121: 350, 120: 349, 119: 348, 118: 347, 117: 346, 129: 358, 203: 423, 142: 371, 36: 266,
    205: 425, 187: 411, 207: 427, 214: 434, 212: 432, 57: 287, 186: 410, 92: 322, 165: 391,
    210: 430, 211: 431, 204: 424, 43: 273,
}  # fmt: skip
ZONES = (
    Zone(  # forehead
        (54, 103, 67, 109, 10, 338, 297, 332, 284, 300, 293, 334, 296, 336, 107, 66, 105, 63, 70),
        (33, 263),
        35,
    ),
    Zone((107, 336, 55, 285, 193, 417, 168), (9, 168), 35),
    *_RIGHT,
    *(
        Zone(tuple(MIRROR[p] for p in z.outline), (MIRROR[z.way[0]], MIRROR[z.way[1]]), z.slack)
        for z in _RIGHT
    ),
)


def fold_zones(
    mesh: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the face folds, which way, and how strictly.

    Parameters
    ----------
    mesh : (468, 2) ndarray, px of the crop
    shape : tuple of int
        (h, w) of the crop.

    Returns
    -------
    folds : (h, w) bool ndarray
    way : (h, w) float32 ndarray, radians modulo pi
    slack : (h, w) float32 ndarray, radians
    """
    folds = np.zeros(shape, np.uint8)
    way, slack = np.zeros(shape, np.float32), np.ones(shape, np.float32)
    up = mesh[10] - mesh[152]
    for zone in ZONES:
        outline = mesh[list(zone.outline)]
        if 10 in zone.outline:
            # The mesh ends below the hairline: wrinkles do not.
            outline = np.concatenate([outline, outline + 0.12 * up])
        area = np.zeros(shape, np.uint8)
        cv2.fillConvexPoly(area, cv2.convexHull(np.round(outline).astype(np.int32)), 1)
        start, end = mesh[list(zone.way)]
        here = area > 0
        folds[here] = 1
        way[here] = np.arctan2(end[1] - start[1], end[0] - start[0])
        slack[here] = np.radians(zone.slack)
    return folds > 0, way, slack


def sure_skin(strict: np.ndarray) -> np.ndarray:
    """What is surely skin, (h, w) uint8: the strict mask of a crop without its small gaps."""
    sure = (strict > LEAST_SKIN).astype(np.uint8)
    return cv2.morphologyEx(sure, cv2.MORPH_CLOSE, disc(LARGEST_GAP * PX_PER_MM))


def is_hairline(points: np.ndarray, mesh: np.ndarray, sure: np.ndarray) -> bool:
    """Whether a line of the forehead lies so near under hair that it is a strand or its shadow.

    Parameters
    ----------
    points : (n, 2) int ndarray, px of the crop
    mesh : (468, 2) ndarray, px of the crop
    sure : (h, w) uint8 ndarray
        Of `sure_skin`.
    """
    up = mesh[10] - mesh[152]
    up = up / max(float(np.linalg.norm(up)), 1e-6)
    brows = mesh[[105, 334]].mean(0)
    if (points - brows).mean(0) @ up < 0:
        return False
    sure = np.pad(sure, 1)  # beside the picture nothing is seen
    way = np.arange(round(HAIRLINE * PX_PER_MM) + 1)[:, None, None] * up
    x, y = np.moveaxis(np.rint(points + way).astype(int) + 1, 2, 0)
    x, y = np.clip(x, 0, sure.shape[1] - 1), np.clip(y, 0, sure.shape[0] - 1)
    return bool(sure[y, x].all(0).mean() < 0.5)


def is_of_feature(points: np.ndarray, mesh: np.ndarray, glasses: bool) -> bool:
    """Whether a line is the crease of a lid or of a wing of the nose.

    Parameters
    ----------
    points : (n, 2) int ndarray, px of the crop
    mesh : (468, 2) ndarray, px of the crop
    glasses : bool
        Whether the face wears some.
    """
    few = points[:: max(1, len(points) // 12)]
    for outlines, reach in ((EYES, LID_UNDER_LENS if glasses else LID), (WINGS, WING)):
        for outline in outlines:
            hull = cv2.convexHull(mesh[list(outline)].astype(np.float32))
            away = [-cv2.pointPolygonTest(hull, (float(x), float(y)), True) for x, y in few]
            if np.mean(away) < reach * PX_PER_MM:
                return True
    return False
