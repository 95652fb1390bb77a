"""Renders of made-up people with the truth of their marks: `truth/`, `marked/`, `clean/`.

`marked/` and `clean/` hold the same picture with and without the marks; `truth/` says where each
mark lies, how large it is and whether it is seen. Sets of this form: `../shared/data/marked-people`
and what the people renderer writes with `--marks --pairs`.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from realism.faces.engine import load_engine, primary_face
from realism.images import open_photo
from realism.marks.mark import KINDS, Mark, RoundMark, Wrinkle
from realism.marks.photo import PhotoAnalysis

# Below 3 grey levels nobody can see a mark; at a grazing angle hardly.
LEAST_CONTRAST = 4.0  # grey levels
LEAST_FACING = 0.3  # cosine between the skin's normal and the line of sight


@dataclass(frozen=True, eq=False)
class TwinView:
    """One view of a made-up person, with the truth of its marks.

    Attributes
    ----------
    name : str
        Of its pictures, without the suffix.
    truth : dict
        What the renderer wrote; its pixel centres lie at .5.
    marked, clean : Path
        The picture with its marks and without them.
    """

    name: str
    truth: dict
    marked: Path
    clean: Path

    def marks(self, kinds: tuple[str, ...] = KINDS) -> dict[str, Mark]:
        """The marks that can be seen, by id."""
        return {
            value["id"]: mark_from_truth(value, self.truth)
            for value in self.truth["marks"]
            if value["visible"] and value["kind"] in kinds
        }

    def mark_truth(self, mark_id: str) -> dict:
        """The truth of one mark, seen or not."""
        return next(value for value in self.truth["marks"] if value["id"] == mark_id)


def mark_from_truth(value: dict, truth: dict) -> Mark:
    """A mark of the truth, whose pixel centres lie at .5, as ours, at whole numbers.

    Parameters
    ----------
    value : dict
        One of `truth["marks"]`.
    truth : dict
        Of its picture.
    """
    xy = np.float32(value["xy"]) - 0.5
    if value["kind"] != "wrinkle":
        return RoundMark(value["kind"], xy, float(value.get("radius_px", 1)))
    points = [p for p, v in zip(value["polyline"], value["polyline_visible"], strict=True) if v]
    half_width = max(1.0, value["width_mm"] / truth["mm_per_px"])
    return Wrinkle(xy, half_width, polyline=(np.float32(points) - 0.5).reshape(-1, 2))


def read_views(data: Path) -> dict[str, list[TwinView]]:
    """All views of a folder of this form, by person."""
    people: dict[str, list[TwinView]] = {}
    for path in sorted((data / "truth").glob("*.json")):
        truth = json.loads(path.read_text())
        name = f"{path.stem}.jpg"
        view = TwinView(path.stem, truth, data / "marked" / name, data / "clean" / name)
        people.setdefault(truth["person"], []).append(view)
    return people


def read_truth(picture: Path) -> dict:
    """The renderer's truth of a picture in `marked/` or `clean/`, or of one beside `truth/`."""
    folder = picture.parent
    if folder.name in ("marked", "clean"):
        folder = folder.parent
    return json.loads((folder / "truth" / f"{picture.stem}.json").read_text())


@cache
def analyse_picture(path: Path) -> PhotoAnalysis:
    """A picture with its face and its skin, found once in a process.

    Raises
    ------
    InputError
        When there is not one clear face in it.
    """
    pixels = open_photo(path).pixels
    face = primary_face(load_engine().find(pixels))
    return PhotoAnalysis(pixels, face)
