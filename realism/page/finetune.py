"""Tab 2, Fine-tune: the base, the two stages, and what is learned as it is learned."""

import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np

from realism.config import find_preset
from realism.diffusion.base import load_base
from realism.diffusion.lora import lora_file
from realism.diffusion.recommended import recommended_bases
from realism.faces.engine import load_engine
from realism.finetune.crops import PictureSkipped
from realism.finetune.events import (
    CropEncoded,
    Event,
    LoraSaved,
    Note,
    Preview,
    StageBegun,
    TrainingStep,
)
from realism.finetune.stages import FACES, default_stages, finetune_person, two_stages
from realism.page import draw as drawn
from realism.page.i18n import Spoken, text
from realism.page.session import (
    DEVICE,
    QUIET,
    Shared,
    base_name,
    chosen,
    hand_over,
    handed,
    hosted,
    line,
    lora_of,
    passing_folder,
    told,
)

EVERY = 0.5  # seconds between two pictures of the curve
MEAN_OF = 40  # steps whose loss is averaged in the curve
LOSS, LIKENESS = "var(--color-accent)", "#d98324"


def layout(say: Spoken) -> SimpleNamespace:
    """Left the choices, right what is learned."""
    first, second = find_preset("pocket").stages
    needs = gr.HTML(elem_classes="needs")
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            # Where strangers share the machine its folders are none of their business.
            base = say(
                gr.Dropdown, "finetune.base", choices=_bases(), value="pocket",
                allow_custom_value=not hosted(),
            )  # fmt: skip
            with gr.Row():
                start = say(gr.Button, "finetune.start", variant="primary", min_width=120)
                stop = say(gr.Button, "finetune.stop", min_width=80)
            with say(gr.Accordion, "finetune.advanced", open=False):
                skip = say(gr.Checkbox, "finetune.skip", value=False)
                faces = say(
                    gr.Textbox, "finetune.faces", value="", max_lines=1, visible=not hosted()
                )
                with gr.Row():
                    steps1 = say(gr.Number, "finetune.steps1", value=first.steps, precision=0)
                    rate1 = say(gr.Number, "finetune.rate1", value=first.learning_rate)
                with gr.Row():
                    steps2 = say(gr.Number, "finetune.steps2", value=second.steps, precision=0)
                    rate2 = say(gr.Number, "finetune.rate2", value=second.learning_rate)
                with gr.Row():
                    rank = say(gr.Number, "finetune.rank", value=second.rank, precision=0)
                    batch = say(gr.Number, "finetune.batch", value=second.batch, precision=0)
                frugal = say(gr.Checkbox, "finetune.frugal", value=second.gradient_checkpointing)
                afresh = say(gr.Checkbox, "finetune.afresh", value=False)
            say(gr.Markdown, "finetune.tips", elem_classes="tips")
        with gr.Column(scale=5, min_width=300):
            said = gr.HTML(elem_classes="said")
            curves = gr.HTML(elem_classes="curves")
            previews = say(
                gr.Gallery, "finetune.previews", format="png", columns=4, height="auto",
                interactive=False, buttons=[], object_fit="cover",
                elem_classes=["portraits", "previews"],
            )  # fmt: skip
            with gr.Row():
                best = say(gr.Button, "finetune.best", min_width=140)
                last = say(gr.Button, "finetune.last", min_width=140)
            file = handed("lora-file")
    return SimpleNamespace(
        needs=needs, base=base, start=start, stop=stop, skip=skip, faces=faces, steps1=steps1,
        rate1=rate1, steps2=steps2, rate2=rate2, rank=rank, batch=batch, frugal=frugal,
        afresh=afresh, said=said, curves=curves, previews=previews, best=best, last=last, file=file,
    )  # fmt: skip


def wire(w: SimpleNamespace, shared: Shared, refresh: dict) -> None:
    """Join the widgets to the handlers below.

    refresh    arguments of the event that redraws the standing
    """
    who = [shared.person, shared.root, shared.language]
    show = {"fn": on_show, "inputs": [*who, w.base], "outputs": w.needs, **QUIET}
    settings = [w.steps1, w.rate1, w.steps2, w.rate2, w.rank, w.batch, w.frugal]
    changes = [shared.person.change, shared.language.change, w.base.change, shared.tabs.select]
    gr.on(changes, **show)
    shared.person.change(lambda: ("", "", []), None, [w.said, w.curves, w.previews], **QUIET)
    w.base.input(on_settings, w.base, settings, **QUIET)
    loading = w.start.click(
        on_base, [w.base, shared.language], w.said,
        show_progress_on=w.said, api_visibility="private", **DEVICE,
    )  # fmt: skip
    running = loading.success(
        on_finetune, [*who, w.base, w.skip, w.faces, *settings, w.afresh],
        [w.said, w.curves, w.previews],
        api_name="finetune", show_progress="hidden", **DEVICE,
    )  # fmt: skip
    running.then(**show).then(**refresh)
    w.stop.click(on_stop, shared.language, w.said, cancels=[loading, running], **QUIET).then(
        **show
    ).then(**refresh)
    for button, which in ((w.best, "best"), (w.last, "last")):
        hand_over(
            button.click(
                on_download, [gr.State(which), *who, w.base], w.file, **QUIET
            ),
            w.file,
        )  # fmt: skip


def on_show(name: str | None, root: Path | None, language: str, base: str) -> str:
    """What is missing before a fine-tune, or what is there already."""
    if not name:
        return line(text(language, "header.nobody"))
    with told(language):
        person = chosen(name, root)
        if not any(entry.accepted for entry in person.records()):
            return line(text(language, "finetune.needs_photos", name=person.name))
        if (person.adapter_folder(base_name(base)) / "running").exists():
            return line(text(language, "finetune.unfinished", name=person.name))
        if lora_of(person, base):
            return line(text(language, "finetune.there", name=person.name, base=base_name(base)))
        return ""


