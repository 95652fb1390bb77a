"""The marks in a person's folder: those found, the owner's corrections, and the passport.

marks/found.json                 marks by photo, and which photos the owner corrected
      switched.json              marks that the owner switched off, or on though seen seldom
      passport.json              the mark passport as last made
      passport-<version>.json    those before
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realism.disk import read_json, read_model, write_json
from realism.errors import InputError
from realism.marks.atlas import Atlas, atlas_from_json, atlas_to_json
from realism.marks.mark import Mark, SeenMark, mark_from_json, mark_to_json
from realism.marks.switched import Switched, mark_id
from realism.person.folder import PersonFolder

SCHEMA = 1


@dataclass(frozen=True)
class _FoundMarks:
    """`found.json`; `corrected` is None in files from before corrections were told apart."""

    photos: dict[str, list[dict[str, Any]]]
    corrected: list[str] | None = None


@dataclass(frozen=True)
class _SeenMark:
    """An appearance of a mark in a photo."""

    photo: str
    mark: dict[str, Any]


@dataclass(frozen=True)
class _SwitchedMarks:
    """`switched.json`."""

    schema: int
    off: list[_SeenMark]
    on: list[_SeenMark]


@dataclass(frozen=True)
class _Versioned:
    """What is needed of a passport to name the next."""

    version: int


class MarksFolder(PersonFolder):
    """What is known of a person's marks."""

    def marks(self) -> dict[str, list[Mark]]:
        """Marks by photo, as found and as corrected by the owner; {} before the first search."""
        found = self._found()
        if found is None:
            return {}
        return {name: list(map(mark_from_json, marks)) for name, marks in found.photos.items()}

    def reviewed(self, names: Iterable[str]) -> set[str]:
        """Of these photos, those whose marks stay as they are when marks are looked for.

        All, where each was looked at; else only what the owner corrected: a new photo says more
        of the others, too.
        """
        names, known = set(names), self.marks()
        return names if names <= set(known) else names & self._corrected()

    def save_marks(
        self, marks: Mapping[str, Iterable[Mark]], corrected: Collection[str] = ()
    ) -> None:
        """Keep marks by photo; of these photos the owner has `corrected` them."""
        found = {name: list(map(mark_to_json, of_photo)) for name, of_photo in marks.items()}
        kept = sorted((self._corrected() | set(corrected)) & set(found))
        write_json(self._found_file, {"schema": SCHEMA, "photos": found, "corrected": kept})

    def switched(self) -> Switched:
        """What the owner switched by hand; nothing in folders from before that was kept.

        Raises InputError where a newer program wrote it, or it was damaged.
        """
        if not self._switched_file.exists():
            return Switched()
        stored = read_model(self._switched_file, _SwitchedMarks, "file_switched_marks")
        if stored.schema > SCHEMA:
            raise InputError("switched_of_newer_program")
        off, on = (
            tuple((seen.photo, mark_from_json(seen.mark)) for seen in known)
            for known in (stored.off, stored.on)
        )
        return Switched(off, on)

    def save_switched(self, switched: Switched) -> None:
        """Keep what the owner switched by hand."""
        off, on = (
            [{"photo": photo, "mark": mark_to_json(mark)} for photo, mark in known]
            for known in (switched.off, switched.on)
        )
        write_json(self._switched_file, {"schema": SCHEMA, "off": off, "on": on})

    def find_mark(self, name: str) -> SeenMark:
        """The mark of that id in one of the photos; raises InputError where there is none."""
        for photo, marks in self.marks().items():
            for mark in marks:
                if mark_id(photo, mark) == name:
                    return photo, mark
        raise InputError("mark_not_found", id=name)

    def passport(self) -> Atlas | None:
        """The mark passport as last made or edited; None before the first."""
        if not self._passport_file.exists():
            return None
        return atlas_from_json(read_json(self._passport_file, "file_passport"))

    def save_passport(self, atlas: Atlas) -> int:
        """Keep a passport, the last one beside it under its version; returns the new version."""
        file, version = self._passport_file, 1
        if file.exists():
            last = read_model(file, _Versioned, "file_passport").version
            write_json(file.with_name(f"passport-{last}.json"), read_json(file, "file_passport"))
            version = last + 1
        write_json(file, atlas_to_json(atlas, version))
        return version

    @property
    def _found_file(self) -> Path:
        return self.folder / "marks" / "found.json"

    @property
    def _switched_file(self) -> Path:
        return self.folder / "marks" / "switched.json"

    @property
    def _passport_file(self) -> Path:
        return self.folder / "marks" / "passport.json"

    def _found(self) -> _FoundMarks | None:
        if not self._found_file.exists():
            return None
        return read_model(self._found_file, _FoundMarks, "file_found_marks")

    def _corrected(self) -> set[str]:
        """Photos whose marks the owner corrected; all, where that was not kept yet."""
        found = self._found()
        if found is None:
            return set()
        return set(found.photos if found.corrected is None else found.corrected)
