"""Measure a mark as a ratio to the skin around it, and lay that ratio on other skin.

A photo is, nearly, light times shading times skin. Divided by the skin around it, in linear
light, a mark is what its pigment leaves of the light: the portrait's own light and shading then
fall on it as on any skin. The skin that would be there without the mark is a curved surface of
log-light (quadratic) fitted through the ring around it, the nearest skin weighing most; brows,
hair and neighbouring marks are left out, and what still does not belong loses its say (Tukey's
biweight). Measured on clean twins, the curve halves the error of a plane.

Ratio images: Riklin-Raviv and Shashua, "The quotient image", PAMI 2001; for wrinkles Liu, Shan
and Zhang, "Expressive expression mapping with ratio images", SIGGRAPH 2001.
"""

from typing import NamedTuple

import cv2
import numpy as np

from realism.images import DARKEST
from realism.marks.mark import Mark

# How marks are measured and laid on by `method="ratio"`.
REACH = 1.6  # of a mark's radius: where it has faded to nothing
EVENED_SHADE = 2.5  # px over its radius: how far it is made alike all around
MOST_EVENED = 0.35  # at most so far
EVENED_HUE = 6.0  # px over its radius, the same of its colour; up to 1
BRIGHTEST_PIGMENT = 0.02  # log units by which a mole or spot may be lighter than skin
BRIGHTEST_ACNE = 0.2  # the same of a pimple
DARKEST_PIGMENT = 2.5  # log units; the blackest mole keeps a twelfth of the light
MOST_DARK = 1.15  # of its core's darkness: darker beside it is not the mark
SAME_MARK_CORRELATION = 0.6  # correlation with the mark from which it is the same one
LEAST_SHOWN = 0.3  # of its strength; less is the skin's own texture
STANDS_OUT = 4.0  # standard deviations of what is like it around there


class Relief(NamedTuple):
    """A mark measured in one picture.

    log_ratio    (h, w, 3) float32, log of the mark's linear light over the bare skin's
    centre       (2,) px of the patch, where the mark's middle lies
    radius       px, where its darkness has nearly gone
    bare         (3,) linear light of the skin around it
    trust        0..1, how much of the ring around it was clean skin
    """

    log_ratio: np.ndarray
    centre: np.ndarray
    radius: float
    bare: np.ndarray
    trust: float


def without(skin: np.ndarray, marks: list[Mark], but: Mark | None = None) -> np.ndarray:
    """Skin (H, W) 0..1 with all marks taken out, except `but`."""
    free = (skin > 0.5).astype(np.uint8)
    for mark in marks:
        if mark is but:
            continue
        if mark.is_traced:
            course = np.round(mark.points).astype(np.int32).reshape(-1, 1, 2)
            cv2.polylines(free, [course], False, 0, max(1, round(2 * mark.radius)))
        else:
            centre = (round(float(mark.xy[0])), round(float(mark.xy[1])))
            cv2.circle(free, centre, int(np.ceil(1.5 * mark.radius)), 0, -1)
    return free.astype(np.float32)


def measure(log_pixels: np.ndarray, clean: np.ndarray, xy: np.ndarray, radius: float) -> Relief:
    """A round mark's ratio to its skin.

    log_pixels    (H, W, 3) float32, from `log_light`
    clean         (H, W) float32 0..1: skin without other marks, this one still in it
    xy            (2,) px;  radius px, roughly
    """
    half = int(np.ceil(2.8 * radius + 3))
    x, y = round(float(xy[0])), round(float(xy[1]))
    patch, weight = window(log_pixels, x, y, half), window(clean, x, y, half, edge=0)
    centre = np.array([half, half]) + np.asarray(xy, np.float64) - [x, y]
    away = distance(patch.shape, centre)
    beside = away - 1.7 * radius - 1
    nearness = np.where(beside > 0, np.exp(-beside / (0.7 * radius + 2)), 0)
    base, trust = bare_skin(patch, weight * nearness)
    ratio = patch - base
    return Relief(
        ratio.astype(np.float32),
        centre,
        float(extent_of(ratio, away, radius)),
        np.exp(base[half, half]) - DARKEST,
        trust,
    )


def window(image: np.ndarray, x: int, y: int, half: int, edge: float | None = None) -> np.ndarray:
    """The square of 2 half + 1 px round (x, y); beyond the picture its rim repeats, or `edge`."""
    height, width = image.shape[:2]
    rows, columns = np.arange(y - half, y + half + 1), np.arange(x - half, x + half + 1)
    cut = image[np.clip(rows, 0, height - 1)][:, np.clip(columns, 0, width - 1)]
    if edge is not None:
        beyond_rows = (rows < 0) | (rows >= height)
        beyond_columns = (columns < 0) | (columns >= width)
        cut = np.where(beyond_rows[:, None] | beyond_columns[None], edge, cut)
    return cut


