"""Handlers of tab 3, Portraits: make them, see them ranked, take one on to its marks.

A run is shown with the ranking that it keeps, without an engine. Only where that one holds no
longer does the run wait for the device, to be ranked anew.
"""

from pathlib import Path
from typing import Any

import gradio as gr

from realism.diffusion.recommended import preset_for
from realism.errors import InputError
from realism.faces.engine import load_engine
from realism.page.i18n import text
from realism.page.job import find_job
from realism.page.session import (
    EngineInfo,
    chosen_person,
    new_temp_dir,
    paragraph,
    person_lora,
    sentence,
    user_errors,
    uses_device,
)
from realism.person.person import Person, write_zip
from realism.person.runs import portraits_of
from realism.portraits.portrait import GenerationParameters, read_parameters
from realism.portraits.rank import Ranked, similarities_to
from realism.workflow.portraits import (
    rank_run,
)


def on_show(name: str | None, root: Path | None, language: str, base: str) -> str:
    """What is missing before portraits can be made."""
    if not name:
        return paragraph(text(language, "header.nobody"))
    with user_errors(language):
        person = chosen_person(name, root)
        needs = ""
        if not any(photo.accepted for photo in person.records()):
            needs = text(language, "portraits.needs_photos", name=person.name)
        elif not person_lora(person, base):
            needs = text(language, "portraits.needs_lora", name=person.name)
        return paragraph(needs)


def on_arrive(
    message: str, engine: EngineInfo | None, name: str | None, root: Path | None, language: str
) -> tuple:
    """The runs there are, and the newest, where nothing is shown or being made yet."""
    # Choices and choice in one update: Gradio refuses a value that is not among the choices, and
    # events of page and person may overtake one another.
    rest = (gr.skip(),) * 5
    if not name:
        return gr.update(choices=[], value=None), *rest
    with user_errors(language):
        person = chosen_person(name, root)
        if message or _being_made(person):  # who follows the work is shown its run
            return gr.update(choices=_run_names(person)), *rest
        runs = [run for run in person.runs() if portraits_of(run)]
        if not runs or not any(photo.accepted for photo in person.records()):
            return gr.update(choices=_run_names(person), value=None), *rest
        return run_choice(person, runs[0]), *_kept_ranking(person, runs[0], engine, language)


def on_open(
    run: str | None, engine: EngineInfo | None, name: str | None, root: Path | None, language: str
) -> tuple:
    """Show an earlier run."""
    if not run:
        return (gr.skip(),) * 5
    with user_errors(language):
        person = chosen_person(name, root)
        return _kept_ranking(person, _run_folder(person, run), engine, language)


def on_run(run: str | None) -> dict:
    """A run can be downloaded once there is one."""
    return gr.update(interactive=bool(run))


@uses_device
def on_rank(unranked: str | None, name: str | None, root: Path | None, language: str) -> None:
    """Rank a run whose ranking is not kept, or holds no longer; the run keeps it."""
    if unranked:
        with user_errors(language):
            person = chosen_person(name, root)
            rank_run(person, _run_folder(person, unranked), load_engine())


def on_ranked(
    unranked: str | None, run: str | None, engine: EngineInfo | None, name: str | None,
    root: Path | None, language: str,
) -> tuple:  # fmt: skip
    """Show the new ranking, where that run is still on the screen."""
    return on_open(run if run == unranked else None, engine, name, root, language)


def on_leave() -> tuple:
    """Another person is shown: what was made of the last one leaves the screen."""
    return [], [], "", gr.update(visible=False), None, None


def on_base_chosen(base: str) -> tuple[float, int]:
    """Guidance and steps that suit the base chosen."""
    preset = preset_for(base)
    return preset.guidance_scale, preset.steps


def on_zip(run: str | None, name: str | None, root: Path | None, language: str) -> str:
    """All portraits of the run with their ranking, in one file."""
    with user_errors(language):
        person = chosen_person(name, root)
        folder = _run_folder(person, run)
        files = sorted(file for file in folder.rglob("[!.]*") if file.is_file())
        into = new_temp_dir() / f"{person.folder.name}-{folder.name}.zip"
        return str(write_zip(into, files, folder))


def on_select(
    run: str | None, ranked: list[Ranked], name: str, root: Path | None, language: str,
    event: gr.SelectData,
) -> tuple:  # fmt: skip
    """A portrait, large, with what the ranking says of it."""
    with user_errors(language):
        if not ranked:  # still being made, or compared
            return (gr.skip(),) * 4
        person, portrait = chosen_person(name, root), ranked[event.index]
        file = _run_folder(person, run) / portrait.name
        if not file.exists():
            raise InputError("portrait_gone", name=portrait.name)
        parameters = read_parameters(file)
        about = [_about(portrait, person, language)]
        about.append(_second(portrait, language))
        about.append(_unseen([portrait], person.held_out_photo(file.parent), language))
        if portrait.copied:
            about.append(text(language, "portraits.copied"))
        about.append(_made_with(parameters, language) if parameters else portrait.name)
        return (
            gr.update(visible=True),
            str(file),
            "".join(map(paragraph, filter(None, about))),
            str(file),
        )


