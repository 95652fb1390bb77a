"""The keypoint R-CNN on the heat-map network's features: small enough to come with the program.

ResNet-50 has seen no mark, and to learn them takes a GPU; the heat-map network has. Its features
at stride 2 are what the keypoint head looks at, through a RoI pool fine enough for moles, and its
deepest are where the box of the face is found. The rest is torchvision's keypoint R-CNN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models.detection import KeypointRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.keypoint_rcnn import KeypointRCNNHeads
from torchvision.models.detection.rpn import RPNHead
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import MultiScaleRoIAlign

from realism.faces.skin import LEAST_SKIN
from realism.marks.find.network import HEAT, KIND, LINE, STRIDE, WIDTHS, HeatmapNet, normalise
from realism.marks.mark import KINDS, ROUND_KINDS

if TYPE_CHECKING:
    from torchvision.models.detection.image_list import ImageList

FINE, DEEP = "fine", "deep"  # its features at stride 2 and at stride 32
CELLS = 192  # of the keypoint's map along each side of the box: of 3 px across a face
BOX_CELLS = 7
ANCHORS = ((512, 704),)  # px: a face with its forehead at the finder's size
SHAPES = ((1.0, 1.3),)  # height over width
HEAD = (48,)  # channels of the keypoint head
FOREHEAD = 0.17  # of the span, above the mesh, which ends below the hairline


class HeatmapBackbone(nn.Module):
    """The heat-map network without its head, fixed; the deepest features are narrowed to 32.

    What is no skin has no features at stride 2: eyes, nostrils and hair are full of what looks
    like marks, and the heat-map network was never asked about them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.net = HeatmapNet()
        self.net.requires_grad_(False)
        self.out_channels = WIDTHS[-1]
        self.narrow = nn.Conv2d(WIDTHS[-2], self.out_channels, 1)

    def train(self, mode: bool = True) -> HeatmapBackbone:
        """As of any module, but for the heat-map network, whose batch norm stays as it is."""
        super().train(mode)
        self.net.eval()
        return self

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """(B, 4, h, w) from `network_input` to features, 32 channels each."""
        fine, deep = self.see(x)
        return {FINE: fine, DEEP: self.narrow(deep)}

    def see(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What does not learn: features at stride 2, of the skin, and the deepest, as they are."""
        fine, deep = self.net.features(x[:, :3])
        return fine * (F.avg_pool2d(x[:, 3:], STRIDE) >= LEAST_SKIN), deep


class _AsItIs(GeneralizedRCNNTransform):
    """Leaves the view at its scale; torchvision's own `_skip_resize` does so in training only."""

    def resize(self, image: torch.Tensor, target: dict | None = None) -> tuple:
        return image, target


class _DeepRPNHead(RPNHead):
    """Proposes from the deepest features only: a face is large."""

    def forward(self, x: list[torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        return super().forward(x[-1:])


class _DeepAnchors(AnchorGenerator):
    """Likewise."""

    def forward(
        self, image_list: ImageList, feature_maps: list[torch.Tensor]
    ) -> list[torch.Tensor]:
        return super().forward(image_list, feature_maps[-1:])


def build_on_heatmap() -> KeypointRCNN:
    """The network with random weights."""
    backbone = HeatmapBackbone()
    width = backbone.out_channels
    anchors = _DeepAnchors(ANCHORS, SHAPES)
    network = KeypointRCNN(
        backbone,
        rpn_anchor_generator=anchors,
        rpn_head=_DeepRPNHead(width, anchors.num_anchors_per_location()[0]),
        rpn_pre_nms_top_n_train=200,
        rpn_post_nms_top_n_train=50,
        rpn_pre_nms_top_n_test=100,
        rpn_post_nms_top_n_test=20,
        box_roi_pool=MultiScaleRoIAlign([DEEP], BOX_CELLS, 2),
        box_head=TwoMLPHead(width * BOX_CELLS**2, 128),
        box_predictor=FastRCNNPredictor(128, 2),
        # The crop is around a face that is known to be there: the likeliest box will do.
        box_score_thresh=0.0,
        box_detections_per_img=1,
        keypoint_roi_pool=MultiScaleRoIAlign([FINE], CELLS, 2),
        keypoint_head=KeypointRCNNHeads(width, HEAD),
        # torchvision's predictor enlarges four times; the map is as fine as its features already.
        keypoint_predictor=nn.Conv2d(HEAD[-1], len(KINDS), 3, padding=1),
    )
    network.transform = _AsItIs(800, 1333, [0.0] * 4, [1.0] * 4)
    return network


def start_from_heatmap(network: KeypointRCNN, net: HeatmapNet) -> None:
    """Give the network the heat-map network's features, and its answers to begin with.

    Features are not negative, so that layers which pass them on change nothing; a kind's map is
    that of any round mark and how much likelier the kind is than the others.
    """
    # To torch what a module holds is a tensor or a module: what these are torchvision knows.
    backbone: Any = network.backbone
    heads: Any = network.roi_heads
    backbone.net.load_state_dict(net.state_dict())
    for layer in heads.keypoint_head:
        if isinstance(layer, nn.Conv2d):
            # Channels that are more than the features begin at random, and unheard.
            passed = torch.zeros_like(layer.weight)
            nn.init.dirac_(passed[: layer.in_channels])
            with torch.no_grad():
                layer.weight[: layer.in_channels] = passed[: layer.in_channels]
                if layer.bias is not None:
                    layer.bias.zero_()
    answers: Any = net.head
    weight, bias = answers.weight.detach()[:, :, 0, 0], answers.bias.detach()
    predictor = heads.keypoint_predictor
    with torch.no_grad():
        predictor.weight.zero_()
        for values, given in (
            (predictor.weight[:, : weight.shape[1], 1, 1], weight),
            (predictor.bias, bias),
        ):
            kinds = given[KIND] - given[KIND].mean(0)
            for number, kind in enumerate(ROUND_KINDS):
                values[KINDS.index(kind)] = given[HEAT][0] + kinds[number]
            values[KINDS.index("wrinkle")] = given[LINE][0]


def network_input(log_light: np.ndarray, skin: np.ndarray) -> torch.Tensor:
    """What the network sees of a crop, (4, h, w): as the heat-map network, and the skin.

    Parameters
    ----------
    log_light : (h, w, 3) float32 ndarray
    skin : (h, w) float32 ndarray, 0..1
    """
    values = np.concatenate([normalise(log_light, skin), skin[None]])
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


def box_of_face(mesh: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The box that the network finds: of the mesh, and the forehead above it.

    Parameters
    ----------
    mesh : (468, 2) or (468, 3) ndarray, px of the crop
    shape : tuple of int
        Of the crop: h, w.

    Returns
    -------
    (4,) float32 ndarray, px of the crop
        x0, y0, x1, y1.
    """
    span = np.linalg.norm(mesh[454, :2] - mesh[234, :2])
    low, high = mesh[:, :2].min(0), mesh[:, :2].max(0)
    low = low - [0, FOREHEAD * span]
    box = np.concatenate([low, high])
    return np.clip(box, 0, [shape[1], shape[0]] * 2).astype(np.float32)
