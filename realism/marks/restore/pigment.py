"""What of a measured ratio can be pigment: the rest is light, hair, shadow or noise.

Pigment only darkens skin, red light least, and gets no darker towards its edge. A mark of a few
pixels is half noise: it is drawn towards its mean at each distance from its middle.
"""

import numpy as np

from realism.marks.restore.quotient import REACH, QuotientPatch, distances_from

SHADE_SMOOTHING = 2.5  # px over its radius: how far it is made alike all around
MOST_SHADE_SMOOTHING = 0.35  # at most so far
HUE_SMOOTHING = 6.0  # px over its radius, the same of its colour; up to 1
BRIGHTEST_PIGMENT = 0.02  # log units by which a mole or spot may be lighter than skin
BRIGHTEST_ACNE = 0.2  # the same of a pimple
DARKEST_PIGMENT = 2.5  # log units; the blackest mole keeps a twelfth of the light
DARKEST_ACNE = 1.2  # the same of a pimple, which is blood and no melanin
MOST_RED_PIGMENT = 1.1  # red light that melanin takes over the green that it takes
MOST_RED_ACNE = 0.45  # the same of blood: a third is usual
MOST_DARK = 1.15  # of its core's darkness: darker beside it is not the mark


def clip_to_pigment(patch: QuotientPatch, kind: str) -> np.ndarray:
    """A mark's log-ratio as far as pigment can have made it.

    The channels keep their own shapes: red light wanders further in skin, so a mole's edge is
    redder than its middle. On one colour for the whole mark, a tenth of what it looks like is
    lost even where a picture is restored from itself.

    Parameters
    ----------
    patch : QuotientPatch
    kind : str
        "mole", "spot" or "acne".

    Returns
    -------
    (h, w, 3) ndarray
        Log-ratio.
    """
    # Pigment only darkens; a pimple may have a pale head. More than that is a base gone wrong.
    is_acne = kind == "acne"
    darkest, brightest = (
        (DARKEST_ACNE, BRIGHTEST_ACNE) if is_acne else (DARKEST_PIGMENT, BRIGHTEST_PIGMENT)
    )
    ratio = np.clip(patch.log_ratio, -darkest, brightest)
    # Melanin and blood leave red the most light and take no more than twice as much blue as green;
    # what else darkens so is backdrop or hair at the face's edge.
    most_red = MOST_RED_ACNE if is_acne else MOST_RED_PIGMENT
    ratio[..., 0] = np.maximum(ratio[..., 0], most_red * ratio[..., 1] - 0.05)
    ratio[..., 2] = np.maximum(ratio[..., 2], 2.0 * ratio[..., 1] - 0.1)
    ratio = radially_smoothed(ratio, patch.centre, patch.radius)
    away = distances_from(patch.centre, ratio.shape) / patch.radius
    core = away <= 0.7
    if is_acne or not core.any():
        return ratio
    # Towards its edge a mark gets no darker: what does is a fold, a hair or a shadow beside it.
    dark = -ratio.mean(2)
    fading = np.clip((REACH - away) / (REACH - 1), 0, 1)
    most = np.maximum(MOST_DARK * np.percentile(dark[core], 90) * fading, 0)
    return ratio * np.where(dark > most, most / np.maximum(dark, 1e-6), 1)[..., None]


def radially_smoothed(ratio: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    """Draw a small mark towards its own mean at each distance from its middle.

    A mark of a few pixels is half noise, and its colour more so; a large one keeps its shape.

    Parameters
    ----------
    ratio : (h, w, 3) ndarray
        Log-ratio.
    centre : (2,) px
    radius : float, px
    """
    rings = ring_means(ratio, distances_from(centre, ratio.shape))
    grey, even = (image.mean(2, keepdims=True) for image in (ratio, rings))
    shade = min(SHADE_SMOOTHING / radius, MOST_SHADE_SMOOTHING)
    hue = min(HUE_SMOOTHING / radius, 1.0)
    mixed = grey + shade * (even - grey)
    return mixed + (ratio - grey) + hue * ((rings - even) - (ratio - grey))


def ring_means(image: np.ndarray, away: np.ndarray, step: float = 0.5) -> np.ndarray:
    """Each pixel's colour (h, w, 3) replaced by the mean of those as far `away` (h, w) px."""
    at = away / step
    low, above = np.floor(at).astype(int), (at - np.floor(at))[..., None]
    count = low.max() + 2

    def sums(values: np.ndarray) -> np.ndarray:
        below = np.bincount(low.ravel(), (values * (1 - above[..., 0])).ravel(), count)
        return below + np.bincount(low.ravel() + 1, (values * above[..., 0]).ravel(), count)

    total = np.maximum(sums(np.ones(away.shape)), 1e-6)
    mean = np.stack([sums(image[..., c]) / total for c in range(3)], 1)
    return mean[low] * (1 - above) + mean[low + 1] * above
