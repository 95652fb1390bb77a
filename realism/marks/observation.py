"""A mark in a photo, taken to the 3D head that all photos of a person share.

Each photo's head gives a mark a place on one surface, in millimetres, so that marks of several
photos can be compared: those that lie together there are one mark, and a photo whose marks fit
the others' only when mirrored is a mirrored selfie.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
from scipy.spatial import KDTree

from realism.head.geometry import Head, SurfacePoint
from realism.head.model import load_model
from realism.marks.mark import Mark, Wrinkle

# Where marks go.
LEAST_PHOTO_FACING = 0.25  # cosine in the photo; seen flatter, a mark is smeared
SAME_MARK_MM = 6.0  # mm; observations in several photos that near are one mark
SURE_FACING = 0.6  # cosine in the photo from which a place is sharp
LEAST_SEEN_FACING = -0.2  # cosine; what the head turns away further is not on its outline
VAGUEST = 0.15  # of a distance counts at least, however edge-on
POLYLINE_POINTS = 12  # of a wrinkle's course that are taken to the head, about

# The mark passport: when a mark is believed.
LEAST_VISIBLE_IN = 3  # photos that could show it: in fewer it had hardly a chance to be seen
LEAST_OBSERVATIONS = 2  # of those, photos that must show a mark; else it is off
LEAST_MIRRORED_MARKS = 3  # round marks that agree mirrored: a mirrored photo


class OfPhoto(Protocol):
    """What is known from one photo, by that photo's name."""

    @property
    def photo(self) -> str:
        """The photo's name."""
        ...


Observed = TypeVar("Observed", bound=OfPhoto)


@dataclass(frozen=True, eq=False)
class Observation:
    """One mark in one photo, taken to the head.

    Attributes
    ----------
    mark : Mark
        In px of its photo.
    photo : str
        That photo's name.
    place : SurfacePoint
        Where it is on the head.
    polyline : tuple of SurfacePoint
        Of a wrinkle, its course on the head; () for round marks.
    place_mm : (3,) ndarray, mm
        Its place on the mean head, where photos and people can be compared.
    polyline_mm : (n, 3) ndarray, mm
        Its course, likewise.
    radius_mm : float, mm
        Of a wrinkle half its width.
    facing : float
        Cosine between the skin and the line of sight.
    quality : float, (px / mm)²
        How good a view of the mark it is: the square of facing times resolution.
    head : Head
        Fitted to the photo.
    """

    mark: Mark
    photo: str
    place: SurfacePoint
    polyline: tuple[SurfacePoint, ...]
    place_mm: np.ndarray
    polyline_mm: np.ndarray
    radius_mm: float
    facing: float
    quality: float
    head: Head = field(repr=False)

    @property
    def is_traced(self) -> bool:
        """Whether it is a wrinkle whose course is known."""
        return len(self.polyline) > 0


