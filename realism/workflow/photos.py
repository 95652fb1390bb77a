"""Step 1: photos of a person are taken in and judged, first each alone, then as a set."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

from realism.faces.engine import Engine
from realism.person.person import Person
from realism.person.photos import PhotoRecord


@dataclass(frozen=True)
class PhotoChecked:
    """A file is taken in and judged alone.

    Attributes
    ----------
    photo : PhotoRecord
        With its verdict; what only the set shows (duplicates, strangers) is not in it.
    number, of : int
        Which of how many files, from 1.
    """

    photo: PhotoRecord
    number: int
    of: int


@dataclass(frozen=True)
class SetChecked:
    """All photos of the person are judged against each other.

    Attributes
    ----------
    photos : tuple of PhotoRecord
        All of the person, refused ones included.
    photo_to_photo : dict of str to float
        Name of each accepted photo -> its cosine with the best of the others.
    """

    photos: tuple[PhotoRecord, ...]
    photo_to_photo: dict[str, float]


def add_photos(
    person: Person, files: Iterable[Path], engine: Engine
) -> Generator[PhotoChecked | SetChecked, None, tuple[PhotoRecord, ...]]:
    """Take files in and judge them.

    Parameters
    ----------
    person : Person
        Whose photos they are.
    files : iterable of Path
        JPEG, PNG, WebP or HEIC; one that cannot be read is listed as refused.
    engine : Engine
        Finds the faces.

    Yields
    ------
    PhotoChecked or SetChecked
        One for each file, then one for the set.

    Returns
    -------
    tuple of PhotoRecord
        All photos of the person.

    Raises
    ------
    InputError
        No file was given, or the disk is full.
    """
    files = list(files)
    for number, photo in enumerate(person.add_photos(files, engine), 1):
        yield PhotoChecked(photo, number, len(files))
    photos = tuple(person.records())
    yield SetChecked(photos, person.photo_to_photo())
    return photos
