"""Tab 2, Fine-tune: the base, the two stages, and what is learned as it is learned."""

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr

from realism.config import expanded
from realism.diffusion.base import load_base
from realism.diffusion.lora import copy_lora, save_kohya
from realism.diffusion.pickles import Progress
from realism.diffusion.recommended import preset_for, recommended_bases
from realism.errors import Message
from realism.faces.engine import load_engine
from realism.finetune.events import (
    Note,
)
from realism.finetune.stages import FACES, check_settings, default_stages
from realism.page.failures import after_failure
from realism.page.finetune_progress import show_kept, show_learning
from realism.page.i18n import Localizer, text
from realism.page.job import find_job, start_job
from realism.page.session import (
    SharedWidgets,
    base_name,
    chosen_person,
    download_after,
    hidden_download,
    listener,
    never_waits,
    new_temp_dir,
    on_nothing,
    paragraph,
    person_lora,
    user_errors,
)
from realism.page.steps import can_cancel, foot, go_on
from realism.page.visitors import hosted
from realism.workflow.finetune import FinetuneEvent, FinetuneOptions, finetune


def layout(localized: Localizer) -> SimpleNamespace:
    """Left the choices, right what is learned."""
    one, two = preset_for("pocket").stages
    needs = gr.HTML(elem_classes="needs")
    with gr.Row(elem_classes="desk"):
        with gr.Column(scale=2, min_width=280, elem_classes="choices"):
            # Where strangers share the machine its folders are none of their business.
            base = localized(
                gr.Dropdown, "finetune.base", choices=_bases(localized.language), value="pocket",
                allow_custom_value=not hosted(),
            )  # fmt: skip
            localized(gr.HTML, "finetune.pocket", elem_classes=["with", "of-pocket"])
            with gr.Row():
                start = localized(gr.Button, "finetune.start", variant="primary", min_width=120)
                stop = localized(gr.Button, "finetune.stop", min_width=80, interactive=False)
            with localized(gr.Accordion, "finetune.advanced", open=False, elem_classes="later"):
                skip = localized(gr.Checkbox, "finetune.skip", value=False)
                faces = localized(
                    gr.Textbox, "finetune.faces", value="", max_lines=1, visible=not hosted()
                )
                with gr.Row():
                    steps1 = localized(gr.Number, "finetune.steps1", value=one.steps, precision=0)
                    rate1 = localized(gr.Number, "finetune.rate1", value=one.learning_rate)
                with gr.Row():
                    steps2 = localized(gr.Number, "finetune.steps2", value=two.steps, precision=0)
                    rate2 = localized(gr.Number, "finetune.rate2", value=two.learning_rate)
                with gr.Row():
                    rank = localized(gr.Number, "finetune.rank", value=two.rank, precision=0)
                    batch = localized(gr.Number, "finetune.batch", value=two.batch, precision=0)
                frugal = localized(gr.Checkbox, "finetune.frugal", value=two.gradient_checkpointing)
                afresh = localized(gr.Checkbox, "finetune.afresh", value=False)
            localized(gr.Markdown, "finetune.tips", elem_classes=["tips", "later"])
        with gr.Column(scale=5, min_width=300, elem_classes="results"):
            message = gr.HTML(elem_classes="tab-message")
            curves = gr.HTML(elem_classes="curves")
            previews = localized(
                gr.Gallery, "finetune.previews", format="png", columns=4, height="auto",
                interactive=False, buttons=[], object_fit="cover",
                elem_classes=["portraits", "previews"],
            )  # fmt: skip
            with gr.Row():
                best, last = (
                    localized(gr.Button, f"finetune.{which}", min_width=140, interactive=False)
                    for which in ("best", "last")
                )
            kohya = localized(gr.Checkbox, "finetune.kohya", value=False)
            file = hidden_download("lora-file")
    first, onward = foot(localized, "finetune.first", "finetune.onward")
    return SimpleNamespace(
        needs=needs, base=base, start=start, stop=stop, skip=skip, faces=faces, steps1=steps1,
        rate1=rate1, steps2=steps2, rate2=rate2, rank=rank, batch=batch, frugal=frugal,
        afresh=afresh, message=message, curves=curves, previews=previews, best=best, last=last,
        kohya=kohya, file=file, first=first, onward=onward,
    )  # fmt: skip


def wire(ui: SimpleNamespace, shared: SharedWidgets, refresh_status: dict) -> None:
    """Join the widgets to the handlers below.

    Parameters
    ----------
    ui : SimpleNamespace
        Of `layout`.
    shared : SharedWidgets
        What every tab reads.
    refresh_status : dict
        Arguments of the event that redraws the status.
    """
    visit = shared.visit
    show = listener(on_show, [*visit, ui.base], ui.needs)
    settings = [ui.steps1, ui.rate1, ui.steps2, ui.rate2, ui.rank, ui.batch, ui.frugal]
    learned = [ui.message, ui.curves, ui.previews]
    changes = [
        shared.chosen.change,
        shared.shown_language.change,
        ui.base.change,
        shared.tabs.select,
    ]
    gr.on(changes, **show)
    ui.base.input(**listener(on_settings, ui.base, settings))
    shared.shown_language.change(**listener(on_language, shared.shown_language, ui.base))
    running = ui.start.click(
        **listener(
            on_finetune, [*visit, ui.base, ui.skip, ui.faces, *settings, ui.afresh], learned,
            api_name="finetune", api_visibility="public",
        )
    )  # fmt: skip
    can_cancel(ui.stop, "finetune", ui.message, shared)
    running.then(**show).then(**refresh_status)
    after_failure(running, shared, ui.message, show, refresh_status)
    # Who comes back, or chooses the person again, finds the work running or done.
    leaving = shared.chosen.change(**listener(on_leave, None, learned, cancels=[running]))
    following = leaving.then(**listener(on_follow, [*visit, ui.base], learned))
    kept = listener(on_kept, [*visit, ui.base], learned)
    gr.on([ui.base.change, shared.shown_language.change], **kept)
    following.success(**refresh_status)
    after_failure(following, shared, ui.message, show, refresh_status)
    shared.chosen.change(**listener(on_nothing, None, None, cancels=[following]))
    stopping = ui.stop.click(**listener(on_stop, visit, ui.message))
    stopping.then(**show).then(**refresh_status)
    go_on(ui.first, "photos")
    go_on(ui.onward, "portraits")
    for button, which in ((ui.best, "best"), (ui.last, "last")):
        copying = button.click(
            **listener(on_download, [gr.State(which), *visit, ui.base, ui.kohya], ui.file)
        )
        download_after(copying, ui.file)


