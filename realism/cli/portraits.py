"""Step 3: `realism portraits` and `realism rank`."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from realism.cli.console import (
    BaseName,
    PersonName,
    load_named_engine,
    open_pictures,
    say,
    say_base,
    say_download,
    show,
)
from realism.cli.styles import list_styles
from realism.config import PORTRAITS

if TYPE_CHECKING:
    from realism.portraits.rank import Ranked


def portraits(
    person: PersonName,
    base: BaseName = "pocket",
    style: Annotated[str, typer.Option(help="A style; `--style list` names them.")] = "studio",
    prompt: Annotated[str, typer.Option(help="Own words; {person} is the person.")] = "",
    negative_prompt: Annotated[str, typer.Option(help="What to keep away from.")] = "",
    count: Annotated[int, typer.Option(help="1 to 64.")] = PORTRAITS.count,
    seed: Annotated[int | None, typer.Option(help="Of the first; the next ones count up.")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Of the sampler; without, what suits the base.")
    ] = None,
    guidance_scale: Annotated[
        float | None, typer.Option(help="1 to 30; without, what suits the base.")
    ] = None,
    adapter: Annotated[str, typer.Option(help="best, last, none, or a LoRA file.")] = "best",
    weight: Annotated[
        float | None, typer.Option(help="Of the person's LoRA; without, as the style has it.")
    ] = None,
    style_lora: Annotated[
        str, typer.Option(help="A style's LoRA: a file, or owner/name@revision:file of a hub.")
    ] = "",
    style_weight: Annotated[
        float | None, typer.Option(help="Of the style's LoRA; without, as the style has it.")
    ] = None,
    label: Annotated[
        Literal["", "en", "zh"], typer.Option(help="en or zh: a visible notice in a corner.")
    ] = "",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the last run, as it was asked for.")
    ] = False,
) -> None:
    """Make portraits of a person and rank them; a folder with PNGs and ranking.json."""
    from realism.diffusion.base import load_base
    from realism.diffusion.hub_lora import find_lora
    from realism.diffusion.lora import Adapter
    from realism.person.person import open_person
    from realism.portraits.style_lora import style_adapter
    from realism.portraits.styles import find_style
    from realism.workflow.portraits import (
        PortraitRequest,
        make_portraits,
        rank_run,
        resume_portraits,
        unfinished_portraits,
    )

    if style == "list":
        list_styles()
        return
    opened = open_person(person)
    opened.accepted()
    chosen = find_style(style)  # nothing is downloaded for a style that there is not
    loaded, engine = load_base(base, progress=say_download), load_named_engine()
    say_base(loaded)
    style_adapter(chosen, loaded, progress=say_download)  # its LoRA, with progress
    more = ()
    if style_lora:
        usual = PORTRAITS.style_weight if style_weight is None else style_weight
        more = (Adapter(find_lora(style_lora, say_download), usual),)
    request = PortraitRequest(
        style, prompt or None, negative_prompt or None, count, seed, steps, guidance_scale,
        adapter, weight, more, label, style_weight=style_weight,
    )  # fmt: skip
    if resume:
        run = show(resume_portraits(opened, loaded, engine))
    else:
        if there := unfinished_portraits(opened):
            say(f"The last run made {there[0]} of {there[1]}: --resume would go on with it.")
        run = show(make_portraits(opened, loaded, engine, request))
    ranked = rank_run(opened, run, engine)
    print_ranked(ranked, opened.photo_to_photo().values())
    print_unseen(ranked, opened.held_out_photo(run))
    print(f"In {run}")


def rank(
    photos: Annotated[Path, typer.Option(help="Folder with photos of the person.")],
    portraits: Annotated[Path, typer.Option(help="Folder with portraits.")],
    json: Annotated[Path | None, typer.Option(help="Where to write the result.")] = None,
) -> None:
    """Order portraits by their likeness to the photos, the closest first."""
    from realism.disk import write_json
    from realism.portraits.rank import rank_to_json
    from realism.workflow.portraits import rank_pictures

    engine, known = load_named_engine(), open_pictures(photos)
    ranked, scale = show(rank_pictures(open_pictures(portraits), known, engine))
    if json:
        write_json(json, rank_to_json(ranked))
    print_ranked(ranked, scale.values())


def print_ranked(ranked: "Sequence[Ranked]", scale: Iterable[float]) -> None:
    """The portraits in their order, then the photos' own scale."""
    for row in ranked:
        if row.similarity is None:
            print(f"{row.rank:3}. {row.name}: {row.reason}")
        else:
            copied = "; closer than the photos are to each other: a copy?" if row.copied else ""
            second = second_opinion_of(row)
            print(
                f"{row.rank:3}. {row.name}: {row.similarity:.3f} to {row.closest_photo}"
                f"{second}{copied}"
            )
    if scale := list(scale):
        print(f"The person's own photos are {min(scale):.2f} to {max(scale):.2f} to each other.")
    if opinion := next((row.second for row in ranked if row.second and row.second.photos), None):
        low, high = opinion.photos or (0.0, 0.0)
        print(f"By {opinion.engine}, the second opinion, they are {low:.2f} to {high:.2f}.")


def second_opinion_of(row: "Ranked") -> str:
    """What the other face engine says of a portrait, for the end of its line."""
    if row.second is None:
        return ""
    if row.second.similarity is None:
        return f"; {row.second.engine} finds no face there"
    return f"; {row.second.engine} {row.second.similarity:.3f}, place {row.second.rank}"


def print_unseen(ranked: "Sequence[Ranked]", photo: str | None) -> None:
    """How like they are to the photo that was never learned from: that is no copying."""
    from realism.portraits.rank import similarities_to

    if unseen := similarities_to(ranked, photo):
        mean = sum(unseen) / len(unseen)
        print(f"To {photo}, not learned from: {max(unseen):.2f} at best, {mean:.2f} on average.")
