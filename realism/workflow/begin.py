"""A new person by a portrait that lacks its marks: photos in, marks found, ready to be put back.

The short way to step 4, without a fine-tune. The person is there once all of it went well: a photo
or a portrait that will not do leaves nothing of them behind. The portrait is kept with them as are
those that the program makes, plain and with its marks.
"""

import shutil
from collections.abc import Generator, Sequence
from pathlib import Path

from realism.errors import InputError
from realism.faces.engine import OTHER_PERSON, Engine
from realism.faces.face import similarity
from realism.filenames import portable_name
from realism.images import Photo, open_photo, save_png
from realism.marks.find.finders import DEFAULT_FINDER
from realism.marks.restore.report import find_person_among
from realism.person.person import Person, new_person, open_person
from realism.person.photo_record import PhotoRecord
from realism.workflow.marks import (
    PhotoOpened,
    PhotoSearched,
    find_marks_of_person,
    with_least_score,
)
from realism.workflow.photos import PhotoChecked, SetChecked, add_photos
from realism.workflow.restore import PortraitRestored, PortraitSkipped, restore_portraits

DOUBTS = ("portrait_unlike_photos", "portrait_of_stranger")  # after which one may go on
MOST_REASONS = 3  # why photos were refused, that one sentence names


def begin_with_portrait(
    name: str,
    consent: bool,
    files: Sequence[Path],
    portrait: Path | None,
    engine: Engine,
    root: Path | None = None,
    threshold: float | None = None,
    most: int | None = None,
    anyway: bool = False,
) -> Generator[
    PhotoChecked | SetChecked | PhotoOpened | PhotoSearched | PortraitRestored | PortraitSkipped,
    None,
    Person,
]:
    """Create a person with their photos and the marks on them, whom a portrait shows.

    Parameters
    ----------
    name, consent, root
        As for `create_person`.
    files : sequence of Path
        Photos of the person.
    portrait : Path or None
        Of any generator.
    engine : Engine
        Finds the faces.
    threshold, most
        As for `find_marks_of_person`.
    anyway : bool
        Whether to go on with a portrait that is little like the photos.

    Yields
    ------
    PhotoChecked, SetChecked, PhotoOpened, PhotoSearched, PortraitRestored or PortraitSkipped

    Returns
    -------
    Person
        With the marks on the accepted photos, and one run of portraits.

    Raises
    ------
    InputError
        As `create_person`; no photos or none that can be used, no portrait or one without a face,
        turned away; one of `DOUBTS` for one that is little like the photos, or seems to show
        another person. Nothing is kept then.
    """
    with new_person(name, consent, root=root) as draft:
        if not files:
            raise InputError("photos_of_new_person_missing")
        if portrait is None:
            raise InputError("portrait_of_new_person_missing")
        picture = open_photo(portrait)
        if not engine.find(picture.pixels):
            raise InputError("portrait_without_face", name=picture.name)
        yield from add_photos(draft, files, engine)
        embeddings = [record.face.embedding for record in _accepted(draft)]
        face, _ = find_person_among(picture, embeddings, engine)
        likeness = max(similarity(face.embedding, photo) for photo in embeddings)
        least = engine.same_person
        if likeness < least and not anyway:
            code = DOUBTS[likeness < OTHER_PERSON * least]
            raise InputError(code, name=picture.name, likeness=likeness, least=least)
        photos = yield from find_marks_of_person(draft, engine, threshold=threshold, most=most)
        kept = _keep(portrait, picture, draft.new_run())
        sure = with_least_score(photos, DEFAULT_FINDER.threshold)
        yield from restore_portraits([kept], sure, engine, kept.parent / "restored")
    return open_person(name, root)


def _keep(portrait: Path, picture: Photo, run: Path) -> Path:
    """The portrait in a run of its own: a PNG as it is, with all it says of itself; else as PNG."""
    kept = run / portable_name(f"{portrait.stem.lstrip('.') or 'portrait'}.png")
    if portrait.suffix.lower() == ".png":
        run.mkdir(parents=True)
        shutil.copyfile(portrait, kept)
    else:
        save_png(kept, picture.pixels)
    return kept


def _accepted(person: Person) -> list[PhotoRecord]:
    """The accepted photos; raises InputError, with why, where there are none."""
    records = person.records()
    accepted = [record for record in records if record.accepted]
    if not accepted:
        reasons = [record.verdict.reasons[0].message for record in records]
        raise InputError(
            "no_photo_usable",
            photos=len(records), reasons=list(dict.fromkeys(reasons))[:MOST_REASONS],
        )  # fmt: skip
    return accepted
