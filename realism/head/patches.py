"""Patches of one picture of a face found again in another, laid on each other.

They are compared in two channels that light changes little: band-passed log-luminance, and the
log-ratio of red to green. Each match says how far the patch lies off, and with what precision in
which direction.

Precision of a match: Förstner, "Reliability analysis of parameter estimation in linear models
with applications to mensuration problems in computer vision", 1987.
"""

import cv2
import numpy as np

from realism.images import GREY, log_light

# Set on three people of the marked set (`benchmarks.restore`).
WORKING_PX = 0.65  # mm in a px of the working pictures
BAND = (0.6, 2.5)  # mm, sigmas of the band-pass
EVENED = 6.0  # mm over which the strength of structure is evened out
NOISE = 0.02  # log units; keeps noise from becoming structure
# Linear light that is added before the logarithm: grain of deep shadows is no structure to match.
SHADOW = 0.01
LEAST_WHOLE = 0.6  # share of a patch that must be seen in both
LEAST_LIKENESS = 0.2  # correlation
PATCH_VALUES = 8.0  # independent values in a patch


def band_pass(pixels: np.ndarray) -> np.ndarray:
    """What light changes little, `WORKING_PX` mm a px: (H, W, 2) float32, about unit strength."""
    light = log_light(pixels, SHADOW)
    channels = np.stack([light @ GREY, light[..., 0] - light[..., 1]], -1)
    fine, coarse = (length / WORKING_PX for length in BAND)
    band = cv2.GaussianBlur(channels, (0, 0), fine) - cv2.GaussianBlur(channels, (0, 0), coarse)
    strength = np.sqrt(cv2.GaussianBlur(band * band, (0, 0), EVENED / WORKING_PX))
    return band / (strength + NOISE)


def match_patches(
    ours: np.ndarray,
    theirs: np.ndarray,
    whole: np.ndarray,
    window: float,
    search: float,
    apart: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Patches of one picture found again in the other.

    Parameters
    ----------
    ours, theirs : np.ndarray, (H, W, 2) float32
    whole : np.ndarray, (H, W) bool
        Seen in both.
    window : float, mm
        Side of a patch.
    search : float, mm
        How far it may lie off.
    apart : float, mm
        From one patch to the next.

    Returns
    -------
    at : np.ndarray, (n, 2) working px
        Their middles.
    off : np.ndarray, (n, 2) mm
        How far each lies off.
    precision : np.ndarray, (n, 2, 2) 1 / mm²
        Of that.
    """
    half, reach = round(window / 2 / WORKING_PX), round(search / WORKING_PX)
    share = cv2.blur(whole.astype(np.float32), (2 * half + 1, 2 * half + 1))
    margin, step = half + reach, max(1, round(apart / WORKING_PX))
    at, steps, peaks = [], [], []
    for y in range(margin, len(ours) - margin, step):
        for x in range(margin, ours.shape[1] - margin, step):
            if share[y, x] < LEAST_WHOLE:
                continue
            patch = ours[y - half : y + half + 1, x - half : x + half + 1]
            around = theirs[y - margin : y + margin + 1, x - margin : x + margin + 1]
            likeness = cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED)
            _, best, _, (u, v) = cv2.minMaxLoc(likeness)
            # A best match at the rim of the search is the flank of something else.
            if best < LEAST_LIKENESS or not (0 < u < 2 * reach and 0 < v < 2 * reach):
                continue
            at.append((x, y))
            steps.append((u - reach, v - reach))
            peaks.append(likeness[v - 1 : v + 2, u - 1 : u + 2])
    peaks = np.array(peaks, np.float64).reshape(-1, 3, 3)
    bend, slope = _paraboloid(peaks)
    fine = np.clip(np.linalg.solve(bend, slope[..., None])[..., 0], -1, 1)
    best = peaks[:, 1, 1]
    confidence = PATCH_VALUES * best / np.maximum(1 - best, 0.02)
    return (
        np.array(at, np.float64).reshape(-1, 2),
        (fine + np.array(steps, np.float64).reshape(-1, 2)) * WORKING_PX,
        bend * confidence[:, None, None] / WORKING_PX**2,
    )


def _paraboloid(peaks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bending (n, 2, 2), positive definite, and slope (n, 2) of peaks' 3 x 3 values."""
    p = peaks.transpose(1, 2, 0)
    xx = p[1, 0] - 2 * p[1, 1] + p[1, 2]
    yy = p[0, 1] - 2 * p[1, 1] + p[2, 1]
    xy = (p[2, 2] + p[0, 0] - p[0, 2] - p[2, 0]) / 4
    values, axes = np.linalg.eigh(-np.array([[xx, xy], [xy, yy]]).transpose(2, 0, 1))
    slope = np.stack([p[1, 2] - p[1, 0], p[2, 1] - p[0, 1]], 1) / 2
    return (axes * np.maximum(values, 1e-4)[:, None]) @ axes.transpose(0, 2, 1), slope
