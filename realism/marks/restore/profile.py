"""A round mark's shape in one photo, fitted together with the skin that it lies on.

A small mark is half noise: its ratio to bare skin holds that skin's grain, and the portrait has a
grain of its own. So it is described by few numbers, fitted at once to all pixels of it and around
it: a disc with a soft edge, seen aslant as an ellipse, that takes its share of each colour from a
curved surface of skin. What a large mark has beyond that is kept as far as it exceeds the grain
of the skin beside it.

Fit: variable projection, Golub and Pereyra, SIAM J. Numer. Anal. 1973. Share kept: Lee, "Digital
image enhancement and noise filtering by use of local statistics", PAMI 1980.
"""

from typing import NamedTuple

import cv2
import numpy as np

from realism.images import GREY
from realism.marks.restore.quotient import PRIOR, distances_from

SIZES = np.array([0.55, 0.7, 0.85, 1.0, 1.2, 1.45])  # of the radius that the mark has
SOFTNESSES = np.array([0.12, 0.25, 0.45])  # of its radius: how far its edge runs out
USUAL_SIZE = 0.3  # log units by which the radius is off
UNUSUAL = 0.02  # share of the misfit that another size costs
STEPS = 3  # of reweighting
STIFF = 0.07  # log units against `PRIOR`: how far a curve of the skin is believed
LEAST_SPREAD = 0.01  # log units of noise that skin has at least
OUTLYING = 4.0  # spreads from which a pixel counts for nothing
ROUNDEST, LONGEST = 2.5, 2.5  # px of radius from which a shape is told; axes, long over round
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
    terms, across = _terms(near.shape), np.eye(2)
    weights = near
    for step in range(STEPS):
        distance = _slanted_distance(centre, near.shape, across) / radius
        fit = _fit_disc(patch, terms, weights, distance)
        rest = patch - terms @ fit.surface - _disc(distance, fit)[..., None] * fit.depth
        weights = near * _agreement(rest, near, away < 1.3 * radius)
        if step < STEPS - 1:
            across = _slant(patch - terms @ fit.surface, fit.depth, centre, away, radius)
    ratio = _disc(distance, fit)[..., None] * fit.depth
    beside = (away > 1.9 * radius + 1) & (away < 3.2 * radius + 4) & (weight > 0.5)
    return ratio + _detail(rest, distance / fit.size, beside, fit.depth, radius)


def _terms(shape: tuple[int, int]) -> np.ndarray:
    """1, u, v, u², uv, v² of every pixel, (h, w, 6), u and v in halves of the patch."""
    height, width = shape
    ys, xs = np.mgrid[:height, :width]
    u, v = (xs - width // 2) / (width / 2), (ys - height // 2) / (height / 2)
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], -1)


def _slanted_distance(centre: np.ndarray, shape: tuple[int, int], across: np.ndarray) -> np.ndarray:
    """Distance (h, w) px from the mark's middle in the metric of its ellipse."""
    ys, xs = np.mgrid[: shape[0], : shape[1]]
    off = np.stack([xs - centre[0], ys - centre[1]], -1)
    return np.sqrt(np.einsum("...i,ij,...j", off, across, off))


def _disc(distance: np.ndarray, fit: Fit) -> np.ndarray:
    """The soft disc, 0..1, at distances in radii of the mark."""
    return _soft_discs(distance, np.array([fit.size]), np.array([fit.softness]))[..., 0]


def _soft_discs(distance: np.ndarray, sizes: np.ndarray, softnesses: np.ndarray) -> np.ndarray:
    """Discs (..., n) of n sizes and softnesses."""
    past = (distance[..., None] / sizes - 1) / softnesses
    return 1 / (1 + np.exp(np.clip(past, -30, 30)))


