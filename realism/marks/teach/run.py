"""The loop that a person walks: annotate in whale-anno, train a finder, judge it, correct, again.

Both verbs yield lines of text while they work, leave a folder with a report, and return its table.
"""

import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from realism.disk import write_json
from realism.errors import InputError
from realism.faces.engine import Engine
from realism.marks.find.crop import FACE_SPAN_MM
from realism.marks.find.finders import find_marks
from realism.marks.teach.dataset import Annotated, LeftOut, annotated_faces
from realism.marks.teach.evaluate import THRESHOLD, Judged, figures, judge, table
from realism.marks.teach.sheet import save_plot, save_sheet
from realism.marks.teach.train import (
    LARGEST,
    MODELS,
    RECIPES,
    Learner,
    Score,
    Trained,
    TrainStep,
    checkpoint_of,
    expected,
    judge_learner,
    split,
    train,
)
from realism.marks.teach.whale_anno import Export, read_whale

WEIGHTS = "finder.safetensors"
METHODS = {"heatmap": "heatmap", "resnet50": "keypoint-rcnn", "compact": "compact"}
EVERY = 10  # steps between two lines


def start(model: str, weights: Path | None, size: int | None) -> Learner:
    """A learner of one of MODELS.

    size    px; of `resnet50` the crop's shorter side, of the others ear to ear; None: its own
    """
    if model == "resnet50":
        from realism.marks.teach.keypoint_rcnn import start_keypoints

        return start_keypoints(size or 640, weights)
    if model == "compact":
        from realism.marks.teach.compact_rcnn import start_compact

        return start_compact(size or 600, weights)
    from realism.marks.teach.heatmap import start_heatmap

    return start_heatmap(weights)


def train_on(
    annotations: Path,
    images: Path | None,
    engine: Engine,
    out: Path,
    model: str = "heatmap",
    weights: Path | None = None,
    size: int | None = None,
    restart: bool = False,
    **asked,
) -> Generator[str, None, str]:
    """Train a finder on a whale-anno export and judge it on the images it did not see.

    images     folder of the pictures; None: the project's own data/
    out        folder for finder.safetensors, its checkpoint, report.json and two pictures
    weights    to start from, of the same model
    asked      fields of `Training` that differ from the model's recipe, None where not
    """
    import torch

    if model not in MODELS:
        raise InputError("finder_model_not_known", model=model, choices=MODELS)
    recipe = replace(RECIPES[model], **{k: v for k, v in asked.items() if v is not None})
    for name in ("steps", "batch", "judge_every"):
        if getattr(recipe, name) < 1:
            raise InputError(
                "setting_too_small", setting=name.replace("_", " "), value=getattr(recipe, name)
            )
    export = read_whale(annotations)
    yield from _unknown(export)
    faces = []
    for one in annotated_faces(export, _images(annotations, images), engine, LARGEST):
        if isinstance(one, LeftOut):
            yield f"{one.name} is left out: {one.reason}"
            continue
        faces.append(one)
        if len(faces) % EVERY == 0:
            yield f"{len(faces)} of {len(export.annotations)} images read"
    yield expected(faces, model)
    yield _snapped(faces)
    learning, judging = split(faces, recipe.validation)
    yield f"{len(learning)} images to learn from, {len(judging)} to judge on"
    file = Path(out) / WEIGHTS
    torch.manual_seed(recipe.seed)  # the first weights
    learner = start(model, weights, size)
    source = weights and sha256(Path(weights).read_bytes()).hexdigest()
    if restart:
        # Only now: they may be what it starts from.
        for old in (file, checkpoint_of(file)):
            old.unlink(missing_ok=True)
    yield f"{model}, starting from {learner.note}"
    if model == "heatmap":
        from realism.marks.teach.heatmap import with_doubts

        faces, doubts = with_doubts(faces)
        yield doubts
    begun, first = time.monotonic(), None
    for event in train(faces, learner, file, recipe, f"{model} {size} {source}"):
        match event:
            case TrainStep(number, of, loss):
                first = first or number
                if number % EVERY == 0 or number in (first, of):
                    took = (time.monotonic() - begun) / (number - first + 1)
                    left = f"{took:.1f} s a step, {took * (of - number) / 60:.0f} min left"
                    yield f"step {number} of {of}, loss {loss:.3f}, {left}"
            case Score(number, near, better):
                kept = "the best so far, kept" if better else "not better, not kept"
                yield f"step {number}: mean AP {near:.3f} on the images not learned from; {kept}"
            case Trained(path, _, best):
                yield f"kept: step {best[0]}, mean AP {best[1]:.3f}, in {path}"
    kept = start(model, file, None)
    kept.network.to(next(learner.network.parameters()).device)
    about = {"model": model, "started_from": learner.note, "steps": recipe.steps}
    about |= {"images": len(faces), "kept_step": best[0], "learned_from": len(learning)}
    told = yield from report(judge_learner(kept, judging), Path(out), about)
    yield f"To use it: marks find IMAGE --method {METHODS[model]} --weights {file}"
    return told


