"""Find marks on skin: moles, spots, pimples and wrinkles, by the method asked for.

The default joins a network (`heatmap.py`, `decode.py`) with plain measures of the light, which
alone are "dog" (`dips.py`, `lines.py`). The original entry's network is in `keypoint.py`.
Networks are imported where they are asked for: the page opens before torch is loaded.
"""

from pathlib import Path

import numpy as np

from realism.errors import InputError
from realism.faces.face import Face
from realism.faces.paintable import paintable_mask
from realism.marks.find.blobs import find_round
from realism.marks.find.crop import FINDER, view_of
from realism.marks.find.wrinkles import find_wrinkles
from realism.marks.mark import Mark

# The default finder of marks: what is around its network. px are of what it sees.
HEATMAP_THRESHOLD = 0.5  # least score of a mark

METHODS = ("heatmap", "dog", "keypoint-rcnn", "compact")
# The heat-map finder's own, from painted marks: `training/finder`.
WEIGHTS = Path(__file__).parent / "weights" / "heatmap.safetensors"


def find_marks(
    pixels: np.ndarray,
    face: Face,
    skin: np.ndarray,
    method: str = METHODS[0],
    weights: Path | None = None,
    threshold: float | None = None,
) -> list[Mark]:
    """All marks on the skin of one face, surest first.

    pixels      (H, W, 3) uint8 sRGB
    skin        (H, W) float32 0..1, from `faces.skin.skin_mask`
    method      one of METHODS; "keypoint-rcnn" and "compact" need weights from `train.py`
    weights     safetensors; None for those that come with the program
    threshold   least score, 0..1; None takes the method's own
    Raises InputError for another method or weights that do not fit.
    """
    if method not in METHODS:
        raise InputError("finder_not_known", finder=method, choices=METHODS)
    if method in ("keypoint-rcnn", "compact"):
        if weights is None:
            raise InputError("finder_without_weights", finder=method, other=METHODS[0])
        if method == "compact":
            from realism.marks.find.compact_rcnn import find_with_compact, load_compact

            return find_with_compact(load_compact(weights), pixels, face, skin, threshold)
        from realism.marks.find.keypoint_rcnn import find_with_keypoints, load_keypoints

        return find_with_keypoints(load_keypoints(weights), pixels, face, threshold)
    if method == "heatmap":
        from realism.marks.find.heatmap import find_with_heatmap
        from realism.marks.find.network import load_heatmap

        marks = find_with_heatmap(load_heatmap(weights or WEIGHTS), pixels, face, skin)
        least = HEATMAP_THRESHOLD if threshold is None else threshold
    else:
        # Folds throw shade, which the strict mask leaves out; where and how they run keeps lines
        # true.
        wide = view_of(pixels, face, paintable_mask(pixels, skin, face))
        marks = find_round(view_of(pixels, face, skin)) + find_wrinkles(wide, face)
        least = FINDER.threshold if threshold is None else threshold
    return surest_first(marks, least)


def surest_first(marks: list[Mark], least: float) -> list[Mark]:
    """Those that score at least so much, the best first."""
    return sorted((m for m in marks if m.score >= least), key=lambda m: -m.score)
