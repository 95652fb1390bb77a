"""A round mark's shape in one photo, fitted together with the skin that it lies on.

A small mark is half noise: its ratio to bare skin holds that skin's grain, and the portrait has a
grain of its own. So it is described by few numbers, fitted at once to all pixels of it and around
it: a disc with a soft edge, seen aslant as an ellipse, that takes its share of each colour from a
curved surface of skin. Nobody, finder or person, says its middle to the px: it is fitted as well.
What a large mark has beyond that is kept as far as it exceeds the grain of the skin beside it.

Fit: variable projection, Golub and Pereyra, SIAM J. Numer. Anal. 1973. Share kept: Lee, "Digital
image enhancement and noise filtering by use of local statistics", PAMI 1980.
"""

from typing import NamedTuple

import cv2
import numpy as np

from realism.images import GREY
from realism.marks.restore.quotient import LEAST_RING, LEAST_SPREAD, PRIOR, distances_from

SIZES = np.array([0.55, 0.7, 0.85, 1.0, 1.2, 1.45])  # of the radius that the mark has
SOFTNESSES = np.array([0.12, 0.25, 0.45])  # of its radius: how far its edge runs out
USUAL_SIZE = 0.3  # log units by which the radius is off
UNUSUAL = 0.02  # share of the misfit that another size costs
# px, and logarithms of the axes' ratio: its place is moved by no more in each step but the last.
TRIED = np.array([0.5, 0.5, 0.4, 0.4])
LONGEST = 0.9  # logarithm of the axes' ratio
STEPS = 3  # of reweighting
STIFF = 0.07  # log units against `PRIOR`: how far a curve of the skin is believed
OUTLYING = 4.0  # spreads from which a pixel counts for nothing
DETAILED = 2.0, 5.0  # px of radius: from there on details are kept, from there all that stand out
DETAIL = 0.6  # px: finer is grain
LEAST_COLOUR = 0.03  # log units of depth that tell the colour


class Fit(NamedTuple):
    """A soft disc on a curved surface, in log-light.

    Attributes
    ----------
    size, softness : float
        Of the mark's radius.
    surface : (6, 3) float64
        Of bare skin: coefficients of 1, u, v, u², uv, v².
    depth : (3,) float64
        What the disc adds in its middle, below 0 where it darkens.
    """

    size: float
    softness: float
    surface: np.ndarray
    depth: np.ndarray


def fit_profile(
    patch: np.ndarray, weight: np.ndarray, centre: np.ndarray, radius: float
) -> np.ndarray:
    """The log-ratio of a round mark to its bare skin, without the skin's grain.

    Parameters
    ----------
    patch : (h, w, 3) float32
        Log-light, the mark's middle near its own.
    weight : (h, w), 0..1
        Skin without other marks.
    centre : (2,) px
        The mark's middle.
    radius : float, px
        Roughly.

    Returns
    -------
    (h, w, 3) float64
    """
    away = distances_from(centre, patch.shape)
    # Under the mark all counts: so dark a place may be no skin to the mask.
    near = weight * np.exp(-np.maximum(away - 2 * radius - 2, 0) / (radius + 2))
    near = np.where(away < 1.2 * radius, np.maximum(near, 1), near)
    terms, weights = _terms(near.shape), near
    place = np.array([*centre, 0.0, 0.0])
    for step in range(STEPS):
        distance = _slanted_distance(place, near.shape) / radius
        skin = _Skin(terms, weights)
        fit = _fit_disc(patch, skin, distance)
        rest = patch - terms @ fit.surface - _disc(distance, fit)[..., None] * fit.depth
        weights = near * _agreement(rest, near, away < 1.3 * radius)
        if step < STEPS - 1:
            place = _nearer(patch @ GREY, skin, fit, place, radius)
    ratio = _disc(distance, fit)[..., None] * fit.depth
    beside = (away > 1.9 * radius + 1) & (away < 3.2 * radius + 4) & (weight > 0.5)
    return ratio + _detail(rest, distance / fit.size, beside, fit.depth, radius)


def _terms(shape: tuple[int, int]) -> np.ndarray:
    """1, u, v, u², uv, v² of every pixel, (h, w, 6), u and v in halves of the patch."""
    height, width = shape
    ys, xs = np.mgrid[:height, :width]
    u, v = (xs - width // 2) / (width / 2), (ys - height // 2) / (height / 2)
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], -1)


