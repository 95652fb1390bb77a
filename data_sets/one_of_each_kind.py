"""Round marks counted as the original's keypoint R-CNN can find them: one of each kind a face.

Of each face the surest finding of each kind counts. It is right on any certain mark of its own
kind, neither right nor wrong on an uncertain mark or where nothing was annotated, else a false
alarm; all there is to find is one mark of each kind that a face has.
"""

from dataclasses import dataclass

import numpy as np

from data_sets.scoring import load_scorer
from realism.marks.find.finders import AS_LIKELY_AS_NOT
from realism.marks.mark import ROUND_KINDS, Mark, mark_to_json


@dataclass(frozen=True)
class OneOfEachKind:
    """Figures of findings so counted.

    Attributes
    ----------
    wanted : int
        All there is to find.
    ap, f1, precision, recall : float, 0..1
        Average precision; the best F1, with what it takes.
    sure : int
        Findings as likely as not, of those that count.
    on_a_mark : float, 0..1
        Share of `sure` that lies on a mark of any kind.
    """

    wanted: int
    ap: float
    f1: float
    precision: float
    recall: float
    sure: int
    on_a_mark: float


def score_one_of_each_kind(truth: list[dict], found: dict[str, list[Mark]]) -> OneOfEachKind:
    """Score findings by picture against the truth in the scorer's form."""
    scorer = load_scorer()
    rows, on_any, wanted = [], [], 0
    for face in truth:
        for kind in ROUND_KINDS:
            known = [m for m in face["marks"] if m["kind"] == kind or not m["certain"]]
            wanted += any(m["certain"] for m in known)
            own = [mark for mark in found[face["image"]] if mark.kind == kind]
            if not own:
                continue
            surest = [mark_to_json(max(own, key=lambda mark: mark.score))]
            rows += scorer.match_face(face | {"marks": known}, surest)[0]
            on_any += scorer.match_face(face, surest)[0]
    values = np.array([row[:2] for row in rows if row[1] >= 0], float).reshape(-1, 2)
    curve, ap = scorer.curve(values[:, 0], values[:, 1], wanted)
    best = scorer.best_point(curve)
    sure = [row[1] for row in on_any if row[0] >= AS_LIKELY_AS_NOT and row[1] >= 0]
    share = float(np.mean(sure or [0]))
    best = (best["f1"], best["precision"], best["recall"])
    return OneOfEachKind(wanted, ap, *best, len(sure), share)


def format_one_of_each_kind(figures: OneOfEachKind) -> str:
    """The figures as lines for a terminal."""
    return (
        f"one mark of each kind a face ({figures.wanted} to find): AP {figures.ap:.3f}, best F1 "
        f"{figures.f1:.3f} (precision {figures.precision:.3f}, recall {figures.recall:.3f})\n"
        f"  of {figures.sure} from {AS_LIKELY_AS_NOT} on, {figures.on_a_mark:.2f} lie on a "
        "mark of any kind"
    )
