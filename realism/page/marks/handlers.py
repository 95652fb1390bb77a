"""Handlers of tab 4, Marks: find them on photos, put them back into a portrait of any generator.

Placing is slow and done once for a portrait; blending is quick and follows the sliders. What is
switched off, moved or corrected here is named by its key, `realism.workflow.place.mark_key`.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from realism.errors import InputError
from realism.faces.engine import load_engine
from realism.marks.atlas import Atlas
from realism.marks.mark import Wrinkle, make_mark
from realism.marks.photo import MarkedPhoto
from realism.marks.restore.blend import Sliders
from realism.page import draw
from realism.page.copies import give_to_person
from realism.page.i18n import text
from realism.page.marks import editor, strip, viewer
from realism.page.session import (
    chosen_person,
    owner,
    paragraph,
    quick_png,
    sentence,
    user_errors,
    uses_device,
)
from realism.person.runs import portraits_of
from realism.workflow import translated
from realism.workflow.marks import (
    LEAST_SCORE,
    PhotoOpened,
    PhotoSearched,
    find_marks_of_person,
    find_marks_of_photos,
    with_least_score,
)
from realism.workflow.place import (
    MarkKey,
    PlacedPortrait,
    RestoreOptions,
    blend_portrait,
    mark_key,
    place_portrait,
)
from realism.workflow.restore import finish_portrait

MOST_PHOTOS = 16  # whose pixels and masks one visit keeps in memory, about 30 bytes a pixel


def on_show(name: str | None, root: Path | None, language: str) -> tuple:
    """What the tab can do now, and the portraits of the person's newest run."""
    if not name:
        form = _marker("nobody") + text(language, "marks.alone")
        return form, gr.update(choices=[], value=None)
    with user_errors(language):
        person = chosen_person(name, root)
        needs = ""
        if not any(photo.accepted for photo in person.records()):
            needs = paragraph(text(language, "marks.needs_photos", name=person.name))
        files = [file for run in person.runs()[:1] for file in portraits_of(run)]
        choices = [(file.name, str(file)) for file in files]
        return needs if files else _marker("no-run") + needs, gr.update(choices=choices)


def on_given(portrait: str | None, files: list[str] | None) -> None:
    """What is dropped while a person is chosen is deleted with them."""
    give_to_person([portrait, *(files or [])])


def on_run_portrait(file: str | None, name: str, root: Path | None, language: str) -> str | None:
    """Take a portrait of the person's newest run."""
    with user_errors(language):
        is_theirs = file and Path(file).parent in chosen_person(name, root).runs()
        return file if is_theirs else None


@uses_device
def on_find(
    portrait: str | None, files: list[str] | None, photos: dict[str, MarkedPhoto],
    name: str | None, root: Path | None, language: str,
) -> Iterator[tuple]:  # fmt: skip
    """Find the marks on the photos dropped here, else on the person's accepted ones."""
    with user_errors(language):
        if not portrait:
            raise InputError("portrait_not_given")
        if not files and not name:
            raise InputError("photos_not_given")
        if files:
            # Of two copies of a file each would confirm the other.
            dropped = list({Path(file).name: Path(file) for file in files}.values())[:MOST_PHOTOS]
            work = find_marks_of_photos(
                dropped, load_engine(), held=photos, reviewed=set(photos), threshold=LEAST_SCORE
            )
        else:
            work = find_marks_of_person(
                chosen_person(name, root), load_engine(), photos, LEAST_SCORE, MOST_PHOTOS
            )

        found = yield from translated(
            work, lambda event: (gr.skip(), gr.skip(), gr.skip(), progress_of(event, language))
        )
        yield found_marks(found, language)


@uses_device
def on_place(
    portrait: str | None, photos: dict[str, MarkedPhoto], least_score: float, method: str,
    placement: str, moves: dict, language: str,
) -> tuple:  # fmt: skip
    """Place and measure the marks on the portrait: the slow half."""
    if not portrait or not photos:
        return gr.skip(), gr.skip(), gr.skip(), None, gr.skip()
    with user_errors(language):
        options = RestoreOptions(method, placement, moves=moves)
        sure = with_least_score(photos.values(), least_score)
        placed = place_portrait(Path(portrait), sure, load_engine(), options)
        before = quick_png(placed.portrait.pixels)
        pictures = {name: (photo.pixels, photo.face.width) for name, photo in photos.items()}
        cutouts = strip.cut_out_marks(strip.cards_of(placed, ()), pictures)
        return placed, before, _placed_message(placed, language), None, cutouts


