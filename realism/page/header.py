"""The bar above everything: the way back to the front, the person, their deletion, the language."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
from gradio.events import Dependency

from realism.faces.engine import load_engine
from realism.page.components import PersonChooser
from realism.page.copies import copies_of, delete_copies, leave_in_window, show_in_window
from realism.page.i18n import LANGUAGES, Localizer, preferred_language, text
from realism.page.job import stop_jobs
from realism.page.session import (
    PRIVATE,
    EngineInfo,
    SharedWidgets,
    chosen_person,
    listener,
    never_waits,
    user_errors,
)
from realism.page.visitors import new_visitor_root
from realism.person.person import people

# A page that is loaded anew in the same browser tab goes on with the person; a new visit begins
# at the front.
REMEMBER = "name => { sessionStorage.setItem('realism-person', name ?? '') }"
TO_TOP = "() => { window.scrollTo({top: 0}) }"
RECALL = "() => [sessionStorage.getItem('realism-person') || null]"


def layout(localized: Localizer) -> SimpleNamespace:
    """The title, the person, the language; below them the question before a deletion."""
    with gr.Row(elem_id="top"):
        title = localized(gr.HTML, "header.title", elem_id="title", min_width=120, scale=1)
        with gr.Row(elem_id="person-row"):
            person = localized(
                PersonChooser, "header.person", choices=[], value=None, min_width=160, scale=3,
                show_label=False, container=False,
            )  # fmt: skip
            new = localized(gr.Button, "header.new", size="sm", min_width=90, scale=0)
            delete = localized(
                gr.Button, "header.delete", size="sm", min_width=70, scale=0, variant="stop",
                elem_classes="quiet", interactive=False,
            )  # fmt: skip
        language = gr.Radio(
            [(name, code) for code, name in LANGUAGES.items()], value=localized.language,
            show_label=False, container=False, elem_id="language", min_width=130, scale=0,
        )  # fmt: skip
    with gr.Group(visible=False, elem_id="delete-person") as deletion:
        question = gr.Markdown(elem_classes="question")
        with gr.Row():
            confirm = localized(gr.Button, "header.confirm", variant="stop")
            keep = localized(gr.Button, "header.keep")
    return SimpleNamespace(
        title=title, person=person, new=new, delete=delete, language=language,
        deletion=deletion, question=question, confirm=confirm, keep=keep,
    )  # fmt: skip


def wire(
    ui: SimpleNamespace, localized: Localizer, shared: SharedWidgets, page: gr.Blocks,
    refresh: list[dict],
) -> Dependency:  # fmt: skip
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
    refresh : list of dict
        Arguments of the events that show what is there once the page is loaded.

    Returns
    -------
    Dependency
        The event of a person's being deleted.
    """
    loading = page.load(
        **listener(
            on_load, shared.person,
            [shared.language, shared.shown_language, shared.root, shared.person], js=RECALL,
        )
    )  # fmt: skip
    for event in refresh:
        loading.then(**event)
    loading.then(**listener(on_engine, shared.language, shared.engine))
    remember: dict = {"inputs": shared.person, "js": REMEMBER, **PRIVATE}
    shared.person.change(None, **remember)
    shared.person.change(**listener(on_person, [shared.person, shared.root], shared.chosen))
    to_top: dict = {"js": TO_TOP, **PRIVATE}
    shared.chosen.change(None, **to_top)
    shared.chosen.change(**listener(on_chosen, shared.chosen, ui.delete))
    shared.language.input(**listener(on_language, shared.language, shared.shown_language))
    shared.shown_language.change(
        **listener(localized.updates, shared.shown_language, localized.components)
    )
    ui.delete.click(**listener(on_ask_delete, shared.visit, [ui.deletion, ui.question]))
    ui.keep.click(**listener(_hide, None, ui.deletion))
    return ui.confirm.click(**listener(on_delete, shared.visit, [shared.person, ui.deletion]))


def on_load(recalled: str | None, request: gr.Request) -> tuple:
    """The browser's language, the visitor's folder, the people in it, the one shown before."""
    root, language = new_visitor_root(), preferred_language(request.headers.get("accept-language"))
    return language, language, root, people_choice(root, recalled)


def on_language(language: str) -> str:
    """Another language is chosen."""
    return language


def on_person(name: str | None, root: Path | None) -> str | None:
    """Another person is chosen, or nobody; what is made for this window is theirs from now on."""
    known = {person.name: person.folder for person in people(root)} if name else {}
    show_in_window(known.get(name or ""))
    return name


def on_chosen(name: str | None) -> Any:
    """Only who is chosen can be deleted."""
    return gr.update(interactive=bool(name))


@never_waits
def on_engine(language: str) -> EngineInfo:
    """Load the face engine, and remember what the page says of it."""
    with user_errors(language):
        engine = load_engine()
        second = engine.second.name if engine.second else None
        return EngineInfo(engine.name, engine.licence, engine.note, second)


def on_ask_delete(name: str | None, root: Path | None, language: str) -> tuple:
    """Ask before a person is deleted."""
    with user_errors(language):
        person = chosen_person(name, root)
        return gr.update(visible=True), text(language, "header.ask", name=person.name)


def on_delete(name: str | None, root: Path | None, language: str) -> tuple:
    """Delete the person and say what went."""
    with user_errors(language):
        person = chosen_person(name, root)
        stop_jobs(person.folder)
        copies = copies_of(person.folder)
        deleted = person.delete()
        delete_copies(copies)
        leave_in_window(person.folder)
        gone = ", ".join(message.text(language) for message in deleted)
        gr.Info(text(language, "header.deleted", name=name, gone=gone), title="Realism")
        return people_choice(root), _hide()


# What is shown --------------------------------------------------------------------------------


def people_choice(root: Path | None, name: str | None = None) -> Any:
    """The people to choose from; `name` chosen where there is such a person, else nobody."""
    names = [person.name for person in people(root)]
    return gr.update(choices=names, value=name if name in names else None)


def _hide() -> Any:
    return gr.update(visible=False)
