"""The original entry's restoration: cut the mark out of the photo and paste it.

The patch is matched to the portrait's brightness in CIELAB, freed of noise by a Gaussian, cut
out along the outline that a threshold and `cv2.findContours` give, and pasted. It knows nothing
of light: a patch from the lit side stays lit. Kept as `method="paste"`, so that the two can be
seen side by side.

Threshold: Otsu, "A threshold selection method from gray-level histograms", IEEE SMC 1979.
"""

import cv2
import numpy as np

from realism.images import luma


def warp_pixels(
    pixels: np.ndarray,
    matrix: np.ndarray,
    xy: np.ndarray,
    to: np.ndarray,
    origin: np.ndarray,
    size: tuple[int, int],
) -> np.ndarray:
    """Bring the photo's patch to the portrait's size and place.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 sRGB
        The photo.
    matrix : (2, 2)
        px of the portrait over px of the photo.
    xy, to : (2,) px
        The mark's place in the photo and in the portrait.
    origin : (2,) int
        The portrait's pixel at the result's (0, 0).
    size : (height, width) of the result

    Returns
    -------
    (height, width, 3) uint8 sRGB
    """
    # warpAffine wants the map from the photo to the patch.
    forward = np.hstack([matrix, (to - origin - matrix @ xy)[:, None]]).astype(np.float64)
    shrink = float(np.linalg.norm(matrix, 2))
    if shrink < 1:
        pixels = cv2.GaussianBlur(pixels, (0, 0), 0.4 / max(shrink, 0.05))
    height, width = size
    return cv2.warpAffine(
        pixels, forward, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def outline_round(patch: np.ndarray, centre: np.ndarray, near: np.ndarray) -> np.ndarray:
    """A round mark's area in a patch.

    Parameters
    ----------
    patch : (h, w, 3) uint8 sRGB
    centre : (2,) px
        Where the mark should be.
    near : (h, w) bool
        Where it may be.

    Returns
    -------
    (h, w) uint8
        255 inside the mark, 0 elsewhere.
    """
    lab = cv2.cvtColor(cv2.GaussianBlur(patch, (0, 0), 0.8), cv2.COLOR_RGB2LAB).astype(np.float32)
    skin = np.median(lab[~near] if (~near).any() else lab.reshape(-1, 3), 0)
    unlike = np.linalg.norm(lab - skin, axis=2)
    scaled = np.clip(unlike * 255 / max(float(unlike[near].max()), 1e-3), 0, 255).astype(np.uint8)
    # Otsu among the pixels near the mark only: the patch is mostly skin.
    level, _ = cv2.threshold(
        scaled[near].reshape(-1, 1), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU
    )
    dark = ((scaled > level) & near).astype(np.uint8)
    contours, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    mask = np.zeros(dark.shape, np.uint8)
    if contours:
        at = (float(centre[0]), float(centre[1]))
        nearest = max(
            contours, key=lambda c: (cv2.pointPolygonTest(c, at, True), cv2.contourArea(c))
        )
        cv2.drawContours(mask, [nearest], -1, 255, -1)
    return mask


def outline_wrinkle(patch: np.ndarray, near: np.ndarray) -> np.ndarray:
    """A wrinkle's area in a patch: every dark contour near its line.

    Parameters
    ----------
    patch : (h, w, 3) uint8 sRGB
    near : (h, w) bool
        Where it may be.

    Returns
    -------
    (h, w) uint8
        255 inside the wrinkle, 0 elsewhere.
    """
    light = luma(patch).astype(np.float32)
    depth = np.clip(cv2.GaussianBlur(light, (0, 0), 4) - light, 0, None)
    level = 0.35 * float(depth[near].max()) if near.any() else 1.0
    dark = ((depth > level) & near).astype(np.uint8)
    contours, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    mask = np.zeros(dark.shape, np.uint8)
    cv2.drawContours(mask, contours, -1, 255, -1)
    return mask


def match_brightness(
    patch: np.ndarray, beside: np.ndarray, portrait: np.ndarray, share: float
) -> np.ndarray:
    """Shift a patch in CIELAB so that its skin is as the portrait's skin there.

    Parameters
    ----------
    patch, portrait : (h, w, 3) uint8 sRGB
    beside : (h, w) bool
        Skin beside the mark in both.
    share : float, 0..1
        How far the shift goes.

    Returns
    -------
    (h, w, 3) uint8 sRGB
    """
    ours = cv2.cvtColor(patch.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    theirs = cv2.cvtColor(portrait.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    if not beside.any():
        return patch
    shift = np.median(theirs[beside], 0) - np.median(ours[beside], 0)
    moved = cv2.cvtColor((ours + share * shift).astype(np.float32), cv2.COLOR_LAB2RGB)
    return np.clip(np.rint(moved * 255), 0, 255).astype(np.uint8)
