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

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from realism.marks.mark import KINDS, Mark
from realism.marks.stored import about_network, save_network, whole

FORMAT, NAME = "realism heat map 1", "heat-map finder"
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
    usual = log_light[skin > 0.5]
    if len(usual) < 100:
        usual = log_light.reshape(-1, 3)
    return ((log_light - np.median(usual[:: max(1, len(usual) // 5000)], 0)) / 0.5).transpose(
        2, 0, 1
    )


@dataclass(frozen=True, eq=False)
class Targets:
    """What the network should answer, on its own grid of (h/2, w/2), or a batch of that.

    heat           float32 0..1, 1 at the centres of round marks
    heat_weight    float32, 0 where it is not known whether there is one
    kind           int64, index into ROUND at centres, -1 elsewhere
    log_radius     float32, log of px of the input at centres, nan where unknown
    line           float32 0 or 1, on wrinkles
    line_weight    float32, 0 where it is not known whether there is one
    """

    heat: torch.Tensor
    heat_weight: torch.Tensor
    kind: torch.Tensor
    log_radius: torch.Tensor
    line: torch.Tensor
    line_weight: torch.Tensor


def targets(
    marks: Iterable[Mark],
    shape: tuple[int, int],
    unsure: Iterable[Mark] = (),
    radii: bool = True,
) -> Targets:
    """The targets of one picture.

    marks     what is there, in px of the network's input
    shape     (h, w) of the network's input
    unsure    what may be there: its surroundings count neither way
    radii     False: the marks' radii are guesses, as in annotations by points
    """
    size = (shape[0] // STRIDE, shape[1] // STRIDE)
    rows, columns = np.indices(size, np.float32)
    heat, heat_weight = np.zeros(size, np.float32), np.ones(size, np.float32)
    kind, log_radius = np.full(size, -1, np.int64), np.full(size, np.nan, np.float32)
    line, maybe = np.zeros(size, np.uint8), np.zeros(size, np.uint8)

    def on_grid(points: np.ndarray) -> np.ndarray:
        # A cell of the grid covers two pixels: its centre lies between them.
        return (np.asarray(points, np.float32) - 0.5) / STRIDE

    def trace(canvas: np.ndarray, mark: Mark, width: int) -> None:
        fixed = np.round(on_grid(mark.line) * 16).astype(np.int32)
        cv2.polylines(canvas, [fixed], False, 1, width, cv2.LINE_8, 4)

    for mark in unsure:
        x, y = on_grid(mark.xy)
        if mark.kind != "wrinkle":
            heat_weight[np.hypot(columns - x, rows - y) < mark.radius / STRIDE + 3] = 0
        elif len(mark.line):
            trace(maybe, mark, 7)
        else:
            cv2.circle(maybe, (round(float(x)), round(float(y))), 12, 1, -1)
    for mark in marks:
        x, y = on_grid(mark.xy)
        column, row = round(float(x)), round(float(y))
        if not (0 <= row < size[0] and 0 <= column < size[1]):
            continue
        if mark.kind == "wrinkle":
            if len(mark.line) > 1:
                trace(line, mark, 2)
            else:
                cv2.circle(maybe, (column, row), 12, 1, -1)
                cv2.circle(line, (column, row), 1, 1, -1)
            continue
        radius = mark.radius if radii else USUAL_RADIUS
        spread = max(1.0, 0.45 * radius / STRIDE)
        away = (columns - column) ** 2 + (rows - row) ** 2
        heat = np.maximum(heat, np.exp(-away / (2 * spread**2)))
        heat[row, column] = 1
        kind[row, column] = ROUND.index(mark.kind)
        if radii:
            log_radius[row, column] = np.log(max(mark.radius, 0.5))
    # A line's rim is neither line nor skin.
    rim = cv2.dilate(line, np.ones((3, 3), np.uint8))
    line_weight = ((line > 0) | ((maybe == 0) & (rim == 0))).astype(np.float32)
    values = (heat, heat_weight, kind, log_radius, line.astype(np.float32), line_weight)
    return Targets(*(torch.from_numpy(value) for value in values))


def stack(many: list[Targets]) -> Targets:
    """A batch of targets of one shape."""
    return Targets(*(torch.stack([getattr(t, name) for t in many]) for name in vars(many[0])))


def heatmap_loss(
    output: torch.Tensor, target: Targets, kind_smoothing: float = 0.0
) -> dict[str, torch.Tensor]:
    """The parts of the loss, weighted; their sum is to be made small.

    output            (B, 6, h/2, w/2) of HeatmapNet
    target            a batch
    kind_smoothing    0..1, share of doubt in the kinds given
    ->                "heat", "kind", "radius", "line": scalars
    """
    output = output.float()
    chance = torch.sigmoid(output[:, 0]).clamp(1e-5, 1 - 1e-5)
    centre = (target.heat == 1).float()
    count = centre.sum().clamp(min=1)
    missed = centre * (1 - chance) ** 2 * chance.log()
    false = (1 - centre) * target.heat_weight * (1 - target.heat) ** 4 * chance**2
    heat = -(missed + false * (1 - chance).log()).sum() / count

    nothing = output.sum() * 0
    known = target.kind >= 0
    kind = nothing
    if known.any():
        kinds = output[:, KIND].permute(0, 2, 3, 1)[known]
        kind = F.cross_entropy(kinds, target.kind[known], label_smoothing=kind_smoothing)
    sized = torch.isfinite(target.log_radius)
    radius = nothing
    if sized.any():
        radius = F.smooth_l1_loss(output[:, RADIUS][:, 0][sized], target.log_radius[sized])

    weight = target.line_weight
    course = F.binary_cross_entropy_with_logits(output[:, 5], target.line, reduction="none")
    # Lines are few: what lies on one counts three times.
    course = (course * weight * (1 + 2 * target.line)).sum() / weight.sum().clamp(min=1)
    on_line = torch.sigmoid(output[:, 5]) * weight
    both, either = (on_line * target.line).sum(), (on_line + target.line * weight).sum()
    dice = 1 - (2 * both + 20) / (either + 20)
    return {
        "heat": 0.5 * heat,
        "kind": 0.3 * kind,
        "radius": 0.3 * radius,
        "line": 4 * course + 0.7 * dice,
    }


def save_heatmap(path: Path, net: HeatmapNet, about: dict | None = None) -> None:
    """Write the network as safetensors in float16, with `about` (plain JSON values) inside."""
    weights = {
        name: value.half() if value.is_floating_point() else value
        for name, value in net.state_dict().items()
    }
    save_network(path, weights, FORMAT, widths=net.widths, about=about or {})


def read_heatmap(path: Path) -> HeatmapNet:
    """The network that `save_heatmap` wrote, float32, to be used and not trained.

    Raises Unusable for a pickle, or for safetensors of something else.
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
