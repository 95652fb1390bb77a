"""Where marks may be put on a portrait: its skin, generously taken.

The skin mask is strict, as finding needs it. Restoring must also reach the turned-away side, the
shaded rims and the places of large dark marks, which are so unlike skin that the mask leaves
them out.
"""

from functools import reduce

import cv2
import numpy as np

from realism.faces.face import Face, mm_per_px_from_eyes
from realism.faces.features import disc, feature_mask
from realism.faces.occluders import find_occluders
from realism.faces.skin import BLACK, LEAST_SKIN

PAINTABLE_REACH = 9.0  # mm around a pixel whose skin its colour must be near
PAINTABLE_HUE = 0.22  # log units by which a colour may differ from that skin's
PAINTABLE_SHADE = 0.75  # log units by which shade may darken it; hair is darker
FEATURE_MARGIN = 2.0  # mm around brows, eyes, lips and nostrils
LARGEST_HOLE = 3.5  # mm, radius: what a mark may leave out of the skin's mask
LEAST_COMPACT = 0.5  # of the area of a disc as long: such a hole may be a mark


def paintable_mask(
    pixels: np.ndarray, skin: np.ndarray, face: Face, covered: np.ndarray | None = None
) -> np.ndarray:
    """Where marks may be put on a portrait: the skin mask, and what beside it looks like skin.

    The mask is strict, as finding needs it: the turned-away side and shaded rims are left out of
    it. Beside the mask a pixel is skin when its colour is near that of the masked skin about a
    centimetre around, darker by shade at most, and no brow, eye, lip or nostril is there.

    Parameters
    ----------
    pixels : np.ndarray, (H, W, 3) uint8 sRGB
    skin : np.ndarray, (H, W) float32, 0..1
        Of `skin_mask`.
    face : Face
    covered : np.ndarray, optional, (H, W) bool
        Where glasses and hair are, of `Occluders.mask`; None looks for them.

    Returns
    -------
    np.ndarray, (H, W) float32, 0..1
        Nowhere below `skin`, but 0 where it is covered.
    """
    if covered is None:
        covered = find_occluders(pixels, face).mask()
    scale = 1 / mm_per_px_from_eyes(face)
    x0, y0 = np.maximum(np.floor(face.mesh[:, :2].min(0) - 30 * scale), 0).astype(int)
    x1, y1 = np.ceil(face.mesh[:, :2].max(0) + 30 * scale).astype(int)
    part = np.s_[y0:y1, x0:x1]
    # Half a millimetre of blur: pores and grain are no colour.
    blurred = cv2.GaussianBlur(pixels[part].astype(np.float32), (0, 0), 0.5 * scale + 0.3)
    light = np.log(blurred + BLACK)
    sure = (skin[part] > LEAST_SKIN).astype(np.float32)
    reach = PAINTABLE_REACH * scale
    around = _blurred_wide(np.dstack([light * sure[..., None], sure]), reach)
    weight = around[..., 3]
    off = light - around[..., :3] / np.maximum(weight, 1e-4)[..., None]
    shade = off @ np.full(3, 1 / 3, np.float32)
    # Of three channels one by one: numpy's maximum over so short an axis takes ten times as long.
    hue = reduce(np.maximum, (np.abs(channel - shade) for channel in cv2.split(off)))
    skin_like = (weight > 0.02) & (hue < PAINTABLE_HUE) & (np.abs(shade) < PAINTABLE_SHADE)
    skin_like &= feature_mask(face, (y0, x0), sure.shape, FEATURE_MARGIN * scale) == 0
    opened = cv2.morphologyEx(skin_like.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    wide = skin.copy()
    wide[part] = np.maximum(wide[part], cv2.GaussianBlur(opened.astype(np.float32), (0, 0), 0.8))
    wide[covered] = 0
    return wide


def close_holes(wide: np.ndarray, face: Face, covered: np.ndarray) -> np.ndarray:
    """`paintable_mask` with the hole or notch that a large dark mark leaves there filled.

    Such a mark is so unlike the skin around it that it is no skin by its colour. A nose pad is as
    large, so that what is covered stays open.

    Parameters
    ----------
    wide : np.ndarray, (H, W) float32, 0..1
        Of `paintable_mask`.
    face : Face
    covered : np.ndarray, (H, W) bool
        Where glasses and hair are, of `Occluders.mask`.

    Returns
    -------
    np.ndarray, (H, W) float32, 0..1
    """
    scale = 1 / mm_per_px_from_eyes(face)
    bare = (wide > LEAST_SKIN).astype(np.uint8)
    largest = disc(LARGEST_HOLE * scale)
    holes = cv2.morphologyEx(bare, cv2.MORPH_CLOSE, largest) - bare
    holes[feature_mask(face, (0, 0), wide.shape, FEATURE_MARGIN * scale) > 0] = 0
    holes[covered] = 0
    _, parts, about, _ = cv2.connectedComponentsWithStats(holes)
    # Gaps between hairs are long; marks are not.
    long = about[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(1)
    compact = about[:, cv2.CC_STAT_AREA] >= LEAST_COMPACT * np.pi / 4 * long**2
    compact[0] = False  # all the rest
    return np.maximum(wide, compact[parts].astype(np.float32))


def _blurred_wide(image: np.ndarray, sigma: float) -> np.ndarray:
    """A wide Gaussian blur, made at the size at which it is 6 px wide: a fraction of the time."""
    size = image.shape[1::-1]
    shrink = max(1.0, sigma / 6)
    few = [max(2, round(side / shrink)) for side in size]
    small = cv2.resize(image, few, interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / shrink), size)
