"""Above the tabs: the language, the person, what was made of them so far, and with what."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr

from realism.config import ASSETS
from realism.diffusion.recommended import recommended_bases
from realism.faces.engine import load_engine
from realism.marks.find.finders import DEFAULT_FINDER
from realism.page.i18n import LANGUAGES, Localizer, preferred_language, text
from realism.page.job import stop_jobs
from realism.page.session import (
    EngineInfo,
    SharedWidgets,
    chosen_person,
    delete_temp_files,
    hosted,
    listener,
    never_waits,
    new_visitor_root,
    paragraph,
    person_lora,
    user_errors,
    uses_device,
)
from realism.person.person import (
    CLASS_WORDS,
    create_person,
    damaged_people,
    open_person,
    people,
)
from realism.workflow.photos import PhotoChecked, add_photos

EXAMPLE = ASSETS / "people" / "mei"


def layout(localized: Localizer) -> SimpleNamespace:
    """The title, the language, the person and how far they are."""
    with gr.Row(elem_id="top"):
        title = localized(gr.HTML, "header.title", elem_id="title")
        language = gr.Radio(
            [(name, code) for code, name in LANGUAGES.items()], value=localized.language,
            show_label=False, container=False, elem_id="language", min_width=140, scale=0,
        )  # fmt: skip
    with gr.Row(elem_id="person-row", equal_height=True):
        person = localized(
            gr.Dropdown, "header.person", choices=[], value=None, min_width=220, scale=3
        )
        # Looked up where it is used: Gradio would refuse a name that this visit's list does not
        # show yet, which another page created or a client of the API names in its first call.
        person.preprocess = lambda payload: payload or None
        new = localized(gr.Button, "header.new", min_width=110)
        example = localized(gr.Button, "header.example", min_width=150)
        delete = localized(gr.Button, "header.delete", min_width=90)
    with gr.Group(visible=False, elem_id="new-person") as creation:
        with gr.Row():
            name = localized(gr.Textbox, "header.name", max_lines=1, min_width=200)
            class_word = localized(gr.Radio, "header.noun", value=CLASS_WORDS[0], min_width=220)
        consent = localized(gr.Checkbox, "header.consent", value=False)
        with gr.Row():
            create = localized(gr.Button, "header.create", variant="primary")
            leave = localized(gr.Button, "header.leave")
    with gr.Group(visible=False, elem_id="delete-person") as deletion:
        question = gr.Markdown(elem_classes="question")
        with gr.Row():
            confirm = localized(gr.Button, "header.confirm", variant="stop")
            keep = localized(gr.Button, "header.keep")
    if hosted():
        localized(gr.Markdown, "header.hosted")
    status = gr.HTML(elem_id="status")
    return SimpleNamespace(
        title=title, language=language, person=person, new=new, example=example, delete=delete,
        creation=creation, name=name, class_word=class_word, consent=consent, create=create,
        leave=leave, deletion=deletion, question=question, confirm=confirm, keep=keep,
        status=status,
    )  # fmt: skip


def wire(
    ui: SimpleNamespace, localized: Localizer, shared: SharedWidgets, page: gr.Blocks,
    refresh_status: dict,
) -> None:  # fmt: skip
    """Join the widgets to the handlers below.

    Parameters
    ----------
    ui : SimpleNamespace
        Of `layout`.
    localized : Localizer
        Which made the widgets of all tabs.
    shared : SharedWidgets
        What every tab reads.
    page : gr.Blocks
        The page.
    refresh_status : dict
        Arguments of the event that redraws the status.
    """
    loading = page.load(
        **listener(
            on_load, None, [shared.language, shared.shown_language, shared.root, shared.person]
        )
    )
    loading.then(**refresh_status)
    loading.then(**listener(on_engine, shared.language, shared.engine)).then(**refresh_status)
    shared.language.input(**listener(on_language, shared.language, shared.shown_language))
    shared.shown_language.change(
        **listener(localized.updates, shared.shown_language, localized.components)
    )
    changes = [shared.person, shared.shown_language, shared.base]
    gr.on([widget.change for widget in changes] + [shared.tabs.select], **refresh_status)
    ui.new.click(**listener(_show, None, ui.creation))
    ui.leave.click(**listener(_hide, None, ui.creation))
    ui.create.click(
        **listener(
            on_create,
            [ui.name, ui.class_word, ui.consent, shared.root, shared.language],
            [shared.person, ui.creation, ui.name, ui.consent],
            api_name="create_person",
            api_visibility="public",
        )
    )
    ui.example.click(
        **listener(
            on_example, [shared.root, shared.language], [shared.person, shared.status],
            api_name="load_example", api_visibility="public",
        )
    ).then(**refresh_status)  # fmt: skip
    ui.delete.click(**listener(on_ask_delete, shared.visit, [ui.deletion, ui.question]))
    ui.keep.click(**listener(_hide, None, ui.deletion))
    ui.confirm.click(**listener(on_delete, shared.visit, [shared.person, ui.deletion]))


def on_load(request: gr.Request) -> tuple:
    """The browser's language, the visitor's folder and the people in it."""
    root, language = new_visitor_root(), preferred_language(request.headers.get("accept-language"))
    return language, language, root, _people_choice(root)


def on_language(language: str) -> str:
    """Another language is chosen."""
    return language


@never_waits
def on_engine(language: str) -> EngineInfo:
    """Load the face engine, and remember what the page says of it."""
    with user_errors(language):
        engine = load_engine()
        return EngineInfo(engine.name, engine.licence, engine.note)


def on_show(
    name: str | None, root: Path | None, base: str, engine: EngineInfo | None, language: str
) -> str:
    """How far the person is, and what looks at the faces and makes the portraits."""
    with user_errors(language):
        lines = paragraph(_about_engine(engine, language)) + paragraph(_about_base(base, language))
        steps = _steps(name, root, base, language)
        faults = "".join(paragraph(fault.text(language), "note") for fault in damaged_people(root))
        return f'<div class="steps">{steps}</div><div class="with">{lines}{faults}</div>'


def on_create(name: str, class_word: str, consent: bool, root: Path | None, language: str) -> tuple:
    """Make a person and choose them."""
    with user_errors(language):
        person = create_person(name, consent, class_word, root)
        return _people_choice(root, person.name), _hide(), "", False


@uses_device
def on_example(root: Path | None, language: str) -> Iterator[tuple]:
    """Choose the made-up example person, made now if nobody of that name is there."""
    with user_errors(language):
        if not any(person.name == EXAMPLE.name for person in people(root)):
            files = sorted(EXAMPLE.glob("*.jpg"))
            person = create_person(EXAMPLE.name, True, "woman", root)
            for event in add_photos(person, files, load_engine()):
                if isinstance(event, PhotoChecked):
                    loading = text(language, "header.loading", number=event.number, of=event.of)
                    yield gr.skip(), paragraph(loading, "note")
        yield _people_choice(root, EXAMPLE.name), gr.skip()


def on_ask_delete(name: str | None, root: Path | None, language: str) -> tuple:
    """Ask before a person is deleted."""
    with user_errors(language):
        person = chosen_person(name, root)
        return _show(), text(language, "header.ask", name=person.name)


def on_delete(name: str | None, root: Path | None, language: str) -> tuple:
    """Delete the person and say what went."""
    with user_errors(language):
        person = chosen_person(name, root)
        stop_jobs(person.folder)
        deleted = person.delete()
        gone = ", ".join(message.text(language) for message in deleted)
        if not hosted():  # there other visitors' pictures lie beside; they go by the hour
            delete_temp_files()
        gr.Info(text(language, "header.deleted", name=name, gone=gone), title="Realism")
        return _people_choice(root), _hide()


# What is shown --------------------------------------------------------------------------------


def _show() -> Any:
    return gr.update(visible=True)


def _hide() -> Any:
    return gr.update(visible=False)


def _people_choice(root: Path | None, name: str | None = None) -> Any:
    """The people to choose from, `name` or else the first chosen."""
    names = [person.name for person in people(root)]
    return gr.update(choices=names, value=name or (names[0] if names else None))


def _about_engine(engine: EngineInfo | None, language: str) -> str:
    if engine is None:
        return ""
    licence = engine.licence.text(language)
    about = text(language, "header.engine_line", name=engine.name, licence=licence)
    return f"{about} {engine.note.text(language)}" if engine.note else about


def _about_base(base: str, language: str) -> str:
    known = {where: row for row in recommended_bases() for where in row.where}
    if base not in known:
        return text(language, "header.own_base", base=base)
    row = known[base]
    note = text(language, "header.pocket") if base == "pocket" else row.note.text(language)
    return text(
        language, "header.base_line",
        name=row.name, resolution=row.resolution, licence=row.licence.text(language), note=note,
    )  # fmt: skip


def _steps(name: str | None, root: Path | None, base: str, language: str) -> str:
    """The four steps, each done or open, as HTML."""
    if not name:
        return paragraph(text(language, "header.nobody"), "note")
    person = open_person(name, root)
    photos = person.records()
    accepted = sum(photo.accepted for photo in photos)
    portraits = sum(len(list(run.glob("*.png"))) for run in person.runs())
    found = (mark for marks in person.marks().values() for mark in marks)
    marks = sum(mark.score >= DEFAULT_FINDER.threshold for mark in found)
    lora = person_lora(person, base)
    steps = [
        (accepted, text(language, "header.photos", accepted=accepted, of=len(photos))),
        (lora, text(language, "header.lora_yes" if lora else "header.lora_no")),
        (portraits, text(language, "header.portraits", count=portraits)),
        (marks, text(language, "header.marks", count=marks)),
    ]
    return "".join(
        f'<span class="{"done" if done else "open"}"><b>{number}</b>{escape(step)}</span>'
        for number, (done, step) in enumerate(steps, 1)
    )
