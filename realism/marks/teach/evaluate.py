"""How well a finder finds the marks that a person annotated.

A finding hits a mark that lies within 2 mm of it (0.6 of the radius of a large one), measured
from the click or from the blob that was meant, whichever is nearer. Findings are taken surest
first, each takes the nearest mark that is still free; a second finding on a mark is a false
alarm. A wrinkle's polyline hits all wrinkle clicks that it passes within 2.5 mm; another one that
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
from realism.marks.find.finders import AS_LIKELY_AS_NOT
from realism.marks.mark import KINDS, ROUND_KINDS, Mark, Wrinkle
from realism.marks.teach.dataset import AnnotatedFace
from realism.marks.teach.snap import Click

ROUND_REACH = 2.0  # mm, from a round mark to what is found
WRINKLE_REACH = 2.5  # mm, from a wrinkle's click to a polyline
RADIUS_REACH = 0.6  # of a large mark's radius

Hits = tuple[int, ...] | None  # clicks by number; () a false alarm, None counts neither way


@dataclass(frozen=True, eq=False)
class FaceEvaluation:
    """What a finder found on one face, matched with what was annotated there.

    Attributes
    ----------
    face : AnnotatedFace
    found : list of Mark
        Surest first.
    hits : list of Hits
        Per finding, the clicks of its kind that it hits.
    """

    face: AnnotatedFace
    found: list[Mark]
    hits: list[Hits]


@dataclass(frozen=True, eq=False)
class PrecisionRecall:
    """Precision against recall.

    Attributes
    ----------
    marks : int
        Annotated ones.
    thresholds : (n,) ndarray
        Distinct scores, falling.
    precision, recall : (n,) ndarray, 0..1
        Of the findings from that score on.
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
        """Precision, recall and F1 of the findings from `threshold` on, as JSON values."""
        count = int(np.sum(self.thresholds >= threshold))
        if count == 0:
            return _rounded(threshold, 0.0, 0.0, 0.0)
        precision, recall, f1 = (a[count - 1] for a in (self.precision, self.recall, self.f1))
        return _rounded(threshold, precision, recall, f1)

    def best(self) -> dict:
        """The same at the threshold of the best F1."""
        if not len(self.thresholds) or not self.marks:
            return _rounded(None, 0.0, 0.0, 0.0)
        return self.at(self.thresholds[int(np.argmax(self.f1))])


def _rounded(threshold: float | None, precision: float, recall: float, f1: float) -> dict:
    values = {"precision": precision, "recall": recall, "f1": f1}
    rounded = {name: round(float(value), 4) for name, value in values.items()}
    return {"threshold": None if threshold is None else round(float(threshold), 4), **rounded}


def evaluate_face(face: AnnotatedFace, found: list[Mark]) -> FaceEvaluation:
    """Match findings with the clicks of one face; only clicks of a finding's kind are hit."""
    found = sorted(found, key=lambda mark: -mark.score)
    hits: list[Hits] = [()] * len(found)
    for kind in KINDS:
        own = [i for i, mark in enumerate(found) if mark.kind == kind]
        clicks = [i for i, click in enumerate(face.clicks) if click.kind == kind]
        matched = _match(face, [found[i] for i in own], clicks)
        for i, hit in zip(own, matched, strict=True):
            hits[i] = hit
    return FaceEvaluation(face, found, hits)


def _match(face: AnnotatedFace, found: list[Mark], clicks: list[int]) -> list[Hits]:
    """Hits of findings, surest first, among the clicks given by number."""
    free, hits = set(clicks), []
    px_per_mm = face.span / FACE_SPAN_MM
    for mark in found:
        away = {i: distance_to_click(mark, face.clicks[i]) for i in clicks}
        if isinstance(mark, Wrinkle):
            passed = [i for i in clicks if away[i] <= WRINKLE_REACH * px_per_mm]
            fresh = tuple(i for i in passed if i in free)
            hits.append(fresh if fresh or not passed else None)
        else:
            near = [
                i
                for i in free
                if away[i] <= max(ROUND_REACH * px_per_mm, RADIUS_REACH * face.clicks[i].radius)
            ]
            # By number on a tie: a set has no order to rely on.
            hits.append((min(near, key=lambda i: (away[i], i)),) if near else ())
        free -= set(hits[-1] or ())
    return hits


