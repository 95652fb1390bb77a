"""Train the network that sees how far a photo, laid on a portrait, lies off there.

    python -m training.head.shift_network --truth work/head/truth.npz --sharp work/head/twins.npz \
        --held-out work/head/others.npz --laid work/head/laid.npz \
        --sharp-laid work/head/twins-laid.npz --held-out-laid work/head/others-laid.npz \
        --out work/head/shift.pt --export realism/head/weights

`--truth` are the many small renders of `synthetic-faces`, `--sharp` fewer of other people at the
size of users' photos; two in five pairs are of these. Most are laid on each other as fitted heads
lay them (`laid.py`), the others off by a smooth field that is drawn (`pairs.py`). People held out
are only judged on. The loss is the likelihood of the true shift under a Laplace distribution of
the spread that is told.

Spread: Kendall and Gal, "What uncertainties do we need in Bayesian deep learning for computer
vision?", NIPS 2017.
"""

import argparse
import copy
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from realism.head.shift_network import CELL, LEAST_SPREAD, LOG_SPREAD, REACH, SIZE, STEP
from training.head.laid import LaidPairs
from training.head.pairs import Pictures, make_pair

WIDTHS = (16, 24, 56, 72, 96)  # of what is seen, at first and to be compared; of the answers
COMPARED = 16  # numbers that a cell is compared by
BATCH = 4
SHARP = 0.4  # share of pairs of large pictures
BY_HEADS = 0.7  # share of pairs that fitted heads laid
RATE = 1.2e-3
STEADY = 0.4  # share of the time before the rate falls
DECAY = 0.998  # of the weights' average over steps
JUDGED = 6  # pairs of each person held out
SETTLED = 25  # batches in which the average's normalisation is measured


class Residual(nn.Module):
    """Two convolutions added to what goes in."""

    def __init__(self, width: int):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.inner(x))


def _entry(before: int, after: int, side: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, side, stride, side // 2), nn.BatchNorm2d(after), nn.ReLU(),
        Residual(after),
    ]  # fmt: skip


class Features(nn.Module):
    """`describe` -> cells (B, COMPARED, h/2, w/2) and surroundings (B, c, h/4, w/4)."""

    def __init__(self):
        super().__init__()
        first, second = WIDTHS[:2]
        self.see = nn.Sequential(*_entry(4, first, 5, CELL), *_entry(first, second, 3, 1))
        self.cells = nn.Conv2d(second, COMPARED, 1)
        self.gain = nn.Parameter(torch.tensor(8.0))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen = self.see(x)
        cells = self.cells(seen)
        length = torch.sqrt((cells * cells).sum(1, keepdim=True) + 1e-12)
        return cells / length * torch.sqrt(self.gain.abs()), F.avg_pool2d(seen, STEP // CELL)


class Answers(nn.Module):
    """Costs, surroundings of both and what is seen -> what the network answers.

    (B, (2 REACH + 1)² + 4, h/4, w/4): what the surroundings say to each shift, what to add to the
    likeliest one (2), and the logarithm of its spread (2).
    """

    def __init__(self):
        super().__init__()
        shifts, (_, seen, a, b, c) = (2 * REACH + 1) ** 2, WIDTHS
        self.mix = nn.Sequential(*_entry(shifts + 2 * seen + 1, a, 3, 1))
        self.down = nn.Sequential(*_entry(a, b, 3, 2), Residual(b))
        self.deep = nn.Sequential(*_entry(b, c, 3, 2), Residual(c))
        self.up_deep, self.up = nn.Conv2d(c, b, 1), nn.Conv2d(b, a, 1)
        self.join_deep = Residual(b)
        self.join = nn.Sequential(Residual(a), Residual(a))
        self.costs, self.rest = nn.Conv2d(a, shifts, 1), nn.Conv2d(a, 4, 3, padding=1)
        for last in (self.costs, self.rest):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fine = self.mix(x)
        half = self.down(fine)
        half = self.join_deep(half + _doubled(self.up_deep(self.deep(half))))
        fine = self.join(fine + _doubled(self.up(half)))
        return torch.cat([self.costs(fine), self.rest(fine)], 1)


def _doubled(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class ShiftNet(nn.Module):
    """Both networks and the comparison between them, as `see_shifts` has it."""

    def __init__(self):
        super().__init__()
        self.features, self.answers = Features(), Answers()
        steps = torch.arange(-REACH, REACH + 1) * float(CELL)
        grid = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), 0).flatten(1)
        self.register_buffer("grid", grid)

    def forward(self, ours: torch.Tensor, theirs: torch.Tensor, seen: torch.Tensor):
        """-> shift (B, 2, h, w) px and its spread, likewise."""
        (cells, mine), (others, its) = self.features(ours), self.features(theirs)
        costs = _compare(cells.float(), others.float())
        answer = self.answers(torch.cat([costs, mine, its, seen[:, None]], 1)).float()
        count = costs.shape[1]
        chances = torch.softmax(costs + answer[:, :count], 1)
        shift = torch.einsum("bnhw,kn->bkhw", chances, self.grid) + answer[:, count : count + 2]
        spread = torch.exp(answer[:, count + 2 :].clamp(-LOG_SPREAD, LOG_SPREAD)) + LEAST_SPREAD
        return shift, spread


