"""What is told of a person: read from the folder, step by step; what is not there yet is named.

Nothing is computed that would make somebody wait: verdicts, losses, ranking and reports are those
that the steps kept.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from realism.disk import read_model
from realism.errors import InputError, Message
from realism.faces.face import Face
from realism.finetune.run_log import read_log, read_preview
from realism.images import open_photo
from realism.marks.atlas import Atlas, count_by_kind
from realism.person.person import Person
from realism.person.photo_record import PhotoRecord
from realism.person.runs import KeptRank, portraits_of
from realism.workflow.restore import REPORT

# As many as are large enough to be seen from the last row.
MOST_PHOTOS = 24
MOST_REFUSED = 5  # of these
MOST_PORTRAITS = 24
MOST_RESTORED = 3

Item = TypeVar("Item")
Told = TypeVar("Told")


@dataclass(frozen=True, eq=False)
class TakenPhoto:
    """A photo with its verdict.

    Attributes
    ----------
    name : str
    pixels : (side, side, 3) uint8 sRGB
        The square around the face.
    accepted : bool
    reason : Message or None
        Why the check refused it; None too where the owner did.
    """

    name: str
    pixels: np.ndarray
    accepted: bool
    reason: Message | None


@dataclass(frozen=True, eq=False)
class Learning:
    """How the fine-tune went.

    Attributes
    ----------
    losses : list of float
        Of each step.
    previews : list of (int, float or None, list of ndarray)
        After which step, likeness to the held-out photo, pictures (R, R, 3) uint8 sRGB.
    """

    losses: list[float]
    previews: list[tuple[int, float | None, list[np.ndarray]]]


@dataclass(frozen=True, eq=False)
class RankedPortrait:
    """A portrait; `rank` 0 and no likeness where it was not ranked yet."""

    name: str
    pixels: np.ndarray
    rank: int = 0
    similarity: float | None = None
    closest_photo: str | None = None


@dataclass(frozen=True, eq=False)
class RestoredPair:
    """A portrait without and with the marks.

    Attributes
    ----------
    name : str
    before, after : (H, W, 3) uint8 sRGB
    places : (n, 2) float, px
        Where marks were put; (0, 2) where no report says so.
    likeness : (float or None, float or None)
        Before and after.
    """

    name: str
    before: np.ndarray
    after: np.ndarray
    places: np.ndarray
    likeness: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True, eq=False)
class Story:
    """All that is told of a person, in the order of the steps.

    Attributes
    ----------
    name : str
        The person's.
    photos : list of TakenPhoto
        The accepted ones first.
    learning : Learning or None
    portraits : list of RankedPortrait
        Of one run, in the order in which they were made.
    passport : Atlas or None
    restored : list of RestoredPair
        Those with most marks first, of equals the closest.
    missing : list of Message
        A sentence for each step that is left out.
    """

    name: str
    photos: list[TakenPhoto] = field(default_factory=list)
    learning: Learning | None = None
    portraits: list[RankedPortrait] = field(default_factory=list)
    passport: Atlas | None = None
    restored: list[RestoredPair] = field(default_factory=list)
    missing: list[Message] = field(default_factory=list)

    @property
    def ranked(self) -> list[RankedPortrait]:
        """The portraits that have a place, the closest first; [] before they are ranked."""
        return sorted((row for row in self.portraits if row.rank), key=lambda row: row.rank)

    @property
    def marks(self) -> dict[str, int]:
        """How many marks the passport puts back, of each kind that it has."""
        counts = count_by_kind(self.passport) if self.passport else {}
        return {kind: count for kind, count in counts.items() if count}

    @property
    def best_photo(self) -> TakenPhoto:
        """The photo that stands for the person: the one the closest portrait is most like."""
        closest = self.ranked[0].closest_photo if self.ranked else None
        return next((photo for photo in self.photos if photo.name == closest), self.photos[0])


def read_story(person: Person, run: Path | None = None) -> Story:
    """All that can be told of a person.

    Parameters
    ----------
    person : Person
    run : Path, optional
        The run of portraits to tell of; None: the newest.

    Raises
    ------
    InputError
        There is nothing at all to show.
    """
    missing: list[Message] = []

    def told(read: Callable[[], Told | None], otherwise: Message) -> Told | None:
        try:
            found = read()
        except InputError as error:  # damaged: the rest is told all the same
            missing.append(error.message)
            return None
        if not found:
            missing.append(otherwise)
        return found

    name = person.name
    photos = _readable(_taken, _chosen_records(person), missing)
    if not photos:  # whoever has no photos has nothing that was made of them
        raise InputError("nothing_to_show", person=name)
    learning = told(lambda: _learning(person), Message("show_no_finetune", person=name))
    runs = [run for run in person.runs() if portraits_of(run)]
    order: list[KeptRank] = []
    portraits: list[RankedPortrait] = []
    if runs:
        not_ranked = Message("show_not_ranked", person=name)
        order = told(lambda: person.kept_order(runs[0]), not_ranked) or []
        portraits = _portraits(runs[0], order, missing)
    else:
        missing.append(Message("show_no_portraits", person=name))
    passport = told(person.passport, Message("show_no_passport", person=name))
    no_restored = Message("show_no_restored", person=name)
    restored = told(lambda: _restored(person, runs, order, missing), no_restored)
    return Story(name, photos, learning, portraits, passport, restored or [], missing)


# A step each ------------------------------------------------------------------------------------


def _readable(
    read: Callable[[Item], Told], items: Iterable[Item], missing: list[Message]
) -> list[Told]:
    """What can be read of some pictures; of a damaged one a sentence is added to `missing`."""
    found = []
    for item in items:
        try:
            found.append(read(item))
        except InputError as error:
            missing.append(error.message)
    return found


def _chosen_records(person: Person) -> list[PhotoRecord]:
    records = [record for record in person.records() if record.path]
    refused = [record for record in records if not record.accepted][:MOST_REFUSED]
    accepted = [record for record in records if record.accepted][: MOST_PHOTOS - len(refused)]
    return accepted + refused


def _taken(record: PhotoRecord) -> TakenPhoto:
    reasons = record.verdict.reasons
    reason = reasons[0].message if reasons and not record.accepted else None
    pixels = _square(record.photo().pixels, record.verdict.face)
    return TakenPhoto(record.name, pixels, record.accepted, reason)


def _square(pixels: np.ndarray, face: Face | None) -> np.ndarray:
    """The largest square of a photo, as near around the face as the edges let it."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    centre = np.array([width, height]) / 2
    if face is not None:
        centre = (face.box[:2] + face.box[2:]) / 2
    left, top = np.clip(centre - side / 2, 0, [width - side, height - side]).astype(int)
    return pixels[top : top + side, left : left + side]


