"""Measure a wrinkle as a profile across its line, and render that profile along another line.

A wrinkle is no pigment: it is a fold whose sides catch the light differently. What is carried
is the band-passed log-light across the traced line, one profile for every pixel of its length:
what is wider than the fold (shading of the cheek) and what is not of the line (pores, grain) is
left in the photo.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import KDTree

from realism.images import GREY
from realism.marks.restore.falloff import fade_out

SMOOTHING = 2.0  # px along the line
REACH_MM = 3.0  # mm to each side of a wrinkle's line
CORE = 0.3  # of its reach: as deep as measured; from there it fades
TAPER = 0.2  # of its length: over which it fades in and out
DEEPEST = 1.0  # log units of light that it takes at most
BRIGHTEST_SIDE = 0.15  # log units by which skin beside it may be lighter
BY_CHANCE = 0.2  # of a fold is shown by smooth skin as well: its shading has slopes too
TINT = (0.6, 1.5)  # of a colour's depth over all colours'


@dataclass(frozen=True, eq=False)
class WrinkleProfile:
    """A wrinkle measured in one picture.

    Attributes
    ----------
    profile : (n, 2 half + 1) float32
        Log of light over the skin beside, along the line and across it.
    polyline : (n, 2) float64, px
        Its line, one point a px.
    half : int, px
        How far to each side.
    tint : (3,) float32
        How strongly R, G and B follow the profile: light that leaves a fold is redder.
    """

    profile: np.ndarray
    polyline: np.ndarray
    half: int
    tint: np.ndarray


def even_parameters(polyline: np.ndarray, step: float = 1.0) -> np.ndarray:
    """Parameters (fractional vertex numbers) of points every `step` px of a polyline: (n,)."""
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(polyline, axis=0).T))])
    count = max(2, int(lengths[-1] / step) + 1)
    return np.interp(np.linspace(0, lengths[-1], count), lengths, np.arange(len(polyline)))


def interpolate_polyline(polyline: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Points of a polyline at fractional vertex numbers (n,): (n, 2)."""
    vertices = np.arange(len(polyline))
    return np.stack([np.interp(parameters, vertices, polyline[:, axis]) for axis in (0, 1)], 1)


def polyline_normals(polyline: np.ndarray) -> np.ndarray:
    """Unit normals of a line of points (n, 2), to its right in image axes: (n, 2)."""
    smooth = gaussian_filter1d(polyline.astype(np.float64), 3, axis=0, mode="nearest")
    tangents = np.gradient(smooth, axis=0)
    tangents /= np.maximum(np.linalg.norm(tangents, axis=1, keepdims=True), 1e-9)
    return np.stack([-tangents[:, 1], tangents[:, 0]], 1)


def measure_wrinkle(
    log_light: np.ndarray, skin: np.ndarray, polyline: np.ndarray, half: int
) -> WrinkleProfile:
    """Measure the profile across a line of a photo.

    Parameters
    ----------
    log_light : (H, W, 3) float32
        Log of linear light.
    skin : (H, W), 0..1
        What is not skin (lashes, brow, lip, hair) is no profile.
    polyline : (n, 2) px
    half : int, px
        How far to each side the wrinkle reaches.
    """
    course = interpolate_polyline(polyline.astype(np.float64), even_parameters(polyline))
    colours = bandpass_across(log_light, skin, course, np.ones(len(course)), half)
    profile = colours @ GREY
    tint = (colours * profile[..., None]).sum((0, 1)) / max(float((profile**2).sum()), 1e-6)
    tint = np.clip(tint, *TINT)
    # Skin beside a fold shines a little; what is brighter is a glint, or no skin.
    profile = np.clip(profile, -DEEPEST, BRIGHTEST_SIDE)
    return WrinkleProfile(profile, course, half, (tint / (tint @ GREY)).astype(np.float32))


