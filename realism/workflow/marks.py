"""Step 4, first half: the marks of a person's photos are found, and put on one head.

Photos of one person are looked at together, each helps to judge the rest. What was found is kept
with the person; what the owner corrected stays as it is.
"""

import itertools
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from realism.checks import similarity_to_others
from realism.errors import InputError
from realism.faces.engine import Engine, primary_face
from realism.images import Photo, open_photo
from realism.marks.atlas import Atlas
from realism.marks.atlas import build_atlas as atlas_of_photos
from realism.marks.find.finders import DEFAULT_FINDER, find_marks
from realism.marks.find.multiview import find_marks_multiview
from realism.marks.mark import Mark, flipped
from realism.marks.photo import MarkedPhoto, analyse_photo, refuse_too_large
from realism.person.person import Person
from realism.person.photo_record import PhotoRecord
from realism.workflow import ends_with_person, translated

LEAST_SCORE = 0.2  # from which a finding is kept where a slider then shows those above its own


@dataclass(frozen=True)
class PhotoOpened:
    """A photo is read and its face and skin are known; number from 1."""

    name: str
    number: int
    of: int


@dataclass(frozen=True)
class PhotoSearched:
    """A photo is searched for marks now; number from 1."""

    name: str
    number: int
    of: int


@dataclass(frozen=True, eq=False)
class Passport:
    """All marks of a person on one head.

    Attributes
    ----------
    atlas : Atlas
        The marks, in how many photos each is seen, and what the photos cover.
    version : int or None
        Under which the person keeps it, from 1; None where it was not kept.
    """

    atlas: Atlas
    version: int | None


def open_marked_photo(
    photo: Photo | Path | PhotoRecord, engine: Engine, marks: list[Mark] | None = None
) -> MarkedPhoto:
    """A photo ready to take marks from: with its face, its skin and the marks given.

    Raises InputError, with the picture's name, where it cannot be read or has not one face, and
    for a mark given that is larger than one can be.
    """
    if isinstance(photo, PhotoRecord):
        return analyse_photo(photo.photo(), photo.face, marks)
    if not isinstance(photo, Photo):
        photo = open_photo(photo)
    try:
        face = primary_face(engine.find(photo.pixels))
    except InputError as error:
        raise InputError("of_picture", name=photo.name, reason=error) from error
    opened = analyse_photo(photo, face, marks)
    refuse_too_large(opened)
    return opened


def find_marks_in_photo(
    photo: Photo | Path,
    engine: Engine,
    method: str = DEFAULT_FINDER.name,
    weights: Path | None = None,
    threshold: float | None = None,
) -> MarkedPhoto:
    """The photo with the marks that a finder finds in it, looked at by itself.

    Parameters
    ----------
    photo : Photo or Path
        A picture with one face.
    engine : Engine
        Finds the face.
    method : str
        Name of a finder, one of `finders.FINDERS`.
    weights : Path, optional
        Of a finder that was trained elsewhere; None: those that come with the program.
    threshold : float, optional
        Least score, 0..1; None: the finder's own.

    Raises
    ------
    InputError
        The picture cannot be read or has not one face, or there is no such finder.
    """
    opened = open_marked_photo(photo, engine)
    found = find_marks(opened.pixels, opened.face, opened.skin, method, weights, threshold)
    return replace(opened, marks=found)


def find_marks_of_photos(
    photos: Sequence[Photo | Path | PhotoRecord],
    engine: Engine,
    known: Mapping[str, list[Mark]] | None = None,
    held: Mapping[str, MarkedPhoto] | None = None,
    reviewed: Collection[str] = (),
    weights: Path | None = None,
    threshold: float | None = None,
    refuse_strangers: bool = False,
) -> Generator[PhotoOpened | PhotoSearched, None, list[MarkedPhoto]]:
    """Find the marks on photos of one person, together.

    Parameters
    ----------
    photos : sequence of Photo, Path or PhotoRecord
        Of one person, each of another name.
    engine : Engine
        Finds the faces where they are not known.
    known : mapping of str to list of Mark, optional
        Marks found before, by the photo's name.
    held : mapping of str to MarkedPhoto, optional
        Photos opened before, by name; they go before `known`.
    reviewed : collection of str
        Names of photos whose marks stay as they are; they are looked at for the others' sake.
    weights : Path, optional
        Of a heat-map finder that was trained elsewhere.
    threshold : float, optional
        Least score, 0..1; None: the finder's own.
    refuse_strangers : bool
        Whether a photo that seems to show another person is an InputError.

    Yields
    ------
    PhotoOpened or PhotoSearched

    Returns
    -------
    list of MarkedPhoto
        The photos in their order, with their marks.
    """
    known, held, opened = known or {}, held or {}, []
    for number, photo in enumerate(photos, 1):
        ready = held.get(photo.name)
        if ready is None:
            ready = open_marked_photo(photo, engine, known.get(photo.name))
        opened.append(ready)
        yield PhotoOpened(photo.name, number, len(photos))
    if refuse_strangers:
        _refuse_strangers(opened, engine)
    numbers = itertools.count(1)
    search = find_marks_multiview(opened, reviewed, weights, threshold)
    return (
        yield from translated(search, lambda name: PhotoSearched(name, next(numbers), len(photos)))
    )