@uses_device
def on_move(
    placed: PlacedPortrait | None, photos: dict[str, MarkedPhoto], least_score: float, method: str,
    placement: str, moves: dict, language: str,
) -> tuple:  # fmt: skip
    """Place the marks anew on the portrait on which one was moved."""
    portrait = str(placed.file) if placed else None
    return on_place(portrait, photos, least_score, method, placement, moves, language)


def on_least_sightings(
    placed: PlacedPortrait | None, least_sightings: int, files: list[str] | None,
    name: str | None, root: Path | None, language: str,
) -> list[MarkKey]:  # fmt: skip
    """The marks that begin off: those that fewer of the photos show, but as switched by hand."""
    if placed is None:
        return []
    with user_errors(language):
        return strip.off_at_first(placed, owner(files, name, root), least_sightings)


def on_blend(
    placed: PlacedPortrait | None, before: str | None, off: list[MarkKey], language: str,
    *sliders: float,
) -> Any:  # fmt: skip
    """Mix the marks in under the sliders: the quick half, before and after."""
    if (
        placed is None or before is None
    ):  # what is shown is kept from another time; its photos are not open yet
        return gr.skip()
    after = quick_png(blend_portrait(placed, Sliders(*sliders), off))
    return viewer.placed_view(placed, before, after, off, language)


@uses_device
def on_measure(
    placed: PlacedPortrait | None, off: list[MarkKey], language: str, *sliders: float
) -> Any:
    """Similarity with the photos before and after, on the photos' own scale."""
    if placed is None:
        return gr.skip()
    with user_errors(language):
        likeness = finish_portrait(placed, load_engine(), Sliders(*sliders), off).likeness
    if likeness.after is None:
        sentence = text(language, "marks.no_face_after", before=likeness.before)
    else:
        sentence = text(language, "marks.alike", before=likeness.before, after=likeness.after)
    if likeness.photos:
        low, high = min(likeness.photos), max(likeness.photos)
        sentence += " " + text(language, "marks.scale", low=low, high=high)
    return paragraph(sentence)


def on_draw(
    photos: dict[str, MarkedPhoto], least_score: float, placed: PlacedPortrait | None,
    off: list[MarkKey], photo_name: str | None, language: str,
) -> tuple:  # fmt: skip
    """The photo and the portrait with their marks drawn on, and the list of them."""
    if placed is None or photo_name not in photos:
        return None, None, "", gr.update(visible=False)
    (photo,) = with_least_score([photos[photo_name]], least_score)
    on = [mark_key(photo.name, mark) not in off for mark in photo.marks]
    drawn = editor.draw_marks(photo.pixels, photo.face, photo.marks, on)
    table = editor.marks_table(placed, off, language)
    return drawn, editor.draw_placed(placed, off), table, gr.update(visible=True)


def on_language(placed: PlacedPortrait | None, atlas: Atlas | None, language: str) -> tuple:
    """What was said of the portrait and in the passport, in another language."""
    message = gr.skip() if placed is None else _placed_message(placed, language)
    return message, gr.skip() if atlas is None else editor.passport_table(atlas, language)


def on_choose_photo(photos: dict[str, MarkedPhoto], event: gr.SelectData) -> tuple:
    """Another photo into view."""
    return list(photos)[event.index], None


