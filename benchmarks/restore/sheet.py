"""Faces side by side, for the pictures that `--sheet` writes."""

import cv2
import numpy as np

from benchmarks.restore.cases import Case


def case_row(case: Case, after: np.ndarray) -> np.ndarray:
    """A photo, truth, clean, restored: the faces side by side."""
    tiles = []
    source, base = case.sources[0], case.base
    for pixels, face in (
        (source.pixels, source.face),
        (case.truth, base.face),
        (base.pixels, base.face),
        (after, base.face),
    ):
        tiles.append(cut_face(pixels, face))
    return np.hstack(tiles)


def cut_face(pixels: np.ndarray, face, side: int = 600) -> np.ndarray:
    """The face in a square of `side` px."""
    x0, y0, x1, y1 = face.box
    half = 0.66 * (y1 - y0)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2 - 0.08 * (y1 - y0)
    scale = side / (2 * half)
    matrix = np.float32([[scale, 0, side / 2 - x * scale], [0, scale, side / 2 - y * scale]])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.warpAffine(pixels, matrix, (side, side), flags=how)