@ends_with_person
def find_marks_of_person(
    person: Person,
    engine: Engine,
    held: Mapping[str, MarkedPhoto] | None = None,
    threshold: float | None = None,
    most: int | None = None,
) -> Generator[PhotoOpened | PhotoSearched, None, list[MarkedPhoto]]:
    """Find the marks on a person's accepted photos, and keep them with the person.

    What the owner corrected stays; photos that were all looked at before are not searched again.

    Parameters
    ----------
    person : Person
        With accepted photos.
    engine, held, threshold
        As for `find_marks_of_photos`.
    most : int, optional
        Photos that are looked at, the first by name; None: all.

    Yields
    ------
    PhotoOpened or PhotoSearched

    Returns
    -------
    list of MarkedPhoto

    Raises
    ------
    InputError
        The person has no accepted photos.
    """
    person.meet_engine(engine)
    accepted = person.accepted()
    photos = [photo for photo in accepted if photo.verdict.shows_skin] or accepted
    photos, known = photos[:most], person.marks()
    reviewed = person.reviewed(photo.name for photo in photos)
    found = yield from find_marks_of_photos(
        photos, engine, known, held, reviewed, threshold=threshold
    )
    person.save_marks(known | {photo.name: photo.marks for photo in found})
    # As they are kept, to a hundredth of a px: a portrait is restored alike now and later.
    kept = person.marks()
    return [replace(photo, marks=kept[photo.name]) for photo in found]


def with_least_score(photos: Iterable[MarkedPhoto], least: float) -> list[MarkedPhoto]:
    """The photos with those of their marks that score at least so much, 0..1."""
    return [
        replace(photo, marks=[mark for mark in photo.marks if mark.score >= least])
        for photo in photos
    ]


def build_passport(photos: list[MarkedPhoto], person: Person | None = None) -> Passport:
    """All marks of the photos on one head; kept with the person where one is given.

    Raises InputError without photos.
    """
    atlas = atlas_of_photos(photos)
    return Passport(atlas, person.save_passport(atlas) if person else None)


def flip_photos(
    names: Iterable[str],
    photos: Mapping[str, MarkedPhoto],
    engine: Engine,
    person: Person | None = None,
) -> dict[str, MarkedPhoto]:
    """The photos of those names flipped left to right with their marks: mirrored selfies.

    Parameters
    ----------
    names : iterable of str
        Of the photos to flip.
    photos : mapping of str to MarkedPhoto
        Where they are.
    engine : Engine
        Finds the faces anew.
    person : Person, optional
        Whose photos they are, to be flipped in the person's folder, too; None: nobody's.

    Returns
    -------
    dict of str to MarkedPhoto
        The flipped ones alone.
    """
    turned = {}
    for name in names:
        photo = photos[name]
        pixels = np.ascontiguousarray(photo.pixels[:, ::-1])
        marks = [flipped(mark, pixels.shape[1]) for mark in photo.marks]
        turned[name] = open_marked_photo(Photo(name, pixels), engine, marks)
    if person:
        for name in turned:
            person.flip_photo(name, engine)
    return turned


def _refuse_strangers(photos: list[MarkedPhoto], engine: Engine) -> None:
    """Raise InputError for a photo that seems to show another person than the rest."""
    if len(photos) < 2:
        return
    embeddings = [photo.face.embedding for photo in photos]
    cosines, limit = similarity_to_others(embeddings, engine.same_person)
    for photo, cosine in zip(photos, cosines, strict=True):
        if cosine < limit:
            raise InputError("stranger_among_photos", name=photo.name, likeness=cosine, least=limit)
