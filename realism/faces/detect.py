"""Where faces might be: MediaPipe's short-range detector, looked through at several scales.

The detector sees 128 px and is sure of faces from about an eighth of that; so the picture is
looked at whole, with a border (a face that fills it), and in overlapping squares (small faces,
group pictures). It follows turns up to profile, which dlib's HOG detector does not.

Network and anchors: Bazarevsky et al., "BlazeFace", 2019; weights of MediaPipe, Apache-2.0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

WEIGHTS = Path(__file__).parent / "weights" / "face_detection_short_range.tflite"
SIDE = 128  # px, input of the network
SAME_PLACE = 0.3  # intersection over union from which two candidates are one face


@dataclass(frozen=True, eq=False)
class Candidate:
    """A place that looks like a face, before the mesh has been asked.

    Parameters
    ----------
    box : np.ndarray, (4,) float32 px
        x0, y0, x1, y1; brows to chin.
    eyes : np.ndarray, (2, 2) float32 px
        The person's right eye, then the left.
    score : float, 0..1
    """

    box: np.ndarray
    eyes: np.ndarray
    score: float


class ShortRangeDetector:
    """MediaPipe's short-range face detector through `cv2.dnn`."""

    def __init__(self):
        # OpenCV 5.0's new engine gives one output of this graph only; the classic one gives both.
        self.net = cv2.dnn.readNetFromTFLite(str(WEIGHTS), cv2.dnn.ENGINE_CLASSIC)

    def find(self, pixels: np.ndarray, at_least: float, work_side: int) -> list[Candidate]:
        """Candidates of a picture, best first, one for each place.

        Parameters
        ----------
        pixels : np.ndarray, (H, W, 3) uint8 sRGB
        at_least : float, 0..1
            Score below which a place is dropped.
        work_side : int, px
            A larger picture is looked at in this size.
        """
        shrink = min(1.0, work_side / max(pixels.shape[:2]))
        if shrink < 1:
            pixels = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        found = []
        for squares in squares_by_size(*pixels.shape[:2]):
            for x, y, side in squares:
                square = crop_square(pixels, x, y, side)
                found += self._detect(square, at_least, np.array([x, y], np.float32), side)
            if found:  # smaller faces than these would be bystanders
                break
        found.sort(key=lambda candidate: -candidate.score)
        boxes, scores = [c.box for c in found], [c.score for c in found]
        kept = [found[index] for index in suppress_overlaps(boxes, scores, SAME_PLACE)]
        return [
            Candidate(c.box / np.float32(shrink), c.eyes / np.float32(shrink), c.score)
            for c in kept
        ]

    def _detect(
        self, square: np.ndarray, at_least: float, corner: np.ndarray, side: int
    ) -> list[Candidate]:
        """Candidates in a square of `side` px whose upper left corner is at `corner`."""
        blob = cv2.dnn.blobFromImage(square, 1 / 127.5, (SIDE, SIDE), (127.5, 127.5, 127.5))
        self.net.setInput(blob)
        logits, raw = self.net.forward(["classificators", "regressors"])
        scores = 1 / (1 + np.exp(-np.clip(logits.ravel(), -50, 50)))
        found = []
        for index in np.flatnonzero(scores >= at_least):
            # Offsets from the anchor in px of the network's input: centre, size, six points of
            # which the first two are the eyes.
            values = raw.reshape(-1, 8, 2)[index] / SIDE
            centre, size = values[0] + ANCHORS[index], values[1]
            box = np.concatenate([centre - size / 2, centre + size / 2]) * side
            eyes = (values[2:4] + ANCHORS[index]) * side + corner
            box = box.astype(np.float32) + np.tile(corner, 2)
            found.append(Candidate(box, eyes.astype(np.float32), float(scores[index])))
        return found


def squares_by_size(height: int, width: int) -> list[list[tuple[int, int, int]]]:
    """Squares to look through: x, y of the upper left corner and side, px; may stick out.

    Two lists: for faces down to a sixteenth of the short side, then for smaller ones.
    """
    long, short = max(height, width), min(height, width)
    x, y, border = (width - long) // 2, (height - long) // 2, long // 4
    large = [(x, y, long), (x - border, y - border, long + 2 * border)]
    if short < long:
        large += _tiles(height, width, short)
    return [large + _tiles(height, width, short // 2), _tiles(height, width, short // 4)]


def _tiles(height: int, width: int, side: int) -> list[tuple[int, int, int]]:
    """Squares that cover the picture and overlap by a third or more; none in a mere strip."""
    if side < SIDE // 4:
        return []
    down, across = (int(np.ceil((n - side) / (0.7 * side))) + 1 for n in (height, width))
    rows, columns = np.linspace(0, height - side, down), np.linspace(0, width - side, across)
    return [(int(x), int(y), side) for y in rows for x in columns]


def crop_square(pixels: np.ndarray, x: int, y: int, side: int) -> np.ndarray:
    """The square of `side` px at `x`, `y`; grey where it sticks out of the picture."""
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
    if (x1 - x0, y1 - y0) == (side, side):
        return pixels[y0:y1, x0:x1]
    square = np.full((side, side, 3), 128, np.uint8)
    square[y0 - y : y1 - y, x0 - x : x1 - x] = pixels[y0:y1, x0:x1]
    return square


def overlap(box: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes x0, y0, x1, y1, 0..1."""
    low, high = np.maximum(box[:2], other[:2]), np.minimum(box[2:], other[2:])
    both = np.prod(np.maximum(high - low, 0))
    return float(both / (np.prod(box[2:] - box[:2]) + np.prod(other[2:] - other[:2]) - both))


def suppress_overlaps(
    boxes: Sequence[np.ndarray], scores: Sequence[float], most: float
) -> list[int]:
    """Non-maximum suppression: of boxes on one place the one with the best score.

    Parameters
    ----------
    boxes : sequence of np.ndarray, (4,)
        x0, y0, x1, y1.
    scores : sequence of float, > 0
    most : float, 0..1
        Intersection over union up to which two boxes are two places.

    Returns
    -------
    list of int
        Indices of the boxes that stay, best first.
    """
    if not len(boxes):
        return []
    corners = np.asarray(boxes, np.float64)
    sized = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
    return [int(n) for n in cv2.dnn.NMSBoxes(sized.tolist(), list(scores), 0.0, most)]


def _anchors() -> np.ndarray:
    """Centres of the 896 anchors, 0..1: a 16×16 grid with two a cell, an 8×8 grid with six."""
    grids = []
    for cells, each in ((16, 2), (8, 6)):
        middle = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(middle, middle, indexing="ij")
        grids.append(np.repeat(np.stack([x.ravel(), y.ravel()], 1), each, axis=0))
    return np.concatenate(grids).astype(np.float32)


ANCHORS = _anchors()
