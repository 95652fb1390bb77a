"""What of a measured ratio can be pigment: the rest is light, hair, shadow or noise.

Pigment only darkens skin, red light least, and gets no darker towards its edge.
"""

import numpy as np

from realism.marks.restore.quotient import REACH, QuotientPatch, distances_from

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
    away = distances_from(patch.centre, ratio.shape) / patch.radius
    core = away <= 0.7
    if is_acne or not core.any():
        return ratio
    # Towards its edge a mark gets no darker: what does is a fold, a hair or a shadow beside it.
    dark = -ratio.mean(2)
    fading = np.clip((REACH - away) / (REACH - 1), 0, 1)
    most = np.maximum(MOST_DARK * np.percentile(dark[core], 90) * fading, 0)
    return ratio * np.where(dark > most, most / np.maximum(dark, 1e-6), 1)[..., None]
