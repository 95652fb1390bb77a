"""Tab 4 as it was left: a result that is on disk is shown at once, and opened for what is changed.

What a person's run keeps, a portrait with and without its marks, needs no engine. The sliders and
clicks do need the photos, opened: that begins with the first of them, not before.
"""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
from gradio.events import Dependency

from realism.marks.photo import MarkedPhoto
from realism.marks.restore.blend import Sliders
from realism.page.marks import editor, handlers, viewer
from realism.page.marks.stored import (
    as_kept,
    holds,
    is_on,
    kept_result,
    known_marks,
    newest_result,
    read_report,
)
from realism.page.session import (
    SharedWidgets,
    chosen_person,
    listener,
    user_errors,
    uses_device,
)
from realism.person.person import Person
from realism.workflow.place import PlacedPortrait, RestoreOptions


def wire(
    ui: SimpleNamespace, shared: SharedWidgets, forgotten: Dependency, portrait_sent: Dependency
) -> tuple[Dependency, Dependency]:
    """Show what is kept of whoever is chosen, and open their photos once something is changed.

    Parameters
    ----------
    ui : SimpleNamespace
        Of tab 4's layout.
    shared : SharedWidgets
        What every tab reads.
    forgotten : Dependency
        The event after another person is chosen: nothing of the last one is left in the tab.
    portrait_sent : Dependency
        The event of a portrait's being sent here from tab 3.

    Returns
    -------
    Dependency, Dependency
        The photos are opened: for what is changed, and for a portrait whose result is not kept.
    """
    filled, opened, place = ui.filled, ui.opened, [shared.root, shared.language]
    ways = [ui.method, ui.placement, *ui.sliders]
    kept = [ui.result, ui.likeness, ui.passport, ui.atlas, filled, opened, ui.restore, ui.save,
            ui.edit, ui.cards]  # fmt: skip
    look = listener(on_look, [shared.here, filled, ui.portrait, *place, *ways], opened)
    forgotten.then(**listener(on_fill, [shared.chosen, *place], [ui.portrait, *kept])).then(**look)
    shared.here.change(**look)
    shared.shown_language.change(
        **listener(
            on_language,
            [filled, ui.placed, ui.portrait, *place],
            [ui.result, ui.likeness, ui.cards],
        )
    )
    touched = [slider.input for slider in ui.sliders]
    touched += [ui.method.input, ui.placement.input, ui.edit.click]
    gr.on(touched, **listener(on_touch, [filled, ui.placed], opened))
    switching = ui.cards.click(
        **listener(on_switch, [filled, ui.placed, ui.portrait, *place], opened)
    )
    switching.failure(**viewer.LAID)
    brought = listener(on_brought, None, [filled, ui.restore, ui.save, ui.edit])
    gr.on([ui.portrait.upload, ui.portrait.clear, ui.files.upload], **brought)
    choosing = ui.run_portrait.input(
        **listener(handlers.on_run_portrait, [ui.run_portrait, *shared.visit], ui.portrait)
    )
    taking = listener(on_sent, [ui.portrait, ui.photos, *shared.visit, *ways], kept)
    choosing.success(**taking)
    found = [ui.photos, ui.photo_name, ui.gallery, ui.message]
    photos = [ui.portrait, ui.files, ui.photos, *shared.visit]
    sent = portrait_sent.success(**taking)
    opening = opened.change(**listener(on_open, [opened, *photos], found))
    opening.failure(**listener(lambda: None, None, opened))
    return opening, sent.success(**listener(on_open_sent, [filled, *photos], found))


def on_fill(name: str | None, root: Path | None, language: str) -> tuple:
    """Fill the tab, which was emptied, with what is kept of a person."""
    nothing = (gr.skip(),) * 11
    if not name:
        return nothing
    with user_errors(language):
        person = chosen_person(name, root)
        pair = newest_result(person)
        return nothing if pair is None else (str(pair[0]), *_filled(person, pair, language))


def on_sent(
    portrait: str | None, photos: dict[str, MarkedPhoto], name: str | None, root: Path | None,
    language: str, method: str, placement: str, *sliders: float,
) -> tuple:  # fmt: skip
    """Another portrait of the person: shown as it is kept, where that is how it would be now."""
    with user_errors(language):
        person = chosen_person(name, root)
        pair = kept_result(person, portrait)
        if pair and not photos and _at_first(method, placement, sliders) and holds(person, pair):
            return _filled(person, pair, language)
    filled, *buttons = on_brought()
    return (*(gr.skip(),) * 4, filled, None, *buttons, gr.skip())


