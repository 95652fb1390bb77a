"""Files the page makes and copies for its windows: whose they are, so that they go with the person.

What a handler makes lies in a folder of the person whom its window shows. Gradio's own copies lie
by the hash of what is in them, uploads of all windows beside them.
"""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from gradio.context import LocalContext
from gradio.processing_utils import hash_file

from realism.config import page_copies

DRAWN = "image.png"  # what Gradio calls a picture that was handed to it as pixels

_shown: dict[str, Path] = {}  # the folder of the person whom a window shows
_given: dict[Path, set[Path]] = {}  # uploads to windows that showed a person, by their folder
_left: set[tuple[str, Path]] = set()  # windows and the folders of people who were deleted in them


def show_in_window(folder: Path | None) -> None:
    """Remember whom the window shows whose event is handled, by their folder; None: nobody."""
    if window := _window():
        _shown.pop(window, None)
        if folder is not None:
            _shown[window] = folder.resolve()


def uploads_among(files: Iterable[str | None]) -> list[str]:
    """Those files that the page holds; others are somebody's own, as of the example or a person."""
    return [file for file in files if file and Path(file).is_relative_to(page_copies())]


def give_to_person(files: Iterable[str | None]) -> None:
    """Remember whose uploads to the window whose event is handled are: the person's it shows."""
    person = _shown.get(_window() or "")
    if person is not None:
        _given.setdefault(person, set()).update(map(Path, uploads_among(files)))


def leave_in_window(folder: Path) -> None:
    """Remember that a person was deleted in the window whose event is handled, by their folder."""
    if window := _window():
        _left.add((window, folder.resolve()))


def left_in_window(folder: Path) -> bool:
    """Whether a person was deleted in the window whose event is handled."""
    return (_window() or "", folder.resolve()) in _left


def folder_for_copies() -> Path:
    """Where what is made for this window goes; that of all where it shows nobody. It is made."""
    person = _shown.get(_window() or "")
    folder = page_copies() if person is None else _folder_of(person)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def copies_of(folder: Path) -> list[Path]:
    """Files and folders that are a person's: made for them, copied from their folder, or drawn.

    Of pictures that Gradio was handed as pixels nobody knows whose they were: all are taken, for
    a window asks for one only once. Of uploads those of what the person's folder holds are, and
    those to windows that showed the person.
    """
    places, blocks = page_copies(), LocalContext.blocks.get(None)
    uploads = {Path(file) for file in blocks.upload_file_set} if blocks else set()
    same = (places / hash_file(file) for file in folder.rglob("*") if file.is_file())
    drawn = (file for file in places.glob(f"*/{DRAWN}") if file not in uploads)
    person = folder.resolve()
    own = (_folder_of(person), *_given.get(person, ()))
    return [path for path in (*own, *same, *drawn) if path.exists()]


def delete_copies(paths: list[Path]) -> None:
    """Delete files and folders of `copies_of`."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _window() -> str | None:
    request = LocalContext.request.get(None)
    return request.session_hash if request else None


def _folder_of(person: Path) -> Path:
    return page_copies() / f"of-{hashlib.sha256(str(person).encode()).hexdigest()[:16]}"