def observe_mark(mark: Mark, photo: str, head: Head) -> Observation | None:
    """A photo's mark on the head fitted to it.

    Parameters
    ----------
    mark : Mark
        In px of the photo.
    photo : str
        The photo's name.
    head : Head
        Fitted to the photo.

    Returns
    -------
    Observation or None
        None where it lies beside the head.
    """
    place = head.surface_point_at(mark.xy)
    points = mark.polyline if isinstance(mark, Wrinkle) else np.zeros((0, 2))
    on_head = [
        head.surface_point_at(point) for point in points[:: max(1, len(points) // POLYLINE_POINTS)]
    ]
    polyline = tuple(point for point in on_head if point is not None)
    if place is None or (len(points) and len(polyline) < 2):
        return None
    mm, facing = head.mm_per_px_at(place), head.project(place).facing
    return Observation(
        mark,
        photo,
        place,
        polyline,
        on_mean_head(place),
        np.array([*map(on_mean_head, polyline)]).reshape(-1, 3),
        mark.radius * mm,
        facing,
        (max(facing, 0.05) / mm) ** 2,
        head,
    )


def on_mean_head(place: SurfacePoint) -> np.ndarray:
    """(3,) mm: where a place of any person's head is on the mean head."""
    model = load_model()
    return place.weights @ model.mean[model.triangles[place.triangle]]


def distance_mm(first: Observation, second: Observation) -> float:
    """mm between two observations in different photos; infinite where they cannot be one mark."""
    if first.is_traced != second.is_traced:
        return np.inf
    if first.is_traced:
        return polyline_distance(first.polyline_mm, second.polyline_mm)
    away = float(np.linalg.norm(first.place_mm - second.place_mm))
    sharp, vague = sorted((first, second), key=lambda seen: -seen.facing)
    if vague.facing >= SURE_FACING:
        return away
    return min(away * same_mark_weight(first.facing, second.facing), _seen_apart(sharp, vague))


def _seen_apart(sharp: Observation, vague: Observation) -> float:
    """mm between two round marks where the one that is seen edge-on has its photo.

    There its place is known across the line of sight and not along it: beside an outline the head
    may be hit far behind the mark. The other's sharp place is taken into that photo instead.
    """
    seen = vague.head.project(sharp.place)
    if seen.facing < LEAST_SEEN_FACING:
        return np.inf
    return float(np.hypot(*(seen.xy - vague.mark.xy))) * vague.head.mm_per_px_at(sharp.place)


def polyline_distance(first: np.ndarray, second: np.ndarray) -> float:
    """How far two traced lines lie apart.

    Traced twice a wrinkle is seldom as long: the shorter must lie along the longer.

    Parameters
    ----------
    first : (n, k) ndarray
    second : (m, k) ndarray
        In the same unit.

    Returns
    -------
    float
        In that unit.
    """
    away = np.linalg.norm(first[:, None] - second[None], axis=2)
    return float(min(np.median(away.min(0)), np.median(away.min(1))))


def foreshortening_weight(
    first: float | np.ndarray, second: float | np.ndarray
) -> float | np.ndarray:
    """What a distance between two observations counts, by how they were seen.

    Seen edge-on a mark's place on the head is vague: a px to the side is millimetres there.

    Parameters
    ----------
    first, second : float or ndarray
        Cosines between the skin and the line of sight.

    Returns
    -------
    float or ndarray, 0.3..1
    """
    return np.clip(np.minimum(first, second) / SURE_FACING, 0.3, 1)


def same_mark_weight(first: float, second: float) -> float:
    """What a distance counts when two observations may be one mark, 0.15..1.

    Where the head is too deep or too flat, what is seen edge-on moves along the line of sight,
    too: the weight of one px, squared.
    """
    return float(np.clip((min(first, second) / SURE_FACING) ** 2, VAGUEST, 1))


def group_by_distance(
    observed: Iterable[Observed], distance: Callable[[Observed, Observed], float], reach: float
) -> list[list[Observed]]:
    """Put together what is one mark, each with the group whose best lies nearest.

    Parameters
    ----------
    observed : iterable
        Things with a `photo`, the best first: each group begins with its best. Two of one photo
        are two marks.
    distance : callable
        Between two of them; infinite where they cannot be one mark.
    reach : float
        Least distance of two marks.
    """
    groups: list[list[Observed]] = []
    for candidate in observed:
        possible = [g for g in groups if all(member.photo != candidate.photo for member in g)]
        distances = [distance(candidate, group[0]) for group in possible]
        nearest = int(np.argmin(distances)) if distances else 0
        if distances and distances[nearest] < reach:
            possible[nearest].append(candidate)
        else:
            groups.append([candidate])
    return groups


def find_mirrored(observations: list[Observation], photos: list[str]) -> set[str]:
    """Photos whose marks agree with the others' when mirrored, and hardly otherwise.

    Parameters
    ----------
    observations : list of Observation
        In all photos.
    photos : list of str
        Their names.

    Returns
    -------
    set of str
        Names of those that are mirrored.
    """
    mirrored: set[str] = set()
    round_marks = [observation for observation in observations if not observation.is_traced]
    for photo in photos:
        own = np.array([mark.place_mm for mark in round_marks if mark.photo == photo])
        rest = np.array(
            [
                mark.place_mm
                for mark in round_marks
                if mark.photo != photo and mark.photo not in mirrored
            ]
        )
        if len(own) < LEAST_MIRRORED_MARKS or not len(rest):
            continue
        tree = KDTree(rest)
        # Marks on the middle line agree either way and say nothing.
        own = own[np.abs(own[:, 0]) > SAME_MARK_MM]
        plain, turned = (
            int((tree.query(own * side)[0] < SAME_MARK_MM).sum()) if len(own) else 0
            for side in ([1, 1, 1], [-1, 1, 1])
        )
        if turned >= LEAST_MIRRORED_MARKS and turned > 2 * plain:
            mirrored.add(photo)
    return mirrored
