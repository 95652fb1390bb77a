"""What a run keeps of its restored portraits, read back for tab 4 without an engine."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realism.disk import read_model
from realism.errors import InputError, Message, catalogue, template_fields
from realism.marks.mark import SeenMark, Wrinkle
from realism.marks.switched import mark_id
from realism.page.i18n import text
from realism.page.marks import strip, viewer
from realism.page.session import paragraph
from realism.person.person import Person
from realism.person.runs import portraits_of
from realism.workflow.restore import REPORT

OFF = ("seen_on_few", "switched_off")  # codes of marks that could be on


@dataclass(frozen=True)
class _StoredAlike:
    before: float
    after: float | None = None


@dataclass(frozen=True)
class _StoredPlacement:
    """A mark on it; reports of before have fewer of these."""

    kind: str
    visible: bool
    to: tuple[float, float]
    id: str = ""
    code: str = ""
    sightings: int = 1
    chances: int | None = None
    course: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class _StoredReport:
    """Of one portrait, what is read of it here."""

    similarity: _StoredAlike
    placements: list[_StoredPlacement]
    otherwise: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _StoredReports:
    """The report beside the portraits of a batch."""

    portraits: dict[str, _StoredReport]


def kept_result(person: Person, portrait: str | None) -> tuple[Path, Path] | None:
    """A portrait of a run, by the copy that the page has, and its restored one; None without."""
    try:
        run = run_of_portrait(person, Path(portrait) if portrait else None)
    except InputError:
        return None
    assert portrait is not None  # it is of a run
    pair = run / Path(portrait).name, run / "restored" / Path(portrait).name
    return pair if pair[1].exists() else None


def run_of_portrait(person: Person, portrait: Path | None) -> Path:
    """The run that a portrait is from: Gradio hands over a copy, of the same name and bytes.

    Raises InputError where it is of no run of this person.
    """
    if portrait is not None:
        for run in person.runs():
            file = run / portrait.name
            if file.exists() and file.read_bytes() == portrait.read_bytes():
                return run
    raise InputError("portrait_of_no_run")


def newest_result(person: Person) -> tuple[Path, Path] | None:
    """The plain and the restored portrait of the newest run that has one; None without."""
    for run in person.runs():
        if pair := largest_result(run):
            return pair
    return None


def largest_result(run: Path) -> tuple[Path, Path] | None:
    """Of a run's restored portraits the largest, beside the plain one; None without any."""
    pairs = [
        (run / file.name, file)
        for file in portraits_of(run / "restored")
        if (run / file.name).exists()
    ]
    return max(pairs, key=lambda pair: pair[1].stat().st_size, default=None)


def holds(person: Person, pair: tuple[Path, Path]) -> bool:
    """Whether a kept result is what it would be now, all set as at first."""
    report = read_report(pair[1])
    if report is None or report.otherwise:
        return False
    known, switched = known_marks(person), person.switched()
    return all(
        is_on(each, switched.state_of([known[each.id]])) != (each.code in OFF)
        for each in report.placements
        if each.id in known and (each.visible or each.code in OFF)
    )


def is_on(placement: _StoredPlacement, by_hand: bool | None) -> bool:
    """Whether a mark would be put back now: as it was switched, else if enough photos show it."""
    return placement.code != "seen_on_few" if by_hand is None else by_hand


def known_marks(person: Person) -> dict[str, SeenMark]:
    """The marks on a person's photos, by id."""
    return {
        mark_id(photo, mark): (photo, mark)
        for photo, marks in person.marks().items()
        for mark in marks
    }


def as_kept(person: Person, pair: tuple[Path, Path], language: str) -> tuple:
    """The plain and the restored portrait, how alike it was, and the strip."""
    report = read_report(pair[1])
    places = {
        placement.id: (placement.kind, [placement.to, *placement.course])
        for placement in (report.placements if report else [])
        # The course of a wrinkle is not in reports of before.
        if placement.visible and (placement.kind != Wrinkle.kind or placement.course)
    }
    view = viewer.pair_view(*pair, places, language)
    return view, likeness_sentence(report, language), _cards(person, report, language)


def read_report(restored: Path) -> _StoredReport | None:
    """What was kept of a restoration; None where it is damaged, or of other portraits."""
    try:
        reports = read_model(restored.with_name(REPORT), _StoredReports, "file_report")
        return reports.portraits[restored.name]
    except (InputError, KeyError, FileNotFoundError):  # the picture says it all
        return None


def likeness_sentence(report: _StoredReport | None, language: str) -> str:
    """How alike the portrait was before and after."""
    if report is None:
        return ""
    alike = report.similarity
    if alike.after is None:
        return paragraph(text(language, "marks.no_face_after", before=alike.before))
    return paragraph(text(language, "marks.alike", before=alike.before, after=alike.after))


def _cards(person: Person, report: _StoredReport | None, language: str) -> str:
    """The strip as it was."""
    known, switched = known_marks(person), person.switched()
    records = {record.name: record for record in person.records() if record.accepted}
    cards = []
    for placement in report.placements if report else []:
        photo, mark = known.get(placement.id, (None, None))
        if photo not in records or mark is None:
            continue
        off = placement.code in OFF
        of = max(placement.chances or len(records), placement.sightings)
        why = _why(placement, len(records))
        cards.append(
            strip.Card(
                placement.id, photo, mark, placement.sightings, of, placement.visible or off,
                is_on(placement, switched.state_of([(photo, mark)])), why,
            )
        )  # fmt: skip
    if not cards:
        return ""
    shown = {card.photo: records[card.photo] for card in cards}
    pictures = {name: (each.photo().pixels, each.face.width) for name, each in shown.items()}
    cards = strip.in_order(cards)
    return strip.strip(cards, strip.cut_out_marks(cards, pictures), language)


def _why(placement: _StoredPlacement, photos: int) -> Message | None:
    """Why a mark is not on the portrait, in any language."""
    if placement.code == "seen_on_few":
        return Message(placement.code, seen=placement.sightings, photos=photos)
    known = placement.code in catalogue("en") and not template_fields(placement.code)
    return Message(placement.code) if known else None