def _compare(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    batch, width, high, wide = ours[:, :, ::2, ::2].shape
    around = F.unfold(theirs, 2 * REACH + 1, padding=REACH, stride=2)
    around = around.view(batch, width, -1, high * wide)
    asked = ours[:, :, ::2, ::2].reshape(batch, width, 1, high * wide)
    return (asked * around).sum(1).view(batch, -1, high, wide)


def shift_loss(
    shift: torch.Tensor, spread: torch.Tensor, true: torch.Tensor, seen: torch.Tensor
) -> torch.Tensor:
    """Negative log-likelihood of the true shift, where it is seen."""
    each = (torch.abs(shift - true) / spread + torch.log(spread)).sum(1)
    return (each * seen).sum() / seen.sum().clamp(1)


def batches(
    rng: np.random.Generator, sets: list[Pictures], laid: list[LaidPairs]
) -> Iterator[list[torch.Tensor]]:
    """Pairs of two pictures of one person, without end; of both lists the second is sharp."""
    while True:
        pairs = []
        for _ in range(BATCH):
            sharp = rng.random() < SHARP
            if rng.random() < BY_HEADS:
                pairs.append(laid[sharp].pair(rng.integers(len(laid[sharp])), rng))
                continue
            pictures = sets[sharp]
            views = pictures.by_person[rng.choice(list(pictures.by_person))]
            pairs.append(make_pair(rng, pictures, *rng.choice(views, 2, replace=False)))
        yield [
            torch.from_numpy(np.stack(values).astype(np.float32))
            for values in zip(*pairs, strict=True)
        ]


def judge(net: ShiftNet, held_out: Pictures, laid: LaidPairs) -> str:
    """How far pairs of people held out lie off, before and after."""
    rng = np.random.default_rng(5)
    drawn = [
        make_pair(rng, held_out, *rng.choice(views, 2, replace=False), vary=False)
        for views in held_out.by_person.values()
        for _ in range(JUDGED)
    ]
    by_heads = (laid.pair(index) for index in range(len(laid)))
    return f"{_judge_pairs(net, drawn)}\nlaid by heads: {_judge_pairs(net, by_heads)}"


def _judge_pairs(net: ShiftNet, pairs: Iterable[tuple[np.ndarray, ...]]) -> str:
    before, after, over_spread = [], [], []
    net.eval()
    with torch.inference_mode():
        for *both, true, visible, seen in pairs:
            inputs = [
                torch.from_numpy(value)[None] for value in (*both, visible.astype(np.float32))
            ]
            shift, spread = (value[0].numpy() for value in net(*inputs))
            before.append(np.linalg.norm(true, axis=0)[seen])
            after.append(np.linalg.norm(true - shift, axis=0)[seen])
            over_spread.append((np.abs(true - shift) / spread).mean(0)[seen])
    net.train()
    before, after = np.concatenate(before), np.concatenate(after)
    figures = [f"{np.median(off):.2f} / {np.quantile(off, 0.95):.2f}" for off in (before, after)]
    spread = np.concatenate(over_spread).mean()
    return f"px off, median / 95th: {' -> '.join(figures)}; error over spread {spread:.2f}"


def settle(net: ShiftNet, coming: Iterator[list[torch.Tensor]]) -> None:
    """Measure what batch normalisation takes off anew: averaged weights never saw a batch."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    net.train()
    with torch.no_grad():
        for _ in range(SETTLED):
            ours, theirs, _, visible, _ = next(coming)
            net(ours, theirs, visible)


def train(coming: Iterator[list[torch.Tensor]], minutes: float, start: Path | None) -> ShiftNet:
    """The average of the weights over the steps of so many minutes."""
    net = ShiftNet()
    if start:
        net.load_state_dict(torch.load(start, weights_only=True))
    average = copy.deepcopy(net)
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=1e-4)
    began, step, mean = time.monotonic(), 0, 0.0
    while (share := (time.monotonic() - began) / 60 / minutes) < 1:
        falling = 1 if share < STEADY else max(0.02, (1 - share) / (1 - STEADY))
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 100) * falling
        ours, theirs, true, visible, seen = next(coming)
        with torch.autocast("cpu", torch.bfloat16):
            shift, spread = net(ours, theirs, visible)
        loss = shift_loss(shift, spread, true, seen)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        step += 1
        decay = min(DECAY, step / (step + 20))
        with torch.no_grad():
            for kept, value in zip(average.parameters(), net.parameters(), strict=True):
                kept.lerp_(value, 1 - decay)
        mean += (loss.item() - mean) * max(0.01, 1 / step)
        if step % 100 == 0:
            print(f"{step:6d} {share * minutes:5.1f} min: {mean:.3f}", flush=True)
    settle(average, coming)
    return average.eval()


def export(net: ShiftNet, folder: Path) -> None:
    """Write both networks for OpenCV."""
    width, height = SIZE
    seen = torch.zeros(1, 4, height, width)
    asked = torch.zeros(1, (2 * REACH + 1) ** 2 + 2 * WIDTHS[1] + 1, height // STEP, width // STEP)
    torch.onnx.export(
        net.features, (seen,), str(folder / "shift-features.onnx"), dynamo=False,
        output_names=["cells", "surroundings"], opset_version=12,
    )  # fmt: skip
    torch.onnx.export(
        net.answers, (asked,), str(folder / "shift-answers.onnx"), dynamo=False, opset_version=12
    )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--sharp", type=Path, required=True)
    parser.add_argument("--held-out", type=Path, required=True)
    for name in ("--laid", "--sharp-laid", "--held-out-laid"):
        parser.add_argument(name, type=Path, required=True, help="the same, of laid.py")
    parser.add_argument("--minutes", type=float, default=50)
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--export", type=Path, help="folder of the program's weights")
    given = parser.parse_args()
    torch.set_num_threads(1)
    sets = [Pictures(given.truth), Pictures(given.sharp)]
    laid = [LaidPairs(given.laid), LaidPairs(given.sharp_laid)]
    coming = batches(np.random.default_rng(), sets, laid)
    net = train(coming, given.minutes, given.start)
    print(judge(net, Pictures(given.held_out), LaidPairs(given.held_out_laid)), flush=True)
    torch.save(net.state_dict(), given.out)
    if given.export:
        export(net, given.export)


if __name__ == "__main__":
    main()
