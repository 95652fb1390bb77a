"""The four steps as a line: where one is, what is done, what comes next; and the coloured button.

The line is the row of tabs itself. How far each step is stands below its name by a style, since a
tab that is given another label while one is clicked may select itself (Gradio 6.31). Of all buttons
only the one to press next has the accent colour: `on_show` says which, after all that changes it.
"""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr

from realism.config import home
from realism.errors import InputError
from realism.marks.find.finders import DEFAULT_FINDER
from realism.page.i18n import Localizer, text
from realism.page.job import Kind, find_job
from realism.page.session import (
    PRIVATE,
    SharedWidgets,
    base_name,
    chosen_person,
    listener,
    person_lora,
    user_errors,
)
from realism.person.names import person_folder
from realism.person.person import Person
from realism.person.runs import portraits_of

STEPS = ("photos", "finetune", "portraits", "marks")
# Tabs are changed by a click on their own button: only that tells whoever waits for it.
GO = """() => {{
  const to = {target};
  document.querySelector(`[data-tab-id="${{to}}"]`).click();
  window.scrollTo({{top: 0}});
}}"""
NEXT_STEP = "document.querySelector('#way').dataset.next"


@dataclass(frozen=True)
class Progress:
    """How far a person is.

    Attributes
    ----------
    photos, accepted : int
        All photos, and those that are learned from.
    lora : bool
        Whether there is a LoRA for the base that is chosen.
    portraits : int
        Made of all runs.
    marks : bool
        Whether any were found. How many differs by portrait: tab 4 says it of the one in view.
    running : {"finetune", "portraits"} or None
        What is at work for the person now.
    own_lora : bool
        Whether the LoRA was learned on that base itself, and can be downloaded.
    """

    photos: int = 0
    accepted: int = 0
    lora: bool = False
    portraits: int = 0
    marks: bool = False
    running: Kind | None = None
    own_lora: bool = False

    @property
    def done(self) -> dict[str, bool]:
        """For each step, whether it is done."""
        made = (self.accepted, self.lora, self.portraits, self.marks)
        return dict(zip(STEPS, map(bool, made), strict=True))

    @property
    def next_step(self) -> str:
        """The step to go on with: the one at work, else the first after the last that is done."""
        if self.running:
            return self.running
        done = self.done
        if not done["photos"]:
            return "photos"
        after = max(number for number, step in enumerate(STEPS) if done[step]) + 1
        return STEPS[min(after, len(STEPS) - 1)]


def read_progress(person: Person, base: str) -> Progress:
    """How far a person is with a base, as `load_base` takes it, by what lies in their folder."""
    records = person.records()
    job = find_job(person.folder)
    return Progress(
        photos=len(records),
        accepted=sum(record.accepted for record in records),
        lora=person_lora(person, base) is not None,
        portraits=sum(len(portraits_of(run)) for run in person.runs()),
        marks=_has_marks(person),
        running=job.kind if job and job.running else None,
        own_lora=_has_own_lora(person, base),
    )


def _has_own_lora(person: Person, base: str) -> bool:
    try:
        return person.adapter(base_name(base), "last") is not None
    except InputError:
        return False


def _has_marks(person: Person) -> bool:
    found = (mark for marks in person.marks().values() for mark in marks)
    return any(mark.score >= DEFAULT_FINDER.threshold for mark in found)


# Layout and wiring ----------------------------------------------------------------------------


def layout_status() -> gr.HTML:
    """What the line of steps is coloured by; it shows nothing itself."""
    return gr.HTML(_way(None, "pocket", "en"), elem_id="status")


def foot(localized: Localizer, *keys: str) -> list[gr.Button]:
    """At the foot of a tab, always in sight: the buttons that lead on; none shows at first."""
    with gr.Row(elem_classes="onward"):
        return [
            localized(gr.Button, key, variant="primary", visible=False, scale=0, min_width=260)
            for key in keys
        ]


def go_on(button: gr.Button, step: str | None = None) -> None:
    """Have a button lead to a step, None: to the one that comes next."""
    target = f"'{step}'" if step else NEXT_STEP
    going: dict = {"js": GO.format(target=target), **PRIVATE}
    button.click(None, **going)


