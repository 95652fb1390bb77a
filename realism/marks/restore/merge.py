"""One mark seen in several photos becomes one placement, measured in its best views."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial import KDTree

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
from realism.marks.restore.wrinkle import even_parameters, interpolate_polyline, polyline_normals

WORTH_AVERAGING = 0.4  # of the best view's quality: measured there too
MEAN_STEPS = 4  # of reweighting
# How much a fold's view in quite another light is worth: 0.2 / 2.2 of one in the portrait's. It
# changes sides there, and what of it is the valley's own shade is not known well.
OTHER_LIGHT = 1.2
BESIDE = 0.3  # of a line beside another in one photo: they are two
FIRM = 0.05  # of a line's points: keeps what only its ends tell, its place along itself


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
    joined = _join_split(groups, mm_per_px)
    return [_merge_group(group, mm_per_px, _other_parts(group, joined)) for group in joined]


def _join_split(groups: list[list[Placement]], mm_per_px: float) -> list[list[Placement]]:
    """Groups of which no photo shows both, and whose mean places are near, made one.

    The first two views of a mark may lie too far apart for one, and the others join either.
    """
    joined: list[list[Placement]] = []
    for group in groups:
        for other in joined:
            both = sorted(other + group, key=_quality, reverse=True)
            if len({member.photo for member in both}) < len(both):
                continue
            if _means_apart(other, group, mm_per_px) < SAME_MARK_MM:
                other[:] = both
                break
        else:
            joined.append(group)
    return joined


def _other_parts(group: list[Placement], groups: list[list[Placement]]) -> list[Placement]:
    """What else photos show of a group's fold.

    A photo that shows a fold in two parts has two marks of it, and one that shows it whole is
    joined with one of them: the other would be laid beside it.
    """
    if not len(group[0].polyline):
        return []
    return [
        other
        for others in groups
        if others is not group and _are_parts_of_one(group, others)
        for other in others
    ]


def _are_parts_of_one(first: list[Placement], second: list[Placement]) -> bool:
    """Whether no photo shows two groups of folds beside each other, and one at least shows both."""
    shown = {member.photo: member.mark.points for member in first}
    twice = [member for member in second if len(member.polyline) and member.photo in shown]
    return bool(twice) and not any(
        _beside(member.mark.points, shown[member.photo])[0].mean() > BESIDE for member in twice
    )


def _means_apart(first: list[Placement], second: list[Placement], mm_per_px: float) -> float:
    """mm between the mean places of two groups; infinite of folds and of unlike kinds."""
    best = first[0], second[0]
    if any(len(member.polyline) for member in best) or best[0].mark.kind != best[1].mark.kind:
        return np.inf
    means = [_merge_group(group, mm_per_px).to for group in (first, second)]
    return float(np.hypot(*(means[0] - means[1]))) * mm_per_px


def _quality(placement: Placement) -> float:
    # A fold is measured best where expression and light are as the portrait's.
    alike = placement.depth_left * (OTHER_LIGHT + placement.shading_factor) / (OTHER_LIGHT + 1)
    # Visible ones first: a view that cannot be placed must not hide one that can.
    return placement.visible * 100 + placement.view.quality * alike


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


def _merge_group(
    group: list[Placement], mm_per_px: float, other_parts: Sequence[Placement] = ()
) -> Placement:
    """The best view, where the placements put it on average, the surest most.

    Of a fold, `other_parts` lie on the same line.
    """
    best, appearances = group[0], tuple((member.photo, member.mark) for member in group)
    visible = [member for member in (*group, *other_parts) if member.visible]
    if len(visible) < 2 or not best.visible:
        return replace(best, appearances=appearances)
    if len(best.polyline):
        shift = _fold_shift(best, visible, mm_per_px).astype(np.float32)
        to, polyline = best.to + shift, best.polyline + shift
        return replace(best, to=to, polyline=polyline, appearances=appearances)
    deviations = np.array([member.deviation for member in visible]) / mm_per_px
    mean = _robust_mean(np.array([member.to for member in visible], np.float64), deviations)
    # Photos call one mark a mole or a spot as it seems; a pimple is another thing.
    others = tuple(
        member.view
        for member in group[1:]
        if member.view.quality > WORTH_AVERAGING * best.view.quality
        and (member.mark.kind == "acne") == (best.mark.kind == "acne")
    )
    to = mean.astype(np.float32)
    return replace(best, to=to, appearances=appearances, other_views=others)


def _fold_shift(best: Placement, fold: list[Placement], mm_per_px: float) -> np.ndarray:
    """From the line of the best view of a fold to the mean line of all photos: (2,) px."""
    gaps: dict[str, list[np.ndarray]] = {}
    deviations = {}
    for member in fold:
        # Its own line is there however short: one of a px or two lies beside none, itself neither.
        own = member is best
        gap = np.zeros(2) if own else _gap_between(best.polyline, member.polyline)
        if gap is not None and np.hypot(*gap) * mm_per_px < SAME_MARK_MM:
            gaps.setdefault(member.photo, []).append(gap)
            deviations[member.photo] = member.deviation / mm_per_px
    # A photo that shows it in parts says it once.
    means = np.array([np.mean(parts, axis=0) for parts in gaps.values()])
    return _robust_mean(means, np.array([*deviations.values()]))


def _gap_between(course: np.ndarray, other: np.ndarray) -> np.ndarray | None:
    """How far a second line of one fold lies from the first: (2,) px, along the fold unknown.

    None where it lies beyond its ends.

    course, other    (n, 2) px
    """
    beside, nearest = _beside(course, other)
    if not beside.any():
        return None
    normals = polyline_normals(course)[beside]
    across = (normals * (nearest - course)[beside]).sum(1)
    firm = FIRM * len(across) * np.eye(2)
    return np.linalg.solve(normals.T @ normals + firm, normals.T @ across)


def _beside(course: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which points of a line lie beside another, not beyond its ends; and what is nearest to each.

    course, other    (n, 2) px

    Returns (n,) bool and (n, 2) px.
    """
    fine = interpolate_polyline(other.astype(np.float64), even_parameters(other))
    _, nearest = KDTree(fine).query(course)
    return (nearest > 0) & (nearest < len(fine) - 1), fine[nearest]


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
