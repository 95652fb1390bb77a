"""Tab 1, Photos: add them, see which are good and why, decide otherwise by hand."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
from gradio.events import Dependency

from realism.errors import InputError
from realism.faces.engine import load_engine
from realism.page import draw
from realism.page.failures import after_failure
from realism.page.i18n import Localizer, text, words
from realism.page.session import (
    SharedWidgets,
    chosen_person,
    listener,
    paragraph,
    quick_png,
    scroll_to_detail,
    sentence,
    user_errors,
    uses_device,
)
from realism.page.steps import foot, go_on, on_past
from realism.person.person import Person
from realism.person.photo_record import PhotoRecord
from realism.workflow.photos import PhotoChecked, add_photos

DECISIONS = {"accept": True, "refuse": False, "check": None}


def layout(localized: Localizer) -> SimpleNamespace:
    """Left what goes in, right what was made of it."""
    with gr.Row(elem_classes="desk"):
        with gr.Column(scale=1, min_width=280, elem_classes="choices"):
            files = localized(
                gr.File, "photos.files", file_count="multiple", height=170,
                elem_classes=["dropzone", "wanted"],
            )  # fmt: skip
            message = gr.HTML(elem_classes="tab-message")
            stop = localized(gr.Button, "photos.stop", size="sm", elem_classes="while-running")
            localized(gr.Markdown, "photos.tips", elem_classes=["tips", "later"])
        with gr.Column(scale=4, min_width=300, elem_classes="results"):
            summary = gr.HTML(elem_classes="summary")
            with gr.Row(visible=False, elem_classes="detail") as detail:
                picture = localized(
                    gr.Image, "photos.picture", format="png", interactive=False, height=440,
                    buttons=["fullscreen"], show_label=False, min_width=260, scale=3,
                )  # fmt: skip
                with gr.Column(min_width=260, scale=2):
                    verdict = gr.HTML(elem_classes="verdict")
                    with gr.Row():
                        accept = localized(gr.Button, "photos.accept", size="sm", min_width=90)
                        refuse = localized(gr.Button, "photos.refuse", size="sm", min_width=90)
                        check = localized(gr.Button, "photos.check", size="sm", min_width=90)
                        remove = localized(
                            gr.Button, "photos.remove", size="sm", min_width=90, variant="stop"
                        )
            gallery = localized(
                gr.Gallery, "photos.gallery", format="png", columns=4, height="auto",
                allow_preview=False, object_fit="cover", interactive=False, buttons=[],
                elem_classes="photos", show_label=False,
            )  # fmt: skip
            table = gr.HTML(elem_classes="table")
    (onward,) = foot(localized, "photos.onward")
    # Thumbnails by photo name, so that a decision redraws frames, not photos; the photo chosen.
    thumbs, photo_name = gr.State({}), gr.State(None)
    return SimpleNamespace(
        files=files, message=message, stop=stop, summary=summary, gallery=gallery, detail=detail,
        picture=picture, verdict=verdict, accept=accept, refuse=refuse, check=check, remove=remove,
        table=table, onward=onward, thumbs=thumbs, photo_name=photo_name,
    )  # fmt: skip


def wire(
    ui: SimpleNamespace, shared: SharedWidgets, refresh_status: dict, front_ui: SimpleNamespace,
    created: Dependency,
) -> None:  # fmt: skip
    """Join the widgets to the handlers below.

    Parameters
    ----------
    ui : SimpleNamespace
        Of `layout`.
    shared : SharedWidgets
        What every tab reads.
    refresh_status : dict
        Arguments of the event that redraws the status.
    front_ui : SimpleNamespace
        Of the front, where a new person's first photos are dropped.
    created : Dependency
        The event of a person's being created there.
    """
    visit = shared.visit
    details = [ui.detail, ui.picture, ui.verdict]
    show = listener(on_show, [*visit, ui.thumbs], [ui.summary, ui.gallery, ui.table, ui.thumbs])
    gr.on([shared.chosen.change, shared.shown_language.change], **show)
    past = listener(on_past, ui.message, ui.message)
    gr.on([shared.shown_language.change, ui.remove.click], **past)
    shared.chosen.change(**listener(on_leave, None, [ui.detail, ui.photo_name, ui.thumbs]))
    adding = ui.files.upload(
        **listener(
            on_add, [ui.files, *visit], ui.message, api_name="add_photos", api_visibility="public"
        )
    )
    beginning = created.success(**listener(on_begin, [front_ui.files, *visit], ui.message))
    for event, files in ((adding, ui.files), (beginning, front_ui.files)):
        event.success(**listener(delete_uploads, files, files))
        event.then(**show).then(**refresh_status)
        after_failure(event, shared, ui.message, show, refresh_status)
    stopping = ui.stop.click(
        **listener(on_stop, shared.language, ui.message, cancels=[adding, beginning])
    )
    stopping.then(**show).then(**refresh_status)
    looking = ui.gallery.select(**listener(on_select, visit, [ui.photo_name, *details]))
    scroll_to_detail(looking)
    go_on(ui.onward, "finetune")
    for button, decision in ((ui.accept, "accept"), (ui.refuse, "refuse"), (ui.check, "check")):
        choosing = button.click(
            **listener(on_choose, [gr.State(decision), ui.photo_name, *visit], details)
        )
        choosing.then(**show).then(**refresh_status)
    removing = ui.remove.click(
        **listener(on_remove, [ui.photo_name, *visit], [ui.photo_name, ui.detail])
    )
    removing.then(**show).then(**refresh_status)


def on_show(name: str | None, root: Path | None, language: str, thumbs: dict) -> tuple:
    """All photos with their verdicts."""
    if not name:
        return paragraph(text(language, "photos.nobody"), "note"), [], "", {}
    with user_errors(language):
        person = chosen_person(name, root)
        photos = person.records()
        thumbs = {photo.name: thumbs.get(photo.name, _thumbnail(photo)) for photo in photos}
        # What is not good comes first: it is what there is to look at.
        by_state = sorted(photos, key=lambda photo: photo.accepted)
        framed = [(_framed(photo, thumbs[photo.name]), photo.name) for photo in by_state]
        gallery = [(file, caption) for file, caption in framed if file]
        summary = _summary(person, photos, language)
        if len(gallery) < len(photos):
            summary += paragraph(text(language, "photos.no_room"), "note")
        table = _table(photos, person.photo_to_photo(), language)
        return summary, gallery, table, thumbs


def on_leave() -> tuple:
    """Forget the photo that was looked at: another person is shown."""
    return gr.update(visible=False), None, {}


@uses_device
def on_add(
    files: list[str] | None, name: str | None, root: Path | None, language: str
) -> Iterator[str]:
    """Take photos in, one by one."""
    with user_errors(language):
        person = chosen_person(name, root)
        # Of any suffix: Gradio would refuse all files for one that it does not expect.
        paths = [Path(file) for file in files or []]
        again = 0
        for event in add_photos(person, paths, load_engine()):
            if isinstance(event, PhotoChecked):
                again += event.again
                yield _progress(event, language)
        added = text(language, "photos.added", count=len(paths))
        if again:
            added += " " + text(language, "photos.again", count=again)
        yield paragraph(added)


@uses_device
def on_begin(
    files: list[str] | None, name: str | None, root: Path | None, language: str
) -> Iterator[str]:
    """Take in what was given with a new person's name; that may be nothing."""
    if files:
        yield from on_add(files, name, root, language)


