"""Measure a round mark as a ratio to the skin around it, and warp that ratio onto other skin.

A photo is, nearly, light times shading times skin. Divided by the skin around it, in linear
light, a mark is what its pigment leaves of the light: the portrait's own light and shading then
fall on it as on any skin. The skin that would be there without the mark is a curved surface of
log-light (quadratic) fitted through the ring around it, the nearest skin weighing most; brows,
hair and neighbouring marks are left out, and what still does not belong loses its weight (Tukey's
biweight). Measured on clean twins, the curve halves the error of a plane.

Ratio images: Riklin-Raviv and Shashua, "The quotient image", PAMI 2001; for wrinkles Liu, Shan
and Zhang, "Expressive expression mapping with ratio images", SIGGRAPH 2001.
"""

from typing import NamedTuple

import cv2
import numpy as np

from realism.faces.skin import LEAST_SKIN
from realism.marks.mark import Mark

REACH = 1.6  # of a mark's radius: where it has faded to nothing
RING = {"mole": 1.7, "spot": 1.7, "acne": 2.6}  # of its radius: where bare skin begins
NEVER_FADING = 1.8  # of its radius: taken where its darkness goes on beside a mark
LEAST_RING = 12  # px of skin beside a mark from which its bare skin can be told
LEAST_SPREAD = 0.01  # log units of noise that skin has at least
ALIKE_PIXELS = 6.0  # neighbours that err alike: so many are worth one
# What skin's log-light has of level, slope and bend over half a patch: standard deviations.
PRIOR = np.array([10.0, 0.3, 0.3, 0.12, 0.12, 0.12])


class QuotientPatch(NamedTuple):
    """A round mark measured in one picture.

    Attributes
    ----------
    log_ratio : (h, w, 3) float32
        Log of the mark's linear light over the bare skin's.
    centre : (2,) float64, px of the patch
        Where the mark's middle lies.
    radius : float, px
        Where its darkness has nearly gone.
    bare_log_light : (3,) float
        Log-light of its bare skin, as `images.log_light` has it.
    doubt : float, log units
        Standard deviation of the bare skin under it; inf without skin around it.
    """

    log_ratio: np.ndarray
    centre: np.ndarray
    radius: float
    bare_log_light: np.ndarray
    doubt: float


def mask_out_marks(skin: np.ndarray, marks: list[Mark], keep: Mark | None = None) -> np.ndarray:
    """Skin (H, W) float32, 0 or 1, with all marks taken out of it except `keep`."""
    free = (skin > LEAST_SKIN).astype(np.uint8)
    for mark in marks:
        if mark is keep:
            continue
        if mark.is_traced:
            course = np.round(mark.points).astype(np.int32).reshape(-1, 1, 2)
            cv2.polylines(free, [course], False, 0, max(1, round(2 * mark.radius)))
        else:
            centre = (round(float(mark.xy[0])), round(float(mark.xy[1])))
            cv2.circle(free, centre, int(np.ceil(1.5 * mark.radius)), 0, -1)
    return free.astype(np.float32)


def measure_quotient(
    log_pixels: np.ndarray, clean: np.ndarray, xy: np.ndarray, radius: float, kind: str = "mole"
) -> QuotientPatch:
    """Measure a round mark as the ratio of its light to its bare skin's.

    Parameters
    ----------
    log_pixels : (H, W, 3) float32
        From `images.log_light`.
    clean : (H, W) float32, 0..1
        Skin without other marks, this one still in it.
    xy : (2,) px
    radius : float, px
        Roughly.
    kind : str
        "mole", "spot" or "acne": the skin around a pimple is flushed.
    """
    ring = RING[kind]
    half = int(np.ceil((ring + 1.1) * radius + 3))
    x, y = round(float(xy[0])), round(float(xy[1]))
    patch, weight = crop_square(log_pixels, x, y, half), crop_square(clean, x, y, half, edge=0)
    centre = np.array([half, half]) + np.asarray(xy, np.float64) - [x, y]
    away = distances_from(centre, patch.shape)
    beside = away - ring * radius - 1
    nearness = np.where(beside > 0, np.exp(-beside / (0.7 * radius + 2)), 0)
    base, doubt = fit_bare_skin(patch, weight * nearness)
    ratio = patch - base
    return QuotientPatch(
        ratio.astype(np.float32),
        centre,
        float(fading_radius(ratio, away, radius)),
        base[half, half],
        doubt,
    )


def crop_square(
    image: np.ndarray, x: int, y: int, half: int, edge: float | None = None
) -> np.ndarray:
    """Cut the square of 2 half + 1 px around (x, y) out of a picture.

    Parameters
    ----------
    image : (H, W, ...) ndarray
    x, y, half : int, px
    edge : float, optional
        What lies beyond the picture; without it, its outermost pixels repeat.
    """
    height, width = image.shape[:2]
    rows, columns = np.arange(y - half, y + half + 1), np.arange(x - half, x + half + 1)
    cut = image[np.clip(rows, 0, height - 1)][:, np.clip(columns, 0, width - 1)]
    if edge is not None:
        beyond_rows = (rows < 0) | (rows >= height)
        beyond_columns = (columns < 0) | (columns >= width)
        cut = np.where(beyond_rows[:, None] | beyond_columns[None], edge, cut)
    return cut


