"""A person's folder on disk; this room alone knows the names in it.

    people/<slug>/person.json                  name, class word, consent, schema version
                  photos/, similarity.json     `photos.py`
                  adapters/, portraits/        `runs.py`
                  marks/                       `marks.py`

Photos and embeddings are personal data: they stay in this folder and go with it.
"""

import datetime
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from realism.config import home
from realism.disk import delete_folder, read_json, validate, whole_file, whole_folder, write_json
from realism.errors import InputError, Message
from realism.faces.engine import Engine
from realism.marks.mark import flipped
from realism.person.marks import MarksFolder
from realism.person.names import person_folder
from realism.person.photo_record import PhotoRecord
from realism.person.photos import PhotosFolder
from realism.person.runs import Embeddings, RunsFolder, kept_ranking, portraits_of, rank_portraits
from realism.portraits.rank import Ranked

TRIGGER = "ohwx"  # rare word that comes to mean the person; one SD token pair
CLASS_WORDS = ("person", "woman", "man")
SCHEMA = 1


@dataclass(frozen=True)
class _Versioned:
    """What tells whether this program can read the rest."""

    schema: int = 0


@dataclass(frozen=True)
class _StoredPerson:
    """`person.json`; who edits it by hand may leave the class word out."""

    name: str
    consent: str
    noun: str = CLASS_WORDS[0]


@dataclass(frozen=True)
class Person(PhotosFolder, RunsFolder, MarksFolder):
    """A person whose folder exists: photos, LoRAs, portraits and marks.

    Attributes
    ----------
    folder : Path
        `people/<slug>`.
    name : str
        As the owner wrote it.
    class_word : {"person", "woman", "man"}
        Stands beside the trigger in captions.
    consent : str
        When the consent of the person shown was confirmed, ISO 8601.
    """

    class_word: str
    consent: str

    @property
    def subject(self) -> str:
        """The person in captions and prompts: the trigger word and the class word."""
        return f"{TRIGGER} {self.class_word}"

    def accepted(self) -> list[PhotoRecord]:
        """The photos to learn from; raises InputError with what to do when there are none."""
        records = self.records()
        accepted = [record for record in records if record.accepted]
        if accepted:
            return accepted
        if not records:
            raise InputError("person_without_photos", person=self.name)
        first = (record.verdict.reasons[0].message for record in records if record.verdict.reasons)
        raise InputError(
            "every_photo_refused",
            photos=len(records),
            name=self.name,
            reasons=list(dict.fromkeys(first))[:3],
        )

    def remove_photo(self, name: str, engine: Engine) -> None:
        """Delete one photo and all that was derived from it alone."""
        self.record(name)
        self._delete_photo(name)
        marks = self.marks()
        if marks.pop(name, None) is not None:
            self.save_marks(marks)
        if switched := self.switched():
            self.save_switched(switched.without_photo(name))
        self.judge_set(engine)

    def flip_photo(self, name: str, engine: Engine) -> PhotoRecord:
        """Flip a photo left to right, with its marks, and judge it again: a mirrored selfie."""
        width, marks = self._flip_photo(name, engine), self.marks()
        if name in marks:
            self.save_marks(marks | {name: [flipped(mark, width) for mark in marks[name]]})
        if switched := self.switched():
            self.save_switched(switched.with_flipped_photo(name, width))
        self.judge_set(engine)
        return self.record(name)

    def rank_run(self, run: Path, engine: Engine) -> list[Ranked]:
        """Rank all portraits of a run against the accepted photos, and keep the order beside them.

        Where portraits, photos and engine are those of the ranking that is kept, that one is read.
        Raises InputError without accepted photos or without portraits.
        """
        self.meet_engine(engine)
        scale = list(self.photo_to_photo().values())
        pictures = (
            (record.photo().pixels, record.face) for record in self.accepted() if record.path
        )
        return rank_portraits(run, self._embeddings(), scale, engine, pictures)

    def read_ranking(
        self, run: Path, engine_name: str, second_name: str | None = None
    ) -> list[Ranked] | None:
        """The ranking of a run as it is kept, without an engine; None where it must be made anew.

        Anew: not made yet, or portraits, accepted photos or an engine have changed since.
        Raises InputError without accepted photos.
        """
        return kept_ranking(run, self._embeddings(), engine_name, second_name)

    def is_there(self) -> bool:
        """Whether the person was not deleted meanwhile, by this program or another one."""
        file = self.folder / "person.json"
        if not file.exists():
            return False
        now = _try_to_read(file)
        return not isinstance(now, Person) or now.consent == self.consent

    def delete(self) -> list[Message]:
        """Delete the person with everything derived; says what was deleted."""
        files = [file for file in self.folder.rglob("*") if file.is_file()]
        pictures = [file for file in files if file.suffix == ".png"]
        counts = {
            "photos_deleted": sum(file.parent == self.folder / "photos" for file in pictures),
            "portraits_deleted": sum(len(portraits_of(run)) for run in self.runs()),
            "loras_deleted": sum(file.suffix == ".safetensors" for file in files),
            "files_deleted": len(files),
        }
        delete_folder(self.folder)
        return [Message(code, count=count) for code, count in counts.items() if count]

    def _embeddings(self) -> Embeddings:
        """Name and embedding of the accepted photos."""
        return [(record.name, record.face.embedding) for record in self.accepted()]


