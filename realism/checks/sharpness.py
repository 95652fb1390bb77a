"""How sharp a face is: gradients at a fine scale over those at a coarse one.

Noise and contrast hardly change their ratio (after Elder and Zucker, "Local scale control for edge
detection", PAMI 1998).
"""

import cv2
import numpy as np

from realism.faces.face import Face, eye_centres
from realism.faces.mesh import roll_angle, upright_crop, upright_extent
from realism.images import luma

SHARPNESS_SIDE = 192  # px of the face's crop in which sharpness is measured
SIGMAS = 0.8, 3.2  # px


def sharpness(pixels: np.ndarray, face: Face) -> float:
    """How much steeper the steepest edges of the face are at a fine scale than at a coarse one.

    Parameters
    ----------
    pixels : np.ndarray, (H, W, 3) uint8 sRGB
    face : Face

    Returns
    -------
    float
        About 1 when out of focus, 2 and more when sharp; the same for every face size, since the
        face is brought to one size first.
    """
    grey, _ = upright_grey(pixels, face, 1.0, SHARPNESS_SIDE)
    return edge_ratio(grey)


def edge_ratio(grey: np.ndarray) -> float:
    """Steepest edges at a fine scale over those at a coarse one; (H, W) float32 in."""
    fine, coarse = (_steepest(grey, sigma) for sigma in SIGMAS)
    return float(fine / max(coarse, 1e-6))


def _steepest(grey: np.ndarray, sigma: float) -> float:
    """The gradient that a hundredth of the pixels exceeds after a blur of `sigma` px."""
    blurred = cv2.GaussianBlur(grey, (0, 0), sigma)
    across, down = (cv2.Sobel(blurred, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    return float(np.percentile(np.hypot(across, down), 99))


def upright_grey(
    pixels: np.ndarray, face: Face, reach: float, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """The face, upright and in grey.

    Parameters
    ----------
    pixels : np.ndarray, (H, W, 3) uint8 sRGB
    face : Face
    reach : float
        Face sizes that the crop spans.
    side : int, px
        Of the crop.

    Returns
    -------
    grey : np.ndarray, (side, side) float32, 0..255
    shown : np.ndarray, (side, side) bool
        Where there is picture.
    """
    roll = roll_angle(eye_centres(face.mesh))
    centre, extent = upright_extent(face.mesh, roll)
    grey = luma(pixels)
    # The second channel is turned along, and is 0 outside the picture.
    layers = np.dstack([grey, np.full_like(grey, 255), grey])
    crop, _ = upright_crop(layers, centre, extent * reach, roll, side)
    return crop[..., 0].astype(np.float32), crop[..., 1] > 250
