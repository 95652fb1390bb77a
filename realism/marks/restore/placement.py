"""Where a mark of a photo belongs in a portrait of the same person.

Two ways. `nearest3` is the original entry's: the three landmarks (of 68) nearest to the mark
carry it along, whatever the turn of the head. `head` transfers it on the surface of the 3D head
(`head/transfer.py`), which also says what is hidden. Both give the local 2x2 matrix, so that the
mark's size, turn and foreshortening follow.
"""

from dataclasses import dataclass, replace

import numpy as np

from realism.errors import InputError, Message
from realism.faces.face import Face, mm_per_px_from_eyes
from realism.faces.occluders import Occluders
from realism.head.geometry import Head
from realism.head.shift_field import ShiftField
from realism.head.transfer import TransferredPoints, transfer_on_head, transfer_on_mesh
from realism.marks.mark import Mark, SeenMark
from realism.marks.observation import LEAST_PHOTO_FACING, Observation, observe_mark
from realism.marks.restore.mark_view import MarkView
from realism.marks.restore.nearest3 import transfer_by_nearest3
from realism.marks.restore.obstacles import find_obstacle, off_backdrop

LEAST_WRINKLE_FACING = 0.4  # cosine in the photo; flatter, a fold hides its own valley
SHIFT_STEP = 3.0  # px over which a shift's slope is taken; it changes over tens of px

# How far a place is off, from one photo to a portrait: a deviation of what lies face on, more where
# the registration is unsure, and the powers of e by which it grows with 1 / facing² and with the
# turn between the heads. Set on eight newly rendered people (seed 5103).
LEAST_DEVIATION = 0.4  # mm
UNSURE = 2.0  # times what the registration says of itself
BY_FACING, BY_TURN = 0.05, 0.02  # 1, 1 / degree
MESH_DEVIATION = 1.0  # mm seen face on, of what the mesh alone or `nearest3` carries

PLACEMENTS = ("head", "nearest3")


@dataclass(frozen=True, eq=False)
class Placement:
    """One mark and where it goes in the portrait.

    Attributes
    ----------
    mark : RoundMark or Wrinkle
        In px of its photo.
    photo : str
        The photo's name.
    to : (2,) float32, px of the portrait
    matrix : (2, 2) float32
        px of the portrait over px of the photo, at the mark.
    polyline : (n, 2) float32, px of the portrait
        Course of a wrinkle; (0, 2) of round marks.
    polyline_visible : (n,) bool
        Which points of it can be seen.
    facing : float
        Cosine between the skin and the line of sight in the portrait; 1 looks at us.
    photo_facing : float
        The same in the photo.
    visible : bool
        Whether it is put there.
    reason : Message or None
        Why not; None when it is.
    appearances : tuple of (str, Mark)
        Every photo that showed it, when several were merged, and the mark in it.
    visible_in : int or None
        Photos that show its place well; None where that was not asked.
    scale : float
        px of the portrait over px of the photo, of what is seen face on.
    deviation : float, mm
        By which the place is off, as a standard deviation.
    other_views : tuple of MarkView
        Further views of it that are good enough to be averaged with this one.
    depth_left : float, 0..1
        Of a wrinkle: depth that the portrait's expression leaves it.
    shading_factor : float, -1..1
        Of a wrinkle: factor of its lit and unlit sides in the portrait's light.
    observation : Observation or None
        The photo's mark on the head; None where no head was fitted, or beside it.
    """

    mark: Mark
    photo: str
    to: np.ndarray
    matrix: np.ndarray
    polyline: np.ndarray
    polyline_visible: np.ndarray
    facing: float
    photo_facing: float
    visible: bool
    reason: Message | None = None
    appearances: tuple[SeenMark, ...] = ()
    visible_in: int | None = None
    scale: float = 1.0
    deviation: float = MESH_DEVIATION
    other_views: tuple[MarkView, ...] = ()
    depth_left: float = 1.0
    shading_factor: float = 1.0
    observation: Observation | None = None

    def __post_init__(self):
        if not self.appearances:
            object.__setattr__(self, "appearances", ((self.photo, self.mark),))

    @property
    def photo_count(self) -> int:
        """Photos that showed it."""
        return len({photo for photo, _ in self.appearances})

    @property
    def view(self) -> MarkView:
        """The mark in its best photo."""
        return MarkView(self.mark, self.photo, self.matrix, self.scale, self.photo_facing)

    @property
    def views(self) -> tuple[MarkView, ...]:
        """All views to measure the mark in, the best first."""
        return (self.view, *self.other_views)


