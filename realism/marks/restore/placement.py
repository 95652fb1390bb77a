"""Where a mark of a photo belongs in a portrait of the same person.

Two ways. `nearest3` is the original entry's: the three landmarks (of 68) nearest to the mark
carry it along, whatever the turn of the head. `head` carries it on the surface of the 3D head
(`surface.py`), which also says what is hidden. Both give the local 2x2 matrix, so that the
mark's size, turn and foreshortening follow.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from realism.errors import InputError, Message
from realism.faces.face import Face, mm_per_px_from_eyes
from realism.faces.skin import LEAST_SKIN, feature_at
from realism.head.geometry import Head
from realism.head.transfer import TransferredPoints, transfer_on_head, transfer_on_mesh
from realism.marks.mark import Mark, Wrinkle
from realism.marks.observation import (
    LEAST_PHOTO_FACING,
    SAME_MARK_MM,
    Sighting,
    apart,
    gap,
    grouped,
    sighting_of,
    vagueness,
)

# Where marks go.
LEAST_FACING = 0.12  # cosine; skin turned away further shows no mark
LEAST_STRETCH = 0.25  # of a mark's map from photo to portrait, over its size
MOST_STRETCH = 1.8  # the same; more would smear what is seen edge-on
WORTH_AVERAGING = 0.4  # of the best view's worth: measured there too

PLACEMENTS = ("head", "nearest3")


@dataclass(frozen=True, eq=False)
class View:
    """One photo's sight of a mark.

    mark      the Mark, in px of its photo
    photo     the photo's name
    matrix    (2, 2) float32, px of the portrait over px of the photo, at the mark
    size      px of the portrait over px of the photo, of what is seen face on
    facing    cosine between the skin and the line of sight in the photo
    """

    mark: Mark
    photo: str
    matrix: np.ndarray
    size: float
    facing: float

    @property
    def worth(self) -> float:
        """How good a view of the mark it is: facing times resolution."""
        return (max(self.facing, 0.05) / max(self.size, 1.0)) ** 2

    @property
    def tame_matrix(self) -> np.ndarray:
        """`matrix` with its stretching held to what a turned patch of skin can be trusted for."""
        turn, stretch, other = np.linalg.svd(self.matrix.astype(np.float64))
        low, high = LEAST_STRETCH * self.size, MOST_STRETCH * self.size
        return (turn * np.clip(stretch, low, high)) @ other


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
    reason        why not, None when it is
    sightings     photos that showed it, when several were merged
    size          px of the portrait over px of the photo, of what is seen face on
    others        further views of it that are good enough to be averaged with this one
    left          of a wrinkle: depth that the portrait's expression leaves it, 0..1
    turned        of a wrinkle: factor of its lit and unlit sides in the portrait's light, -1..1
    sighting      the photo's mark on the head; None where no head was fitted, or beside it
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
    reason: Message | None = None
    sightings: int = 1
    size: float = 1.0
    others: tuple[View, ...] = ()
    left: float = 1.0
    turned: float = 1.0
    sighting: Sighting | None = None

    @property
    def view(self) -> View:
        """The best photo's sight of the mark."""
        return View(self.mark, self.photo, self.matrix, self.size, self.photo_facing)

    @property
    def views(self) -> tuple[View, ...]:
        """All sights to measure the mark in, the best first."""
        return (self.view, *self.others)


def place(
    marks: list[Mark],
    photo: str,
    photo_face: Face,
    portrait_face: Face,
    portrait_skin: np.ndarray,
    method: str = "head",
    heads: tuple[Head, Head] | None = None,
    shift: Callable[[np.ndarray], np.ndarray] | None = None,
) -> list[Placement]:
    """Where each mark of one photo goes in the portrait, in the order given.

    portrait_skin    (H, W) float32 0..1: marks are put on skin only
    method           one of PLACEMENTS
    heads            fitted to photo and portrait (`faces.head.fit_person`); None: the mesh alone
                     carries, quicker and less exact
    shift            what to add to carried points (n, 2) px, from `marks.register`
    """
    if method not in PLACEMENTS:
        raise InputError("placement_not_known", placement=method, choices=PLACEMENTS)
    if not marks:
        return []
    points = [_carried_points(mark) for mark in marks]
    lengths = np.cumsum([len(p) for p in points])[:-1]
    everywhere = np.concatenate(points).astype(np.float64)
    if heads is None:
        carried = transfer_on_mesh(everywhere, photo_face, portrait_face)
    else:
        carried = transfer_on_head(everywhere, photo_face, portrait_face, heads)
    if shift is not None:
        carried = _shifted(carried, shift)
    if method == "nearest3":
        to, matrix = carry_by_nearest3(everywhere, photo_face.landmarks, portrait_face.landmarks)
        # The original knows no hidden side: everything counts as facing.
        ones = np.ones(len(to))
        carried = TransferredPoints(to, matrix, ones, ones, ones < 0)
    if heads is None:
        size = mm_per_px_from_eyes(photo_face) / mm_per_px_from_eyes(portrait_face)
    else:
        here, there = (head.mm_per_px for head in heads)
        size = here / there
    placed = [
        _placement(mark, photo, part, size, portrait_face, portrait_skin)
        for mark, part in zip(marks, carried.split(lengths), strict=True)
    ]
    if heads is None:
        return placed
    return [replace(one, sighting=sighting_of(one.mark, photo, heads[0])) for one in placed]