def distance(shape: tuple[int, ...], centre: np.ndarray) -> np.ndarray:
    """Distance of every pixel of a patch from `centre` (x, y), px."""
    ys, xs = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(xs - centre[0], ys - centre[1])


def bare_skin(patch: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, float]:
    """The skin under a mark: a quadratic surface through the log-light around it.

    patch     (h, w, 3) float32
    weight    (h, w) >= 0, say of each pixel of skin beside the mark; 0 elsewhere
    ->        (h, w, 3), and how much of the ring took part, 0..1
    """
    height, width = weight.shape
    ys, xs = np.mgrid[:height, :width]
    u, v = (xs - width // 2) / (width / 2), (ys - height // 2) / (height / 2)
    surface = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], -1)
    chosen = weight > 0.02
    if chosen.sum() < 12:
        # No skin to be seen around it: the middle brightness of the patch is all there is.
        return np.broadcast_to(np.median(patch, (0, 1)), patch.shape), 0.0
    ring, design, near = patch[chosen].astype(np.float64), surface[chosen], weight[chosen]
    # Skin on all sides carries a curve; on some, a plane; on one, only its own brightness.
    sides = len(np.unique(np.floor(np.arctan2(v[chosen], u[chosen]) / (np.pi / 4))))
    tilt, bend = (1e-2 if sides >= 5 else 1e3), (1e-2 if sides >= 7 else 1e3)
    stiffness = np.diag([0, tilt, tilt, bend, bend, bend])
    say = near.copy()
    for _ in range(8):
        weighted = design * say[:, None]
        normal = design.T @ weighted + stiffness * say.sum()
        fit = np.linalg.solve(normal, weighted.T @ ring)
        off = np.linalg.norm(ring - design @ fit, axis=1)
        spread = max(1.4826 * float(np.median(off)), 0.01)
        say = near * np.clip(1 - (off / (4 * spread)) ** 2, 0, None) ** 2
        if (say > 0).sum() < 8:
            say = near.copy()
    return surface @ fit, float(np.clip(chosen.sum() / (0.5 * chosen.size), 0, 1))


def on_a_flank(relief: Relief, radius: float) -> bool:
    """Whether one side of a mark is darker than its middle: hair, shadow or backdrop beside it.

    Such a place tells nothing of the mark's own darkness.
    """
    dark = -relief.log_ratio.mean(2)
    ys, xs = np.mgrid[: dark.shape[0], : dark.shape[1]]
    x, y = xs - relief.centre[0], ys - relief.centre[1]
    away = np.hypot(x, y)
    eighth = np.floor((np.arctan2(y, x) + np.pi) / (np.pi / 4)).astype(int) % 8
    beside = (away > 1.3 * radius) & (away <= 2.2 * radius)
    sides = [dark[beside & (eighth == k)] for k in range(8)]
    middle = np.median(dark[away <= max(0.7 * radius, 1)])
    return max((float(side.mean()) for side in sides if side.size), default=0.0) > middle


def pigment(relief: Relief, kind: str) -> np.ndarray:
    """A mark's log-ratio as far as pigment can have made it, (h, w, 3).

    The channels keep their own shapes: red light wanders further in skin, so a mole's rim is
    redder than its middle. On one colour for the whole mark, a tenth of what it looks like is
    lost even where a picture is restored from itself.
    """
    # Pigment only darkens; a pimple may have a pale head. More than that is a base gone wrong.
    brightest = BRIGHTEST_ACNE if kind == "acne" else BRIGHTEST_PIGMENT
    ratio = np.clip(relief.log_ratio, -DARKEST_PIGMENT, brightest)
    # Melanin and blood leave red the most light and take no more than twice as much blue as green;
    # what else darkens so is backdrop or hair at the face's rim.
    ratio[..., 0] = np.maximum(ratio[..., 0], 1.1 * ratio[..., 1] - 0.05)
    ratio[..., 2] = np.maximum(ratio[..., 2], 2.0 * ratio[..., 1] - 0.1)
    ratio = _evened(ratio, relief)
    away = distance(ratio.shape, relief.centre) / relief.radius
    core = away <= 0.7
    if kind == "acne" or not core.any():
        return ratio
    # Towards its rim a mark gets no darker: what does is a fold, a hair or a shadow beside it.
    dark = -ratio.mean(2)
    fading = np.clip((REACH - away) / (REACH - 1), 0, 1)
    most = np.maximum(MOST_DARK * np.percentile(dark[core], 90) * fading, 0)
    return ratio * np.where(dark > most, most / np.maximum(dark, 1e-6), 1)[..., None]


