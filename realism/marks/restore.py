"""Put a person's marks back into a portrait.

Two phases. `prepare` finds every mark's place (`locate`), measures it in its photos and lays it
on the portrait's pixels (`lay`): slow, once. `blend` mixes the laid patches into the portrait
under the sliders: fast, on every move. Two methods: `ratio` (ours, `ratio.py` and `fold.py`) and
`paste` (the original entry's, `paste.py`). Pixels outside the patches are never touched, and a
strength of 0 gives the portrait back bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from realism.errors import Unusable
from realism.faces.face import Face
from realism.faces.head import Head, fit_person
from realism.marks.fold import GREY, window
from realism.marks.mark import Mark
from realism.marks.paste import match_brightness
from realism.marks.patch import (
    Ground,
    Patch,
    fade,
    fold_patch,
    paste_patch,
    round_patch,
)
from realism.marks.place import Placement, merge, place
from realism.marks.ratio import DARKEST
from realism.marks.register import grid_of, register
from realism.marks.relief import carried, light_of
from realism.photos import to_linear, to_srgb
from realism.settings import ATLAS, RATIO

METHODS = ("ratio", "paste")


@dataclass(frozen=True, eq=False)
class Source:
    """A photo of the person with its marks.

    name      the photo's file name
    pixels    (H, W, 3) uint8 sRGB
    face      the person's Face in it
    skin      (H, W) float32 0..1, from `faces.skin.skin_mask`
    marks     its marks, found or given
    ground    the picture as its marks are measured in it; made here, kept when marks change
    """

    name: str
    pixels: np.ndarray
    face: Face
    skin: np.ndarray
    marks: list[Mark]
    ground: Ground | None = None

    def __post_init__(self):
        if self.ground is None or self.ground.pixels is not self.pixels:
            object.__setattr__(self, "ground", Ground(self.pixels, self.face, self.skin))


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


@dataclass(frozen=True, eq=False)
class Prepared:
    """A portrait with its marks placed and measured; `blend` needs nothing else.

    portrait      (H, W, 3) uint8 sRGB
    placements    every mark, those that cannot be shown too
    patches       of the visible ones
    method        one of METHODS
    """

    portrait: np.ndarray
    placements: tuple[Placement, ...]
    patches: tuple[Patch, ...]
    method: str


def prepare(
    portrait: np.ndarray,
    face: Face,
    skin: np.ndarray,
    sources: list[Source],
    method: str = "ratio",
    placement: str = "head",
) -> Prepared:
    """Place and measure all marks of the photos: the slow phase.

    portrait     (H, W, 3) uint8 sRGB;  face, skin    its Face and (H, W) 0..1 skin mask
    method       one of METHODS;  placement    one of `place.PLACEMENTS`
    Raises Unusable for another method or placement.
    """
    if method not in METHODS:
        raise Unusable(f"Unknown method {method!r}: use one of {', '.join(METHODS)}.")
    own = Ground(portrait, face, skin)
    return lay(own, sources, locate(own, sources, placement), method)


def locate(own: Ground, sources: list[Source], placement: str = "head") -> list[Placement]:
    """Where every mark of the photos goes in the portrait `own`."""
    heads, shifts = [None] * len(sources), [None] * len(sources)
    if placement == "head" and sources:
        heads = _heads(own, sources)
        grid = grid_of(own.pixels, heads[0][1])
        shifts = [
            register(source.pixels, here, grid) if source.marks else None
            for source, (here, _) in zip(sources, heads, strict=True)
        ]
    own_light = None
    placed = []
    for source, pair, shift in zip(sources, heads, shifts, strict=True):
        spots = place(
            source.marks, source.name, source.face, own.face, own.wide, placement, pair, shift
        )  # fmt: skip
        if pair is not None and any(len(mark.line) for mark in source.marks):
            if own_light is None:
                own_light = light_of(own.light @ GREY, own.wide, pair[1])
            grey = source.ground.light @ GREY
            lights = light_of(grey, source.skin, pair[0]), own_light
            spots = [_under(spot, pair, lights) for spot in spots]
        placed += spots
    return merge(placed, own.face) if len(sources) > 1 else placed


def _under(
    spot: Placement, heads: tuple[Head, Head], lights: tuple[np.ndarray, np.ndarray]
) -> Placement:
    """A wrinkle's placement with what expression and light leave of it; others as they are."""
    if len(spot.mark.line) < 2:
        return spot
    left, turned = carried(spot.mark.line.astype(np.float64), heads, lights)
    return replace(spot, left=left, turned=turned)


def lay(
    own: Ground, sources: list[Source], placed: list[Placement], method: str = "ratio"
) -> Prepared:
    """Measure the marks in their photos and lay them at their places in the portrait `own`.

    placed    of `locate`; those that are not visible are kept, and not laid
    """
    marked = {source.name: (source.ground, source.marks) for source in sources}
    patches, told = [], list(placed)
    for index, spot in enumerate(placed):
        if not spot.visible:
            continue
        if method == "paste":
            patch = paste_patch(index, spot, marked[spot.photo][0].pixels, own.wide)
        elif len(spot.mark.line) > 1:
            patch = fold_patch(index, spot, marked[spot.photo][0], own)
        else:
            patch = round_patch(index, spot, marked, own)
        if patch is not None:
            patches.append(patch)
        else:
            told[index] = replace(spot, visible=False, reason="too little skin around it")
    return Prepared(own.pixels, tuple(told), tuple(patches), method)


def rare(placements: Sequence[Placement], photos: int, least: int = ATLAS.believed) -> list[int]:
    """The marks to begin without: those that fewer than `least` of the photos show.

    One sighting among many is a pimple of that day or a speck. Of fewer than three photos each may
    be the only one that could show a mark; and what a person placed by hand (score 1) is meant.

    photos    how many were looked at
    ->        indices into `placements`
    """
    if photos < ATLAS.enough_chances:
        return []
    return [
        index
        for index, one in enumerate(placements)
        if one.sightings < least and one.mark.score < 1
    ]


def _heads(own: Ground, sources: list[Source]) -> list[tuple[Head, Head]]:
    """For each photo its head and the portrait's, all fitted together: it is one person."""
    fitted = fit_person([own.steady, *(source.ground.steady for source in sources)])
    return [(head, fitted[0]) for head in fitted[1:]]


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
        radius = np.sqrt((patch.rim < 1).sum() / np.pi) / RATIO.reach
        sigma = sliders.denoise * min(1.5, RATIO.smoothing * radius)
        ratio = cv2.GaussianBlur(ratio, (0, 0), max(sigma, 0.05))
    inner = 0.9 - 0.8 * sliders.edge_softness
    ratio = ratio * (strength * fade(patch.rim, inner) * patch.skin)[..., None]
    light = to_linear(below) + DARKEST
    factor = np.exp(ratio)
    own = light * factor
    # Without matching, the mark takes away as much light as it took in the photo.
    as_in_photo = light + patch.bare * (factor - 1)
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
