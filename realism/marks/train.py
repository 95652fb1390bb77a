"""Train the original entry's finder on annotated faces.

Each face is a crop with one box and four keypoints. The loop yields after every step; every so
many steps and at the end it saves weights, optimiser and place in the order, all as safetensors
and JSON, so that a killed run goes on where it was. The presence levels are measured last.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from realism.disk import whole_file
from realism.errors import Unusable
from realism.faces.face import Engine
from realism.faces.find import the_face
from realism.marks.keypoint import (
    KeypointFinder,
    KeypointSettings,
    as_tensor,
    build_keypoints,
    face_crop,
    four_points,
    save_keypoints,
)  # fmt: skip
from realism.marks.mark import KINDS, Mark
from realism.marks.whale import Export
from realism.photos import open_photo


@dataclass(frozen=True)
class Training:
    """How the keypoint R-CNN is trained; torchvision's reference recipe, batch scaled down."""

    steps: int = 2000
    batch: int = 2  # crops a step
    learning_rate: float = 0.005  # SGD; 0.02 for 16 crops in the reference
    momentum: float = 0.9
    weight_decay: float = 1e-4
    save_every: int = 100  # steps
    seed: int = 7
    validation: int = 5  # every 5th image judges, and is not trained on


@dataclass(frozen=True, eq=False)
class Annotated:
    """One face with its marks.

    name     of the picture
    crop     (h, w, 3) uint8 sRGB, the face with a margin
    box      (4,) float32, the face in the crop, px
    points   (4, 3) float32: x, y px of the crop and 1, in the order of KINDS; 0, 0, 0 if absent
    """

    name: str
    crop: np.ndarray
    box: np.ndarray
    points: np.ndarray


@dataclass(frozen=True)
class TrainStep:
    """One step of training."""

    number: int
    of: int
    loss: float


@dataclass(frozen=True)
class Trained:
    """The end of training.

    weights    the file to give to `find_marks`
    backbone   "imagenet" or "scratch", and why
    levels     presence level of each of KINDS
    found      share of present points found within 5 % of the face's width, validation images
    """

    weights: Path
    backbone: str
    levels: tuple[float, ...]
    found: float


def annotated_face(name: str, pixels: np.ndarray, box: np.ndarray, marks: list[Mark]) -> Annotated:
    """A face for training: of each kind the first mark counts, as the original has it."""
    crop, origin = face_crop(pixels, box)
    points = np.zeros((len(KINDS), 3), np.float32)
    for mark in reversed(marks):
        points[KINDS.index(mark.kind)] = [*(mark.xy - origin), 1]
    offset = np.concatenate([origin, origin])
    high = np.tile([crop.shape[1], crop.shape[0]], 2)
    return Annotated(name, crop, np.clip(box - offset, 0, high).astype(np.float32), points)


def annotated_faces(export: Export, images: Path, engine: Engine) -> Iterator[Annotated]:
    """The faces of a whale-anno export, one at a time.

    Raises Unusable for a picture that is missing or shows no single face.
    """
    for annotation in export.annotations:
        photo = open_photo(Path(images) / annotation.file_name)
        face = the_face(engine.find(photo.pixels))
        height, width = photo.pixels.shape[:2]
        yield annotated_face(photo.name, photo.pixels, face.box, annotation.marks(width, height))