def on_language(
    filled: str | None, placed: PlacedPortrait | None, portrait: str | None, root: Path | None,
    language: str,
) -> tuple:  # fmt: skip
    """What is said of the kept result and on it, in another language."""
    if not filled or placed is not None:
        return (gr.skip(),) * 3
    with user_errors(language):
        person = chosen_person(filled, root)
        pair = kept_result(person, portrait)
        if pair is None:
            return None, "", ""
        return as_kept(person, pair, language)


def on_brought() -> tuple:
    """Another portrait: what is on the screen is the user's, and to be restored next."""
    return None, *next_button(False)


def on_placed(placed: PlacedPortrait | None) -> tuple:
    """The marks are on the portrait, or nothing was to be done."""
    return next_button(True) if placed else (gr.skip(),) * 3


def next_button(restored: bool, kept: bool = False) -> tuple[Any, Any, Any]:
    """Which of two buttons is the next to press: Restore marks, then Download PNG.

    The third opens what is kept, to correct it.
    """
    return (
        gr.update(variant="secondary" if restored else "primary"),
        gr.update(visible=restored),
        gr.update(visible=kept),
    )


def on_look(
    here: tuple[str | None, str] | None, filled: str | None, portrait: str | None,
    root: Path | None, language: str, method: str, placement: str, *sliders: float,
) -> Any:  # fmt: skip
    """For whom the photos are opened at once: whose kept result is not what it would be now."""
    if not filled or here != (filled, "marks"):
        return gr.skip()
    with user_errors(language):
        person = chosen_person(filled, root)
        pair = kept_result(person, portrait)
        if pair is None:  # the portrait is on its way to the page: once it is there, this is asked
            return gr.skip()
        fits = _at_first(method, placement, sliders) and holds(person, pair)
    return gr.skip() if fits else filled


def on_touch(filled: str | None, placed: PlacedPortrait | None) -> Any:
    """Something is changed on a kept result: its photos are needed now."""
    return filled if filled and placed is None else gr.skip()


def on_switch(
    filled: str | None, placed: PlacedPortrait | None, portrait: str | None, root: Path | None,
    language: str, event: gr.EventData,
) -> Any:  # fmt: skip
    """Switch a mark of a kept result; its photos are opened, to show the portrait so."""
    if not filled or placed is not None:
        return gr.skip()
    with user_errors(language):
        person = chosen_person(filled, root)
        pair = kept_result(person, portrait)
        report = read_report(pair[1]) if pair else None
        known, switched = known_marks(person), person.switched()
        for placement in report.placements if report else []:
            if placement.id == event.mark and placement.id in known:
                seen = known[placement.id]
                on = not is_on(placement, switched.state_of([seen]))
                person.save_switched(switched.with_mark([seen], on))
    return filled


@uses_device
def on_open(
    opened: str | None, portrait: str | None, files: list[str] | None,
    photos: dict[str, MarkedPhoto], name: str | None, root: Path | None, language: str,
) -> Iterator[tuple]:  # fmt: skip
    """Open the photos with their marks, as after a click on Restore marks."""
    if opened:
        yield from handlers.on_find(portrait, files, photos, name, root, language)


@uses_device
def on_open_sent(
    filled: str | None, portrait: str | None, files: list[str] | None,
    photos: dict[str, MarkedPhoto], name: str | None, root: Path | None, language: str,
) -> Iterator[tuple]:  # fmt: skip
    """The same for a portrait that was sent here, but where its kept result is shown."""
    if not filled:
        yield from handlers.on_find(portrait, files, photos, name, root, language)


# What is shown --------------------------------------------------------------------------------


def _filled(person: Person, pair: tuple[Path, Path], language: str) -> tuple:
    """The tab with a kept result: what it shows, whose it is, and the next button."""
    atlas = person.passport()
    table = editor.passport_table(atlas, language) if atlas else ""
    result, likeness, cards = as_kept(person, pair, language)
    buttons = next_button(True, kept=True)
    return result, likeness, table, atlas, person.name, None, *buttons, cards


def _at_first(method: str, placement: str, sliders: tuple[float, ...]) -> bool:
    """Whether all is set as it is at first, which is how most is restored."""
    first = RestoreOptions()
    return (method, placement, Sliders(*sliders)) == (first.method, first.placement, first.sliders)
