"""A round mark measured in every photo that shows it, and laid as the mean of what they say.

Pigment is the same in all photos; what light, folds and hair do to its measure is not. So each
view weighs by how well it shows the mark and by how sure the bare skin around it is, a view that
disagrees with the rest loses its weight, and what all of them together leave in doubt is laid
weaker, never left out for want of skin.

Two things change from view to view as optics has them. Skin seen from the side shines: light that
never entered it veils the pigment (`sheen`). And a picture has its own blur, which does not shrink
with the mark when that is seen foreshortened (`reblurred`).

Shine: Schlick, "An inexpensive BRDF model for physically-based rendering", 1994.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from realism.marks.mark import Mark
from realism.marks.photo import PhotoAnalysis
from realism.marks.restore.falloff import fade_out
from realism.marks.restore.mark_view import MarkView
from realism.marks.restore.pigment import clip_to_pigment
from realism.marks.restore.profile import fit_profile
from realism.marks.restore.quotient import (
    NEVER_FADING,
    REACH,
    QuotientPatch,
    crop_square,
    distances_from,
    fading_radius,
    is_on_shading_edge,
    mask_out_marks,
    measure_quotient,
    warp_log_ratio,
)

FADE_FROM = 0.7  # of its reach, from where a mark fades out as it is laid
TYPICAL_DEPTH = 1.0  # log units: doubt well below it is little
MODEL_DOUBT = 4.0  # times what the fit says: skin is no quadratic surface
FADING_DOUBT = 0.4  # log units more, where its darkness does not end beside a mark
EDGE_DOUBT = 0.6  # log units more, where one side of a mark is darker than itself
GRAIN = 0.15  # log units by which views of one mark differ anyhow
DISAGREES = 3.0  # deviations of the views from which one counts for nothing
SHEEN = 0.8  # light reflected over light from within, at a grazing view
SHEEN_POWER = 3  # of 1 - cosine, by which it grows towards that
DARKEST_LIFTED = 0.07  # of the skin's light: what a mark is that is all veil
PICTURE_BLUR = 0.5  # px, sigma: of a lens, a sensor and a file


@dataclass(frozen=True, eq=False)
class MeasuredView:
    """A round mark measured in one photo.

    Attributes
    ----------
    view : MarkView
    patch : QuotientPatch
        Without the photo's shine, fading to nothing where the mark ends.
    doubt : float, log units
        Standard deviation of its depth.
    """

    view: MarkView
    patch: QuotientPatch
    doubt: float

    @property
    def weight(self) -> float:
        """How much it says of the mark."""
        return self.view.quality / (GRAIN**2 + self.doubt**2)


def measure_views(
    views: Sequence[MarkView], photos: Mapping[str, tuple[PhotoAnalysis, list[Mark]]]
) -> list[MeasuredView]:
    """The views of a mark in which skin can be seen beside it.

    Parameters
    ----------
    views : sequence of MarkView
    photos : mapping of str to (PhotoAnalysis, list of Mark)
        By name: each photo and its marks.
    """
    measured = [_measure_view(view, *photos[view.photo]) for view in views]
    return [view for view in measured if np.isfinite(view.doubt)]


def _measure_view(view: MarkView, photo: PhotoAnalysis, marks: list[Mark]) -> MeasuredView:
    mark = view.mark
    clean = mask_out_marks(photo.skin, marks, mark)
    patch = measure_quotient(photo.log_light, clean, mark.xy, mark.radius, mark.kind)
    doubt = MODEL_DOUBT * patch.doubt
    # A pimple's head may be paler than the skin beside it, and its halo is wide.
    if mark.kind != "acne":
        if is_on_shading_edge(patch, mark.radius):
            doubt = float(np.hypot(doubt, EDGE_DOUBT))
        if patch.radius >= NEVER_FADING * mark.radius:
            doubt = float(np.hypot(doubt, FADING_DOUBT))
    patch = _without_grain(patch, photo.log_light, clean, mark)
    falloff = distances_from(patch.centre, patch.log_ratio.shape) / (REACH * patch.radius)
    ratio = lift_sheen(clip_to_pigment(patch, mark.kind), sheen(view.facing))
    # What is not skin in the photo (backdrop, hair, lips) must not come along.
    x, y = np.round(mark.xy).astype(int)
    skin = crop_square(photo.paintable, x, y, len(ratio) // 2, edge=0)
    on_skin = np.maximum(skin, falloff * REACH < 0.7)
    ratio = ratio * (fade_out(falloff, FADE_FROM) * on_skin)[..., None]
    return MeasuredView(view, patch._replace(log_ratio=ratio.astype(np.float32)), doubt)


def _without_grain(
    patch: QuotientPatch, log_light: np.ndarray, clean: np.ndarray, mark: Mark
) -> QuotientPatch:
    """A measured mark without the grain of the skin that it lies on, of `fit_profile`."""
    x, y = np.round(mark.xy).astype(int)
    half = len(patch.log_ratio) // 2
    light, skin = crop_square(log_light, x, y, half), crop_square(clean, x, y, half, edge=0)
    ratio = fit_profile(light, skin, patch.centre, mark.radius)
    away = distances_from(patch.centre, ratio.shape)
    return patch._replace(log_ratio=ratio, radius=float(fading_radius(ratio, away, mark.radius)))


def median_radius(measured: Sequence[MeasuredView]) -> float:
    """The mark's radius in the portrait by most of its views, px."""
    radii = np.array([seen.patch.radius * seen.view.scale for seen in measured])
    return float(radii[_weighted_median(radii, np.array([seen.weight for seen in measured]))])


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> int:
    """Index of the value that halves the weights."""
    order = np.argsort(values)
    half = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)
    return int(order[min(half, len(order) - 1)])


