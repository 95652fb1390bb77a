"""What came of all four steps, composed as one picture of the person."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from realism.draw.overview import Tile, View, overview
from realism.faces.face import Face
from realism.images import open_photo
from realism.marks.photo import MarkedPhoto
from realism.marks.restore.placement import Placement
from realism.person.person import Person
from realism.portraits.rank import Ranked
from realism.workflow.restore import RestoredPortrait

NEAR = 0.55  # of the face's width: side of the close-up


def compose_overview(
    person: Person,
    run: Path,
    ranked: Sequence[Ranked],
    photos: Sequence[MarkedPhoto],
    restored: Mapping[str, RestoredPortrait],
    note: str,
) -> np.ndarray:
    """The best photo and portraits of a person, and one portrait without and with the marks.

    Parameters
    ----------
    person : Person
        With accepted photos.
    run : Path
        The folder of the portraits.
    ranked : sequence of Ranked
        Its portraits, the closest first.
    photos : sequence of MarkedPhoto
        What the marks were taken from.
    restored : mapping of str to RestoredPortrait
        Portraits with their marks, by the portrait's name; the one with most marks is shown.
    note : str
        Below all: with what it was made.

    Returns
    -------
    ndarray, (H, 1280, 3) uint8 sRGB
    """
    scale = person.photo_to_photo()
    compared = [row for row in ranked if row.similarity is not None]
    name = compared[0].closest_photo if compared else None
    best = person.record(name or max(scale, key=lambda photo: scale[photo]))
    subtitle = f"{len(scale)} photos, {len(ranked)} portraits, the closest first"
    own = f"likeness of photos {min(scale.values()):.2f} to {max(scale.values()):.2f}"
    tiles = [
        Tile(open_photo(run / row.name).pixels, f"{row.rank}.  likeness {row.similarity:.2f}")
        for row in compared
    ]
    photo = Tile(best.photo().pixels, f"A photo; {own}")
    marks = _marks(restored, photos, ranked) if restored else None
    return overview(f"Realism: {person.name}", subtitle, photo, tiles, marks, note)


def _marks(
    restored: Mapping[str, RestoredPortrait],
    photos: Sequence[MarkedPhoto],
    ranked: Sequence[Ranked],
) -> tuple[str, list[View]]:
    """Heading and the three columns of the portrait with most marks, the closest of equals."""
    candidates = [row.name for row in ranked if row.name in restored]
    name = max(candidates, key=lambda candidate: restored[candidate].put_back)
    done = restored[name]
    before, after, face = done.placed.portrait.pixels, done.pixels, done.placed.face
    width = float(face.box[2] - face.box[0])
    side = NEAR * width
    visible = [
        placed
        for placed, row in zip(done.placed.placements, done.report["placements"], strict=True)
        if row["visible"]
    ]
    change = np.abs(after.astype(np.float32) - before).sum(2)
    centre = _richest(visible, change, side)
    likeness = done.likeness
    then = "no face" if likeness.after is None else f"likeness {likeness.after:.2f}"
    views = [
        View(before, centre, side, f"As drawn, likeness {likeness.before:.2f}"),
        View(after, centre, side, f"With marks, {then}"),
    ]
    near = _near(visible, centre, side)
    if near:
        views.insert(0, _same_place(near, photos, centre, side, face))
    rank = next(row.rank for row in ranked if row.name == name)
    return f"{done.put_back} marks of the skin put back into portrait {rank}", views


def _same_place(
    near: list[Placement],
    photos: Sequence[MarkedPhoto],
    centre: np.ndarray,
    side: float,
    face: Face,
) -> View:
    """The photo that most of these marks were taken from, where it shows them.

    Of equals the one that is turned most as the portrait's face is.
    """
    names = [placed.photo for placed in near]
    photo = max(
        (photo for photo in photos if photo.name in names),
        key=lambda photo: (
            names.count(photo.name),
            -abs(photo.face.pose.yaw - face.pose.yaw),
        ),
    )
    theirs = [placed for placed in near if placed.photo == photo.name]
    larger = float((photo.face.box[2] - photo.face.box[0]) / (face.box[2] - face.box[0]))
    shift = centre - np.mean([placed.to for placed in theirs], axis=0)
    there = np.mean([placed.mark.xy for placed in theirs], axis=0) + shift * larger
    return View(photo.pixels, there, side * larger, "The photo")


def _richest(placements: list[Placement], change: np.ndarray, side: float) -> np.ndarray:
    """Middle (x, y) of the square that shows most marks; of equals, where they change most."""
    height, width = change.shape
    half = side / 2

    def shown(centre: np.ndarray) -> tuple[int, float]:
        x, y = np.clip(centre - half, 0, None).astype(int)
        within = change[y : y + int(side), x : x + int(side)]
        return len(_near(placements, centre, 0.9 * side)), float(within.sum())

    # A square that shows two marks can be moved until they lie at its middle.
    spots = [(a.to + b.to) / 2 for a in placements for b in placements]
    inside = [np.clip(spot, half, (width - half, height - half)) for spot in spots]
    return max(inside, key=shown, default=np.array([width / 2, height / 2]))


def _near(placements: list[Placement], centre: np.ndarray, side: float) -> list[Placement]:
    """Those in a square."""
    return [placed for placed in placements if np.abs(placed.to - centre).max() <= side / 2]
