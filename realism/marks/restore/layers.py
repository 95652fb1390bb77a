"""Marks as layers over a portrait's pixels: what `restore.blend` mixes in under the sliders.

A round mark is measured in every photo that shows it well, warped to its place, and averaged: two
photos have half the noise. Its reach is a circle both in the photo and in the portrait, so that
skin seen edge-on brings no hair or backdrop along. What the portrait shows already is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from realism.faces.skin import LEAST_SKIN
from realism.images import GREY
from realism.marks.mark import Mark
from realism.marks.photo import PhotoAnalysis
from realism.marks.restore.paste import outline_round, outline_wrinkle, warp_pixels
from realism.marks.restore.placement import Placement
from realism.marks.restore.quotient import REACH, distances_from, mask_out_marks
from realism.marks.restore.shown import measure_shown
from realism.marks.restore.views import (
    average_views,
    lay_sheen,
    measure_views,
    median_radius,
    sheen,
)
from realism.marks.restore.wrinkle import (
    REACH_MM,
    bandpass_across,
    even_parameters,
    interpolate_polyline,
    measure_wrinkle,
    polyline_normals,
    relight,
    render_wrinkle,
    subtract_shown,
)

LARGEST_SCALE = 8  # px of the portrait over px of the photo; a map beyond has exploded

Box = tuple[np.ndarray, tuple[int, int]]  # (2,) int px of the portrait at (0, 0); (height, width)


@dataclass(frozen=True, eq=False)
class Layer:
    """One mark over the portrait's pixels, of either method.

    Attributes
    ----------
    placement : int
        Index among the placements.
    mark : RoundMark or Wrinkle
        In px of its photo.
    origin : (2,) int
        The portrait's pixel at the layer's (0, 0).
    falloff : (h, w) float32
        0 in the middle, 1 where the mark ends.
    skin : (h, w) float32, 0..1
        The portrait's.
    """

    placement: int
    mark: Mark
    origin: np.ndarray
    falloff: np.ndarray
    skin: np.ndarray

    @property
    def area(self) -> tuple[slice, slice]:
        """Rows and columns of the portrait that it covers."""
        x, y = self.origin
        height, width = self.falloff.shape
        return np.s_[y : y + height, x : x + width]


@dataclass(frozen=True, eq=False)
class RatioLayer(Layer):
    """A mark as a ratio, by which the portrait's own light is multiplied.

    Attributes
    ----------
    log_ratio : (h, w, 3) float32
    bare_log_light : (3,) float
        Log-light of the photo's bare skin, as `images.log_light` has it.
    """

    log_ratio: np.ndarray
    bare_log_light: np.ndarray


@dataclass(frozen=True, eq=False)
class PasteLayer(Layer):
    """A mark as a cut-out of its photo.

    Attributes
    ----------
    pixels : (h, w, 3) uint8 sRGB
    beside : (h, w) bool
        Skin beside the mark.
    """

    pixels: np.ndarray
    beside: np.ndarray


def build_round_layer(
    index: int,
    placement: Placement,
    photos: Mapping[str, tuple[PhotoAnalysis, list[Mark]]],
    portrait: PhotoAnalysis,
) -> RatioLayer | None:
    """A round mark's log-ratio on the portrait, less what the portrait shows of it already.

    Parameters
    ----------
    index : int
        Of the placement.
    placement : Placement
    photos : mapping of str to (PhotoAnalysis, list of Mark)
        By name: each photo and its marks.
    portrait : PhotoAnalysis

    Returns
    -------
    RatioLayer or None
        None where no photo has enough clean skin around the mark.
    """
    measured = measure_views(placement.views, photos)
    if not measured:
        return None
    to = placement.to.astype(np.float64)
    radius = median_radius(measured)
    reach = REACH * radius
    box = _box_around(to[None], reach + 1, portrait.skin.shape)
    if box is None:
        return None
    bare = measured[0].patch.bare_log_light
    shine = sheen(placement.facing)
    laid = lay_sheen(average_views(measured, to, reach, *box), shine)
    share, shift = measure_shown(
        laid, box[0], portrait.log_light, portrait.paintable, to, radius, portrait.mm_per_px
    )
    if share > 0:
        # It stays where the portrait has it; only what is missing is added there.
        moved = _box_around((to + shift)[None], reach + 1, portrait.skin.shape)
        if moved is None:
            return None
        to, box = to + shift, moved
        laid = lay_sheen(average_views(measured, to, reach, *box), shine) * (1 - share)
    falloff = distances_from(to - box[0], box[1]) / reach
    return RatioLayer(
        index,
        placement.mark,
        box[0],
        falloff.astype(np.float32),
        _crop(portrait.paintable, box),
        laid.astype(np.float32),
        bare,
    )


def build_wrinkle_layer(
    index: int,
    placement: Placement,
    photo: PhotoAnalysis,
    marks: list[Mark],
    portrait: PhotoAnalysis,
) -> RatioLayer | None:
    """A wrinkle's profile along its course in the portrait, less the portrait's own.

    Parameters: see `build_round_layer`.

    Returns
    -------
    RatioLayer or None
        None where no skin is on either side of the line.
    """
    polyline = placement.mark.points
    half = int(np.ceil(max(REACH_MM / photo.mm_per_px, 3 * placement.mark.radius, 3)))
    # A mole on a fold is none of it.
    round_marks = [mark for mark in marks if not mark.is_traced]
    bare = photo.paintable * mask_out_marks(photo.paintable, round_marks)
    measured = measure_wrinkle(photo.log_light, bare, polyline, half)
    if not measured.profile.any():
        return None
    measured = relight(measured, placement.depth_left, placement.shading_factor)
    at = even_parameters(polyline)
    course = interpolate_polyline(placement.polyline.astype(np.float64), at)
    normals, normals_there = polyline_normals(measured.polyline), polyline_normals(course)
    widths = np.abs(np.einsum("ni,ij,nj->n", normals_there, placement.view.clamped_matrix, normals))
    box = _box_around(course, half * float(widths.max()) + 1, portrait.skin.shape)
    if box is None:
        return None
    vertices = np.arange(len(placement.polyline))
    visibility = np.interp(at, vertices, placement.polyline_visible.astype(np.float64))
    widths = np.maximum(widths, 0.2)
    # What the portrait shows of it, at the same place: lines do not stand out enough to search.
    shown = bandpass_across(portrait.log_light @ GREY, portrait.paintable, course, widths, half)
    missing = subtract_shown(measured, shown)
    laid, falloff = render_wrinkle(missing, course, widths, visibility, *box)
    sample = photo.log_light.reshape(-1, 3)[:: max(1, photo.log_light.size // 30000)]
    return RatioLayer(
        index,
        placement.mark,
        box[0],
        falloff.astype(np.float32),
        _crop(portrait.paintable, box),
        (laid[..., None] * measured.tint).astype(np.float32),
        np.median(sample, 0),
    )


def build_paste_layer(
    index: int, placement: Placement, photo: PhotoAnalysis, portrait: PhotoAnalysis
) -> PasteLayer | None:
    """The original entry's cut-out of the photo on the portrait.

    Parameters: see `build_round_layer`.

    Returns
    -------
    PasteLayer or None
        None where the map from photo to portrait cannot be trusted.
    """
    matrix, mark = placement.matrix.astype(np.float64), placement.mark
    to = placement.to.astype(np.float64)
    points = placement.polyline.astype(np.float64) if mark.is_traced else to[None]
    if mark.is_traced:
        # One map has to do for the whole line: the local one, drawn to where the line goes.
        off, off_there = mark.points - mark.xy, points - placement.to
        firm = 4.0 * len(off)  # px²: as much as points 2 px off the middle
        matrix = (off_there.T @ off + firm * matrix) @ np.linalg.inv(off.T @ off + firm * np.eye(2))
    scale = float(np.linalg.norm(matrix, 2))
    if not np.isfinite(scale) or scale > LARGEST_SCALE:
        return None  # three landmarks nearly in a row: the original's map explodes
    near_reach = max(2.0 * mark.radius * scale, 2.5)
    box = _box_around(points, 2 * near_reach + 2, portrait.paintable.shape)
    if box is None:
        return None
    origin, size = box
    skin = _crop(portrait.paintable, box)
    patch = warp_pixels(photo.pixels, matrix, mark.xy.astype(np.float64), to, origin, size)
    if mark.is_traced:
        drawn = np.ones(size, np.uint8)
        course = np.round(points - origin).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(drawn, [course], False, 0, 1)
        away = cv2.distanceTransform(drawn, cv2.DIST_L2, 5)
        mask = outline_wrinkle(patch, away <= near_reach)
    else:
        away = distances_from(to - origin, size)
        mask = outline_round(patch, to - origin, away <= near_reach)
    # 0.75 is the outline; beyond it a soft edge runs out within 3 px.
    outside = cv2.distanceTransform((mask == 0).astype(np.uint8), cv2.DIST_L2, 3)
    falloff = np.where(mask > 0, 0.0, 0.75 + outside / 12).astype(np.float32)
    return PasteLayer(
        index, mark, origin, falloff, skin, patch, (away > near_reach) & (skin > LEAST_SKIN)
    )


def _box_around(points: np.ndarray, reach: float, shape: tuple[int, ...]) -> Box | None:
    """The part of a picture (H, W) within `reach` px of points (n, 2); None where it is empty."""
    low = np.maximum(np.floor(points.min(0) - reach), 0).astype(int)
    high = np.minimum(np.ceil(points.max(0) + reach) + 1, [shape[1], shape[0]]).astype(int)
    if (high <= low).any():
        return None
    return low, (int(high[1] - low[1]), int(high[0] - low[0]))


def _crop(image: np.ndarray, box: Box) -> np.ndarray:
    (x, y), (height, width) = box
    return image[y : y + height, x : x + width]
