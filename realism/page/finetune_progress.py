"""A fine-tune as tab 2 shows it: where it is, the curves, the previews, what was saved."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import gradio as gr
import numpy as np

from realism.finetune.events import (
    CropEncoded,
    LoraSaved,
    Note,
    Preview,
    StageBegun,
    TrainingStep,
)
from realism.finetune.pictures import PictureSkipped
from realism.finetune.run_log import read_log, read_preview
from realism.page import draw
from realism.page.i18n import text
from realism.page.job import JobGoesOn, JobLoads, JobStopped, JobWaits
from realism.page.session import paragraph, sentence

REDRAW_EVERY = 0.5  # s between two pictures of the curve
MEAN_OF = 40  # steps whose loss is averaged in the curve
KEPT_PREVIEWS = 4  # that are shown of a fine-tune that has ended: how the face came about
LOSS_COLOUR, LIKENESS_COLOUR = "var(--color-accent)", "#d98324"


def show_learning(events: Iterable[object], language: str) -> Iterator[tuple]:
    """What the page shows after each event of a fine-tune: message, curves, previews."""
    notes: list[str] = []
    losses: list[float] = []
    likeness: list[float] = []
    stage, saved, drawn_at = "", "", 0.0
    undrawn: TrainingStep | None = None

    def draw_step(step: TrainingStep) -> tuple:
        message = _progress(step, stage, saved, language) + _last_notes(notes)
        return message, _curves(losses, likeness, language), gr.skip()

    for event in events:
        match event:
            case StageBegun():
                losses, likeness, saved = [], [], ""
                stage = text(language, f"finetune.stage{event.stage}")
            case JobWaits():
                waiting = paragraph(text(language, "header.device_in_use"))
                yield waiting, gr.skip(), gr.skip()
            case JobLoads():
                loading = draw.progress_bar(event.share) + paragraph(sentence(event.what, language))
                yield loading, gr.skip(), gr.skip()
            case JobGoesOn() if undrawn:  # the last of many that came at once
                yield draw_step(undrawn)
                undrawn = None
            case JobGoesOn():
                yield (gr.skip(),) * 3
            case JobStopped():
                yield paragraph(text(language, "finetune.stopped")), gr.skip(), gr.skip()
                return
            case CropEncoded():
                reading = text(
                    language, "finetune.preparing", number=event.number, photo=event.photo
                )
                yield paragraph(f"{stage}. {reading}"), gr.skip(), gr.skip()
            case Note():
                notes.append(sentence(event.message, language))
            case PictureSkipped():
                notes.append(f"{event.name}: {sentence(event.reason, language)}")
            case TrainingStep():
                losses.append(event.loss)
                undrawn = event
                if time.monotonic() - drawn_at > REDRAW_EVERY or event.number == event.of:
                    drawn_at, undrawn = time.monotonic(), None
                    yield draw_step(event)
            case Preview():
                if event.similarity is not None:
                    likeness.append(event.similarity)
                caption = text(language, "finetune.step", number=event.step)
                pictures = [(image, caption) for image in event.images]
                yield gr.skip(), _curves(losses, likeness, language), pictures
            case LoraSaved():
                saved = _saved(event, language)
    done = paragraph(f"{text(language, 'finetune.done')} {saved}".strip())
    yield done + _last_notes(notes), _curves(losses, likeness, language), gr.skip()


def show_kept(folder: Path, language: str) -> tuple:
    """What the page shows of a fine-tune that ended some time ago: message, curves, previews."""
    log = read_log(folder)
    if log is None or not log.losses:
        return "", "", []
    likeness = [each.similarity for each in log.previews if each.similarity is not None]
    learned = text(
        language, "finetune.kept", steps=len(log.losses),
        first=float(np.mean(log.losses[:MEAN_OF])), last=float(np.mean(log.losses[-MEAN_OF:])),
    )  # fmt: skip
    pictures = [
        (image, text(language, "finetune.step", number=preview.step))
        for preview in reversed(log.previews[-KEPT_PREVIEWS:])
        for image in read_preview(folder, preview.step)
    ]
    return paragraph(learned), _curves(log.losses, likeness, language), pictures


def _progress(event: TrainingStep, stage: str, saved: str, language: str) -> str:
    progress = text(
        language, "finetune.progress", stage=stage, number=event.number, of=event.of,
        loss=event.loss, rate=event.images_per_second, left=_minutes(event.seconds_left),
    )  # fmt: skip
    if event.number == event.of:
        saved = text(language, "finetune.finishing")
    bar = draw.progress_bar(event.number / event.of)
    return bar + paragraph(progress) + paragraph(saved, "note")


def _saved(event: LoraSaved, language: str) -> str:
    if event.similarity is None:
        return text(language, "finetune.saved", number=event.step)
    key = "finetune.saved_best" if event.best else "finetune.saved_like"
    return text(language, key, number=event.step, similarity=event.similarity)


def _curves(losses: list[float], likeness: list[float], language: str) -> str:
    # A step's loss swings with the noise level drawn: the mean of the last ones is what falls.
    sums = np.cumsum([0.0, *losses])
    ends = np.arange(1, len(losses) + 1)
    starts = np.maximum(ends - MEAN_OF, 0)
    means = (sums[ends] - sums[starts]) / (ends - starts)
    curves = draw.curve_svg(means, LOSS_COLOUR, text(language, "finetune.loss"))
    if likeness:
        label = text(language, "finetune.likeness")
        curves += draw.curve_svg(likeness, LIKENESS_COLOUR, label)
    return curves


def _last_notes(notes: list[str]) -> str:
    return "".join(paragraph(note, "note") for note in notes[-3:])


def _minutes(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d}"
