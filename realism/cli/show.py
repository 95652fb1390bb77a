"""`realism show`: what came of a person's four steps, as a presentation for a stage."""

import tempfile
import webbrowser
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from realism.cli.console import say

if TYPE_CHECKING:
    import numpy as np

    from realism.show.story import Story

EXAMPLE, EXAMPLE_PERSON = "example", "mei"


def show(
    person: Annotated[
        str, typer.Argument(help="The person's name, or `example`.", metavar="PERSON|example")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The .html file to write; by default in the person's folder."),
    ] = None,
    language: Annotated[
        Literal["en", "zh"], typer.Option(help="Of the presentation: English or Chinese.")
    ] = "en",
    poster: Annotated[
        Path | None,
        typer.Option(help="Write one A3 sheet instead, .png or .pdf; with --out both."),
    ] = None,
    open_it: Annotated[
        bool, typer.Option("--open/--no-open", help="Whether to open it in the browser.")
    ] = True,
) -> None:
    """Present a person's photos, fine-tune, portraits and marks, full screen, by keys or by itself.

    One file, made of what is on disk, that needs no network. Steps not done yet are left out.
    """
    from realism.errors import InputError

    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise InputError("show_target_suffix", file=out)
    if poster is not None and poster.suffix.lower() not in (".png", ".pdf"):
        raise InputError("poster_target_suffix", file=poster)
    story, place = _story(person)
    for message in story.missing:
        say(message.text(language))
    if poster is not None:
        from realism.show.poster import write_poster

        print(write_poster(story, poster, language))
    if poster is None or out is not None:
        written = _present(story, out or place, language)
        if open_it and not webbrowser.open(written.resolve().as_uri()):
            say("No browser was found here: open the file in one.")
        print(written)


def _present(story: "Story", out: Path, language: str) -> Path:
    """Write the presentation; returns where."""
    from realism.draw.turntable import YAWS, draw_turning_head
    from realism.errors import Message
    from realism.show.document import write_document

    head: Iterable[np.ndarray] = ()
    if story.passport:
        say(Message("show_head", sides=len(YAWS)).text(language))
        head = draw_turning_head(story.passport)
    return write_document(story, out, language, head)


def _story(name: str) -> "tuple[Story, Path]":
    """What is told of a person, or of the finished example, and where it goes if nobody says.

    The example is opened apart from your people; its presentation is a temporary file.
    """
    from realism.person.person import open_person
    from realism.person.person import people as everyone
    from realism.show.story import read_story
    from realism.workflow.example import open_example

    if name == EXAMPLE and not any(person.folder.name == EXAMPLE for person in everyone()):
        with tempfile.TemporaryDirectory() as folder:
            story = read_story(open_example(EXAMPLE_PERSON, Path(folder)))
        return story, Path(tempfile.mkdtemp(prefix="realism-show-")) / f"{EXAMPLE_PERSON}.html"
    person = open_person(name)
    return read_story(person), person.presentation