def distances_from(centre: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Distance of every pixel of a patch of (h, w, ...) from `centre` (x, y): (h, w) px."""
    ys, xs = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(xs - centre[0], ys - centre[1])


def fit_bare_skin(patch: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, float]:
    """Fit the skin under a mark: a quadratic surface through the log-light around it.

    Slopes and bends are held to what skin has by a prior, so that a ring with skin on all sides
    carries a curve, one with skin on some a plane, and a few pixels their own brightness; the
    posterior says how far that can be believed under the mark.

    Parameters
    ----------
    patch : (h, w, 3) float32
        Log-light.
    weight : (h, w) float, >= 0
        Of each pixel of skin beside the mark; 0 elsewhere.

    Returns
    -------
    (h, w, 3) ndarray
        Log-light of the skin without the mark.
    float, log units
        Standard deviation of that in the middle; inf without skin to be seen.
    """
    height, width = weight.shape
    ys, xs = np.mgrid[:height, :width]
    u, v = (xs - width // 2) / (width / 2), (ys - height // 2) / (height / 2)
    surface = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], -1)
    chosen = weight > 0.02
    if chosen.sum() < LEAST_RING:
        # No skin to be seen around it: the middle brightness of the patch is all there is.
        return np.broadcast_to(np.median(patch, (0, 1)), patch.shape), np.inf
    ring, design, near = patch[chosen].astype(np.float64), surface[chosen], weight[chosen]
    weights, fit = near.copy(), np.zeros((6, 3))
    for _ in range(4):
        weighted = design * weights[:, None]
        level = (weights[:, None] * ring).sum(0) / weights.sum()
        off = ring - design @ fit if fit.any() else ring - level
        spread = max(1.4826 * float(np.median(np.linalg.norm(off, axis=1))), LEAST_SPREAD)
        variance = ALIKE_PIXELS * spread**2 / 3
        precision = design.T @ weighted + np.diag(variance / PRIOR**2)
        fit = np.linalg.solve(precision, weighted.T @ ring)
        off = np.linalg.norm(ring - design @ fit, axis=1)
        spread = max(1.4826 * float(np.median(off)), LEAST_SPREAD)
        weights = near * np.clip(1 - (off / (4 * spread)) ** 2, 0, None) ** 2
        if (weights > 0).sum() < 8:
            weights = near.copy()
    middle = surface[height // 2, width // 2]
    doubt = np.sqrt(variance * middle @ np.linalg.solve(precision, middle))
    return surface @ fit, float(doubt)


def fading_radius(ratio: np.ndarray, away: np.ndarray, radius: float) -> float:
    """Where a mark's darkness has fallen to a fifth of its middle's.

    Parameters
    ----------
    ratio : (h, w, 3) ndarray
        Log-ratio.
    away : (h, w) ndarray, px
        Distance from the mark's middle.
    radius : float, px
        As the mark has it.

    Returns
    -------
    float, px
        0.6 to 1.8 of `radius`.
    """
    dark = np.abs(ratio.mean(2))
    middle = dark[away <= max(0.5 * radius, 1)].mean()
    for reach in np.linspace(0.6, NEVER_FADING, 13)[:-1] * radius:
        near = (away > reach - 0.75) & (away <= reach + 0.75)
        if near.any() and dark[near].mean() < 0.2 * middle:
            return reach
    # It never fades: the skin beside it is no skin, or its halo is wide.
    return NEVER_FADING * radius


def is_on_shading_edge(patch: QuotientPatch, radius: float) -> bool:
    """Whether one side of a mark is darker than its middle: hair, shadow or backdrop beside it.

    Such a place tells nothing of the mark's own darkness.
    """
    dark = -patch.log_ratio.mean(2)
    ys, xs = np.mgrid[: dark.shape[0], : dark.shape[1]]
    x, y = xs - patch.centre[0], ys - patch.centre[1]
    away = np.hypot(x, y)
    eighth = np.floor((np.arctan2(y, x) + np.pi) / (np.pi / 4)).astype(int) % 8
    beside = (away > 1.3 * radius) & (away <= 2.2 * radius)
    sides = [dark[beside & (eighth == k)] for k in range(8)]
    middle = np.median(dark[away <= max(0.7 * radius, 1)])
    return max((float(side.mean()) for side in sides if side.size), default=0.0) > middle


def warp_log_ratio(
    log_ratio: np.ndarray,
    centre: np.ndarray,
    matrix: np.ndarray,
    to: np.ndarray,
    origin: np.ndarray,
    size: tuple[int, int],
) -> np.ndarray:
    """Warp a patch of log-ratios onto a portrait's pixels; light is averaged over each one's area.

    Parameters
    ----------
    log_ratio : (h, w, 3) ndarray
        Zero towards its edge.
    centre, to : (2,) px
        The point of the patch that lands on `to` in the portrait.
    matrix : (2, 2)
        px of the portrait over px of the patch.
    origin : (2,) int
        The portrait's pixel at the result's (0, 0).
    size : (height, width) of the result

    Returns
    -------
    (height, width, 3) float32
    """
    back = np.linalg.inv(matrix)
    fine = int(np.clip(np.ceil(np.linalg.norm(back, 2)), 1, 8))
    height, width = size
    # Sub-pixel centres: fine x fine of them in each pixel of the portrait.
    xs = (np.arange(width * fine) + 0.5) / fine - 0.5 + origin[0] - to[0]
    ys = (np.arange(height * fine) + 0.5) / fine - 0.5 + origin[1] - to[1]
    grid_x, grid_y = np.meshgrid(xs, ys)
    map_x = (back[0, 0] * grid_x + back[0, 1] * grid_y + centre[0]).astype(np.float32)
    map_y = (back[1, 0] * grid_x + back[1, 1] * grid_y + centre[1]).astype(np.float32)
    light = np.exp(log_ratio).astype(np.float32)
    warped = cv2.remap(
        light,
        map_x,
        map_y,
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(1, 1, 1),
    )
    if fine > 1:
        warped = cv2.resize(warped, (width, height), interpolation=cv2.INTER_AREA)
    return np.log(np.maximum(warped, 1e-3))
