"""The example people, finished: all four steps done by this program, to be opened at once.

`build_example` does the steps on the photos of a made-up person and keeps what came of them in
`assets/finished`: a person's folder without what can be had from elsewhere. The pictures of the
photos are made of `assets/people` again, and of the LoRA the best alone is kept. `open_example`
copies that into the home as a whole person, with whom every step can go on.
"""

import datetime
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from realism.config import ASSETS, home
from realism.diffusion.base import Base
from realism.diffusion.lora import halve_lora
from realism.disk import whole_folder
from realism.errors import InputError
from realism.faces.engine import Engine
from realism.images import open_photo, save_png
from realism.marks.find.finders import DEFAULT_FINDER
from realism.person.names import person_folder
from realism.person.person import Person, create_person, open_person
from realism.workflow.finetune import FinetuneEvent, FinetuneOptions, finetune
from realism.workflow.marks import (
    LEAST_SCORE,
    PhotoOpened,
    PhotoSearched,
    build_passport,
    find_marks_of_person,
    with_least_score,
)
from realism.workflow.photos import PhotoChecked, SetChecked, add_photos
from realism.workflow.portraits import (
    PortraitEvent,
    PortraitRequest,
    make_portraits,
    rank_run,
)
from realism.workflow.restore import PortraitRestored, PortraitSkipped, restore_portraits

CLASS_WORDS = {"mei": "woman", "ravi": "man"}
FINISHED = ASSETS / "finished"
# When all of it was made, as its files say: the same whenever it is built. An even second, which
# every file system can keep: a ranking holds while the portraits are as old as it says.
MADE_AT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
SEED = 1  # of the first portrait
RESTORED = 6  # of the best portraits


ExampleEvent = (
    PhotoChecked
    | SetChecked
    | FinetuneEvent
    | PortraitEvent
    | PhotoOpened
    | PhotoSearched
    | PortraitRestored
    | PortraitSkipped
)


def example_photos(name: str) -> list[Path]:
    """The photos of an example person: the good ones, two faulty ones, one with somebody else.

    Raises InputError where there is no such example.
    """
    if name not in CLASS_WORDS:
        raise InputError("example_not_found", example=name, choices=tuple(CLASS_WORDS))
    folder = ASSETS / "people" / name
    return [
        *sorted(folder.glob("*.jpg")),
        *sorted(folder.glob("faulty/*.jpg")),
        folder.parent / "mei-and-ravi.jpg",
    ]


def open_example(name: str, root: Path | None = None) -> Person:
    """A finished example person, copied into the home, whole or not at all.

    Parameters
    ----------
    name : str
        "mei" or "ravi". Whoever has this name there already is opened as they are.
    root : Path, optional
        Folder of all people; None: `config.home()`.

    Raises
    ------
    InputError
        No such example, something else has its place, or the disk is full.
    """
    photos, finished = example_photos(name), FINISHED / name
    if not (finished / "person.json").exists():
        raise InputError("example_not_found", example=name, choices=tuple(CLASS_WORDS))
    folder = person_folder(root or home(), name)
    if not (folder / "person.json").exists():
        if folder.exists() or folder.is_symlink():
            raise InputError("example_in_the_way", folder=folder)
        with whole_folder(folder) as copy:
            _copy(finished, copy)
            _complete(replace(open_person(name, FINISHED), folder=copy), photos)
    return open_person(name, root)


