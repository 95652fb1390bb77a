"""Where a mark of a photo belongs in a portrait of the same person.

Two ways. `nearest3` is the original entry's: the three landmarks (of 68) nearest to the mark
carry it along, whatever the turn of the head. `head` carries it on the surface of the head
(`surface.py`), which also says what is hidden. Both give the local 2x2 matrix, so that the
mark's size, turn and foreshortening follow.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from realism.errors import Unusable
from realism.faces.face import Face
from realism.marks.mark import Mark
from realism.marks.surface import Carried, carry, mm_per_px, region_of
from realism.settings import PLACING

PLACEMENTS = ("head", "nearest3")


@dataclass(frozen=True, eq=False)
class Placement:
    """One mark and where it goes in the portrait.

    mark          the Mark, in px of its photo
    photo         the photo's name
    to            (2,) float32 px of the portrait
    matrix        (2, 2) float32, px of the portrait over px of the photo, at the mark
    line          (n, 2) float32 px of the portrait, course of a wrinkle; (0, 2) for round marks
    line_seen     (n,) bool, which points of it can be seen
    facing        cosine between the skin and the line of sight in the portrait; 1 looks at us
    photo_facing  the same in the photo
    visible       whether it is put there
    reason        why not, "" when it is
    sightings     photos that showed it, when several were merged
    """

    mark: Mark
    photo: str
    to: np.ndarray
    matrix: np.ndarray
    line: np.ndarray
    line_seen: np.ndarray
    facing: float
    photo_facing: float
    visible: bool
    reason: str = ""
    sightings: int = 1


def place(
    marks: list[Mark],
    photo: str,
    photo_face: Face,
    portrait_face: Face,
    portrait_skin: np.ndarray,
    method: str = "head",
) -> list[Placement]:
    """Where each mark of one photo goes in the portrait, in the order given.

    portrait_skin    (H, W) float32 0..1: marks are put on skin only
    method           one of PLACEMENTS
    """
    if method not in PLACEMENTS:
        raise Unusable(f"Unknown placement {method!r}: use one of {', '.join(PLACEMENTS)}.")
    if not marks:
        return []
    points = [np.concatenate([mark.xy[None], mark.line]) for mark in marks]
    lengths = np.cumsum([len(p) for p in points])[:-1]
    everywhere = np.concatenate(points).astype(np.float64)
    carried = carry(everywhere, photo_face, portrait_face)
    if method == "nearest3":
        to, matrix = carry_by_nearest3(everywhere, photo_face.landmarks, portrait_face.landmarks)
        # The original knows no hidden side: everything counts as facing.
        ones = np.ones(len(to))
        carried = replace(carried, to=to, matrix=matrix, facing=ones, hidden=ones < 0)
    return [
        _placement(mark, photo, part, portrait_face, portrait_skin)
        for mark, part in zip(marks, carried.split(lengths))
    ]


def _placement(
    mark: Mark, photo: str, carried: Carried, portrait_face: Face, skin: np.ndarray
) -> Placement:
    """The placement of one mark from its carried points: its centre, then its line's."""
    reasons = [
        why_not(to, facing, hidden, portrait_face, skin)
        for to, facing, hidden in zip(carried.to, carried.facing, carried.hidden)
    ]
    seen = np.array([reason == "" for reason in reasons[1:]], bool)
    if len(mark.line):
        # A wrinkle is drawn where its course can be seen; half of it is worth drawing.
        visible = bool(seen.mean() >= 0.5)
        reason = "" if visible else next(r for r in reasons[1:] if r)
    else:
        visible, reason = reasons[0] == "", reasons[0]
    return Placement(
        mark,
        photo,
        carried.to[0].astype(np.float32),
        carried.matrix[0].astype(np.float32),
        carried.to[1:].astype(np.float32),
        seen,
        float(carried.facing[0]),
        float(carried.photo_facing[0]),
        visible,
        reason,
    )