def evaluate_on(
    annotations: Path,
    images: Path | None,
    engine: Engine,
    out: Path,
    method: str,
    weights: Path | None = None,
    threshold: float = THRESHOLD,
) -> Generator[str, None, str]:
    """Judge a finder on a whale-anno export; leaves report.json and two pictures in `out`."""
    export = read_whale(annotations)
    yield from _unknown(export)
    judged, left_out = [], {}
    begun = time.monotonic()
    for one in annotated_faces(export, _images(annotations, images), engine):
        if isinstance(one, LeftOut):
            left_out[one.name] = str(one.reason)
            yield f"{one.name} is left out: {one.reason}"
            continue
        found = find_marks(one.pixels, one.face, one.skin, method, weights, 0.0)
        judged.append(judge(one, found))
        if len(judged) % EVERY == 0:
            took = time.monotonic() - begun
            yield f"{len(judged)} of {len(export.annotations)} images, {took:.0f} s"
    yield _snapped([one.face for one in judged])
    about = {"method": method, "weights": weights and Path(weights).name, "left_out": left_out}
    return (yield from report(judged, Path(out), about, threshold))


def report(
    judged: list[Judged], out: Path, about: dict, threshold: float = THRESHOLD
) -> Generator[str, None, str]:
    """Write report.json, precision-recall.png and sheet.png; -> the figures as a table."""
    if not judged:
        raise InputError("no_annotated_face")
    told = figures(judged, threshold)
    write_json(out / "report.json", {**about, "threshold": threshold, **told})
    save_plot(out / "precision-recall.png", judged)
    save_sheet(out / "sheet.png", judged, threshold)
    yield f"In {out}: report.json, precision-recall.png, sheet.png"
    return table(told)


def _images(annotations: Path, images: Path | None) -> Path:
    """The folder of the pictures: as given, else the project's own."""
    if images is not None:
        return Path(images)
    if not Path(annotations).is_dir():
        raise InputError("export_without_pictures", name=Path(annotations).name)
    own = Path(annotations) / "data"
    return own if own.is_dir() else Path(annotations)


def _unknown(export: Export) -> Iterator[str]:
    """Labels that are none of the four kinds, named."""
    for label, count in export.unknown_labels.items():
        yield f"The label {label!r} is none of the four kinds: its {count} points are left out."


def _snapped(faces: list[Annotated]) -> str:
    """How far clicks moved to the blobs they mean."""
    moves = [c.moved * FACE_SPAN_MM / face.span for face in faces for c in face.clicks if c.snapped]
    stay = sum(not c.snapped and not c.is_wrinkle for face in faces for c in face.clicks)
    if not moves:
        return "No click has a dark blob near; all stay where they are."
    return (
        f"Clicks are snapped to the darkest blob near: by {np.median(moves):.1f} mm (median), "
        f"{max(moves):.1f} at most; {stay} have none near and stay, as all wrinkles do"
    )