def bandpass_across(
    log_light: np.ndarray, skin: np.ndarray, course: np.ndarray, widths: np.ndarray, half: int
) -> np.ndarray:
    """Band-passed log-light across a line.

    Parameters
    ----------
    log_light : (H, W) or (H, W, 3) float32
    skin : (H, W), 0..1
    course : (n, 2) px
        One point a px of the photo.
    widths : (n,)
        px of this picture in one step across; 1 in the photo that is measured.
    half : int
        Steps to each side.

    Returns
    -------
    (n, 2 half + 1) float32, of colours (n, 2 half + 1, 3)
    """
    normals = polyline_normals(course)
    across = np.arange(-half, half + 1)
    points = course[:, None] + (across * widths[:, None])[..., None] * normals[:, None]
    maps = points[..., 0].astype(np.float32), points[..., 1].astype(np.float32)
    values = cv2.remap(log_light, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    on_skin = cv2.remap(skin.astype(np.float32), *maps, cv2.INTER_LINEAR)
    values = values.reshape(*on_skin.shape, -1)
    # Along the line a fold changes slowly; pores and grain do not.
    weight = gaussian_filter1d(on_skin, SMOOTHING, axis=0) + 1e-4
    values = gaussian_filter1d(values * on_skin[..., None], SMOOTHING, axis=0)
    values = values / weight[..., None]
    # The skin beside: a straight line from the mean of one side's outer part to the other's.
    distance = np.abs(across) / half
    sides = [(distance > 0.6) & (across * side > 0) for side in (-1, 1)]
    shares = [on_skin[:, side].sum(1) for side in sides]
    means = [
        (values[:, side] * on_skin[:, side, None]).sum(1) / (share[:, None] + 1e-4)
        for side, share in zip(sides, shares, strict=True)
    ]
    # Where one side is no skin, the other tells how bright it is.
    known = [(share > 0.3 * side.sum())[:, None] for side, share in zip(sides, shares, strict=True)]
    left = np.where(known[0], means[0], means[1])[:, None]
    right = np.where(known[1], means[1], means[0])[:, None]
    share = ((across / (0.8 * half) + 1) / 2)[None, :, None]
    relief = values - (left * (1 - share) + right * share)
    relief = relief * (known[0] | known[1])[:, None] * np.minimum(on_skin, weight)[..., None]
    relief = relief * fade_out(distance, CORE)[None, :, None]
    relief = relief.astype(np.float32)
    return relief[..., 0] if log_light.ndim == 2 else relief


def relight(wrinkle: WrinkleProfile, depth_left: float, shading_factor: float) -> WrinkleProfile:
    """A wrinkle under another expression and light.

    Its even part across is the valley's shade, its odd part the lit and the unlit side.

    Parameters
    ----------
    wrinkle : WrinkleProfile
    depth_left, shading_factor : float
        Of `relight.estimate_relighting`.
    """
    mirrored = wrinkle.profile[:, ::-1]
    even, odd = (wrinkle.profile + mirrored) / 2, (wrinkle.profile - mirrored) / 2
    return replace(wrinkle, profile=depth_left * (even + shading_factor * odd))


def subtract_shown(wrinkle: WrinkleProfile, shown: np.ndarray) -> WrinkleProfile:
    """What a wrinkle has over what a portrait shows of it already.

    Parameters
    ----------
    wrinkle : WrinkleProfile
    shown : (n, 2 half + 1) float32
        `bandpass_across` of the portrait where the wrinkle goes.
    """
    stretch = wrinkle.half  # px along: as far as it reaches across
    both, own = (
        gaussian_filter1d((profile * wrinkle.profile).sum(1), stretch, mode="nearest")
        for profile in (shown, wrinkle.profile)
    )
    share = both / np.maximum(own, 1e-6)
    share = np.clip((share - BY_CHANCE) / (1 - BY_CHANCE), 0, 1)
    return replace(wrinkle, profile=wrinkle.profile * (1 - share)[:, None])


def render_wrinkle(
    wrinkle: WrinkleProfile,
    course: np.ndarray,
    widths: np.ndarray,
    visibility: np.ndarray,
    origin: np.ndarray,
    size: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Render a wrinkle along its course in a portrait.

    Parameters
    ----------
    wrinkle : WrinkleProfile
    course : (n, 2) px of the portrait
        Where each point of the wrinkle's own line goes.
    widths : (n,)
        px of the portrait over px of the photo, across the line.
    visibility : (n,), 0..1
        Which of its length is shown.
    origin : (2,) int
        The portrait's pixel at the result's (0, 0).
    size : (height, width) of the result

    Returns
    -------
    (height, width) float32
        Log-ratio.
    (height, width) float64
        Distance from the line over the wrinkle's reach, 1 where it ends.
    """
    height, width = size
    ys, xs = np.mgrid[:height, :width]
    pixels = np.stack([xs + origin[0], ys + origin[1]], -1).astype(np.float64)
    nearest = KDTree(course).query(pixels.reshape(-1, 2))[1].reshape(height, width)
    gap = pixels - course[nearest]
    across = (gap * polyline_normals(course)[nearest]).sum(2)
    # Beyond the ends the nearest point is the last: distance from it counts, not from the line.
    signed = np.where(across < 0, -1, 1) * np.hypot(gap[..., 0], gap[..., 1])
    offset = signed / np.maximum(widths[nearest], 1e-3)
    # Narrowed wrinkles are averaged, not skipped over.
    narrowing = max(0.45 / max(float(np.median(widths)), 0.05) - 0.4, 0.0)
    profile = wrinkle.profile
    blurred = gaussian_filter1d(profile, narrowing, axis=1) if narrowing else profile
    log_ratio = cv2.remap(
        blurred,
        (offset + wrinkle.half).astype(np.float32),
        nearest.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    count = len(course)
    to_end = np.minimum(np.arange(count), np.arange(count)[::-1]) / max(TAPER * count, 1)
    strength = (fade_out(1 - to_end, 0) * visibility)[nearest]
    return log_ratio * strength, np.abs(offset) / wrinkle.half