def why_not(
    to: np.ndarray, facing: float, hidden: bool, face: Face, skin: np.ndarray
) -> str:
    """Why nothing can be put at `to`, or "" when it can."""
    height, width = skin.shape
    x, y = int(round(to[0])), int(round(to[1]))
    if not (0 <= x < width and 0 <= y < height):
        return "outside the picture"
    if facing < PLACING.least_facing or hidden:
        return "hidden by the turn of the head"
    if skin[y, x] < PLACING.least_skin:
        return region_of(to, face) or "on hair or off the face"
    return ""


def carry_by_nearest3(
    points: np.ndarray, of_photo: np.ndarray, of_portrait: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The original's placement: by the three nearest of the landmarks.

    points         (n, 2) px of the photo
    of_photo, of_portrait    (68, 2) px, landmarks
    ->             (n, 2) px of the portrait, (n, 2, 2) matrices
    """
    to, matrices = np.empty_like(points), np.empty((len(points), 2, 2))
    for index, point in enumerate(points):
        near = np.argsort(np.hypot(*(of_photo - point).T), kind="stable")[:3]
        three, there = of_photo[near].astype(np.float64), of_portrait[near].astype(np.float64)
        edges, edges_there = (three[1:] - three[0]).T, (there[1:] - there[0]).T
        longest = max(np.linalg.norm(edges, axis=0).max(), 1e-6)
        if abs(np.linalg.det(edges)) > 0.02 * longest**2:
            matrix = edges_there @ np.linalg.inv(edges)
        else:
            # Three points in a row say nothing across it: keep the shape, by their lengths.
            ratio = np.linalg.norm(edges_there) / max(np.linalg.norm(edges), 1e-6)
            matrix = np.eye(2) * ratio
        to[index] = there[0] + matrix @ (point - three[0])
        matrices[index] = matrix
    return to, matrices


def merge(placements: list[Placement], portrait_face: Face) -> list[Placement]:
    """Sightings of one mark in several photos become one placement, from its best view.

    Marks of the same kind from different photos that land within `PLACING.same_mark` mm of each
    other are one; of them the view that faces the camera best and has the most pixels is kept,
    at the mean place. Wrinkles: the middle of one lies near the other's line.
    """
    reach = PLACING.same_mark / mm_per_px(portrait_face)
    order = sorted(range(len(placements)), key=lambda i: -_worth(placements[i]))
    groups: list[list[Placement]] = []
    for index in order:
        sighting = placements[index]
        group = next((g for g in groups if _same(sighting, g, reach)), None)
        if group is None:
            groups.append([sighting])
        else:
            group.append(sighting)
    return [_merged(group) for group in groups]


def _worth(placement: Placement) -> float:
    """How good a view of the mark its photo gives: facing times resolution."""
    smallest = np.linalg.svd(placement.matrix, compute_uv=False)[0]
    # Visible ones first: a view that cannot be placed must not hide one that can.
    return placement.visible * 100 + placement.photo_facing / max(float(smallest), 1e-3)


def _same(sighting: Placement, group: list[Placement], reach: float) -> bool:
    best = group[0]
    if sighting.photo in {member.photo for member in group}:
        return False
    pair = {sighting.mark.kind, best.mark.kind}
    if len(pair) > 1 and "wrinkle" in pair:
        return False
    if "wrinkle" in pair:
        if not (len(best.line) and len(sighting.line)):
            return False
        gap = np.linalg.norm(best.line[:, None] - sighting.line[None], axis=2)
        return bool(np.median(gap.min(0)) < reach)
    return bool(np.hypot(*(sighting.to - best.to)) < reach)


def _merged(group: list[Placement]) -> Placement:
    best = group[0]
    return replace(best, sightings=len({member.photo for member in group}))


def placements_to_json(placements: list[Placement]) -> list[dict]:
    """The report's "placements"."""
    return [
        {
            "kind": p.mark.kind,
            "photo": p.photo,
            "from": [round(float(v), 2) for v in p.mark.xy],
            "to": [round(float(v), 2) for v in p.to],
            "visible": p.visible,
            "reason": p.reason,
            "facing": round(p.facing, 3),
            "sightings": p.sightings,
        }
        for p in placements
    ]