def average_views(
    measured: Sequence[MeasuredView],
    to: np.ndarray,
    reach: float,
    origin: np.ndarray,
    size: tuple[int, int],
) -> np.ndarray:
    """The mark of all its views on a part of the portrait, without the portrait's shine.

    Parameters
    ----------
    measured : sequence of MeasuredView
    to : (2,) px of the portrait
        Where its middle goes.
    reach : float, px
        Where it has faded to nothing.
    origin : (2,) int
        The portrait's pixel at the result's (0, 0).
    size : (height, width) of the result

    Returns
    -------
    (height, width, 3) float32
        Log-ratio.
    """
    laid = np.stack([_laid(seen, to, origin, size) for seen in measured])
    falloff = distances_from(to - origin, size) / reach
    weights, doubt = _agreeing(laid, falloff * REACH <= 0.7, measured)
    mean = np.tensordot(weights, laid, 1) * fade_out(falloff, FADE_FROM)[..., None]
    return (mean * TYPICAL_DEPTH**2 / (TYPICAL_DEPTH**2 + doubt**2)).astype(np.float32)


def _laid(
    seen: MeasuredView, to: np.ndarray, origin: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """One view on a part of the portrait."""
    matrix = seen.view.clamped_matrix
    warped = warp_log_ratio(seen.patch.log_ratio, seen.patch.centre, matrix, to, origin, size)
    return reblurred(warped, matrix)


def _agreeing(
    laid: np.ndarray, core: np.ndarray, measured: Sequence[MeasuredView]
) -> tuple[np.ndarray, float]:
    """Weights (n,) of the views, sum 1, less of those that disagree; and the mean's doubt."""
    weights = np.array([seen.weight for seen in measured])
    doubts = np.array([seen.doubt for seen in measured])
    if len(laid) > 2 and core.any():
        depths = laid[:, core].mean((1, 2))
        middle = depths[_weighted_median(depths, weights)]
        spread = np.hypot(doubts, GRAIN * (1 + abs(middle)))
        weights = weights * np.clip(1 - ((depths - middle) / (DISAGREES * spread)) ** 2, 0.01, 1)
    weights = weights / weights.sum()
    # Views of one place err alike: together they are as sure as the sure ones, and no surer.
    return weights, float((weights @ (doubts + 1e-3) ** -2.0) ** -0.5)


def sheen(facing: float) -> float:
    """Light that skin reflects over light that comes from within it.

    facing    cosine between the skin and the line of sight
    """
    return SHEEN * (1 - float(np.clip(facing, 0, 1))) ** SHEEN_POWER


def lift_sheen(log_ratio: np.ndarray, shine: float) -> np.ndarray:
    """A mark's log-ratio as it would be without shine."""
    ratio = np.exp(log_ratio) * (1 + shine) - shine
    return np.where(log_ratio < 0, np.log(np.maximum(ratio, DARKEST_LIFTED)), log_ratio)


def lay_sheen(log_ratio: np.ndarray, shine: float) -> np.ndarray:
    """A mark's log-ratio as it looks under shine."""
    return np.log((np.exp(log_ratio) + shine) / (1 + shine))


def reblurred(log_ratio: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """A mark as blurred as the portrait: what shrank on the way has lost blur with its size.

    Parameters
    ----------
    log_ratio : (h, w, 3) ndarray
        As it was warped.
    matrix : (2, 2)
        By which: px of the portrait over px of the photo.
    """
    missing = np.eye(2) - matrix @ matrix.T
    shares, axes = np.linalg.eigh(missing)
    covariance = PICTURE_BLUR**2 * (axes * np.clip(shares, 0.02, None)) @ axes.T
    if shares.max() < 0.05:
        return log_ratio
    ys, xs = np.mgrid[-3:4, -3:4]
    points = np.stack([xs, ys], -1)
    kernel = np.exp(-np.einsum("hwi,ij,hwj->hw", points, np.linalg.inv(covariance), points) / 2)
    light = cv2.filter2D(np.exp(log_ratio), -1, kernel / kernel.sum())
    return np.log(light)