def can_cancel(button: gr.Button, kind: Kind, message: gr.HTML, shared: SharedWidgets) -> None:
    """Have a Cancel button work while work of a kind runs, whose progress a message says.

    Each message asks anew: an answer of `on_show` from before the work may come after its start.
    """
    message.change(**listener(on_message, [gr.State(kind), shared.person, shared.root], button))


def coloured(
    photos_ui: SimpleNamespace, finetune_ui: SimpleNamespace, portraits_ui: SimpleNamespace
) -> list[gr.components.Component]:
    """The buttons whose colour, presence or use `on_show` decides, in its order."""
    return [
        photos_ui.files, photos_ui.onward, finetune_ui.start, finetune_ui.first,
        finetune_ui.onward, portraits_ui.make, portraits_ui.first, portraits_ui.restore,
        finetune_ui.stop, finetune_ui.best, finetune_ui.last, portraits_ui.stop,
    ]  # fmt: skip


# Handlers -------------------------------------------------------------------------------------


def on_show(name: str | None, root: Path | None, base: str, language: str) -> tuple:
    """The status, and the buttons of `coloured`."""
    with user_errors(language):
        progress = read_progress(chosen_person(name, root), base) if name else None
    return _way(progress, base, language), *_colours(progress or Progress(), progress is not None)


def on_message(kind: Kind, name: str | None, root: Path | None) -> Any:
    """Whether there is something to cancel."""
    job = find_job(person_folder(root or home(), name), kind) if name else None
    return gr.update(interactive=job is not None and job.running)


def on_past(message: str | None) -> Any:
    """Forget what was said of work that has ended: it is in the language, and the count, of then.

    Progress is left alone.
    """
    return gr.skip() if 'role="progressbar"' in (message or "") else ""


def on_tab(name: str | None, event: gr.SelectData) -> tuple[str | None, str]:
    """Which person and step are looked at now."""
    return name, STEPS[event.index]


def _detail(step: str, progress: Progress | None, language: str) -> str:
    """How far a step is; without a person, what it is for."""
    if progress is None:
        return text(language, f"steps.{step}")
    key = "done" if progress.done[step] else "open"
    if progress.running == step:
        key = "running"
    return text(
        language, f"steps.{step}_{key}",
        accepted=progress.accepted, photos=progress.photos, portraits=progress.portraits,
    )  # fmt: skip


def _way(progress: Progress | None, base: str, language: str) -> str:
    details = "".join(
        f'#steps [data-tab-id="{step}"]::after {{ content: "{_detail(step, progress, language)}" }}'
        for step in STEPS
    )
    # Gradio's own words in a field for files follow the browser, not the page's language.
    details += f':root {{ --upload: "{text(language, "steps.upload")}" }}'
    progress = progress or Progress()
    done = " ".join(f"done-{step}" for step, is_done in progress.done.items() if is_done)
    done += " with-pocket" if base == "pocket" else ""
    coming = progress.next_step
    marker = f'<i id="way" class="{done} next-{coming}" data-next="{coming}" hidden></i>'
    return f"{marker}<style>{details}</style>"


def _colours(progress: Progress, chosen: bool) -> tuple[Any, ...]:
    """Updates for `coloured`: one primary button a tab."""
    done = progress.done
    ready = chosen and done["photos"] and done["finetune"]
    return (
        gr.update(elem_classes=["dropzone", "" if done["photos"] else "wanted"]),
        gr.update(visible=chosen and done["photos"]),
        _primary(not done["finetune"] and done["photos"] and progress.running is None),
        gr.update(visible=chosen and not done["photos"]),
        gr.update(visible=chosen and done["finetune"] and progress.running != "finetune"),
        _primary(ready and not done["portraits"] and progress.running is None),
        gr.update(visible=chosen and not (done["finetune"] or done["portraits"])),
        gr.update(visible=chosen and done["portraits"] and progress.running != "portraits"),
        gr.update(interactive=progress.running == "finetune"),
        gr.update(interactive=progress.own_lora),
        gr.update(interactive=progress.own_lora),
        gr.update(interactive=progress.running == "portraits"),
    )


def _primary(is_next: bool) -> Any:
    return gr.update(variant="primary" if is_next else "secondary")
