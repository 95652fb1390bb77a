"""Train the keypoint R-CNN that comes with the program, on painted photo-like faces.

The heat-map network's features are fixed, so each painted face is seen by it once; what is kept
are its deepest features, of which the box of the face is learned, and those that the keypoint's
RoI pool takes from a box that is a little off. Of each kind one mark a face is the label, as the
original's: the one that the network sees best so far. The others of the kind count neither way.
A kind that the face lacks is a cell more in torchvision's softmax over the map, of logit 0: else
nothing would be learned from its absence, and peaks of two faces could not be compared.

    python -m training.finder.keypoint_rcnn paint --faces work/photo-finder --out work/rcnn
    python -m training.finder.keypoint_rcnn train --out work/rcnn --minutes 12

`paint` can be stopped and run again, and `train` may run beside it: it takes up what there is.
"""

import argparse
import copy
import json
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F
from torchvision.models.detection import KeypointRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import fastrcnn_loss

from realism.diffusion.device import choose_device
from realism.disk import whole_file
from realism.marks.find.crop import BLACK
from realism.marks.find.finders import HEATMAP_WEIGHTS
from realism.marks.find.keypoint_heatmap import (
    CELLS,
    DEEP,
    FINE,
    box_of_face,
    build_on_heatmap,
    network_input,
    start_from_heatmap,
)
from realism.marks.find.keypoint_rcnn import KeypointFinder, KeypointSettings, save_keypoints
from realism.marks.find.network import load_heatmap
from realism.marks.mark import KINDS, Mark
from realism.marks.teach.keypoint_rcnn import choose_levels
from training.finder.paint import paint
from training.finder.samples import HELD_OUT, TRAINING, load_faces

FEWEST = 0.05  # least share of the usual number of marks: most faces have few
OFF = 0.02  # of the box's side, by which the box is off
AROUND = 1.6  # radii of a mark that count as it, and px beside
SURE = 2.2  # log odds from which what the heat map sees and nobody painted counts neither way
BATCH = 4
LEARNING_RATE = 1e-3
DECAY = 0.98  # of the weights' average over steps, which is what ships
STEADY = 0.5  # share of the time before the learning rate falls
BOXES = 16  # that a face's box is learned from

# What an example's map says of each cell: no mark, to be left out, or the number of a mark and 2.
NONE, LEFT_OUT, FIRST = 0, 1, 2


def build_network() -> KeypointRCNN:
    """As it begins: the heat-map network's answers, and a box head with random weights."""
    torch.manual_seed(0)
    network = build_on_heatmap()
    start_from_heatmap(network, load_heatmap(HEATMAP_WEIGHTS))
    return network


def see(network: KeypointRCNN, pixels: np.ndarray, skin: np.ndarray) -> tuple:
    """Features at stride 2 and the deepest ones, (1, c, h, w), and the padded size."""
    log_light = np.log(pixels.astype(np.float32) + BLACK)
    with torch.inference_mode():
        images, _ = network.transform([network_input(log_light, skin)])
        fine, deep = network.backbone.see(images.tensors)
    return fine, deep, images.tensors.shape[-2:]


def make_example(
    network: KeypointRCNN, rng: np.random.Generator, faces, held_out: bool
) -> dict[str, np.ndarray]:
    """One painted face, as it is learned from.

    Returns
    -------
    dict of str to ndarray
        "pooled" (32, CELLS, CELLS) and "deep" (128, h/32, w/32) float16; "size" and "padded" (2,)
        px; "box" and "roi" (4,) px, true and a little off; "cells" of `draw_cells`.
    """
    manner = HELD_OUT if held_out else TRAINING
    share = float(np.exp(rng.uniform(np.log(FEWEST), 0)))
    sample = paint(rng, faces, manner, None, share)
    fine, deep, padded = see(network, sample.pixels, sample.skin)
    size = sample.skin.shape
    box = box_of_face(sample.mesh, size)
    sides = np.tile(box[2:] - box[:2], 2)
    roi = np.clip(box + rng.normal(0, OFF, 4) * sides, 0, [size[1], size[0]] * 2)
    roi = roi.astype(np.float32)
    with torch.inference_mode():
        pool = network.roi_heads.keypoint_roi_pool
        pooled = pool({FINE: fine}, [torch.from_numpy(roi)[None]], [size])
        answer = network.roi_heads.keypoint_head(pooled)
        answer = network.roi_heads.keypoint_predictor(answer)[0].numpy()
    return {
        "pooled": pooled[0].numpy().astype(np.float16),
        "deep": deep[0].numpy().astype(np.float16),
        "size": np.array(size),
        "padded": np.array(padded),
        "box": box,
        "roi": roi,
        "cells": draw_cells(sample.marks, sample.ignored, roi, answer),
    }


