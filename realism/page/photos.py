"""Tab 1, Photos: add them, see which are good and why, decide otherwise by hand."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np

from realism.faces.engine import load_engine
from realism.images import SUFFIXES
from realism.page import draw as drawn
from realism.page.i18n import Spoken, text, words
from realism.page.session import DEVICE, QUIET, Shared, chosen, line, told
from realism.person.person import Person
from realism.person.photos import PhotoRecord

DECISIONS = {"accept": True, "refuse": False, "check": None}


def layout(say: Spoken) -> SimpleNamespace:
    """Left what goes in, right what was made of it."""
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            files = say(
                gr.File, "photos.files", file_count="multiple", height=170,
                file_types=list(SUFFIXES),
            )  # fmt: skip
            said = gr.HTML(elem_classes="said")
            stop = say(gr.Button, "photos.stop", size="sm", elem_classes="while-running")
            say(gr.Markdown, "photos.tips", elem_classes="tips")
        with gr.Column(scale=5, min_width=300):
            summary = gr.HTML(elem_classes="summary")
            gallery = say(
                gr.Gallery, "photos.gallery", format="png", columns=5, height="auto",
                allow_preview=False, object_fit="cover", interactive=False, buttons=[],
                elem_classes="photos", show_label=False,
            )  # fmt: skip
            with gr.Row(visible=False) as detail:
                picture = say(
                    gr.Image, "photos.picture", format="png", interactive=False, height=300,
                    buttons=["fullscreen"], show_label=False, min_width=220,
                )  # fmt: skip
                with gr.Column(min_width=260):
                    verdict = gr.HTML(elem_classes="verdict")
                    with gr.Row():
                        accept = say(gr.Button, "photos.accept", size="sm", min_width=90)
                        refuse = say(gr.Button, "photos.refuse", size="sm", min_width=90)
                        check = say(gr.Button, "photos.check", size="sm", min_width=90)
                        remove = say(
                            gr.Button, "photos.remove", size="sm", min_width=90, variant="stop"
                        )
            table = gr.HTML(elem_classes="table")
    # Thumbnails by photo name, so that a decision redraws frames, not photos; the photo chosen.
    thumbs, photo = gr.State({}), gr.State(None)
    return SimpleNamespace(
        files=files, said=said, stop=stop, summary=summary, gallery=gallery, detail=detail,
        picture=picture, verdict=verdict, accept=accept, refuse=refuse, check=check, remove=remove,
        table=table, thumbs=thumbs, photo=photo,
    )  # fmt: skip


def wire(w: SimpleNamespace, shared: Shared, refresh: dict) -> None:
    """Join the widgets to the handlers below.

    refresh    arguments of the event that redraws the standing
    """
    who = [shared.person, shared.root, shared.language]
    view = [w.summary, w.gallery, w.table, w.thumbs]
    one = [w.detail, w.picture, w.verdict]
    show = {"fn": on_show, "inputs": [*who, w.thumbs], "outputs": view, **QUIET}
    gr.on([shared.person.change, shared.language.change], **show)
    shared.person.change(on_leave, None, [w.detail, w.photo, w.thumbs], **QUIET)
    adding = w.files.upload(
        on_add, [w.files, *who], w.said,
        api_name="add_photos", show_progress="hidden", **DEVICE,
    )  # fmt: skip
    adding.success(on_taken_in, w.files, w.files, **QUIET)
    adding.then(**show).then(**refresh)
    w.stop.click(on_stop, shared.language, w.said, cancels=adding, **QUIET).then(**show).then(
        **refresh
    )
    w.gallery.select(on_select, [*who], [w.photo, *one], **QUIET)
    for button, decision in ((w.accept, "accept"), (w.refuse, "refuse"), (w.check, "check")):
        button.click(on_choose, [gr.State(decision), w.photo, *who], one, **QUIET).then(
            **show
        ).then(**refresh)
    w.remove.click(on_remove, [w.photo, *who], [w.photo, w.detail], **QUIET).then(**show).then(
        **refresh
    )


def on_show(name: str | None, root: Path | None, language: str, thumbs: dict) -> tuple:
    """All photos with their verdicts."""
    if not name:
        return line(text(language, "photos.nobody"), "note"), [], "", {}
    with told(language):
        person = chosen(name, root)
        entries = person.records()
        thumbs = {entry.name: thumbs.get(entry.name, _thumb(entry)) for entry in entries}
        gallery = [
            (drawn.badged(thumbs[entry.name], entry.accepted), entry.name) for entry in entries
        ]
        table = _table(entries, person.photo_to_photo(), language)
        return _summary(person, entries, language), gallery, table, thumbs


def on_leave() -> tuple:
    """Forget the photo that was looked at: another person is shown."""
    return gr.update(visible=False), None, {}


def on_add(
    files: list[str] | None, name: str | None, root: Path | None, language: str
) -> Iterator[str]:
    """Take photos in, one by one."""
    with told(language):
        person = chosen(name, root)
        files = [Path(file) for file in files or []]
        for number, entry in enumerate(person.add_photos(files, load_engine()), 1):
            state = text(language, "photos.accepted" if entry.accepted else "photos.refused")
            said = text(language, "photos.checked", number=number, of=len(files), name=entry.name)
            yield drawn.bar(number / len(files)) + line(f"{said} {state}")
        yield line(text(language, "photos.added", count=len(files)))


def on_taken_in(files: list[str] | None) -> None:
    """Delete the uploads: the person has the pictures now, without what the camera told."""
    for file in files or []:
        Path(file).unlink(missing_ok=True)


def on_stop(language: str) -> str:
    """What the person reads after a stop."""
    return line(text(language, "photos.stopped"))


def on_select(name: str, root: Path | None, language: str, event: gr.SelectData) -> tuple:
    """One photo with its reasons."""
    with told(language):
        person = chosen(name, root)
        entry = person.records()[event.index]
        return entry.name, *_one(person, entry, language)


def on_choose(decision: str, photo: str, name: str, root: Path | None, language: str) -> tuple:
    """Accept or refuse by hand, or leave it to the check."""
    with told(language):
        person = chosen(name, root)
        entry = person.choose(photo, DECISIONS[decision], load_engine())
        return _one(person, entry, language)


def on_remove(photo: str, name: str, root: Path | None, language: str) -> tuple:
    """Delete one photo."""
    with told(language):
        chosen(name, root).remove_photo(photo, load_engine())
        gr.Info(text(language, "photos.removed", name=photo), title="Realism")
        return None, gr.update(visible=False)


# What is shown --------------------------------------------------------------------------------


def _thumb(entry: PhotoRecord) -> np.ndarray:
    if entry.path is None:
        return drawn.unreadable()
    return drawn.thumbnail(entry.photo().pixels, entry.verdict.face)


def _one(person: Person, entry: PhotoRecord, language: str) -> tuple:
    picture = str(entry.path) if entry.path else None
    said = _said(entry, person.photo_to_photo().get(entry.name), language)
    return gr.update(visible=True), picture, said


def _state(entry: PhotoRecord, language: str) -> str:
    state = text(language, "photos.accepted" if entry.accepted else "photos.refused")
    return state + text(language, "photos.by_hand") if entry.choice is not None else state


def _said(entry: PhotoRecord, near: float | None, language: str) -> str:
    reasons = [
        f"<li>{escape(reason.message.text(language))}</li>"
        for reason in (*entry.verdict.reasons, *entry.verdict.notes)
    ]
    if near is not None:
        reasons.append(f"<li>{escape(text(language, 'photos.near', value=near))}</li>")
    state = escape(_state(entry, language))
    return (
        f'<h4>{escape(entry.name)}</h4><b class="{"good" if entry.accepted else "bad"}">{state}</b>'
        f"<ul>{''.join(reasons)}</ul>"
    )


def _summary(person: Person, entries: list[PhotoRecord], language: str) -> str:
    if not entries:
        return line(text(language, "photos.empty", name=person.name), "note")
    accepted = [entry for entry in entries if entry.accepted]
    said = text(language, "photos.summary", accepted=len(accepted), of=len(entries))
    scale = person.photo_to_photo()
    if len(scale) > 1:
        said += " " + text(
            language, "photos.scale", low=min(scale.values()), high=max(scale.values())
        )
    if not accepted:
        said += " " + text(language, "photos.none")
    return line(said)


def _table(entries: list[PhotoRecord], scale: dict[str, float], language: str) -> str:
    """All photos with state, similarity and reasons, folded away."""
    if not entries:
        return ""
    heads = "".join(f"<th>{escape(head)}</th>" for head in words(language)["photos.heads"])
    rows = []
    for entry in entries:
        reasons = " ".join(
            reason.message.text(language)
            for reason in (*entry.verdict.reasons, *entry.verdict.notes)
        )
        near = f"{scale[entry.name]:.2f}" if entry.name in scale else ""
        width = f"{entry.verdict.face.width:.0f}" if entry.verdict.face else ""
        mark = "good" if entry.accepted else "bad"
        rows.append(
            f'<tr><td>{escape(entry.name)}</td><td class="{mark}">{escape(_state(entry, language))}'
            f"</td><td>{near}</td><td>{width}</td><td>{escape(reasons)}</td></tr>"
        )
    title = escape(text(language, "photos.all"))
    return (
        f"<details{' open' if any(not e.accepted for e in entries) else ''}><summary>{title}"
        f"</summary><div><table><tr>{heads}</tr>{''.join(rows)}</table></div></details>"
    )