def _carried_points(mark: Mark) -> np.ndarray:
    """A mark's centre and, after it, the course of a wrinkle that has one: (1 + n, 2) px."""
    return np.concatenate([mark.xy[None], mark.points]) if mark.is_traced else mark.points


def _shifted(
    carried: TransferredPoints, shift: Callable[[np.ndarray], np.ndarray]
) -> TransferredPoints:
    """Carried points moved by a smooth field, and their maps bent with it."""
    to, step = carried.to, 3.0  # px; the field changes over tens of px
    bend = np.stack(
        [(shift(to + step * axis) - shift(to - step * axis)) / (2 * step) for axis in np.eye(2)], 2
    )
    return replace(carried, to=to + shift(to), matrix=(np.eye(2) + bend) @ carried.matrix)


def _placement(
    mark: Mark,
    photo: str,
    carried: TransferredPoints,
    size: float,
    portrait_face: Face,
    skin: np.ndarray,
) -> Placement:
    """The placement of one mark from its carried points: its centre, then its line's."""
    reasons = [
        Message("seen_from_side")
        if photo_facing < LEAST_PHOTO_FACING
        else why_not(to, facing, hidden, portrait_face, skin)
        for to, facing, hidden, photo_facing in zip(
            carried.to, carried.facing, carried.hidden, carried.photo_facing, strict=True
        )
    ]
    seen = np.array([reason is None for reason in reasons[1:]], bool)
    if mark.is_traced:
        # A wrinkle is drawn where its course can be seen; half of it is worth drawing.
        visible = bool(seen.mean() >= 0.5)
        reason = None if visible else next(r for r in reasons[1:] if r)
    else:
        visible, reason = reasons[0] is None, reasons[0]
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
        size=size,
    )


def why_not(
    to: np.ndarray, facing: float, hidden: bool, face: Face, skin: np.ndarray
) -> Message | None:
    """Why nothing can be put at `to`, None when it can."""
    height, width = skin.shape
    x, y = round(to[0]), round(to[1])
    if not (0 <= x < width and 0 <= y < height):
        return Message("outside_picture")
    if facing < LEAST_FACING or hidden:
        return Message("hidden_by_turn")
    if skin[y, x] < LEAST_SKIN:
        return Message(feature_at(to, face) or "off_skin")
    return None


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

    Marks of one sort (round, wrinkle) from different photos that lie within `SAME_MARK_MM`
    mm of each other, in the portrait or on the head, are one; of them the view that faces the
    camera best and has the most pixels is kept, at the mean place. Two marks of one photo never
    merge.
    """
    mm = mm_per_px_from_eyes(portrait_face)
    ordered = sorted(placements, key=_worth, reverse=True)
    groups = grouped(ordered, lambda one, other: _gap(one, other, mm), SAME_MARK_MM)
    return [_merged(group) for group in groups]


def _worth(placement: Placement) -> float:
    # Visible ones first: a view that cannot be placed must not hide one that can.
    return placement.visible * 100 + placement.view.worth


def _gap(one: Placement, other: Placement, mm: float) -> float:
    """mm between two sightings; infinite where they cannot be one mark.

    In the portrait or on the head, whichever says less: a smeared portrait may have pulled the
    two photos' sights apart, and heads alone are less exact than their map to a sharp one.

    mm    millimetres in a px of the portrait
    """
    if isinstance(one.mark, Wrinkle) != isinstance(other.mark, Wrinkle):
        return np.inf
    if len(one.line) and len(other.line):
        off = apart(one.line, other.line) * mm
    else:
        off = float(np.hypot(*(one.to - other.to))) * mm
        off *= vagueness(one.photo_facing, other.photo_facing)
    if one.sighting is None or other.sighting is None:
        return off
    return min(off, gap(one.sighting, other.sighting))


def _merged(group: list[Placement]) -> Placement:
    """The best view, where the sightings that face the camera put it on average."""
    best, photos = group[0], {member.photo for member in group}
    placed = [member for member in group if member.visible]
    if len(placed) < 2 or len(best.line):
        return replace(best, sightings=len(photos))
    says = np.array([max(member.photo_facing, 0.05) ** 2 for member in placed])
    mean = (says[:, None] * [member.to for member in placed]).sum(0) / says.sum()
    others = tuple(
        member.view
        for member in group[1:]
        if member.view.worth > WORTH_AVERAGING * best.view.worth
        and member.mark.kind == best.mark.kind
    )
    return replace(best, to=mean.astype(np.float32), sightings=len(photos), others=others)


def why_to_json(reason: Message | None) -> dict[str, str]:
    """A report's "reason", in English, and "code"; "" both for a mark that is put there."""
    return {"reason": str(reason or ""), "code": reason.code if reason else ""}


def placements_to_json(placements: list[Placement]) -> list[dict]:
    """The report's "placements"."""
    return [
        {
            "kind": p.mark.kind,
            "photo": p.photo,
            "from": [round(float(v), 2) for v in p.mark.xy],
            "to": [round(float(v), 2) for v in p.to],
            "visible": p.visible,
            **why_to_json(p.reason),
            "facing": round(p.facing, 3),
            "sightings": p.sightings,
        }
        for p in placements
    ]
