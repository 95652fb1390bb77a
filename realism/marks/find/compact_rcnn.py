"""A small R-CNN that sees each mark as an object of its own: any number of each kind.

The original's family with what marks need: anchors from 4 px on a pyramid from stride 4, one
class a kind, one keypoint at the mark's centre, small heads. It looks at the log of the light
less the skin's own, as the heat-map network does. 4 M parameters; meant for a GPU, works anywhere.

Network: He et al., "Mask R-CNN", ICCV 2017; Lin et al., "Feature pyramid networks", CVPR 2017;
group norm instead of batch norm, since batches are small: Wu and He, ECCV 2018.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from realism.faces.face import Face
from realism.faces.skin import LEAST_SKIN
from realism.marks.find.crop import SPAN, FaceCrop, crop_face
from realism.marks.find.weights_io import read_about, read_network, save_network
from realism.marks.mark import KINDS, Mark, make_mark

if TYPE_CHECKING:
    import torch
    from torchvision.models.detection import KeypointRCNN

FORMAT = "realism compact r-cnn 1"
NAME = "finder_compact"  # code of its name in messages

AROUND = 1.3  # half a box over a mark's radius: its rim is what tells it from skin
ANCHORS = ((4, 6), (8, 12), (16, 24), (32, 48))  # px, at strides 4, 8, 16 and 32


@dataclass(frozen=True)
class CompactSettings:
    """What it takes to build the same network again.

    Attributes
    ----------
    span : int, px
        From ear to ear at which the face is seen.
    channels : int
        Of the pyramid.
    """

    span: int = SPAN
    channels: int = 64


@dataclass(frozen=True, eq=False)
class CompactFinder:
    """A network with the settings that it was built by."""

    network: torch.nn.Module
    settings: CompactSettings


def build_compact(settings: CompactSettings) -> KeypointRCNN:
    """The network with random weights."""
    from torch import nn
    from torchvision.models import resnet18
    from torchvision.models.detection import KeypointRCNN
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.backbone_utils import BackboneWithFPN
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.models.detection.keypoint_rcnn import (
        KeypointRCNNHeads,
        KeypointRCNNPredictor,
    )

    width = settings.channels
    body = resnet18(weights=None, norm_layer=lambda channels: nn.GroupNorm(8, channels))
    layers = {"layer1": "0", "layer2": "1", "layer3": "2"}
    return KeypointRCNN(
        BackboneWithFPN(body, layers, [64, 128, 256], width),
        image_mean=[0.0] * 3,
        image_std=[1.0] * 3,
        rpn_anchor_generator=AnchorGenerator(ANCHORS, ((1.0,),) * len(ANCHORS)),
        # A box of 5 px that is 1 px off overlaps by half: torchvision's 0.7 would refuse it.
        rpn_fg_iou_thresh=0.5,
        rpn_pre_nms_top_n_test=600,
        rpn_post_nms_top_n_test=300,
        box_head=TwoMLPHead(width * 49, 128),
        box_predictor=FastRCNNPredictor(128, len(KINDS) + 1),
        box_score_thresh=0.02,
        box_nms_thresh=0.3,
        box_fg_iou_thresh=0.4,
        box_bg_iou_thresh=0.4,
        box_batch_size_per_image=256,
        keypoint_head=KeypointRCNNHeads(width, (64, 64)),
        keypoint_predictor=KeypointRCNNPredictor(64, 1),
        # The view is at its scale already; KeypointRCNN would enlarge it to 640 px.
        _skip_resize=True,
    )


def save_compact(path: Path, finder: CompactFinder) -> None:
    """Write the network as safetensors with its settings inside."""
    save_network(path, finder.network.state_dict(), FORMAT, settings=asdict(finder.settings))


def read_compact(path: Path) -> CompactFinder:
    """Read a network that `save_compact` wrote.

    Raises
    ------
    InputError
        For a pickle, or for safetensors of something else.
    """
    network = read_network(path, FORMAT, NAME, lambda about: build_compact(_settings(about)))
    return CompactFinder(network, _settings(read_about(path, FORMAT, NAME)))


def _settings(about: dict) -> CompactSettings:
    return CompactSettings(**about["settings"])


load_compact = cache(read_compact)  # for those who only look with it


def find_with_compact(
    finder: CompactFinder,
    pixels: np.ndarray,
    face: Face,
    skin: np.ndarray,
) -> list[Mark]:
    """All that may be a mark on the skin of one face, of any score, surest first.

    A wrinkle is one point.

    Parameters
    ----------
    finder : CompactFinder
    pixels : (H, W, 3) uint8 ndarray, sRGB
    face : Face
    skin : (H, W) float32 ndarray, 0..1
    """
    import torch

    crop = crop_face(pixels, face, skin, finder.settings.span)
    device = next(finder.network.parameters()).device
    finder.network.eval()
    with torch.inference_mode():
        answer = finder.network([network_input(crop).to(device)])[0]
    boxes, points = answer["boxes"].cpu().numpy(), answer["keypoints"][:, 0, :2].cpu().numpy()
    kinds, scores = answer["labels"].cpu().numpy() - 1, answer["scores"].cpu().numpy()
    marks, last = [], np.array(crop.skin.shape[::-1]) - 1
    for box, point, kind, score in zip(boxes, points, kinds, scores, strict=True):
        # torchvision's pixels reach from 0 to 1, ours lie around their centres.
        x, y = point - 0.5
        column, row = np.clip(np.rint([x, y]), 0, last).astype(int)
        if crop.skin[row, column] < LEAST_SKIN:
            continue
        radius = float(np.mean(box[2:] - box[:2]) / (2 * AROUND * crop.scale))
        xy = crop.to_picture(np.array([[x, y]]))[0].astype(np.float32)
        marks.append(make_mark(KINDS[kind], xy, radius, float(score)))
    return sorted(marks, key=lambda mark: -mark.score)


def network_input(crop: FaceCrop) -> torch.Tensor:
    """What the network sees of a crop, (3, h, w) float32."""
    import torch

    from realism.marks.find.network import normalise

    return torch.from_numpy(np.ascontiguousarray(normalise(crop.log_light, crop.skin)))
