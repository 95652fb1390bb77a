"""How well a finder finds the marks that a person annotated.

A finding hits a mark that lies within 2 mm of it (0.6 of the radius of a large one), measured
from the click or from the blob that was meant, whichever is nearer. Findings are taken surest
first, each takes the nearest mark that is still free; a second finding on a mark is a false
alarm. A wrinkle's line hits all wrinkle clicks that it passes within 2.5 mm; another line that
passes only such clicks as were hit already counts neither way, since one fold may be found in
pieces. Per kind the kinds must agree; "round" asks only whether moles, spots and acne were
found at all, and how often the kind was right.

Average precision: the sum of precision times the step in recall, at distinct scores only, not
smoothed (Everingham et al., "The Pascal VOC Challenge", IJCV 2010, without its interpolation).
An annotation knows no doubtful marks: what a person left out counts as a false alarm.
"""

from dataclasses import dataclass

import numpy as np

from realism.errors import InputError
from realism.marks.find.crop import FACE_SPAN_MM
from realism.marks.mark import KINDS, Mark, Wrinkle
from realism.marks.teach.dataset import Annotated
from realism.marks.teach.snap import Click

ROUND = KINDS[:3]
REACH = 2.0  # mm, of round marks
LINE_REACH = 2.5  # mm, of wrinkles
THRESHOLD = 0.5  # every finder of ours scores a mark as likely as not with it


@dataclass(frozen=True, eq=False)
class Judged:
    """What a finder made of one face.

    face       with its clicks
    found      surest first
    hits       per finding, the clicks it hits; () for a false alarm, None where it counts
               neither way; the kinds agree
    """

    face: Annotated
    found: list[Mark]
    hits: list[tuple[int, ...] | None]


@dataclass(frozen=True, eq=False)
class Curve:
    """Precision against recall.

    marks          annotated ones
    thresholds     (n,) distinct scores, falling
    precision      (n,) of the findings from that score on
    recall         (n,)
    """

    marks: int
    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray

    @property
    def ap(self) -> float:
        """Average precision, 0..1."""
        return float(np.sum(np.diff(self.recall, prepend=0) * self.precision))

    @property
    def f1(self) -> np.ndarray:
        """(n,) harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / np.where(total > 0, total, 1)

    def at(self, threshold: float) -> dict:
        """Figures of the findings from `threshold` on."""
        count = int(np.sum(self.thresholds >= threshold))
        if count == 0:
            return _figures(threshold, 0.0, 0.0, 0.0)
        values = (a[count - 1] for a in (self.precision, self.recall, self.f1))
        return _figures(threshold, *values)

    def best(self) -> dict:
        """Figures at the threshold of the best F1."""
        if not len(self.thresholds) or not self.marks:
            return _figures(None, 0.0, 0.0, 0.0)
        return self.at(self.thresholds[int(np.argmax(self.f1))])


def _figures(threshold: float | None, precision: float, recall: float, f1: float) -> dict:
    values = {"precision": precision, "recall": recall, "f1": f1}
    rounded = {name: round(float(value), 4) for name, value in values.items()}
    return {"threshold": None if threshold is None else round(float(threshold), 4), **rounded}


def judge(face: Annotated, found: list[Mark]) -> Judged:
    """Match findings with the clicks of one face; only clicks of a finding's kind are hit."""
    found = sorted(found, key=lambda mark: -mark.score)
    hits: list[tuple[int, ...] | None] = [()] * len(found)
    for kind in KINDS:
        own = [i for i, mark in enumerate(found) if mark.kind == kind]
        clicks = [i for i, click in enumerate(face.clicks) if click.kind == kind]
        matched = _match(face, [found[i] for i in own], clicks)
        for i, hit in zip(own, matched, strict=True):
            hits[i] = hit
    return Judged(face, found, hits)


def _match(face: Annotated, found: list[Mark], clicks: list[int]) -> list[tuple[int, ...] | None]:
    """Hits of findings, surest first, among the clicks given by number."""
    free, hits = set(clicks), []
    mm = face.span / FACE_SPAN_MM
    for mark in found:
        away = {i: gap_of(mark, face.clicks[i]) for i in clicks}
        if isinstance(mark, Wrinkle):
            passed = [i for i in clicks if away[i] <= LINE_REACH * mm]
            fresh = tuple(i for i in passed if i in free)
            hits.append(fresh if fresh or not passed else None)
        else:
            near = [i for i in free if away[i] <= max(REACH * mm, 0.6 * face.clicks[i].radius)]
            # By number on a tie: a set has no order to rely on.
            hits.append((min(near, key=lambda i: (away[i], i)),) if near else ())
        free -= set(hits[-1] or ())
    return hits


def gap_of(mark: Mark, click: Click) -> float:
    """Distance of a finding from a click or the blob it means, the nearer; px."""
    return min(to_line(click.clicked, mark.points), to_line(click.xy, mark.points))


def to_line(point: np.ndarray, line: np.ndarray) -> float:
    """Distance of a point (2,) from a line (n, 2) of one or more points."""
    if len(line) == 1:
        return float(np.hypot(*(point - line[0])))
    start, along = line[:-1], np.diff(line, axis=0)
    length = np.maximum((along**2).sum(1), 1e-9)
    share = np.clip(((point - start) * along).sum(1) / length, 0, 1)[:, None]
    return float(np.linalg.norm(start + share * along - point, axis=1).min())


