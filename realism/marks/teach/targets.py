"""What the heat-map network should answer for a picture whose marks are known, and its loss.

Annotations that are points only have no radii (`has_radii=False`): theirs teach nothing, and their
heat is as wide as a usual mark. A wrinkle without a polyline is wanted at its point and unknown
around it. What may be a mark is ignored: neither wanted nor wrong. Where kinds are often wrong,
`kind_smoothing` keeps the network from believing each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from realism.marks.find.network import KIND, RADIUS, STRIDE, USUAL_RADIUS
from realism.marks.mark import ROUND_KINDS, Mark, RoundMark, Wrinkle

IGNORED_RADIUS = 12  # cells about a wrinkle's point, of which nobody knows where it runs
IGNORED_WIDTH, LINE_WIDTH = 7, 2  # cells across a polyline that may be, that is a wrinkle
SPREAD = 0.45  # of a mark's heat, over its radius


@dataclass(frozen=True, eq=False)
class Targets:
    """What the network should answer, on its own grid of (h/2, w/2), or a batch of that.

    Attributes
    ----------
    heat : float32 tensor, 0..1
        1 at the centres of round marks.
    heat_weight : float32 tensor
        0 where it is not known whether there is one.
    kind : int64 tensor
        Index into ROUND_KINDS at centres, -1 elsewhere.
    log_radius : float32 tensor
        Log of px of the input at centres, nan where unknown.
    line : float32 tensor
        0 or 1, on wrinkles.
    line_weight : float32 tensor
        0 where it is not known whether there is one.
    """

    heat: torch.Tensor
    heat_weight: torch.Tensor
    kind: torch.Tensor
    log_radius: torch.Tensor
    line: torch.Tensor
    line_weight: torch.Tensor

    def mapped(self, to: Callable[[torch.Tensor], torch.Tensor]) -> Targets:
        """All of them through a function."""
        return Targets(*(to(value) for value in vars(self).values()))

    def to(self, device: torch.device) -> Targets:
        """The same on a device."""
        return self.mapped(lambda value: value.to(device))


def make_targets(
    marks: Iterable[Mark],
    shape: tuple[int, int],
    ignored: Iterable[Mark] = (),
    has_radii: bool = True,
) -> Targets:
    """The targets of one picture.

    Parameters
    ----------
    marks : iterable of Mark
        What is there, in px of the network's input.
    shape : (int, int), px
        Height and width of the network's input.
    ignored : iterable of Mark
        What may be there: its surroundings count neither way.
    has_radii : bool
        False where the marks' radii are guesses, as in annotations by points.
    """
    size = (shape[0] // STRIDE, shape[1] // STRIDE)
    rows, columns = np.indices(size, np.float32)
    heat, heat_weight = np.zeros(size, np.float32), np.ones(size, np.float32)
    kind, log_radius = np.full(size, -1, np.int64), np.full(size, np.nan, np.float32)
    line, unknown = np.zeros(size, np.uint8), np.zeros(size, np.uint8)

    def on_grid(points: np.ndarray) -> np.ndarray:
        # A cell of the grid covers two pixels: its centre lies between them.
        return (np.asarray(points, np.float32) - 0.5) / STRIDE

    def draw_polyline(canvas: np.ndarray, mark: Wrinkle, width: int) -> None:
        fixed = np.round(on_grid(mark.polyline) * 16).astype(np.int32)
        cv2.polylines(canvas, [fixed], False, 1, width, cv2.LINE_8, 4)

    for mark in ignored:
        x, y = on_grid(mark.xy)
        if isinstance(mark, RoundMark):
            heat_weight[np.hypot(columns - x, rows - y) < mark.radius / STRIDE + 3] = 0
        elif mark.is_traced:
            draw_polyline(unknown, mark, IGNORED_WIDTH)
        else:
            cv2.circle(unknown, (round(float(x)), round(float(y))), IGNORED_RADIUS, 1, -1)
    for mark in marks:
        x, y = on_grid(mark.xy)
        column, row = round(float(x)), round(float(y))
        if not (0 <= row < size[0] and 0 <= column < size[1]):
            continue
        if isinstance(mark, Wrinkle):
            if mark.is_traced:
                draw_polyline(line, mark, LINE_WIDTH)
            else:
                cv2.circle(unknown, (column, row), IGNORED_RADIUS, 1, -1)
                cv2.circle(line, (column, row), 1, 1, -1)
            continue
        radius = mark.radius if has_radii else USUAL_RADIUS
        spread = max(1.0, SPREAD * radius / STRIDE)
        away = (columns - column) ** 2 + (rows - row) ** 2
        heat = np.maximum(heat, np.exp(-away / (2 * spread**2)))
        heat[row, column] = 1
        kind[row, column] = ROUND_KINDS.index(mark.kind)
        if has_radii:
            log_radius[row, column] = np.log(max(mark.radius, 0.5))
    # A line's rim is neither line nor skin.
    rim = cv2.dilate(line, np.ones((3, 3), np.uint8))
    line_weight = ((line > 0) | ((unknown == 0) & (rim == 0))).astype(np.float32)
    values = (heat, heat_weight, kind, log_radius, line.astype(np.float32), line_weight)
    return Targets(*(torch.from_numpy(value) for value in values))


def stack_targets(many: list[Targets]) -> Targets:
    """A batch of targets of one shape."""
    return Targets(*(torch.stack([getattr(t, name) for t in many]) for name in vars(many[0])))


def heatmap_loss(
    output: torch.Tensor, target: Targets, kind_smoothing: float = 0.0
) -> dict[str, torch.Tensor]:
    """The parts of the loss, weighted; their sum is to be made small.

    Parameters
    ----------
    output : (B, 6, h/2, w/2) tensor
        Of HeatmapNet.
    target : Targets
        A batch.
    kind_smoothing : float, 0..1
        Share of doubt in the kinds given.

    Returns
    -------
    dict of str to scalar tensor
        "heat", "kind", "radius", "line".

    References
    ----------
    Heat: Law and Deng, "CornerNet", ECCV 2018. Line: Milletari et al., "V-Net" (Dice), 3DV 2016.
    """
    output = output.float()
    probability = torch.sigmoid(output[:, 0]).clamp(1e-5, 1 - 1e-5)
    centre = (target.heat == 1).float()
    count = centre.sum().clamp(min=1)
    missed = centre * (1 - probability) ** 2 * probability.log()
    false = (1 - centre) * target.heat_weight * (1 - target.heat) ** 4 * probability**2
    heat = -(missed + false * (1 - probability).log()).sum() / count

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
    by_cell = F.binary_cross_entropy_with_logits(output[:, 5], target.line, reduction="none")
    # Lines are few: what lies on one counts three times.
    by_cell = (by_cell * weight * (1 + 2 * target.line)).sum() / weight.sum().clamp(min=1)
    on_line = torch.sigmoid(output[:, 5]) * weight
    both, either = (on_line * target.line).sum(), (on_line + target.line * weight).sum()
    dice = 1 - (2 * both + 20) / (either + 20)
    return {
        "heat": 0.5 * heat,
        "kind": 0.3 * kind,
        "radius": 0.3 * radius,
        "line": 4 * by_cell + 0.7 * dice,
    }
