"""Step 1: photos of a person are taken in and judged, first each alone, then as a set."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

from realism.errors import InputError
from realism.faces.engine import Engine
from realism.images import SUFFIXES
from realism.person.person import Person
from realism.person.photo_record import PhotoRecord
from realism.workflow import ends_with_person


@dataclass(frozen=True)
class PhotoChecked:
    """A file is taken in and judged alone.

    Attributes
    ----------
    photo : PhotoRecord
        With its verdict; what only the set shows (duplicates, strangers) is not in it.
    number, of : int
        Which of how many files, from 1.
    again : bool
        It had been taken in before, and is as it was.
    """

    photo: PhotoRecord
    number: int
    of: int
    again: bool = False


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


def picture_files(paths: Iterable[Path]) -> list[Path]:
    """The files that paths mean: of a folder its pictures, folders in it included.

    Parameters
    ----------
    paths : iterable of Path
        Files of any suffix, and folders.

    Returns
    -------
    list of Path
        Files as given, of folders by name; hidden files of a folder are left out.

    Raises
    ------
    InputError
        A path does not exist, or a folder holds no picture; nothing was taken in yet.
    """
    files = []
    for path in paths:
        if not path.is_dir():
            if not path.exists():
                raise InputError("photo_file_not_found", name=path)
            files.append(path)
            continue
        inside = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in SUFFIXES
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
        )
        if not inside:
            raise InputError("folder_without_pictures", folder=path)
        files += inside
    return files


@ends_with_person
def add_photos(
    person: Person, files: Iterable[Path], engine: Engine
) -> Generator[PhotoChecked | SetChecked, None, tuple[PhotoRecord, ...]]:
    """Take files in and judge them.

    Parameters
    ----------
    person : Person
        Whose photos they are.
    files : iterable of Path
        JPEG, PNG, WebP, AVIF or HEIC; one that cannot be read is listed as refused.
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
    there = {photo.name for photo in person.records()}
    for number, photo in enumerate(person.add_photos(files, engine), 1):
        yield PhotoChecked(photo, number, len(files), photo.name in there)
    photos = tuple(person.records())
    yield SetChecked(photos, person.photo_to_photo())
    return photos
