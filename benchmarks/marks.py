"""How well marks are placed, on pictures whose marks are known; and how those are read.

    python -m benchmarks.marks --data ../shared/data/marked-people

Millimetres over all ordered pairs of views. The data are of the form of
../shared/data/marked-people (truth/, marked/, clean/). How well marks are found:
`benchmarks/find.py`; how they look when restored: `benchmarks/restore.py`.
"""

import argparse
import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import cv2
import numpy as np

from realism.faces.engine import load_engine, primary_face
from realism.faces.face import Face
from realism.faces.paintable import paintable_mask
from realism.faces.skin import skin_mask
from realism.head.fit import fit_person, steady_mesh
from realism.head.registration import build_grid, register
from realism.images import open_photo
from realism.marks.mark import KINDS, Mark, RoundMark, Wrinkle
from realism.marks.restore.placement import place_marks

ROUND = KINDS[:3]


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture with its face and skin."""

    pixels: np.ndarray
    face: Face
    skin: np.ndarray

    @cached_property
    def canvas(self) -> np.ndarray:
        """Where marks may be put."""
        return paintable_mask(self.pixels, self.skin, self.face)

    @cached_property
    def steady(self) -> tuple[np.ndarray, tuple[int, int]]:
        """What a head is fitted to: the mesh, read several times, and the picture's size."""
        return steady_mesh(self.pixels, self.face.mesh), self.pixels.shape[:2]


@cache
def seen(path: Path) -> Seen:
    """A picture, its face and its skin, found once."""
    pixels = open_photo(path).pixels
    face = primary_face(load_engine().find(pixels))
    return Seen(pixels, face, skin_mask(pixels, face))


@dataclass(frozen=True, eq=False)
class View:
    """One view of a made-up person, with the truth of its marks."""

    name: str
    truth: dict
    marked: Path
    clean: Path

    def marks(self, kinds: tuple[str, ...] = KINDS) -> dict[str, Mark]:
        """The marks that can be seen, by id."""
        return {
            m["id"]: as_mark(m, self.truth)
            for m in self.truth["marks"]
            if m["visible"] and m["kind"] in kinds
        }

    def of(self, mark_id: str) -> dict:
        """The truth of one mark, seen or not."""
        return next(m for m in self.truth["marks"] if m["id"] == mark_id)


def as_mark(value: dict, truth: dict) -> Mark:
    """A mark of the truth, whose pixel centres lie at .5, as ours, at whole numbers."""
    xy = np.float32(value["xy"]) - 0.5
    if value["kind"] != "wrinkle":
        return RoundMark(value["kind"], xy, float(value.get("radius_px", 1)))
    points = [p for p, v in zip(value["polyline"], value["polyline_visible"], strict=True) if v]
    half_width = max(1.0, value["width_mm"] / truth["mm_per_px"])
    return Wrinkle(xy, half_width, polyline=(np.float32(points) - 0.5).reshape(-1, 2))


def views(data: Path) -> dict[str, list[View]]:
    """All views of a folder like marked-people, by person."""
    people: dict[str, list[View]] = {}
    for path in sorted((data / "truth").glob("*.json")):
        truth = json.loads(path.read_text())
        name = f"{path.stem}.jpg"
        view = View(path.stem, truth, data / "marked" / name, data / "clean" / name)
        people.setdefault(truth["person"], []).append(view)
    return people


def place_all(data: Path) -> None:
    """Print the placement's error over all ordered pairs of views.

    The portrait is the clean twin: marks in it would tell where marks go. "Skin smoothed" hides
    the texture that the twins' skin shares and that a generated portrait's may not.
    """
    print(
        "placement            marks   all seen   facing > 0.3   facing > 0.5 (median / 95 %, mm)"
        "   put though hidden   seen ones left out"
    )
    for name, method, look in (
        ("head, registered", "head", lambda pixels: pixels),
        ("same, skin smoothed", "head", lambda pixels: cv2.bilateralFilter(pixels, 9, 40, 4.0)),
        ("head alone", "head", None),
        ("nearest3", "nearest3", None),
    ):
        errors, facing, turned, haired, put, left_out = [], [], 0, 0, 0, 0
        for group in views(data).values():
            for photo, portrait in ((a, b) for a in group for b in group if a is not b):
                one, two = seen(photo.marked), seen(portrait.clean)
                marks = photo.marks(ROUND)
                heads = shift = None
                if method == "head":
                    heads = tuple(fit_person([one.steady, two.steady]))
                if look is not None:
                    shift = register(one.pixels, heads[0], build_grid(look(two.pixels), heads[1]))
                places = place_marks(
                    list(marks.values()), photo.name, one.face, two.face, two.canvas, method,
                    heads, shift,
                )  # fmt: skip
                put += sum(spot.visible for spot in places)
                for mark_id, spot in zip(marks, places, strict=True):
                    there = portrait.of(mark_id)
                    if not there["visible"]:
                        turned += spot.visible and there["facing"] < 0
                        haired += spot.visible and there["facing"] > 0
                        continue
                    gap = np.hypot(*(spot.to - np.float32(there["xy"]) + 0.5))
                    errors.append(gap * portrait.truth["mm_per_px"])
                    facing.append(min(photo.of(mark_id)["facing"], there["facing"]))
                    left_out += not spot.visible and facing[-1] > 0.3
        errors, facing = np.array(errors), np.array(facing)
        parts = [errors, errors[facing > 0.3], errors[facing > 0.5]]
        cells = "   ".join(f"{np.median(e):5.2f} / {np.percentile(e, 95):5.1f}" for e in parts)
        print(
            f"{name:19s}  {len(errors):5d}   {cells}   {turned} turned away, {haired} under hair: "
            f"{(turned + haired) / put:.1%} of {put} put   {left_out} of {(facing > 0.3).sum()}",
            flush=True,
        )


def main() -> None:
    """Print the figures of each folder."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, action="append", required=True)
    for data in parser.parse_args().data:
        place_all(data)


if __name__ == "__main__":
    main()
