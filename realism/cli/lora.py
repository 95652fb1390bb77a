"""`realism lora`: a person's LoRA as one file for other programs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from realism.cli.console import BaseName, PersonName


def lora(
    person: PersonName,
    to: Annotated[Path, typer.Option(help="The .safetensors file to write.")],
    base: BaseName = "pocket",
    adapter: Annotated[str, typer.Option(help="best or last.")] = "best",
    form: Annotated[
        Literal["kohya", "diffusers"],
        typer.Option(
            help="kohya's names, which A1111, Forge and ComfyUI read; or diffusers', as it is kept."
        ),
    ] = "kohya",
) -> None:
    """Write a person's LoRA as one file for A1111, ComfyUI and other programs."""
    from realism.config import expanded
    from realism.diffusion.lora import copy_lora, save_kohya
    from realism.errors import InputError
    from realism.person.person import open_person

    if to.suffix.lower() != ".safetensors":
        raise InputError("lora_target_suffix", file=to)
    opened = open_person(person)
    # A base that was given as a folder or file goes by its name.
    named = expanded(base)
    kept = opened.adapter(named.name if named.exists() else base, adapter)
    if kept is None:
        raise InputError("person_without_lora", person=opened.name, base=base)
    print((save_kohya if form == "kohya" else copy_lora)(kept, to))
