"""Lines of text while a finder is trained or evaluated, in English as the shell is."""

import time
from collections.abc import Generator, Iterator

import numpy as np

from realism.marks.find.crop import FACE_SPAN_MM
from realism.marks.teach.dataset import AnnotatedFace, count_kinds
from realism.marks.teach.train import TrainingEnd, TrainStep, ValidationScore
from realism.marks.teach.whale_anno import Export

REPORT_EVERY = 10  # steps, or images, between two lines
# Images from which on more may be hoped for.
FEW, MANY = 50, 200


def describe_unknown_labels(export: Export) -> Iterator[str]:
    """Labels that are none of the four kinds, named."""
    for label, count in export.unknown_labels.items():
        yield f"The label {label!r} is none of the four kinds: its {count} points are left out."


def describe_snapping(faces: list[AnnotatedFace]) -> str:
    """How far clicks moved to the blobs they mean."""
    clicks = [(click, FACE_SPAN_MM / face.span) for face in faces for click in face.clicks]
    moves = [click.offset * mm_per_px for click, mm_per_px in clicks if click.is_snapped]
    stay = sum(not click.is_snapped and not click.is_wrinkle for click, _ in clicks)
    if not moves:
        return "No click has a dark blob near; all stay where they are."
    return (
        f"Clicks are snapped to the darkest blob near: by {np.median(moves):.1f} mm (median), "
        f"{max(moves):.1f} at most; {stay} have none near and stay, as all wrinkles do"
    )


def describe_expectation(faces: list[AnnotatedFace], model: str) -> str:
    """What may be hoped for from so many images."""
    seen = ", ".join(f"{count} {kind}" for kind, count in count_kinds(faces).items())
    if len(faces) < FEW:
        expectation = (
            "so few settle the scores of a finder that knows marks already (heatmap, or --from); "
            "from scratch they teach little more than where marks tend to lie"
        )
    elif len(faces) < MANY:
        expectation = (
            "enough to adjust a network that knows marks; from scratch its finds stay coarse"
        )
    else:
        expectation = (
            "as many as the original's authors had (300): enough to adjust a network well, and for "
            "keypoint-rcnn from ImageNet's weights; from scratch it remains few"
        )
    return f"{len(faces)} images, {seen}. For {model}: {expectation}."


def describe_training(
    walk: Iterator[TrainStep | ValidationScore | TrainingEnd],
) -> Generator[str, None, int]:
    """Lines while a finder is trained; returns the step whose weights were kept."""
    begun, first, best_step = time.monotonic(), None, 0
    for event in walk:
        match event:
            case TrainStep(number, of, loss):
                first = first or number
                if number % REPORT_EVERY == 0 or number in (first, of):
                    took = (time.monotonic() - begun) / (number - first + 1)
                    left = f"{took:.1f} s a step, {took * (of - number) / 60:.0f} min left"
                    yield f"step {number} of {of}, loss {loss:.3f}, {left}"
            case ValidationScore(step, score, is_best):
                kept = "the best so far, kept" if is_best else "not better, not kept"
                yield f"step {step}: mean AP {score:.3f} on the images not learned from; {kept}"
            case TrainingEnd(path, _, (best_step, score)):
                yield f"kept: step {best_step}, mean AP {score:.3f}, in {path}"
    return best_step


def describe_ignored(faces: list[AnnotatedFace], one_click_a_kind: bool) -> str:
    """How many places count neither way, and why so many."""
    count = sum(len(face.ignored) for face in faces)
    if one_click_a_kind:
        return (
            "No face has two marks of one kind, so what was not clicked is not taken for bare "
            f"skin: {count} places that may be marks count neither way"
        )
    return f"{count} faint places that nobody clicked count neither way"
