"""One mark seen in several photos becomes one placement, measured in its best views."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from realism.faces.face import Face, mm_per_px_from_eyes
from realism.marks.mark import Wrinkle
from realism.marks.observation import (
    SAME_MARK_MM,
    distance_mm,
    foreshortening_weight,
    group_by_distance,
    polyline_distance,
)
from realism.marks.restore.placement import Placement

WORTH_AVERAGING = 0.4  # of the best view's quality: measured there too


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
    return [_merge_group(group) for group in groups]


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
        distance *= float(foreshortening_weight(first.photo_facing, second.photo_facing))
    if first.observation is None or second.observation is None:
        return distance
    return min(distance, distance_mm(first.observation, second.observation))


def _merge_group(group: list[Placement]) -> Placement:
    """The best view, where the placements whose photos face the mark put it on average."""
    best, photos = group[0], {member.photo for member in group}
    visible = [member for member in group if member.visible]
    if len(visible) < 2 or len(best.polyline):
        return replace(best, photo_count=len(photos))
    weights = np.array([max(member.photo_facing, 0.05) ** 2 for member in visible])
    mean = (weights[:, None] * [member.to for member in visible]).sum(0) / weights.sum()
    others = tuple(
        member.view
        for member in group[1:]
        if member.view.quality > WORTH_AVERAGING * best.view.quality
        and member.mark.kind == best.mark.kind
    )
    return replace(best, to=mean.astype(np.float32), photo_count=len(photos), other_views=others)
