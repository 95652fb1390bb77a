"""Train the network of `realism.faces.covers`: what hides a part of a face, and lettering over it.

Faces are portraits of photo-faces and renders; face masks, hands, phones, other things and
watermarks are painted on them (`paint_covers.py`). Glasses, hats, hair and beards that people wear
are no cover: those the pictures show already. The mesh is moved about, since it goes astray on a
face that is half covered. Pictures that `photo_faces.json` holds out are never shown.

    python -m training.faces.covers --data ../shared/data/photo-faces \
        --renders ../shared/data/synthetic-faces --out work/covers.pt \
        --export realism/faces/weights/covers.onnx
"""

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from realism.errors import InputError
from realism.faces.engine import load_engine, primary_face
from realism.faces.features import fill_outlines
from realism.faces.mesh import FACE_OVAL
from realism.faces.occluders import describe_view, upright_view
from realism.images import open_photo
from training.faces.occluders import LISTS, OccluderNet, as_another_camera, export, smaller
from training.faces.paint import SCALE
from training.faces.paint_covers import paint_hand, paint_lettering, paint_mask, paint_thing

BATCH, RATE = 12, 3e-3
WIDTHS = (8, 24, 48, 96)
AROUND = 6  # mm round the face's outline that are judged
BARE = 0.35  # share of faces with nothing before them
LETTERED = 0.4  # share of them with words or a logo over them
LETTERS_WEIGH = 5  # times what is none: letters are thin and faint


def read_views(data: Path, renders: Path, most_renders: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Faces upright: pixels (h, w, 3) uint8 and points (468, 2) of each."""
    held_out = set(json.loads(LISTS.read_text())["held_out"])
    rows = [json.loads(line) for line in (data / "metadata.jsonl").read_text().splitlines()]
    files = [data / r["image"] for r in rows if Path(r["image"]).stem not in held_out]
    rows = [json.loads(line) for line in (renders / "metadata.jsonl").read_text().splitlines()]
    files += [renders / r["file_name"] for r in rows[:: max(1, len(rows) // most_renders)]]
    engine, views = load_engine("dlib"), []
    for file in files:
        pixels = open_photo(file).pixels
        try:
            face = primary_face(engine.find(pixels))
        except InputError:
            continue
        view, points, _ = upright_view(pixels, face, SCALE)
        views.append((view, points))
    return views


def make_sample(rng: np.random.Generator, views: list) -> tuple[np.ndarray, ...]:
    """Inputs (7, h, w), target (2, h, w) and weight (2, h, w) of one face."""
    view, points = views[rng.integers(len(views))]
    pixels, shape = view.astype(np.float32), view.shape[:2]
    covered, letters = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    if rng.random() > BARE:
        for _ in range(1 if rng.random() < 0.8 else 2):
            kind = rng.choice(4, p=[0.28, 0.32, 0.3, 0.1])
            if kind == 0:
                made = paint_mask(rng, pixels, points)
            elif kind == 1:
                made = paint_hand(rng, pixels, points)
            elif kind == 2:
                made = paint_thing(rng, pixels, points, views[rng.integers(len(views))][0])
            else:
                made = 0 * covered
            covered = np.maximum(covered, made)
    if rng.random() < LETTERED:
        letters = paint_lettering(rng, pixels)
        letters = cv2.dilate(letters, np.ones((3 * SCALE + 1,) * 2))
    pixels = as_another_camera(rng, pixels)
    if rng.random() < 0.15:
        pixels[:] = pixels.mean(-1, keepdims=True)
    seen = points.copy()
    if rng.random() < 0.6:  # the mesh astray
        centre = seen.mean(0)
        zoom = np.exp(rng.normal(0, 0.05, 2))
        seen = centre + (seen - centre) * zoom + rng.normal(0, 3 * SCALE, 2)
    oval = fill_outlines([FACE_OVAL], points, shape)
    judged = cv2.dilate(oval, np.ones((2 * AROUND * SCALE + 1,) * 2, np.uint8))
    inputs = describe_view(smaller(pixels), seen / SCALE)
    target = np.stack([smaller((covered > 0.5).astype(np.float32)), smaller(letters)])
    weight = smaller(judged.astype(np.float32))
    weights = np.stack([weight, (0.3 + 0.7 * weight) * (1 + (LETTERS_WEIGH - 1) * target[1])])
    if rng.random() < 0.5:
        inputs, target, weights = (value[:, :, ::-1].copy() for value in (inputs, target, weights))
        inputs[3] *= -1  # x
    return inputs, target, weights


def cover_loss(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Cross entropy, and the overlap (dice) of each face."""
    entropy = F.binary_cross_entropy_with_logits(logits, target, weight=weight, reduction="sum")
    chance, true = torch.sigmoid(logits) * weight, target * weight
    shared = 2 * (chance * true).sum((2, 3)) + 100
    both = (chance**2).sum((2, 3)) + (true**2).sum((2, 3)) + 100
    return entropy / weight.sum() + 0.3 * (1 - shared / both).mean()


def train(
    views: list, minutes: float, out: Path, start: Path | None = None, seed: int = 7
) -> OccluderNet:
    """The network after so many minutes of the processor, from an earlier state if one is given."""
    torch.manual_seed(seed)
    net, rng = OccluderNet(WIDTHS), np.random.default_rng(seed)
    if start:
        net.load_state_dict(torch.load(start, weights_only=True))
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=1e-3)
    began, total, step = time.process_time(), 0.0, 0
    while (done := (time.process_time() - began) / 60 / minutes) < 1:
        step += 1
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, step / 30) * (0.02 + 0.49 * (1 + np.cos(np.pi * done)))
        batch = zip(*[make_sample(rng, views) for _ in range(BATCH)], strict=True)
        inputs, target, weights = (torch.from_numpy(np.stack(value)) for value in batch)
        loss = cover_loss(net(inputs), target, weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
        if step % 40 == 0:
            print(f"step {step}, {100 * done:.0f} %, loss {total / 40:.3f}", flush=True)
            total = 0.0
            torch.save(net.state_dict(), out)
    torch.save(net.state_dict(), out)
    return net.eval()


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--renders", type=Path, required=True)
    parser.add_argument("--most-renders", type=int, default=250)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="a state to go on from")
    parser.add_argument("--minutes", type=float, default=14)
    parser.add_argument("--export", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    views = read_views(arguments.data, arguments.renders, arguments.most_renders)
    print(f"{len(views)} faces", flush=True)
    net = train(views, arguments.minutes, arguments.out, arguments.start)
    if arguments.export:
        export(net, arguments.export)


if __name__ == "__main__":
    main()
