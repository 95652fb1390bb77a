"""The loop that a person walks: annotate in whale-anno, train a finder, evaluate, correct, again.

Both verbs yield lines of text while they work, leave a folder with a report, and return its table.
"""

import time
from collections.abc import Generator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from realism.disk import write_json
from realism.errors import InputError
from realism.faces.engine import Engine
from realism.marks.find.crop import SPAN
from realism.marks.find.finders import (
    AS_LIKELY_AS_NOT,
    COMPACT,
    HEATMAP,
    KEYPOINT_RCNN,
    find_marks,
)
from realism.marks.teach.checkpoint import checkpoint_path
from realism.marks.teach.dataset import (
    AnnotatedFace,
    SkippedPicture,
    read_annotated_faces,
)
from realism.marks.teach.evaluate import (
    FaceEvaluation,
    build_report,
    evaluate_face,
    format_report,
)
from realism.marks.teach.progress import (
    REPORT_EVERY,
    describe_expectation,
    describe_ignored,
    describe_snapping,
    describe_training,
    describe_unknown_labels,
)
from realism.marks.teach.settings import DEFAULT_SETTINGS, TrainingSettings
from realism.marks.teach.sheet import save_plot, save_sheet
from realism.marks.teach.train import (
    TrainableFinder,
    evaluate_finder,
    split_faces,
    train,
)
from realism.marks.teach.whale_anno import read_whale

WEIGHTS_NAME = "finder.safetensors"
# What the keypoint R-CNN was called in training when finding knew it by its own name already.
ALIASES = {"resnet50": KEYPOINT_RCNN.name}


def load_trainable(model: str, weights: Path | None, size: int | None) -> TrainableFinder:
    """A finder to train.

    Parameters
    ----------
    model : str
        One of DEFAULT_SETTINGS.
    weights : Path, optional
        To start from.
    size : int, px, optional
        Of the keypoint R-CNN the crop's shorter side, of the compact one ear to ear.
    """
    if model == KEYPOINT_RCNN.name:
        from realism.marks.teach.keypoint_rcnn import MIN_SIZE, load_trainable_keypoints

        return load_trainable_keypoints(size or MIN_SIZE, weights)
    if model == COMPACT.name:
        from realism.marks.teach.compact_rcnn import load_trainable_compact

        return load_trainable_compact(size or SPAN, weights)
    from realism.marks.teach.heatmap import load_trainable_heatmap

    return load_trainable_heatmap(weights)


def train_on(
    annotations: Path,
    images: Path | None,
    engine: Engine,
    out: Path,
    model: str = HEATMAP.name,
    weights: Path | None = None,
    size: int | None = None,
    restart: bool = False,
    **asked: float | None,
) -> Generator[str, None, str]:
    """Train a finder on a whale-anno export and evaluate it on the images it did not see.

    Parameters
    ----------
    annotations : Path
        An export file or a project folder.
    images : Path, optional
        Folder of the pictures; by default the project's own data/.
    engine : Engine
    out : Path
        Folder for finder.safetensors, its checkpoint, report.json and two pictures.
    model : str
        One of DEFAULT_SETTINGS or ALIASES.
    weights : Path, optional
        To start from, of the same model.
    size : int, px, optional
        As of `load_trainable`.
    restart : bool
        Do not go on from a checkpoint.
    **asked : float, optional
        Fields of `TrainingSettings` that differ from the model's own, None where not.

    Raises
    ------
    InputError
        For what cannot be used of all that.
    """
    import torch

    model = ALIASES.get(model, model)
    settings = _settings(model, asked)
    faces = yield from _read_faces(annotations, images, engine)
    yield describe_expectation(faces, model)
    yield describe_snapping(faces)
    learned_from, held_out = split_faces(faces, settings.validation)
    yield f"{len(learned_from)} images to learn from, {len(held_out)} to judge on"
    file = Path(out) / WEIGHTS_NAME
    torch.manual_seed(settings.seed)  # the first weights
    finder = load_trainable(model, weights, size)
    source = weights and sha256(Path(weights).read_bytes()).hexdigest()
    if restart:
        # Only now: they may be what it starts from.
        for old in (file, checkpoint_path(file)):
            old.unlink(missing_ok=True)
    yield f"{model}, starting from {finder.initial_weights}"
    if model == HEATMAP.name:
        from realism.marks.teach.heatmap import has_one_click_a_kind, ignore_unclicked

        faces = ignore_unclicked(faces)
        yield describe_ignored(faces, has_one_click_a_kind(faces))
    # By the name that the model had when the first checkpoints were written.
    key_name = {name: alias for alias, name in ALIASES.items()}.get(model, model)
    walk = train(faces, finder, file, settings, f"{key_name} {size} {source}")
    best_step = yield from describe_training(walk)
    kept = load_trainable(model, file, None)
    kept.network.to(next(finder.network.parameters()).device)
    about = {"model": model, "started_from": finder.initial_weights, "steps": settings.steps}
    about |= {"images": len(faces), "kept_step": best_step, "learned_from": len(learned_from)}
    table = yield from write_report(evaluate_finder(kept, held_out), Path(out), about)
    yield f"To use it: marks find IMAGE --method {model} --weights {file}"
    return table


