"""The default finder's network: maps of where marks are, at half the resolution of the face.

One map for any round mark, three for its kind and one for its radius read at the map's peaks, and
one for the course of wrinkles. It sees the logarithm of light less the skin's own, in which a mark
is the same dip on every skin and in every light.

Network: Lin et al., "Feature pyramid networks for object detection", CVPR 2017. Centre heat maps
and their loss: Zhou et al., "Objects as points", 2019; Law and Deng, "CornerNet", ECCV 2018.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from realism.faces.skin import LEAST_SKIN
from realism.marks.find.weights_io import read_about as read_metadata
from realism.marks.find.weights_io import read_network, save_network
from realism.marks.mark import ROUND_KINDS

FORMAT = "realism heat map 1"
NAME = "finder_heatmap"  # code of its name in messages

STRIDE = 2  # of its maps
DEEPEST = 32  # the input's sides are padded to a multiple of it
HEAT, KIND, RADIUS, LINE = slice(0, 1), slice(1, 4), slice(4, 5), slice(5, 6)  # its maps
USUAL_RADIUS = 4.0  # px, where the annotation gives none
WIDTHS = (16, 32, 64, 128, 32)  # at strides 2, 4, 8, 16 and 32, and before the head
TILE = 1024  # px; larger pictures are seen in parts
OVERLAP = 96  # px of each part's border that are left to its neighbour
CONTRAST = 0.5  # log units that its input is measured in
# Networks written before photos were looked at together have no weights for it.
OPTIONAL = ("mix_several", "mix_several_lines")


def _block(before: int, after: int, stride: int = 1, side: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, side, stride, side // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


class HeatmapNet(nn.Module):
    """A feature pyramid of 1 M parameters, from (B, 3, h, w) to (B, 6, h/2, w/2).

    Input: `normalise`; h and w multiples of 32. Output, before sigmoid and softmax: HEAT, KIND (of
    `ROUND_KINDS`), RADIUS (log of px of the input), LINE.
    """

    # How its answers join with other evidence, see `heatmap.py`: linear weights of log odds.
    mix_round: torch.Tensor
    mix_kind: torch.Tensor
    mix_line: torch.Tensor
    # And how several photos' answers join, see `multiview.py`.
    mix_several: torch.Tensor
    mix_several_lines: torch.Tensor

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
        bias = self.head.get_parameter("bias").data
        bias[HEAT], bias[LINE], bias[RADIUS] = -4.0, -3.0, float(np.log(USUAL_RADIUS))
        # Until they are fitted, its answers stand alone.
        self.register_buffer("mix_round", torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0]))
        self.register_buffer("mix_kind", torch.eye(len(ROUND_KINDS), 6).roll(1, 1))
        self.register_buffer("mix_line", torch.tensor([0.0, 1.0, 0.0, 0.0]))
        self.register_buffer("mix_several", torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0]))
        self.register_buffer("mix_several_lines", torch.tensor([0.0, 1.0, 0.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return self.head(self.features(x)[0])

    def features(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the head sees, (B, 32, h/2, w/2), and the deepest, (B, 128, h/32, w/32)."""
        x1 = self.down1(x)
        x2 = self.down2(x1)
        x3 = self.down3(x2)
        x4 = self.down4(x3)
        y = deep = self.down5(x4)
        levels = (x4, x3, x2, self.beside(x1))
        for narrow, smooth, level in zip(self.narrow, self.smooth, levels, strict=True):
            y = smooth(F.interpolate(narrow(y), scale_factor=2.0, mode="nearest") + level)
        return y, deep


def normalise(log_light: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """What the network sees.

    Parameters
    ----------
    log_light : (h, w, 3) float32 ndarray
        As in `crop.FaceCrop`.
    skin : (h, w) float32 ndarray, 0..1

    Returns
    -------
    (3, h, w) float32 ndarray
        Log units over `CONTRAST` from the skin's median in each colour.
    """
    usual = log_light[skin > LEAST_SKIN]
    if len(usual) < 100:
        usual = log_light.reshape(-1, 3)
    median = np.median(usual[:: max(1, len(usual) // 5000)], 0)
    return ((log_light - median) / CONTRAST).transpose(2, 0, 1)


def run_network(net: HeatmapNet, inputs: np.ndarray, tile: int = TILE) -> np.ndarray:
    """The network's maps of a picture of any size, in overlapping tiles where it is large.

    Parameters
    ----------
    net : HeatmapNet
        On the CPU.
    inputs : (3, h, w) float32 ndarray
        From `normalise`.
    tile : int, px

    Returns
    -------
    (6, h/2, w/2) float32 ndarray, sides rounded up
        Before sigmoid and softmax.
    """
    height, width = inputs.shape[1:]
    grid = (-(-height // STRIDE), -(-width // STRIDE))
    maps = np.zeros((6, *grid), np.float32)
    for top, rows in _tiles(height, tile, OVERLAP):
        for left, columns in _tiles(width, tile, OVERLAP):
            part = inputs[:, top : top + tile, left : left + tile]
            pad = [(0, 0), *((0, -side % DEEPEST) for side in part.shape[1:])]
            padded = np.pad(part, pad, "edge").astype(np.float32)
            with torch.inference_mode():
                answer = net(torch.from_numpy(padded)[None])[0].numpy()
            maps[:, rows, columns] = answer[
                :,
                rows.start - top // STRIDE : min(rows.stop, grid[0]) - top // STRIDE,
                columns.start - left // STRIDE : min(columns.stop, grid[1]) - left // STRIDE,
            ]
    return maps


def _tiles(length: int, tile: int, overlap: int) -> list[tuple[int, slice]]:
    """Where tiles start along one side, and which cells of the maps are taken from each."""
    if length <= tile:
        return [(0, slice(0, -(-length // STRIDE)))]
    # Starts are multiples of the deepest stride: the network's grid is then the same in all tiles.
    step = (tile - 2 * overlap) // DEEPEST * DEEPEST
    starts = list(range(0, length - tile + step, step))
    bounds = [0, *((s + overlap) // STRIDE for s in starts[1:]), -(-length // STRIDE)]
    return [(s, slice(a, b)) for s, a, b in zip(starts, bounds, bounds[1:], strict=False)]


def save_heatmap(path: Path, net: HeatmapNet, about: dict | None = None) -> None:
    """Write the network as safetensors in float16, with `about` (plain JSON values) inside."""
    weights = {
        name: value.half() if value.is_floating_point() else value
        for name, value in net.state_dict().items()
    }
    save_network(path, weights, FORMAT, widths=net.widths, about=about or {})


def read_heatmap(path: Path) -> HeatmapNet:
    """The network that `save_heatmap` wrote, float32, to be used and not trained.

    Raises
    ------
    InputError
        For a pickle, or for safetensors of something else.
    """
    net = read_network(
        path, FORMAT, NAME, lambda known: HeatmapNet(tuple(known["widths"])), OPTIONAL
    )
    return net.requires_grad_(False)


load_heatmap = cache(read_heatmap)  # for those who only look with it


def read_about(path: Path) -> dict:
    """What `save_heatmap` was told about the network."""
    return read_metadata(path, FORMAT, NAME).get("about", {})