def build_example(
    name: str,
    base: Base,
    engine: Engine,
    into: Path = FINISHED,
    options: FinetuneOptions | None = None,
    request: PortraitRequest | None = None,
) -> Generator[ExampleEvent, None, Path]:
    """Do all four steps on an example person, and keep what `open_example` copies.

    The same machine builds the same files. An earlier one is replaced when all is done.

    Parameters
    ----------
    name : str
        "mei" or "ravi".
    base : Base
        The base that ships with the program, for what ships with the program.
    engine : Engine
        Likewise the embedded one.
    into : Path
        The folder of all finished examples.
    options : FinetuneOptions, optional
        Of the fine-tune; None: both stages as they suit the base.
    request : PortraitRequest, optional
        Portraits to make; None: twenty of the first style.

    Yields
    ------
    The events of each step

    Returns
    -------
    Path
        The example's folder.

    Raises
    ------
    InputError
        No such example, or the disk is full.
    """
    photos = example_photos(name)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        person = create_person(name.capitalize(), True, CLASS_WORDS[name], root, MADE_AT)
        yield from add_photos(person, photos, engine)
        yield from finetune(person, base, engine, replace(options or FinetuneOptions(), root=root))
        run = person.new_run(MADE_AT)
        _keep_best_lora(person, base)
        request = replace(request or PortraitRequest(seed=SEED), run=run)
        yield from make_portraits(person, base, engine, request)
        _set_time(person)
        ranked = rank_run(person, run, engine)
        found = yield from find_marks_of_person(person, engine, threshold=LEAST_SCORE)
        sure = with_least_score(found, DEFAULT_FINDER.threshold)
        build_passport(sure, person)
        best = [run / row.name for row in ranked if row.similarity is not None][:RESTORED]
        yield from restore_portraits(best, sure, engine, run / "restored")
        _halve_previews(person, base)
        _leave_pictures_out(person, photos)
        return _put_in_place(person.folder, Path(into) / name)


# What is left out, and put back ------------------------------------------------------------------


def _keep_best_lora(person: Person, base: Base) -> None:
    """Let the LoRA nearest to the held-out photo be the only one, in float16: each is megabytes."""
    best = person.adapter(base.name)
    assert best is not None
    if best.name == "best":
        shutil.rmtree(best.with_name("last"))
    else:
        best = best.rename(best.with_name("best"))
    halve_lora(best)


def _halve_previews(person: Person, base: Base) -> None:
    """Keep the fine-tune's previews at half their size: as large as they are shown."""
    for file in (person.adapter_folder(base.name) / "previews").glob("*.png"):
        pixels = open_photo(file).pixels
        half = (pixels.shape[1] // 2, pixels.shape[0] // 2)
        save_png(file, cv2.resize(pixels, half, interpolation=cv2.INTER_AREA))


def _leave_pictures_out(person: Person, photos: list[Path]) -> None:
    """Delete the pictures of a person's photos, which lie in `assets/people` as well."""
    files = {file.name: file for file in photos}
    for record in person.records():
        assert record.path is not None
        again = open_photo(files[record.name]).pixels
        if not np.array_equal(again, record.photo().pixels):
            raise ValueError(f"{record.name} was turned on intake, which is not done on opening")
        record.path.unlink()


def _complete(person: Person, photos: list[Path]) -> None:
    """Put back what was left out."""
    person.add_pictures(photos)
    for best in (person.folder / "adapters").glob("*/best"):
        _copy(best, best.with_name("last"))
    _set_time(person)


def _set_time(person: Person) -> None:
    """Let the portraits be as old as their ranking says."""
    seconds = MADE_AT.timestamp()
    for run in person.runs():
        for file in run.glob("*.png"):
            os.utime(file, (seconds, seconds))


def _copy(source: Path, target: Path) -> None:
    """Copy a folder's files, not their permissions: a program may be installed read-only."""
    for file in _files(source):
        out = target / file.relative_to(source)
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, out)


def _put_in_place(folder: Path, target: Path) -> Path:
    """Move a finished folder to where an older one may be; returns `target`."""
    new = target.with_name(f".{target.name}-new")
    shutil.rmtree(new, ignore_errors=True)
    with whole_folder(new) as copy:
        _copy(folder, copy)
        copy.chmod(0o755)  # whoever runs the program reads it
    shutil.rmtree(target, ignore_errors=True)
    return new.replace(target)


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*")) if file.is_file())