def on_settings(base: str) -> tuple:
    """The settings that suit the base chosen."""
    families = {where: row.family for row in recommended_bases() for where in row.where}
    first, second = find_preset(base, families.get(base, "sd15")).stages
    return (
        first.steps, first.learning_rate, second.steps, second.learning_rate, second.rank,
        second.batch, second.gradient_checkpointing,
    )  # fmt: skip


def on_base(base: str, language: str, progress: gr.Progress = gr.Progress()) -> str:  # noqa: B008
    """Load the base; a download shows how far it is."""
    with told(language):
        load_base(base, progress=progress)
        return ""


def on_finetune(
    name: str | None, root: Path | None, language: str, where: str, skip: bool, faces: str,
    steps1: int, rate1: float, steps2: int, rate2: float, rank: int, batch: int, frugal: bool,
    afresh: bool,
) -> Iterator[tuple]:  # fmt: skip
    """Both stages; the first only where it was not done before."""
    with told(language):
        person = chosen(name, root)
        photos = [(entry.photo(), entry.verdict.face) for entry in person.accepted()]
        base, engine = load_base(where), load_engine()
        folder = Path(faces).expanduser() if faces.strip() else FACES
        own = {"rank": int(rank), "batch": int(batch), "gradient_checkpointing": frugal}
        first, second = default_stages(base)
        first = replace(first, steps=int(steps1), learning_rate=rate1, **own)
        second = replace(second, steps=int(steps2), learning_rate=rate2, **own)
        out = person.adapter_folder(base.name)
        what = {"base": base, "engine": engine, "photos": photos, "subject": person.subject}
        if skip:
            events = finetune_person(
                **what, out=out, start_from=None, stage=second, resume=not afresh
            )
        else:
            events = two_stages(
                **what, out=out, faces=folder, stages=(first, second), resume=not afresh
            )
        yield from _shown(events, language)


def on_stop(language: str) -> str:
    """What the person reads after a stop."""
    return line(text(language, "finetune.stopped"))


def on_download(which: str, name: str | None, root: Path | None, language: str, base: str) -> str:
    """The LoRA under a name that tells whose it is."""
    with told(language):
        person = chosen(name, root)
        file = lora_file(person.adapter(base_name(base), which))
        into = passing_folder() / f"{person.folder.name}-{which}.safetensors"
        return str(shutil.copy(file, into))


# What is shown --------------------------------------------------------------------------------


def _bases() -> list[tuple[str, str]]:
    return [
        (f"{row.name} ({row.resolution} px, {row.gpu_memory_gb:g} GB)", row.where[0])
        for row in recommended_bases()
    ]


def _shown(events: Iterable[Event], language: str) -> Iterator[tuple]:
    """Each event as what the page shows: where we are, the curves, the previews."""
    losses: list[float] = []
    likeness: list[float] = []
    notes: list[str] = []
    stage, saved, drawn_at = "", "", 0.0
    for event in events:
        match event:
            case StageBegun():
                losses, likeness, saved = [], [], ""
                stage = text(language, f"finetune.stage{event.stage}")
            case CropEncoded():
                said = text(language, "finetune.preparing", number=event.number, photo=event.photo)
                yield line(f"{stage}. {said}"), gr.skip(), gr.skip()
            case Note():
                notes.append(event.message.text(language))
            case PictureSkipped():
                notes.append(f"{event.name}: {event.reason.text(language)}")
            case TrainingStep():
                losses.append(event.loss)
                if time.monotonic() - drawn_at > EVERY or event.number == event.of:
                    drawn_at = time.monotonic()
                    said = _progress(event, stage, saved, language) + _notes(notes)
                    yield said, _curves(losses, likeness, language), gr.skip()
            case Preview():
                if event.similarity is not None:
                    likeness.append(event.similarity)
                caption = text(language, "finetune.step", number=event.step)
                pictures = [(image, caption) for image in event.images]
                yield gr.skip(), _curves(losses, likeness, language), pictures
            case LoraSaved():
                saved = _saved(event, language)
    done = text(language, "finetune.done", stage=stage)
    yield line(f"{done} {saved}") + _notes(notes), _curves(losses, likeness, language), gr.skip()


def _progress(event: TrainingStep, stage: str, saved: str, language: str) -> str:
    said = text(
        language, "finetune.progress", stage=stage, number=event.number, of=event.of,
        loss=event.loss, rate=event.images_per_second, left=_clock(event.seconds_left),
    )  # fmt: skip
    if event.number == event.of:
        saved = text(language, "finetune.finishing")
    return drawn.bar(event.number / event.of) + line(said) + line(saved, "note")


def _saved(event: LoraSaved, language: str) -> str:
    if event.similarity is None:
        return text(language, "finetune.saved", number=event.step)
    key = "finetune.saved_best" if event.best else "finetune.saved_like"
    return text(language, key, number=event.step, similarity=event.similarity)


def _curves(losses: list[float], likeness: list[float], language: str) -> str:
    # A step's loss swings with the noise level drawn: the mean of the last ones is what falls.
    summed = np.cumsum([0.0, *losses])
    ends = np.arange(1, len(losses) + 1)
    starts = np.maximum(ends - MEAN_OF, 0)
    smooth = (summed[ends] - summed[starts]) / (ends - starts)
    out = drawn.curve(smooth, LOSS, text(language, "finetune.loss"))
    if likeness:
        out += drawn.curve(likeness, LIKENESS, text(language, "finetune.likeness"))
    return out


def _notes(notes: list[str]) -> str:
    return "".join(line(note, "note") for note in notes[-3:])


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d}"
