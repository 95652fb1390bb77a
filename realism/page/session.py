"""What every tab shares: who is looking, at whom, and how a refusal reaches the screen."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path

import gradio as gr

from realism.config import home, page_copies
from realism.errors import InputError
from realism.person.person import Person, open_person

# All events that use the engine or a base wait for one another: there is one device.
DEVICE = {"concurrency_id": "device", "concurrency_limit": 1}
# For events of the page alone: no name for other programs, and no veil over what they change:
# Gradio 6.31 leaves one after an error, through which nothing can be clicked.
QUIET = {"show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True)
class Shared:
    """Widgets that every tab reads.

    language    "en" | "zh"
    root        the folder of this visitor's people; None for the common home
    person      name of the person chosen, None for nobody
    base        what `load_base` takes
    standing    how far the person is
    tabs        the four tabs
    """

    language: gr.Radio
    root: gr.State
    person: gr.Dropdown
    base: gr.Dropdown
    standing: gr.HTML
    tabs: gr.Tabs


@contextmanager
def told(language: str) -> Iterator[None]:
    """Show what the person can mend as a notice in their language; the only place that does."""
    try:
        yield
    except InputError as error:
        said = error.message.text(language)
        raise gr.Error(said, title="Realism", duration=20, print_exception=False) from error


def chosen(name: str | None, root: Path | None) -> Person:
    """The person chosen; raises InputError when there is none."""
    if not name:
        raise InputError("person_not_chosen")
    return open_person(name, root)


def base_name(where: str) -> str:
    """The name that a base will have once loaded, without loading it."""
    path = Path(where).expanduser()
    return path.name if path.exists() else where


def lora_of(person: Person, where: str) -> Path | None:
    """The person's LoRA for a base, None where there is none yet."""
    try:
        return person.adapter(base_name(where))
    except InputError:
        return None


def line(said: str, kind: str = "") -> str:
    """A sentence as HTML."""
    return f'<p class="{kind}">{escape(said)}</p>' if said else ""


def handed(name: str) -> gr.DownloadButton:
    """Where a file waits to be handed over; never seen."""
    # By the style sheet: what is hidden inside a hidden row shows with the row in Gradio 6.
    return gr.DownloadButton(elem_id=name, elem_classes="handed")


def hand_over(event: gr.events.Dependency, button: gr.DownloadButton) -> None:
    """Have the browser save the file that `event` put into `button`.

    A DownloadButton of Gradio 6 hands over what it held before the click, so a file made by the
    click needs a second click: this is it.
    """
    press = f"() => setTimeout(() => document.querySelector('#{button.elem_id}').click(), 200)"
    event.success(None, None, None, js=press, api_visibility="private")


def passing() -> Path:
    """Where Gradio keeps copies of what the page shows and takes in; made when it is missing."""
    folder = page_copies()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def passing_folder() -> Path:
    """A new folder there, for files made to be handed over."""
    return Path(tempfile.mkdtemp(dir=passing()))


def forget_passing() -> None:
    """Delete all copies; what is still on a screen is copied again when it is shown again."""
    for one in passing().iterdir():
        shutil.rmtree(one, ignore_errors=True) if one.is_dir() else one.unlink(missing_ok=True)


def hosted() -> bool:
    """Whether strangers share this machine: a Space of Hugging Face or a ModelScope studio."""
    return any(os.environ.get(name) for name in ("SPACE_ID", "MODELSCOPE_ENVIRONMENT"))


def visitors() -> Path:
    """Where the people of the visitors of a hosted page are kept, a folder each."""
    return home() / "visitors"


def new_root() -> Path | None:
    """A visitor's own folder where the page is hosted, None (the common home) elsewhere."""
    # Nobody else's folder can be guessed: 128 random bits.
    return visitors() / secrets.token_hex(16) if hosted() else None


def forget(root: Path | None) -> None:
    """Delete a visitor's folder once the visit is over; the common home stays."""
    if root is not None and root.exists():
        shutil.rmtree(root)
