"""What photo-like faces have of their own: a few looked at, the rest by the finder as it ships.

`natural_marks.json` says of places that the finder took for marks what they are: a kind, or "none"
(ears, earrings, stubble, folds). Of all others on open skin nobody knows, so that they count
neither way (`ignored`), or the network would learn to be silent. Beside eyes, brows, lips and
nostrils marks are rare and shade is common: there what the finder takes for a round mark is none.
"""

import json
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from realism.faces.features import BROWS, EYES, LIPS, NOSTRILS
from realism.marks.find.finders import HEATMAP_WEIGHTS
from realism.marks.find.heatmap import find_candidates, marks_from_candidates
from realism.marks.find.network import load_heatmap
from realism.marks.mark import Mark, RoundMark
from training.finder.samples import make_face

LOOKED_AT = Path(__file__).with_name("natural_marks.json")
NONE = "none"
SAME = 0.012  # of the face's width: a place so near is the one that was looked at
# Chances from which what is there may be a mark: far below what the finder is sure of, for pale
# ones are what it is to learn.
LEAST_ROUND, LEAST_WRINKLE = 0.12, 0.1
BESIDE = 0.035  # of the face's width, from a feature's outline


def natural_marks(crop: dict[str, np.ndarray], name: str) -> tuple[list[Mark], list[Mark]]:
    """What marks a prepared face has of its own, and what may be some, px of the crop.

    Parameters
    ----------
    crop : dict
        Of `crops.crop_surroundings`.
    name : str
        Of the picture.
    """
    net, face = load_heatmap(HEATMAP_WEIGHTS), make_face(crop["mesh"])
    skin = crop["skin"].astype(np.float32) / 255
    found = find_candidates(net, crop["pixels"], face, skin)
    marks = marks_from_candidates(found, found.odds, found.kinds, found.wrinkle_odds)
    maybe = [mark for mark in marks if may_be_mark(mark, crop)]
    own = [
        RoundMark(kind, mark.xy, mark.radius)
        for mark in maybe
        if isinstance(mark, RoundMark) and (kind := looked_at(mark, crop, name)) not in (None, NONE)
    ]
    unknown = [mark for mark in maybe if looked_at(mark, crop, name) is None]
    return own, unknown


def may_be_mark(mark: Mark, crop: dict[str, np.ndarray]) -> bool:
    """Whether what the finder found is likely enough, and no shade beside a feature."""
    if not isinstance(mark, RoundMark):
        return mark.score >= LEAST_WRINKLE
    x, y = map(float, mark.xy)
    beside = max(
        cv2.pointPolygonTest(cv2.convexHull(crop["mesh"][list(outline), :2]), (x, y), True)
        for outline in (*EYES, *BROWS, LIPS, *NOSTRILS)
    )
    return mark.score >= LEAST_ROUND and beside < -BESIDE * float(crop["span"])


def looked_at(mark: Mark, crop: dict[str, np.ndarray], name: str) -> str | None:
    """What a round mark is that somebody looked at: a kind, or NONE."""
    if not isinstance(mark, RoundMark):
        return None
    for place in read_looked_at().get(name, []):
        away = np.hypot(*(mark.xy + crop["corner"] - place["xy"]))
        if away < SAME * float(crop["span"]):
            return place["kind"]
    return None


@cache
def read_looked_at() -> dict[str, list[dict]]:
    """The places that were looked at, by picture: "xy" in px of it, and "kind"."""
    return json.loads(LOOKED_AT.read_text())
