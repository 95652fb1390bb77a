"""The original entry's finder: a keypoint R-CNN that sees the face as one object with four points.

One box for the face, four keypoints in the order of `KINDS`; a kind that the face does not
have lies at (0, 0) with visibility 0 in training. The network always answers four points, so
whether one is there is read from its heat map's peak, against a level measured after training.
It finds at most one mark of a kind: that is its design, kept for comparison.

Network: torchvision's `keypointrcnn_resnet50_fpn` (He et al., "Mask R-CNN", ICCV 2017).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from realism.faces.face import Face
from realism.marks.find.weights_io import about_network, save_network, whole
from realism.marks.mark import KINDS, Mark, make_mark

if TYPE_CHECKING:
    import torch

FORMAT = "realism keypoint r-cnn 1"
# Clear of the head's outline, so that the box can be found within the crop.
MARGIN = 0.2


@dataclass(frozen=True)
class KeypointSettings:
    """What it takes to build the same network again.

    backbone    "imagenet": frozen batch norm, first blocks fixed; "scratch": all trained
    min_size    px; the crop's shorter side is brought to it
    levels      peak of the heat map from which each of KINDS counts as there
    """

    backbone: str
    min_size: int = 640
    levels: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class KeypointFinder:
    """A network with what is known of it."""

    network: torch.nn.Module
    settings: KeypointSettings


def build_keypoints(settings: KeypointSettings):
    """The network with random weights (the backbone's from ImageNet are loaded by `train.py`)."""
    from torchvision.models.detection import keypointrcnn_resnet50_fpn

    network = keypointrcnn_resnet50_fpn(
        weights=None,
        weights_backbone=None,
        num_classes=2,
        num_keypoints=len(KINDS),
        min_size=settings.min_size,
        max_size=2 * settings.min_size,
        # One face a crop: the default of 100 detections costs most of the time.
        box_detections_per_img=4,
        rpn_post_nms_top_n_test=200,
    )
    if settings.backbone == "imagenet":
        _freeze_batch_norm(network.backbone.body)
        for name, parameter in network.backbone.body.named_parameters():
            # torchvision's default with a trained backbone: three of five blocks are trained.
            parameter.requires_grad = name.startswith(("layer2", "layer3", "layer4"))
    return network


def _freeze_batch_norm(module) -> None:
    """Replace batch norm by its frozen form: batches of two are too small to measure by."""
    from torch import nn
    from torchvision.ops import FrozenBatchNorm2d

    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, FrozenBatchNorm2d(child.num_features))
        else:
            _freeze_batch_norm(child)


def save_keypoints(path: Path, finder: KeypointFinder) -> None:
    """Write the network as safetensors with its settings inside."""
    save_network(path, finder.network.state_dict(), FORMAT, settings=asdict(finder.settings))


def read_keypoints(path: Path) -> KeypointFinder:
    """Read a network that `save_keypoints` wrote.

    Raises InputError for a pickle, or for safetensors of something else.
    """
    from safetensors.torch import load_file

    path = Path(path)
    values = about_network(path, FORMAT, "finder_keypoint")
    with whole(path):
        values = values["settings"]
        settings = KeypointSettings(
            values["backbone"], int(values["min_size"]), tuple(map(float, values["levels"]))
        )
        network = build_keypoints(settings)
        network.load_state_dict(load_file(str(path)))
    return KeypointFinder(network.eval(), settings)


load_keypoints = cache(read_keypoints)  # for those who only look with it


def face_crop(pixels: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The face with a margin, and its origin (2,) px in the picture."""
    height, width = pixels.shape[:2]
    margin = MARGIN * (box[2:] - box[:2])
    x0, y0 = np.clip(np.floor(box[:2] - margin), 0, [width - 2, height - 2]).astype(int)
    x1, y1 = np.clip(np.ceil(box[2:] + margin), [x0 + 2, y0 + 2], [width, height]).astype(int)
    return pixels[y0:y1, x0:x1], np.array([x0, y0])


def as_tensor(crop: np.ndarray):
    """(h, w, 3) uint8 to (3, h, w) float32 0..1."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1))).float() / 255


def find_with_keypoints(
    finder: KeypointFinder, pixels: np.ndarray, face: Face, threshold: float | None = None
) -> list[Mark]:
    """At most one mark of each kind, surest first.

    threshold    least score; None is 0.5, the level measured after training
    """
    crop, origin = face_crop(pixels, face.box)
    points, peaks = four_points(finder.network, crop)
    least = 0.5 if threshold is None else threshold
    marks = marks_of(points, peaks, finder.settings, origin, face)
    return sorted((m for m in marks if m.score >= least), key=lambda mark: -mark.score)


def marks_of(
    points: np.ndarray | None,
    peaks: np.ndarray,
    settings: KeypointSettings,
    origin: np.ndarray,
    face: Face,
) -> list[Mark]:
    """What `four_points` answered, as marks of the picture, whatever their score."""
    if points is None:
        return []
    scores = 1 / (1 + np.exp(-(peaks - np.array(settings.levels))))
    radius = 0.012 * face.width  # the network gives none: about 1.7 mm
    return [
        make_mark(kind, (point + origin).astype(np.float32), radius, float(score))
        for kind, point, score in zip(KINDS, points, scores, strict=True)
    ]


def four_points(network, crop: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """Four points (4, 2) px of the crop and their heat maps' peaks (4,); None without a face."""
    import torch

    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        answer = network([as_tensor(crop).to(device)])[0]
    if len(answer["boxes"]) == 0:
        return None, np.zeros(len(KINDS))
    points, peaks = answer["keypoints"][0, :, :2], answer["keypoints_scores"][0]
    return points.float().cpu().numpy(), peaks.float().cpu().numpy()
