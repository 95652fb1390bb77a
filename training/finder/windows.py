"""A window of a prepared face: its pixels and skin, where marks may lie, and the marks it has."""

import json

import cv2
import numpy as np

from realism.faces.features import BROWS, EYES, LIPS, NOSTRILS
from realism.images import DARKEST, to_linear
from realism.marks.find.crop import SPAN
from realism.marks.mark import Mark, RoundMark, Wrinkle, mark_from_json

BESIDE_A_FEATURE = 0.25  # share of the samples whose marks all lie there
BESIDE = 0.09  # of the face's width
FEATURES = (*EYES, *EYES, *BROWS, LIPS, *NOSTRILS)  # eyes twice: their corners are darkest


def cut_window(
    rng: np.random.Generator, crop: dict[str, np.ndarray], side: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float, np.ndarray]:
    """A part of a prepared face, turned, mirrored and scaled at random; None: all of it.

    Returns
    -------
    tuple
        pixels (h, w, 3) uint8, skin (h, w) 0..1, `choose_places` (h, w) bool, mesh (468, 3)
        px, px there over px of a usual face, the map (2, 3) from the crop.
    """
    mesh, span, places = crop["mesh"][:, :2], float(crop["span"]), choose_places(rng, crop)
    if side is None:
        zoom = SPAN / span
        low = np.maximum(mesh.min(0) - span * np.array([0.1, 0.27]), 0)
        high = np.minimum(mesh.max(0) + span * 0.1, crop["skin"].shape[::-1])
        matrix = np.float32([[zoom, 0, -zoom * low[0]], [0, zoom, -zoom * low[1]]])
        size = tuple(int(zoom * s) for s in high - low)
    else:
        zoom = SPAN / span * rng.uniform(0.76, 1.3)
        turn, flip = np.radians(rng.normal(0, 14)), rng.choice([-1, 1])
        matrix = np.zeros((2, 3), np.float32)
        matrix[:, :2] = zoom * np.array(
            [[np.cos(turn) * flip, -np.sin(turn)], [np.sin(turn) * flip, np.cos(turn)]]
        )
        rows, columns = np.nonzero(places)
        if rng.random() < 0.82 and len(rows):
            index = rng.integers(len(rows))
            centre = np.array([columns[index], rows[index]])
        else:
            centre = rng.uniform(0, crop["skin"].shape[::-1])
        matrix[:, 2] = side / 2 - matrix[:, :2] @ centre + rng.uniform(-70, 70, 2)
        size = (side, side)
    pixels = cv2.warpAffine(
        crop["pixels"], matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    skin = cv2.warpAffine(crop["skin"], matrix, size).astype(np.float32) / 255
    places = cv2.warpAffine(places.astype(np.uint8), matrix, size) > 0
    mesh = np.column_stack([mesh @ matrix[:, :2].T + matrix[:, 2], crop["mesh"][:, 2] * zoom])
    return pixels, skin, places, mesh.astype(np.float32), zoom * span / SPAN, matrix


def choose_places(rng: np.random.Generator, crop: dict[str, np.ndarray]) -> np.ndarray:
    """Where marks may lie, (h, w) bool: on the skin, or all of them beside one feature of the face.

    Skin there is little, so that marks chosen evenly are hardly ever on it; and dark as the corners
    of eyes are, a network that sees none there takes every mole for shade.
    """
    if rng.random() >= BESIDE_A_FEATURE:
        return crop["skin"] > 216
    outline = FEATURES[rng.integers(len(FEATURES))]
    hull = cv2.convexHull(np.round(crop["mesh"][outline, :2]).astype(np.int32))
    away = cv2.fillConvexPoly(np.ones(crop["skin"].shape, np.uint8), hull, 0)
    near = cv2.distanceTransform(away, cv2.DIST_L2, 3) < BESIDE * crop["span"]
    return (crop["wide"] > 216) & near


def own_marks(
    crop: dict[str, np.ndarray], light: np.ndarray, matrix: np.ndarray
) -> tuple[np.ndarray, list[RoundMark], list[tuple[np.ndarray, float]]]:
    """The marks that a render has itself: change of log light (h, w, 3), Marks, courses of folds.

    Parameters
    ----------
    light : (h, w, 3) linear
        Of the same without them.
    matrix : (2, 3)
        Crop to sample.
    """
    change = np.zeros(light.shape, np.float32)
    if "marked" not in crop:
        return change, [], []
    size = light.shape[1::-1]
    marked = cv2.warpAffine(
        crop["marked"], matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    change = np.log(np.maximum(to_linear(marked), DARKEST) / light)
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    found, courses = [], []
    for mark in (mark_from_json(value) for value in json.loads(str(crop["marks"]))):
        xy = matrix[:, :2] @ mark.xy + matrix[:, 2]
        if isinstance(mark, Wrinkle):
            line = mark.polyline @ matrix[:, :2].T + matrix[:, 2]
            if not ((line > 0) & (line < size)).all(1).any():
                continue
            at = np.linspace(0, len(line) - 1, 6 * len(line))
            fine = [np.interp(at, np.arange(len(line)), line[:, i]) for i in (0, 1)]
            courses.append((np.stack(fine, 1).astype(np.float32), mark.half_width * zoom))
        elif ((xy > 0) & (xy < size)).all():
            found.append(RoundMark(mark.kind, xy.astype(np.float32), mark.radius * zoom))
    return change, found, courses


def natural_marks_of(
    crop: dict[str, np.ndarray], matrix: np.ndarray, size: tuple[int, int]
) -> tuple[list[RoundMark], list[Mark]]:
    """Marks that a photo-like face has of its own in a sample of some width and height, and what
    may be some; `matrix` as of `own_marks`."""
    if "natural" not in crop:
        return [], []
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))

    def to_sample(points: np.ndarray) -> np.ndarray:
        return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)

    own, maybe = (
        [mark_from_json(value).mapped(to_sample, zoom) for value in json.loads(str(crop[name]))]
        for name in ("own", "natural")
    )
    return [
        m for m in own if isinstance(m, RoundMark) and ((m.xy > 0) & (m.xy < size)).all()
    ], maybe
