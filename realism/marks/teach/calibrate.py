"""Weigh what the default finder goes by so that its scores hold for a person's annotations.

The finder's score is a logistic of several pieces of evidence (`marks/find/heatmap.py`). Its
weights are few, so a handful of faces can adjust them: regression on the annotated candidates, held
near the weights that were there before, by Gaussian priors.
"""

import numpy as np

from realism.marks.find.candidates import BlobCandidates, WrinkleCandidates, measure_evidence
from realism.marks.find.crop import FACE_SPAN_MM
from realism.marks.mark import ROUND_KINDS, RoundMark, Wrinkle
from realism.marks.teach.dataset import Annotated
from realism.marks.teach.evaluate import LINE_REACH, REACH, gap_of, to_line

NEARNESS = 4.0  # precision of the priors: how many clear cases it takes to leave them


def weighed(net, before: tuple, faces: list[Annotated]) -> tuple:
    """The weights of rounds, kinds and lines for these faces.

    net       HeatmapNet, on the CPU
    before    the three weights to stay near, as tensors
    """
    rounds, kinds, lines = [], [], []
    for face in faces:
        found, courses = measure_evidence(net, face.pixels, face.face, face.skin)
        answer = answered_rounds(found, face)
        rounds.append((found.evidence[answer > -2], answer[answer > -2] >= 0))
        kinds.append((found.kind_evidence[answer >= 0], answer[answer >= 0]))
        known, on = answered_courses(courses, face)
        lines.append((courses.evidence[known], on[known]))
    parts = [[np.concatenate(list(p)) for p in zip(*part, strict=True)] for part in
             (rounds, kinds, lines)]  # fmt: skip
    return tuple(near_fit(x, y, mix) for (x, y), mix in zip(parts, before, strict=True))


def answered_rounds(found: BlobCandidates, face: Annotated) -> np.ndarray:
    """For each candidate the index into ROUND_KINDS of its click, -1 none, -2 not known."""
    mm, answer = face.span / FACE_SPAN_MM, np.full(len(found.xy), -1)
    candidates = [RoundMark("mole", xy, 1.0) for xy in found.xy]
    for doubt in (d for d in face.doubts if isinstance(d, RoundMark)):
        answer[[np.hypot(*(c.xy - doubt.xy)) <= REACH * mm for c in candidates]] = -2
    for click in (c for c in face.clicks if not c.is_wrinkle):
        gaps = np.array([gap_of(candidate, click) for candidate in candidates])
        near = np.flatnonzero(gaps <= max(REACH * mm, click.radius))
        answer[near] = -2
        if len(near):
            # Of several on one mark the surest by the network counts.
            answer[near[found.evidence[near, 1].argmax()]] = ROUND_KINDS.index(click.kind)
    return answer


def answered_courses(courses: WrinkleCandidates, face: Annotated) -> tuple[np.ndarray, np.ndarray]:
    """For each path whether that is known, and whether it passes a wrinkle's click."""
    reach = LINE_REACH * face.span / FACE_SPAN_MM
    clicks = [c for c in face.clicks if c.is_wrinkle]
    doubts = [d for d in face.doubts if isinstance(d, Wrinkle)]
    on, open_ = [], []
    for polyline in courses.polylines:
        line = polyline.astype(np.float32)
        on.append(any(to_line(c.clicked, line) <= reach for c in clicks))
        open_.append(any(to_line(d.xy, line) <= reach for d in doubts))
    on, open_ = np.array(on, bool), np.array(open_, bool)
    return on | ~open_, on


def near_fit(inputs: np.ndarray, wanted: np.ndarray, before):
    """Logistic regression that stays near `before`, by LBFGS.

    inputs    (n, k);  wanted    (n,) bool, or (n,) int of classes
    before    (k,) or (classes, k) tensor
    ->        of the same shape; `before` itself where there is nothing to learn from
    """
    import torch
    from torch.nn import functional as F

    if not len(wanted) or (wanted.dtype == bool and not wanted.any()):
        return before
    x, first = torch.tensor(inputs, dtype=torch.float64), before.double()
    classes = wanted.dtype != bool
    y = torch.tensor(wanted, dtype=torch.int64 if classes else torch.float64)
    mix = first.clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS([mix], max_iter=100, line_search_fn="strong_wolfe")
    measure = F.cross_entropy if classes else F.binary_cross_entropy_with_logits

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        total = measure(x @ (mix.T if classes else mix), y, reduction="sum")
        total = total + NEARNESS / 2 * (mix - first).square().sum()
        total.backward()
        return total

    optimizer.step(loss)
    return mix.detach().to(before.dtype)
