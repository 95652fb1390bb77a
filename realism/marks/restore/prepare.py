"""Put a person's marks back into a portrait.

Two phases. `prepare` finds every mark's place (`locate`), measures it in its photos and lays it
on the portrait's pixels (`lay`): slow, once. `blend` mixes the laid patches into the portrait
under the sliders: fast, on every move. Two methods: `ratio` (ours, `ratio.py` and `fold.py`) and
`paste` (the original entry's, `paste.py`). Pixels outside the patches are never touched, and a
strength of 0 gives the portrait back bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from realism.errors import InputError, Message
from realism.faces.face import Face
from realism.head.fit import fit_person
from realism.head.geometry import Head
from realism.head.registration import build_grid, register
from realism.images import GREY
from realism.marks.observation import BELIEVED, ENOUGH_CHANCES
from realism.marks.photo import Ground, Source
from realism.marks.restore.layers import Patch, fold_patch, paste_patch, round_patch
from realism.marks.restore.placement import Placement, merge, place
from realism.marks.restore.relight import carried, light_of

METHODS = ("ratio", "paste")


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
    Raises InputError for another method or placement.
    """
    if method not in METHODS:
        raise InputError("method_not_known", method=method, choices=METHODS)
    own = Ground(portrait, face, skin)
    return lay(own, sources, locate(own, sources, placement), method)


def locate(own: Ground, sources: list[Source], placement: str = "head") -> list[Placement]:
    """Where every mark of the photos goes in the portrait `own`."""
    heads, shifts = [None] * len(sources), [None] * len(sources)
    if placement == "head" and sources:
        heads = _heads(own, sources)
        grid = build_grid(own.pixels, heads[0][1])
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
        if pair is not None and any(mark.is_traced for mark in source.marks):
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
    if not spot.mark.is_traced:
        return spot
    left, turned = carried(spot.mark.points.astype(np.float64), heads, lights)
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
        elif spot.mark.is_traced:
            patch = fold_patch(index, spot, marked[spot.photo][0], own)
        else:
            patch = round_patch(index, spot, marked, own)
        if patch is not None:
            patches.append(patch)
        else:
            told[index] = replace(spot, visible=False, reason=Message("little_skin_around"))
    return Prepared(own.pixels, tuple(told), tuple(patches), method)


def rare(placements: Sequence[Placement], photos: int, least: int = BELIEVED) -> list[int]:
    """The marks to begin without: those that fewer than `least` of the photos show.

    One sighting among many is a pimple of that day or a speck. Of fewer than three photos each may
    be the only one that could show a mark; and what a person placed by hand (score 1) is meant.

    photos    how many were looked at
    ->        indices into `placements`
    """
    if photos < ENOUGH_CHANCES:
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
