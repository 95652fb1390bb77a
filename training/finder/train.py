"""Train the default finder of marks on painted faces.

Samples go into a pool that turns over slowly and each step takes most of its batch from there, so
that painting, by processes of its own where there are cores for them, does not hold up the network.
The weights are averaged over steps, and those are kept that do best on other people, painted in
another manner.

    python -m training.finder.train --faces work/finder --out work/finder-net --minutes 60

Run it again to go on: the state is saved every three minutes. `last.safetensors` in `--out` are the
averaged weights as they stand, `best.safetensors` those that did best on held-out people. bf16
autocast, 2.8 times as fast as float32 on a CPU with AMX, is used where it gains.
"""

import argparse
import copy
import json
import math
import os
import queue
import time
from collections import deque
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import multiprocessing

from realism.diffusion.device import choose_device
from realism.disk import whole_file
from realism.faces.skin import LEAST_SKIN
from realism.marks.find.crop import BLACK
from realism.marks.find.network import (
    HEAT,
    LINE,
    HeatmapNet,
    normalise,
    read_heatmap,
    save_heatmap,
)
from realism.marks.teach.targets import Targets, heatmap_loss, make_targets, stack_targets
from training.finder.paint import paint
from training.finder.samples import HELD_OUT, PaintedSample, PreparedFaces, load_faces

SIDE = 256  # px of a sample
SHARE = 1.0  # of the painter's usual number of marks
POOL = 2000  # samples kept
FEWEST = 96  # samples before the first step
BATCH = 12
FRESH = 3  # newest samples in each batch
LEARNING_RATE = 2e-3  # from weights that know nothing; half of it on from those that ship
STEADY = 0.5  # share of the time before the learning rate falls, along a cosine
EVALUATED = 120  # samples of the held-out painter
SAVE_EVERY = 180  # seconds


def painter(folder: Path, seed: int, samples) -> None:
    """Paint for as long as the process that started this one lives."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    rng, faces, parent = np.random.default_rng(seed), load_faces(folder), os.getppid()
    sample = paint(rng, faces, side=SIDE, share=SHARE)
    while os.getppid() == parent:
        try:
            samples.put(sample, timeout=5)
        except queue.Full:
            continue
        sample = paint(rng, faces, side=SIDE, share=SHARE)


def make_example(sample: PaintedSample) -> tuple[np.ndarray, Targets]:
    """What the network sees of a sample and should answer."""
    log_light = np.log(sample.pixels.astype(np.float32) + BLACK)
    inputs = normalise(log_light, sample.skin).astype(np.float32)
    return inputs, make_targets(sample.marks, sample.skin.shape, sample.ignored)


def make_batch(
    rng: np.random.Generator, samples: list[PaintedSample]
) -> tuple[torch.Tensor, Targets]:
    """Inputs and targets of some samples, mirrored, brightened and tinted at random."""
    inputs, wanted = [], []
    for sample in samples:
        x, target = make_example(sample)
        x = torch.from_numpy(x + rng.normal(0, 0.2) + rng.normal(0, 0.1, (3, 1, 1)))
        if rng.random() < 0.5:
            x = x.flip(-1)
            target = target.mapped(lambda value: value.flip(-1))
        inputs.append(x.float())
        wanted.append(target)
    return torch.stack(inputs).contiguous(memory_format=torch.channels_last), stack_targets(wanted)


def run_on_samples(net: HeatmapNet, samples: list[PaintedSample]) -> np.ndarray:
    """The network's maps (n, 6, h/2, w/2) of some samples, heat and line as chances."""
    net.eval()
    found = []
    with torch.inference_mode(), choose_device().training_context():
        for start in range(0, len(samples), BATCH):
            inputs = [make_example(s)[0] for s in samples[start : start + BATCH]]
            maps = net(torch.from_numpy(np.stack(inputs))).float()
            maps[:, HEAT], maps[:, LINE] = maps[:, HEAT].sigmoid(), maps[:, LINE].sigmoid()
            found.append(maps.numpy())
    return np.concatenate(found)


