"""What all verbs share: options, the face engine, and lines on standard error."""

import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from realism.errors import InputError

if TYPE_CHECKING:
    from realism.diffusion.base import Base
    from realism.errors import Message
    from realism.faces.engine import Engine
    from realism.images import Photo

PersonName = Annotated[str, typer.Argument(help="The person's name.", metavar="PERSON")]
PhotoName = Annotated[str, typer.Argument(help="The photo's name as listed.")]
BaseName = Annotated[
    str,
    typer.Option(
        "--base",
        help="`pocket`, a diffusers folder, a .safetensors or .ckpt file, "
        "an id of ModelScope or Hugging Face.",
    ),
]

Result = TypeVar("Result")


def say(text: str) -> None:
    """One line of progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def say_download(share: float, what: "Message") -> None:
    """Progress of a download on one line; share 0..1."""
    say(f"  {share:4.0%} {what}")


def say_base(base: "Base") -> None:
    """The base, named with where it is from, and what is to be known of how it was read."""
    say(f"Base: {base.name}. {base.provenance}")
    for note in base.notes:
        say(f"  {note}")


def load_named_engine() -> "Engine":
    """The face engine, named with its licence."""
    from realism.cli.lines import engine_line
    from realism.faces.engine import load_engine

    engine = load_engine()
    say(engine_line(engine))
    return engine


def show(work: Generator[object, None, Result]) -> Result:
    """Say each event of the work on a line as it comes; returns what the work returns."""
    from realism.cli.lines import line_of
    from realism.workflow import run_through, translated

    def say_event(event: object) -> None:
        if line := line_of(event):
            say(line)

    return run_through(translated(work, say_event))


def open_pictures(folder: Path) -> "list[Photo]":
    """All pictures of a folder, by name; what cannot be opened is said and left out.

    Raises InputError where there is no folder, or no picture in it.
    """
    from realism.images import SUFFIXES, open_photo

    if not folder.is_dir():
        raise InputError("folder_not_found", folder=folder)
    opened = []
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in SUFFIXES:
            try:
                opened.append(open_photo(file))
            except InputError as reason:
                say(f"  left out: {reason}")
    if not opened:
        raise InputError("folder_without_pictures", folder=folder)
    return opened
