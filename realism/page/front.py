"""What one sees before a person is chosen: what the program does, and three doors into it.

The example, finished; a new person with their photos; a portrait that lacks its marks. Beside the
doors, for who comes back, their people. All of it leaves once there is work to see.
"""

from functools import lru_cache
from html import escape
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import cv2
import gradio as gr
from gradio.events import Dependency

from realism.page import draw
from realism.page.compare import compare_slider, data_uri
from realism.page.header import people_choice
from realism.page.i18n import Localizer, text
from realism.page.marks.stored import newest_result
from realism.page.session import (
    SharedWidgets,
    chosen_person,
    listener,
    paragraph,
    sentence,
    user_errors,
)
from realism.page.steps import STEPS, read_progress
from realism.page.visitors import hosted
from realism.person.person import (
    CLASS_WORDS,
    Person,
    create_person,
    damaged_people,
    open_person,
    people,
)
from realism.person.photo_record import PhotoRecord
from realism.workflow.example import FINISHED, open_example

EXAMPLE = "mei"
View = Literal["front", "creation", "work"]
PICTURE = 96  # px, side of a person's picture beside their name
# A click on a person's card tells whose it is.
PICK = """element.addEventListener('click', event => {
  const card = event.target.closest('[data-name]');
  if (card) trigger('click', {name: card.dataset.name});
});"""


def layout(localized: Localizer) -> SimpleNamespace:
    """Left the story and the doors, right a real result; instead of both, the new person."""
    result = newest_result(open_person(EXAMPLE, FINISHED))
    assert result is not None  # it ships with the program
    view = gr.HTML(_view("front"), elem_id="view")
    with gr.Column(elem_id="front"):
        with gr.Row(elem_id="hero"):
            with gr.Column(scale=6, min_width=300, elem_id="result"):
                compare_slider(localized, "front.compare", *result, min_width=0)
            with gr.Column(scale=5, min_width=300, elem_id="story"):
                localized(gr.HTML, "front.story", elem_id="sentence")
                with gr.Column(elem_id="doors"):
                    example = localized(gr.Button, "front.example", variant="primary")
                    photos = localized(gr.Button, "front.photos")
                    portrait = localized(gr.Button, "front.portrait")
                message = gr.HTML(elem_classes="tab-message")
                known = gr.HTML(elem_id="people", js_on_load=PICK)
        localized(gr.HTML, "front.how", elem_id="how")
        if hosted():
            localized(gr.Markdown, "header.hosted", elem_classes="tips")
    with gr.Column(elem_id="new-person"):
        localized(gr.HTML, "front.new")
        with gr.Row():
            with gr.Column(min_width=280):
                name = localized(gr.Textbox, "header.name", max_lines=1)
                class_word = localized(gr.Radio, "header.noun", value=CLASS_WORDS[0])
                consent = localized(gr.Checkbox, "header.consent", value=False)
            with gr.Column(min_width=280):
                files = localized(gr.File, "photos.files", file_count="multiple", height=230)
        with gr.Row():
            create = localized(gr.Button, "header.create", variant="primary", min_width=180)
            leave = localized(gr.Button, "header.leave", min_width=120, scale=0)
    # (name, step) of the example that was opened or the person created last: where they begin.
    return SimpleNamespace(
        view=view, example=example, photos=photos, portrait=portrait, message=message,
        known=known, name=name, class_word=class_word, consent=consent, files=files,
        create=create, leave=leave, tour=gr.State(None),
    )  # fmt: skip


def wire(
    ui: SimpleNamespace, header_ui: SimpleNamespace, shared: SharedWidgets, deleted: Dependency
) -> Dependency:
    """Join the widgets to the handlers below.

    Parameters
    ----------
    ui, header_ui : SimpleNamespace
        Of `layout` here and of the header.
    shared : SharedWidgets
        What every tab reads.
    deleted : Dependency
        The event of a person's being deleted, which leads back here.

    Returns
    -------
    Dependency
        The event of a person's being created: their photos are added next.
    """
    place = [shared.root, shared.language]
    ui.example.click(
        **listener(
            on_example, place, [shared.person, ui.message, ui.tour],
            api_name="load_example", api_visibility="public",
        )
    )  # fmt: skip
    shared.chosen.change(
        **listener(
            on_person,
            [shared.person, shared.root, shared.base, ui.tour, shared.language],
            [ui.view, shared.tabs, shared.here, ui.message],
        )
    )
    shared.shown_language.change(**listener(on_people, place, ui.known))
    ui.known.click(**listener(on_pick, shared.root, [shared.person, ui.tour]))
    gr.on([ui.photos.click, header_ui.new.click], **listener(on_photos, None, ui.view))
    ui.leave.click(**listener(on_leave, shared.person, ui.view))
    home = listener(on_home, place, [shared.person, ui.view, ui.known, shared.here])
    header_ui.title.click(**home)
    deleted.success(**home)
    ui.portrait.click(**listener(on_portrait, None, [ui.view, shared.tabs, shared.here]))
    return ui.create.click(
        **listener(
            on_create,
            [ui.name, ui.class_word, ui.consent, shared.root, shared.language],
            [shared.person, ui.name, ui.consent, ui.tour],
            api_name="create_person", api_visibility="public",
        )
    )  # fmt: skip


