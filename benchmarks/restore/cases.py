"""Portraits with the photos whose marks they get, from renders whose marks are known."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data_sets.marked_people import TwinView, analyse_picture, read_views
from realism.images import open_photo
from realism.marks.mark import ROUND_KINDS
from realism.marks.photo import MarkedPhoto, PhotoAnalysis
from realism.marks.restore.prepare import (
    LayeredPortrait,
    build_layers,
    locate_marks,
    prepare_restore,
)

FACING = 0.3  # cosine: marks seen flatter are left out


@dataclass(frozen=True, eq=False)
class Case:
    """A portrait with the photos whose marks it gets."""

    person: str
    view: TwinView
    photos: list[TwinView]
    base: PhotoAnalysis
    truth: np.ndarray
    sources: list[MarkedPhoto]

    def ids(self) -> dict[int, str]:
        """The truth's name of each of the sources' marks, by the mark's own identity."""
        return {
            id(mark): name
            for photo, source in zip(self.photos, self.sources, strict=True)
            for mark, name in zip(source.marks, photo.marks(), strict=True)
        }

    def offered(self) -> list[dict]:
        """Truth of the marks in the portrait that it faces and that a photo shows well."""
        shown = {
            m
            for photo in self.photos
            for m in photo.marks()
            if photo.mark_truth(m)["facing"] > FACING
        }
        return [
            m
            for m in self.view.truth["marks"]
            if m["id"] in shown and m["visible"] and m["facing"] > FACING
        ]


def read_cases(data: Path) -> Iterator[Case]:
    """Every view as the portrait, with the next two of the person as photos."""
    for person, group in read_views(data).items():
        for index, view in enumerate(group):
            photos = [group[(index + step) % len(group)] for step in (1, 2)]
            sources = [
                MarkedPhoto(p.name, s.pixels, s.face, s.skin, list(p.marks().values()))
                for p in photos
                for s in [analyse_picture(p.marked)]
            ]
            truth = open_photo(view.marked).pixels
            yield Case(person, view, photos, analyse_picture(view.clean), truth, sources)


def prepare_case(case: Case, method: str, placement: str, true_place: bool) -> LayeredPortrait:
    """The marks laid as a user gets them, or each exactly where the truth has it."""
    base = case.base
    if not true_place:
        return prepare_restore(base.pixels, base.face, base.skin, case.sources, method, placement)
    given, ids = (PhotoAnalysis(base.pixels, base.face, base.skin), case.sources), case.ids()
    placed = []
    for spot in locate_marks(*given, placement):
        there = case.view.mark_truth(ids[id(spot.mark)])
        to = np.float32(there["xy"]) - 0.5
        line = spot.polyline
        if len(line):
            whole = np.float32(there["polyline"]) - 0.5
            # The photo shows a part of the line: the same part of the portrait's.
            photo = next(p for p in case.photos if p.name == spot.photo)
            line = whole[np.array(photo.mark_truth(ids[id(spot.mark)])["polyline_visible"], bool)]
        placed.append(replace(spot, to=to, polyline=line))
    return build_layers(*given, placed, method)


def millimetres_off(case: Case, prepared: LayeredPortrait) -> list[float]:
    """How far each round mark lies off that faces the camera in portrait and photo, put or not."""
    ids, off = case.ids(), []
    for spot in prepared.placements:
        there = case.view.mark_truth(ids[id(spot.mark)])
        faces = there["visible"] and min(there["facing"], spot.photo_facing) > FACING
        if spot.mark.kind in ROUND_KINDS and faces:
            away = np.hypot(*(spot.to - np.float32(there["xy"]) + 0.5))
            off.append(float(away) * case.view.truth["mm_per_px"])
    return off