def _settings(model: str, asked: dict[str, float | None]) -> TrainingSettings:
    if model not in DEFAULT_SETTINGS:
        choices = tuple(DEFAULT_SETTINGS)
        raise InputError("finder_model_not_known", model=model, choices=choices)
    given = {name: value for name, value in asked.items() if value is not None}
    settings = replace(DEFAULT_SETTINGS[model], **given)
    for name in ("steps", "batch", "judge_every"):
        value = getattr(settings, name)
        if value < 1:
            raise InputError("setting_too_small", setting=name.replace("_", " "), value=value)
    return settings


def _read_faces(
    annotations: Path, images: Path | None, engine: Engine
) -> Generator[str, None, list[AnnotatedFace]]:
    """The annotated faces, no larger than finders look at them."""
    export = read_whale(annotations)
    yield from describe_unknown_labels(export)
    faces = []
    for read in read_annotated_faces(export, _pictures(annotations, images), engine, SPAN):
        if isinstance(read, SkippedPicture):
            yield f"{read.name} is left out: {read.reason}"
            continue
        faces.append(read)
        if len(faces) % REPORT_EVERY == 0:
            yield f"{len(faces)} of {len(export.annotations)} images read"
    return faces


def evaluate_on(
    annotations: Path,
    images: Path | None,
    engine: Engine,
    out: Path,
    method: str,
    weights: Path | None = None,
    threshold: float = AS_LIKELY_AS_NOT,
) -> Generator[str, None, str]:
    """Evaluate a finder on a whale-anno export; leaves report.json and two pictures in `out`.

    Parameters
    ----------
    annotations, images, engine
        As of `train_on`.
    out : Path
        Folder to write to.
    method : str
        One of `finders.FINDERS`.
    weights : Path, optional
        Of the finder, other than its own.
    threshold : float, 0..1
        Least score of a finding, for the figures that are of one threshold.

    Raises
    ------
    InputError
        For what cannot be used of all that.
    """
    export = read_whale(annotations)
    yield from describe_unknown_labels(export)
    evaluations, left_out = [], {}
    begun = time.monotonic()
    for read in read_annotated_faces(export, _pictures(annotations, images), engine):
        if isinstance(read, SkippedPicture):
            left_out[read.name] = str(read.reason)
            yield f"{read.name} is left out: {read.reason}"
            continue
        found = find_marks(read.pixels, read.face, read.skin, method, weights, 0.0)
        evaluations.append(evaluate_face(read, found))
        if len(evaluations) % REPORT_EVERY == 0:
            took = time.monotonic() - begun
            yield f"{len(evaluations)} of {len(export.annotations)} images, {took:.0f} s"
    yield describe_snapping([evaluation.face for evaluation in evaluations])
    about = {"method": method, "weights": weights and Path(weights).name, "left_out": left_out}
    return (yield from write_report(evaluations, Path(out), about, threshold))


def write_report(
    evaluations: list[FaceEvaluation],
    out: Path,
    about: dict,
    threshold: float = AS_LIKELY_AS_NOT,
) -> Generator[str, None, str]:
    """Write report.json, precision-recall.png and sheet.png; returns the figures as a table.

    Parameters
    ----------
    evaluations : list of FaceEvaluation
        At least one.
    out : Path
        Folder to write to.
    about : dict
        JSON values that stand before the figures.
    threshold : float, 0..1
        As of `evaluate_on`.

    Raises
    ------
    InputError
        When there is no face.
    """
    if not evaluations:
        raise InputError("no_annotated_face")
    report = build_report(evaluations, threshold)
    write_json(out / "report.json", {**about, "threshold": threshold, **report})
    save_plot(out / "precision-recall.png", evaluations)
    save_sheet(out / "sheet.png", evaluations, threshold)
    yield f"In {out}: report.json, precision-recall.png, sheet.png"
    return format_report(report)


def _pictures(annotations: Path, images: Path | None) -> Path:
    """The folder of the pictures: as given, else the project's own."""
    if images is not None:
        return Path(images)
    if not Path(annotations).is_dir():
        raise InputError("export_without_pictures", name=Path(annotations).name)
    own = Path(annotations) / "data"
    return own if own.is_dir() else Path(annotations)
