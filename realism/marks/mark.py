"""A mark of the skin in a picture: a round one (mole, spot, acne) or a wrinkle, and its JSON.

The JSON is the fixed form that `python -m realism marks find --json` writes and
`marks restore --marks` reads.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeAlias

import numpy as np

from realism.errors import InputError

ROUND_KINDS = ("mole", "spot", "acne")
KINDS = (*ROUND_KINDS, "wrinkle")

PointMap: TypeAlias = Callable[[np.ndarray], np.ndarray]  # (..., 2) px to (..., 2) px


def _no_points() -> np.ndarray:
    return np.zeros((0, 2), np.float32)


@dataclass(frozen=True, eq=False)
class RoundMark:
    """A mole, a spot or acne in one picture, in pixels of the image as displayed.

    Attributes
    ----------
    kind : str
        One of `ROUND_KINDS`.
    xy : (2,) float32 ndarray, px
        Its centre.
    radius : float, px
    score : float, 0..1
        How sure the finder is; 1 when a person placed it.
    """

    kind: str
    xy: np.ndarray
    radius: float
    score: float = 1.0
    is_traced: ClassVar[bool] = False  # it has no course

    @property
    def points(self) -> np.ndarray:
        """(1, 2) px: where it lies."""
        return self.xy[None]

    def mapped(self, to: PointMap, scale: float = 1.0) -> "RoundMark":
        """The mark with its points taken elsewhere by `to`, and its size times `scale`."""
        return replace(self, xy=to(self.xy), radius=self.radius * scale)


@dataclass(frozen=True, eq=False)
class Wrinkle:
    """A fold of the skin in one picture, in pixels of the image as displayed.

    Attributes
    ----------
    xy : (2,) float32 ndarray, px
        The middle of its course, or the point that a person clicked.
    half_width : float, px
    score : float, 0..1
        How sure the finder is; 1 when a person placed it.
    polyline : (n, 2) float32 ndarray, px
        Its course; (0, 2) of an annotation that is one point only.
    """

    xy: np.ndarray
    half_width: float
    score: float = 1.0
    polyline: np.ndarray = field(default_factory=_no_points)
    kind: ClassVar[str] = "wrinkle"

    @property
    def radius(self) -> float:
        """Half its width, px, by the name under which every mark has its size."""
        return self.half_width

    @property
    def is_traced(self) -> bool:
        """Whether its course is known, not only a point of it."""
        return len(self.polyline) > 1

    @property
    def points(self) -> np.ndarray:
        """(n, 2) px: its course, or the one point that is known of it."""
        return self.polyline if self.is_traced else self.xy[None]

    def mapped(self, to: PointMap, scale: float = 1.0) -> "Wrinkle":
        """The mark with its points taken elsewhere by `to`, and its size times `scale`."""
        return replace(
            self,
            xy=to(self.xy),
            half_width=self.half_width * scale,
            polyline=to(self.polyline) if len(self.polyline) else self.polyline,
        )


Mark: TypeAlias = RoundMark | Wrinkle
SeenMark: TypeAlias = tuple[str, Mark]  # a photo by its name, and a mark in it


def make_mark(
    kind: str,
    xy: np.ndarray,
    radius: float,
    score: float = 1.0,
    polyline: np.ndarray | None = None,
) -> Mark:
    """A mark of a kind that is known by its name only.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    xy : (2,) float32 ndarray, px
    radius : float, px
        Of a wrinkle half its width.
    score : float, 0..1
    polyline : (n, 2) float32 ndarray, px, optional
        Of a wrinkle; round marks have none, and leave it out.
    """
    if kind == Wrinkle.kind:
        return Wrinkle(xy, radius, score, _no_points() if polyline is None else polyline)
    return RoundMark(kind, xy, radius, score)


def flipped(mark: Mark, width: int) -> Mark:
    """The mark in a picture of `width` px that was flipped left to right."""
    turn, last = np.array([-1, 1], np.float32), np.array([width - 1, 0], np.float32)
    return mark.mapped(lambda points: points * turn + last)


def mark_to_json(mark: Mark) -> dict:
    """A Mark as plain JSON values, pixels to two decimals."""
    value = {
        "kind": mark.kind,
        "xy": [round(float(v), 2) for v in mark.xy],
        "radius": round(float(mark.radius), 2),
        "score": round(float(mark.score), 4),
    }
    if isinstance(mark, Wrinkle) and len(mark.polyline):
        value["line"] = [[round(float(x), 2), round(float(y), 2)] for x, y in mark.polyline]
    return value


def mark_from_json(value: dict) -> Mark:
    """The Mark of one JSON object.

    Raises
    ------
    InputError
        When it is not one.
    """
    try:
        kind = value["kind"]
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused below
            xy = np.asarray(value["xy"], np.float32).reshape(2)
            polyline = np.asarray(value.get("line") or _no_points(), np.float32).reshape(-1, 2)
        radius = float(value.get("radius", 3.0))
        score = float(value.get("score", 1.0))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError("mark_not_readable", mark=repr(value)) from error
    if kind not in KINDS:
        raise InputError("unknown_mark_kind", kind=kind, choices=KINDS)
    numbers = np.concatenate([xy, polyline.ravel(), [radius, score]])
    if not np.isfinite(numbers).all() or radius <= 0:
        raise InputError("mark_numbers_invalid", mark=repr(value))
    return make_mark(kind, xy, radius, score, polyline)


def marks_by_image(value: object) -> dict[str, list[Mark]]:
    """Marks from the JSON of `marks find`, by the image's file name.

    Raises
    ------
    InputError
        When the JSON is of another form.
    """
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
