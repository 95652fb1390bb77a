"""`realism bases`: what can be fine-tuned, and whether the hubs still have it."""

from typing import TYPE_CHECKING, Annotated

import typer

from realism.cli.console import say_download

if TYPE_CHECKING:
    from realism.diffusion.hub_check import HubAnswer


def bases(
    where: Annotated[
        str | None,
        typer.Argument(help="A base to fetch and read; or `check`: ask the hubs for each."),
    ] = None,
) -> None:
    """List recommended bases; or fetch one and say what it is; or ask the hubs for all."""
    from realism.diffusion.base import load_base
    from realism.diffusion.recommended import recommended_bases

    if where == "check":
        print_check()
        return
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


def print_check() -> None:
    """One table: each base, each of its places, each hub: there or not, in which form and size."""
    from realism.diffusion.hub_check import ask_hubs
    from realism.diffusion.recommended import recommended_bases

    for row, answers in ask_hubs(recommended_bases()):
        if not answers:
            print(f"{row.name:26} no hub can be reached: not asked")
        for answer in answers:
            print(f"{row.name:26} {answer.place:50} {answer.hub:13} {state_of(answer)}")


def state_of(answer: "HubAnswer") -> str:
    """What a hub has of a base, in a few words."""
    if not answer.files:
        return f"no: {answer.reason}"
    form = "folder" if answer.is_folder else f"one file, {answer.files[0]}"
    kind = "pickles" if answer.is_pickled else "safetensors"
    half = ", half precision" if answer.is_half else ""
    return f"yes: {form}, {kind}{half}, {answer.size / 1e9:.2f} GB"
