"""`realism styles`: what portraits can look like, and styles brought in from elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from realism.cli.console import say, show


def add(
    sources: Annotated[
        list[Path],
        typer.Argument(help="JSON files of FaceChain's styles, or folders with them."),
    ],
) -> None:
    """Bring in styles of FaceChain; they stand among the presets from then on."""
    from realism.portraits.imported_styles import import_styles

    brought = show(import_styles(sources))
    print(f"{len(brought)} styles brought in; `realism styles list` names them.")


def list_styles() -> None:
    """The styles there are, each with what it looks like and its LoRA."""
    from realism.portraits.styles import damaged_styles, load_styles

    for fault in damaged_styles().values():
        say(f"realism: {fault}")
    for style in load_styles():
        print(f"{style.slug:14} {style.name} / {style.name_zh}: {style.note}")
        if style.lora:
            where = "beside it" if style.lora_file else f"from {style.lora.repo}"
            print(
                f"{'':14} LoRA {style.lora.file} {where}, for {style.lora.family} bases;"
                f" weight {style.style_weight:g}, the person's {style.person_weight:g}"
            )


def remove(slug: Annotated[str, typer.Argument(help="As `realism styles list` names it.")]) -> None:
    """Delete a style that was brought in."""
    from realism.portraits.imported_styles import remove_style

    remove_style(slug)
    print(f"{slug} is deleted.")
