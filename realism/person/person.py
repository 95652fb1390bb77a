"""A person's folder on disk: the only file that knows the names in it.

    people/<slug>/person.json                  name, class word, consent, schema version
                  photos/<photo>.png           the photo as normalised on intake, no metadata
                         <photo>.json          verdict, reasons with numbers, the owner's choice
                         <photo>.npz           the face: landmarks, mesh, embedding
                  similarity.json              each accepted photo against the best of the others
                  adapters/<base>/             LoRA of stage 2: last/, best/, running state
                  portraits/<run>/             portraits, ranking.json, restored/;
                                               ranking-details.json: all of it, to be read back
                  marks/                       found.json, the owner's corrections;
                                               passport.json, passport-<version>.json

Photos and embeddings are personal data: they stay in this folder and go with it.
"""

import datetime
import hashlib
import itertools
import re
import shutil
import unicodedata
import zipfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from realism.checks import (
    SET_CODES,
    Reason,
    Verdict,
    check_photo,
    check_set,
    photo_to_photo,
    reason_from_json,
    reason_to_json,
)
from realism.config import home
from realism.disk import read_json, whole_file, write_json
from realism.errors import InputError, Message
from realism.faces.engine import Engine
from realism.faces.face import Face, Pose
from realism.images import TOO_LARGE, Photo, open_photo, save_png
from realism.marks.atlas import Atlas, atlas_from_json, atlas_to_json
from realism.marks.mark import Mark, flipped, mark_from_json, mark_to_json
from realism.portraits.rank import (
    Ranked,
    RankingInputs,
    rank,
    rank_to_json,
    ranking_inputs,
    read_ranking,
    write_ranking,
)
from realism.portraits.sample import read_parameters

# A person's folder.
MAX_NAME = 60  # characters of a person's name; a slug stays a file name
TRIGGER = "ohwx"  # rare word that comes to mean the person; one SD token pair

SCHEMA = 1
CLASS_WORDS = ("person", "woman", "man")


@dataclass(frozen=True)
class Entry:
    """One photo of a person as it stands in the folder, refused ones included.

    name       the file's name as the owner gave it, made unique
    path       the normalised picture; None where the file could not be read at all
    verdict    what the check says, with its reasons
    choice     True or False where the owner decided by hand, None where the check decides
    """

    name: str
    path: Path | None
    verdict: Verdict
    choice: bool | None

    @property
    def accepted(self) -> bool:
        """Whether this photo is learned from and compared with."""
        return self.verdict.usable if self.choice is None else self.choice

    def photo(self) -> Photo:
        """The picture itself."""
        return Photo(self.name, open_photo(self.path).pixels)


