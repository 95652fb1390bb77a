"""The original entry's restoration: cut the mark out of the photo and paste it.

The patch is matched to the portrait's brightness in CIELAB, freed of noise by a Gaussian, cut
out along the outline that a threshold and `cv2.findContours` give, and pasted. It knows nothing
of light: a patch from the lit side stays lit. Kept as `method="paste"`, so that the two can be
seen side by side.
"""

import cv2
import numpy as np


def cut_out(
    pixels: np.ndarray,
    matrix: np.ndarray,
    xy: np.ndarray,
    to: np.ndarray,
    origin: np.ndarray,
    size: tuple[int, int],
) -> np.ndarray:
    """The photo's patch brought to the portrait's size and place, (height, width, 3) uint8.

    matrix    (2, 2) px of the portrait over px of the photo
    xy, to    (2,) px, the mark's place in the photo and in the portrait
    origin    (2,) the portrait's pixel at the result's (0, 0)
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


def outline(patch: np.ndarray, centre: np.ndarray, near: np.ndarray) -> np.ndarray:
    """The mark's area in a patch, (h, w) uint8 0 or 255.

    patch     (h, w, 3) uint8 sRGB
    centre    (2,) px, where the mark should be
    near      (h, w) bool, where it may be
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


def lines_outline(patch: np.ndarray, near: np.ndarray) -> np.ndarray:
    """A wrinkle's area: every dark contour near its line, (h, w) uint8 0 or 255."""
    light = cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY).astype(np.float32)
    dip = np.clip(cv2.GaussianBlur(light, (0, 0), 4) - light, 0, None)
    level = 0.35 * float(dip[near].max()) if near.any() else 1.0
    dark = ((dip > level) & near).astype(np.uint8)
    contours, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    mask = np.zeros(dark.shape, np.uint8)
    cv2.drawContours(mask, contours, -1, 255, -1)
    return mask


def match_brightness(
    patch: np.ndarray, beside: np.ndarray, portrait: np.ndarray, share: float
) -> np.ndarray:
    """Shift a patch in CIELAB so that its skin is as the portrait's skin there.

    patch, portrait    (h, w, 3) uint8 sRGB
    beside             (h, w) bool, skin beside the mark in both
    share              0..1, how far the shift goes
    """
    ours = cv2.cvtColor(patch.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    theirs = cv2.cvtColor(portrait.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    if not beside.any():
        return patch
    shift = np.median(theirs[beside], 0) - np.median(ours[beside], 0)
    moved = cv2.cvtColor((ours + share * shift).astype(np.float32), cv2.COLOR_LAB2RGB)
    return np.clip(np.rint(moved * 255), 0, 255).astype(np.uint8)
