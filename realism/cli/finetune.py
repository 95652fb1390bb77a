"""Step 2: `realism finetune`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from realism.cli.console import BaseName, load_named_engine, say_base, say_download, show
from realism.errors import InputError


def finetune(
    person: Annotated[
        str | None, typer.Argument(help="The person; none is needed for `--stage 1`.")
    ] = None,
    base: BaseName = "pocket",
    stage: Annotated[
        Literal["1", "2", "both"],
        typer.Option(help="1, 2, or both (stage 1 only when new)."),
    ] = "both",
    faces: Annotated[Path | None, typer.Option(help="Folder of real faces for stage 1.")] = None,
    one_stage: Annotated[bool, typer.Option("--one-stage", help="Leave stage 1 out.")] = False,
    steps: Annotated[int | None, typer.Option(help="Of the stage that is run.")] = None,
    rank: Annotated[int | None, typer.Option(help="Of the LoRA matrices.")] = None,
    learning_rate: Annotated[float | None, typer.Option()] = None,
    batch: Annotated[int | None, typer.Option(help="Crops a step and process.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Do not resume.")] = False,
) -> None:
    """Fine-tune a base: on real faces first, then on the person. Resumes where it stopped.

    Several GPUs: `accelerate launch --multi_gpu -m realism finetune --stage 1 --faces DIR`.
    """
    from dataclasses import replace

    from realism.diffusion.base import load_base
    from realism.finetune.stages import FACES, default_stages
    from realism.person.person import open_person
    from realism.workflow.finetune import FinetuneOptions
    from realism.workflow.finetune import finetune as run

    if person is None and stage != "1":
        raise InputError("person_not_named")
    opened = open_person(person) if person else None
    if opened:
        opened.accepted()  # nothing is downloaded for a person without photos
    loaded, engine = load_base(base, progress=say_download), load_named_engine()
    say_base(loaded)
    asked = {"steps": steps, "rank": rank, "learning_rate": learning_rate, "batch": batch}
    given = {name: value for name, value in asked.items() if value is not None}
    first, second = (replace(settings, **given) for settings in default_stages(loaded))
    options = FinetuneOptions(stage, one_stage, faces or FACES, first, second, not restart)
    print(f"In {show(run(opened, loaded, engine, options))}")
