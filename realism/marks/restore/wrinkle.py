"""Measure a wrinkle as relief across its line, and lay that relief along another line.

A wrinkle is no pigment: it is a fold whose sides catch the light differently. What is carried
is the band-passed log-light across the traced line, one profile for every pixel of its length:
what is wider than the fold (shading of the cheek) and what is not of the line (pores, grain) is
left in the photo.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from realism.images import GREY

# How marks are measured and laid on by `method="ratio"`.
FOLD_SMOOTHING = 2.0  # px along the line

# A wrinkle's relief, and what becomes of it under another expression and light.
FOLD_REACH = 3.0  # mm to each side of a wrinkle's line
FOLD_CORE = 0.3  # of its reach: as deep as measured; from there it fades
TAPER = 0.2  # of its length: over which it fades in and out
DEEPEST = 1.0  # log units of light that it takes at most
BRIGHTEST_FLANK = 0.15  # log units by which skin beside it may be lighter
TINT = (0.6, 1.5)  # of a colour's depth over all colours'


@dataclass(frozen=True, eq=False)
class Fold:
    """A wrinkle measured in one picture.

    profile    (n, 2 half + 1) float32, log of light over the skin beside, along and across
    course     (n, 2) float64 px, its line, one point a px
    half       px across on each side
    tint       (3,) how strongly R, G and B follow the profile: light that leaves a fold is redder
    """

    profile: np.ndarray
    course: np.ndarray
    half: int
    tint: np.ndarray


def even_steps(line: np.ndarray, step: float = 1.0) -> np.ndarray:
    """A polyline's points at even steps, as fractions of its vertex number: (n,)."""
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    count = max(2, int(lengths[-1] / step) + 1)
    return np.interp(np.linspace(0, lengths[-1], count), lengths, np.arange(len(line)))