@dataclass(frozen=True)
class Person:
    """A person whose folder exists.

    folder     people/<slug>
    name       as the owner wrote it
    class_word "person" | "woman" | "man": the class word beside the trigger in captions
    consent    when the consent of the person shown was confirmed, ISO 8601
    """

    folder: Path
    name: str
    class_word: str
    consent: str

    @property
    def subject(self) -> str:
        """The person in captions and prompts: the trigger word and the class word."""
        return f"{TRIGGER} {self.class_word}"

    # Photos ------------------------------------------------------------------------------

    def add_photos(self, files: Iterable[Path], engine: Engine) -> Iterator[Entry]:
        """Take files in, one by one, then judge the set as a whole.

        Yields an Entry as soon as each file is judged alone; `entries()` afterwards also knows
        what only the set shows (near-duplicates, another person). A file that cannot be read
        is listed with its reason, too.
        """
        files = [Path(file) for file in files]
        if not files:
            raise InputError("no_photos_given")
        for file in files:
            yield self._take_in(file, engine)
        self.judge_set(engine)

    def _take_in(self, file: Path, engine: Engine) -> Entry:
        name = self._free_name(file.name)
        try:
            photo = Photo(name, open_photo(file).pixels)
        except InputError as error:
            code = "too_large" if error.code in TOO_LARGE else "unreadable"
            verdict = Verdict(name, False, (Reason(code, error.message),), (), None, {})
            return self._write_entry(Entry(name, None, verdict, None), engine)
        verdict = check_photo(photo, engine)
        path = self._photo_path(name, ".png")
        save_png(path, photo.pixels)
        return self._write_entry(Entry(name, path, verdict, None), engine)

    def judge_set(self, engine: Engine) -> None:
        """Judge all photos against each other again, and write the photo-to-photo scale."""
        entries = [self._with_face_of(entry, engine) for entry in self.entries()]
        shown = [entry for entry in entries if entry.path and entry.verdict.face]
        verdicts = check_set(
            [entry.photo() for entry in shown],
            [_alone(entry.verdict) for entry in shown],
            engine,
        )
        for entry, verdict in zip(shown, verdicts, strict=True):
            self._write_entry(replace(entry, verdict=verdict), engine)
        self._write_scale(engine)

    def _with_face_of(self, entry: Entry, engine: Engine) -> Entry:
        """The entry, its face found anew where another engine found it: cosines must compare."""
        stored = read_json(self._photo_path(entry.name, ".json"), "file_verdict").get("engine")
        if entry.path is None or stored == engine.name:
            return entry
        return self._write_entry(replace(entry, verdict=check_photo(entry.photo(), engine)), engine)

    def entries(self) -> list[Entry]:
        """All photos, refused ones included, by name."""
        return [self._read_entry(file) for file in sorted(self._photos.glob("*.json"))]

    def accepted(self) -> list[Entry]:
        """The photos to learn from; raises InputError with what to do when there are none."""
        entries = self.entries()
        accepted = [entry for entry in entries if entry.accepted]
        if accepted:
            return accepted
        if not entries:
            raise InputError("person_without_photos", person=self.name)
        reasons = [entry.verdict.reasons[0].message for entry in entries if entry.verdict.reasons]
        reasons = list(dict.fromkeys(reasons))
        raise InputError(
            "every_photo_refused", photos=len(entries), name=self.name, reasons=reasons[:3]
        )

    def choose(self, name: str, accepted: bool | None, engine: Engine) -> Entry:
        """Accept or refuse a photo by hand; None lets the check decide again."""
        entry = self.entry(name)
        if accepted and entry.verdict.face is None:
            raise InputError(
                "photo_without_face",
                name=name,
                reasons=[reason.message for reason in entry.verdict.reasons],
            )
        entry = self._write_entry(replace(entry, choice=accepted), engine)
        self._write_scale(engine)
        return entry

    def entry(self, name: str) -> Entry:
        """The photo of that name."""
        for entry in self.entries():
            if entry.name == name:
                return entry
        raise InputError("photo_not_found", person=self.name, name=name)

    def remove_photo(self, name: str, engine: Engine) -> None:
        """Delete one photo and all that was derived from it alone."""
        self.entry(name)
        for suffix in (".png", ".npz", ".json"):
            self._photo_path(name, suffix).unlink(missing_ok=True)
        marks = self.marks()
        if marks.pop(name, None) is not None:
            self.save_marks(marks)
        self.judge_set(engine)

    def flip_photo(self, name: str, engine: Engine) -> Entry:
        """Flip a photo left to right, with its marks, and judge it again: a mirrored selfie."""
        entry = self.entry(name)
        if entry.path is None:
            raise InputError("unreadable_not_flipped", name=name)
        pixels = np.ascontiguousarray(entry.photo().pixels[:, ::-1])
        verdict = check_photo(Photo(name, pixels), engine)
        if verdict.face is None:
            raise InputError("faceless_not_flipped", name=name)
        save_png(entry.path, pixels)
        self._write_entry(replace(entry, verdict=verdict), engine)
        marks = self.marks()
        if name in marks:
            turned = [flipped(mark, pixels.shape[1]) for mark in marks[name]]
            self.save_marks(marks | {name: turned})
        self.judge_set(engine)
        return self.entry(name)

    def photo_to_photo(self) -> dict[str, float]:
        """Each accepted photo's cosine with the best of the others, by name."""
        file = self.folder / "similarity.json"
        return read_json(file, "file_similarity")["photos"] if file.exists() else {}

    # Adapters, portraits, marks -----------------------------------------------------------

    def adapter_folder(self, base_name: str) -> Path:
        """Where the LoRA of this person for that base is kept; it may not exist yet."""
        return self.folder / "adapters" / slug_of(base_name.replace("/", " ").replace("\\", " "))

    def adapter(self, base_name: str, which: str = "best") -> Path | None:
        """The person's LoRA for a base.

        which    "best" (by the held-out photo, else the last) | "last" | "none" | a LoRA's file
        ->       a folder or file that `realism.diffusion.lora` loads; None for "none"
        """
        if which == "none":
            return None
        if which not in ("best", "last"):
            return Path(which)
        folder = self.adapter_folder(base_name)
        for name in dict.fromkeys((which, "last")):
            if (folder / name).is_dir():
                return folder / name
        raise InputError("person_without_lora", person=self.name, base=base_name)

    def new_run(self) -> Path:
        """A folder for a run of portraits, named by the time; made when first written to."""
        now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        folder = self.folder / "portraits" / now
        number = 1
        while folder.exists():
            number += 1
            folder = self.folder / "portraits" / f"{now}-{number}"
        return folder

    @staticmethod
    def portrait_file(run: Path, number: int, seed: int) -> Path:
        """Where the portrait of that number (from 1) and seed is kept in its run."""
        return run / f"{number:02d}-seed{seed}.png"

    def runs(self) -> list[Path]:
        """Runs of portraits, newest first."""
        return sorted((self.folder / "portraits").glob("*/"), reverse=True)

    def rank_run(self, run: Path, engine: Engine) -> list[Ranked]:
        """Rank all portraits of a run against the accepted photos, and keep the order beside them.

        Where portraits, photos and engine are those of the ranking that is kept, that one is read.
        Raises InputError without accepted photos or without portraits.
        """
        kept = self.read_ranking(run, engine.name)
        if kept is not None:
            return kept
        files = sorted(run.glob("*.png"))
        inputs = self._ranking_inputs(run, engine.name)
        found = [(file.name, engine.find(open_photo(file).pixels)) for file in files]
        made_with = {file.name: read_parameters(file) for file in files}
        ranked = rank(
            found,
            self._embeddings(),
            {name: parameters.seed for name, parameters in made_with.items() if parameters},
            list(self.photo_to_photo().values()),
        )
        write_json(run / "ranking.json", rank_to_json(ranked))
        write_ranking(run / "ranking-details.json", ranked, inputs)
        return ranked

    def read_ranking(self, run: Path, engine_name: str) -> list[Ranked] | None:
        """The ranking of a run as it is kept, without an engine; None where it must be made anew.

        Anew: not made yet, or portraits, accepted photos or the engine have changed since.
        Raises InputError without accepted photos.
        """
        return read_ranking(run / "ranking-details.json", self._ranking_inputs(run, engine_name))

    def _ranking_inputs(self, run: Path, engine_name: str) -> RankingInputs:
        return ranking_inputs(engine_name, sorted(run.glob("*.png")), self._embeddings())

    def _embeddings(self) -> list[tuple[str, np.ndarray]]:
        """Name and embedding of the accepted photos."""
        return [(entry.name, entry.verdict.face.embedding) for entry in self.accepted()]

    def marks(self) -> dict[str, list[Mark]]:
        """Marks by photo, as found and as corrected by the owner; {} before the first search."""
        file = self.folder / "marks" / "found.json"
        if not file.exists():
            return {}
        found = read_json(file, "file_found_marks")["photos"]
        return {name: [mark_from_json(mark) for mark in marks] for name, marks in found.items()}

    def settled(self, names: Iterable[str]) -> set[str]:
        """Of these photos, those whose marks stay as they are when marks are looked for.

        All, where each was looked at; else only what the owner corrected: a new photo says more
        of the others, too.
        """
        names, known = set(names), self.marks()
        return names if names <= set(known) else names & self._corrected()

    def save_marks(self, marks: dict[str, list[Mark]], corrected: Collection[str] = ()) -> None:
        """Keep marks by photo; of these photos the owner has `corrected` them."""
        found = {name: [mark_to_json(mark) for mark in those] for name, those in marks.items()}
        kept = sorted((self._corrected() | set(corrected)) & set(found))
        value = {"schema": SCHEMA, "photos": found, "corrected": kept}
        write_json(self.folder / "marks" / "found.json", value)

    def _corrected(self) -> set[str]:
        """Photos whose marks the owner corrected; all, where that was not kept yet."""
        file = self.folder / "marks" / "found.json"
        if not file.exists():
            return set()
        kept = read_json(file, "file_found_marks")
        return set(kept.get("corrected", kept["photos"]))

    def passport(self) -> Atlas | None:
        """The mark passport as last made or edited; None before the first."""
        file = self.folder / "marks" / "passport.json"
        return atlas_from_json(read_json(file, "file_passport")) if file.exists() else None

    def save_passport(self, atlas: Atlas) -> int:
        """Keep a passport, the last one beside it under its version; returns the new version."""
        file = self.folder / "marks" / "passport.json"
        version = 1
        if file.exists():
            last = read_json(file, "file_passport")
            write_json(file.with_name(f"passport-{last['version']}.json"), last)
            version = last["version"] + 1
        write_json(file, atlas_to_json(atlas, version))
        return version

    def delete(self) -> list[Message]:
        """Delete the person with everything derived; says what was deleted."""
        files = [file for file in self.folder.rglob("*") if file.is_file()]
        counts = {
            "photos_deleted": sum(
                file.parent == self._photos and file.suffix == ".png" for file in files
            ),
            "portraits_deleted": sum(
                "portraits" in file.parts and file.suffix == ".png" for file in files
            ),
            "loras_deleted": sum(file.suffix == ".safetensors" for file in files),
            "files_deleted": len(files),
        }
        # First out of sight in one step, so that a crash leaves no half person behind.
        gone = self.folder.with_name(f".deleted-{self.folder.name}")
        if gone.exists():
            shutil.rmtree(gone)
        self.folder.replace(gone)
        shutil.rmtree(gone)
        return [Message(code, count=count) for code, count in counts.items() if count]

    # On disk -----------------------------------------------------------------------------

    @property
    def _photos(self) -> Path:
        return self.folder / "photos"

    def _photo_path(self, name: str, suffix: str) -> Path:
        # Photos keep their given name in the verdict; the file's name is safe anywhere.
        return self._photos / (_file_stem(name) + suffix)

    def _free_name(self, name: str) -> str:
        taken = {entry.name for entry in self.entries()}
        stem, dot, suffix = name.rpartition(".")
        stem, suffix = (stem, dot + suffix) if dot else (name, "")
        numbered = (f"{stem}-{number}{suffix}" for number in itertools.count(2))
        return next(name for name in itertools.chain([name], numbered) if name not in taken)

    def _write_entry(self, entry: Entry, engine: Engine) -> Entry:
        verdict = entry.verdict
        if verdict.face:
            _write_face(self._photo_path(entry.name, ".npz"), verdict.face)
        write_json(
            self._photo_path(entry.name, ".json"),
            {
                "schema": SCHEMA,
                "name": entry.name,
                "engine": engine.name,
                "usable": verdict.usable,
                "choice": entry.choice,
                "reasons": [reason_to_json(reason) for reason in verdict.reasons],
                "notes": [reason_to_json(note) for note in verdict.notes],
                "measures": verdict.measures,
            },
        )
        return entry

    def _read_entry(self, file: Path) -> Entry:
        stored = read_json(file, "file_verdict")
        picture, face = file.with_suffix(".png"), file.with_suffix(".npz")
        verdict = Verdict(
            stored["name"],
            stored["usable"],
            tuple(map(reason_from_json, stored["reasons"])),
            tuple(map(reason_from_json, stored["notes"])),
            _read_face(face) if face.exists() else None,
            stored["measures"],
        )
        return Entry(
            stored["name"], picture if picture.exists() else None, verdict, stored["choice"]
        )

    def _write_scale(self, engine: Engine) -> None:
        accepted = [entry for entry in self.entries() if entry.accepted]
        scale = photo_to_photo([entry.verdict.face.embedding for entry in accepted])
        photos = {entry.name: round(value, 4) for entry, value in zip(accepted, scale, strict=True)}
        write_json(
            self.folder / "similarity.json",
            {"schema": SCHEMA, "engine": engine.name, "photos": photos},
        )


