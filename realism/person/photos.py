"""The photos in a person's folder: what goes in is listed, judged and kept.

photos/<photo>.png     the photo as normalised on intake, no metadata
       <photo>.json    verdict, reasons with numbers, the owner's choice
       <photo>.npz     the face: landmarks, mesh, embedding
similarity.json        each accepted photo against the best of the others
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from realism.checks import (
    SET_CODES,
    Reason,
    Verdict,
    check_photo,
    check_set,
    find_upright,
    photo_to_photo,
    reason_from_json,
    reason_to_json,
)
from realism.disk import read_model, whole_file, write_json
from realism.errors import InputError
from realism.faces.engine import Engine
from realism.faces.face import Face, Pose
from realism.images import TOO_LARGE, Photo, open_photo, save_png
from realism.person.folder import PersonFolder
from realism.person.names import file_stem

SCHEMA = 1


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
class _StoredScale:
    """`similarity.json`."""

    photos: dict[str, float]


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


class PhotosFolder(PersonFolder):
    """A person's photos."""

    def add_photos(self, files: Iterable[Path], engine: Engine) -> Iterator[PhotoRecord]:
        """Take files in, one by one, then judge the set as a whole.

        Yields a PhotoRecord as soon as each file is judged alone; `records()` afterwards also
        knows what only the set shows (near-duplicates, another person). A file that cannot be
        read is listed with its reason, too.
        """
        files = [Path(file) for file in files]
        if not files:
            raise InputError("no_photos_given")
        for file in files:
            yield self._take_in(file, engine)
        self.judge_set(engine)

    def records(self) -> list[PhotoRecord]:
        """All photos, refused ones included, by name."""
        return [self._read(file) for file in sorted(self._photos.glob("*.json"))]

    def record(self, name: str) -> PhotoRecord:
        """The photo of that name; raises InputError where there is none."""
        for record in self.records():
            if record.name == name:
                return record
        raise InputError("photo_not_found", person=self.name, name=name)

    def photo_to_photo(self) -> dict[str, float]:
        """Each accepted photo's cosine with the best of the others, by name."""
        file = self.folder / "similarity.json"
        return read_model(file, _StoredScale, "file_similarity").photos if file.exists() else {}

    def judge_set(self, engine: Engine) -> None:
        """Judge all photos against each other again, and write the photo-to-photo scale."""
        records = [self._with_face_of(record, engine) for record in self.records()]
        shown = [record for record in records if record.path and record.verdict.face]
        verdicts = check_set(
            [record.photo() for record in shown],
            [_without_set(record.verdict) for record in shown],
            engine,
        )
        for record, verdict in zip(shown, verdicts, strict=True):
            self._write(replace(record, verdict=verdict), engine)
        self._write_scale(engine)

    def choose(self, name: str, accepted: bool | None, engine: Engine) -> PhotoRecord:
        """Accept or refuse a photo by hand; None lets the check decide again."""
        record = self.record(name)
        if accepted and record.verdict.face is None:
            raise InputError(
                "photo_without_face",
                name=name,
                reasons=[reason.message for reason in record.verdict.reasons],
            )
        record = self._write(replace(record, choice=accepted), engine)
        self._write_scale(engine)
        return record

    def _take_in(self, file: Path, engine: Engine) -> PhotoRecord:
        name = self._free_name(file.name)
        try:
            photo = Photo(name, open_photo(file).pixels)
        except InputError as error:
            code = "too_large" if error.code in TOO_LARGE else "unreadable"
            verdict = Verdict(name, False, (Reason(code, error.message),), (), None, {})
            return self._write(PhotoRecord(name, None, verdict, None), engine)
        photo, faces, turned = find_upright(photo, engine)
        verdict = check_photo(photo, engine, faces)
        verdict = replace(verdict, notes=(*turned, *verdict.notes))
        path = self._path(name, ".png")
        save_png(path, photo.pixels)
        return self._write(PhotoRecord(name, path, verdict, None), engine)

    def _delete_photo(self, name: str) -> None:
        for suffix in (".png", ".npz", ".json"):
            self._path(name, suffix).unlink(missing_ok=True)

    def _flip_photo(self, name: str, engine: Engine) -> int:
        """Flip a photo and judge it alone; returns its width, px."""
        record = self.record(name)
        if record.path is None:
            raise InputError("unreadable_not_flipped", name=name)
        pixels = np.ascontiguousarray(record.photo().pixels[:, ::-1])
        verdict = check_photo(Photo(name, pixels), engine)
        if verdict.face is None:
            raise InputError("faceless_not_flipped", name=name)
        save_png(record.path, pixels)
        self._write(replace(record, verdict=verdict), engine)
        return pixels.shape[1]

    def _with_face_of(self, record: PhotoRecord, engine: Engine) -> PhotoRecord:
        """The record, its face found anew where another engine found it: cosines must compare."""
        file = self._path(record.name, ".json")
        found_by = read_model(file, _StoredPhoto, "file_verdict").engine
        if record.path is None or found_by == engine.name:
            return record
        verdict = check_photo(record.photo(), engine)
        turned = [note for note in record.verdict.notes if note.code == "turned_upright"]
        verdict = replace(verdict, notes=(*turned, *verdict.notes))
        return self._write(replace(record, verdict=verdict), engine)

    # On disk -----------------------------------------------------------------------------

    @property
    def _photos(self) -> Path:
        return self.folder / "photos"

    def _path(self, name: str, suffix: str) -> Path:
        # Photos keep their given name in the verdict; the file's name is safe anywhere.
        return self._photos / (file_stem(name) + suffix)

    def _free_name(self, name: str) -> str:
        taken = {record.name for record in self.records()}
        stem, dot, suffix = name.rpartition(".")
        stem, suffix = (stem, dot + suffix) if dot else (name, "")
        numbered = (f"{stem}-{number}{suffix}" for number in itertools.count(2))
        return next(name for name in itertools.chain([name], numbered) if name not in taken)

    def _write(self, record: PhotoRecord, engine: Engine) -> PhotoRecord:
        verdict = record.verdict
        if verdict.face:
            _write_face(self._path(record.name, ".npz"), verdict.face)
        write_json(
            self._path(record.name, ".json"),
            {
                "schema": SCHEMA,
                "name": record.name,
                "engine": engine.name,
                "usable": verdict.usable,
                "choice": record.choice,
                "reasons": [reason_to_json(reason) for reason in verdict.reasons],
                "notes": [reason_to_json(note) for note in verdict.notes],
                "measures": verdict.measures,
            },
        )
        return record

    def _read(self, file: Path) -> PhotoRecord:
        stored = read_model(file, _StoredPhoto, "file_verdict")
        picture, face = file.with_suffix(".png"), file.with_suffix(".npz")
        verdict = Verdict(
            stored.name,
            stored.usable,
            tuple(reason_from_json(asdict(reason)) for reason in stored.reasons),
            tuple(reason_from_json(asdict(note)) for note in stored.notes),
            _read_face(face) if face.exists() else None,
            stored.measures,
        )
        path = picture if picture.exists() else None
        return PhotoRecord(stored.name, path, verdict, stored.choice)

    def _write_scale(self, engine: Engine) -> None:
        accepted = [record for record in self.records() if record.accepted]
        scale = photo_to_photo([record.face.embedding for record in accepted])
        photos = {
            record.name: round(value, 4) for record, value in zip(accepted, scale, strict=True)
        }
        write_json(
            self.folder / "similarity.json",
            {"schema": SCHEMA, "engine": engine.name, "photos": photos},
        )


def _without_set(verdict: Verdict) -> Verdict:
    """The verdict of the photo alone, without what an earlier look at the set said."""
    reasons = tuple(reason for reason in verdict.reasons if reason.code not in SET_CODES)
    notes = tuple(note for note in verdict.notes if note.code not in SET_CODES)
    return replace(verdict, usable=not reasons, reasons=reasons, notes=notes)


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


def _read_face(path: Path) -> Face:
    with np.load(path) as stored:
        yaw, pitch, roll = map(float, stored["pose"])
        return Face(
            stored["box"],
            stored["landmarks"],
            stored["mesh"],
            Pose(yaw, pitch, roll),
            stored["embedding"],
            float(stored["score"]),
        )
