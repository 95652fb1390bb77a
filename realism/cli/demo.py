"""`realism demo`: the whole job on an example person."""

from pathlib import Path
from typing import Annotated

import typer

from realism.cli.console import say


def demo(
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("outputs/demo"),
    person: Annotated[str, typer.Option(help="An example person: mei or ravi.")] = "mei",
) -> None:
    """The whole job on an example person, without a GPU or a model hub."""
    from realism.cli.demo_run import run_demo

    for text in run_demo(out, person):
        say(text)
