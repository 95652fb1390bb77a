"""The mark passport: all marks of a person's skin on one head, from all photos.

Every photo's marks are taken to the surface of the 3D head, which all photos share; sightings that
lie together there are one mark. In how many of the photos that could have shown a mark it was
seen tells a mole from a pimple of that day or a speck of dust. A photo whose marks agree with the
others only when mirrored is a mirrored selfie.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
from scipy.spatial import cKDTree

from realism.errors import Unusable
from realism.faces.head import Head, Place, fit_person, load_model, steady_mesh
from realism.marks.mark import COLOURS, KINDS, Mark, mark_from_json, mark_to_json
from realism.marks.restore import Source
from realism.marks.surface import canvas
from realism.settings import ATLAS, PLACING

SCHEMA = 1
TURNS = (-60.0, 0.0, 60.0)  # degrees: the person's right side, the front, the left side


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
    place: Place
    course: tuple[Place, ...]
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
    coverage    for each of `REGIONS`, in how many photos it is seen well
    """

    identity: np.ndarray
    entries: tuple[Entry, ...]
    photos: tuple[str, ...]
    mirrored: tuple[str, ...]
    coverage: dict[str, int]


@dataclass(frozen=True, eq=False)
class _Sighting:
    """One mark in one photo, taken to the head: place, mm on the mean head, and its worth."""

    mark: Mark
    photo: int
    place: Place
    course: tuple[Place, ...]
    at: np.ndarray
    size: float
    facing: float
    worth: float


def build_atlas(sources: list[Source]) -> Atlas:
    """The passport of one person, from photos with their marks.

    Raises Unusable without photos.
    """
    if not sources:
        raise Unusable("Give at least one photo of the person to take the marks from.")
    pictures = [(steady_mesh(s.pixels, s.face.mesh), s.pixels.shape[:2]) for s in sources]
    heads = fit_person(pictures)
    skins = [canvas(s.pixels, s.skin, s.face) for s in sources]
    sighted = [
        one for number, source in enumerate(sources) for one in _sightings(source, number, heads)
    ]
    flipped = _mirrored(sighted, len(sources))
    # Marks on the wrong side would each be counted as another mark.
    groups = _grouped(one for one in sighted if one.photo not in flipped)
    upright = [n for n in range(len(sources)) if n not in flipped]
    entries = [_entry(group, sources, heads, skins, upright) for group in groups]
    entries.sort(key=lambda entry: (-len(entry.seen_in), -entry.mark.score))
    return Atlas(
        heads[0].identity,
        tuple(entries),
        tuple(source.name for source in sources),
        tuple(sources[number].name for number in sorted(flipped)),
        _coverage([heads[n] for n in upright], [skins[n] for n in upright]),
    )


