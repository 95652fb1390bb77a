"""Place a person's marks in a portrait and turn them into layers: the slow phase of restoring.

`locate_marks` finds every mark's place, `build_layers` measures it in its photos and lays it over
the portrait's pixels; `prepare_restore` is both. `blend` then mixes the layers into the portrait
under the sliders: fast, on every move. Two methods: `ratio` (ours, `quotient.py` and
`wrinkle.py`) and `paste` (the original entry's, `paste.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from realism.errors import InputError, Message
from realism.faces.face import Face
from realism.head.fit import fit_person
from realism.head.geometry import Head
from realism.head.registration import build_grid, register
from realism.head.shift_field import ShiftField
from realism.images import GREY
from realism.marks.coverage import are_shown
from realism.marks.observation import LEAST_OBSERVATIONS, LEAST_VISIBLE_IN
from realism.marks.photo import MarkedPhoto, PhotoAnalysis
from realism.marks.restore.layers import (
    PasteLayer,
    RatioLayer,
    build_paste_layer,
    build_round_layer,
    build_wrinkle_layer,
)
from realism.marks.restore.merge import merge_placements
from realism.marks.restore.placement import Placement, place_marks
from realism.marks.restore.relight import estimate_light, estimate_relighting

METHODS = ("ratio", "paste")
# Score of a mole or spot that one photo shows. Of 14 such places found on newly rendered people,
# with scores from 0.52 on, all were marks.
SURE_ALONE = 0.6
# A fold of which the portrait's expression leaves less than this is one of the photo's expression,
# where no more than so many of the photos that could show it do. Set on eight newly rendered people
# (seed 5103): of 10 folds that were none of theirs 5 are left, of 118 others 117.
SMOOTH, OFTEN = 0.75, 0.5
FILLED = 1.5  # of a mark's radius: what is filled in
FILL_FROM = 3  # px beside it, from which it is filled


@dataclass(frozen=True, eq=False)
class LayeredPortrait:
    """A portrait and its marks as layers over it; `blend` needs nothing else.

    Attributes
    ----------
    portrait : (H, W, 3) uint8 sRGB
        Without the marks.
    placements : tuple of Placement
        Every mark, those that cannot be shown too.
    layers : tuple of RatioLayer or PasteLayer
        Of the visible ones.
    """

    portrait: np.ndarray
    placements: tuple[Placement, ...]
    layers: tuple[RatioLayer | PasteLayer, ...]


def prepare_restore(
    portrait: np.ndarray,
    face: Face,
    skin: np.ndarray,
    photos: Sequence[MarkedPhoto],
    method: str = "ratio",
    placement: str = "head",
) -> LayeredPortrait:
    """Place and measure all marks of the photos: the slow phase.

    Parameters
    ----------
    portrait : (H, W, 3) uint8 sRGB
    face : Face
        The person's on it.
    skin : (H, W) float32, 0..1
        Its skin mask.
    photos : sequence of MarkedPhoto
        The person's photos with their marks.
    method : str
        One of `METHODS`.
    placement : str
        One of `placement.PLACEMENTS`.

    Raises
    ------
    InputError
        Another method or placement.
    """
    analysis = PhotoAnalysis(portrait, face, skin)
    _check_method(method)  # before the slow part
    return build_layers(analysis, photos, locate_marks(analysis, photos, placement), method)


def locate_marks(
    portrait: PhotoAnalysis, photos: Sequence[MarkedPhoto], placement: str = "head"
) -> list[Placement]:
    """Where every mark of the photos goes in the portrait, marks that several show merged.

    Parameters
    ----------
    portrait : PhotoAnalysis
    photos : sequence of MarkedPhoto
        The person's photos with their marks.
    placement : str
        One of `placement.PLACEMENTS`.

    Raises
    ------
    InputError
        Another placement.
    """
    pairs: list[tuple[Head, Head] | None] = [None] * len(photos)
    shifts: list[ShiftField | None] = [None] * len(photos)
    if placement == "head" and photos:
        # All fitted together: it is one person.
        head, *heads = fit_person(
            [portrait.head_evidence, *(photo.analysis.head_evidence for photo in photos)]
        )
        pairs = [(photo_head, head) for photo_head in heads]
        grid = build_grid(portrait.pixels, head)
        shifts = [
            register(without_round_marks(photo), photo_head, grid) if photo.marks else None
            for photo, photo_head in zip(photos, heads, strict=True)
        ]
    portrait_light, placements = None, []
    for photo, pair, shift in zip(photos, pairs, shifts, strict=True):
        faces = photo.face, portrait.face
        placed = place_marks(
            photo.marks,
            photo.name,
            *faces,
            portrait.paintable,
            placement,
            pair,
            shift,
            portrait.occluders,
        )
        if pair is not None and any(mark.is_traced for mark in photo.marks):
            if portrait_light is None:
                portrait_light = estimate_light(
                    portrait.log_light @ GREY, portrait.paintable, pair[1]
                )
            photo_light = estimate_light(photo.analysis.log_light @ GREY, photo.skin, pair[0])
            lights = photo_light, portrait_light
            placed = [_with_relighting(wrinkle, pair, lights) for wrinkle in placed]
        placements += placed
    if len(photos) > 1:
        placements = merge_placements(placements, portrait.face)
    if placement == "head":
        heads = [pair[0] for pair in pairs if pair is not None]
        placements = _with_visible_in(placements, photos, heads)
    return placements


def _with_visible_in(
    placements: list[Placement], photos: Sequence[MarkedPhoto], heads: Sequence[Head]
) -> list[Placement]:
    """The placements with how many of the photos show their places."""
    known = [n for n, placed in enumerate(placements) if placed.observation is not None]
    places = [placements[n].observation.place for n in known]  # type: ignore[union-attr]
    counts = {n: {photo for photo, _ in placements[n].appearances} for n in known}
    for photo, head in zip(photos, heads, strict=True):
        shown = are_shown(head, photo.analysis.paintable, places)
        for n in np.flatnonzero(shown):
            counts[known[n]].add(photo.name)
    return [
        replace(placed, visible_in=len(counts[n])) if n in counts else placed
        for n, placed in enumerate(placements)
    ]


def without_round_marks(photo: MarkedPhoto) -> np.ndarray:
    """The photo's pixels with its round marks filled in, to compare with skin that lacks them."""
    covered = np.zeros(photo.pixels.shape[:2], np.uint8)
    for mark in photo.marks:
        if not mark.is_traced:
            x, y = (round(float(value)) for value in mark.xy)
            cv2.circle(covered, (x, y), int(np.ceil(FILLED * mark.radius + 1)), 1, -1)
    return cv2.inpaint(photo.pixels, covered, FILL_FROM, cv2.INPAINT_TELEA)


