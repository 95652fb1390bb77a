"""The photos in a person's folder: what goes in is listed, judged and kept.

photos/                three files a photo, see `photo_record.py`
similarity.json        each accepted photo against the best of the others
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Interval

from realism.checks import (
    SET_CODES,
    Reason,
    Verdict,
    check_photo,
    check_set,
    find_upright,
    photo_to_photo,
)
from realism.disk import printable_name, read_model, write_json
from realism.errors import InputError
from realism.faces.engine import Engine
from realism.images import TOO_LARGE, Photo, open_photo, save_png
from realism.person.folder import PersonFolder
from realism.person.names import file_stem
from realism.person.photo_record import (
    DAMAGED,
    PhotoRecord,
    engine_of_record,
    read_record,
    write_record,
)

SCHEMA = 1


@dataclass(frozen=True)
class _StoredScale:
    """`similarity.json`."""

    photos: dict[str, Annotated[float, Interval(ge=-1.01, le=1.01)]]  # cosines, rounded


class PhotosFolder(PersonFolder):
    """A person's photos."""

    def add_photos(self, files: Iterable[Path], engine: Engine) -> Iterator[PhotoRecord]:
        """Take files in, one by one, then judge the set as a whole.

        Yields a PhotoRecord as soon as each file is judged alone; `records()` afterwards also
        knows what only the set shows (near-duplicates, another person). A file that cannot be
        read is listed with its reason, too. A file that was taken in before is not taken in
        again: whoever was stopped on the way gives all of them anew.
        """
        files = [Path(file) for file in files]
        if not files:
            raise InputError("no_photos_given")
        for file in files:
            yield self._take_in(file, engine)
        self.judge_set(engine)

    def add_pictures(self, files: Iterable[Path]) -> None:
        """Put the pictures beside records that came without them.

        Parameters
        ----------
        files : iterable of Path
            What the records were made of; which belongs to which, the names say.
        """
        for file in files:
            save_png(self._path(printable_name(file), ".png"), open_photo(file).pixels)

    def records(self) -> list[PhotoRecord]:
        """All photos, refused ones included, by name."""
        return [read_record(file) for file in sorted(self._photos.glob("[!.]*.json"))]

    def record(self, name: str) -> PhotoRecord:
        """The photo of that name; raises InputError where there is none."""
        for record in self.records():
            if record.name == name:
                return record
        raise InputError("photo_not_found", person=self.name, name=name)

    def photo_to_photo(self) -> dict[str, float]:
        """Each accepted photo's cosine with the best of the others, by name."""
        file = self.folder / "similarity.json"
        try:
            return read_model(file, _StoredScale, "file_similarity").photos if file.exists() else {}
        except InputError:  # damaged: it holds nothing that the photos do not give
            return self._scale()

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

    def meet_engine(self, engine: Engine) -> None:
        """Have the faces found by this engine where another found them: cosines must compare."""
        records = [record for record in self.records() if record.path]
        found_by = {
            engine_of_record(self._path(record.name, ".json"))
            for record in records
            if not any(reason.code == DAMAGED for reason in record.verdict.reasons)
        }
        if found_by - {None, engine.name}:
            self.judge_set(engine)

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
        given, there = printable_name(file), {record.name: record for record in self.records()}
        name = self._free_name(given)
        try:
            pixels = open_photo(file, given).pixels
        except InputError as error:
            if given in there and there[given].path is None:
                return there[given]
            code = "too_large" if error.code in TOO_LARGE else "unreadable"
            verdict = Verdict(name, False, (Reason(code, error.message),), (), None, {})
            return self._write(PhotoRecord(name, None, verdict, None), engine)
        for taken in itertools.takewhile(lambda taken: taken != name, _numbered(given)):
            if _is_of(there[taken], pixels):
                return there[taken]
        photo, faces, turned = find_upright(Photo(name, pixels), engine)
        verdict = check_photo(photo, engine, faces)
        verdict = replace(verdict, notes=(*turned, *verdict.notes))
        path = self._path(name, ".png")
        try:
            save_png(path, photo.pixels)
            return self._write(PhotoRecord(name, path, verdict, None), engine)
        except InputError:  # the disk is full: no picture stays that no record names
            for suffix in (".png", ".npz"):
                self._path(name, suffix).unlink(missing_ok=True)
            raise

    def _delete_photo(self, name: str) -> None:
        stem = self._photos / name  # of a damaged record, which is listed under its file's name
        for suffix in (".png", ".npz", ".json"):
            self._path(name, suffix).unlink(missing_ok=True)
            if stem.parent == self._photos:
                stem.with_name(name + suffix).unlink(missing_ok=True)

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
        if any(reason.code == DAMAGED for reason in record.verdict.reasons):
            return self._judge_anew(record, engine)
        found_by = engine_of_record(file)
        if record.path is None or found_by == engine.name:
            return record
        verdict = check_photo(record.photo(), engine)
        turned = [note for note in record.verdict.notes if note.code == "turned_upright"]
        verdict = replace(verdict, notes=(*turned, *verdict.notes))
        return self._write(replace(record, verdict=verdict), engine)

    def _judge_anew(self, record: PhotoRecord, engine: Engine) -> PhotoRecord:
        """A photo whose record is damaged, judged by its picture; as it is without one."""
        if record.path is None:
            return record
        stem = record.path.with_suffix("")
        photo = Photo(self._free_name(record.path.name), record.photo().pixels)
        path = self._path(photo.name, ".png")
        save_png(path, photo.pixels)
        verdict = check_photo(photo, engine)
        judged = self._write(PhotoRecord(photo.name, path, verdict, None), engine)
        for suffix in (".png", ".npz", ".json"):
            stem.with_suffix(suffix).unlink(missing_ok=True)
        return judged

    # On disk -----------------------------------------------------------------------------

    @property
    def _photos(self) -> Path:
        return self.folder / "photos"

    def _path(self, name: str, suffix: str) -> Path:
        # Photos keep their given name in the verdict; the file's name is safe anywhere.
        return self._photos / (file_stem(name) + suffix)

    def _free_name(self, name: str) -> str:
        taken = {record.name for record in self.records()}
        return next(name for name in _numbered(name) if name not in taken)

    def _write(self, record: PhotoRecord, engine: Engine) -> PhotoRecord:
        write_record(self._path(record.name, ".json"), record, engine.name)
        return record

    def _write_scale(self, engine: Engine) -> None:
        write_json(
            self.folder / "similarity.json",
            {"schema": SCHEMA, "engine": engine.name, "photos": self._scale()},
        )

    def _scale(self) -> dict[str, float]:
        accepted = [record for record in self.records() if record.accepted]
        scale = photo_to_photo([record.face.embedding for record in accepted])
        return {record.name: round(value, 4) for record, value in zip(accepted, scale, strict=True)}


def _without_set(verdict: Verdict) -> Verdict:
    """The verdict of the photo alone, without what an earlier look at the set said."""
    reasons = tuple(reason for reason in verdict.reasons if reason.code not in SET_CODES)
    notes = tuple(note for note in verdict.notes if note.code not in SET_CODES)
    return replace(verdict, usable=not reasons, reasons=reasons, notes=notes)


def _numbered(name: str) -> Iterator[str]:
    """A photo's name, then those that it has where that one is taken: a.jpg, a-2.jpg, ..."""
    stem, dot, suffix = name.rpartition(".")
    stem, suffix = (stem, dot + suffix) if dot else (name, "")
    return itertools.chain([name], (f"{stem}-{number}{suffix}" for number in itertools.count(2)))


def _is_of(record: PhotoRecord, pixels: np.ndarray) -> bool:
    """Whether a record is of this picture, which may have been turned upright for it."""
    if record.path is None:
        return False
    try:
        kept = record.photo().pixels
    except InputError:  # damaged: it is taken in under another name
        return False
    return any(np.array_equal(kept, np.rot90(pixels, quarter)) for quarter in range(4))
