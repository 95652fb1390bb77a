"""The mark passport turning: the person's head as of clay, with its marks on it, from many sides.

Every pixel is shaded by itself. Which triangle it shows is known from drawing the farther ones
first; light falls on the vertices' normals, interpolated (Phong, CACM 1975). A mark is a patch on
the surface around its place, measured in millimetres there, so that it turns and foreshortens with
the skin.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import cv2
import numpy as np
from scipy.spatial import KDTree

from realism.draw.palette import KIND_COLOURS
from realism.head.model import load_model
from realism.head.raycast import barycentric, vertex_normals
from realism.marks.atlas import Atlas, AtlasMark

YAWS = tuple(np.linspace(-60, 60, 31).tolist())  # degrees: the person's right side comes first
ASPECT = 0.8  # width over height
TALL = 226.0  # mm from the picture's upper edge to the lower one
MIDDLE = -14.0  # mm above the eyes: what lies in the middle
DISTANCE = 900.0  # mm from the camera to the eyes
FINER = 1.25  # drawn larger than asked for, then reduced: smooth outlines
LEAST_RADIUS = 1.8  # mm of a mark as drawn, to be seen from afar
WRINKLE_RADIUS = 0.9
EDGE = 0.5  # mm over which a mark's edge fades
# Linear light: the clay, and (towards the light, its colour, how far it reaches round).
CLAY = np.array([0.52, 0.445, 0.385], np.float32)
LIGHTS = (
    ((-0.55, 0.55, 0.75), (1.00, 0.95, 0.88), 0.15),
    ((0.85, 0.10, 0.35), (0.10, 0.13, 0.18), 0.30),
    ((0.75, 0.35, -0.75), (0.55, 0.62, 0.72), 0.0),
)
AMBIENT = np.array([0.030, 0.034, 0.042], np.float32)
CAVITY = 1.1  # how much darker hollows are, 1/mm of their depth
NECK = (-58.0, 18.0)  # mm: below this height the open edge fades, over this distance from it
# Eyeballs, which the model has not: radius, and the middle from that of the lids, mm.
EYEBALL, EYE_OFFSET = 12.4, np.array([0, 0.3, -8.9])
EYE_AT = np.array([32.0, 1.0, 2.0])  # mm: the middle of the person's left lids on the mean head
EYE_SHADE = 0.82
RINGS, AROUND = 12, 28  # of an eyeball's triangles


@dataclass(frozen=True, eq=False)
class _Bust:
    """The head with eyeballs.

    Attributes
    ----------
    vertices, normals : (n, 3) float32, mm and unit
    triangles : (t, 3) int
    shade, opacity : (n,) float32, 0..1
        How much light hollows keep; 0 at the neck's open edge.
    """

    vertices: np.ndarray
    normals: np.ndarray
    triangles: np.ndarray
    shade: np.ndarray
    opacity: np.ndarray


@dataclass(frozen=True, eq=False)
class _Patch:
    """A mark on the head.

    Attributes
    ----------
    points : (n, 3) mm
        Its course on the unturned head, one point of a round mark.
    radius : float, mm
    colour : (3,) float32, linear light
    """

    points: np.ndarray
    radius: float
    colour: np.ndarray


def draw_turning_head(
    atlas: Atlas, yaws: Sequence[float] = YAWS, height: int = 720
) -> Iterator[np.ndarray]:
    """The person's head with the marks that are put back, from each side in turn.

    Parameters
    ----------
    atlas : Atlas
        The mark passport.
    yaws : sequence of float, degrees
        By how much the head is turned; below 0 its right side is seen.
    height : int, px

    Yields
    ------
    ndarray, (height, width, 4) uint8 sRGB and opacity
    """
    bust = _bust(atlas.identity)
    patches = [_patch(entry, bust) for entry in reversed(atlas.entries) if entry.on]
    marked = _triangles_near(patches, bust)
    with ThreadPoolExecutor() as pool:
        yield from pool.map(lambda yaw: _draw(bust, patches, marked, yaw, height), yaws)


# One side -----------------------------------------------------------------------------------------


def _draw(
    bust: _Bust, patches: list[_Patch], marked: np.ndarray, yaw: float, height: int
) -> np.ndarray:
    """Turned by `yaw` degrees, (height, width, 4) uint8; near marks are the triangles `marked`."""
    tall, wide = round(height * FINER), round(height * ASPECT * FINER)
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)
    turned = bust.vertices @ turn
    scale = tall / TALL * DISTANCE / (DISTANCE - turned[:, 2])
    across = turned[np.abs(turned[:, 1]) < 60, 0]  # without the neck, which leans
    left = wide / 2 - (across.min() + across.max()) / 2 * tall / TALL
    flat = np.stack([left + turned[:, 0] * scale, tall / 2 - (turned[:, 1] - MIDDLE) * scale], 1)
    shown = _triangle_map(flat, turned[:, 2], bust.triangles, (tall, wide))
    rows, columns = np.nonzero(shown >= 0)
    numbers = shown[rows, columns]
    corners = np.ascontiguousarray(bust.triangles[numbers].T)  # (3, n)
    at = np.stack([columns, rows], 1).astype(np.float32)
    # A line drawn around a triangle reaches a little out of it.
    weights = np.clip(barycentric(at, flat[corners.T]), 0, 1)
    weights = np.ascontiguousarray((weights / weights.sum(1, keepdims=True)).T)[..., None]
    kept = np.stack([bust.shade, bust.opacity], 1)
    seen = _between(np.concatenate([bust.normals @ turn, kept], 1), corners, weights)
    normal, shade, opacity = _unit(seen[:, :3]), seen[:, 3:4], seen[:, 4:]
    albedo = np.repeat(CLAY[None], len(rows), 0)
    near = np.flatnonzero(marked[numbers])
    places = _between(bust.vertices, corners[:, near], weights[:, near])
    albedo[near] = _with_patches(patches, places, albedo[near])
    picture = np.zeros((tall, wide, 4), np.float32)
    # Where it ends it darkens as well: else the edge would glow.
    picture[rows, columns, :3] = albedo * _light(normal) * (shade * opacity**2)
    picture[rows, columns, 3] = opacity[:, 0]
    picture = cv2.resize(picture, (round(height * ASPECT), height), interpolation=cv2.INTER_AREA)
    colour = np.clip(picture[..., :3] / np.maximum(picture[..., 3:], 1e-6), 0, 1) ** (1 / 2.2)
    return np.round(np.concatenate([colour, picture[..., 3:]], 2) * 255).astype(np.uint8)


def _triangle_map(
    flat: np.ndarray, near: np.ndarray, triangles: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Which triangle each pixel shows, (H, W) int32, -1 beside the head.

    Parameters
    ----------
    flat : (n, 2) float32, px
        Where the vertices are seen.
    near : (n,) float32
        Larger nearer to the camera.
    triangles : (t, 3) int
    size : (int, int)
    """
    corners = flat[triangles]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    # y down: counter-clockwise has a negative area
    fronts = np.flatnonzero(first[:, 0] * second[:, 1] < first[:, 1] * second[:, 0])
    order = fronts[near[triangles[fronts]].mean(1).argsort()]
    points = np.round(corners * 16).astype(np.int32)
    shown = np.full(size, -1, np.int32)
    for number in order.tolist():
        cv2.fillConvexPoly(shown, points[number], number, cv2.LINE_8, 4)
    return shown


