"""What people script, on plain files: check photos, find marks, restore them, rank portraits.

`import realism` offers these names; docs/python.md shows them at work. Each takes paths or opened
pictures and returns the dataclasses of its room. Without an engine given, the default one is
loaded, once for the process.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from realism.checks import Verdict, check_photo, check_set
from realism.errors import InputError
from realism.faces.engine import Engine, load_engine
from realism.images import Photo, open_photo
from realism.marks.atlas import Atlas
from realism.marks.photo import MarkedPhoto
from realism.portraits.rank import Ranked
from realism.workflow import run_through
from realism.workflow.marks import build_passport, find_marks_in_photo, find_marks_of_photos
from realism.workflow.place import RestoreOptions
from realism.workflow.portraits import rank_pictures
from realism.workflow.restore import RestoredPortrait, restore_portrait

Picture = Photo | Path | str  # opened already, or where it is


def check_photos(photos: Iterable[Picture], engine: Engine | None = None) -> list[Verdict]:
    """Step 1: which photos are good enough to learn one person from, and why the others are not.

    Parameters
    ----------
    photos : iterable of Photo, Path or str
        Of one person. One that cannot be opened is an InputError.
    engine : Engine, optional
        Finds the faces.

    Returns
    -------
    list of Verdict
        One a photo, in their order: `usable`, `reasons` against it, `notes` of advice, `face`.
    """
    engine = engine or _default_engine()
    opened = [_opened(photo) for photo in photos]
    return check_set(opened, [check_photo(photo, engine) for photo in opened], engine)


def rank(
    portraits: Iterable[Picture], photos: Iterable[Picture], engine: Engine | None = None
) -> list[Ranked]:
    """Step 3: order portraits by their likeness to photos of the person, the closest first.

    Parameters
    ----------
    portraits : iterable of Photo, Path or str
        Of any generator.
    photos : iterable of Photo, Path or str
        Of the person; one on which not exactly one face is found is left out.
    engine : Engine, optional
        Finds and compares the faces.

    Returns
    -------
    list of Ranked
        `name`, `rank` from 1, `similarity` (largest cosine with any photo), `closest_photo`.

    Raises
    ------
    InputError
        No portrait, or no photo that can be compared with.
    """
    opened = (_opened(portrait) for portrait in portraits)
    known = (_opened(photo) for photo in photos)
    return run_through(rank_pictures(opened, known, engine or _default_engine()))[0]


def find_marks(
    photos: Sequence[Picture],
    engine: Engine | None = None,
    method: str | None = None,
    weights: Path | None = None,
    threshold: float | None = None,
) -> list[MarkedPhoto]:
    """Step 4: find moles, spots, acne and wrinkles on photos of one person.

    Parameters
    ----------
    photos : sequence of Photo, Path or str
        Of one person, each of another name. They are looked at together: what is faint on one
        counts for more where others show it.
    engine : Engine, optional
        Finds the faces.
    method : str, optional
        A finder that looks at each photo by itself: "heatmap", "dog", ... None: all together.
    weights : Path, optional
        Of a finder that you trained.
    threshold : float, optional
        Least score, 0..1; None: the finder's own.

    Returns
    -------
    list of MarkedPhoto
        The photos with their `marks`: `kind`, `xy` px, `radius` px, `score` 0..1.

    Raises
    ------
    InputError
        A photo has not one face, or seems to show another person than the rest.
    """
    engine, opened = engine or _default_engine(), [_opened(photo) for photo in photos]
    if len({photo.name for photo in opened}) < len(opened):
        raise InputError("same_photo_name")
    if method is not None:
        return [find_marks_in_photo(photo, engine, method, weights, threshold) for photo in opened]
    search = find_marks_of_photos(
        opened, engine, weights=weights, threshold=threshold, refuse_strangers=True
    )
    return run_through(search)


def build_atlas(photos: Sequence[MarkedPhoto]) -> Atlas:
    """Step 4: all marks of a person on one head, in how many photos each is seen.

    Parameters
    ----------
    photos : sequence of MarkedPhoto
        Of `find_marks`.

    Returns
    -------
    Atlas
        `entries` (the marks), `mirrored` (photos that seem flipped), `coverage`; `draw_passport`
        draws it.
    """
    return build_passport(list(photos)).atlas


def restore_marks(
    portrait: Picture,
    photos: Sequence[MarkedPhoto],
    engine: Engine | None = None,
    options: RestoreOptions | None = None,
) -> RestoredPortrait:
    """Step 4: put the marks of the photos back into a portrait; all else stays bit for bit.

    Parameters
    ----------
    portrait : Photo, Path or str
        Of any generator; of several faces on it, the person's.
    photos : sequence of MarkedPhoto
        Of `find_marks`.
    engine : Engine, optional
        The one that found the faces of the photos.
    options : RestoreOptions, optional
        Strengths, marks switched off or moved, another method.

    Returns
    -------
    RestoredPortrait
        `pixels`, `likeness` before and after, `report`, `card()`; `save(path)` writes the PNG.

    Raises
    ------
    InputError
        No photos, no face on the portrait, or one turned away.
    """
    picture = portrait if isinstance(portrait, Photo) else Path(portrait)
    return restore_portrait(picture, photos, engine or _default_engine(), options)


@cache
def _default_engine() -> Engine:
    return load_engine()


def _opened(picture: Picture) -> Photo:
    return picture if isinstance(picture, Photo) else open_photo(Path(picture))
