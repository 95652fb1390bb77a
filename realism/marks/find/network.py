"""The default finder's network: maps of where marks are, at half the resolution of the face.

One map for any round mark, three for its kind and one for its radius read at the map's peaks, and
one for the course of wrinkles. It sees the logarithm of light less the skin's own, in which a mark
is the same dip on every skin and in every light.

Training, by `training/finder/train.py` on painted marks or on a person's own annotations:

    target = targets(marks, shape, unsure)           one picture; marks as annotated, in its px
    loss = heatmap_loss(net(inputs), stack([...]))    a batch of them, all of one shape

`marks` is what is there, `unsure` what may be there: neither wanted nor wrong. Annotations that are
points only are given with `radii=False`: their radius teaches nothing, and their heat is as wide as
a usual mark. A wrinkle without a line is wanted at its point and unknown around it. Where kinds are
often wrong, `kind_smoothing` keeps the network from believing each.

Network: Lin et al., "Feature pyramid networks for object detection", CVPR 2017. Centre heat maps
and their loss: Zhou et al., "Objects as points", 2019; Law and Deng, "CornerNet", ECCV 2018. Dice
loss: Milletari et al., "V-Net", 3DV 2016.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from realism.faces.skin import LEAST_SKIN
from realism.marks.find.weights_io import about_network, save_network, whole
from realism.marks.mark import KINDS

FORMAT, NAME = "realism heat map 1", "finder_heatmap"


STRIDE = 2


DEEPEST = 32  # the input's sides are padded to a multiple of it


ROUND = KINDS[:3]


HEAT, KIND, RADIUS, LINE = slice(0, 1), slice(1, 4), slice(4, 5), slice(5, 6)


USUAL_RADIUS = 4.0  # px, where the annotation gives none


WIDTHS = (16, 32, 64, 128, 32)  # at strides 2, 4, 8, 16 and 32, and before the head


def _block(before: int, after: int, stride: int = 1, side: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, side, stride, side // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


class HeatmapNet(nn.Module):
    """A feature pyramid of 1 M parameters, from (B, 3, h, w) to (B, 6, h/2, w/2).

    Input: `normalised`; h and w multiples of 32. Output, before sigmoid and softmax: HEAT, KIND (of
    ROUND), RADIUS (log of px of the input), LINE.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS):
        super().__init__()
        a, b, c, d, out = self.widths = tuple(widths)
        self.down1 = nn.Sequential(_block(3, a, 2, 5), _block(a, a))
        self.down2 = nn.Sequential(_block(a, b, 2), _block(b, b))
        self.down3 = nn.Sequential(_block(b, c, 2), _block(c, c), _block(c, c))
        self.down4 = nn.Sequential(_block(c, d, 2), _block(d, d), _block(d, d))
        self.down5 = nn.Sequential(_block(d, d, 2), _block(d, d))
        # Narrowed before it is made larger: half the time of joining and then narrowing.
        self.narrow = nn.ModuleList(
            nn.Conv2d(*pair, 1) for pair in ((d, d), (d, c), (c, b), (b, out))
        )
        self.beside = nn.Conv2d(a, out, 1)
        self.smooth = nn.ModuleList(_block(width, width) for width in (d, c, b, out))
        self.head = nn.Conv2d(out, 6, 1)
        # Marks are rare: start from "none", or the first steps only unlearn everything.
        self.head.bias.data[0], self.head.bias.data[5] = -4.0, -3.0
        self.head.bias.data[4] = float(np.log(USUAL_RADIUS))
        # How its answers join with other evidence, see `decode.py`; until fitted, they stand alone.
        self.register_buffer("mix_round", torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0]))
        self.register_buffer("mix_kind", torch.eye(3, 6).roll(1, 1))
        self.register_buffer("mix_line", torch.tensor([0.0, 1.0, 0.0, 0.0]))
        # And how several photos' answers join, see `together.py`.
        self.register_buffer("mix_several", torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0]))
        self.register_buffer("mix_several_lines", torch.tensor([0.0, 1.0, 0.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        x1 = self.down1(x)
        x2 = self.down2(x1)
        x3 = self.down3(x2)
        x4 = self.down4(x3)
        y = self.down5(x4)
        levels = (x4, x3, x2, self.beside(x1))
        for narrow, smooth, level in zip(self.narrow, self.smooth, levels, strict=True):
            y = smooth(F.interpolate(narrow(y), scale_factor=2.0, mode="nearest") + level)
        return self.head(y)


def normalised(log_light: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """What the network sees.

    log_light   (h, w, 3) float32, log of (sRGB 0..255 + 6), as in `find.View`
    skin        (h, w) float32 0..1
    ->          (3, h, w) float32, log units over 0.5 from the skin's median in each colour
    """
    usual = log_light[skin > LEAST_SKIN]
    if len(usual) < 100:
        usual = log_light.reshape(-1, 3)
    return ((log_light - np.median(usual[:: max(1, len(usual) // 5000)], 0)) / 0.5).transpose(
        2, 0, 1
    )


def save_heatmap(path: Path, net: HeatmapNet, about: dict | None = None) -> None:
    """Write the network as safetensors in float16, with `about` (plain JSON values) inside."""
    weights = {
        name: value.half() if value.is_floating_point() else value
        for name, value in net.state_dict().items()
    }
    save_network(path, weights, FORMAT, widths=net.widths, about=about or {})


def read_heatmap(path: Path) -> HeatmapNet:
    """The network that `save_heatmap` wrote, float32, to be used and not trained.

    Raises InputError for a pickle, or for safetensors of something else.
    """
    from safetensors.torch import load_file

    path = Path(path)
    known = about_network(path, FORMAT, NAME)
    with whole(path):
        net = HeatmapNet(tuple(known["widths"]))
        # Networks written before photos were looked at together have no weights for it.
        usual = {name: net.state_dict()[name] for name in ("mix_several", "mix_several_lines")}
        net.load_state_dict(usual | load_file(str(path)))
    return net.eval().requires_grad_(False)


load_heatmap = cache(read_heatmap)  # for those who only look with it


def read_about(path: Path) -> dict:
    """What `save_heatmap` was told about the network."""
    return about_network(Path(path), FORMAT, NAME).get("about", {})
