"""Find marks on several photos of one person, each by all of them.

What is faint on one photo counts for more where other photos support it (`support.py`), and for
less where they could and do not. The log odds are logistic regressions, whose weights lie with the
network (`mix_several`, `mix_several_lines`) and were fitted on made-up people by
`training/finder/multiview.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from realism.faces.paintable import close_holes
from realism.head.fit import fit_person
from realism.head.geometry import Head
from realism.marks.find.finders import HEATMAP, HEATMAP_WEIGHTS, above_threshold
from realism.marks.find.support import (
    BlobPoints,
    WrinklePoints,
    blob_support,
    supported_kinds,
    wrinkle_support,
)
from realism.marks.mark import RoundMark
from realism.marks.observation import LEAST_PHOTO_FACING, find_mirrored, observe_mark
from realism.marks.photo import MarkedPhoto

if TYPE_CHECKING:
    import torch

    from realism.marks.find.heatmap import Candidates
    from realism.marks.find.network import HeatmapNet


def find_marks_multiview(
    photos: Sequence[MarkedPhoto],
    reviewed: Collection[str] = (),
    weights: Path | None = None,
    threshold: float | None = None,
) -> Generator[str, None, list[MarkedPhoto]]:
    """Photos of one person with their marks, surest first, as `finders.find_marks` has them.

    Parameters
    ----------
    photos : sequence of MarkedPhoto
        Of a single one the marks are those that `find_marks` finds.
    reviewed : collection of str
        Names of photos whose marks stay as they are; looked at all the same, for the rest.
    weights : Path, optional
        Of the heat-map finder; None for those that come with the program.
    threshold : float, 0..1, optional
        Least score; None takes the finder's own.

    Yields
    ------
    str
        Each photo's name before it is looked at.

    Returns
    -------
    list of MarkedPhoto
        In the order given.
    """
    if all(photo.name in reviewed for photo in photos):
        return list(photos)
    from realism.marks.find.heatmap import find_candidates, marks_from_candidates
    from realism.marks.find.network import load_heatmap

    net, candidates = load_heatmap(weights or HEATMAP_WEIGHTS), []
    for photo in photos:
        yield photo.name
        candidates.append(find_candidates(net, photo.pixels, photo.face, photo.skin))
    scores = [(found.odds, found.kinds, found.wrinkle_odds) for found in candidates]
    if len(photos) > 1:
        heads = fit_person([photo.analysis.head_evidence for photo in photos])
        skins = [
            close_holes(photo.analysis.paintable, photo.face, photo.analysis.covered)
            for photo in photos
        ]
        scores = rescore(candidates, heads, skins, net)
    least = HEATMAP.threshold if threshold is None else threshold
    return [
        photo
        if photo.name in reviewed
        else replace(photo, marks=above_threshold(marks_from_candidates(found, *own), least))
        for photo, found, own in zip(photos, candidates, scores, strict=True)
    ]


def rescore(
    candidates: Sequence[Candidates],
    heads: Sequence[Head],
    skins: Sequence[np.ndarray],
    net: HeatmapNet,
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Of each photo, by all photos, what `Candidates` has by itself.

    Parameters
    ----------
    candidates : sequence of Candidates
        Of each photo.
    heads : sequence of Head
        Fitted to the photos, together.
    skins : sequence of (H, W) float32 ndarray, 0..1
        Where marks were looked for in each.
    net : HeatmapNet
        With the weights of the regressions.

    Returns
    -------
    list of (odds, kinds, wrinkle_odds)
        The photo's own odds where no other photo shows a place, its own kinds where none is sure
        of a mark.
    """
    blobs = [BlobPoints(*pair) for pair in zip(candidates, heads, strict=True)]
    wrinkles = [
        WrinklePoints(found.wrinkles.polylines, found.wrinkle_odds, head)
        for found, head in zip(candidates, heads, strict=True)
    ]
    mirrored = _mirrored_photos(candidates, heads)
    count, scores = len(candidates), []
    for number in range(count):
        # A mirrored photo has its marks on the other side: it confirms nothing, nor is confirmed.
        others = [n for n in range(count) if n != number and not {n, number} & mirrored]
        other_blobs = [(blobs[n], skins[n]) for n in others]
        other_wrinkles = [(wrinkles[n], skins[n]) for n in others]
        here, along = blobs[number], wrinkles[number]
        support = blob_support(here, other_blobs)
        support_along = wrinkle_support(along, other_wrinkles)
        scores.append(
            (
                _log_odds(support, here.odds, net.mix_several),
                here.kinds + sum(supported_kinds(here, there) for there, _ in other_blobs),
                _log_odds(support_along, along.odds, net.mix_several_lines),
            )
        )
    return scores


def _log_odds(support: np.ndarray, own: np.ndarray, mix: torch.Tensor) -> np.ndarray:
    """Log odds (n,) by support (n, k) and its weights (k,); a photo's own where that is nan."""
    return np.where(np.isnan(support[:, 0]), own, np.nan_to_num(support) @ mix.numpy())


def _mirrored_photos(candidates: Sequence[Candidates], heads: Sequence[Head]) -> set[int]:
    """Numbers of the photos that seem mirrored, by what is likelier a mark than not in each."""
    observations = [
        observation
        for number, (found, head) in enumerate(zip(candidates, heads, strict=True))
        for xy in found.blobs.xy[found.odds > 0]
        if (observation := observe_mark(RoundMark("mole", xy, 1.0), str(number), head)) is not None
        and observation.facing >= LEAST_PHOTO_FACING
    ]
    names = find_mirrored(observations, [str(number) for number in range(len(candidates))])
    return {int(name) for name in names}