def _sightings(source: Source, number: int, heads: list[Head]) -> Iterable[_Sighting]:
    """A photo's marks on the head; those beside it or seen too flat are left out."""
    head = heads[number]
    for mark in source.marks:
        place = head.locate(mark.xy)
        if place is None:
            continue
        facing = head.project(place).facing
        if facing < PLACING.least_photo_facing:
            continue
        course = tuple(
            found for point in mark.line[:: max(1, len(mark.line) // 12)]
            if (found := head.locate(point)) is not None
        )  # fmt: skip
        if len(mark.line) and len(course) < 2:
            continue
        mm = head.mm_per_px(place)
        yield _Sighting(
            mark, number, place, course, mean_point(place), mark.radius * mm, facing,
            (facing / mm) ** 2,
        )  # fmt: skip


def mean_point(place: Place) -> np.ndarray:
    """(3,) mm: a place on the mean head, where people and photos can be compared."""
    return place.weights @ load_model().mean[load_model().triangles[place.triangle]]


def _grouped(sightings: Iterable[_Sighting]) -> list[list[_Sighting]]:
    """Sightings that are one mark, the best view first; two of one photo never are."""
    groups: list[list[_Sighting]] = []
    for one in sorted(sightings, key=lambda one: -one.worth):
        gaps = [_gap(one, group) for group in groups]
        nearest = int(np.argmin(gaps)) if gaps else 0
        if gaps and gaps[nearest] < PLACING.same_mark:
            groups[nearest].append(one)
        else:
            groups.append([one])
    return groups


def _gap(one: _Sighting, group: list[_Sighting]) -> float:
    """mm between a sighting and a group's best; infinite where they cannot be one mark."""
    best = group[0]
    if any(member.photo == one.photo for member in group) or _is_line(one) != _is_line(best):
        return np.inf
    if _is_line(one):
        lines = [np.array([mean_point(place) for place in this.course]) for this in (one, best)]
        apart = np.linalg.norm(lines[0][:, None] - lines[1][None], axis=2)
        return float(min(np.median(apart.min(0)), np.median(apart.min(1))))
    # Seen edge-on a place is vague along the surface.
    vague = np.clip(min(one.facing, best.facing) / PLACING.sure_facing, 0.3, 1)
    return float(np.linalg.norm(one.at - best.at) * vague)


def _is_line(one: _Sighting) -> bool:
    return len(one.course) > 0


def _entry(
    group: list[_Sighting],
    sources: list[Source],
    heads: list[Head],
    skins: list[np.ndarray],
    upright: list[int],
) -> Entry:
    best = group[0]
    seen = {one.photo for one in group}
    could = seen | {n for n in upright if _shows(heads[n], skins[n], best.place)}
    # Once in three chances or more: a pimple of that day, or a speck.
    on = len(seen) > 1 or len(could) < ATLAS.enough_chances
    return Entry(
        best.mark,
        sources[best.photo].name,
        best.place,
        best.course,
        float(np.median([one.size for one in group])),
        tuple(sources[n].name for n in sorted(seen)),
        len(could),
        on,
    )


def _shows(head: Head, skin: np.ndarray, place: Place) -> bool:
    """Whether a photo shows the skin at a place well enough to see a mark there."""
    sight = head.project(place)
    x, y = np.round(sight.xy).astype(int)
    inside = 0 <= y < skin.shape[0] and 0 <= x < skin.shape[1]
    return bool(
        sight.visible and sight.facing > ATLAS.well and inside and skin[y, x] > PLACING.least_skin
    )


def _mirrored(sightings: list[_Sighting], photos: int) -> set[int]:
    """Photos whose marks agree with the others' when mirrored, and hardly otherwise."""
    found: set[int] = set()
    round_marks = [one for one in sightings if not _is_line(one)]
    for photo in range(photos):
        own = np.array([one.at for one in round_marks if one.photo == photo])
        rest = np.array(
            [one.at for one in round_marks if one.photo != photo and one.photo not in found]
        )
        if len(own) < ATLAS.mirror_marks or not len(rest):
            continue
        tree = cKDTree(rest)
        # Marks on the middle line agree either way and say nothing.
        own = own[np.abs(own[:, 0]) > PLACING.same_mark]
        plain = int((tree.query(own)[0] < PLACING.same_mark).sum()) if len(own) else 0
        turned = int((tree.query(own * [-1, 1, 1])[0] < PLACING.same_mark).sum()) if len(own) else 0
        if turned >= ATLAS.mirror_marks and turned > 2 * plain:
            found.add(photo)
    return found


# Coverage and the photo coach --------------------------------------------------------------------

# Middle of each region on the mean head, mm: x to the person's left, y up from between the eyes.
REGIONS = {
    "forehead": (0.0, 45.0), "right temple": (-62.0, 20.0), "left temple": (62.0, 20.0),
    "right cheek": (-45.0, -35.0), "left cheek": (45.0, -35.0), "nose": (0.0, -25.0),
    "right jaw": (-58.0, -62.0), "left jaw": (58.0, -62.0), "chin": (0.0, -95.0),
}  # fmt: skip
ADVICE = {
    "forehead": "with the hair off the forehead",
    "right temple": "with the head turned to the person's left, so that the right side is seen",
    "left temple": "with the head turned to the person's right, so that the left side is seen",
    "right cheek": "with the head turned a little to the person's left",
    "left cheek": "with the head turned a little to the person's right",
    "nose": "from the front",
    "right jaw": "with the head turned to the person's left and the chin up",
    "left jaw": "with the head turned to the person's right and the chin up",
    "chin": "with the chin up a little and no hand before it",
}


@cache
def _region_places() -> dict[str, Place]:
    """The front of the mean head at the middle of each region."""
    model = load_model()
    corners = model.mean[model.triangles]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    fronts = np.flatnonzero(across[:, 2] > 0)
    middles = corners[fronts].mean(1)
    places = {}
    for name, at in REGIONS.items():
        near = np.linalg.norm(middles[:, :2] - at, axis=1)
        # Several layers may lie there (inside of the mouth): the one in front.
        close = np.flatnonzero(near < near.min() + 2)
        chosen = close[middles[close, 2].argmax()]
        places[name] = Place(int(fronts[chosen]), np.full(3, 1 / 3))
    return places


def _coverage(heads: list[Head], skins: list[np.ndarray]) -> dict[str, int]:
    return {
        name: sum(_shows(head, skin, place) for head, skin in zip(heads, skins, strict=True))
        for name, place in _region_places().items()
    }


def next_photo(atlas: Atlas) -> list[str]:
    """What to photograph next: the parts that fewer than two photos show well, worst first."""
    poor = sorted((count, name) for name, count in atlas.coverage.items() if count < ATLAS.covered)
    return [name for _, name in poor]


def coach(atlas: Atlas) -> str:
    """One sentence: which parts of the face no photo shows well, and which photo to take next."""
    poor = next_photo(atlas)
    if not poor:
        return "Every part of the face is seen well in at least two photos."
    worst = poor[0]
    return (
        f"Seen well in fewer than {ATLAS.covered} photos: {', '.join(poor)}. "
        f"Take the next photo {ADVICE[worst]}."
    )


# As a picture ------------------------------------------------------------------------------------


def draw(atlas: Atlas, side: int = 520) -> np.ndarray:
    """The person's head from the right, the front and the left, (side, 3 side, 3) uint8 sRGB.

    Marks have the colours of their kinds, those that are off are grey.
    """
    return np.hstack([_drawn(atlas, turn, side) for turn in TURNS])


def _drawn(atlas: Atlas, turn: float, side: int) -> np.ndarray:
    model = load_model()
    shape = model.mean + np.tensordot(atlas.identity, model.modes[: model.people], 1)
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    turned = shape @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    scale = side / 235  # px per mm: from crown to chin
    flat = np.stack([side / 2 + turned[:, 0] * scale, side * 0.42 - turned[:, 1] * scale], 1)
    corners = turned[model.triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    fronts = np.flatnonzero(normal[:, 2] > 0)
    order = fronts[corners[fronts].mean(1)[:, 2].argsort()]  # the farthest first
    light = np.clip(normal @ np.array([0.25, 0.35, 0.9]), 0, 1)
    image = np.full((side, side, 3), 250, np.uint8)
    points = np.round(flat[model.triangles] * 16).astype(np.int32)
    for number in order:
        shade = 120 + 110 * light[number]
        cv2.fillConvexPoly(image, points[number], (shade, 0.93 * shade, 0.88 * shade), shift=4)
    for entry in reversed(atlas.entries):
        colour = COLOURS[entry.mark.kind] if entry.on else (150, 150, 150)
        trail = [_seen_at(place, flat, normal) for place in (entry.course or (entry.place,))]
        trail = [point for point in trail if point is not None]
        if entry.course and len(trail) > 1:
            line = np.round(np.array(trail) * 16).astype(np.int32).reshape(-1, 1, 2)
            cv2.polylines(image, [line], False, colour, 2, cv2.LINE_AA, 4)
        elif trail:
            at = tuple(np.round(trail[0] * 16).astype(int).tolist())
            radius = max(4.0, entry.size * scale)
            cv2.circle(image, at, round(radius * 16), colour, -1, cv2.LINE_AA, 4)
    return image


def _seen_at(place: Place, flat: np.ndarray, normal: np.ndarray) -> np.ndarray | None:
    """Where a drawn head shows a place, None where it looks away."""
    if normal[place.triangle, 2] < 0.1:
        return None
    return place.weights @ flat[load_model().triangles[place.triangle]]


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
    """The passport of `atlas_to_json`; raises Unusable when it is none."""
    try:
        if value["schema"] > SCHEMA:
            raise Unusable("The mark passport was written by a newer Realism: update this one.")
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
        raise Unusable(f"This is not a mark passport ({error}): make it anew.") from error


def _place_to_json(place: Place) -> list:
    return [place.triangle, *(round(float(weight), 6) for weight in place.weights)]


def _place_from_json(value: list) -> Place:
    triangle, *weights = value
    if not 0 <= int(triangle) < len(load_model().triangles) or len(weights) != 3:
        raise ValueError("a place off the head")
    return Place(int(triangle), np.array(weights, np.float64))


def switch(atlas: Atlas, number: int, on: bool) -> Atlas:
    """The passport with one mark switched on or off."""
    entries = list(atlas.entries)
    entries[number] = replace(entries[number], on=on)
    return replace(atlas, entries=tuple(entries))


def counts(atlas: Atlas) -> dict[str, int]:
    """How many marks of each kind are on."""
    return {kind: sum(one.on and one.mark.kind == kind for one in atlas.entries) for kind in KINDS}