def _evened(ratio: np.ndarray, relief: Relief) -> np.ndarray:
    """A small mark drawn towards its own mean at each distance from its middle.

    A mark of a few pixels is half noise, and its colour more so; a large one keeps its shape.
    """
    rings = _by_distance(ratio, distance(ratio.shape, relief.centre))
    grey, even = (image.mean(2, keepdims=True) for image in (ratio, rings))
    shade = min(EVENED_SHADE / relief.radius, MOST_EVENED)
    hue = min(EVENED_HUE / relief.radius, 1.0)
    mixed = grey + shade * (even - grey)
    return mixed + (ratio - grey) + hue * ((rings - even) - (ratio - grey))


def _by_distance(image: np.ndarray, away: np.ndarray, step: float = 0.5) -> np.ndarray:
    """Each pixel's colour (h, w, 3) replaced by the mean of those as far `away` (h, w) px."""
    at = away / step
    low, above = np.floor(at).astype(int), (at - np.floor(at))[..., None]
    count = low.max() + 2

    def gathered(values: np.ndarray) -> np.ndarray:
        below = np.bincount(low.ravel(), (values * (1 - above[..., 0])).ravel(), count)
        return below + np.bincount(low.ravel() + 1, (values * above[..., 0]).ravel(), count)

    total = np.maximum(gathered(np.ones(away.shape)), 1e-6)
    mean = np.stack([gathered(image[..., c]) / total for c in range(3)], 1)
    return mean[low] * (1 - above) + mean[low + 1] * above


def extent_of(ratio: np.ndarray, away: np.ndarray, radius: float) -> float:
    """Where the mark's darkness has fallen to a fifth of its middle's, px; 0.6 to 1.8 radius."""
    dark = np.abs(ratio.mean(2))
    middle = dark[away <= max(0.5 * radius, 1)].mean()
    for reach in np.linspace(0.6, 1.8, 13) * radius:
        near = (away > reach - 0.75) & (away <= reach + 0.75)
        if near.any() and dark[near].mean() < 0.2 * middle:
            return reach
    return 1.8 * radius


def warp(
    log_ratio: np.ndarray,
    centre: np.ndarray,
    matrix: np.ndarray,
    to: np.ndarray,
    origin: np.ndarray,
    size: tuple[int, int],
) -> np.ndarray:
    """Lay a patch of log-ratios on a portrait's pixels.

    log_ratio    (h, w, 3), zero towards its rim
    centre       (2,) px of the patch that lands on `to`, px of the portrait
    matrix       (2, 2) px of the portrait over px of the patch
    origin       (2,) the portrait's pixel at the result's (0, 0)
    size         (height, width) of the result
    ->           (height, width, 3) float32; light is averaged over each pixel's area
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
    laid = cv2.remap(
        light,
        map_x,
        map_y,
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(1, 1, 1),
    )
    if fine > 1:
        laid = cv2.resize(laid, (width, height), interpolation=cv2.INTER_AREA)
    return np.log(np.maximum(laid, 1e-3))


def already_there(
    wanted: np.ndarray, shown: np.ndarray, weight: np.ndarray, reach: int
) -> tuple[float, np.ndarray]:
    """How much of a mark a portrait already shows, and where.

    wanted    (h, w, 3) log-ratio that we would lay
    shown     (h + 2 reach, w + 2 reach, 3) log-ratio of the portrait itself around there
    weight    (h, w) 0..1, the mark's own area
    ->        share 0..1 (0 when nothing like it is there), (2,) px by which it lies off
    """
    # One number a pixel along the mark's own colour: noise of other colours has no say.
    colour = (wanted * weight[..., None]).sum((0, 1))
    colour /= max(float(np.linalg.norm(colour)), 1e-6)
    template = ((wanted @ colour) * weight).astype(np.float32)
    energy = float((template**2).sum())
    if energy < 1e-6:
        return 0.0, np.zeros(2)
    field = (shown @ colour).astype(np.float32)
    found = cv2.matchTemplate(field, template, cv2.TM_CCOEFF_NORMED)
    _, likeness, _, (x, y) = cv2.minMaxLoc(found)
    if likeness < SAME_MARK_CORRELATION:
        return 0.0, np.zeros(2)
    height, width = template.shape
    there = field[y : y + height, x : x + width]
    share = float((there * template).sum()) / energy
    # Skin that is lively all around has something like a faint mark everywhere.
    around = cv2.matchTemplate(field, template, cv2.TM_CCOEFF)
    usual = 1.4826 * float(np.median(np.abs(around - np.median(around))))
    alone = float(around[y, x] - np.median(around)) > STANDS_OUT * usual
    if share < LEAST_SHOWN or not alone:
        return 0.0, np.zeros(2)
    return float(np.clip(share, 0, 1)), np.array([x - reach, y - reach], np.float64)