def _between(values: np.ndarray, corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What vertices' values (v, k) are at points with these corners (3, n) and weights; (n, k)."""
    first, second, third = (values[corners[n]] * weights[n] for n in range(3))
    return first + second + third


def _light(normal: np.ndarray) -> np.ndarray:
    """What falls on skin of these normals (n, 3), by colour (n, 3)."""
    total = AMBIENT * (1.4 + normal[:, 1:2])
    for towards, colour, round_it in LIGHTS:
        direction = _unit(np.array(towards, np.float32))
        along = np.clip((normal @ direction + round_it) / (1 + round_it), 0, 1)[:, None]
        if direction[2] < 0:  # from behind: only the rim, where the skin turns away
            along = along * np.clip(1 - normal[:, 2:], 0, 1) ** 2
        total = total + along * np.array(colour, np.float32)
    half = _unit(_unit(np.array(LIGHTS[0][0], np.float32)) + np.array([0, 0, 1], np.float32))
    return total + 0.10 * np.clip(normal @ half, 0, 1)[:, None] ** 28


def _with_patches(patches: list[_Patch], place: np.ndarray, albedo: np.ndarray) -> np.ndarray:
    """The colour (n, 3) of pixels that show these places of the head (n, 3), marks laid on."""
    laid = albedo.copy()
    for patch in patches:
        reach = patch.radius + EDGE
        low, high = patch.points.min(0) - reach, patch.points.max(0) + reach
        near = np.flatnonzero(((place > low) & (place < high)).all(1))
        gap = patch.radius + EDGE / 2 - _distance(place[near], patch.points)
        cover = np.clip(gap / EDGE, 0, 1)[:, None].astype(np.float32)
        laid[near] = laid[near] * (1 - cover) + patch.colour * cover
    return laid


def _distance(places: np.ndarray, course: np.ndarray) -> np.ndarray:
    """mm from each place (n, 3) to a course (m, 3), which may be one point; (n,)."""
    distance = np.linalg.norm(places - course[0], axis=1)
    for start, end in pairwise(course):
        along = end - start
        share = np.clip((places - start) @ along / max(float(along @ along), 1e-9), 0, 1)
        gap = places - start - share[:, None] * along
        distance = np.minimum(distance, np.linalg.norm(gap, axis=1))
    return distance


# The head ----------------------------------------------------------------------------------------


def _bust(identity: np.ndarray) -> _Bust:
    """The head of that identity."""
    model = load_model()
    shape = model.mean + np.tensordot(identity, model.modes[: model.people], 1)
    normals = _unit(vertex_normals(shape, model.triangles))
    shade = np.exp(CAVITY * np.minimum(_bulge(shape, normals), 0))
    _, neck, lids = _edges()
    opacity = np.clip(KDTree(shape[neck]).query(shape)[0] / NECK[1], 0, 1)
    ball, sides = _ball()
    vertices, all_normals, triangles = [shape], [normals], [model.triangles]
    for eye in lids:
        vertices.append(shape[eye].mean(0) + EYE_OFFSET + EYEBALL * ball)
        triangles.append(sides + sum(map(len, vertices[:-1])))
        all_normals.append(ball)
    more = len(lids) * len(ball)
    return _Bust(
        np.concatenate(vertices).astype(np.float32),
        np.concatenate(all_normals).astype(np.float32),
        np.concatenate(triangles),
        np.concatenate([shade, np.full(more, EYE_SHADE)]).astype(np.float32),
        np.concatenate([opacity, np.ones(more)]).astype(np.float32),
    )


def _patch(entry: AtlasMark, bust: _Bust) -> _Patch:
    places = entry.polyline or (entry.place,)
    points = np.array(
        [place.weights @ bust.vertices[bust.triangles[place.triangle]] for place in places]
    )
    least = WRINKLE_RADIUS if len(points) > 1 else LEAST_RADIUS
    colour = (np.array(KIND_COLOURS[entry.mark.kind], np.float32) / 255) ** 2.2
    return _Patch(points, max(least, entry.radius_mm), colour)


def _triangles_near(patches: list[_Patch], bust: _Bust) -> np.ndarray:
    """Which triangles may show a mark, (t,) bool."""
    corners = bust.vertices[bust.triangles]
    middles = corners.mean(1)
    size = np.linalg.norm(corners - middles[:, None], axis=2).max(1)
    marked = np.zeros(len(middles), bool)
    for patch in patches:
        marked |= _distance(middles, patch.points) < patch.radius + EDGE + size
    return marked


def _bulge(shape: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """How far each vertex stands above its neighbours, mm, below 0 in hollows; (n,)."""
    (start, end), *_ = _edges()
    count = np.maximum(np.bincount(start, minlength=len(shape)), 1)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(start, values[end], len(shape)) / count

    above = ((shape - np.stack([mean(axis) for axis in shape.T], 1)) * normals).sum(1)
    for _ in range(2):  # smooth: the triangles must not show
        above = (above + mean(above)) / 2
    return above


@cache
def _edges() -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """The ends of all edges (2, e), both ways; vertices where the neck ends; around each eye."""
    model = load_model()
    a, b, c = model.triangles.T
    pairs = np.concatenate([np.stack(pair, 1) for pair in ((a, b), (b, c), (c, a))])
    sorted_pairs, times = np.unique(np.sort(pairs, 1), axis=0, return_counts=True)
    open_edge = np.unique(sorted_pairs[times == 1])  # with a triangle on one side only
    both = np.concatenate([sorted_pairs, sorted_pairs[:, ::-1]])
    lids = [
        open_edge[np.linalg.norm(model.mean[open_edge] - EYE_AT * [side, 1, 1], axis=1) < 20]
        for side in (1, -1)
    ]
    _, y, z = model.mean[open_edge].T
    return both.T, open_edge[(y < NECK[0]) & (z < 0)], lids  # the lips are open, too, and before 0


@cache
def _ball() -> tuple[np.ndarray, np.ndarray]:
    """The front half of a sphere: points (n, 3), unit; triangles, counter-clockwise outside."""
    down, along = np.meshgrid(
        np.linspace(0, np.pi / 2, RINGS), np.linspace(0, 2 * np.pi, AROUND), indexing="ij"
    )
    points = np.stack(
        [np.sin(down) * np.cos(along), np.sin(down) * np.sin(along), np.cos(down)], -1
    ).reshape(-1, 3)
    ring, step = np.meshgrid(np.arange(RINGS - 1), np.arange(AROUND - 1), indexing="ij")
    first = (ring * AROUND + step).ravel()
    sides = [(first, first + AROUND, first + 1), (first + 1, first + AROUND, first + AROUND + 1)]
    return points, np.concatenate([np.stack(side, 1) for side in sides])


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