# Handlers -------------------------------------------------------------------------------------


def on_example(root: Path | None, language: str) -> tuple:
    """Open the finished example, or what became of it here."""
    with user_errors(language):
        person = open_example(EXAMPLE, root)
        return people_choice(root, person.name), "", (person.name, STEPS[0])


def on_person(
    name: str | None, root: Path | None, base: str, tour: tuple[str, str] | None, language: str
) -> tuple:
    """Show the work on a person, at the step that comes next."""
    if not name:  # the front is shown already, and may have been left by its third door meanwhile
        return gr.skip(), gr.skip(), gr.skip(), ""
    with user_errors(language):
        step = read_progress(chosen_person(name, root), base).next_step
        step = tour[1] if tour and name == tour[0] else step
    return _view("work"), gr.Tabs(selected=step), (name, step), ""


def on_pick(root: Path | None, event: gr.EventData) -> tuple:
    """Choose the person whose card was clicked."""
    return people_choice(root, event.name), None


def on_photos() -> str:
    """The second door: a new person."""
    return _view("creation")


def on_leave(name: str | None) -> str:
    """Back to where one came from, with nobody created."""
    return _view("work" if name else "front")


def on_home(root: Path | None, language: str) -> tuple:
    """Back to the front; nobody is chosen any more."""
    return people_choice(root), _view("front"), on_people(root, language), None


def on_portrait() -> tuple:
    """The third door: tab 4, which needs no person, only photos and a portrait."""
    return _view("work"), gr.Tabs(selected=STEPS[-1]), (None, STEPS[-1])


def on_create(name: str, class_word: str, consent: bool, root: Path | None, language: str) -> tuple:
    """Make a person and choose them."""
    with user_errors(language):
        person = create_person(name, consent, class_word, root)
        return people_choice(root, person.name), "", False, (person.name, STEPS[0])


def on_people(root: Path | None, language: str) -> str:
    """A card for each person, and what is wrong with whom cannot be read."""
    cards = "".join(_card(person, language) for person in people(root))
    faults = "".join(paragraph(sentence(fault, language), "note") for fault in damaged_people(root))
    head = f"<h3>{escape(text(language, 'front.people'))}</h3>" if cards else ""
    return f"{head}<div>{cards}</div>{faults}"


# What is shown --------------------------------------------------------------------------------


def _view(shown: View) -> str:
    """What the style sheet shows by: the front, the form of a new person, or the work.

    Nothing is made invisible by Gradio, since what reaches a part that is not there is lost (6.31).
    """
    return f'<i class="at-{shown}" hidden></i>'


def _card(person: Person, language: str) -> str:
    name = escape(person.name, quote=True)
    progress = read_progress(person, "pocket")
    key = "front.made_marks" if progress.marks else "front.made"
    key = key if progress.portraits else "front.photos_only"
    far = text(language, key, portraits=progress.portraits, photos=progress.photos)
    with_face = [record for record in person.records() if record.accepted]
    picture = f'<img src="{_face(with_face[0])}" alt="">' if with_face else "<i></i>"
    return (
        f'<button data-name="{name}">{picture}<span>{name}<small>{escape(far)}</small></span>'
        "</button>"
    )


def _face(record: PhotoRecord) -> str:
    assert record.path is not None  # no photo is accepted without a picture
    return _kept_face(record, record.path.stat().st_mtime_ns)


@lru_cache(maxsize=200)
def _kept_face(record: PhotoRecord, _: int) -> str:
    thumb = draw.thumbnail(record.photo().pixels, record.verdict.face)
    return data_uri(cv2.resize(thumb, (PICTURE, PICTURE), interpolation=cv2.INTER_AREA))
