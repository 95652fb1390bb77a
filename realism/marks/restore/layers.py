"""Marks laid on a portrait's pixels: what `restore.blend` mixes in under the sliders.

A round mark is measured in every photo that shows it well, laid at its place, and averaged: two
photos have half the noise. Its reach is a circle both in the photo and in the portrait, so that
skin seen edge-on brings no hair or backdrop along. What the portrait shows already is left.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from realism.images import DARKEST
from realism.marks.mark import Mark
from realism.marks.photo import Ground
from realism.marks.restore import wrinkle as folds
from realism.marks.restore.paste import cut_out, lines_outline, outline
from realism.marks.restore.placement import Placement, View
from realism.marks.restore.quotient import (
    REACH,
    Relief,
    already_there,
    distance,
    measure,
    on_a_flank,
    pigment,
    warp,
    window,
    without,
)
from realism.marks.restore.wrinkle import FOLD_REACH

# How marks are measured and laid on by `method="ratio"`.
LEAST_TRUST = 0.3  # share of a mark's surroundings that must be clean skin
SEARCH_MM = 3.5  # mm: how far off the portrait's own mark may lie


@dataclass(frozen=True, eq=False)
class Patch:
    """One mark laid on the portrait's pixels, ready to blend.

    placement    index among the placements
    kind         of the mark
    origin       (2,) int, the portrait's pixel at the patch's (0, 0)
    log_ratio    (h, w, 3) float32, what to multiply the portrait's light by; of paste: None
    pixels       (h, w, 3) uint8, what to paste; of ratio: None
    beside       (h, w) bool, skin beside the mark; of ratio: None
    rim          (h, w) float32, 0 in the middle, 1 where the mark ends
    skin         (h, w) float32, the portrait's skin
    bare         (3,) linear light of the photo's skin around the mark
    """

    placement: int
    kind: str
    origin: np.ndarray
    log_ratio: np.ndarray | None
    pixels: np.ndarray | None
    beside: np.ndarray | None
    rim: np.ndarray
    skin: np.ndarray
    bare: np.ndarray

    @property
    def area(self) -> tuple[slice, slice]:
        """Rows and columns of the portrait that it covers."""
        x, y = self.origin
        height, width = self.rim.shape
        return np.s_[y : y + height, x : x + width]


def round_patch(
    index: int,
    spot: Placement,
    photos: dict[str, tuple[Ground, list[Mark]]],
    portrait: Ground,
) -> Patch | None:
    """A round mark's log-ratio on the portrait, less what the portrait shows of it already.

    photos    by name: each photo's Ground and its marks
    ->        None where no photo has enough clean skin around the mark
    """
    reliefs = [(view, _measured(view, *photos[view.photo])) for view in spot.views]
    reliefs = [(view, relief) for view, relief in reliefs if relief is not None]
    if not reliefs:
        return None
    to = spot.to.astype(np.float64)
    there = REACH * np.average(
        [relief.radius * view.size for view, relief in reliefs],
        weights=[view.worth for view, _ in reliefs],
    )
    box = _box(to[None], there + 1, portrait.skin.shape)
    if box is None:
        return None
    laid = _laid(reliefs, to, there, box)
    share, shift = _shown(laid, portrait, to, box, there / REACH)
    if share > 0:
        to = to + shift
        box = _box(to[None], there + 1, portrait.skin.shape)
        laid = _laid(reliefs, to, there, box) * (1 - share)
    origin, size = box
    best = reliefs[0][1]
    rim = distance(size, to - origin) / there
    return Patch(
        index, spot.mark.kind, origin, laid.astype(np.float32), None, None,
        rim.astype(np.float32), _part(portrait.wide, origin, size), best.bare,
    )  # fmt: skip


def _measured(view: View, photo: Ground, marks: list[Mark]) -> Relief | None:
    """The mark's relief in one photo, fading to nothing where the mark ends."""
    mark = view.mark
    relief = measure(photo.light, without(photo.skin, marks, mark), mark.xy, mark.radius)
    pale = mark.kind == "acne"  # a pimple's head may be paler than the skin beside it
    if relief.trust < LEAST_TRUST or (not pale and on_a_flank(relief, mark.radius)):
        return None
    away = distance(relief.log_ratio.shape, relief.centre) / (REACH * relief.radius)
    ratio = pigment(relief, mark.kind)
    # What is not skin in the photo (backdrop, hair, lips) must not come along.
    half, at = len(ratio) // 2, np.round(mark.xy).astype(int)
    on_skin = np.maximum(window(photo.wide, *at, half, edge=0), away * REACH < 0.7)
    return relief._replace(log_ratio=ratio * (fade(away, 0.7) * on_skin)[..., None])


