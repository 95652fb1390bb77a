"""The mark passport: all marks of a person's skin on one head, from all photos.

Every photo's marks are taken to the surface of the 3D head, which all photos share; sightings that
lie together there are one mark. In how many of the photos that could have shown a mark it was
seen tells a mole from a pimple of that day or a speck of dust. A photo whose marks agree with the
others only when mirrored is a mirrored selfie.
"""

from dataclasses import dataclass

import numpy as np

from realism.errors import InputError
from realism.head.fit import fit_person
from realism.head.geometry import Head, SurfacePoint
from realism.head.model import load_model
from realism.marks.coverage import coverage_of, shows
from realism.marks.mark import KINDS, Mark, mark_from_json, mark_to_json
from realism.marks.observation import (
    BELIEVED,
    ENOUGH_CHANCES,
    LEAST_PHOTO_FACING,
    SAME_MARK_MM,
    Sighting,
    gap,
    grouped,
    mean_point,
    mirrored,
    sighting_of,
)
from realism.marks.photo import Source

SCHEMA = 1


@dataclass(frozen=True, eq=False)
class Entry:
    """One mark of the passport.

    mark         as its best photo shows it, px of that photo
    photo        that photo's name
    place        where it is on the head
    course       of a wrinkle, its points on the head; () for round marks
    size         mm, radius; of a wrinkle half its width
    seen_in      names of the photos that show it
    chances      photos that could have shown it, these among them
    on           whether it is put back by default
    """

    mark: Mark
    photo: str
    place: SurfacePoint
    course: tuple[SurfacePoint, ...]
    size: float
    seen_in: tuple[str, ...]
    chances: int
    on: bool


@dataclass(frozen=True, eq=False)
class Atlas:
    """A person's marks on a head.

    identity    (k,) of the person's head, standard deviations
    entries     the marks, those seen most often first
    photos      names of the photos looked at
    mirrored    of those, the ones that seem to be mirrored
    coverage    for each of `coverage.REGIONS`, in how many photos it is seen well
    """

    identity: np.ndarray
    entries: tuple[Entry, ...]
    photos: tuple[str, ...]
    mirrored: tuple[str, ...]
    coverage: dict[str, int]


def build_atlas(sources: list[Source]) -> Atlas:
    """The passport of one person, from photos with their marks.

    Raises InputError without photos.
    """
    if not sources:
        raise InputError("no_photo_of_marks")
    names = [source.name for source in sources]
    heads = dict(zip(names, fit_person([s.ground.steady for s in sources]), strict=True))
    sighted = [
        one
        for source in sources
        for mark in source.marks
        if (one := sighting_of(mark, source.name, heads[source.name])) is not None
        and one.facing >= LEAST_PHOTO_FACING
    ]
    flipped = mirrored(sighted, names)
    # Marks on the wrong side would each be counted as another mark.
    agreed = (one for one in sighted if one.photo not in flipped)
    groups = grouped(sorted(agreed, key=lambda one: -one.worth), gap, SAME_MARK_MM)
    skins = {s.name: s.ground.wide for s in sources if s.name not in flipped}
    entries = [_entry(group, heads, skins) for group in groups]
    entries.sort(key=lambda entry: (-len(entry.seen_in), -entry.mark.score))
    return Atlas(
        heads[names[0]].identity,
        tuple(entries),
        tuple(names),
        tuple(name for name in names if name in flipped),
        coverage_of([heads[name] for name in skins], list(skins.values())),
    )


def _entry(group: list[Sighting], heads: dict[str, Head], skins: dict[str, np.ndarray]) -> Entry:
    """One mark; heads and skins of the photos, by their names, those that count."""
    best = group[0]
    seen = {one.photo for one in group}
    could = seen | {name for name in skins if shows(heads[name], skins[name], best.place)}
    # Once in three chances or more: a pimple of that day, or a speck.
    on = len(seen) >= BELIEVED or len(could) < ENOUGH_CHANCES
    return Entry(
        best.mark,
        best.photo,
        best.place,
        best.course,
        float(np.median([one.size for one in group])),
        tuple(name for name in heads if name in seen),
        len(could),
        on,
    )


# As JSON -----------------------------------------------------------------------------------------


def atlas_to_json(atlas: Atlas, version: int = 1) -> dict:
    """The passport as plain JSON values.

    A place is a triangle of the head with the weights of its corners, and mm on the mean head.
    """
    return {
        "schema": SCHEMA,
        "version": version,
        "photos": list(atlas.photos),
        "mirrored": list(atlas.mirrored),
        "coverage": atlas.coverage,
        "identity": [round(float(value), 4) for value in atlas.identity],
        "marks": [
            {
                "mark": mark_to_json(entry.mark),
                "photo": entry.photo,
                "place": _place_to_json(entry.place),
                "course": [_place_to_json(place) for place in entry.course],
                "position_mm": [round(float(v), 2) for v in mean_point(entry.place)],
                "size_mm": round(entry.size, 2),
                "seen_in": list(entry.seen_in),
                "chances": entry.chances,
                "on": entry.on,
            }
            for entry in atlas.entries
        ],
    }


def atlas_from_json(value: dict) -> Atlas:
    """The passport of `atlas_to_json`; raises InputError when it is none."""
    try:
        if value["schema"] > SCHEMA:
            raise InputError("passport_of_newer_program")
        entries = tuple(
            Entry(
                mark_from_json(one["mark"]), one["photo"], _place_from_json(one["place"]),
                tuple(map(_place_from_json, one["course"])), float(one["size_mm"]),
                tuple(one["seen_in"]), int(one["chances"]), bool(one["on"]),
            )
            for one in value["marks"]
        )  # fmt: skip
        return Atlas(
            np.array(value["identity"], np.float64), entries, tuple(value["photos"]),
            tuple(value["mirrored"]), dict(value["coverage"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError("not_a_passport", detail=error) from error


def _place_to_json(place: SurfacePoint) -> list:
    return [place.triangle, *(round(float(weight), 6) for weight in place.weights)]


def _place_from_json(value: list) -> SurfacePoint:
    triangle, *weights = value
    if not 0 <= int(triangle) < len(load_model().triangles) or len(weights) != 3:
        raise ValueError("a place off the head")
    return SurfacePoint(int(triangle), np.array(weights, np.float64))


def counts(atlas: Atlas) -> dict[str, int]:
    """How many marks of each kind are on."""
    return {kind: sum(one.on and one.mark.kind == kind for one in atlas.entries) for kind in KINDS}