def _learning(person: Person) -> Learning | None:
    for folder in person.logged_adapters():
        log = read_log(folder)
        if log and len(log.losses) > 1:
            previews = [
                (kept.step, kept.similarity, read_preview(folder, kept.step))
                for kept in log.previews
            ]
            return Learning(log.losses, [preview for preview in previews if preview[2]])
    return None


def _portraits(run: Path, order: list[KeptRank], missing: list[Message]) -> list[RankedPortrait]:
    """Of a run with more portraits than are shown the closest, else the first."""
    files = [run / row.portrait for row in order] or portraits_of(run)
    rows = {row.portrait: row for row in order}
    shown = sorted(files[:MOST_PORTRAITS])
    return _readable(lambda file: _ranked(file, rows.get(file.name)), shown, missing)


def _ranked(file: Path, row: KeptRank | None) -> RankedPortrait:
    pixels = open_photo(file).pixels
    if row is None:
        return RankedPortrait(file.name, pixels)
    return RankedPortrait(file.name, pixels, row.rank, row.similarity, row.closest_photo)


@dataclass(frozen=True)
class _StoredPlacement:
    to: tuple[float, float]
    visible: bool


@dataclass(frozen=True)
class _StoredLikeness:
    before: float | None = None
    after: float | None = None


@dataclass(frozen=True)
class _StoredReport:
    """Of one portrait, what is read of it here."""

    placements: list[_StoredPlacement]
    similarity: _StoredLikeness


@dataclass(frozen=True)
class _StoredReports:
    """`restore.json`."""

    portraits: dict[str, _StoredReport]


def _restored(
    person: Person, runs: list[Path], order: list[KeptRank], missing: list[Message]
) -> list[RestoredPair]:
    """Of the newest run that has any, those with most marks; `order` is that of the first run."""
    run = next((run for run in runs if person.restored(run)), None)
    if run is None:
        return []
    files = person.restored(run)
    report, reports = files[0][1].with_name(REPORT), {}
    if report.exists():
        reports = read_model(report, _StoredReports, "file_report").portraits
    pairs = _readable(lambda pair: _pair(*pair, reports.get(pair[1].name)), files, missing)
    same_size = [pair for pair in pairs if pair.before.shape == pair.after.shape]
    ranks = {row.portrait: row.rank for row in order if run == runs[0]}
    same_size.sort(key=lambda pair: (-len(pair.places), ranks.get(pair.name, len(ranks) + 1)))
    return same_size[:MOST_RESTORED]


def _pair(plain: Path, restored: Path, report: _StoredReport | None) -> RestoredPair:
    before, after = open_photo(plain).pixels, open_photo(restored).pixels
    places = [placed.to for placed in report.placements if placed.visible] if report else []
    alike = report.similarity if report else _StoredLikeness()
    at = np.array(places, float).reshape(-1, 2)
    return RestoredPair(restored.name, before, after, at, (alike.before, alike.after))