def _fit_disc(
    patch: np.ndarray, terms: np.ndarray, weights: np.ndarray, distance: np.ndarray
) -> Fit:
    """The disc of the size and softness that leaves least, and the skin under it."""
    use = weights > 0.02
    skin, light, weight = terms[use], patch[use].astype(np.float64), weights[use]
    sizes, softnesses = (values.ravel() for values in np.meshgrid(SIZES, SOFTNESSES))
    discs = _soft_discs(distance[use], sizes, softnesses)
    grey = light @ GREY
    # Without its surface of skin, which is solved for along with it, a disc is one number.
    precision = skin.T @ (skin * weight[:, None]) + np.diag((STIFF / PRIOR) ** 2)
    weighted = weight[:, None] * np.column_stack([discs, grey])
    on_skin = np.linalg.solve(precision, skin.T @ weighted)
    lean = np.column_stack([discs, grey]) - skin @ on_skin
    power = (weighted[:, :-1] * lean[:, :-1]).sum(0) + 1e-3
    shared = (weighted[:, :-1] * lean[:, -1:]).sum(0)
    misfit = (weighted[:, -1] * lean[:, -1]).sum() - shared**2 / power
    misfit = misfit * (1 + UNUSUAL * (np.log(sizes) / USUAL_SIZE) ** 2)
    best = int(misfit.argmin())
    depth = (weighted[:, best] @ (light - skin @ _solved(precision, skin, weight, light))) / power[
        best
    ]
    surface = _solved(precision, skin, weight, light - discs[:, best : best + 1] * depth)
    return Fit(float(sizes[best]), float(softnesses[best]), surface, depth)


def _solved(
    precision: np.ndarray, skin: np.ndarray, weight: np.ndarray, light: np.ndarray
) -> np.ndarray:
    """Coefficients (6, 3) of the surface through light (n, 3)."""
    return np.linalg.solve(precision, skin.T @ (weight[:, None] * light))


def _agreement(rest: np.ndarray, near: np.ndarray, under: np.ndarray) -> np.ndarray:
    """Tukey's biweight of what is left over, (h, w) 0..1; at least a half `under` the mark."""
    off = np.linalg.norm(rest, axis=2)
    usual = off[near > 0.3]
    spread = max(1.4826 * float(np.median(usual)) if usual.size else 0.0, LEAST_SPREAD)
    weight = np.clip(1 - (off / (OUTLYING * spread)) ** 2, 0, None) ** 2
    return np.where(under, np.maximum(weight, 0.5), weight)


def _slant(
    ratio: np.ndarray, depth: np.ndarray, centre: np.ndarray, away: np.ndarray, radius: float
) -> np.ndarray:
    """The metric (2, 2) in which a mark is round, from the second moments of its darkness.

    Of a mark of a few pixels they say little: it is drawn towards a circle.
    """
    tone = float(depth @ GREY)
    dark = np.clip((ratio @ GREY) * (np.sign(tone) or -1), 0, None)
    dark = dark * (away < 1.7 * radius) * np.exp(-((away / (1.6 * radius)) ** 2))
    if dark.sum() <= 0:
        return np.eye(2)
    ys, xs = np.mgrid[: away.shape[0], : away.shape[1]]
    off = np.stack([xs - centre[0], ys - centre[1]], -1)
    moments = np.einsum("hw,hwi,hwj", dark, off, off) / dark.sum()
    told = 0.8 * min(1.0, radius / ROUNDEST)
    moments = told * moments + (1 - told) * np.trace(moments) / 2 * np.eye(2)
    squares, axes = np.linalg.eigh(moments / np.sqrt(np.linalg.det(moments)))
    return (axes / np.clip(squares, 1 / LONGEST, LONGEST)) @ axes.T


def _detail(
    rest: np.ndarray, distance: np.ndarray, beside: np.ndarray, depth: np.ndarray, radius: float
) -> np.ndarray:
    """What a mark has beyond its disc, (h, w, 3): its shape, lobes, a darker middle.

    rest        (h, w, 3)    what disc and skin leave
    distance    (h, w)       in radii of the disc
    beside      (h, w) bool  skin, to tell its grain
    """
    smooth = cv2.GaussianBlur(rest @ GREY, (0, 0), DETAIL)
    core, few = distance < 1.2, 12
    kept = float(np.clip((radius - DETAILED[0]) / (DETAILED[1] - DETAILED[0]), 0, 1))
    if not kept or core.sum() < few or beside.sum() < few:
        return np.zeros_like(rest)
    grain = 2.2 * float(np.median(np.abs(smooth[beside]))) ** 2
    kept *= max(1 - grain / max(float((smooth[core] ** 2).mean()), 1e-9), 0)
    tone = float(depth @ GREY)
    colour = np.clip(depth / tone, 0.4, 1.6) if abs(tone) > LEAST_COLOUR else np.ones(3)
    fading = np.clip(2 - distance, 0, 1)
    return kept * (smooth * fading)[..., None] * colour
