"""Mix laid marks into the portrait under the sliders: fast, on every move.

Pixels outside the layers are never touched, and a strength of 0 gives the portrait back bit for
bit.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from realism.images import DARKEST, to_linear, to_srgb
from realism.marks.restore.layers import Patch, fade
from realism.marks.restore.paste import match_brightness
from realism.marks.restore.prepare import Prepared
from realism.marks.restore.quotient import REACH
from realism.marks.restore.wrinkle import window

# How marks are measured and laid on by `method="ratio"`.
DENOISE_LIMIT = 0.75  # of a mark's radius: sigma at most of the denoise slider


@dataclass(frozen=True)
class Sliders:
    """What the page's sliders say. Strengths run from 0 (off) over 1 (as in the photo) to 1.5.

    brightness_match    0..1; ratio: how far a mark takes the portrait's light, rather than
                        darken by as much as it did in the photo. paste: how far the patch is
                        shifted to the portrait's brightness
    denoise             0..1; smooths the photo's grain out of the mark, sigma up to 1.5 px, and
                        never more than three quarters of the mark's radius
    edge_softness       0..1; how much of the mark's rim fades into the skin
    """

    overall: float = 1.0
    mole: float = 1.0
    spot: float = 1.0
    acne: float = 1.0
    wrinkle: float = 1.0
    brightness_match: float = 1.0
    denoise: float = 0.25
    edge_softness: float = 0.5

    def strength(self, kind: str) -> float:
        """The strength at which marks of a kind are put on."""
        return self.overall * getattr(self, kind)


def blend(
    prepared: Prepared, sliders: Sliders = Sliders(), off: frozenset[int] = frozenset()
) -> np.ndarray:
    """The portrait with its marks: the fast phase.

    off    indices of placements that are switched off
    ->     (H, W, 3) uint8 sRGB
    """
    pixels = prepared.portrait.copy()
    patches = [
        patch
        for patch in prepared.patches
        if sliders.strength(patch.kind) > 0 and patch.placement not in off
    ]
    if prepared.method == "ratio":
        patches = _shared_out(patches, pixels.shape[:2])
    for patch in patches:
        area, strength = patch.area, sliders.strength(patch.kind)
        if patch.log_ratio is not None:
            mixed = _multiplied(pixels[area], patch, strength, sliders)
        else:
            mixed = _pasted(pixels[area], patch, strength, sliders)
        pixels[area] = np.where((patch.rim < 1)[..., None], mixed, pixels[area])
    return pixels


def _shared_out(patches: list[Patch], shape: tuple[int, int]) -> list[Patch]:
    """Patches of folds that lie side by side, each with its share of what both reach.

    Across its line a fold brings the flank of its neighbour along: twice would be too deep.
    """
    most, total = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for patch in (one for one in patches if one.kind == "wrinkle"):
        say = window(patch.rim)
        most[patch.area] = np.maximum(most[patch.area], say)
        total[patch.area] += say
    share = most / np.maximum(total, 1e-6)
    return [
        replace(one, log_ratio=one.log_ratio * share[one.area][..., None])
        if one.kind == "wrinkle"
        else one
        for one in patches
    ]


def _multiplied(below: np.ndarray, patch: Patch, strength: float, sliders: Sliders) -> np.ndarray:
    """Pixels under a ratio patch, (h, w, 3) uint8."""
    ratio = patch.log_ratio
    if sliders.denoise > 0:
        # A small mark must not be smoothed away: never by more than a share of its own radius.
        radius = np.sqrt((patch.rim < 1).sum() / np.pi) / REACH
        sigma = sliders.denoise * min(1.5, DENOISE_LIMIT * radius)
        ratio = cv2.GaussianBlur(ratio, (0, 0), max(sigma, 0.05))
    inner = 0.9 - 0.8 * sliders.edge_softness
    ratio = ratio * (strength * fade(patch.rim, inner) * patch.skin)[..., None]
    light = to_linear(below) + DARKEST
    factor = np.exp(ratio)
    own = light * factor
    # Without matching, the mark takes away as much light as it took in the photo.
    as_in_photo = light + (patch.bare + DARKEST) * (factor - 1)
    mixed = sliders.brightness_match * own + (1 - sliders.brightness_match) * as_in_photo
    return np.rint(to_srgb(mixed - DARKEST)).astype(np.uint8)


def _pasted(below: np.ndarray, patch: Patch, strength: float, sliders: Sliders) -> np.ndarray:
    """Pixels under a pasted patch, (h, w, 3) uint8."""
    pixels = match_brightness(patch.pixels, patch.beside, below, sliders.brightness_match)
    if sliders.denoise > 0:
        pixels = cv2.GaussianBlur(pixels, (0, 0), 0.1 + 1.4 * sliders.denoise)
    soft = cv2.GaussianBlur(
        (patch.rim < 0.75).astype(np.float32), (0, 0), 0.3 + 2 * sliders.edge_softness
    )
    cover = np.clip(soft * min(strength, 1.0) * patch.skin, 0, 1)[..., None]
    return np.rint(below * (1 - cover) + pixels * cover).astype(np.uint8)