def evaluate(net: HeatmapNet, samples: list[PaintedSample]) -> dict[str, float]:
    """Average precision of round marks, share of their kinds, best F1 of lines by pixels."""
    scores, right, wanted, kinds = [], [], 0, []
    on, on_weight, line = [], [], []
    for sample, maps in zip(samples, run_on_samples(net, samples), strict=True):
        target = make_targets(sample.marks, sample.skin.shape, sample.ignored)
        heat = maps[0]
        top = (heat >= cv2.dilate(heat, np.ones((5, 5), np.uint8))) & (heat > 0.02)
        top &= sample.skin[::2, ::2] > LEAST_SKIN
        true = [np.array(p) for p in np.argwhere(target.heat.numpy() == 1)]
        wanted += len(true)
        for place in sorted(np.argwhere(top), key=lambda p: -heat[tuple(p)]):
            gaps = [np.hypot(*(place - t)) for t in true]
            hit = bool(gaps) and min(gaps) <= 3
            if hit:
                centre = tuple(true.pop(int(np.argmin(gaps))))
                kinds.append(maps[(slice(1, 4), *place)].argmax() == int(target.kind[centre]))
            elif target.heat_weight[tuple(place)] == 0:
                continue
            scores.append(heat[tuple(place)])
            right.append(hit)
        on.append(target.line.numpy().ravel())
        on_weight.append(
            (target.line_weight.numpy() * (sample.skin[::2, ::2] > LEAST_SKIN)).ravel()
        )
        line.append(maps[5].ravel())
    hits = np.cumsum(np.array(right)[np.argsort(-np.array(scores))])
    precision = hits / np.arange(1, len(hits) + 1)
    recall_steps = np.diff(hits, prepend=0) / max(wanted, 1)
    on, on_weight, line = (np.concatenate(values) for values in (on, on_weight, line))
    best = 0.0
    for level in np.linspace(0.1, 0.9, 17):
        found = (line > level) * on_weight
        best = max(best, 2 * (found * on).sum() / max((found + on * on_weight).sum(), 1))
    return {
        "ap": float((precision * recall_steps).sum()),
        "kinds": float(np.mean(kinds)) if kinds else 0.0,
        "lines": float(best),
    }


class SamplePool:
    """Where samples come from: a pool that turns over slowly, and the newest of it.

    With `painters` they are processes of their own; without, `more` paints itself.
    """

    def __init__(self, folder: Path, painters: int, rng: np.random.Generator) -> None:
        self.rng, self.pool, self.newest = rng, [], deque(maxlen=FRESH)
        self.faces = None if painters else load_faces(folder)
        context = multiprocessing.get_context("spawn")
        self.samples = context.Queue(64)
        self.workers = [
            context.Process(
                target=painter, args=(folder, int(rng.integers(2**31)), self.samples), daemon=True
            )
            for _ in range(painters)
        ]
        for worker in self.workers:
            worker.start()

    def more(self) -> None:
        """Take up what was painted since, or paint a little; at first wait for FEWEST."""
        missing = max(FEWEST - len(self.pool), 0)
        if self.faces is not None:
            fresh = [
                paint(self.rng, self.faces, side=SIDE, share=SHARE)
                for _ in range(max(missing, FRESH))
            ]
        else:
            fresh = []
            while len(fresh) < missing or not self.samples.empty():
                fresh.append(self.samples.get())
        for sample in fresh:
            self.newest.append(sample)
            if len(self.pool) < POOL:
                self.pool.append(sample)
            else:
                self.pool[self.rng.integers(POOL)] = sample

    def batch(self) -> list[PaintedSample]:
        """Samples for a step: a quarter of them the newest, so that variety is used at once."""
        newest = list(self.newest)
        old = self.rng.integers(0, len(self.pool), BATCH - len(newest))
        return [self.pool[i] for i in old] + newest

    def end(self) -> None:
        """End the painters."""
        for worker in self.workers:
            worker.terminate()