def _slanted_distance(place: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Distance (h, w) px from a mark's middle in the metric of its ellipse.

    place    (4,) x and y of the middle, px, and how far the ellipse is drawn out along x (below 0
             along y) and along the diagonal: logarithms of its axes' ratio
    """
    ys, xs = np.mgrid[: shape[0], : shape[1]]
    x, y = xs - place[0], ys - place[1]
    long = float(np.hypot(place[2], place[3]))
    grow, turn = np.cosh(long), np.sinh(long) / max(long, 1e-9)
    squared = grow * (x * x + y * y) - turn * (place[2] * (x * x - y * y) + place[3] * 2 * x * y)
    return np.sqrt(np.maximum(squared, 0))


def _disc(distance: np.ndarray, fit: Fit) -> np.ndarray:
    """The soft disc, 0..1, at distances in radii of the mark."""
    return _soft_discs(distance, np.array([fit.size]), np.array([fit.softness]))[..., 0]


def _soft_discs(distance: np.ndarray, sizes: np.ndarray, softnesses: np.ndarray) -> np.ndarray:
    """Discs (..., n) of n sizes and softnesses."""
    past = (distance[..., None] / sizes - 1) / softnesses
    return 1 / (1 + np.exp(np.clip(past, -30, 30)))


class _Skin:
    """The curved surface of skin that is solved for along with whatever lies on it."""

    def __init__(self, terms: np.ndarray, weights: np.ndarray):
        self.use = weights > 0.02
        self.terms, self.weight = terms[self.use], weights[self.use][:, None]
        self.precision = self.terms.T @ (self.terms * self.weight) + np.diag((STIFF / PRIOR) ** 2)

    def surface(self, light: np.ndarray) -> np.ndarray:
        """Coefficients (6, c) of the surface through light (n, c) of the pixels in use."""
        return np.linalg.solve(self.precision, self.terms.T @ (self.weight * light))

    def explained(self, discs: np.ndarray, light: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How much of light's misfit each of `discs` (n, m) takes off, and its depth.

        light    (n, c)

        Returns (m, c) both.
        """
        lean = discs - self.terms @ self.surface(discs)
        weighted = self.weight * lean
        power = (weighted * discs).sum(0)[:, None] + 1e-3
        shared = weighted.T @ light
        return shared**2 / power, shared / power


def _fit_disc(patch: np.ndarray, skin: _Skin, distance: np.ndarray) -> Fit:
    """The disc of the size and softness that leaves least, and the skin under it."""
    light = patch[skin.use].astype(np.float64)
    sizes, softnesses = (values.ravel() for values in np.meshgrid(SIZES, SOFTNESSES))
    discs = _soft_discs(distance[skin.use], sizes, softnesses)
    grey = light @ GREY[:, None]
    bare = grey - skin.terms @ skin.surface(grey)
    misfit = float((skin.weight * grey * bare).sum()) - skin.explained(discs, grey)[0][:, 0]
    best = int((misfit * (1 + UNUSUAL * (np.log(sizes) / USUAL_SIZE) ** 2)).argmin())
    disc = discs[:, best : best + 1]
    depth = skin.explained(disc, light)[1][0]
    return Fit(
        float(sizes[best]), float(softnesses[best]), skin.surface(light - disc * depth), depth
    )


def _nearer(
    grey: np.ndarray, skin: _Skin, fit: Fit, place: np.ndarray, radius: float
) -> np.ndarray:
    """A mark's place moved to where it explains more: the top of a parabola on each axis."""
    beside = [place, *(place + side * step for step in np.diag(TRIED) for side in (1, -1))]
    discs = [_disc(_slanted_distance(at, grey.shape) / radius, fit) for at in beside]
    light = grey[skin.use][:, None].astype(np.float64)
    explained = skin.explained(np.stack([disc[skin.use] for disc in discs], 1), light)[0][:, 0]
    here, ahead, behind = explained[0], explained[1::2], explained[2::2]
    bend = 2 * here - ahead - behind
    top = np.where(bend > 0, (ahead - behind) / (2 * np.maximum(bend, 1e-9)), ahead - behind)
    moved = place + TRIED * np.clip(top, -1, 1)
    moved[2:] = np.clip(moved[2:], -LONGEST, LONGEST)
    return moved


def _agreement(rest: np.ndarray, near: np.ndarray, under: np.ndarray) -> np.ndarray:
    """Tukey's biweight of what is left over, (h, w) 0..1; at least a half `under` the mark."""
    off = np.linalg.norm(rest, axis=2)
    usual = off[near > 0.3]
    spread = max(1.4826 * float(np.median(usual)) if usual.size else 0.0, LEAST_SPREAD)
    weight = np.clip(1 - (off / (OUTLYING * spread)) ** 2, 0, None) ** 2
    return np.where(under, np.maximum(weight, 0.5), weight)


def _detail(
    rest: np.ndarray, distance: np.ndarray, beside: np.ndarray, depth: np.ndarray, radius: float
) -> np.ndarray:
    """What a mark has beyond its disc, (h, w, 3): its shape, lobes, a darker middle.

    rest        (h, w, 3)    what disc and skin leave
    distance    (h, w)       in radii of the disc
    beside      (h, w) bool  skin, to tell its grain
    """
    smooth = cv2.GaussianBlur(rest @ GREY, (0, 0), DETAIL)
    core = distance < 1.2
    kept = float(np.clip((radius - DETAILED[0]) / (DETAILED[1] - DETAILED[0]), 0, 1))
    if not kept or min(core.sum(), beside.sum()) < LEAST_RING:
        return np.zeros_like(rest)
    grain = 2.2 * float(np.median(np.abs(smooth[beside]))) ** 2
    kept *= max(1 - grain / max(float((smooth[core] ** 2).mean()), 1e-9), 0)
    tone = float(depth @ GREY)
    colour = np.clip(depth / tone, 0.4, 1.6) if abs(tone) > LEAST_COLOUR else np.ones(3)
    fading = np.clip(2 - distance, 0, 1)
    return kept * (smooth * fading)[..., None] * colour
