"""Tab 3's handlers that make portraits: started, followed, stopped; they go on without the page."""

from collections.abc import Generator, Iterator
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from realism.diffusion.base import load_base
from realism.diffusion.hub_lora import find_hub_lora, parse_hub_lora
from realism.diffusion.lora import Adapter
from realism.diffusion.pickles import Progress
from realism.errors import InputError, Message
from realism.faces.engine import load_engine
from realism.finetune.events import Note
from realism.page import draw
from realism.page.i18n import Language, text
from realism.page.job import (
    Job,
    JobGoesOn,
    JobLoads,
    JobStopped,
    JobWaits,
    find_job,
    start_job,
)
from realism.page.portraits.handlers import run_choice, show_ranking
from realism.page.session import chosen_person, never_waits, paragraph, sentence, user_errors
from realism.person.person import Person
from realism.person.runs import portraits_of
from realism.portraits.sample import LoraNote, SamplingStep
from realism.portraits.style_lora import style_adapter
from realism.portraits.styles import find_style, load_presets
from realism.workflow.portraits import (
    PortraitRequest,
    PortraitSaved,
    PortraitsRanked,
    PromptNote,
    RunBegun,
    make_portraits,
    resume_portraits,
    unfinished_portraits,
)


@never_waits
def on_make(
    name: str | None, root: Path | None, language: Language, base_name: str, prompt: str,
    negative: str, count: int, seed: str, guidance: float, steps: int, which: str,
    brought: str | None, weight: float, look: str | None, look_weight: float, label: bool,
    style: str | None = None, look_id: str = "",
) -> Iterator[tuple]:  # fmt: skip
    """Make portraits; each is shown when it is there, all of them ranked at the end.

    Goes on without the page.
    """

    def work(progress: Progress) -> Generator[object, None, None]:
        progress(0, Message("base_loading", base=base_name))
        base = load_base(base_name, progress=progress)
        yield from map(Note, base.notes)
        # Brought here, where the download is told of; `make_portraits` finds it on this machine.
        style_adapter(find_style(request.style, person.folder.parent), base, progress=progress)
        looks = [Path(look)] if look else []
        looks += [find_hub_lora(look_id, progress)] if look_id.strip() else []
        loras = tuple(Adapter(file, look_weight) for file in looks)
        given = replace(request, style_loras=loras)
        yield from make_portraits(person, base, load_engine(), given)

    with user_errors(language):
        if seed.strip() and not seed.strip().isdecimal():
            raise InputError("seed_not_a_number")
        if which == "file" and not brought:
            raise InputError("lora_not_given")
        if look_id.strip() and parse_hub_lora(look_id) is None:
            raise InputError("lora_id_malformed", id=look_id)
        request = PortraitRequest(
            style=style or load_presets()[0].slug, style_weight=look_weight,
            prompt=prompt, negative_prompt=negative, count=int(count),
            seed=int(seed) if seed.strip() else None, steps=int(steps), guidance_scale=guidance,
            adapter=(brought or "") if which == "file" else which, weight=weight,
            label=language if label else "",
        )  # fmt: skip
        person = chosen_person(name, root)
        person.accepted()  # said at once, not when a base has been fetched
        job = start_job(person.folder, "portraits", work)
        yield [], "", gr.skip(), [], gr.update(visible=False)
        yield from _made(job, person, language)


@never_waits
def on_resume(
    name: str | None, root: Path | None, language: Language, base_name: str
) -> Iterator[tuple]:
    """Make the portraits that the last run still lacks."""

    def work(progress: Progress) -> Generator[object, None, None]:
        progress(0, Message("base_loading", base=base_name))
        base = load_base(base_name, progress=progress)
        yield from map(Note, base.notes)
        yield from resume_portraits(person, base, load_engine())

    with user_errors(language):
        person = chosen_person(name, root)
        job = start_job(person.folder, "portraits", work)
        yield from _made(job, person, language)


def on_unfinished(name: str | None, root: Path | None, language: str) -> Any:
    """The button that goes on with a run that was stopped or killed; hidden without one."""
    with user_errors(language):
        person = chosen_person(name, root) if name else None
        job = find_job(person.folder) if person else None
        there = unfinished_portraits(person) if person and not (job and job.running) else None
    if there is None:
        return gr.update(visible=False)
    label = text(language, "portraits.go_on", made=there[0], of=there[1])
    return gr.update(visible=True, value=label)


@never_waits
def on_follow(name: str | None, root: Path | None, language: str) -> Iterator[tuple]:
    """The person's portraits as they are being made, or why they could not be.

    Those of a run that ended well are shown anyway.
    """
    with user_errors(language):
        person = chosen_person(name, root) if name else None
        job = find_job(person.folder, "portraits") if person else None
        if person and job and job.running:
            yield from _made(job, person, language)
        elif job and job.error:
            raise job.error


def _made(job: Job, person: Person, language: str) -> Iterator[tuple]:
    """Each event as what the page shows: portraits one by one, then all of them ranked.

    What of a prompt or a LoRA is not read is told by a notice, which goes, and stays written below.
    """
    notes = ""
    for event in job.follow():
        match event:
            case JobWaits():
                waiting = paragraph(text(language, "header.device_in_use"))
                yield gr.skip(), waiting, *(gr.skip(),) * 3
            case JobLoads(share, what):
                loading = draw.progress_bar(share) + paragraph(sentence(what, language))
                yield gr.skip(), loading, *(gr.skip(),) * 3
            case JobGoesOn():
                yield (gr.skip(),) * 5
            case JobStopped():
                stopped = paragraph(text(language, "portraits.stopped"))
                yield gr.skip(), stopped, *(gr.skip(),) * 3
            case Note(message):
                gr.Info(escape(sentence(message, language)), title="Realism")
            case PromptNote(message) | LoraNote(message):
                gr.Warning(escape(sentence(message, language)), title="Realism")
                notes += paragraph(sentence(message, language), "note")
            case SamplingStep():
                yield gr.skip(), _progress(event, language) + notes, *(gr.skip(),) * 3
            case RunBegun(run):
                yield _unranked(person, run)
            case PortraitSaved(file):
                yield _unranked(person, file.parent)
            case PortraitsRanked():
                gallery, ranked, message, *_ = show_ranking(
                    person, event.run, list(event.ranked), language
                )
                run = run_choice(person, event.run)
                yield gallery, message + notes, run, ranked, gr.skip()


def _unranked(person: Person, run: Path) -> tuple:
    """All portraits of a run so far, those from before a stop among them, and that run chosen.

    Whoever looked at another run, or at one of its portraits, has this one before them.
    """
    gallery = [(str(file), file.stem.partition("seed")[2]) for file in portraits_of(run)]
    return gallery, gr.skip(), run_choice(person, run), [], gr.update(visible=False)


def on_stop(name: str | None, root: Path | None, language: str) -> Any:
    """Stop the run; what the person reads after it, nothing new where none ran."""
    with user_errors(language):
        job = find_job(chosen_person(name, root).folder, "portraits") if name else None
    if job is None or not job.running:
        return gr.skip()
    job.stop()
    return paragraph(text(language, "portraits.stopped"))


def _progress(event: SamplingStep, language: str) -> str:
    done = (event.number - 1 + event.step / event.steps) / event.of
    making = text(language, "portraits.making", number=event.number, of=event.of)
    return draw.progress_bar(done) + paragraph(making)
