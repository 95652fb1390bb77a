"""A mark in a photo, taken to the 3D head that all photos of a person share."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.spatial import cKDTree

from realism.head.geometry import Head, SurfacePoint
from realism.head.model import load_model
from realism.marks.mark import Mark, Wrinkle

# Where marks go.
LEAST_PHOTO_FACING = 0.25  # cosine in the photo; seen flatter, a mark is smeared
SAME_MARK_MM = 6.0  # mm; sightings of several photos that near are one mark
SURE_FACING = 0.6  # cosine in the photo from which a place is sharp

# The mark passport: when a mark is believed, and when a photo shows skin well.
ENOUGH_CHANCES = 3  # photos that could show it: fewer had hardly a chance to
BELIEVED = 2  # of those, photos that must show a mark; else it is off
MIRROR_MARKS = 3  # round marks that agree mirrored: a mirrored photo

Seen = TypeVar("Seen")


@dataclass(frozen=True, eq=False)
class Sighting:
    """One mark in one photo, taken to the head.

    mark      px of its photo;  photo    that photo's name
    place     on the head
    course    of a wrinkle, points of it on the head; () for round marks
    at        (3,) mm on the mean head, where photos and people can be compared
    trail     (n, 3) mm, likewise the course
    size      mm, radius; of a wrinkle half its width
    facing    cosine between the skin and the line of sight
    worth     how good a view of the mark it is: (facing px / mm)²
    """

    mark: Mark
    photo: str
    place: SurfacePoint
    course: tuple[SurfacePoint, ...]
    at: np.ndarray
    trail: np.ndarray
    size: float
    facing: float
    worth: float

    @property
    def is_line(self) -> bool:
        """Whether it is a wrinkle that has a course."""
        return len(self.course) > 0


def sighting_of(mark: Mark, photo: str, head: Head) -> Sighting | None:
    """A photo's mark on the head fitted to it; None beside the head."""
    place = head.surface_point_at(mark.xy)
    line = mark.polyline if isinstance(mark, Wrinkle) else np.zeros((0, 2))
    course = tuple(
        found for point in line[:: max(1, len(line) // 12)]
        if (found := head.surface_point_at(point)) is not None
    )  # fmt: skip
    if place is None or (len(line) and len(course) < 2):
        return None
    mm, facing = head.mm_per_px_at(place), head.project(place).facing
    return Sighting(
        mark, photo, place, course, mean_point(place),
        np.array([*map(mean_point, course)]).reshape(-1, 3), mark.radius * mm, facing,
        (max(facing, 0.05) / mm) ** 2,
    )  # fmt: skip


def mean_point(place: SurfacePoint) -> np.ndarray:
    """(3,) mm: a place on the mean head."""
    return place.weights @ load_model().mean[load_model().triangles[place.triangle]]


def gap(one: Sighting, other: Sighting) -> float:
    """mm between two sightings of different photos; infinite where they cannot be one mark."""
    if one.is_line != other.is_line:
        return np.inf
    if one.is_line:
        return apart(one.trail, other.trail)
    return float(np.linalg.norm(one.at - other.at)) * vagueness(one.facing, other.facing)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """How far two traced lines (n, k) and (m, k) lie apart.

    Traced twice a wrinkle is seldom as long: the shorter must lie along the longer.
    """
    gaps = np.linalg.norm(one[:, None] - other[None], axis=2)
    return float(min(np.median(gaps.min(0)), np.median(gaps.min(1))))


def vagueness(one: float | np.ndarray, other: float | np.ndarray) -> float | np.ndarray:
    """What a distance between sightings with these facings counts, 0.3..1.

    Seen edge-on a mark's place on the head is vague: a px to the side is millimetres there.
    """
    return np.clip(np.minimum(one, other) / SURE_FACING, 0.3, 1)


def grouped(
    sighted: Iterable[Seen], distance: Callable[[Seen, Seen], float], reach: float
) -> list[list[Seen]]:
    """Sightings that are one mark, each with the group whose best lies nearest within `reach`.

    sighted     things with a `photo`, the best first: each group begins with its best. Two of one
                photo are two marks
    distance    between two of them; infinite where they cannot be one mark
    """
    groups: list[list[Seen]] = []
    for one in sighted:
        open_to_it = [g for g in groups if all(member.photo != one.photo for member in g)]
        gaps = [distance(one, group[0]) for group in open_to_it]
        nearest = int(np.argmin(gaps)) if gaps else 0
        if gaps and gaps[nearest] < reach:
            open_to_it[nearest].append(one)
        else:
            groups.append([one])
    return groups


def mirrored(sighted: list[Sighting], photos: list[str]) -> set[str]:
    """Names of photos whose marks agree with the others' when mirrored, and hardly otherwise."""
    found: set[str] = set()
    round_marks = [one for one in sighted if not one.is_line]
    for photo in photos:
        own = np.array([one.at for one in round_marks if one.photo == photo])
        rest = np.array(
            [one.at for one in round_marks if one.photo != photo and one.photo not in found]
        )
        if len(own) < MIRROR_MARKS or not len(rest):
            continue
        tree = cKDTree(rest)
        # Marks on the middle line agree either way and say nothing.
        own = own[np.abs(own[:, 0]) > SAME_MARK_MM]
        plain = int((tree.query(own)[0] < SAME_MARK_MM).sum()) if len(own) else 0
        turned = int((tree.query(own * [-1, 1, 1])[0] < SAME_MARK_MM).sum()) if len(own) else 0
        if turned >= MIRROR_MARKS and turned > 2 * plain:
            found.add(photo)
    return found
