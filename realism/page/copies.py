"""Files the page makes and copies for its windows: whose they are, so that they go with the person.

What a handler makes lies in a folder of the person whom its window shows. Gradio's own copies lie
by the hash of what is in them, uploads of all windows beside them.
"""

import hashlib
import shutil
from pathlib import Path

from gradio.context import LocalContext
from gradio.processing_utils import hash_file

from realism.config import page_copies

DRAWN = "image.png"  # what Gradio calls a picture that was handed to it as pixels

_shown: dict[str, Path] = {}  # the folder of the person whom a window shows
_left: set[tuple[str, Path]] = set()  # windows and the folders of people who were deleted in them


def show_in_window(folder: Path | None) -> None:
    """Remember whom the window shows whose event is handled, by their folder; None: nobody."""
    if window := _window():
        _shown.pop(window, None)
        if folder is not None:
            _shown[window] = folder.resolve()


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
    a window asks for one only once. No upload is among them but of what the person's folder holds.
    """
    places, blocks = page_copies(), LocalContext.blocks.get(None)
    uploads = {Path(file) for file in blocks.upload_file_set} if blocks else set()
    same = (places / hash_file(file) for file in folder.rglob("*") if file.is_file())
    drawn = (file for file in places.glob(f"*/{DRAWN}") if file not in uploads)
    return [path for path in (_folder_of(folder.resolve()), *same, *drawn) if path.exists()]


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
