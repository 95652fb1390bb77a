"""The default finder: what the network and the plain light say of each candidate, joined.

Each errs alone where the other is sure, so the chance of a mark is a logistic of both, whose
weights lie with the network (`mix_round`, `mix_kind`, `mix_line`) and were fitted on painted faces
by `training/finder/evidence_weights.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from realism.faces.face import Face
from realism.marks.find.candidates import (
    BlobCandidates,
    WrinkleCandidates,
    measure_evidence,
    sigmoid,
)
from realism.marks.find.crop import SPAN, face_span
from realism.marks.find.network import HeatmapNet
from realism.marks.find.wrinkles import wrinkle_along
from realism.marks.mark import ROUND_KINDS, Mark, RoundMark

MARKS_APART = 10.0  # px of a crop of `SPAN`: of marks so near only the surest is kept
RADII_APART = 1.3  # radii of the surer mark, likewise


@dataclass(frozen=True, eq=False)
class Candidates:
    """All that may be a mark in one picture, before it is said what is.

    Attributes
    ----------
    blobs : BlobCandidates
        n of them, one for each place: of those so near that they are one mark, the surest.
    odds : (n,) ndarray
        Log odds that each is a mark, by this picture alone.
    kinds : (n, 3) ndarray
        Log chances of `ROUND_KINDS`, likewise.
    wrinkles : WrinkleCandidates
        m of them.
    wrinkle_odds : (m,) ndarray
        Log odds that each is a wrinkle, by this picture alone.
    """

    blobs: BlobCandidates
    odds: np.ndarray
    kinds: np.ndarray
    wrinkles: WrinkleCandidates
    wrinkle_odds: np.ndarray


def find_with_heatmap(
    net: HeatmapNet, pixels: np.ndarray, face: Face, skin: np.ndarray
) -> list[Mark]:
    """All that may be a mark, with its chance as score.

    Parameters
    ----------
    net : HeatmapNet
    pixels : (H, W, 3) uint8 ndarray, sRGB
    face : Face
    skin : (H, W) float32 ndarray, 0..1
    """
    found = find_candidates(net, pixels, face, skin)
    return marks_from_candidates(found, found.odds, found.kinds, found.wrinkle_odds)


def find_candidates(
    net: HeatmapNet, pixels: np.ndarray, face: Face, skin: np.ndarray
) -> Candidates:
    """What may be a mark in a picture; parameters as of `find_with_heatmap`."""
    blobs, wrinkles = measure_evidence(net, pixels, face, skin)
    odds = blobs.evidence @ net.mix_round.numpy()
    surest = _suppress_neighbours(blobs, odds, MARKS_APART * face_span(face) / SPAN)
    kept = blobs.only(surest)
    kinds = kept.kind_evidence @ net.mix_kind.numpy().T
    kinds = kinds - np.logaddexp.reduce(kinds, 1, keepdims=True)
    wrinkle_odds = wrinkles.evidence @ net.mix_line.numpy()
    return Candidates(kept, odds[surest], kinds, wrinkles, wrinkle_odds)


def marks_from_candidates(
    candidates: Candidates, odds: np.ndarray, kinds: np.ndarray, wrinkle_odds: np.ndarray
) -> list[Mark]:
    """The marks of a picture, chances as scores.

    Parameters
    ----------
    candidates : Candidates
    odds, kinds, wrinkle_odds : ndarray
        As in `Candidates`: its own, or those that other photos led to.
    """
    blobs, wrinkles = candidates.blobs, candidates.wrinkles
    marks: list[Mark] = [
        RoundMark(ROUND_KINDS[kind], xy, float(radius), float(score))
        for kind, xy, radius, score in zip(
            kinds.argmax(1), blobs.xy, blobs.radius, sigmoid(odds), strict=True
        )
    ]
    return marks + [
        wrinkle_along(ridge, wrinkles.crop, float(score))
        for ridge, score in zip(wrinkles.ridges, sigmoid(wrinkle_odds), strict=True)
    ]


def _suppress_neighbours(blobs: BlobCandidates, odds: np.ndarray, apart: float) -> np.ndarray:
    """Numbers of the surest of those that lie within `apart` px or a radius of each other."""
    kept: list[int] = []
    for index in np.argsort(-odds):
        away = np.linalg.norm(blobs.xy[kept] - blobs.xy[index], axis=1)
        # Nor is the shade around a mark another.
        radius = np.maximum(RADII_APART * blobs.radius[kept], blobs.radius[index])
        if (away >= np.maximum(apart, radius)).all():
            kept.append(int(index))
    return np.array(kept, int)
