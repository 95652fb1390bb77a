"""The mark passport as a picture: the person's head with the marks on it."""

import cv2
import numpy as np

from realism.draw.palette import KIND_COLOURS, SWITCHED_OFF
from realism.head.geometry import SurfacePoint
from realism.head.model import load_model
from realism.marks.atlas import Atlas

TURNS = (-60.0, 0.0, 60.0)  # degrees: the person's right side, the front, the left side


def draw_passport(atlas: Atlas, side: int = 520) -> np.ndarray:
    """The person's head from the right, the front and the left, with its marks.

    Marks have the colours of their kinds, those that are off are grey.

    Parameters
    ----------
    atlas : Atlas
        The mark passport.
    side : int
        px, of each of the three pictures.

    Returns
    -------
    ndarray, (side, 3 side, 3) uint8 sRGB
    """
    return np.hstack([_draw_head(atlas, turn, side) for turn in TURNS])


def _draw_head(atlas: Atlas, turn: float, side: int) -> np.ndarray:
    """The head turned by `turn` degrees with its marks, (side, side, 3) uint8 sRGB."""
    model = load_model()
    shape = model.mean + np.tensordot(atlas.identity, model.modes[: model.people], 1)
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    turned = shape @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    corners = turned[model.triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    fronts = np.flatnonzero(normal[:, 2] > 0)
    scale = side / 235  # px per mm: from crown to chin
    across = corners[fronts, :, 0]
    left = side / 2 - scale * (across.min() + across.max()) / 2  # what is seen lies in the middle
    flat = np.stack([left + turned[:, 0] * scale, side * 0.42 - turned[:, 1] * scale], 1)
    order = fronts[corners[fronts].mean(1)[:, 2].argsort()]  # the farthest first
    light = np.clip(normal @ np.array([0.25, 0.35, 0.9]), 0, 1)
    image = np.full((side, side, 3), 250, np.uint8)
    points = np.round(flat[model.triangles] * 16).astype(np.int32)
    for number in order:
        shade = 120 + 110 * light[number]
        cv2.fillConvexPoly(image, points[number], (shade, 0.93 * shade, 0.88 * shade), shift=4)
    for entry in reversed(atlas.entries):
        colour = KIND_COLOURS[entry.mark.kind] if entry.on else SWITCHED_OFF
        trail = [_seen_at(place, flat, normal) for place in (entry.polyline or (entry.place,))]
        trail = [point for point in trail if point is not None]
        if entry.polyline and len(trail) > 1:
            line = np.round(np.array(trail) * 16).astype(np.int32).reshape(-1, 1, 2)
            cv2.polylines(image, [line], False, colour, 2, cv2.LINE_AA, 4)
        elif trail:
            at = tuple(np.round(trail[0] * 16).astype(int).tolist())
            radius = max(4.0, entry.radius_mm * scale)
            cv2.circle(image, at, round(radius * 16), colour, -1, cv2.LINE_AA, 4)
    return image


def _seen_at(place: SurfacePoint, flat: np.ndarray, normal: np.ndarray) -> np.ndarray | None:
    """Where a drawn head shows a place, None where it looks away."""
    if normal[place.triangle, 2] < 0.1:
        return None
    return place.weights @ flat[load_model().triangles[place.triangle]]
