"""A mark of the skin in a picture: mole, spot, acne or wrinkle, and its JSON.

The JSON is the fixed form that `python -m realism marks find --json` writes and
`marks restore --marks` reads.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from realism.errors import InputError

KINDS = ("mole", "spot", "acne", "wrinkle")
# In which each kind is drawn, sRGB; apart for the colour-blind, too (Okabe and Ito, 2008).
COLOURS = {
    "mole": (0, 114, 178), "spot": (230, 159, 0), "acne": (204, 51, 85), "wrinkle": (0, 158, 115)
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Mark:
    """One mark in one picture, in pixels of the image as displayed.

    kind      one of KINDS
    xy        (2,) float32 px, centre; of a wrinkle the middle of its line
    radius    px; of a wrinkle half its width
    score     how sure the finder is, 0..1; 1 when a person placed it
    line      (n, 2) float32 px, the course of a wrinkle; (0, 2) for round marks
    """

    kind: str
    xy: np.ndarray
    radius: float
    score: float = 1.0
    line: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.float32))


def flipped(mark: Mark, width: int) -> Mark:
    """The mark in a picture of `width` px that was flipped left to right."""
    turn, last = np.float32([-1, 1]), np.float32([width - 1, 0])
    line = mark.line * turn + last if len(mark.line) else mark.line
    return replace(mark, xy=mark.xy * turn + last, line=line)


def mark_to_json(mark: Mark) -> dict:
    """A Mark as plain JSON values, pixels to two decimals."""
    value = {
        "kind": mark.kind,
        "xy": [round(float(v), 2) for v in mark.xy],
        "radius": round(float(mark.radius), 2),
        "score": round(float(mark.score), 4),
    }
    if len(mark.line):
        value["line"] = [[round(float(x), 2), round(float(y), 2)] for x, y in mark.line]
    return value


def mark_from_json(value: dict) -> Mark:
    """The Mark of one JSON object; raises InputError when it is not one."""
    try:
        kind = value["kind"]
        xy = np.asarray(value["xy"], np.float32).reshape(2)
        radius = float(value.get("radius", 3.0))
        line = np.asarray(value.get("line") or np.zeros((0, 2)), np.float32).reshape(-1, 2)
        score = float(value.get("score", 1.0))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError("mark_not_readable", mark=repr(value)) from error
    if kind not in KINDS:
        raise InputError("unknown_mark_kind", kind=kind, choices=KINDS)
    numbers = np.concatenate([xy, line.ravel(), [radius, score]])
    if not np.isfinite(numbers).all() or radius <= 0:
        raise InputError("mark_numbers_invalid", mark=repr(value))
    return Mark(kind, xy, radius, score, line)


def marks_by_image(value: object) -> dict[str, list[Mark]]:
    """Marks from the JSON of `marks find`, by the image's file name."""
    if not isinstance(value, list) or not all(
        isinstance(entry, dict) and "image" in entry and isinstance(entry.get("marks"), list)
        for entry in value
    ):
        raise InputError("not_a_marks_file")
    return {entry["image"]: [mark_from_json(mark) for mark in entry["marks"]] for entry in value}


def marks_to_json(images: Iterable[tuple[str, list[Mark]]]) -> list[dict]:
    """What `marks find --json` writes: one object an image, in the order given."""
    return [
        {"image": name, "marks": [mark_to_json(mark) for mark in marks]} for name, marks in images
    ]