def on_send(
    file: str | None, run: str | None, ranked: list[Ranked], name: str | None, root: Path | None,
    language: str,
) -> tuple:  # fmt: skip
    """Send the portrait that is looked at, else the closest, to tab 4, and show that tab."""
    with user_errors(language):
        if file is None:
            folder = _run_folder(chosen_person(name, root), run)
            files = [folder / portrait.name for portrait in ranked] or portraits_of(folder)
            file = str(files[0])
    return file, gr.Tabs(selected="marks")


# What is shown --------------------------------------------------------------------------------


def _run_names(person: Person) -> list[str]:
    return [run.name for run in person.runs()]


def run_choice(person: Person, run: Path) -> Any:
    return gr.update(choices=_run_names(person), value=run.name)


def _being_made(person: Person) -> bool:
    job = find_job(person.folder, "portraits")
    return job is not None and job.running


def _run_folder(person: Person, name: str | None) -> Path:
    """The folder of a run that the page shows; raises InputError when none is chosen."""
    for run in person.runs():
        if run.name == name:
            return run
    raise InputError("run_not_chosen")


def _kept_ranking(person: Person, run: Path, engine: EngineInfo | None, language: str) -> tuple:
    """As `show_ranking`, as the run keeps it; the portraits as they are until it is ranked anew."""
    ranked = person.read_ranking(run, engine.name, engine.second) if engine else None
    if ranked is not None:
        return show_ranking(person, run, ranked, language)
    gallery = [(str(file), file.stem) for file in portraits_of(run)]
    if _being_made(person) and run == person.unfinished_run():
        return gallery, [], gr.skip(), gr.update(visible=False), None
    comparing = paragraph(text(language, "portraits.comparing"), "note")
    return gallery, [], comparing, gr.update(visible=False), run.name


def show_ranking(person: Person, run: Path, ranked: list[Ranked], language: str) -> tuple:
    """Gallery, ranking and headline of a run; nothing large, nothing left to rank."""
    gallery = [(str(run / portrait.name), _caption(portrait, language)) for portrait in ranked]
    unseen = _unseen(ranked, person.held_out_photo(run), language)
    headline = paragraph(f"{_headline(person, ranked, language)} {unseen}".strip())
    return gallery, ranked, headline, gr.update(visible=False), None


def _caption(portrait: Ranked, language: str) -> str:
    if portrait.similarity is None:
        return f"{portrait.rank} · {text(language, 'portraits.not_compared')}"
    # Without its suffix: a phone has room for little more.
    return (
        f"{portrait.rank} · {portrait.similarity:.2f} · {Path(portrait.closest_photo or '').stem}"
    )


def _headline(person: Person, ranked: list[Ranked], language: str) -> str:
    compared = [portrait.similarity for portrait in ranked if portrait.similarity is not None]
    if not compared:
        return text(language, "portraits.none_compared", count=len(ranked))
    key = "portraits.ranked" if len(ranked) > 1 else "portraits.ranked_one"
    headline = text(language, key, count=len(ranked), best=max(compared), least=min(compared))
    scale = list(person.photo_to_photo().values())
    if scale:
        near = sum(value >= min(scale) for value in compared)
        within = text(language, "portraits.scale", low=min(scale), high=max(scale), near=near)
        headline = f"{headline} {within}"
    first = [portrait for portrait in ranked if portrait.second and portrait.second.rank == 1]
    if not first or first[0].second is None:
        return headline
    key = "portraits.second_same" if first[0].rank == 1 else "portraits.second_other"
    engine, place = first[0].second.engine, first[0].rank
    return f"{headline} {text(language, key, engine=engine, place=place)}"


def _unseen(ranked: list[Ranked], photo: str | None, language: str) -> str:
    """How like they are to the photo that was never learned from: that cannot be a copy."""
    unseen = similarities_to(ranked, photo)
    if not unseen:
        return ""
    mean = sum(unseen) / len(unseen)
    return text(language, "portraits.unseen", photo=photo, best=max(unseen), mean=mean)


def _about(portrait: Ranked, person: Person, language: str) -> str:
    if portrait.similarity is None:
        return sentence(portrait.reason, language) if portrait.reason else ""
    scale = person.photo_to_photo().values()
    return text(
        language, "portraits.details", rank=portrait.rank, similarity=portrait.similarity,
        photo=portrait.closest_photo, mean=portrait.mean_of_three, low=min(scale, default=0),
        high=max(scale, default=0),
    )  # fmt: skip


def _made_with(parameters: GenerationParameters, language: str) -> str:
    """How a portrait was made, in one line."""
    loras = [
        text(language, "portraits.made_with_lora", name=lora.name, weight=lora.weight)
        for lora in parameters.adapters
    ]
    return text(
        language, "portraits.made_with", seed=parameters.seed, base=parameters.base,
        loras="".join(loras), steps=parameters.steps, guidance=parameters.guidance_scale,
        prompt=parameters.prompt,
    )  # fmt: skip


def _second(portrait: Ranked, language: str) -> str:
    """What the other face engine says, on its own scale; "" where there is none."""
    opinion = portrait.second
    if opinion is None:
        return ""
    if opinion.similarity is None:
        return text(language, "portraits.second_none", engine=opinion.engine)
    said = text(
        language, "portraits.second", engine=opinion.engine, similarity=opinion.similarity,
        place=opinion.rank,
    )  # fmt: skip
    if opinion.photos is None:
        return said
    low, high = opinion.photos
    return f"{said} {text(language, 'portraits.second_scale', low=low, high=high)}"
