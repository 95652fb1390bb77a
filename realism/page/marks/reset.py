"""Tab 4 as it is at first: nothing of other photos or of another person stays in it."""

from dataclasses import astuple
from types import SimpleNamespace
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from realism.marks.find.finders import DEFAULT_FINDER
from realism.marks.observation import LEAST_OBSERVATIONS
from realism.marks.restore.blend import Sliders
from realism.marks.restore.placement import PLACEMENTS
from realism.marks.restore.prepare import METHODS
from realism.page.marks.kept import next_button
from realism.page.session import SharedWidgets, listener


def wire(ui: SimpleNamespace, shared: SharedWidgets, title: gr.HTML) -> Dependency:
    """Empty the tab where what is in it is nobody's any more.

    Parameters
    ----------
    ui : SimpleNamespace
        Of `layout`.
    shared : SharedWidgets
        What every tab reads.
    title : gr.HTML
        Leads back to the front. Emptied then, not at the third door: who is quick at the form
        would lose what they wrote.

    Returns
    -------
    Dependency
        The event after another person or nobody is chosen: nothing of the last one is left.
    """
    found = [
        ui.photos, ui.placed, ui.off, ui.moves, ui.picked_up, ui.wrinkle_start, ui.atlas, ui.head,
        ui.passport, ui.flip, ui.editing, ui.cutouts, ui.cards,
    ]  # fmt: skip
    # By the user's hand: the files that leave with another person change nothing more.
    dropped = [ui.files.upload, ui.files.clear, ui.files.delete]
    gr.on(dropped, **listener(on_other_photos, None, found))
    shown: list[Component] = [
        ui.portrait, ui.run_portrait, ui.files, ui.before, ui.photo_name, ui.filled, ui.opened,
        ui.result, ui.likeness, ui.message, ui.gallery, ui.photo, ui.portrait_marks, ui.table,
        ui.go_on, ui.restore, ui.save, ui.edit,
    ]  # fmt: skip
    form = [ui.new.name, ui.new.consent, ui.new.photos]
    choices = [ui.method, ui.placement, ui.least_score, ui.least_sightings, *ui.sliders]
    return gr.on(
        [shared.chosen.change, title.click],
        **listener(on_other_person, None, [*found, *shown, *form, *choices]),
    )


def on_other_photos() -> tuple:
    """Other photos: what was found on the last ones, the passport too, is not theirs."""
    hidden = gr.update(visible=False)
    return {}, None, [], {}, None, None, None, None, "", hidden, hidden, None, ""


def on_other_person() -> tuple:
    """Another person: the tab, its form and what is set in it are as at first."""
    shown: tuple[Any, ...] = (None,) * 8 + ("", "", None, None, None, "", gr.update(visible=False))
    form = ("", False, None)
    choices = (METHODS[0], PLACEMENTS[0], DEFAULT_FINDER.threshold, LEAST_OBSERVATIONS)
    return *on_other_photos(), *shown, *next_button(False), *form, *choices, *astuple(Sliders())
