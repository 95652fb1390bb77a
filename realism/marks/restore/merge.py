"""One mark seen in several photos becomes one placement, measured in its best views."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from realism.faces.face import Face, mm_per_px_from_eyes
from realism.marks.mark import Wrinkle
from realism.marks.observation import (
    SAME_MARK_MM,
    distance_mm,
    group_by_distance,
    polyline_distance,
    same_mark_weight,
)
from realism.marks.restore.placement import Placement

WORTH_AVERAGING = 0.4  # of the best view's quality: measured there too
MEAN_STEPS = 4  # of reweighting


def merge_placements(placements: Sequence[Placement], portrait_face: Face) -> list[Placement]:
    """Merge placements of one mark in several photos into one, from its best view.

    Marks of one sort (round, wrinkle) from different photos that lie within `SAME_MARK_MM`
    mm of each other, in the portrait or on the head, are one; of them the view that faces the
    camera best and has the most pixels is kept, at the mean place. Two marks of one photo never
    merge.

    Parameters
    ----------
    placements : sequence of Placement
        Of all photos in the portrait.
    portrait_face : Face
        The person's in the portrait.
    """
    mm_per_px = mm_per_px_from_eyes(portrait_face)
    ordered = sorted(placements, key=_quality, reverse=True)
    groups = group_by_distance(
        ordered, lambda first, second: _distance_mm(first, second, mm_per_px), SAME_MARK_MM
    )
    return [_merge_group(group, mm_per_px) for group in groups]


def _quality(placement: Placement) -> float:
    # Visible ones first: a view that cannot be placed must not hide one that can.
    return placement.visible * 100 + placement.view.quality


def _distance_mm(first: Placement, second: Placement, mm_per_px: float) -> float:
    """mm between two placements; infinite where they cannot be one mark.

    In the portrait or on the head, whichever is less: a smeared portrait may have pulled the
    two photos' views apart, and heads alone are less exact than their map to a sharp one.
    """
    if isinstance(first.mark, Wrinkle) != isinstance(second.mark, Wrinkle):
        return np.inf
    if len(first.polyline) and len(second.polyline):
        distance = polyline_distance(first.polyline, second.polyline) * mm_per_px
    else:
        distance = float(np.hypot(*(first.to - second.to))) * mm_per_px
        distance *= same_mark_weight(first.photo_facing, second.photo_facing)
    if first.observation is None or second.observation is None:
        return distance
    return min(distance, distance_mm(first.observation, second.observation))


def _merge_group(group: list[Placement], mm_per_px: float) -> Placement:
    """The best view, where the placements put it on average, the surest most."""
    best, appearances = group[0], tuple((member.photo, member.mark) for member in group)
    visible = [member for member in group if member.visible]
    if len(visible) < 2 or len(best.polyline):
        return replace(best, appearances=appearances)
    mean = _robust_mean(
        np.array([member.to for member in visible], np.float64),
        np.array([member.deviation for member in visible]) / mm_per_px,
    )
    others = tuple(
        member.view
        for member in group[1:]
        if member.view.quality > WORTH_AVERAGING * best.view.quality
        and member.mark.kind == best.mark.kind
    )
    to = mean.astype(np.float32)
    return replace(best, to=to, appearances=appearances, other_views=others)


def _robust_mean(places: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """Where views of one mark put it together: (2,) px.

    One that the others contradict weighs less (Cauchy).

    places        (n, 2) px of the portrait
    deviations    (n,) px by which each is off
    """
    weights = 1 / deviations**2
    for _ in range(MEAN_STEPS):
        mean = weights @ places / weights.sum()
        off = np.linalg.norm(places - mean, axis=1) / deviations
        weights = 1 / (deviations**2 * (1 + off**2))
    return weights @ places / weights.sum()
