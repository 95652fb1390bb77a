"""Find marks on skin: moles, spots, acne and wrinkles, by the finder asked for.

The default, "heatmap", joins a network with plain measures of the light, which alone are "dog"
(of the difference of Gaussians that they refine). "keypoint-rcnn" is the original entry's network,
which comes with weights on a small backbone; "compact" is a small detector of any number of marks
and comes without. Networks are imported where they are asked for: the page opens before torch is
loaded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from realism.errors import InputError
from realism.faces.face import Face
from realism.faces.occluders import find_occluders
from realism.faces.paintable import paintable_mask
from realism.marks.find.blobs import find_blobs
from realism.marks.find.crop import crop_face
from realism.marks.find.wrinkles import find_wrinkles
from realism.marks.mark import Mark

# The heat-map finder's own, from painted marks: `training/finder`.
HEATMAP_WEIGHTS = Path(__file__).parent / "weights" / "heatmap.safetensors"
# The original's network, from painted photo-like faces: likewise.
KEYPOINT_WEIGHTS = HEATMAP_WEIGHTS.with_name("keypoint-rcnn.safetensors")
# Every finder's score is made so that a mark at it is as likely one as not.
AS_LIKELY_AS_NOT = 0.5

# Pixels, face and skin as in `find_marks`, and the network's weights: marks of any score.
Find: TypeAlias = Callable[[np.ndarray, Face, np.ndarray, Path | None], list[Mark]]


@dataclass(frozen=True)
class Finder:
    """One way to find marks.

    Attributes
    ----------
    name : str
        As it is asked for on the page, in the shell and in `find_marks`.
    find : callable
        Pixels, face, skin, weights -> all that may be a mark, in any order.
    threshold : float, 0..1
        Least score of a mark, unless another is asked for.
    weights : Path, optional
        Those that come with the program.
    needs_weights : bool
        It has none, so that whoever asks for it must give some.
    """

    name: str
    find: Find
    threshold: float = AS_LIKELY_AS_NOT
    weights: Path | None = None
    needs_weights: bool = False


def _find_with_heatmap(
    pixels: np.ndarray, face: Face, skin: np.ndarray, weights: Path | None
) -> list[Mark]:
    from realism.marks.find.heatmap import find_with_heatmap
    from realism.marks.find.network import load_heatmap

    assert weights is not None
    return find_with_heatmap(load_heatmap(weights), pixels, face, skin)


def _find_with_dog(
    pixels: np.ndarray, face: Face, skin: np.ndarray, weights: Path | None = None
) -> list[Mark]:
    # Folds throw shade, which the strict mask leaves out; where and how they run keeps lines true.
    occluders = find_occluders(pixels, face)
    wide = crop_face(pixels, face, paintable_mask(pixels, skin, face, occluders.mask()))
    strict = crop_face(pixels, face, skin)
    lines = find_wrinkles(wide, face, strict.skin, occluders.has_glasses)
    return [*find_blobs(strict), *lines]


def _find_with_keypoints(
    pixels: np.ndarray, face: Face, skin: np.ndarray, weights: Path | None
) -> list[Mark]:
    from realism.marks.find.keypoint_rcnn import find_with_keypoints, load_keypoints

    assert weights is not None
    return find_with_keypoints(load_keypoints(weights), pixels, face, skin)


def _find_with_compact(
    pixels: np.ndarray, face: Face, skin: np.ndarray, weights: Path | None
) -> list[Mark]:
    from realism.marks.find.compact_rcnn import find_with_compact, load_compact

    assert weights is not None
    return find_with_compact(load_compact(weights), pixels, face, skin)


HEATMAP = Finder("heatmap", _find_with_heatmap, weights=HEATMAP_WEIGHTS)
DOG = Finder("dog", _find_with_dog)
KEYPOINT_RCNN = Finder("keypoint-rcnn", _find_with_keypoints, weights=KEYPOINT_WEIGHTS)
COMPACT = Finder("compact", _find_with_compact, needs_weights=True)
# In the order in which they are offered; the first is the default.
FINDERS = {finder.name: finder for finder in (HEATMAP, DOG, KEYPOINT_RCNN, COMPACT)}
DEFAULT_FINDER = HEATMAP


def finder_named(name: str) -> Finder:
    """The finder of a name.

    Raises
    ------
    InputError
        For a name that is none of `FINDERS`.
    """
    if name not in FINDERS:
        raise InputError("finder_not_known", finder=name, choices=tuple(FINDERS))
    return FINDERS[name]


def find_marks(
    pixels: np.ndarray,
    face: Face,
    skin: np.ndarray,
    method: str = DEFAULT_FINDER.name,
    weights: Path | None = None,
    threshold: float | None = None,
) -> list[Mark]:
    """All marks on the skin of one face, surest first.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 ndarray, sRGB
    face : Face
    skin : (H, W) float32 ndarray, 0..1
        From `faces.skin.skin_mask`.
    method : str
        One of `FINDERS`; "compact" needs weights from `marks train`.
    weights : Path, optional
        Safetensors; None for those that come with the program.
    threshold : float, 0..1, optional
        Least score; None takes the finder's own.

    Raises
    ------
    InputError
        For another method, or weights that are missing or do not fit.
    """
    finder = finder_named(method)
    if weights is None and finder.needs_weights:
        raise InputError("finder_without_weights", finder=method, other=DEFAULT_FINDER.name)
    marks = finder.find(pixels, face, skin, weights or finder.weights)
    return above_threshold(marks, finder.threshold if threshold is None else threshold)


def above_threshold(marks: list[Mark], threshold: float) -> list[Mark]:
    """Those that score at least so much, the surest first."""
    return sorted((m for m in marks if m.score >= threshold), key=lambda m: -m.score)