def delete_uploads(files: list[str] | None) -> None:
    """Delete the uploads: the person has the pictures now, without what the camera wrote."""
    for file in files or []:
        Path(file).unlink(missing_ok=True)


def on_stop(language: str) -> str:
    """What the person reads after a stop."""
    return paragraph(text(language, "photos.stopped"))


def on_select(name: str, root: Path | None, language: str, event: gr.SelectData) -> tuple:
    """A photo with its reasons."""
    with user_errors(language):
        person = chosen_person(name, root)
        # By its name: another page may have removed one meanwhile.
        photo = person.record(event.value["caption"])
        return photo.name, *_details(person, photo, language)


@uses_device
def on_choose(decision: str, photo_name: str, name: str, root: Path | None, language: str) -> tuple:
    """Accept or refuse by hand, or leave it to the check."""
    with user_errors(language):
        person = chosen_person(name, root)
        photo = person.choose(photo_name, DECISIONS[decision], load_engine())
        return _details(person, photo, language)


@uses_device
def on_remove(photo_name: str, name: str, root: Path | None, language: str) -> tuple:
    """Delete a photo."""
    with user_errors(language):
        chosen_person(name, root).remove_photo(photo_name, load_engine())
        gr.Info(text(language, "photos.removed", name=photo_name), title="Realism")
        return None, gr.update(visible=False)


# What is shown --------------------------------------------------------------------------------


