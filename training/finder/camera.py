"""What a camera and a file make of painted light."""

import cv2
import numpy as np

from realism.images import to_srgb
from training.finder.texture import blur


def expose(light: np.ndarray, softness: float) -> np.ndarray:
    """Linear light as sRGB, 0..255, blurred: what a camera sees."""
    # A shoulder instead of a hard clip.
    light = np.where(light < 0.7, light, 0.7 + 0.3 * (1 - np.exp(-(light - 0.7) / 0.3)))
    return to_srgb(blur(light.astype(np.float32), softness))


def photograph(
    rng: np.random.Generator, light: np.ndarray, softness: float, own_part: float = 1.0
) -> np.ndarray:
    """What a camera and a file make of linear light: (h, w, 3) uint8 sRGB.

    Parameters
    ----------
    light : (h, w, 3) float32
    softness : float, px
    own_part : float, 0..1
        Resolution of the picture that was painted on over the light's: mostly it is kept, or the
        paint would be sharper than all around it.
    """
    u = rng.uniform
    picture = expose(light, softness) / 255
    shape = picture.shape[:2]
    is_soft = own_part < 1 and rng.random() < 0.5
    if is_soft or rng.random() < 0.5:  # a small face, brought to the finder's size
        part = min(1.0, own_part * u(0.85, 1.4)) if is_soft else u(0.3, 0.9)
        small = cv2.resize(picture, None, fx=part, fy=part, interpolation=cv2.INTER_AREA)
        way = cv2.INTER_CUBIC if rng.random() < 0.6 else cv2.INTER_LINEAR
        picture = cv2.resize(small, shape[::-1], interpolation=way)
    if rng.random() < 0.35:
        picture = picture + u(0.3, 1.2) * (picture - blur(picture, u(0.8, 2)))
    grain = rng.standard_normal((*shape, 3), dtype=np.float32)
    grain = grain * 0.6 + grain[..., :1] * 0.6
    if rng.random() < 0.5:
        grain = blur(grain, u(0.4, 1.0)) * 1.6
    picture = picture + grain * np.float32(abs(rng.normal(0, 0.012)))
    if rng.random() < 0.4:
        picture = (picture - 0.5) * u(0.8, 1.25) + 0.5
    pixels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.7:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(u(55, 98))]
        coded = cv2.imencode(".jpg", pixels[..., ::-1], quality)[1]
        pixels = np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])
    return pixels
