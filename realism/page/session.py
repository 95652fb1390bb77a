"""What every tab shares: how events are wired, who is chosen, notices, files for the browser.

There is one device. Handlers that use it (the face engine, a base) say so with `uses_device`:
they hold it while they run, and `listener`, through which every event is wired, puts them into its
queue. Handlers that only follow work of a person (`job.py`), which waits for the device itself, or
ask what is loaded, say so with `never_waits`.
"""

import functools
import inspect
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, TypeVar, cast

import cv2
import gradio as gr
import numpy as np
from gradio.components import Component
from gradio.events import Dependency

from realism.config import expanded, home, page_copies
from realism.diffusion.families import FAMILIES
from realism.diffusion.recommended import find_row
from realism.disk import is_there, whole_file
from realism.errors import InputError, Message
from realism.page.copies import folder_for_copies, left_in_window
from realism.page.job import device_held, walk_on_device
from realism.person.names import person_folder
from realism.person.person import Person, open_person

Handler = TypeVar("Handler", bound=Callable)

# All handlers that use the engine or a base wait for one another: there is one device.
DEVICE_QUEUE = {"concurrency_id": "device", "concurrency_limit": 1}
# Folders before a file's name, within what another library says of it; an address is left whole.
FOLDERS = re.compile(r"(?<![\w:/.~])(?:[A-Za-z]:|~)?(?:[/\\][^\s/\\'\"]+)*[/\\](?=[^\s/\\'\"])")
# For events of the page alone: no name for other programs, and no veil over what they change:
# Gradio 6.31 leaves one after an error, through which nothing can be clicked.
PRIVATE: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True)
class EngineInfo:
    """What the page says of the face engine, known without waiting for the device.

    Attributes
    ----------
    name : str
        "insightface" or "dlib".
    licence : Message
        On the terms of its weights.
    note : Message or None
        Why it is this one, where that is worth a sentence.
    second : str or None
        Name of the one that gives a second opinion.
    """

    name: str
    licence: Message
    note: Message | None
    second: str | None = None


@dataclass(frozen=True)
class SharedWidgets:
    """Widgets that every tab reads.

    Attributes
    ----------
    language : gr.Radio
        "en" or "zh".
    shown_language : gr.State
        The same. Events wait for its change, not for the radio's: new labels on a page that is
        just loading make that one change again and again (Gradio 6.31).
    root : gr.State
        Folder of this visitor's people; None for the common home.
    person : gr.Dropdown
        Name of the person chosen, None for nobody.
    chosen : gr.State
        The same name. Events wait for its change, not for the chooser's, which tells of one choice
        twice, seconds apart (Gradio 6.31).
    base : gr.Dropdown
        What `load_base` takes.
    engine : gr.State
        EngineInfo; None until the engine is loaded.
    status : gr.HTML
        How far the person is: what the line of steps is coloured by.
    tabs : gr.Tabs
        The four tabs.
    here : gr.State
        (name of the person or None, step): what is looked at; None at the front.
    """

    language: gr.Radio
    shown_language: gr.State
    root: gr.State
    person: gr.Dropdown
    chosen: gr.State
    base: gr.Dropdown
    engine: gr.State
    status: gr.HTML
    tabs: gr.Tabs
    here: gr.State

    @property
    def visit(self) -> list[Component]:
        """Person, root and language: what nearly every handler takes."""
        return [self.person, self.root, self.language]


# Events ---------------------------------------------------------------------------------------


def uses_device(handler: Handler) -> Handler:
    """Have a handler that uses the face engine or a base wait for the device, and hold it."""
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def holding(*given: Any, **named: Any) -> Any:
            yield from walk_on_device(lambda: handler(*given, **named))
    else:

        @functools.wraps(handler)
        def holding(*given: Any, **named: Any) -> Any:
            with device_held():
                return handler(*given, **named)

    holding.__dict__["uses_device"] = True
    return cast(Handler, holding)


def never_waits(handler: Handler) -> Handler:
    """Mark a handler that is in no queue: it follows work, or asks what is loaded."""
    handler.__dict__["never_waits"] = True
    return handler


def listener(handler: Callable, inputs: Any = None, outputs: Any = None, **settings: Any) -> dict:
    """Arguments of an event that calls a handler: every event of the page is wired with these.

    Parameters
    ----------
    handler : callable
        Waits in the device's queue where it is marked with `uses_device`, in none where it is
        marked with `never_waits`.
    inputs, outputs : component, list of component or None
        As Gradio takes them.
    settings
        Other arguments of the event; they go before PRIVATE.

    Returns
    -------
    dict
        For `button.click(**...)` and its like.
    """
    queue: dict = DEVICE_QUEUE if getattr(handler, "uses_device", False) else {}
    if getattr(handler, "never_waits", False):
        queue = {"concurrency_limit": None}
    return {"fn": handler, "inputs": inputs, "outputs": outputs, **PRIVATE, **settings, **queue}


