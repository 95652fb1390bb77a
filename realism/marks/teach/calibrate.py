"""Fit the default finder's few weights anew so that its scores hold for a person's annotations.

The finder's score is a logistic of several pieces of evidence (`marks/find/candidates.py`). Its
weights are few, so a handful of faces can adjust them: regression on the annotated candidates, held
near the weights that were there before, by Gaussian priors.
"""

from typing import TYPE_CHECKING

import numpy as np

from realism.marks.find.candidates import BlobCandidates, WrinkleCandidates, measure_evidence
from realism.marks.find.crop import FACE_SPAN_MM
from realism.marks.mark import ROUND_KINDS, RoundMark, Wrinkle
from realism.marks.teach.dataset import AnnotatedFace
from realism.marks.teach.evaluate import (
    ROUND_REACH,
    WRINKLE_REACH,
    distance_to_click,
    distance_to_polyline,
)

if TYPE_CHECKING:
    import torch

    from realism.marks.find.network import HeatmapNet

PRIOR_PRECISION = 4.0  # how many clear cases it takes to leave the weights of before
NO_MARK, UNKNOWN = -1, -2  # labels of candidates that are on no click


def fit_weights(
    net: "HeatmapNet", before: tuple["torch.Tensor", ...], faces: list[AnnotatedFace]
) -> tuple["torch.Tensor", ...]:
    """The weights of blobs, of their kinds and of wrinkles for these faces.

    Parameters
    ----------
    net : HeatmapNet
        On the CPU.
    before : tuple of torch tensors
        The three weights to stay near.
    faces : list of AnnotatedFace
    """
    blobs, kinds, wrinkles = [], [], []
    for face in faces:
        found, ridges = measure_evidence(net, face.pixels, face.face, face.skin)
        labels = label_blobs(found, face)
        known, is_mark = labels != UNKNOWN, labels >= 0
        blobs.append((found.evidence[known], is_mark[known]))
        kinds.append((found.kind_evidence[is_mark], labels[is_mark]))
        known, is_wrinkle = label_wrinkles(ridges, face)
        wrinkles.append((ridges.evidence[known], is_wrinkle[known]))
    fitted = []
    for cases, prior in zip((blobs, kinds, wrinkles), before, strict=True):
        evidence, truth = (np.concatenate(column) for column in zip(*cases, strict=True))
        fitted.append(fit_near_prior(evidence, truth, prior))
    return tuple(fitted)


def label_blobs(found: BlobCandidates, face: AnnotatedFace) -> np.ndarray:
    """What each candidate is.

    Returns
    -------
    (n,) int ndarray
        Index into ROUND_KINDS of the click it is on, else NO_MARK or UNKNOWN.
    """
    px_per_mm, labels = face.span / FACE_SPAN_MM, np.full(len(found.xy), NO_MARK)
    candidates = [RoundMark("mole", xy, 1.0) for xy in found.xy]
    for ignored in (mark for mark in face.ignored if isinstance(mark, RoundMark)):
        distances = np.array([np.hypot(*(c.xy - ignored.xy)) for c in candidates])
        labels[distances <= ROUND_REACH * px_per_mm] = UNKNOWN
    for click in (click for click in face.clicks if not click.is_wrinkle):
        distances = np.array([distance_to_click(candidate, click) for candidate in candidates])
        near = np.flatnonzero(distances <= max(ROUND_REACH * px_per_mm, click.radius))
        labels[near] = UNKNOWN
        if len(near):
            # Of several on one mark the surest by the network counts.
            labels[near[found.evidence[near, 1].argmax()]] = ROUND_KINDS.index(click.kind)
    return labels


def label_wrinkles(found: WrinkleCandidates, face: AnnotatedFace) -> tuple[np.ndarray, np.ndarray]:
    """For each candidate, (m,) bool: whether it is known what it is, and whether it is a wrinkle.

    A wrinkle passes a wrinkle's click; what passes an ignored one only is not known.
    """
    reach = WRINKLE_REACH * face.span / FACE_SPAN_MM
    clicked = [click.clicked_xy for click in face.clicks if click.is_wrinkle]
    ignored = [mark.xy for mark in face.ignored if isinstance(mark, Wrinkle)]

    def passes(polyline: np.ndarray, points: list[np.ndarray]) -> bool:
        return any(distance_to_polyline(point, polyline) <= reach for point in points)

    polylines = [polyline.astype(np.float32) for polyline in found.polylines]
    is_wrinkle = np.array([passes(polyline, clicked) for polyline in polylines], bool)
    is_ignored = np.array([passes(polyline, ignored) for polyline in polylines], bool)
    return is_wrinkle | ~is_ignored, is_wrinkle


def fit_near_prior(inputs: np.ndarray, truth: np.ndarray, prior: "torch.Tensor") -> "torch.Tensor":
    """Logistic regression that stays near `prior`, by LBFGS.

    Parameters
    ----------
    inputs : (n, k) ndarray
    truth : (n,) bool ndarray, or (n,) int ndarray of classes
    prior : (k,) or (classes, k) torch tensor

    Returns
    -------
    torch tensor
        Of the same shape; `prior` itself where there is nothing to learn from.
    """
    import torch
    from torch.nn import functional as F

    if not len(truth) or (truth.dtype == bool and not truth.any()):
        return prior
    x, first = torch.tensor(inputs, dtype=torch.float64), prior.double()
    of_classes = truth.dtype != bool
    y = torch.tensor(truth, dtype=torch.int64 if of_classes else torch.float64)
    weights = first.clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")
    measure = F.cross_entropy if of_classes else F.binary_cross_entropy_with_logits

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        total = measure(x @ (weights.T if of_classes else weights), y, reduction="sum")
        total = total + PRIOR_PRECISION / 2 * (weights - first).square().sum()
        total.backward()
        return total

    optimizer.step(loss)
    return weights.detach().to(prior.dtype)
