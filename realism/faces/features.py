"""Brows, eyes, lips and nostrils: where they are in a picture, from the outlines on the mesh."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from realism.faces.face import Face, mm_per_px_from_eyes

# Outlines on the mesh, the person's right then left.
EYES = (
    [33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246],
    [263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466],
)
BROWS = (
    [70, 63, 105, 66, 107, 55, 65, 52, 53, 46],
    [300, 293, 334, 296, 336, 285, 295, 282, 283, 276],
)
LIPS = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185]
NOSTRILS = ([79, 166, 219, 240, 75, 60, 20, 238], [309, 392, 439, 460, 305, 290, 250, 458])
# Cheeks, nose and the middle of the forehead: where skin is seldom covered.
CORE = (
    [117, 118, 101, 205, 187, 123],
    [346, 347, 330, 425, 411, 352],
    [151, 108, 69, 66, 9, 296, 299, 337],
    [6, 197, 195, 5, 4, 45, 51, 236, 248, 281, 275],
)
# The code of each feature in messages, and its outlines.
FEATURES = {"on_brow": BROWS, "on_eye": EYES, "on_lips": (LIPS,), "on_nostril": NOSTRILS}


def feature_at(point: np.ndarray, face: Face, slack: float = 3.0) -> str:
    """Which feature of a face a point is on: for words only, the skin mask decides.

    Parameters
    ----------
    point : np.ndarray, (2,) px
    face : Face
    slack : float, mm
        How far beside a feature still counts.

    Returns
    -------
    str
        A code of `FEATURES`, or "".
    """
    at = (float(point[0]), float(point[1]))
    reach = slack / mm_per_px_from_eyes(face)
    for code, outlines in FEATURES.items():
        for outline in outlines:
            hull = cv2.convexHull(face.mesh[outline, :2].astype(np.float32))
            if cv2.pointPolygonTest(hull, at, True) > -reach:
                return code
    return ""


def feature_mask(
    face: Face, origin: tuple[int, int], shape: tuple[int, int], margin: float
) -> np.ndarray:
    """Brows, eyes, lips and nostrils with a margin.

    Parameters
    ----------
    face : Face
    origin : (int, int)
        Row and column of the picture at the result's (0, 0).
    shape : (int, int)
        Of the result, (h, w).
    margin : float, px

    Returns
    -------
    np.ndarray, (h, w) uint8
        1 where they are.
    """
    mask = np.zeros(shape, np.uint8)
    for outline in (o for outlines in FEATURES.values() for o in outlines):
        points = face.mesh[outline, :2] - [origin[1], origin[0]]
        cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points).astype(np.int32)), 1)
    return cv2.dilate(mask, disc(margin))


def fill_outlines(
    outlines: Iterable[Sequence[int]], points: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """Polygons through mesh points, filled.

    Parameters
    ----------
    outlines : iterable of sequences of int
        Numbers of the mesh points around each.
    points : np.ndarray, (468, 2) px
    shape : (int, int)
        Of the result, (h, w).

    Returns
    -------
    np.ndarray, (h, w) uint8
        1 inside.
    """
    mask = np.zeros(shape, np.uint8)
    for outline in outlines:
        cv2.fillPoly(mask, [points[list(outline)].round().astype(np.int32)], 1)
    return mask


def disc(radius: float) -> np.ndarray:
    """A round structuring element, (2 r + 1, 2 r + 1) uint8 with r = `radius` px rounded, >= 1."""
    side = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