def curve(rows: list[tuple[float, int | None]], marks: int) -> Curve:
    """A curve from findings of any number of faces.

    rows     (score, number of marks hit), None for what counts neither way
    marks    annotated ones
    """
    counted = sorted((row for row in rows if row[1] is not None), key=lambda row: -row[0])
    if not counted:
        return Curve(marks, *np.zeros((3, 0)))
    scores, hit = np.array(counted, float).T
    right, total = np.cumsum(hit > 0), np.arange(1, len(hit) + 1)
    # Ties are one step: neither order of them may win.
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    recall = np.cumsum(hit) / max(marks, 1)
    return Curve(marks, scores[last], (right / total)[last], recall[last])


def kind_curve(judged: list[Judged], kind: str) -> Curve:
    """Precision and recall of one kind."""
    rows = [
        (mark.score, None if hit is None else len(hit))
        for one in judged
        for mark, hit in zip(one.found, one.hits, strict=True)
        if mark.kind == kind
    ]
    return curve(rows, sum(c.kind == kind for one in judged for c in one.face.clicks))


def round_curve(judged: list[Judged]) -> tuple[Curve, float | None]:
    """Moles, spots and acne as one kind; and how often the kind of a hit at 0.5 is right."""
    rows, agree, marks = [], [], 0
    for one in judged:
        clicks = [i for i, click in enumerate(one.face.clicks) if click.kind in ROUND]
        found = [mark for mark in one.found if mark.kind in ROUND]
        for mark, hit in zip(found, _match(one.face, found, clicks), strict=True):
            rows.append((mark.score, len(hit)))
            if hit and mark.score >= THRESHOLD:
                agree.append(one.face.clicks[hit[0]].kind == mark.kind)
        marks += len(clicks)
    return curve(rows, marks), float(np.mean(agree)) if agree else None


def mean_ap(judged: list[Judged]) -> float:
    """Mean of the kinds' average precision, over the kinds that were annotated."""
    curves = [kind_curve(judged, kind) for kind in KINDS]
    return float(np.mean([c.ap for c in curves if c.marks] or [0.0]))


def figures(judged: list[Judged], threshold: float = THRESHOLD) -> dict:
    """All figures, as plain JSON values."""
    together, right_kind = round_curve(judged)
    curves = {**{kind: kind_curve(judged, kind) for kind in KINDS}, "round": together}
    bare = [one for one in judged if not one.face.clicks]
    false = [sum(m.score >= threshold for m in one.found) for one in bare]
    return {
        "images": len(judged),
        "marks": sum(len(one.face.clicks) for one in judged),
        "reach_mm": {"round": REACH, "wrinkle": LINE_REACH},
        "mean_ap": round(mean_ap(judged), 4),
        "kinds": {name: _curve_figures(one, threshold) for name, one in curves.items()},
        "kind_right": None if right_kind is None else round(right_kind, 4),
        "images_without_marks": len(bare),
        "false_alarms_per_image_without_marks": float(np.mean(false)) if bare else None,
        "per_image": [_image_figures(one, threshold) for one in judged],
    }


def _curve_figures(one: Curve, threshold: float) -> dict:
    points = np.stack([one.thresholds, one.precision, one.recall], 1)
    return {
        "marks": one.marks,
        "ap": round(one.ap, 4) if one.marks else None,
        "at_threshold": one.at(threshold),
        "best": one.best(),
        "threshold_precision_recall": points.round(4).tolist(),
    }


def _image_figures(one: Judged, threshold: float) -> dict:
    sure = [hit for m, hit in zip(one.found, one.hits, strict=True) if m.score >= threshold]
    hit = {i for some in sure for i in some or ()}
    return {
        "image": one.face.name,
        "marks": len(one.face.clicks),
        "hit": len(hit),
        "missed": len(one.face.clicks) - len(hit),
        "false_alarms": sum(some == () for some in sure),
        "clicks": [
            _click_figures(one.face, click, number in hit)
            for number, click in enumerate(one.face.clicks)
        ],
    }


def _click_figures(face: Annotated, click: Click, hit: bool) -> dict:
    """A click and the mark that it was taken for, in px of the picture."""
    clicked, xy = (face.to_picture(at).round(1).tolist() for at in (click.clicked, click.xy))
    moved = round(click.moved * FACE_SPAN_MM / face.span, 2)
    return {"kind": click.kind, "clicked": clicked, "xy": xy, "moved_mm": moved, "hit": hit}


def table(told: dict) -> str:
    """The figures as lines for a terminal."""
    if not told["images"]:
        raise InputError("nothing_to_judge_on")
    lines = ["kind      marks     AP   best F1 (at)      precision recall F1 at the threshold"]
    for name, one in told["kinds"].items():
        if not one["marks"]:
            lines.append(f"{name:8s}      0      -   none annotated")
            continue
        best, at = one["best"], one["at_threshold"]
        where = "-" if best["threshold"] is None else f"{best['threshold']:.2f}"
        lines.append(
            f"{name:8s}  {one['marks']:5d}  {one['ap']:5.3f}   {best['f1']:5.3f} ({where})"
            f"          {at['precision']:5.3f}  {at['recall']:5.3f}  {at['f1']:5.3f}"
            f"  at {at['threshold']:.2f}"
        )
    right = told["kind_right"]
    lines.append(f"mean AP {told['mean_ap']:.3f} over the annotated kinds, {told['images']} images")
    lines.append(f"kind right in {right:.0%} of the hits" if right is not None else "no hit")
    if told["images_without_marks"]:
        bare = told["false_alarms_per_image_without_marks"]
        lines.append(
            f"{bare:.2f} false alarms on each of {told['images_without_marks']} images "
            "without marks"
        )
    return "\n".join(lines)
