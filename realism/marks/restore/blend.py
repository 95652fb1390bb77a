"""Mix layers of marks into the portrait under the sliders: fast, on every move.

Pixels outside the layers are never touched, and a strength of 0 gives the portrait back bit for
bit.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import cv2
import numpy as np

from realism.images import DARKEST, from_scene_light, to_scene_light
from realism.marks.mark import Wrinkle
from realism.marks.restore.falloff import fade_out
from realism.marks.restore.layers import PasteLayer, RatioLayer
from realism.marks.restore.paste import match_brightness
from realism.marks.restore.prepare import LayeredPortrait
from realism.marks.restore.quotient import REACH
from realism.marks.restore.wrinkle import CORE

LARGEST_DENOISE = 0.75  # of a mark's radius: sigma at most of the denoise slider


@dataclass(frozen=True)
class Sliders:
    """What the page's sliders say. Strengths run from 0 (off) over 1 (as in the photo) to 1.5.

    Attributes
    ----------
    overall, mole, spot, acne, wrinkle : float, 0..1.5
        Strengths: of all marks, and of each kind.
    brightness_match : float, 0..1
        Of ratio: how far a mark takes the portrait's light, rather than darken by as much as it
        did in the photo. Of paste: how far the patch is shifted to the portrait's brightness.
    denoise : float, 0..1
        Smooths the photo's grain out of the mark, sigma up to 1.5 px, and never more than three
        quarters of the mark's radius.
    edge_softness : float, 0..1
        How much of the mark's edge fades into the skin.
    """

    overall: float = 1.0
    mole: float = 1.0
    spot: float = 1.0
    acne: float = 1.0
    wrinkle: float = 1.0
    brightness_match: float = 1.0
    denoise: float = 0.1
    edge_softness: float = 0.5

    def strength(self, kind: str) -> float:
        """The strength at which marks of a kind are put on."""
        return self.overall * getattr(self, kind)


def blend(
    layered: LayeredPortrait, sliders: Sliders = Sliders(), off: Collection[int] = frozenset()
) -> np.ndarray:
    """The portrait with its marks: the fast phase.

    Parameters
    ----------
    layered : LayeredPortrait
        Of `prepare.prepare_restore`.
    sliders : Sliders
    off : collection of int
        Indices of placements that are switched off.

    Returns
    -------
    (H, W, 3) uint8 sRGB
    """
    pixels = layered.portrait.copy()
    layers = [
        layer
        for layer in layered.layers
        if sliders.strength(layer.mark.kind) > 0 and layer.placement not in off
    ]
    for layer in _share_overlaps(layers, pixels.shape[:2]):
        area, strength = layer.area, sliders.strength(layer.mark.kind)
        if isinstance(layer, RatioLayer):
            mixed = _multiply(pixels[area], layer, strength, sliders)
        else:
            mixed = _paste(pixels[area], layer, strength, sliders)
        pixels[area] = np.where((layer.falloff < 1)[..., None], mixed, pixels[area])
    return pixels


def _share_overlaps(
    layers: list[RatioLayer | PasteLayer], shape: tuple[int, ...]
) -> list[RatioLayer | PasteLayer]:
    """Ratio layers of wrinkles that lie side by side, each with its share of what both reach.

    Across its line a fold brings the flank of its neighbour along: twice would be too deep.
    """
    most, total = np.zeros(shape[:2], np.float32), np.zeros(shape[:2], np.float32)
    for layer in layers:
        if isinstance(layer, RatioLayer) and isinstance(layer.mark, Wrinkle):
            weight = fade_out(layer.falloff, CORE)
            most[layer.area] = np.maximum(most[layer.area], weight)
            total[layer.area] += weight
    share = most / np.maximum(total, 1e-6)
    return [
        replace(layer, log_ratio=layer.log_ratio * share[layer.area][..., None])
        if isinstance(layer, RatioLayer) and isinstance(layer.mark, Wrinkle)
        else layer
        for layer in layers
    ]


def _multiply(
    below: np.ndarray, layer: RatioLayer, strength: float, sliders: Sliders
) -> np.ndarray:
    """Pixels under a ratio layer, (h, w, 3) uint8."""
    ratio = layer.log_ratio
    if sliders.denoise > 0:
        # A small mark must not be smoothed away: never by more than a share of its own radius.
        radius = np.sqrt((layer.falloff < 1).sum() / np.pi) / REACH
        sigma = sliders.denoise * min(1.5, LARGEST_DENOISE * radius)
        ratio = cv2.GaussianBlur(ratio, (0, 0), max(sigma, 0.05))
    inner = 0.9 - 0.8 * sliders.edge_softness
    ratio = ratio * (strength * fade_out(layer.falloff, inner) * layer.skin)[..., None]
    light = to_scene_light(below) + DARKEST
    factor = np.exp(ratio)
    own = light * factor
    # Without matching, the mark takes away as much light as it took in the photo.
    as_in_photo = light + np.exp(layer.bare_log_light) * (factor - 1)
    mixed = sliders.brightness_match * own + (1 - sliders.brightness_match) * as_in_photo
    return np.rint(from_scene_light(mixed - DARKEST)).astype(np.uint8)


def _paste(below: np.ndarray, layer: PasteLayer, strength: float, sliders: Sliders) -> np.ndarray:
    """Pixels under a pasted layer, (h, w, 3) uint8."""
    pixels = match_brightness(layer.pixels, layer.beside, below, sliders.brightness_match)
    if sliders.denoise > 0:
        pixels = cv2.GaussianBlur(pixels, (0, 0), 0.1 + 1.4 * sliders.denoise)
    soft = cv2.GaussianBlur(
        (layer.falloff < 0.75).astype(np.float32), (0, 0), 0.3 + 2 * sliders.edge_softness
    )
    cover = np.clip(soft * min(strength, 1.0) * layer.skin, 0, 1)[..., None]
    return np.rint(below * (1 - cover) + pixels * cover).astype(np.uint8)