def on_photo_click(
    photos: dict[str, MarkedPhoto], least_score: float, placed: PlacedPortrait | None,
    off: list[MarkKey], photo_name: str, action: str, wrinkle_start: tuple | None,
    files: list[str] | None, name: str | None, root: Path | None, language: str,
    event: gr.SelectData,
) -> tuple:  # fmt: skip
    """A click on the photo: switch a mark, delete one, give it another kind, or add one."""
    photo = photos[photo_name]
    point = editor.clicked_point(event.index, photo.pixels, photo.face)
    (sure,) = with_least_score([photo], least_score)
    nearest = editor.nearest_mark(sure.marks, point, photo.face)
    mark = None if nearest is None else sure.marks[nearest]
    if action == "switch":
        if mark is None or placed is None:
            return gr.skip(), gr.skip(), None
        with user_errors(language):
            keys = editor.keys_of_mark(photo, mark, placed)
            return gr.skip(), strip.switch(placed, off, keys, owner(files, name, root)), None
    if action == "delete":
        marks = [other for other in photo.marks if other is not mark]
    elif action == Wrinkle.kind and wrinkle_start is None:
        gr.Info(text(language, "marks.second_click"), title="Realism")
        return gr.skip(), gr.skip(), tuple(point)
    elif action != Wrinkle.kind and mark is not None and not mark.is_traced:
        changed = make_mark(action, mark.xy, mark.radius)
        marks = [changed if other is mark else other for other in photo.marks]
    else:
        marks = [*photo.marks, editor.new_mark(action, point, wrinkle_start, photo.face)]
    with user_errors(language):
        if person := owner(files, name, root):
            person.save_marks(person.marks() | {photo_name: marks}, [photo_name])
    return photos | {photo_name: replace(photo, marks=marks)}, gr.skip(), None


def on_portrait_click(
    placed: PlacedPortrait | None, off: list[MarkKey], action: str, picked_up: tuple | None,
    moves: dict, files: list[str] | None, name: str | None, root: Path | None, language: str,
    event: gr.SelectData,
) -> tuple:  # fmt: skip
    """A click on the portrait: switch a mark off or on, pick one up, or set it down.

    Parameters
    ----------
    picked_up : (MarkKey, (x, y)) or None
        The mark, and `editor.grip_offset` of it.
    moves : dict
        (digest of the portrait, *MarkKey) -> (x, y) px, where marks were moved to.
    """
    if placed is None:
        return gr.skip(), None, gr.skip()
    point = editor.clicked_point(event.index, placed.portrait.pixels, placed.face)
    if action == "move" and picked_up is not None:
        key, offset = picked_up
        return gr.skip(), None, moves | {(placed.digest, *key): tuple((point + offset).tolist())}
    visible = editor.visible_placements(placed)
    nearest = editor.nearest_mark([*map(editor.placed_mark, visible)], point, placed.face)
    if nearest is None:
        return gr.skip(), None, gr.skip()
    placement = visible[nearest]
    key = mark_key(placement.photo, placement.mark)
    if action == "move":
        gr.Info(text(language, "marks.set_down"), title="Realism")
        return gr.skip(), (key, editor.grip_offset(placement, point)), gr.skip()
    with user_errors(language):
        return strip.switch(placed, off, [key], owner(files, name, root)), None, gr.skip()


def on_stop(language: str) -> tuple[str, None]:
    """What the person reads after a stop; photos that were being opened are not."""
    return paragraph(text(language, "marks.stopped")), None


def on_failure() -> str:
    """Nothing goes on any more."""
    return ""


# What handlers share --------------------------------------------------------------------------


def progress_of(event: PhotoOpened | PhotoSearched, language: str) -> str:
    """What the person reads while marks are looked for."""
    key = "marks.opening" if isinstance(event, PhotoOpened) else "marks.finding"
    message = paragraph(text(language, key, number=event.number, of=event.of))
    return draw.progress_bar(event.number / event.of) + message


def found_marks(photos: list[MarkedPhoto], language: str) -> tuple:
    """Photos by name, which of them to show, all of them small, and what comes next."""
    richest = max(photos, key=lambda photo: sum(mark.score for mark in photo.marks))
    by_name = {photo.name: photo for photo in photos}
    placing = draw.progress_bar(1) + paragraph(text(language, "marks.placing"))
    return by_name, richest.name, thumbnails(by_name), placing


def thumbnails(photos: dict[str, MarkedPhoto]) -> list[np.ndarray]:
    """The photos for the gallery, in their order."""
    return [draw.thumbnail(photo.pixels, photo.face) for photo in photos.values()]


def _marker(css_class: str) -> str:
    """What the style sheet shows the tab by; seen by nobody."""
    return f'<i class="{css_class}" hidden></i>'


def _placed_message(placed: PlacedPortrait, language: str) -> str:
    seen, photos = len(editor.visible_placements(placed)), len(placed.photos)
    of = len(placed.placements)
    said = [text(language, "marks.placed_count", seen=seen, of=of, photos=photos)]
    said += [sentence(note, language) for note in placed.notes]
    return "".join(map(paragraph, said))