def along(line: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Points of a polyline at fractional vertex numbers `at` (n,): (n, 2)."""
    vertices = np.arange(len(line))
    return np.stack([np.interp(at, vertices, line[:, axis]) for axis in (0, 1)], 1)


def normals_of(course: np.ndarray) -> np.ndarray:
    """Unit normals of a line of points (n, 2), to its right in image axes: (n, 2)."""
    smooth = gaussian_filter1d(course.astype(np.float64), 3, axis=0, mode="nearest")
    run = np.gradient(smooth, axis=0)
    run /= np.maximum(np.linalg.norm(run, axis=1, keepdims=True), 1e-9)
    return np.stack([-run[:, 1], run[:, 0]], 1)


def measure_fold(log_light: np.ndarray, skin: np.ndarray, line: np.ndarray, half: int) -> Fold:
    """The relief across a line of a photo.

    log_light    (H, W, 3) float32, log of linear light
    skin         (H, W) 0..1; what is not skin (lashes, brow, lip, hair) is no relief
    line         (n, 2) px
    half         px; how far to each side the fold reaches
    """
    course = along(line.astype(np.float64), even_steps(line))
    colours = relief_along(log_light, skin, course, np.ones(len(course)), half)
    profile = colours @ GREY
    tint = (colours * profile[..., None]).sum((0, 1)) / max(float((profile**2).sum()), 1e-6)
    tint = np.clip(tint, *TINT)
    # Skin beside a fold shines a little; what is brighter is a glint, or no skin.
    profile = np.clip(profile, -DEEPEST, BRIGHTEST_FLANK)
    return Fold(profile, course, half, (tint / (tint @ GREY)).astype(np.float32))


def relief_along(
    log_light: np.ndarray, skin: np.ndarray, course: np.ndarray, widths: np.ndarray, half: int
) -> np.ndarray:
    """Band-passed log-light across a line, (n, 2 half + 1) float32; of colours (..., 3).

    course    (n, 2) px
    widths    (n,) px of this picture in one step across; 1 in the photo that is measured
    """
    normals = normals_of(course)
    across = np.arange(-half, half + 1)
    points = course[:, None] + (across * widths[:, None])[..., None] * normals[:, None]
    maps = points[..., 0].astype(np.float32), points[..., 1].astype(np.float32)
    values = cv2.remap(log_light, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    on_skin = cv2.remap(skin.astype(np.float32), *maps, cv2.INTER_LINEAR)
    values = values.reshape(*on_skin.shape, -1)
    # Along the line a fold changes slowly; pores and grain do not.
    say = gaussian_filter1d(on_skin, FOLD_SMOOTHING, axis=0) + 1e-4
    values = gaussian_filter1d(values * on_skin[..., None], FOLD_SMOOTHING, axis=0)
    values = values / say[..., None]
    # The skin beside: a straight line from the mean of one rim to that of the other.
    way = np.abs(across) / half
    rims = [(way > 0.6) & (across * side > 0) for side in (-1, 1)]
    shares = [on_skin[:, rim].sum(1) for rim in rims]
    means = [
        (values[:, rim] * on_skin[:, rim, None]).sum(1) / (share[:, None] + 1e-4)
        for rim, share in zip(rims, shares, strict=True)
    ]
    # Where one side is no skin, the other tells how bright it is.
    some = [(share > 0.3 * rim.sum())[:, None] for rim, share in zip(rims, shares, strict=True)]
    left = np.where(some[0], means[0], means[1])[:, None]
    right = np.where(some[1], means[1], means[0])[:, None]
    share = ((across / (0.8 * half) + 1) / 2)[None, :, None]
    relief = values - (left * (1 - share) + right * share)
    relief = relief * (some[0] | some[1])[:, None] * np.minimum(on_skin, say)[..., None]
    relief = relief * window(way)[None, :, None]
    relief = relief.astype(np.float32)
    return relief[..., 0] if log_light.ndim == 2 else relief


def window(way: np.ndarray, core: float = FOLD_CORE) -> np.ndarray:
    """How much a fold counts at a distance over its reach: 1 up to `core`, 0 from 1 on."""
    t = np.clip((1 - way) / (1 - core), 0, 1)
    return t * t * (3 - 2 * t)


def relit(fold: Fold, left: float, turned: float) -> Fold:
    """A fold under another expression and light, of `relief.carried`.

    Its even part across is the valley's shade, its odd part the lit and the unlit side.
    """
    mirrored = fold.profile[:, ::-1]
    even, odd = (fold.profile + mirrored) / 2, (fold.profile - mirrored) / 2
    return replace(fold, profile=left * (even + turned * odd))


def less_shown(fold: Fold, shown: np.ndarray) -> Fold:
    """What a fold has over what the portrait's own relief (n, 2 half + 1) shows of it there."""
    stretch = fold.half  # px along: as far as it reaches across
    both, own = (
        gaussian_filter1d((one * fold.profile).sum(1), stretch, mode="nearest")
        for one in (shown, fold.profile)
    )
    share = np.clip(both / np.maximum(own, 1e-6), 0, 1)
    return replace(fold, profile=fold.profile * (1 - share)[:, None])


def lay_fold(
    fold: Fold,
    course: np.ndarray,
    widths: np.ndarray,
    seen: np.ndarray,
    origin: np.ndarray,
    size: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Lay a fold along its course in a portrait.

    course    (n, 2) px of the portrait, where each point of the fold's course goes
    widths    (n,) px of the portrait over px of the photo, across the line
    seen      (n,) 0..1, which of its length is shown
    origin, size    the portrait's pixel at the result's (0, 0), and (height, width)
    ->        log-ratio (height, width) float32; distance from the line over the fold's own reach
              (height, width), 1 at its rim
    """
    height, width = size
    ys, xs = np.mgrid[:height, :width]
    pixels = np.stack([xs + origin[0], ys + origin[1]], -1).astype(np.float64)
    nearest = cKDTree(course).query(pixels.reshape(-1, 2))[1].reshape(height, width)
    gap = pixels - course[nearest]
    across = (gap * normals_of(course)[nearest]).sum(2)
    # Beyond the ends the nearest point is the last: distance from it counts, not from the line.
    signed = np.where(across < 0, -1, 1) * np.hypot(gap[..., 0], gap[..., 1])
    offset = signed / np.maximum(widths[nearest], 1e-3)
    # Narrowed folds are averaged, not skipped over.
    narrowing = max(0.45 / max(float(np.median(widths)), 0.05) - 0.4, 0.0)
    blurred = gaussian_filter1d(fold.profile, narrowing, axis=1) if narrowing else fold.profile
    laid = cv2.remap(
        blurred,
        (offset + fold.half).astype(np.float32),
        nearest.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    count = len(course)
    to_end = np.minimum(np.arange(count), np.arange(count)[::-1]) / max(TAPER * count, 1)
    return laid * (window(1 - to_end, 0) * seen)[nearest], np.abs(offset) / fold.half
