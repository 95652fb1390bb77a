"""Above the tabs: the language, the person, what was made of them so far, and with what."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from types import SimpleNamespace

import gradio as gr

from realism.config import ASSETS
from realism.diffusion.recommended import recommended_bases
from realism.faces.engine import load_engine
from realism.marks.find.finders import DEFAULT_FINDER
from realism.page.i18n import LANGUAGES, Spoken, language_of, text
from realism.page.session import (
    DEVICE,
    QUIET,
    Shared,
    chosen,
    forget_passing,
    hosted,
    line,
    lora_of,
    new_root,
    told,
)
from realism.person.person import CLASS_WORDS, create_person, open_person, people

EXAMPLE = ASSETS / "people" / "mei"


def layout(say: Spoken) -> SimpleNamespace:
    """The title, the language, the person and the standing."""
    with gr.Row(elem_id="top"):
        title = say(gr.HTML, "header.title", elem_id="title")
        language = gr.Radio(
            [(name, code) for code, name in LANGUAGES.items()], value=say.language,
            show_label=False, container=False, elem_id="language", min_width=140, scale=0,
        )  # fmt: skip
    with gr.Row(elem_id="who", equal_height=True):
        person = say(gr.Dropdown, "header.person", choices=[], value=None, min_width=220, scale=3)
        new = say(gr.Button, "header.new", min_width=110)
        example = say(gr.Button, "header.example", min_width=150)
        delete = say(gr.Button, "header.delete", min_width=90)
    with gr.Group(visible=False, elem_id="new-person") as creation:
        with gr.Row():
            name = say(gr.Textbox, "header.name", max_lines=1, min_width=200)
            class_word = say(gr.Radio, "header.noun", value=CLASS_WORDS[0], min_width=220)
        consent = say(gr.Checkbox, "header.consent", value=False)
        with gr.Row():
            create = say(gr.Button, "header.create", variant="primary")
            leave = say(gr.Button, "header.leave")
    with gr.Group(visible=False, elem_id="delete-person") as deletion:
        question = gr.Markdown(elem_classes="question")
        with gr.Row():
            confirm = say(gr.Button, "header.confirm", variant="stop")
            keep = say(gr.Button, "header.keep")
    if hosted():
        say(gr.Markdown, "header.hosted")
    standing = gr.HTML(elem_id="standing")
    return SimpleNamespace(
        title=title, language=language, person=person, new=new, example=example, delete=delete,
        creation=creation, name=name, class_word=class_word, consent=consent, create=create,
        leave=leave,
        deletion=deletion, question=question, confirm=confirm, keep=keep, standing=standing,
    )  # fmt: skip


def wire(w: SimpleNamespace, say: Spoken, shared: Shared, page: gr.Blocks, refresh: dict) -> None:
    """Join the widgets to the handlers below.

    refresh    arguments of the event that redraws the standing
    """
    page.load(on_load, None, [shared.language, shared.root, shared.person], **QUIET).then(**refresh)
    shared.language.change(say.switched, shared.language, say.components, **QUIET)
    changes = [shared.person, shared.language, shared.base]
    gr.on([widget.change for widget in changes] + [shared.tabs.select], **refresh)
    w.new.click(lambda: gr.update(visible=True), None, w.creation, **QUIET)
    w.leave.click(lambda: gr.update(visible=False), None, w.creation, **QUIET)
    w.create.click(
        on_create,
        [w.name, w.class_word, w.consent, shared.root, shared.language],
        [shared.person, w.creation, w.name, w.consent],
        api_name="create_person",
        show_progress="hidden",
    )
    w.example.click(
        on_example,
        [shared.root, shared.language],
        [shared.person, shared.standing],
        api_name="load_example",
        show_progress="hidden",
        **DEVICE,
    ).then(**refresh)
    w.delete.click(
        on_ask, [shared.person, shared.root, shared.language], [w.deletion, w.question], **QUIET
    )
    w.keep.click(lambda: gr.update(visible=False), None, w.deletion, **QUIET)
    w.confirm.click(
        on_delete,
        [shared.person, shared.root, shared.language],
        [shared.person, w.deletion],
        **QUIET,
    )


def on_load(request: gr.Request) -> tuple:
    """The browser's language, the visitor's folder and the people in it."""
    root = new_root()
    return language_of(request.headers.get("accept-language")), root, _choice(root)


def on_show(name: str | None, root: Path | None, base: str, language: str) -> str:
    """How far the person is, and what looks at the faces and makes the portraits."""
    with told(language):
        return standing_of(name, root, base, language)


def on_create(name: str, class_word: str, consent: bool, root: Path | None, language: str) -> tuple:
    """Make a person and choose them."""
    with told(language):
        person = create_person(name, consent, class_word, root)
        return _choice(root, person.name), gr.update(visible=False), "", False


def on_example(root: Path | None, language: str) -> Iterator[tuple]:
    """Choose the made-up example person, made now if nobody of that name is there."""
    with told(language):
        if not any(person.name == EXAMPLE.name for person in people(root)):
            files = sorted(EXAMPLE.glob("*.jpg"))
            person = create_person(EXAMPLE.name, True, "woman", root)
            for number, _ in enumerate(person.add_photos(files, load_engine()), 1):
                said = text(language, "header.loading", number=number, of=len(files))
                yield gr.skip(), line(said, "note")
        yield _choice(root, EXAMPLE.name), gr.skip()


def on_ask(name: str | None, root: Path | None, language: str) -> tuple:
    """Ask before a person is deleted."""
    with told(language):
        person = chosen(name, root)
        return gr.update(visible=True), text(language, "header.ask", name=person.name)


def on_delete(name: str | None, root: Path | None, language: str) -> tuple:
    """Delete the person and say what went."""
    with told(language):
        deleted = chosen(name, root).delete()
        gone = ", ".join(one.text(language) for one in deleted)
        if not hosted():  # there other visitors' pictures lie beside; they go by the hour
            forget_passing()
        gr.Info(text(language, "header.deleted", name=name, gone=gone), title="Realism")
        return _choice(root), gr.update(visible=False)


def _choice(root: Path | None, name: str | None = None):
    """The people to choose from, `name` or else the first chosen."""
    names = [person.name for person in people(root)]
    return gr.update(choices=names, value=name or (names[0] if names else None))


def standing_of(name: str | None, root: Path | None, base: str, language: str) -> str:
    """The line of the four steps, then the engine and the base, as HTML."""
    engine = load_engine()
    known = {where: row for row in recommended_bases() for where in row.where}
    about = text(language, "header.own_base", base=base)
    if base in known:
        row = known[base]
        about = text(
            language, "header.base_line",
            name=row.name, resolution=row.resolution, licence=row.licence.text(language),
            note=text(language, "header.pocket")
            if base == "pocket"
            else row.note.text(language),
        )  # fmt: skip
    licence = engine.licence.text(language)
    faces = text(language, "header.engine_line", name=engine.name, licence=licence)
    note = engine.note.text(language) if engine.note else ""
    lines = f"<p>{escape(faces)} {escape(note)}</p><p>{escape(about)}</p>"
    steps = _steps(name, root, base, language)
    return f'<div class="steps">{steps}</div><div class="with">{lines}</div>'


def _steps(name: str | None, root: Path | None, base: str, language: str) -> str:
    if not name:
        return line(text(language, "header.nobody"), "note")
    person = open_person(name, root)
    entries = person.records()
    accepted = sum(entry.accepted for entry in entries)
    portraits = sum(len(list(run.glob("*.png"))) for run in person.runs())
    found = (mark for those in person.marks().values() for mark in those)
    marks = sum(mark.score >= DEFAULT_FINDER.threshold for mark in found)
    lora = lora_of(person, base)
    steps = [
        (accepted, text(language, "header.photos", accepted=accepted, of=len(entries))),
        (lora, text(language, "header.lora_yes" if lora else "header.lora_no")),
        (portraits, text(language, "header.portraits", count=portraits)),
        (marks, text(language, "header.marks", count=marks)),
    ]
    return "".join(
        f'<span class="{"done" if done else "open"}"><b>{number}</b>{escape(said)}</span>'
        for number, (done, said) in enumerate(steps, 1)
    )