def people(root: Path | None = None) -> list[Person]:
    """Everyone under `root` (default `$REALISM_HOME`), by name."""
    files = sorted((root or home()).glob("[!.]*/person.json"))
    return sorted((_read_person(file) for file in files), key=lambda person: person.name.casefold())


def create_person(
    name: str, consent: bool, class_word: str = "person", root: Path | None = None
) -> Person:
    """Make a person's folder.

    consent    that the person shown agrees to this use of the photos
    Raises InputError without consent, for a name that is taken or cannot be a folder's.
    """
    folder = (root or home()) / slug_of(name)
    if not consent:
        raise InputError("consent_missing")
    if class_word not in CLASS_WORDS:
        raise InputError("class_word_not_known", choices=CLASS_WORDS)
    if (folder / "person.json").exists():
        raise InputError("person_exists", name=name.strip())
    at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    write_json(
        folder / "person.json",
        {"schema": SCHEMA, "name": name.strip(), "noun": class_word, "consent": at},
    )
    return Person(folder, name.strip(), class_word, at)


def open_person(name: str, root: Path | None = None) -> Person:
    """The person of that name; raises InputError, naming who is there, when there is none."""
    file = (root or home()) / slug_of(name) / "person.json"
    if not file.exists():
        names = [person.name for person in people(root)] or [Message("nobody_yet")]
        raise InputError("person_not_found", name=name.strip(), people=names)
    return _read_person(file)


