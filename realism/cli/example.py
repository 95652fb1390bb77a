"""`realism example`: the made-up example people, all four steps done."""

from pathlib import Path
from typing import Annotated

import typer

from realism.cli.console import load_named_engine, say_base, show

ExampleName = Annotated[str, typer.Argument(help="mei or ravi.", metavar="NAME")]


def open_finished(name: ExampleName) -> None:
    """Copy a finished example among your people: photos, LoRA, portraits and marks.

    A person of that name who is there already stays as they are.
    """
    from realism.person.runs import portraits_of
    from realism.workflow.example import open_example

    person = open_example(name)
    accepted = len(person.photo_to_photo())
    portraits = sum(len(portraits_of(run)) for run in person.runs())
    print(f"{person.name}: {accepted} photos accepted, {portraits} portraits, in {person.folder}")


def build(
    name: ExampleName,
    out: Annotated[
        Path | None, typer.Option(help="Folder of finished examples; the program's own by default.")
    ] = None,
) -> None:
    """Do all four steps on an example person's photos, and keep them as the finished example.

    For those who change the base: a finished example belongs to the base that it was made on.
    """
    from realism.diffusion.base import load_base
    from realism.workflow.example import FINISHED, build_example, example_photos

    example_photos(name)  # a name that is none is said at once
    engine, base = load_named_engine(), load_base("pocket")
    say_base(base)
    print(f"Written to {show(build_example(name, base, engine, out or FINISHED))}")
