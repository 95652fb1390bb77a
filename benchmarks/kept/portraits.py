"""Clean views of made-up people restored from their other views."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import realism
from benchmarks.restore.measures import lab
from data_sets.marked_people import TwinView, analyse_picture
from realism.faces.engine import Engine
from realism.faces.skin import LEAST_SKIN
from realism.images import Photo, open_photo
from realism.marks.mark import Mark, make_mark
from realism.marks.photo import MarkedPhoto, PhotoAnalysis
from realism.workflow import run_through
from realism.workflow.marks import find_marks_of_photos, open_marked_photo
from realism.workflow.restore import RestoreOptions

GIVEN_HALF_WIDTH = 2.0  # px of a wrinkle that is given
# Least angle of each group, degrees, and its name.
TONES = (
    (55, "1 very light"),
    (41, "2 light"),
    (28, "3 intermediate"),
    (10, "4 tan"),
    (-30, "5 brown"),
    (-np.inf, "6 dark"),
)


@dataclass(frozen=True, eq=False)
class Restoration:
    """A clean view with the marks that the person's other views brought.

    Attributes
    ----------
    person : str
    view : TwinView
        The portrait.
    others : list of TwinView
        The photos.
    analysis : PhotoAnalysis
        Of the portrait.
    restored, truth : (H, W, 3) uint8 sRGB
        The portrait with its marks, and the render with the true ones.
    report : dict
        Of the restoration.
    """

    person: str
    view: TwinView
    others: list[TwinView]
    analysis: PhotoAnalysis
    restored: np.ndarray
    truth: np.ndarray
    report: dict

    @property
    def clean(self) -> np.ndarray:
        """The portrait before, (H, W, 3) uint8 sRGB."""
        return self.analysis.pixels

    def reasons(self) -> Counter:
        """Why marks were not put, and how many of each."""
        return Counter(p["reason"] for p in self.report["placements"] if not p["visible"])


def restore_all(
    people: Mapping[str, Sequence[TwinView]], given: bool, method: str, placement: str
) -> Iterator[Restoration]:
    """Restore every view of every person from the others.

    Parameters
    ----------
    people : mapping of str to sequence of TwinView
    given : bool
        Whether the photos come with the truth's marks.
    method, placement : str
        As for `realism.restore_marks`.
    """
    engine = realism.load_engine()
    options = RestoreOptions(method, placement, least_sightings=1 if given else 2)
    for person, views in people.items():
        held = {
            view.name: open_marked_photo(view.marked, engine, given_marks(view) if given else None)
            for view in views
        }
        for view in views:
            others = [other for other in views if other is not view]
            photos = [held[other.name] for other in others]
            if not given:
                photos = _find(photos, engine)
            restored = realism.restore_marks(view.clean, photos, engine, options)
            truth = open_photo(view.marked).pixels
            analysis = analyse_picture(view.clean)
            yield Restoration(
                person, view, others, analysis, restored.pixels, truth, restored.report
            )


def _find(photos: Sequence[MarkedPhoto], engine: Engine) -> list[MarkedPhoto]:
    """The photos with the marks that the program finds on them, together."""
    opened = [Photo(photo.name, photo.pixels) for photo in photos]
    held = {photo.name: photo for photo in photos}
    return run_through(find_marks_of_photos(opened, engine, held=held))


def given_marks(view: TwinView) -> list[Mark]:
    """The visible marks of the truth, as a person would give them: no closer than half a px."""
    marks = []
    for value in view.truth["marks"]:
        if not value["visible"]:
            continue
        xy = np.array(value["xy"], np.float32)
        line = np.array(value.get("polyline", []), np.float32).reshape(-1, 2)
        radius = GIVEN_HALF_WIDTH if value["kind"] == "wrinkle" else value["radius_px"]
        marks.append(make_mark(value["kind"], xy, radius, 1.0, line))
    return marks


def skin_tone(views: Sequence[TwinView]) -> str:
    """The group of a person's skin by its individual typology angle."""
    colours = [
        lab(clean.pixels)[clean.skin > LEAST_SKIN]
        for view in views
        for clean in [analyse_picture(view.clean)]
    ]
    lightness, _, yellow = np.median(np.concatenate(colours), axis=0)
    angle = np.degrees(np.arctan2(lightness - 50, yellow))
    return next(name for least, name in TONES if angle >= least)
