"""The mark passport: all marks of a person's skin on one head, from all photos.

Every photo's marks are taken to the surface of the 3D head, which all photos share; observations
that lie together there are one mark. In how many of the photos that could have shown a mark it was
seen tells a mole from a pimple of that day or a speck of dust. A photo whose marks agree with the
others only when mirrored is a mirrored selfie.
"""

from dataclasses import dataclass

import numpy as np

from realism.errors import InputError
from realism.head.fit import fit_person
from realism.head.geometry import Head, SurfacePoint
from realism.head.model import load_model
from realism.marks.coverage import is_shown, measure_coverage
from realism.marks.mark import KINDS, Mark, SeenMark, mark_from_json, mark_to_json
from realism.marks.observation import (
    LEAST_OBSERVATIONS,
    LEAST_PHOTO_FACING,
    LEAST_VISIBLE_IN,
    SAME_MARK_MM,
    Observation,
    distance_mm,
    find_mirrored,
    group_by_distance,
    observe_mark,
    on_mean_head,
)
from realism.marks.photo import MarkedPhoto

SCHEMA = 1


@dataclass(frozen=True, eq=False)
class AtlasMark:
    """One mark of the passport.

    Attributes
    ----------
    mark : Mark
        As its best photo shows it, in px of that photo.
    photo : str
        That photo's name.
    place : SurfacePoint
        Where it is on the head.
    polyline : tuple of SurfacePoint
        Of a wrinkle, its course on the head; () for round marks.
    radius_mm : float, mm
        Of a wrinkle half its width.
    seen_in : tuple of str
        Names of the photos that show it.
    visible_in : int
        How many photos could have shown it, these among them.
    on : bool
        Whether it is put back by default.
    appearances : tuple of (str, Mark)
        Every photo that shows it, and the mark in it; () in a passport of an older program.
    """

    mark: Mark
    photo: str
    place: SurfacePoint
    polyline: tuple[SurfacePoint, ...]
    radius_mm: float
    seen_in: tuple[str, ...]
    visible_in: int
    on: bool
    appearances: tuple[SeenMark, ...] = ()


@dataclass(frozen=True, eq=False)
class Atlas:
    """A person's marks on a head.

    Attributes
    ----------
    identity : (k,) ndarray, standard deviations
        Of the person's head.
    entries : tuple of AtlasMark
        The marks, those seen most often first.
    photos : tuple of str
        Names of the photos looked at.
    mirrored : tuple of str
        Of those, the ones that seem to be mirrored.
    coverage : dict of str to int
        For each of `coverage.REGIONS`, in how many photos it is seen well.
    """

    identity: np.ndarray
    entries: tuple[AtlasMark, ...]
    photos: tuple[str, ...]
    mirrored: tuple[str, ...]
    coverage: dict[str, int]


def build_atlas(photos: list[MarkedPhoto]) -> Atlas:
    """The passport of one person, from photos with their marks.

    Raises
    ------
    InputError
        Without photos.
    """
    if not photos:
        raise InputError("no_photo_of_marks")
    names = [photo.name for photo in photos]
    fitted = fit_person([photo.analysis.head_evidence for photo in photos])
    heads = dict(zip(names, fitted, strict=True))
    observations = [
        observation
        for photo in photos
        for mark in photo.marks
        if (observation := observe_mark(mark, photo.name, heads[photo.name])) is not None
        and observation.facing >= LEAST_PHOTO_FACING
    ]
    mirrored = find_mirrored(observations, names)
    # Marks on the wrong side would each be counted as another mark.
    agreeing = [observation for observation in observations if observation.photo not in mirrored]
    agreeing.sort(key=lambda observation: -observation.quality)
    groups = group_by_distance(agreeing, distance_mm, SAME_MARK_MM)
    skins = {photo.name: photo.analysis.paintable for photo in photos if photo.name not in mirrored}
    entries = [_atlas_mark(group, heads, skins) for group in groups]
    entries.sort(key=lambda entry: (-len(entry.seen_in), -entry.mark.score))
    return Atlas(
        heads[names[0]].identity,
        tuple(entries),
        tuple(names),
        tuple(name for name in names if name in mirrored),
        measure_coverage([heads[name] for name in skins], list(skins.values())),
    )


def _atlas_mark(
    group: list[Observation], heads: dict[str, Head], skins: dict[str, np.ndarray]
) -> AtlasMark:
    """One mark from its observations, the best first.

    Parameters
    ----------
    group : list of Observation
    heads : dict of str to Head
        Of all photos, by their names.
    skins : dict of str to (H, W) float32 ndarray, 0..1
        Of the photos that count: mirrored ones do not.
    """
    best = group[0]
    seen = {observation.photo for observation in group}
    visible = seen | {name for name in skins if is_shown(heads[name], skins[name], best.place)}
    # Once in three chances or more: a pimple of that day, or a speck.
    on = len(seen) >= LEAST_OBSERVATIONS or len(visible) < LEAST_VISIBLE_IN
    return AtlasMark(
        best.mark,
        best.photo,
        best.place,
        best.polyline,
        float(np.median([observation.radius_mm for observation in group])),
        tuple(name for name in heads if name in seen),
        len(visible),
        on,
        tuple((observation.photo, observation.mark) for observation in group),
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
                "course": [_place_to_json(place) for place in entry.polyline],
                "position_mm": [round(float(v), 2) for v in on_mean_head(entry.place)],
                "size_mm": round(entry.radius_mm, 2),
                "seen_in": list(entry.seen_in),
                "chances": entry.visible_in,
                "on": entry.on,
                "appearances": [
                    {"photo": photo, "mark": mark_to_json(mark)}
                    for photo, mark in entry.appearances
                ],
            }
            for entry in atlas.entries
        ],
    }


def atlas_from_json(value: dict) -> Atlas:
    """The passport of `atlas_to_json`.

    Raises
    ------
    InputError
        When it is none, or one of a newer program.
    """
    try:
        if value["schema"] > SCHEMA:
            raise InputError("passport_of_newer_program")
        entries = tuple(
            AtlasMark(
                mark_from_json(entry["mark"]),
                entry["photo"],
                _place_from_json(entry["place"]),
                tuple(map(_place_from_json, entry["course"])),
                float(entry["size_mm"]),
                tuple(entry["seen_in"]),
                int(entry["chances"]),
                bool(entry["on"]),
                tuple(
                    (seen["photo"], mark_from_json(seen["mark"]))
                    for seen in entry.get("appearances", [])
                ),
            )
            for entry in value["marks"]
        )
        return Atlas(
            np.array(value["identity"], np.float64),
            entries,
            tuple(value["photos"]),
            tuple(value["mirrored"]),
            dict(value["coverage"]),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError("not_a_passport", detail=error) from error


def _place_to_json(place: SurfacePoint) -> list:
    return [place.triangle, *(round(float(weight), 6) for weight in place.weights)]


def _place_from_json(value: list) -> SurfacePoint:
    triangle, *weights = value
    if not 0 <= int(triangle) < len(load_model().triangles) or len(weights) != 3:
        raise ValueError("a place off the head")
    return SurfacePoint(int(triangle), np.array(weights, np.float64))


def count_by_kind(atlas: Atlas) -> dict[str, int]:
    """How many marks of each kind are on."""
    on = [entry.mark.kind for entry in atlas.entries if entry.on]
    return {kind: on.count(kind) for kind in KINDS}
