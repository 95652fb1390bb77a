"""Tab 4 as it was left: a result that is on disk is shown at once, and opened for more after it.

What a person's run keeps, a portrait with and without its marks, needs no engine. The sliders and
clicks do need the photos, opened: that begins when the tab is looked at, not before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
from gradio.events import Dependency

from realism.disk import read_model
from realism.errors import InputError, Message, catalogue, template_fields
from realism.marks.mark import Wrinkle
from realism.marks.photo import MarkedPhoto
from realism.marks.switched import mark_id
from realism.page.i18n import text
from realism.page.marks import editor, strip, viewer
from realism.page.marks.handlers import on_find
from realism.page.session import (
    SharedWidgets,
    chosen_person,
    listener,
    paragraph,
    user_errors,
    uses_device,
)
from realism.person.person import Person
from realism.person.runs import portraits_of
from realism.workflow.place import PlacedPortrait
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


@dataclass(frozen=True)
class _StoredReport:
    """Of one portrait, what is read of it here."""

    similarity: _StoredAlike
    placements: list[_StoredPlacement]


@dataclass(frozen=True)
class _StoredReports:
    """The report beside the portraits of a batch."""

    portraits: dict[str, _StoredReport]


def wire(ui: SimpleNamespace, shared: SharedWidgets, portrait_sent: Dependency) -> Dependency:
    """Show what is kept of whoever is chosen; returns the event of its photos being opened.

    Parameters
    ----------
    ui : SimpleNamespace
        Of tab 4's layout.
    shared : SharedWidgets
        What every tab reads.
    portrait_sent : Dependency
        The event of a portrait's being sent here from tab 3.
    """
    filled, opened = ui.filled, ui.opened
    showing = shared.here.change(
        **listener(
            on_here, [shared.here, filled, ui.portrait, shared.root, shared.language],
            [ui.portrait, ui.result, ui.likeness, ui.passport, ui.atlas, filled, opened,
             ui.restore, ui.save, ui.cards],
        )
    )  # fmt: skip
    showing.then(**listener(on_look, [shared.here, filled, ui.whose], opened))
    brought = [ui.portrait.upload, ui.portrait.clear, ui.run_portrait.input]
    taking = listener(on_brought, None, [filled, ui.restore, ui.save])
    gr.on(brought, **taking)
    portrait_sent.success(**taking)
    shared.shown_language.change(
        **listener(
            on_language,
            [filled, ui.placed, shared.root, shared.language],
            [ui.result, ui.likeness, ui.cards],
        )
    )
    return opened.change(
        **listener(
            on_open, [opened, ui.portrait, ui.files, ui.photos, *shared.visit],
            [ui.photos, ui.photo_name, ui.gallery, ui.message],
        )
    )  # fmt: skip


def on_here(
    here: tuple[str | None, str] | None, filled: str | None, portrait: str | None,
    root: Path | None, language: str,
) -> tuple:  # fmt: skip
    """Fill the tab with what is kept of a person, unless the user brought a portrait.

    Parameters
    ----------
    here : (str or None, str) or None
        The person and the step in view.
    filled : str or None
        Whose result fills the tab.
    """
    name = here[0] if here else None
    if name == filled or (portrait and filled is None):
        return (gr.skip(),) * 10
    nothing = (None, None, "", "", None, None, None, *next_button(False), "")
    if not name:
        return nothing
    with user_errors(language):
        person = chosen_person(name, root)
        pair = newest_result(person)
        if pair is None:
            return nothing
        atlas = person.passport()
        table = editor.passport_table(atlas, language) if atlas else ""
        result, likeness, cards = _as_kept(person, pair, language)
        shown = (result, likeness, table, atlas, name, None, *next_button(True), cards)
        return str(pair[0]), *shown


def on_language(
    filled: str | None, placed: PlacedPortrait | None, root: Path | None, language: str
) -> tuple:
    """What is said of the kept result and on it, in another language."""
    if not filled or placed is not None:
        return (gr.skip(),) * 3
    with user_errors(language):
        person = chosen_person(filled, root)
        pair = newest_result(person)
        if pair is None:
            return None, "", ""
        return _as_kept(person, pair, language)


def on_brought() -> tuple:
    """Another portrait: what is on the screen is the user's, and to be restored next."""
    return None, *next_button(False)


def on_placed(placed: PlacedPortrait | None) -> tuple:
    """The marks are on the portrait, or nothing was to be done."""
    return next_button(True) if placed else (gr.skip(), gr.skip())


def next_button(restored: bool) -> tuple[Any, Any]:
    """Which of two buttons is the next to press: Restore marks, then Download PNG."""
    colours = ("secondary", "primary") if restored else ("primary", "secondary")
    return gr.update(variant=colours[0]), gr.update(variant=colours[1])


def on_look(here: tuple[str | None, str] | None, filled: str | None, whose: str | None) -> Any:
    """For whom the photos are opened: who fills the tab, once it is looked at; unless they are."""
    looked_at = filled and filled != whose and here == (filled, "marks")
    return filled if looked_at else gr.skip()


@uses_device
def on_open(
    opened: str | None, portrait: str | None, files: list[str] | None,
    photos: dict[str, MarkedPhoto], name: str | None, root: Path | None, language: str,
) -> Iterator[tuple]:  # fmt: skip
    """Open the photos with their marks, as after a click on Restore marks."""
    if opened:
        yield from on_find(portrait, files, photos, name, root, language)


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


def _as_kept(person: Person, pair: tuple[Path, Path], language: str) -> tuple:
    """The plain and the restored portrait, how alike it was, and the strip."""
    report = _report(pair[1])
    places = {
        placement.id: (placement.kind, placement.to)
        for placement in (report.placements if report else [])
        if placement.visible and placement.kind != Wrinkle.kind  # its course is not kept
    }
    view = viewer.pair_view(*pair, places, language)
    return view, _likeness(report, language), _cards(person, report, language)


def _report(restored: Path) -> _StoredReport | None:
    """What was kept of a restoration; None where it is damaged, or of other portraits."""
    try:
        reports = read_model(restored.with_name(REPORT), _StoredReports, "file_report")
        return reports.portraits[restored.name]
    except (InputError, KeyError, FileNotFoundError):  # the picture says it all
        return None


def _likeness(report: _StoredReport | None, language: str) -> str:
    """How alike the portrait was before and after."""
    if report is None:
        return ""
    alike = report.similarity
    if alike.after is None:
        return paragraph(text(language, "marks.no_face_after", before=alike.before))
    return paragraph(text(language, "marks.alike", before=alike.before, after=alike.after))


def _cards(person: Person, report: _StoredReport | None, language: str) -> str:
    """The strip as it was, to look at until the photos are open."""
    known = {
        mark_id(photo, mark): (photo, mark)
        for photo, marks in person.marks().items()
        for mark in marks
    }
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
                not off, why,
            )
        )  # fmt: skip
    if not cards:
        return ""
    shown = {card.photo: records[card.photo] for card in cards}
    pictures = {name: (each.photo().pixels, each.face.width) for name, each in shown.items()}
    cards = strip.in_order(cards)
    return strip.strip(cards, strip.cut_out_marks(cards, pictures), language, wait=True)


def _why(placement: _StoredPlacement, photos: int) -> Message | None:
    """Why a mark is not on the portrait, in any language."""
    if placement.code == "seen_on_few":
        return Message(placement.code, seen=placement.sightings, photos=photos)
    known = placement.code in catalogue("en") and not template_fields(placement.code)
    return Message(placement.code) if known else None