def _with_relighting(
    placement: Placement, heads: tuple[Head, Head], lights: tuple[np.ndarray, np.ndarray]
) -> Placement:
    """A wrinkle's placement with what expression and light leave of it; others as they are."""
    if not placement.mark.is_traced:
        return placement
    polyline = placement.mark.points.astype(np.float64)
    depth_left, shading_factor = estimate_relighting(polyline, heads, lights)
    return replace(placement, depth_left=depth_left, shading_factor=shading_factor)


def build_layers(
    portrait: PhotoAnalysis,
    photos: Sequence[MarkedPhoto],
    placements: Sequence[Placement],
    method: str = "ratio",
) -> LayeredPortrait:
    """Measure the marks in their photos and lay them over the portrait at their places.

    Parameters
    ----------
    portrait : PhotoAnalysis
    photos : sequence of MarkedPhoto
        The person's photos with their marks.
    placements : sequence of Placement
        Of `locate_marks`; those that are not visible are kept, and get no layer.
    method : str
        One of `METHODS`.

    Raises
    ------
    InputError
        Another method.
    """
    _check_method(method)
    by_name = {photo.name: (photo.analysis, photo.marks) for photo in photos}
    layers, shown = [], list(placements)
    for index, placement in enumerate(placements):
        if not placement.visible:
            continue
        photo, marks = by_name[placement.photo]
        if method == "paste":
            layer = build_paste_layer(index, placement, photo, portrait)
        elif placement.mark.is_traced:
            layer = build_wrinkle_layer(index, placement, photo, marks, portrait)
        else:
            layer = build_round_layer(index, placement, by_name, portrait)
        if layer is None:
            reason = Message("little_skin_around")
            shown[index] = replace(placement, visible=False, reason=reason)
        else:
            layers.append(layer)
    return LayeredPortrait(portrait.pixels, tuple(shown), tuple(layers))


def _check_method(method: str) -> None:
    if method not in METHODS:
        raise InputError("method_not_known", method=method, choices=METHODS)


def seldom_seen(
    placements: Sequence[Placement], photos: int, least: int = LEAST_OBSERVATIONS
) -> list[int]:
    """The marks to begin without: those that too few of the photos show.

    One photo among many shows a pimple of that day or a speck, and some a fold of a smile that the
    portrait has not. Of fewer than three photos that show its place each may be the only one that
    could show a mark; a mole or spot of a high score is believed all the same, as that says what
    the others show there; and what a person placed by hand (score 1) is meant.

    Parameters
    ----------
    placements : sequence of Placement
    photos : int
        How many were looked at.
    least : int
        How many of them must show a mark.

    Returns
    -------
    list of int
        Indices into `placements`.
    """
    if photos < LEAST_VISIBLE_IN:
        return []
    usual = least <= LEAST_OBSERVATIONS

    def begins_off(placement: Placement) -> bool:
        if placement.mark.score == 1:
            return False
        if placement.photo_count < least:
            return not (usual and _is_believed_alone(placement))
        return least > 1 and _is_of_another_expression(placement)

    return [index for index, placement in enumerate(placements) if begins_off(placement)]


def _is_believed_alone(placement: Placement) -> bool:
    """Whether a mark that one photo shows is taken for the person's."""
    mark, chances = placement.mark, placement.visible_in
    if mark.is_traced:
        return False
    lasting = mark.kind != "acne" and mark.score >= SURE_ALONE
    return lasting or (chances is not None and chances < LEAST_VISIBLE_IN)


def _is_of_another_expression(placement: Placement) -> bool:
    """Whether a fold is one that the face has only when it moves as it does not in the portrait."""
    if not placement.mark.is_traced or placement.visible_in is None:
        return False
    often = placement.photo_count > OFTEN * placement.visible_in
    return placement.depth_left < SMOOTH and not often