def train(
    faces: list[Annotated],
    out: Path,
    training: Training = Training(),
    settings: KeypointSettings | None = None,
) -> Iterator[TrainStep | Trained]:
    """Train and write `out` (safetensors); resumes from `out`'s checkpoint when there is one.

    faces       at least 2; the issue's author expects little of 20, something of 300
    settings    None: ImageNet's backbone where torchvision has it or can download it
    """
    import torch

    if len(faces) < 2:
        raise Unusable("Training needs at least two annotated faces.")
    torch.manual_seed(training.seed)  # the first weights
    settings, network, note = _start(settings)
    network.train()
    chosen = {n: p for n, p in network.named_parameters() if p.requires_grad}
    optimizer = torch.optim.SGD(
        chosen.values(),
        training.learning_rate,
        training.momentum,
        weight_decay=training.weight_decay,
    )
    checkpoint = Path(out).with_suffix(".checkpoint.safetensors")
    done = _resume(checkpoint, network, optimizer, chosen, training)
    judging = faces[:: training.validation] if len(faces) >= 2 * training.validation else faces
    learning = [f for f in faces if all(f is not j for j in judging)] or faces
    for number in range(done + 1, training.steps + 1):
        # Its own generator a step: a resumed run sees the same faces in the same order.
        picked = np.random.default_rng([training.seed, number]).integers(
            len(learning), size=training.batch
        )
        batch = [learning[i] for i in picked]
        torch.manual_seed(training.seed + 7919 * number)  # the network samples boxes at random
        losses = network([as_tensor(f.crop) for f in batch], [_target(f) for f in batch])
        loss = sum(losses.values())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(chosen.values(), 10.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if number % training.save_every == 0 or number == training.steps:
            _save_checkpoint(checkpoint, network, optimizer, chosen, number, training)
        yield TrainStep(number, training.steps, loss.item())
    levels, found = measure_levels(network, judging)
    settings = replace(settings, levels=levels)
    save_keypoints(Path(out), KeypointFinder(network, settings))
    yield Trained(Path(out), note, levels, found)


def _start(settings: KeypointSettings | None):
    """Settings, network and where its backbone comes from, in words."""
    if settings is not None and settings.backbone == "scratch":
        return settings, build_keypoints(settings), "scratch: as asked"
    weights, why_not = imagenet_backbone()
    if weights is None and settings is not None:
        raise Unusable(f'The ImageNet backbone cannot be had ({why_not}): use "scratch".')
    settings = settings or KeypointSettings("scratch" if weights is None else "imagenet")
    network = build_keypoints(settings)
    if weights is None:
        return settings, network, f"scratch: ImageNet's cannot be had ({why_not})"
    network.backbone.body.load_state_dict(weights, strict=True)
    return settings, network, "imagenet: torchvision's ResNet-50"


def imagenet_backbone() -> tuple[dict | None, str]:
    """torchvision's ResNet-50 from its cache or by download, or None and why."""
    import urllib.error
    import urllib.request

    import torch
    from torchvision.models import ResNet50_Weights

    url = ResNet50_Weights.IMAGENET1K_V1.url
    cached = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[1]
    try:
        if not cached.exists():
            with urllib.request.urlopen(url, timeout=5):
                pass  # is the server there at all? torch's own download has no time limit
        weights = torch.hub.load_state_dict_from_url(url, progress=False, weights_only=True)
    except (urllib.error.URLError, OSError) as error:
        return None, f"no download: {error}"
    # fc.* is the classifier: the detector has none.
    return {k: v for k, v in weights.items() if not k.startswith("fc.")}, ""


def _target(face: Annotated) -> dict:
    import torch

    return {
        "boxes": torch.from_numpy(face.box)[None],
        "labels": torch.ones(1, dtype=torch.int64),
        "keypoints": torch.from_numpy(face.points)[None],
    }


def measure_levels(network, faces: list[Annotated]) -> tuple[tuple[float, ...], float]:
    """Peak level of each kind that best parts present from absent; share of points found."""
    peaks = {True: [[] for _ in KINDS], False: [[] for _ in KINDS]}
    hits = []
    for face in faces:
        points, heights = four_points(network, face.crop)
        if points is None:
            continue
        for kind, (point, height) in enumerate(zip(points, heights, strict=True)):
            present = bool(face.points[kind, 2])
            peaks[present][kind].append(float(height))
            if present:
                reach = 0.05 * (face.box[2] - face.box[0])
                hits.append(np.hypot(*(point - face.points[kind, :2])) < reach)
    levels = []
    for there, absent in zip(peaks[True], peaks[False], strict=True):
        if not there or not absent:
            # Nothing to part: all that was seen is on one side of the level.
            levels.append(min(there) - 1.0 if there else max(absent, default=0.0) + 1.0)
            continue
        tried = sorted(there + absent)
        right = [sum(p >= t for p in there) + sum(p < t for p in absent) for t in tried]
        levels.append(tried[int(np.argmax(right))])
    return tuple(levels), float(np.mean(hits)) if hits else 0.0


def _save_checkpoint(
    path: Path, network, optimizer, chosen: dict, step: int, training: Training
) -> None:
    from safetensors.torch import save_file

    tensors = {f"network.{k}": v.contiguous() for k, v in network.state_dict().items()}
    for name, parameter in chosen.items():
        momentum = optimizer.state.get(parameter, {}).get("momentum_buffer")
        if momentum is not None:
            tensors[f"momentum.{name}"] = momentum.contiguous()
    about = {"step": str(step), "training": json.dumps(_recipe(training))}
    with whole_file(path) as temporary:
        save_file(tensors, str(temporary), metadata=about)


def _recipe(training: Training) -> dict:
    """What must be the same for a run to go on; more steps may be asked for."""
    return {k: v for k, v in asdict(training).items() if k not in ("steps", "save_every")}


def _resume(path: Path, network, optimizer, chosen: dict, training: Training) -> int:
    """Load a checkpoint of the same recipe; -> steps done, 0 without one."""
    from safetensors import safe_open
    from safetensors.torch import load_file

    if not path.exists():
        return 0
    with safe_open(str(path), "pt") as file:
        about = file.metadata()
    if json.loads(about["training"]) != _recipe(training):
        raise Unusable(f"{path.name} is of a run with other settings: move it away to start anew.")
    tensors = load_file(str(path))
    network.load_state_dict({k[8:]: v for k, v in tensors.items() if k.startswith("network.")})
    for name, parameter in chosen.items():
        if f"momentum.{name}" in tensors:
            optimizer.state[parameter]["momentum_buffer"] = tensors[f"momentum.{name}"].clone()
    return int(about["step"])
