"""Handlers of tab 4, Marks: what is made of the marks found, to keep.

The portrait with its marks, its card, the whole run, the mark passport, a whale-anno project.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path, PurePath

import gradio as gr

from realism.disk import write_json
from realism.draw.passport import draw_passport
from realism.errors import InputError
from realism.faces.engine import load_engine
from realism.filenames import portable_name, portable_names
from realism.images import save_png
from realism.marks.atlas import Atlas, atlas_to_json
from realism.marks.photo import MarkedPhoto
from realism.marks.restore.blend import Sliders
from realism.marks.teach.whale_anno import write_whale
from realism.page import draw
from realism.page.i18n import text
from realism.page.marks import editor
from realism.page.marks.handlers import MOST_PHOTOS, progress_of, thumbnails
from realism.page.marks.stored import kept_result, run_of_portrait
from realism.page.session import (
    chosen_person,
    new_temp_dir,
    owner,
    paragraph,
    sentence,
    user_errors,
    uses_device,
)
from realism.person.person import write_zip
from realism.person.runs import portraits_of
from realism.workflow import run_through, translated
from realism.workflow.marks import (
    LEAST_SCORE,
    build_passport,
    find_marks_of_person,
    flip_photos,
    with_least_score,
)
from realism.workflow.place import MarkKey, PlacedPortrait, RestoreOptions, blend_portrait
from realism.workflow.restore import (
    PortraitRestored,
    PortraitSkipped,
    finish_portrait,
    restore_portrait,
    restore_portraits,
    save_restored,
)


def on_save(
    placed: PlacedPortrait | None, off: list[MarkKey], filled: str | None, opened: str | None,
    portrait: str | None, root: Path | None, language: str, *sliders: float,
) -> str:  # fmt: skip
    """The portrait with its marks as PNG, with what the file said of itself before.

    Parameters
    ----------
    filled : str or None
        Whose kept result is shown.
    opened : str or None
        For whom photos are being opened, since something was changed on it.
    """
    with user_errors(language):
        if placed is None and opened:
            raise InputError("photos_being_opened")
        if placed is None and filled:
            kept = kept_result(chosen_person(filled, root), portrait)
            if kept is not None:
                out = new_temp_dir() / portable_name(f"{kept[0].stem}-marks.png")
                return str(shutil.copyfile(kept[1], out))
        placed = _placed(placed)
        pixels = blend_portrait(placed, Sliders(*sliders), off)
        out = new_temp_dir() / portable_name(f"{Path(placed.portrait.name).stem}-marks.png")
        return str(save_restored(pixels, placed.file, out))


@uses_device
def on_card(
    placed: PlacedPortrait | None, off: list[MarkKey], least_score: float, least_sightings: int,
    method: str, placement: str, filled: str | None, portrait: str | None, root: Path | None,
    language: str, *sliders: float,
) -> str:  # fmt: skip
    """The fidelity card of the portrait as it is now, as PNG."""
    with user_errors(language):
        sliders_now = Sliders(*sliders)
        if placed is None and filled and portrait:  # a kept result: its photos are not open yet
            person = chosen_person(filled, root)
            options = RestoreOptions(
                method, placement, sliders_now, least_sightings, switched=person.switched()
            )
            work = find_marks_of_person(person, load_engine(), None, LEAST_SCORE, MOST_PHOTOS)
            sure = with_least_score(run_through(work), least_score)
            restored = restore_portrait(Path(portrait), sure, load_engine(), options)
        else:
            placed = _placed(placed)
            restored = finish_portrait(placed, load_engine(), sliders_now, off, least_sightings)
        name = Path(restored.placed.portrait.name).stem
        file = new_temp_dir() / portable_name(f"{name}-card.png")
        save_png(file, restored.card())
        return str(file)


@uses_device
def on_whole_run(
    placed: PlacedPortrait | None, photos: dict[str, MarkedPhoto], least_score: float,
    least_sightings: int, off: list[MarkKey], method: str, placement: str, moves: dict,
    filled: str | None, portrait: str | None, name: str | None, root: Path | None, language: str,
    *sliders: float,
) -> Iterator[tuple]:  # fmt: skip
    """Restore the marks on every portrait of the run that this one is from; a zip of them."""
    with user_errors(language):
        person, on = chosen_person(name, root), set()
        if placed is None and filled and portrait:  # a kept result: its photos are not open yet
            run = run_of_portrait(person, Path(portrait))
            work = find_marks_of_person(person, load_engine(), photos, LEAST_SCORE, MOST_PHOTOS)
            found = yield from translated(
                work, lambda event: (progress_of(event, language), gr.skip())
            )
            photos, off = {photo.name: photo for photo in found}, []
        else:
            placed = _placed(placed)
            run = run_of_portrait(person, placed.file)
            # A mark's best view, by which it is named, may be another on another portrait.
            rare = {placed.keys[index] for index in placed.rare(least_sightings)}
            on = rare - set(map(tuple, off))
        options = RestoreOptions(
            method, placement, Sliders(*sliders), least_sightings, off, on,
            switched=person.switched(), moves=moves,
        )  # fmt: skip
        files, skipped = portraits_of(run), []
        yield _run_progress(0, len(files), language), gr.skip()

        def progress(event: PortraitRestored | PortraitSkipped) -> tuple:
            if isinstance(event, PortraitSkipped):
                skipped.append(f"{event.file.name}: {sentence(event.message, language)}")
            return _run_progress(event.number, event.of, language), gr.skip()

        sure = with_least_score(photos.values(), least_score)
        work = restore_portraits(files, sure, load_engine(), run / "restored", options)
        saved = yield from translated(work, progress)
        zip_file = new_temp_dir() / f"{person.folder.name}-{run.name}-marks.zip"
        write_zip(zip_file, saved, run / "restored")
        done = text(language, "marks.every_done", made=len(saved), of=len(files))
        yield "".join(map(paragraph, [done, *skipped])), str(zip_file)


def on_export(photos: dict[str, MarkedPhoto], least_score: float, language: str) -> str:
    """The photos with their marks as a whale-anno project, zipped: to correct, and to train on."""
    with user_errors(language):
        if not photos:
            raise InputError("marks_not_restored")
        folder, images, names = new_temp_dir(), [], portable_names(photos)
        for photo in with_least_score(photos.values(), least_score):
            file = folder / f"{PurePath(names[photo.name]).stem}.png"
            save_png(file, photo.pixels)
            height, width = photo.pixels.shape[:2]
            images.append((file, (width, height), photo.marks))
        write_whale(folder / "marks", "marks", images)
        files = [file for file in sorted((folder / "marks").rglob("*")) if file.is_file()]
        return str(write_zip(folder / "whale-anno.zip", files, folder))


@uses_device
def on_passport(
    photos: dict[str, MarkedPhoto], least_score: float, files: list[str] | None, name: str | None,
    root: Path | None, language: str,
) -> tuple:  # fmt: skip
    """All marks on one head, in how many photos each is seen, and which photo to take next."""
    with user_errors(language):
        if not photos:
            raise InputError("marks_not_restored")
        sure = with_least_score(photos.values(), least_score)
        atlas = build_passport(sure, owner(files, name, root)).atlas
        flip = gr.update(visible=bool(atlas.mirrored))
        return draw_passport(atlas), editor.passport_table(atlas, language), atlas, flip


@uses_device
def on_flip(
    atlas: Atlas, photos: dict[str, MarkedPhoto], files: list[str] | None, name: str | None,
    root: Path | None, language: str,
) -> tuple:  # fmt: skip
    """Flip the photos that seem to be mirrored, now that their owner agrees."""
    with user_errors(language):
        mirrored = [photo_name for photo_name in atlas.mirrored if photo_name in photos]
        photos = photos | flip_photos(mirrored, photos, load_engine(), owner(files, name, root))
        return photos, thumbnails(photos)


def on_passport_file(atlas: Atlas | None, language: str) -> str:
    """The passport as JSON, to keep."""
    with user_errors(language):
        if atlas is None:
            raise InputError("passport_not_made")
        file = new_temp_dir() / "mark-passport.json"
        write_json(file, atlas_to_json(atlas))
        return str(file)


# What is shown --------------------------------------------------------------------------------


def _placed(placed: PlacedPortrait | None) -> PlacedPortrait:
    if placed is None:
        raise InputError("marks_not_restored")
    return placed


def _run_progress(done: int, of: int, language: str) -> str:
    message = text(language, "marks.every_progress", number=min(done + 1, of), of=of)
    return draw.progress_bar(done / of) + paragraph(message)