def distance_to_click(mark: Mark, click: Click) -> float:
    """Distance of a finding from a click or the blob it means, the nearer; px."""
    polyline = mark.points
    return min(
        distance_to_polyline(click.clicked_xy, polyline), distance_to_polyline(click.xy, polyline)
    )


def distance_to_polyline(point: np.ndarray, polyline: np.ndarray) -> float:
    """Distance of a point (2,) from the nearest place of a polyline (n, 2); n may be 1."""
    if len(polyline) == 1:
        return float(np.hypot(*(point - polyline[0])))
    start, along = polyline[:-1], np.diff(polyline, axis=0)
    length = np.maximum((along**2).sum(1), 1e-9)
    share = np.clip(((point - start) * along).sum(1) / length, 0, 1)[:, None]
    return float(np.linalg.norm(start + share * along - point, axis=1).min())


def precision_recall(rows: list[tuple[float, int | None]], marks: int) -> PrecisionRecall:
    """A curve from findings on any number of faces.

    Parameters
    ----------
    rows : list of (float, int or None)
        Score and number of marks hit, None for what counts neither way.
    marks : int
        Annotated ones.
    """
    counted = sorted((row for row in rows if row[1] is not None), key=lambda row: -row[0])
    if not counted:
        return PrecisionRecall(marks, *np.zeros((3, 0)))
    scores, hit = np.array(counted, float).T
    right, total = np.cumsum(hit > 0), np.arange(1, len(hit) + 1)
    # Ties are one step: neither order of them may win.
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    recall = np.cumsum(hit) / max(marks, 1)
    return PrecisionRecall(marks, scores[last], (right / total)[last], recall[last])


def kind_curve(evaluations: list[FaceEvaluation], kind: str) -> PrecisionRecall:
    """Precision and recall of one kind."""
    rows = [
        (mark.score, None if hit is None else len(hit))
        for evaluation in evaluations
        for mark, hit in zip(evaluation.found, evaluation.hits, strict=True)
        if mark.kind == kind
    ]
    marks = sum(click.kind == kind for e in evaluations for click in e.face.clicks)
    return precision_recall(rows, marks)


def round_curve(evaluations: list[FaceEvaluation]) -> tuple[PrecisionRecall, float | None]:
    """Moles, spots and acne as one kind; and how often the kind of a hit at 0.5 is right."""
    rows, agree, marks = [], [], 0
    for evaluation in evaluations:
        face = evaluation.face
        clicks = [i for i, click in enumerate(face.clicks) if click.kind in ROUND_KINDS]
        found = [mark for mark in evaluation.found if mark.kind in ROUND_KINDS]
        for mark, hit in zip(found, _match(face, found, clicks), strict=True):
            rows.append((mark.score, len(hit or ())))
            if hit and mark.score >= AS_LIKELY_AS_NOT:
                agree.append(face.clicks[hit[0]].kind == mark.kind)
        marks += len(clicks)
    return precision_recall(rows, marks), float(np.mean(agree)) if agree else None


def mean_ap(evaluations: list[FaceEvaluation]) -> float:
    """Mean of the kinds' average precision, over the kinds that were annotated."""
    curves = [kind_curve(evaluations, kind) for kind in KINDS]
    return float(np.mean([curve.ap for curve in curves if curve.marks] or [0.0]))


