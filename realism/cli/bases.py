"""`realism bases`: what can be fine-tuned."""

from typing import Annotated

import typer

from realism.cli.console import say_download


def bases(
    where: Annotated[str | None, typer.Argument(help="A base to fetch and read.")] = None,
) -> None:
    """List recommended bases; or fetch one and say what it is."""
    from realism.diffusion.base import load_base
    from realism.diffusion.recommended import recommended_bases

    if where:
        base = load_base(where, progress=say_download)
        print(f"{base.name}: {base.family.name}, {base.resolution} px, licence: {base.licence}")
        print(f"{base.provenance or 'provenance not known'} ({base.path})")
        for note in base.notes:
            print(note)
        return
    for row in recommended_bases():
        size = f"{row.size_gb} GB" if row.size_gb else "ships with the program"
        print(f"{row.name} ({row.family}, {row.resolution} px, {size}, GPU {row.gpu_memory_gb} GB)")
        print(f"    {' or '.join(row.where)}; licence: {row.licence}. {row.note}")