def place_marks(
    marks: list[Mark],
    photo: str,
    photo_face: Face,
    portrait_face: Face,
    portrait_skin: np.ndarray,
    method: str = "head",
    heads: tuple[Head, Head] | None = None,
    shift: ShiftField | None = None,
    occluders: Occluders | None = None,
) -> list[Placement]:
    """Where each mark of one photo goes in the portrait.

    Parameters
    ----------
    marks : list of Mark
        In px of the photo.
    photo : str
        Its name.
    photo_face, portrait_face : Face
    portrait_skin : (H, W) float32, 0..1
        Marks are put on skin only.
    method : str
        One of `PLACEMENTS`.
    heads : (Head, Head), optional
        Fitted to photo and portrait (`head.fit.fit_person`); without them the mesh alone carries
        the marks, quicker and less exact.
    shift : ShiftField, optional
        What to add to transferred points, from `head.registration.register`.
    occluders : Occluders, optional
        Of the portrait, to say what hides a mark.

    Returns
    -------
    list of Placement
        In the order of the marks.

    Raises
    ------
    InputError
        Another method.
    """
    if method not in PLACEMENTS:
        raise InputError("placement_not_known", placement=method, choices=PLACEMENTS)
    if not marks:
        return []
    points = [_transferred_points(mark) for mark in marks]
    starts = np.cumsum([len(part) for part in points])[:-1]
    everywhere = np.concatenate(points).astype(np.float64)
    if heads is None:
        transferred = transfer_on_mesh(everywhere, photo_face, portrait_face)
        scale = mm_per_px_from_eyes(photo_face) / mm_per_px_from_eyes(portrait_face)
    else:
        transferred = transfer_on_head(everywhere, photo_face, portrait_face, heads)
        scale = heads[0].mm_per_px / heads[1].mm_per_px
    if shift is not None:
        transferred = _shifted(transferred, shift)
    if method == "nearest3":
        landmarks = photo_face.landmarks, portrait_face.landmarks
        to, matrix = transfer_by_nearest3(everywhere, *landmarks)
        # The original knows no hidden side: everything counts as facing.
        ones = np.ones(len(to))
        transferred = TransferredPoints(to, matrix, ones, ones, ones < 0)
    placements = [
        _place_mark(mark, photo, part, scale, portrait_face, portrait_skin, occluders)
        for mark, part in zip(marks, transferred.split(starts), strict=True)
    ]
    if heads is None:
        return placements
    deviations = _deviations(placements, heads, shift if method == "head" else None)
    return [
        replace(
            placement,
            observation=observe_mark(placement.mark, photo, heads[0]),
            deviation=float(deviation),
        )
        for placement, deviation in zip(placements, deviations, strict=True)
    ]


def _deviations(
    placements: list[Placement], heads: tuple[Head, Head], shift: ShiftField | None
) -> np.ndarray:
    """How far each place is off, (n,) mm."""
    edge_on = np.array([max(placement.photo_facing, 0.05) for placement in placements]) ** -2
    if shift is None:
        return MESH_DEVIATION * edge_on
    unsure = shift.deviation(np.array([placement.to for placement in placements]))
    growth = BY_FACING * edge_on + BY_TURN * heads[0].turn_to(heads[1])
    return np.hypot(LEAST_DEVIATION, UNSURE * unsure) * np.exp(growth)


def _transferred_points(mark: Mark) -> np.ndarray:
    """A mark's centre and, after it, the course of a wrinkle that has one: (1 + n, 2) px."""
    return np.concatenate([mark.xy[None], mark.points]) if mark.is_traced else mark.points


def _shifted(transferred: TransferredPoints, shift: ShiftField) -> TransferredPoints:
    """Transferred points moved by a smooth field, and their maps bent with it."""
    to = transferred.to
    bend = np.stack(
        [
            (shift(to + SHIFT_STEP * axis) - shift(to - SHIFT_STEP * axis)) / (2 * SHIFT_STEP)
            for axis in np.eye(2)
        ],
        2,
    )
    return replace(transferred, to=to + shift(to), matrix=(np.eye(2) + bend) @ transferred.matrix)


def _place_mark(
    mark: Mark,
    photo: str,
    transferred: TransferredPoints,
    scale: float,
    portrait_face: Face,
    skin: np.ndarray,
    occluders: Occluders | None,
) -> Placement:
    """The placement of one mark from its transferred points: its centre, then its line's."""
    reach, to = 0.0 if mark.is_traced else mark.radius * scale, transferred.to
    if not mark.is_traced and occluders is not None:
        mm_per_px = mm_per_px_from_eyes(portrait_face)
        to = np.array([off_backdrop(to[0], skin, occluders.backdrop, mm_per_px), *to[1:]])
    least_facing = LEAST_WRINKLE_FACING if mark.is_traced else LEAST_PHOTO_FACING
    reasons = [
        Message("seen_from_side")
        if photo_facing < least_facing
        else find_obstacle(point, facing, hidden, portrait_face, skin, occluders, reach)
        for point, facing, hidden, photo_facing in zip(
            to,
            transferred.facing,
            transferred.hidden,
            transferred.photo_facing,
            strict=True,
        )
    ]
    polyline_visible = np.array([reason is None for reason in reasons[1:]], bool)
    if mark.is_traced:
        # A wrinkle is drawn where its course can be seen; half of it is worth drawing.
        visible = bool(polyline_visible.mean() >= 0.5)
        reason = None if visible else next(reason for reason in reasons[1:] if reason)
    else:
        visible, reason = reasons[0] is None, reasons[0]
    return Placement(
        mark,
        photo,
        to[0].astype(np.float32),
        transferred.matrix[0].astype(np.float32),
        to[1:].astype(np.float32),
        polyline_visible,
        float(transferred.facing[0]),
        float(transferred.photo_facing[0]),
        visible,
        reason,
        scale=scale,
    )