def draw_cells(
    marks: list[Mark], ignored: list[Mark], roi: np.ndarray, answer: np.ndarray
) -> np.ndarray:
    """What each cell of the four maps says, (4, CELLS, CELLS) uint8, see NONE.

    Parameters
    ----------
    marks, ignored : list of Mark, px of the face
    roi : (4,) float32 ndarray, px of the face
    answer : (4, CELLS, CELLS) ndarray
        Log odds by the heat map: what it is sure of may be the face's own.
    """
    scale = CELLS / (roi[2:] - roi[:2])
    cells = np.where(answer > SURE, LEFT_OUT, NONE).astype(np.uint8)

    def cover(mark: Mark, kind: int, value: int, reach: float) -> None:
        points = np.rint((mark.points - roi[:2]) * scale - 0.5).astype(np.int32)
        if mark.is_traced:
            cv2.polylines(cells[kind], [points], False, value, max(1, int(2 * reach)))
            return
        axes = np.maximum(np.rint((mark.radius * reach + 2) * scale), 1).astype(int)
        cv2.ellipse(
            cells[kind], tuple(map(int, points[0])), tuple(map(int, axes)), 0, 0, 360, value, -1
        )

    for mark in [*ignored, *marks]:
        for kind in range(len(KINDS)):
            # A mark of another kind is none of this one; one that is hardly seen may be any.
            same = KINDS[kind] == mark.kind
            hardly = any(mark is other for other in ignored)
            if same or (hardly and mark.kind != "wrinkle" and KINDS[kind] != "wrinkle"):
                cover(mark, kind, LEFT_OUT, AROUND)
            elif mark.kind != "wrinkle":
                cover(mark, kind, NONE, AROUND)
    for number, mark in enumerate(marks[: 255 - FIRST]):
        cover(mark, KINDS.index(mark.kind), number + FIRST, 0.35)
    return cells


