"""What became of a mark that a portrait should show."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.kept.portraits import Restoration
from benchmarks.restore.cases import Case
from benchmarks.restore.measures import LEAST_MEAN, LEAST_PEAK, SHIFT, lab, measure_round
from data_sets.marked_people import LEAST_FACING
from realism.marks.mark import ROUND_KINDS

KEPT = 0.3  # share of its difference from which a mark counts as back
LEAST_PHOTOS = 2  # that could have shown it
RIGHT_CONTRAST = 0.75, 1.33  # of a contrast over the truth's
SAME_MM = 2.0  # mm between a finding and the mark that it is taken for, or twice its radius
WRONG = 4.0  # CIE76 that nobody asked for
WRONG_MM = 2.0  # mm over which it is averaged


@dataclass(frozen=True)
class KeptMark:
    """A visible round mark and what became of it.

    Attributes
    ----------
    person, portrait, mark, kind : str
    back : float
        Share of its difference that is back.
    contrast : float
        Restored over the truth's; nan of acne and where the truth's says nothing.
    put : bool
        Whether something was put for it.
    fate : str
        What the report says of it.
    """

    person: str
    portrait: str
    mark: str
    kind: str
    back: float
    contrast: float
    put: bool
    fate: str

    @property
    def kept(self) -> bool:
        """Whether it came back."""
        return self.back >= KEPT


def measure_kept(restoration: Restoration) -> Iterator[KeptMark]:
    """Every mark that the portrait should show."""
    truth = restoration.view.truth
    mm_per_px = truth["mm_per_px"]
    bare, wanted, after = map(lab, (restoration.clean, restoration.truth, restoration.restored))
    case = Case(
        restoration.person, restoration.view, [], restoration.analysis, restoration.truth, []
    )
    for value in offered(restoration):
        where = _disc(bare.shape, value["xy"], 2 * value["radius_px"])
        if not where.any():
            continue
        lost = np.linalg.norm(bare - wanted, axis=2)[where]
        if lost.mean() < LEAST_MEAN or lost.max() < LEAST_PEAK:
            continue
        left = min(
            np.linalg.norm(moved - wanted[where], axis=1).sum()
            for moved in _moved_pixels(after, where, SHIFT / mm_per_px)
        )
        figures = measure_round(case, restoration.restored, value)
        placements = placements_of(value["id"], restoration)
        yield KeptMark(
            restoration.person,
            restoration.view.name,
            value["id"],
            value["kind"],
            1 - float(left / lost.sum()),
            figures[2] if figures else np.nan,
            any(placement["visible"] for placement in placements),
            _fate(value, placements, mm_per_px),
        )


def offered(restoration: Restoration) -> list[dict]:
    """The truth of round marks that the portrait should show and enough photos could."""
    could = Counter(
        value["id"]
        for other in restoration.others
        for value in other.truth["marks"]
        if value["visible"] and value["facing"] > LEAST_FACING
    )
    return [
        value
        for value in restoration.view.truth["marks"]
        if value["kind"] in ROUND_KINDS
        and value["visible"]
        and value["facing"] >= LEAST_FACING
        and could[value["id"]] >= LEAST_PHOTOS
    ]


def _moved_pixels(picture: np.ndarray, where: np.ndarray, most: float) -> Iterator[np.ndarray]:
    """The pixels that lie at `where` when the picture is moved by up to `most` px: (n, 3) each."""
    rows, columns = np.nonzero(where)
    height, width = where.shape
    reach = int(np.ceil(most))
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            if dx * dx + dy * dy <= most**2 + 0.25:
                yield picture[(rows - dy) % height, (columns - dx) % width]


def placements_of(mark_id: str, restoration: Restoration) -> list[dict]:
    """What the report says of a mark: its placements, from whichever photo."""
    marks = {
        other.marked.name: next(m for m in other.truth["marks"] if m["id"] == mark_id)
        for other in restoration.others
    }
    reach = {other.marked.name: SAME_MM / other.truth["mm_per_px"] for other in restoration.others}
    found = []
    for placement in restoration.report["placements"]:
        value, photo = marks[placement["photo"]], placement["photo"]
        gap = np.hypot(*(np.array(placement["from"]) + 0.5 - value["xy"]))
        if placement["kind"] in ROUND_KINDS and gap <= max(reach[photo], value["radius_px"]):
            found.append(placement)
    return found


def _fate(value: dict, placements: list[dict], mm_per_px: float) -> str:
    """What became of a mark, in words."""
    put = [placement for placement in placements if placement["visible"]]
    if put:
        gaps = [np.hypot(*(np.array(p["to"]) + 0.5 - value["xy"])) * mm_per_px for p in put]
        return "put there, and looks unlike it" if min(gaps) <= SHIFT else "put too far off"
    if placements:
        return placements[0]["reason"]
    return "no mark of it: never found, or taken for a neighbour"


def count_wrong_places(restoration: Restoration) -> int:
    """Places that changed away from every mark."""
    truth = restoration.view.truth
    mm_per_px = truth["mm_per_px"]
    bare, after = lab(restoration.clean), lab(restoration.restored)
    near = np.zeros(bare.shape[:2], bool)
    for value in truth["marks"]:
        if value["kind"] in ROUND_KINDS:
            near |= _disc(bare.shape, value["xy"], value["radius_px"] + 4 / mm_per_px)
        else:
            drawn = np.zeros(bare.shape[:2], np.uint8)
            course = np.int32(np.array(value["polyline"])).reshape(-1, 1, 2)
            cv2.polylines(drawn, [course], False, 1, int(8 / mm_per_px) + 1)
            near |= drawn > 0
    moved = np.linalg.norm(after - bare, axis=2).astype(np.float32)
    moved = cv2.blur(moved, (max(int(WRONG_MM / mm_per_px), 1),) * 2) > WRONG
    return cv2.connectedComponents((moved & ~near).astype(np.uint8))[0] - 1


def _disc(shape: tuple[int, ...], centre: list[float], radius: float) -> np.ndarray:
    """The pixels within a disc of the truth, whose pixel centres lie at .5: (h, w) bool."""
    ys, xs = np.mgrid[: shape[0], : shape[1]]
    return (xs + 0.5 - centre[0]) ** 2 + (ys + 0.5 - centre[1]) ** 2 <= radius**2
