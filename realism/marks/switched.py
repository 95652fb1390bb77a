"""What the owner of a face switched by hand: marks to leave out, or to keep though seen seldom.

A mark is known by its appearances in photos, not by its place on one portrait: whatever portrait
it goes to, and whichever of its photos shows it best there, it is the same mark. Searched again, a
mark may be found a px beside: what overlaps is the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from realism.marks.mark import Mark, SeenMark, flipped
from realism.marks.observation import polyline_distance

LEAST_REACH = 2.0  # px by which a mark found again may be off, however small it is
DIGITS = 6  # of an id: of the thousand marks in a dozen photos two are alike once in 33 people


def mark_id(photo: str, mark: Mark) -> str:
    """What people call a mark of a photo by, as "mole-3fa2c1", for as long as it stays there."""
    x, y = (round(float(value), 2) for value in mark.xy)  # as its JSON has it
    digest = sha256(f"{photo}\n{x:.2f}\n{y:.2f}".encode("utf-8", "surrogateescape")).hexdigest()
    return f"{mark.kind}-{digest[:DIGITS]}"


def is_same(first: SeenMark, second: SeenMark) -> bool:
    """Whether two findings in a photo are one mark, found twice, of whichever kind."""
    (photo, mark), (other_photo, other) = first, second
    if photo != other_photo or mark.is_traced != other.is_traced:
        return False
    reach = max(mark.radius, other.radius, LEAST_REACH)
    if mark.is_traced:
        return polyline_distance(mark.points, other.points) <= reach
    return float(np.hypot(*(mark.xy - other.xy))) <= reach


@dataclass(frozen=True, eq=False)
class Switched:
    """Marks that were switched by hand, on any portrait.

    Attributes
    ----------
    off : tuple of (str, Mark)
        Appearances of marks that are not put back: photo by name, and the mark in it.
    on : tuple of (str, Mark)
        Of marks that are put back however few photos show them.
    """

    off: tuple[SeenMark, ...] = ()
    on: tuple[SeenMark, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.off or self.on)

    def state_of(self, appearances: Sequence[SeenMark]) -> bool | None:
        """False: it was switched off; True: on; None: neither."""
        if _any_same(appearances, self.off):
            return False
        return True if _any_same(appearances, self.on) else None

    def with_mark(self, appearances: Sequence[SeenMark], on: bool) -> "Switched":
        """The same with a mark switched off or on, by all its appearances."""
        off_left, on_left = (
            tuple(seen for seen in known if not _any_same([seen], appearances))
            for known in (self.off, self.on)
        )
        added = tuple(appearances)
        return Switched(off_left, on_left + added) if on else Switched(off_left + added, on_left)

    def without_photo(self, name: str) -> "Switched":
        """The same without what was seen in a photo: it is gone."""
        off, on = (
            tuple(seen for seen in known if seen[0] != name) for known in (self.off, self.on)
        )
        return Switched(off, on)

    def with_flipped_photo(self, name: str, width: int) -> "Switched":
        """The same after a photo of that width, px, was flipped left to right."""
        off, on = (
            tuple((photo, flipped(mark, width) if photo == name else mark) for photo, mark in known)
            for known in (self.off, self.on)
        )
        return Switched(off, on)


def _any_same(some: Iterable[SeenMark], others: Sequence[SeenMark]) -> bool:
    return any(is_same(seen, other) for seen in some for other in others)