def keypoint_loss(logits: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
    """Cross entropy over the cells and "absent", of each face and kind.

    Parameters
    ----------
    logits : (B, 4, h, w) float32 Tensor
    cells : (B, 4, h, w) uint8 Tensor
        Of `draw_cells`.
    """
    logits, cells = logits.flatten(2), cells.flatten(2)
    background = logits.masked_fill(cells != NONE, -torch.inf)
    absent = torch.zeros_like(logits[..., :1])
    # One mark a kind: the one seen best.
    marks = logits.masked_fill(cells < FIRST, -torch.inf)
    best = marks.argmax(2, keepdim=True)
    there = (cells >= FIRST).any(2)
    mark = torch.where(there[..., None], logits.gather(2, best), absent)
    denominator = torch.cat([background, absent, marks.gather(2, best)], 2).logsumexp(2)
    return (denominator - mark[..., 0]).mean()


def box_loss(network: KeypointRCNN, example: dict) -> torch.Tensor:
    """torchvision's losses of the proposals and of the box."""
    heads = network.roi_heads
    deep = network.backbone.narrow(example["deep"].float()[None])
    size = tuple(example["size"].tolist())
    images = ImageList(torch.zeros(1).expand(1, 3, *example["padded"].tolist()), [size])
    target = {
        "boxes": example["box"][None],
        "labels": torch.ones(1, dtype=torch.int64),
        "keypoints": torch.zeros(1, len(KINDS), 3),
    }
    proposals, losses = network.rpn(images, {DEEP: deep}, [target])
    proposals, _, labels, wanted = heads.select_training_samples(proposals, [target])
    seen = heads.box_head(heads.box_roi_pool({DEEP: deep}, proposals, [size]))
    return sum(losses.values()) + sum(fastrcnn_loss(*heads.box_predictor(seen), labels, wanted))


def read_examples(folder: Path, known: dict) -> list[dict[str, torch.Tensor]]:
    """All examples of a folder; `known` keeps those that were read before."""
    for file in sorted(folder.glob("*.npz")):
        if file not in known:
            with np.load(file) as values:
                known[file] = {name: torch.from_numpy(values[name]) for name in values.files}
    return list(known.values())


def point_maps(network: KeypointRCNN, examples: list[dict]) -> torch.Tensor:
    """(B, 4, CELLS, CELLS) logits."""
    pooled = torch.stack([example["pooled"].float() for example in examples])
    return network.roi_heads.keypoint_predictor(network.roi_heads.keypoint_head(pooled))


def judge(network: KeypointRCNN, examples: list[dict]) -> tuple[dict, tuple[float, ...]]:
    """Figures on held-out faces, one mark of each kind a face, and each kind's level.

    A point is right on any mark of its kind; one on what is left out does not count.
    """
    network.eval()
    peaks, right, counts, there = [], [], [], []
    with torch.inference_mode():
        for example in examples:
            maps = point_maps(network, [example])[0].flatten(1)
            best = maps.argmax(1, keepdim=True)
            hit = example["cells"].flatten(1)
            # On the mark, not on its centre only: within 3 cells.
            near = F.max_pool2d(example["cells"].float()[None], 7, 1, 3)[0].flatten(1)
            peaks.append(maps.gather(1, best)[:, 0].numpy())
            right.append((near.gather(1, best)[:, 0] >= FIRST).numpy())
            counts.append((right[-1]) | (hit.gather(1, best)[:, 0] != LEFT_OUT).numpy())
            there.append((hit >= FIRST).any(1).numpy())
    values, hits = np.array(peaks), np.array(right)
    levels = choose_levels(peaks, [row.tolist() for row in right], [True] * len(peaks))
    scores = values - np.array(levels)
    figures = {}
    for name, kinds in [*((k, [i]) for i, k in enumerate(KINDS)), ("round", [0, 1, 2])]:
        used = np.array(counts)[:, kinds]
        order = np.argsort(-scores[:, kinds][used])
        found = hits[:, kinds][used][order]
        precision = np.cumsum(found) / np.arange(1, len(found) + 1)
        total = max(np.array(there)[:, kinds].sum(), 1)
        figures[name] = round(float((precision * found).sum() / total), 3)
    return figures, levels


def train(out: Path, minutes: float) -> None:
    """Train for so many minutes and write the mean weights with the levels measured."""
    network, known = build_network(), {}
    average = copy.deepcopy(network)
    held_out = read_examples(out / "held-out", {})
    print(f"held out, before: {judge(network, held_out)}", flush=True)
    network.roi_heads.fg_bg_sampler.batch_size_per_image = BOXES
    trained = [value for value in network.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(trained, LEARNING_RATE, weight_decay=1e-3)
    rng, began, step, mean = np.random.default_rng(0), time.monotonic(), 0, np.zeros(2)
    while (share := (time.monotonic() - began) / (60 * minutes)) < 1:
        if step % 25 == 0:
            examples = read_examples(out / "examples", known)
        falling = max(0.0, share - STEADY) / (1 - STEADY)
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1, (step + 1) / 30) * (1 - 0.97 * falling)
        network.train()
        chosen = [examples[i] for i in rng.integers(0, len(examples), BATCH)]
        cells = torch.stack([example["cells"] for example in chosen])
        with choose_device().training_context():
            maps = point_maps(network, chosen)
        points = keypoint_loss(maps.float(), cells)
        boxes = sum(box_loss(network, example) for example in chosen)
        optimizer.zero_grad()
        (points + boxes).backward()
        torch.nn.utils.clip_grad_norm_(trained, 5.0)
        optimizer.step()
        step += 1
        decay = min(DECAY, step / (step + 10))
        with torch.no_grad():
            for kept, value in zip(average.parameters(), network.parameters(), strict=True):
                kept.lerp_(value, 1 - decay)
        mean += (np.array([points.item(), boxes.item()]) - mean) * max(0.03, 1 / step)
        if step % 50 == 0:
            spent = (time.monotonic() - began) / 60
            print(f"{step:5d} {spent:5.1f} min, {len(examples)} faces: {mean.round(3)}", flush=True)
        if step % 200 == 0:
            print(f"held out: {judge(average, held_out)[0]}", flush=True)
    figures, levels = judge(average, read_examples(out / "held-out", {}))
    print(f"held out: {figures}, levels {levels}", flush=True)
    settings = KeypointSettings("heatmap", levels=tuple(round(level, 3) for level in levels))
    path = out / "keypoint-rcnn.safetensors"
    save_keypoints(path, KeypointFinder(average.half(), settings))
    about = {"steps": step, "minutes": minutes, "faces": len(examples), "held out": figures}
    (out / "about.json").write_text(json.dumps(about))


def paint_examples(folder: Path, out: Path, count: int, held_out: int) -> None:
    """Write examples until there are so many, those of held-out people first."""
    network = build_network().eval()
    for name, wanted, kept in (("held-out", held_out, True), ("examples", count, False)):
        (out / name).mkdir(parents=True, exist_ok=True)
        faces = load_faces(folder, kept)
        # In any order, so that several can paint beside each other.
        for number in np.random.default_rng().permutation(wanted).tolist():
            file = out / name / f"{number:04d}.npz"
            if not file.exists():
                rng = np.random.default_rng([int(kept), number])
                example = make_example(network, rng, faces, kept)
                with whole_file(file) as temporary:
                    np.savez(temporary, **example)


def main() -> None:
    """Paint or train."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", choices=("paint", "train"))
    parser.add_argument("--faces", type=Path, help="folder of crops.py, to paint on")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=600, help="faces to paint")
    parser.add_argument("--held-out", type=int, default=80, help="and of people held out")
    parser.add_argument("--minutes", type=float, default=12)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    if options.what == "paint":
        paint_examples(options.faces, options.out, options.count, options.held_out)
    else:
        train(options.out, options.minutes)


if __name__ == "__main__":
    main()