def people(root: Path | None = None) -> list[Person]:
    """Everyone under `root` (default `$REALISM_HOME`), by name; without `damaged_people`."""
    found = [_try_to_read(file) for file in _person_files(root)]
    readable = [person for person in found if isinstance(person, Person)]
    return sorted(readable, key=lambda person: person.name.casefold())


def damaged_people(root: Path | None = None) -> list[Message]:
    """What is wrong with each folder under `root` whose person cannot be read."""
    found = [_try_to_read(file) for file in _person_files(root)]
    return [fault for fault in found if isinstance(fault, Message)]


def _person_files(root: Path | None) -> list[Path]:
    return sorted((root or home()).glob("[!.]*/person.json"))


def _try_to_read(file: Path) -> "Person | Message":
    try:
        return _read_person(file)
    except InputError as error:
        return error.message


def create_person(
    name: str,
    consent: bool,
    class_word: str = "person",
    root: Path | None = None,
    at: datetime.datetime | None = None,
) -> Person:
    """Make a person's folder.

    Parameters
    ----------
    name : str
        As it will be shown; letters of any script.
    consent : bool
        That the person shown agrees to this use of the photos.
    class_word : str
        "person", "woman" or "man", for captions.
    root : Path, optional
        Folder of all people; None: `$REALISM_HOME`.
    at : datetime, optional
        When consent was given; None: now.

    Raises
    ------
    InputError
        Without consent, for a name that is taken or cannot be a folder's.
    """
    folder = _folder_of_new(name, consent, class_word, root)
    return _write_person(folder, name, class_word, at)


@contextmanager
def new_person(
    name: str, consent: bool, class_word: str = "person", root: Path | None = None
) -> Iterator[Person]:
    """Give a person to fill, who is among the people once the block ends well, and else never was.

    Parameters, Raises: see `create_person`.
    """
    folder = _folder_of_new(name, consent, class_word, root)
    if folder.exists():  # without a person in it: whatever it is, it is not overwritten
        raise InputError("person_exists", name=name.strip())
    with whole_folder(folder) as draft:
        yield _write_person(draft, name, class_word)


def _folder_of_new(name: str, consent: bool, class_word: str, root: Path | None) -> Path:
    folder = person_folder(root or home(), name)
    if not consent:
        raise InputError("consent_missing")
    if class_word not in CLASS_WORDS:
        raise InputError("class_word_not_known", choices=CLASS_WORDS)
    if (folder / "person.json").exists():
        raise InputError("person_exists", name=name.strip())
    return folder


def _write_person(
    folder: Path, name: str, class_word: str, at: datetime.datetime | None = None
) -> Person:
    given = (at or datetime.datetime.now(datetime.UTC)).isoformat(timespec="seconds")
    write_json(
        folder / "person.json",
        {"schema": SCHEMA, "name": name.strip(), "noun": class_word, "consent": given},
    )
    return Person(folder, name.strip(), class_word, given)


def open_person(name: str, root: Path | None = None) -> Person:
    """The person of that name; raises InputError, naming who is there, when there is none."""
    file = person_folder(root or home(), name) / "person.json"
    if not file.exists():
        names = [person.name for person in people(root)] or [Message("nobody_yet")]
        raise InputError("person_not_found", name=name.strip(), people=names)
    return _read_person(file)


def _read_person(file: Path) -> Person:
    value = read_json(file, "file_person")
    if validate(value, _Versioned, "file_person", file).schema > SCHEMA:
        raise InputError("person_of_newer_program", person=file.parent.name)
    stored = validate(value, _StoredPerson, "file_person", file)
    return Person(file.parent, stored.name, stored.noun, stored.consent)


def write_zip(path: Path, files: Iterable[Path], root: Path) -> Path:
    """Pack `files` into a zip with names relative to `root`; pictures are stored as they are."""
    with whole_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for file in files:
            archive.write(file, file.relative_to(root))
    return path