def build_report(evaluations: list[FaceEvaluation], threshold: float = AS_LIKELY_AS_NOT) -> dict:
    """All figures, as plain JSON values: what report.json holds.

    Parameters
    ----------
    evaluations : list of FaceEvaluation
        One a face.
    threshold : float, 0..1
        Least score of a finding, for the figures that are of one threshold.
    """
    all_round, kind_right = round_curve(evaluations)
    curves = {**{kind: kind_curve(evaluations, kind) for kind in KINDS}, "round": all_round}
    bare = [evaluation for evaluation in evaluations if not evaluation.face.clicks]
    false = [sum(m.score >= threshold for m in evaluation.found) for evaluation in bare]
    return {
        "images": len(evaluations),
        "marks": sum(len(evaluation.face.clicks) for evaluation in evaluations),
        "reach_mm": {"round": ROUND_REACH, "wrinkle": WRINKLE_REACH},
        "mean_ap": round(mean_ap(evaluations), 4),
        "kinds": {name: _report_curve(curve, threshold) for name, curve in curves.items()},
        "kind_right": None if kind_right is None else round(kind_right, 4),
        "images_without_marks": len(bare),
        "false_alarms_per_image_without_marks": float(np.mean(false)) if bare else None,
        "per_image": [_report_image(evaluation, threshold) for evaluation in evaluations],
    }


def _report_curve(curve: PrecisionRecall, threshold: float) -> dict:
    points = np.stack([curve.thresholds, curve.precision, curve.recall], 1)
    return {
        "marks": curve.marks,
        "ap": round(curve.ap, 4) if curve.marks else None,
        "at_threshold": curve.at(threshold),
        "best": curve.best(),
        "threshold_precision_recall": points.round(4).tolist(),
    }


def count_outcomes(evaluation: FaceEvaluation, threshold: float) -> tuple[set[int], set[int], int]:
    """Clicks by number that were hit and that were missed, and how many findings hit nothing."""
    pairs = zip(evaluation.found, evaluation.hits, strict=True)
    sure = [hits for mark, hits in pairs if mark.score >= threshold]
    hit = {number for hits in sure for number in hits or ()}
    missed = set(range(len(evaluation.face.clicks))) - hit
    return hit, missed, sum(hits == () for hits in sure)


def _report_image(evaluation: FaceEvaluation, threshold: float) -> dict:
    face = evaluation.face
    hit, missed, false_alarms = count_outcomes(evaluation, threshold)
    return {
        "image": face.name,
        "marks": len(face.clicks),
        "hit": len(hit),
        "missed": len(missed),
        "false_alarms": false_alarms,
        "clicks": [_report_click(face, c, number in hit) for number, c in enumerate(face.clicks)],
    }


def _report_click(face: AnnotatedFace, click: Click, hit: bool) -> dict:
    """A click and the mark that it was taken for, in px of the picture."""
    clicked, xy = (face.to_picture(at).round(1).tolist() for at in (click.clicked_xy, click.xy))
    moved = round(click.offset * FACE_SPAN_MM / face.span, 2)
    return {"kind": click.kind, "clicked": clicked, "xy": xy, "moved_mm": moved, "hit": hit}


def format_report(report: dict) -> str:
    """The figures of `build_report` as lines for a terminal.

    Raises
    ------
    InputError
        When they are of no image at all.
    """
    if not report["images"]:
        raise InputError("nothing_to_judge_on")
    lines = ["kind      marks     AP   best F1 (at)      precision recall F1 at the threshold"]
    for name, figures in report["kinds"].items():
        if not figures["marks"]:
            lines.append(f"{name:8s}      0      -   none annotated")
            continue
        best, at = figures["best"], figures["at_threshold"]
        where = "-" if best["threshold"] is None else f"{best['threshold']:.2f}"
        lines.append(
            f"{name:8s}  {figures['marks']:5d}  {figures['ap']:5.3f}   {best['f1']:5.3f} ({where})"
            f"          {at['precision']:5.3f}  {at['recall']:5.3f}  {at['f1']:5.3f}"
            f"  at {at['threshold']:.2f}"
        )
    right = report["kind_right"]
    lines.append(
        f"mean AP {report['mean_ap']:.3f} over the annotated kinds, {report['images']} images"
    )
    lines.append(f"kind right in {right:.0%} of the hits" if right is not None else "no hit")
    if report["images_without_marks"]:
        bare = report["false_alarms_per_image_without_marks"]
        lines.append(
            f"{bare:.2f} false alarms on each of {report['images_without_marks']} images "
            "without marks"
        )
    return "\n".join(lines)