def _read_person(file: Path) -> Person:
    stored = read_json(file, "file_person")
    if stored.get("schema", 0) > SCHEMA:
        raise InputError("person_of_newer_program", person=file.parent.name)
    return Person(file.parent, stored["name"], stored["noun"], stored["consent"])


def slug_of(name: str) -> str:
    """A folder's name for a person's or base's name; never a path, equal for equal names.

    Letters and digits of any script, and emoji beside them, are welcome; what ASCII cannot
    carry is told apart by a short hash.
    """
    name = unicodedata.normalize("NFC", name).strip()
    if not any(character.isalnum() for character in name):
        raise InputError("name_without_letters")
    if len(name) > MAX_NAME:
        raise InputError("name_too_long", characters=len(name), most=MAX_NAME)
    if re.search(r'[/\\:*?"<>|\x00-\x1f]|\.\.', name) or name.startswith("."):
        raise InputError("name_not_allowed")
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if slug == re.sub(r"[ _-]+", "-", name.lower()).strip("-"):
        return slug
    # The hash is of the folded name, so that a name opens again however its capitals are typed.
    digest = hashlib.sha1(name.casefold().encode()).hexdigest()[:8]
    return f"{slug or 'name'}-{digest}"


def write_zip(path: Path, files: Iterable[Path], root: Path) -> Path:
    """Pack `files` into a zip with names relative to `root`; pictures are stored as they are."""
    with whole_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for file in files:
            archive.write(file, file.relative_to(root))
    return path


def _file_stem(name: str) -> str:
    digest = hashlib.sha1(name.encode()).hexdigest()[:8]
    plain = re.sub(r"[^A-Za-z0-9]+", "-", Path(name).stem).strip("-")[:40]
    return f"{plain or 'photo'}-{digest}"


def _alone(verdict: Verdict) -> Verdict:
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
        return Face(
            stored["box"],
            stored["landmarks"],
            stored["mesh"],
            Pose(*map(float, stored["pose"])),
            stored["embedding"],
            float(stored["score"]),
        )