def _laid(
    reliefs: list[tuple[View, Relief]],
    to: np.ndarray,
    there: float,
    box: tuple[np.ndarray, tuple[int, int]],
) -> np.ndarray:
    """The mark of all its views on the portrait's pixels, (h, w, 3) log-ratio."""
    laid = np.average(
        [warp(r.log_ratio, r.centre, view.tame_matrix, to, *box) for view, r in reliefs],
        axis=0,
        weights=[view.worth for view, _ in reliefs],
    )
    return laid * fade(distance(box[1], to - box[0]) / there, 0.7)[..., None]


def _shown(
    laid: np.ndarray,
    portrait: Ground,
    to: np.ndarray,
    box: tuple[np.ndarray, tuple[int, int]],
    radius: float,
) -> tuple[float, np.ndarray]:
    """How much of a laid mark the portrait shows already, near its place: share, shift px."""
    search = int(np.ceil(max(SEARCH_MM / portrait.mm, 2)))
    half = max(box[1]) // 2 + search + 2
    x, y = round(to[0]), round(to[1])
    skin = (portrait.wide > 0.5).astype(np.float32)
    around = measure(portrait.light, skin, to, max(radius, 1.0))
    shown = window(portrait.light, x, y, half) - np.log(around.bare + DARKEST)
    centre = (np.array([x, y]) - box[0]).astype(int)
    small = max(2, int(np.ceil(1.6 * radius)))
    if min(centre[0], centre[1], box[1][1] - 1 - centre[0], box[1][0] - 1 - centre[1]) < small:
        return 0.0, np.zeros(2)  # cut by the picture's rim: nothing to compare
    middle = laid[
        centre[1] - small : centre[1] + small + 1, centre[0] - small : centre[0] + small + 1
    ]
    field = shown[
        half - small - search : half + small + search + 1,
        half - small - search : half + small + search + 1,
    ]
    return already_there(middle, field, np.ones(middle.shape[:2], np.float32), search)


