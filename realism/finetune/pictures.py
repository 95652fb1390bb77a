"""A folder of faces to what stage 1 sees: its pictures, their captions, their crops."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from realism.errors import InputError, Message
from realism.faces.engine import Engine, primary_face
from realism.finetune.crops import TrainingCrop, crop_photo
from realism.images import SUFFIXES, open_photo

CAPTION_SUFFIXES = (".txt", ".caption")  # beside a picture: kohya's sd-scripts


@dataclass(frozen=True)
class PictureSkipped:
    """A picture of a folder of faces that cannot be learned from, with the reason."""

    name: str
    reason: Message


def list_pictures(folder: Path) -> list[tuple[Path, str]]:
    """The pictures of a folder and their captions, by name.

    Captions come from metadata.jsonl ("file_name", "text") where the folder has one, else from a
    text file beside the picture that is named like it (kohya's layout); "" where there is none.

    Raises
    ------
    InputError
        Where there is no such folder, or no picture in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError("faces_folder_not_found", folder=folder)
    captions = _read_captions(folder / "metadata.jsonl")
    files = sorted(file for file in folder.rglob("[!.]*") if file.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError("faces_folder_empty", folder=folder)
    return [
        (file, captions.get(file.relative_to(folder).as_posix()) or _caption_beside(file))
        for file in files
    ]


def _caption_beside(picture: Path) -> str:
    """The text of `a.txt` beside `a.jpg`, on one line; "" where there is none."""
    for suffix in CAPTION_SUFFIXES:
        file = picture.with_suffix(suffix)
        if file.is_file():
            try:
                return " ".join(file.read_text("utf-8-sig").split())
            except (OSError, UnicodeDecodeError) as error:
                raise InputError("caption_not_readable", file=file) from error
    return ""


def _read_captions(metadata: Path) -> dict[str, str]:
    if not metadata.exists():
        return {}
    try:
        lines = metadata.read_text("utf-8").splitlines()
        rows = [json.loads(line) for line in lines if line.strip()]
        return {str(row["file_name"]): str(row.get("text", "")) for row in rows}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("captions_not_readable", file=metadata) from error


def folder_digest(folder: Path) -> str:
    """A name for a set of pictures and their captions: the same pictures give the same name."""
    digest = sha256()
    for file, caption in list_pictures(folder):
        digest.update(f"{file.relative_to(folder).as_posix()}\n{caption}\n".encode())
        digest.update(sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def crop_folder(
    folder: Path,
    engine: Engine,
    resolution: int,
    subject: str = "a person",
    aligned: bool = False,
) -> Iterator[TrainingCrop | PictureSkipped]:
    """The crops of a folder of faces, picture by picture; those that do not serve are reported."""
    for file, caption in list_pictures(folder):
        try:
            photo = open_photo(file)
            face = primary_face(engine.find(photo.pixels))
        except InputError as reason:
            yield PictureSkipped(file.name, reason.message)
            continue
        yield from crop_photo(photo, face, subject, resolution, caption, aligned=aligned)