def train(
    folder: Path,
    out: Path,
    minutes: float,
    painters: int,
    seed: int,
    start: Path | None,
    rate: float = LEARNING_RATE,
) -> None:
    """Train for so many minutes in all, over however many runs; `start`: weights to begin with."""
    held_out: PreparedFaces = load_faces(folder, held_out=True)
    held_out_rng = np.random.default_rng(7)
    held_out_samples = [paint(held_out_rng, held_out, HELD_OUT, SIDE) for _ in range(EVALUATED)]
    net = HeatmapNet().to(memory_format=torch.channels_last)
    if start:
        net.load_state_dict(read_heatmap(start).state_dict())
    average = copy.deepcopy(net)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)
    states_of = {"net": net, "average": average, "optimizer": optimizer}
    step, before, best, state = 0, 0.0, 0.0, out / "state.pt"
    if state.exists():
        kept = torch.load(state, weights_only=True)
        for name, part in states_of.items():
            part.load_state_dict(kept[name])
        step, before, best = kept["step"], kept["elapsed"], kept["best"]
        print(f"goes on at step {step}, {before / 60:.1f} min, best {best:.3f}", flush=True)
    # Another stretch of the run sees other samples.
    rng = np.random.default_rng([seed, step])
    pool, losses = SamplePool(folder, painters, rng), {}
    began = saved = time.monotonic()
    elapsed = before
    while elapsed < minutes * 60:
        pool.more()
        for group in optimizer.param_groups:
            group["lr"] = rate * rate_at(step, elapsed / (minutes * 60))
        inputs, wanted = make_batch(rng, pool.batch())
        net.train()
        with choose_device().training_context():
            output = net(inputs)
        parts = heatmap_loss(output, wanted)
        optimizer.zero_grad()
        sum(parts.values()).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        step += 1
        move_average(average, net, min(0.998, step / (step + 20)))
        for name, value in parts.items():
            losses[name] = 0.97 * losses.get(name, value.item()) + 0.03 * value.item()
        now = time.monotonic()
        elapsed = before + now - began
        if step % 50 == 0:
            print(f"{step:6d}  {elapsed / 60:5.1f} min  {format_figures(losses)}", flush=True)
        if now - saved > SAVE_EVERY or elapsed >= minutes * 60:
            figures = evaluate(average, held_out_samples)
            score = figures["ap"] + figures["lines"]
            print(
                f"{step:6d}  held out: {format_figures(figures)}{'  best' * (score > best)}",
                flush=True,
            )
            about = {"step": step, "minutes": round(elapsed / 60, 1), "held out": figures}
            if score > best:
                best = score
                save_heatmap(out / "best.safetensors", average, about)
            save_heatmap(out / "last.safetensors", average, about)
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps({**about, "losses": losses}) + "\n")
            states = {name: part.state_dict() for name, part in states_of.items()}
            with whole_file(state) as temporary:
                torch.save({**states, "step": step, "elapsed": elapsed, "best": best}, temporary)
            saved = time.monotonic()
    pool.end()


def rate_at(step: int, share: float) -> float:
    """Of the learning rate: a warm-up, steady for half of the time, then down along a cosine."""
    falling = max(0.0, share - STEADY) / (1 - STEADY)
    warm = min(1, (step + 1) / 100)
    return warm * (0.5 + 0.5 * math.cos(math.pi * falling)) + 0.005


def format_figures(values: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.3f}" for name, value in values.items())


def move_average(average: HeatmapNet, net: HeatmapNet, decay: float) -> None:
    """Move the averaged weights towards the trained ones."""
    with torch.no_grad():
        for mean, value in zip(
            average.state_dict().values(), net.state_dict().values(), strict=True
        ):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)


def main() -> None:
    """Train or go on training."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--faces", type=Path, required=True, help="folder of crops.py")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument(
        "--painters", type=int, default=1, help="processes that paint; 0: this one does"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=LEARNING_RATE, help="learning rate")
    parser.add_argument("--start", type=Path, help="weights of an earlier run to begin with")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    train(
        options.faces, options.out, options.minutes, options.painters, options.seed,
        options.start, options.rate,
    )  # fmt: skip


if __name__ == "__main__":
    main()