def fold_patch(index: int, spot: Placement, photo: Ground, portrait: Ground) -> Patch | None:
    """A wrinkle's relief along its course in the portrait, less the portrait's own."""
    half = int(np.ceil(max(FOLD_REACH / photo.mm, 3 * spot.mark.radius, 3)))
    measured = folds.measure_fold(photo.light, photo.wide, spot.mark.points, half)
    if not measured.profile.any():
        return None  # no skin on either side
    measured = folds.relit(measured, spot.left, spot.turned)
    at = folds.even_steps(spot.mark.points)
    course = folds.along(spot.line.astype(np.float64), at)
    normal = folds.normals_of(measured.course)
    laid_normal = folds.normals_of(course)
    widths = np.abs(np.einsum("ni,ij,nj->n", laid_normal, spot.matrix, normal))
    box = _box(course, half * float(widths.max()) + 1, portrait.skin.shape)
    if box is None:
        return None
    seen = np.interp(at, np.arange(len(spot.line)), spot.line_seen.astype(np.float64))
    widths = np.maximum(widths, 0.2)
    # What the portrait shows of it, at the same place: lines do not stand out enough to search.
    own = folds.relief_along(portrait.light @ folds.GREY, portrait.wide, course, widths, half)
    laid, rim = folds.lay_fold(folds.less_shown(measured, own), course, widths, seen, *box)
    ratio = (laid[..., None] * measured.tint).astype(np.float32)
    few = photo.light.reshape(-1, 3)[:: max(1, photo.light.size // 30000)]
    bare = np.exp(np.median(few, 0)) - DARKEST
    return Patch(
        index, "wrinkle", box[0], ratio, None, None, rim.astype(np.float32),
        _part(portrait.wide, *box), bare,
    )  # fmt: skip


def paste_patch(index: int, spot: Placement, photo: np.ndarray, skin: np.ndarray) -> Patch | None:
    """The original's cut-out on the portrait.

    photo    (H, W, 3) uint8 sRGB;  skin    (H, W) 0..1, where marks may be put on the portrait
    """
    matrix = spot.matrix.astype(np.float64)
    mark = spot.mark
    long = mark.is_traced
    points = spot.line.astype(np.float64) if long else spot.to.astype(np.float64)[None]
    if long:
        # One map has to do for the whole line: the local one, drawn to where the line goes.
        off, off_there = mark.points - mark.xy, points - spot.to
        firm = 4.0 * len(off)  # px²: as much as points 2 px off the middle
        matrix = (off_there.T @ off + firm * matrix) @ np.linalg.inv(off.T @ off + firm * np.eye(2))
    scale = float(np.linalg.norm(matrix, 2))
    if not np.isfinite(scale) or scale > 8:
        return None  # three landmarks nearly in a row: the original's map explodes
    near_reach = max(2.0 * mark.radius * scale, 2.5)
    box = _box(points, 2 * near_reach + 2, skin.shape)
    if box is None:
        return None
    origin, size = box
    to = spot.to.astype(np.float64)
    patch = cut_out(photo, matrix, mark.xy.astype(np.float64), to, origin, size)
    ys, xs = np.mgrid[: size[0], : size[1]]
    if long:
        drawn = np.ones(size, np.uint8)
        course = np.round(points - origin).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(drawn, [course], False, 0, 1)
        away = cv2.distanceTransform(drawn, cv2.DIST_L2, 5)
        mask = lines_outline(patch, away <= near_reach)
    else:
        away = np.hypot(xs - (to - origin)[0], ys - (to - origin)[1])
        mask = outline(patch, to - origin, away <= near_reach)
    beside = (away > near_reach) & (_part(skin, origin, size) > 0.5)
    # 0.75 is the outline; beyond it the rim of a soft edge runs out within 3 px.
    outside = cv2.distanceTransform((mask == 0).astype(np.uint8), cv2.DIST_L2, 3)
    rim = np.where(mask > 0, 0.0, 0.75 + outside / 12).astype(np.float32)
    return Patch(
        index, mark.kind, origin, None, patch, beside, rim, _part(skin, origin, size), np.zeros(3)
    )


def fade(rim: np.ndarray, inner: float) -> np.ndarray:
    """1 up to `inner`, 0 from 1 on, smooth between."""
    t = np.clip((1 - rim) / (1 - inner), 0, 1)
    return t * t * (3 - 2 * t)


def _box(
    points: np.ndarray, reach: float, shape: tuple[int, ...]
) -> tuple[np.ndarray, tuple[int, int]] | None:
    """Origin (2,) and (height, width) of the picture's part within `reach` px of the points."""
    low = np.maximum(np.floor(points.min(0) - reach), 0).astype(int)
    high = np.minimum(np.ceil(points.max(0) + reach) + 1, [shape[1], shape[0]]).astype(int)
    if (high <= low).any():
        return None
    return low, (int(high[1] - low[1]), int(high[0] - low[0]))


def _part(image: np.ndarray, origin: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return image[origin[1] : origin[1] + size[0], origin[0] : origin[0] + size[1]]
