"""A photo of a person as it stands in their folder, in three files of one name.

<photo>.png     the photo as normalised on intake, no metadata
       .json    verdict, reasons with numbers, the owner's choice
       .npz     the face: landmarks, mesh, embedding
"""

import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from realism.checks import Reason, Verdict, reason_from_json, reason_to_json
from realism.disk import read_model, whole_file, write_json
from realism.errors import InputError, Message
from realism.faces.face import Face, Pose
from realism.images import Photo, open_photo

SCHEMA = 1
DAMAGED = "record_damaged"  # code of a photo whose record cannot be read


@dataclass(frozen=True)
class _StoredReason:
    """A reason or note; without `message` in files from before reasons were codes."""

    code: str
    text: str
    value: float | None
    limit: float | None
    message: dict[str, Any] | None = None


@dataclass(frozen=True)
class _StoredPhoto:
    """`photos/<photo>.json`."""

    name: str
    usable: bool
    choice: bool | None
    reasons: list[_StoredReason]
    notes: list[_StoredReason]
    measures: dict[str, float]
    engine: str | None = None


@dataclass(frozen=True)
class PhotoRecord:
    """One photo of a person as it stands in the folder, refused ones included.

    Attributes
    ----------
    name : str
        The file's name as the owner gave it, made unique.
    path : Path or None
        The normalised picture; None where the file could not be read at all.
    verdict : Verdict
        What the check says, with its reasons.
    choice : bool or None
        True or False where the owner decided by hand, None where the check decides.
    """

    name: str
    path: Path | None
    verdict: Verdict
    choice: bool | None

    @property
    def accepted(self) -> bool:
        """Whether this photo is learned from and compared with."""
        return self.verdict.usable if self.choice is None else self.choice

    @property
    def face(self) -> Face:
        """The person's face; no photo is accepted without one."""
        if self.verdict.face is None:
            raise ValueError(f"{self.name} was asked for a face that it has not")
        return self.verdict.face

    def photo(self) -> Photo:
        """The picture itself."""
        if self.path is None:
            raise ValueError(f"{self.name} was asked for a picture that could not be read")
        return Photo(self.name, open_photo(self.path).pixels)


def write_record(file: Path, record: PhotoRecord, engine: str) -> None:
    """Write a photo's verdict and face; its picture is written apart.

    Parameters
    ----------
    file : Path
        The .json file.
    record : PhotoRecord
    engine : str
        Name of the engine that found the face.
    """
    verdict = record.verdict
    if verdict.face:
        _write_face(file.with_suffix(".npz"), verdict.face)
    write_json(
        file,
        {
            "schema": SCHEMA,
            "name": record.name,
            "engine": engine,
            "usable": verdict.usable,
            "choice": record.choice,
            "reasons": [reason_to_json(reason) for reason in verdict.reasons],
            "notes": [reason_to_json(note) for note in verdict.notes],
            "measures": verdict.measures,
        },
    )


def read_record(file: Path) -> PhotoRecord:
    """The photo of a .json file; where that is damaged a refused one that says so."""
    picture = file.with_suffix(".png")
    path = picture if picture.exists() else None
    try:
        stored = read_model(file, _StoredPhoto, "file_verdict")
        face = _read_face(file.with_suffix(".npz"))
    except InputError:
        reason = Reason(DAMAGED, Message(DAMAGED))
        return PhotoRecord(
            file.stem, path, Verdict(file.stem, False, (reason,), (), None, {}), None
        )
    verdict = Verdict(
        stored.name,
        stored.usable,
        tuple(reason_from_json(asdict(reason)) for reason in stored.reasons),
        tuple(reason_from_json(asdict(note)) for note in stored.notes),
        face,
        stored.measures,
    )
    return PhotoRecord(stored.name, path, verdict, stored.choice)


def engine_of_record(file: Path) -> str | None:
    """Name of the engine that found the face; None in files from before it was kept."""
    return read_model(file, _StoredPhoto, "file_verdict").engine


def _write_face(path: Path, face: Face) -> None:
    with whole_file(path) as temporary, temporary.open("wb") as out:
        np.savez_compressed(
            out,
            box=face.box,
            landmarks=face.landmarks,
            mesh=face.mesh,
            pose=np.array([face.pose.yaw, face.pose.pitch, face.pose.roll]),
            embedding=face.embedding,
            score=face.score,
        )


def _read_face(path: Path) -> Face | None:
    if not path.exists():
        return None
    try:
        with path.open("rb") as file, np.load(file) as stored:
            yaw, pitch, roll = map(float, stored["pose"])
            return Face(
                stored["box"],
                stored["landmarks"],
                stored["mesh"],
                Pose(yaw, pitch, roll),
                stored["embedding"],
                float(stored["score"]),
            )
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(DAMAGED) from error
