"""The original entry's finder: a keypoint R-CNN that sees the face as one object with four points.

One box for the face, four keypoints in the order of `KINDS`; a kind that the face does not
have lies at (0, 0) with visibility 0 in training. The network always answers four points, so
whether one is there is read from its heat map's peak, against a level measured after training.
It finds at most one mark of a kind: that is its design, kept for comparison.

Network: torchvision's `keypointrcnn_resnet50_fpn` (He et al., "Mask R-CNN", ICCV 2017), as the
original's; the weights that come with the program are of the same on a smaller backbone, see
`keypoint_heatmap.py`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from realism.faces.face import Face
from realism.marks.find.crop import crop_face
from realism.marks.find.weights_io import read_about, read_network, save_network
from realism.marks.mark import KINDS, Mark, make_mark

if TYPE_CHECKING:
    import torch
    from torchvision.models.detection import KeypointRCNN

FORMAT = "realism keypoint r-cnn 1"
NAME = "finder_keypoint"  # code of its name in messages
# Clear of the head's outline, so that the box can be found within the crop.
MARGIN = 0.2
RADIUS = 0.012  # of the face's width, about 1.7 mm: the network gives none


@dataclass(frozen=True)
class KeypointSettings:
    """What it takes to build the same network again.

    Attributes
    ----------
    backbone : str
        Of ResNet-50, "imagenet": frozen batch norm, first blocks fixed; "scratch": all trained.
        "heatmap": the heat-map network's features, fixed.
    min_size : int, px
        To which the crop's shorter side is brought; "heatmap" looks at the finders' own size.
    levels : tuple of float
        Peak of the heat map from which each of `KINDS` counts as there.
    """

    backbone: str
    min_size: int = 640
    levels: tuple[float, ...] = (0.0,) * len(KINDS)


@dataclass(frozen=True, eq=False)
class KeypointFinder:
    """A network with the settings that it was built by."""

    network: torch.nn.Module
    settings: KeypointSettings


@dataclass(frozen=True, eq=False)
class FaceView:
    """A face as the network sees it.

    Attributes
    ----------
    image : (3 or 4, h, w) float32 Tensor
    origin : (2,) ndarray, px of the picture
        Of the view's corner.
    scale : float
        Px of the view per px of the picture.
    box : (4,) float32 ndarray, px of the view
        Of the face: x0, y0, x1, y1.
    """

    image: torch.Tensor
    origin: np.ndarray
    scale: float
    box: np.ndarray

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) px of the view to px of the picture."""
        return points / self.scale + self.origin

    def from_picture(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) px of the picture to px of the view."""
        return (points - self.origin) * self.scale


def build_keypoints(settings: KeypointSettings) -> KeypointRCNN:
    """The network with random weights (`marks train` loads the backbone's)."""
    if settings.backbone == "heatmap":
        from realism.marks.find.keypoint_heatmap import build_on_heatmap

        return build_on_heatmap()
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
        body = network.get_submodule("backbone.body")
        _freeze_batch_norm(body)
        for name, parameter in body.named_parameters():
            # torchvision's default with a trained backbone: three of five blocks are trained.
            parameter.requires_grad = name.startswith(("layer2", "layer3", "layer4"))
    return network


def _freeze_batch_norm(module: torch.nn.Module) -> None:
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

    Raises
    ------
    InputError
        For a pickle, or for safetensors of something else.
    """
    network = read_network(path, FORMAT, NAME, lambda about: build_keypoints(_settings(about)))
    return KeypointFinder(network, _settings(read_about(path, FORMAT, NAME)))


def _settings(about: dict) -> KeypointSettings:
    values = about["settings"]
    levels = tuple(map(float, values["levels"]))
    return KeypointSettings(values["backbone"], int(values["min_size"]), levels)


load_keypoints = cache(read_keypoints)  # for those who only look with it


def view_face(
    settings: KeypointSettings, pixels: np.ndarray, face: Face, skin: np.ndarray
) -> FaceView:
    """The face with a margin, as a network of these settings sees it.

    Parameters
    ----------
    settings : KeypointSettings
    pixels : (H, W, 3) uint8 ndarray, sRGB
    face : Face
    skin : (H, W) float32 ndarray, 0..1
    """
    import torch

    if settings.backbone == "heatmap":
        from realism.marks.find.keypoint_heatmap import box_of_face, network_input

        seen = crop_face(pixels, face, skin)
        box = box_of_face(seen.from_picture(face.mesh[:, :2]), seen.skin.shape)
        # torchvision's pixels reach from 0 to 1, ours lie around their centres.
        image = network_input(seen.log_light, seen.skin)
        return FaceView(image, seen.origin - 0.5, seen.scale, box)
    crop, origin = face_crop(pixels, face.box)
    high = np.tile([crop.shape[1], crop.shape[0]], 2)
    box = np.clip(face.box - np.concatenate([origin, origin]), 0, high).astype(np.float32)
    image = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1))).float() / 255
    return FaceView(image, origin, 1.0, box)


def face_crop(pixels: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The face with a margin.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 ndarray, sRGB
    box : (4,) ndarray, px
        Of the face: x0, y0, x1, y1.

    Returns
    -------
    crop : (h, w, 3) uint8 ndarray, sRGB
    origin : (2,) int ndarray, px of the picture
        Of the crop's (0, 0).
    """
    height, width = pixels.shape[:2]
    margin = MARGIN * (box[2:] - box[:2])
    x0, y0 = np.clip(np.floor(box[:2] - margin), 0, [width - 2, height - 2]).astype(int)
    x1, y1 = np.clip(np.ceil(box[2:] + margin), [x0 + 2, y0 + 2], [width, height]).astype(int)
    return pixels[y0:y1, x0:x1], np.array([x0, y0])


def find_with_keypoints(
    finder: KeypointFinder, pixels: np.ndarray, face: Face, skin: np.ndarray
) -> list[Mark]:
    """At most one mark of each kind, of any score, surest first.

    Parameters
    ----------
    finder : KeypointFinder
    pixels : (H, W, 3) uint8 ndarray, sRGB
    face : Face
    skin : (H, W) float32 ndarray, 0..1
    """
    view = view_face(finder.settings, pixels, face, skin)
    points, peaks = four_points(finder.network, view.image)
    marks = marks_from_points(points, peaks, finder.settings, view, face)
    return sorted(marks, key=lambda mark: -mark.score)


def marks_from_points(
    points: np.ndarray | None,
    peaks: np.ndarray,
    settings: KeypointSettings,
    view: FaceView,
    face: Face,
) -> list[Mark]:
    """What `four_points` answered, as marks of the picture, of any score.

    Parameters
    ----------
    points : (4, 2) ndarray, px of the view, or None
    peaks : (4,) ndarray
        Of their heat maps.
    settings : KeypointSettings
    view : FaceView
    face : Face
    """
    if points is None:
        return []
    scores = 1 / (1 + np.exp(-(peaks - np.array(settings.levels))))
    radius = RADIUS * face.width
    return [
        make_mark(kind, xy.astype(np.float32), radius, float(score))
        for kind, xy, score in zip(KINDS, view.to_picture(points), scores, strict=True)
    ]


def four_points(
    network: torch.nn.Module, image: torch.Tensor
) -> tuple[np.ndarray | None, np.ndarray]:
    """Where the network sees one mark of each kind.

    Parameters
    ----------
    network : KeypointRCNN
    image : (c, h, w) float32 Tensor
        Of `view_face`.

    Returns
    -------
    points : (4, 2) float32 ndarray, px of the view, or None
        In the order of `KINDS`; None where it sees no face.
    peaks : (4,) float32 ndarray
        Of their heat maps.
    """
    import torch

    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        answer = network([image.to(device)])[0]
    if len(answer["boxes"]) == 0:
        return None, np.zeros(len(KINDS))
    points, peaks = answer["keypoints"][0, :, :2], answer["keypoints_scores"][0]
    return points.float().cpu().numpy(), peaks.float().cpu().numpy()