def on_nothing() -> None:
    """Does nothing: an event that only ends others."""


@contextmanager
def user_errors(language: str) -> Iterator[None]:
    """Show what the person can mend as a notice in their language; the only place that does."""
    try:
        yield
    except InputError as error:
        notice = sentence(error.message, language)
        raise gr.Error(notice, title="Realism", duration=20, print_exception=False) from error


# The person chosen ----------------------------------------------------------------------------


def chosen_person(name: str | None, root: Path | None) -> Person:
    """The person chosen; raises InputError when there is none.

    Raises a gr.Error that is not shown where they were deleted in this window.
    """
    if not name:
        raise InputError("person_not_chosen")
    try:
        return open_person(name, root)
    except InputError as error:
        if error.code == "person_not_found" and left_in_window(person_folder(root or home(), name)):
            # Asked for before they were deleted here, and reached only now: nobody waits for it.
            raise gr.Error(str(error), visible=False, print_exception=False) from error
        raise


def owner(files: list[str] | None, name: str | None, root: Path | None) -> Person | None:
    """Whose the photos in view are; photos dropped in tab 4 belong to nobody."""
    return chosen_person(name, root) if name and not files else None


def base_name(where: str) -> str:
    """The name that a base will have once loaded, without loading it."""
    path = expanded(where)
    return path.name if is_there(path) else where


def person_lora(person: Person, where: str) -> Path | None:
    """The person's LoRA for a base, None where there is none yet."""
    row = find_row(where)
    family = row.family if row and FAMILIES[row.family].shares_loras else None
    try:
        return person.adapter(base_name(where), family=family)
    except InputError:
        return None


# Sentences and files --------------------------------------------------------------------------


def sentence(message: Message, language: str) -> str:
    """A message as the page says it: files and folders by their names, not where they lie.

    Whoever looks over a shoulder, at a stage or at a shared page is not told about this machine.
    """
    names = {name: _without_folders(value) for name, value in message.values.items()}
    return FOLDERS.sub("", Message(message.code, **names).text(language))


def _without_folders(value: object) -> object:
    if isinstance(value, Message):
        return Message(
            value.code, **{name: _without_folders(part) for name, part in value.values.items()}
        )
    if isinstance(value, tuple):
        return tuple(map(_without_folders, value))
    if isinstance(value, str) and _is_place(value):
        return Path(value).name or value
    return value


def _is_place(value: str) -> bool:
    path, people = Path(value), Path(os.environ.get("REALISM_HOME") or "people")
    return path.is_absolute() or (bool(people.parts) and path.is_relative_to(people))


def paragraph(sentence: str, css_class: str = "") -> str:
    """A sentence as HTML; "" for ""."""
    return f'<p class="{css_class}">{escape(sentence)}</p>' if sentence else ""


def hidden_download(elem_id: str) -> gr.DownloadButton:
    """Where a file waits for the browser to save it; never seen."""
    # By the style sheet: what is hidden inside a hidden row shows with the row in Gradio 6.
    return gr.DownloadButton(elem_id=elem_id, elem_classes="hidden-download")


def download_after(event: Dependency, button: gr.DownloadButton) -> None:
    """Have the browser save the file that an event puts into a hidden download button.

    A DownloadButton of Gradio 6 hands over what it held before the click, so a file made by the
    click needs a second click: this is it.
    """
    press = f"() => setTimeout(() => document.querySelector('#{button.elem_id}').click(), 200)"
    event.success(None, None, None, js=press, api_visibility="private")


def scroll_to_detail(event: Dependency) -> None:
    """Bring what an event showed large into sight: a gallery may be longer than the screen."""
    show = """() => setTimeout(() => [...document.querySelectorAll('.detail')]
      .find(detail => detail.offsetParent)
      ?.scrollIntoView({block: 'nearest', behavior: 'smooth'}), 200)"""
    event.success(None, None, None, js=show, api_visibility="private")


def temp_dir() -> Path:
    """Where Gradio keeps copies of what the page shows and takes in; made when it is missing."""
    folder = page_copies()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def quick_png(pixels: np.ndarray) -> str:
    """A PNG of (H, W, 3) uint8 sRGB for the screen: little compression, since a person waits."""
    data = cv2.imencode(".png", pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
    file = folder_for_copies() / f"picture-{secrets.token_hex(8)}.png"
    with whole_file(file, durable=False) as temporary:
        temporary.write_bytes(data)
    return str(file)


def new_temp_dir() -> Path:
    """A new folder there, for files made for download."""
    return Path(tempfile.mkdtemp(dir=folder_for_copies()))


def delete_temp_files() -> None:
    """Delete all copies; what is still on a screen is copied again when it is shown again."""
    for path in temp_dir().iterdir():
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