def _progress(event: PhotoChecked, language: str) -> str:
    checked = text(
        language, "photos.checked", number=event.number, of=event.of, name=event.photo.name
    )
    state = text(language, "photos.accepted" if event.photo.accepted else "photos.refused")
    return draw.progress_bar(event.number / event.of) + paragraph(f"{checked} {state}")


def _framed(photo: PhotoRecord, thumbnail: np.ndarray) -> str | None:
    """The file of a thumbnail with its badge; None where the disk has no room for it."""
    try:
        return quick_png(draw.with_badge(thumbnail, photo.accepted))
    except InputError as error:
        if error.code != "disk_full":
            raise
        return None


def _thumbnail(record: PhotoRecord) -> np.ndarray:
    if record.path is None:
        return draw.unreadable_thumbnail()
    return draw.thumbnail(record.photo().pixels, record.verdict.face)


def _details(person: Person, photo: PhotoRecord, language: str) -> tuple:
    picture = str(photo.path) if photo.path else None
    verdict = _verdict(photo, person.photo_to_photo().get(photo.name), language)
    return gr.update(visible=True), picture, verdict


def _state(photo: PhotoRecord, language: str) -> str:
    state = text(language, "photos.accepted" if photo.accepted else "photos.refused")
    return state + text(language, "photos.by_hand") if photo.choice is not None else state


def _reasons(photo: PhotoRecord, language: str) -> list[str]:
    reasons = (*photo.verdict.reasons, *photo.verdict.notes)
    return [sentence(reason.message, language) for reason in reasons]


def _verdict(photo: PhotoRecord, best_cosine: float | None, language: str) -> str:
    """What the check says of a photo, as HTML; its cosine with the best of the others."""
    reasons = _reasons(photo, language)
    if best_cosine is not None:
        reasons.append(text(language, "photos.near", value=best_cosine))
    state = escape(_state(photo, language))
    items = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    css_class = "good" if photo.accepted else "bad"
    return f'<h4>{escape(photo.name)}</h4><b class="{css_class}">{state}</b><ul>{items}</ul>'


def _summary(person: Person, photos: list[PhotoRecord], language: str) -> str:
    if not photos:
        return paragraph(text(language, "photos.empty", name=person.name), "note")
    accepted = sum(photo.accepted for photo in photos)
    summary = text(language, "photos.summary", accepted=accepted, of=len(photos))
    if refused := [photo for photo in photos if not photo.accepted]:
        why = words(language)["photos.why"]["between"].join(dict.fromkeys(_why(refused, language)))
        summary = text(
            language, "photos.summary_why",
            accepted=accepted, of=len(photos), refused=len(refused), why=why,
        )  # fmt: skip
    scale = person.photo_to_photo()
    if len(scale) > 1:
        summary += " " + text(
            language, "photos.scale", low=min(scale.values()), high=max(scale.values())
        )
    if not accepted:
        summary += " " + text(language, "photos.none")
    return paragraph(summary)


def _why(refused: list[PhotoRecord], language: str) -> Iterator[str]:
    """In a word or two, why each photo is not good."""
    short = words(language)["photos.why"]
    for photo in refused:
        reasons = photo.verdict.reasons if photo.choice is None else ()
        if not reasons:
            yield short["by_hand"]
        else:  # a code of another version of the program has its sentence alone
            yield short.get(reasons[0].code) or sentence(reasons[0].message, language).rstrip(".。")


def _table(photos: list[PhotoRecord], scale: dict[str, float], language: str) -> str:
    """All photos with state, similarity and reasons, folded away."""
    if not photos:
        return ""
    heads = "".join(f"<th>{escape(head)}</th>" for head in words(language)["photos.heads"])
    rows = []
    for photo in photos:
        similarity = f"{scale[photo.name]:.2f}" if photo.name in scale else ""
        width = f"{photo.verdict.face.width:.0f}" if photo.verdict.face else ""
        css_class = "good" if photo.accepted else "bad"
        rows.append(
            f'<tr><td>{escape(photo.name)}</td><td class="{css_class}">'
            f"{escape(_state(photo, language))}</td><td>{similarity}</td><td>{width}</td>"
            f"<td>{escape(' '.join(_reasons(photo, language)))}</td></tr>"
        )
    title = escape(text(language, "photos.all"))
    is_open = " open" if any(not photo.accepted for photo in photos) else ""
    return (
        f"<details{is_open}><summary>{title}</summary>"
        f"<div><table><tr>{heads}</tr>{''.join(rows)}</table></div></details>"
    )