def on_show(name: str | None, root: Path | None, language: str, base: str) -> str:
    """What is missing before a fine-tune, or what is there already."""
    if not name:
        return paragraph(text(language, "header.nobody"))
    with user_errors(language):
        person = chosen_person(name, root)
        if not any(photo.accepted for photo in person.records()):
            return paragraph(text(language, "finetune.needs_photos", name=person.name))
        if (person.adapter_folder(base_name(base)) / "running").exists():
            return paragraph(text(language, "finetune.unfinished", name=person.name))
        if person_lora(person, base):
            there = text(language, "finetune.there", name=person.name, base=base_name(base))
            return paragraph(there)
        return ""


def on_leave() -> tuple:
    """Another person is shown: what the last one's LoRA learned leaves the screen."""
    return "", "", []


def on_language(language: str) -> Any:
    """The licences in the list of bases in another language."""
    return gr.update(choices=_bases(language))


def on_settings(base: str) -> tuple:
    """The settings that suit the base chosen."""
    first, second = preset_for(base).stages
    return (
        first.steps, first.learning_rate, second.steps, second.learning_rate, second.rank,
        second.batch, second.gradient_checkpointing,
    )  # fmt: skip


@never_waits
def on_finetune(
    name: str | None, root: Path | None, language: str, where: str, skip: bool, faces: str,
    steps1: int, rate1: float, steps2: int, rate2: float, rank: int, batch: int, frugal: bool,
    afresh: bool,
) -> Iterator[tuple]:  # fmt: skip
    """Both stages; the first only where it was not done before. Goes on without the page."""

    def work(progress: Progress) -> Generator[FinetuneEvent, None, None]:
        progress(0, Message("base_loading", base=where))
        base = load_base(where, progress=progress)
        yield from map(Note, base.notes)
        first, second = default_stages(base)
        options = FinetuneOptions(
            one_stage=skip,
            faces=expanded(faces) if faces.strip() else FACES,
            first=replace(first, **asked[0]),
            second=replace(second, **asked[1]),
            resume=not afresh,
        )
        yield from finetune(person, base, load_engine(), options)

    with user_errors(language):
        person = chosen_person(name, root)
        person.accepted()  # said at once, not when a base has been fetched
        shape = {"rank": rank, "batch": batch, "gradient_checkpointing": frugal}
        asked = [
            {"steps": steps, "learning_rate": rate, **shape}
            for steps, rate in ((steps1, rate1), (steps2, rate2))
        ]
        for stage, given in zip(preset_for(where).stages, asked, strict=True):
            check_settings(replace(stage, **given))  # said at once, too
        job = start_job(person.folder, "finetune", work)
        yield from show_learning(job.follow(), language)


@never_waits
def on_follow(name: str | None, root: Path | None, language: str, base: str) -> Iterator[tuple]:
    """The person's fine-tune as it runs or ended within the hour, else what is kept of it."""
    with user_errors(language):
        job = find_job(chosen_person(name, root).folder, "finetune") if name else None
        if job:
            yield from show_learning(job.follow(), language)
        else:
            yield on_kept(name, root, language, base)


def on_kept(name: str | None, root: Path | None, language: str, base: str) -> tuple:
    """What is kept of the fine-tune for a base; nothing new while one is followed."""
    with user_errors(language):
        person = chosen_person(name, root) if name else None
        if person is None or find_job(person.folder, "finetune"):
            return (gr.skip(),) * 3
        return show_kept(person.adapter_folder(base_name(base)), language)


def on_stop(name: str | None, root: Path | None, language: str) -> Any:
    """Stop the fine-tune; what the person reads after it, nothing new where none ran."""
    with user_errors(language):
        job = find_job(chosen_person(name, root).folder, "finetune") if name else None
    if job is None or not job.running:
        return gr.skip()
    job.stop()
    return paragraph(text(language, "finetune.stopped"))


def on_download(
    which: str, name: str | None, root: Path | None, language: str, base: str, kohya: bool = False
) -> str:
    """The LoRA under a name that says whose it is; in kohya's names for other programs."""
    with user_errors(language):
        person = chosen_person(name, root)
        lora = person.adapter(base_name(base), which)
        assert lora is not None  # only "none" gives none
        target = new_temp_dir() / f"{person.folder.name}-{which}.safetensors"
        return str((save_kohya if kohya else copy_lora)(lora, target))


# What is shown --------------------------------------------------------------------------------


def _bases(language: str) -> list[tuple[str, str]]:
    """The bases to choose from: name, size, memory and licence of each, and its first place."""
    labels = {
        row.where[0]: f"{row.name} ({row.resolution} px, {row.gpu_memory_gb:g} GB, "
        f"{row.licence.text(language)})"
        for row in recommended_bases()
    }
    return [(label, where) for where, label in labels.items()]
