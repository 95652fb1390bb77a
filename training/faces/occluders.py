"""Train the network of `realism.faces.occluders`: glasses and hair over a face.

Faces are portraits of photo-faces. Glasses, strands of hair and wrinkles are painted on those that
wear none; hair and beards are also learned from what today's colour rules leave out above the
forehead and around the mouths of the bearded. Lined old faces are skin within the mesh. A second
round goes on from a first one (`--base`), whose sure answers on people who wear glasses it takes
for truth. `photo_faces.json` names the pictures by what was seen on them, and those never shown.

    python -m training.faces.occluders --data ../shared/data/photo-faces --out work/first.pt
    python -m training.faces.occluders --data ../shared/data/photo-faces --out work/second.pt \
        --base work/first.pt --export realism/faces/weights/occluders.onnx
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from realism.errors import InputError
from realism.faces.engine import load_engine, primary_face
from realism.faces.face import mm_per_px_from_eyes
from realism.faces.features import LIPS, fill_outlines
from realism.faces.mesh import FACE_OVAL
from realism.faces.occluders import SIZE, Occluders, describe_view, upright_view
from realism.faces.skin import LEAST_SKIN, skin_mask
from realism.images import open_photo
from training.faces.paint import BRIDGE, SCALE, paint_glasses, paint_hair, paint_wrinkles

LISTS = Path(__file__).parent / "photo_faces.json"
WIDTHS = (8, 24, 40, 64)  # at strides 1, 2, 4 and 8
BATCH = 12
RATE, RATE_AGAIN = 3e-3, 2e-3  # highest learning rate, of the first round and the second
LEAST_SKIN_SEEN = 3000  # px of a view
UNKNOWN = 0.4  # chance of hair that neither covers skin nor rules hair out
SURE, SURELY_NOT = 0.4, 0.1  # a first round's chances that the second takes for truth
ABOVE, WEIGHT_ABOVE, WEIGHT_BEARD = 40, 0.3, 0.8  # mm over the mesh where hair is; what it counts
FOREHEAD, GLABELLA, NOSE_TIP, TOP = 151, 9, 4, 10  # mesh points


@dataclass(frozen=True, eq=False)
class View:
    """A portrait upright.

    Attributes
    ----------
    pixels : (h, w, 3) uint8 ndarray
    skin, inside : (h, w) uint8 ndarray
        1 on the strict skin mask; 1 within the picture.
    points : (468, 2) ndarray, px
    tags : set of str
        What is worn or seen: "worn", "lined", "hatted", "bearded".
    """

    pixels: np.ndarray
    skin: np.ndarray
    inside: np.ndarray
    points: np.ndarray
    tags: set[str]


def block(before: int, after: int, stride: int = 1) -> nn.Sequential:
    """Convolution, normalisation, no less than nothing."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(True),
    )


class OccluderNet(nn.Module):
    """A U-Net of 0.15 M parameters: (B, 7, h, w) to (B, 2, h, w), log odds of glasses and hair."""

    def __init__(self, widths: tuple[int, int, int, int] = WIDTHS):
        super().__init__()
        a, b, c, d = widths
        self.e1 = block(7, a)
        self.e2 = nn.Sequential(block(a, b, 2), block(b, b))
        self.e3 = nn.Sequential(block(b, c, 2), block(c, c))
        self.e4 = nn.Sequential(block(c, d, 2), block(d, d), block(d, d))
        self.n3, self.n2, self.n1 = nn.Conv2d(d, c, 1), nn.Conv2d(c, b, 1), nn.Conv2d(b, a, 1)
        self.d3, self.d2, self.d1 = block(c, c), block(b, b), block(a, a)
        self.h = nn.Conv2d(a, 2, 1)
        self.h.get_parameter("bias").data[:] = -3  # both are rare

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        a = self.e1(x)
        b = self.e2(a)
        c = self.e3(b)
        y = self.d3(c + _twice(self.n3(self.e4(c))))
        y = self.d2(b + _twice(self.n2(y)))
        return self.h(self.d1(a + _twice(self.n1(y))))


def _twice(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def read_views(data: Path) -> dict[str, View]:
    """The portraits that may be learned from, by name."""
    lists, engine, views = json.loads(LISTS.read_text()), load_engine("dlib"), {}
    held_out = set(lists.pop("held_out"))
    for line in (data / "metadata.jsonl").read_text().splitlines():
        entry = json.loads(line)
        name = Path(entry["image"]).stem
        tags = {tag for tag, names in lists.items() if name in names}
        if name in held_out or "unsure" in tags:
            continue
        if any(word in entry["about"] for word in ("beard", "goatee", "mustache", "sideburn")):
            tags.add("bearded")
        pixels = open_photo(data / entry["image"]).pixels
        try:
            face = primary_face(engine.find(pixels))
        except InputError:  # a few are turned away or dark
            continue
        # By colour alone: what an earlier network believed is not taught to the next.
        unknown = np.full(pixels.shape[:2], UNKNOWN, np.float32)
        nothing = np.zeros_like(unknown)
        mm = mm_per_px_from_eyes(face)
        occluders = Occluders(nothing, unknown, *3 * [nothing], nothing > 0, mm)
        skin = (skin_mask(pixels, face, occluders) > LEAST_SKIN).astype(np.uint8)
        view, points, to_view = upright_view(pixels, face, SCALE)
        size = view.shape[1::-1]
        skin = cv2.warpAffine(skin, to_view, size)
        if skin.sum() >= LEAST_SKIN_SEEN:
            inside = cv2.warpAffine(np.ones(pixels.shape[:2], np.uint8), to_view, size)
            views[name] = View(view, skin, inside, points, tags)
    return views


def make_sample(
    rng: np.random.Generator, view: View, worn: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One face, painted.

    Parameters
    ----------
    rng : np.random.Generator
    view : View
    worn : (h, w) ndarray, optional
        Chance of glasses by a first round, of a face that wears some.

    Returns
    -------
    inputs : (7, h, w) ndarray
    target, weight : (2, h, w) ndarray, 0..1
    """
    pixels = view.pixels.astype(np.float32)
    hair, weight = _hair_seen(view)
    if rng.random() < 0.55:
        paint_wrinkles(rng, pixels, view.skin)
    if rng.random() < 0.5:
        strands = paint_hair(rng, pixels)
        hair, weight = np.maximum(hair, strands), np.where(strands > 0, 1, weight)
    glasses, weight_glasses = np.zeros_like(hair), view.inside.astype(np.float32)
    if worn is not None:
        chance = cv2.resize(worn, hair.shape[::-1])
        glasses = (chance > SURE).astype(np.float32)
        far = np.abs(np.arange(len(hair))[:, None] - view.points[BRIDGE, 1]) > 45 * SCALE
        weight_glasses *= (chance < SURELY_NOT) | (chance > SURE) | far
        weight = weight * (cv2.dilate(glasses, np.ones((9, 9))) == 0)
    elif rng.random() < 0.55:
        glasses = paint_glasses(rng, pixels, view.points)
        weight = weight * (glasses <= 0.3)
    pixels = as_another_camera(rng, pixels)
    inputs = describe_view(smaller(pixels), view.points / SCALE)
    target = np.stack([smaller(glasses), smaller(hair)])
    weights = np.stack([smaller(weight_glasses), smaller(weight)])
    if rng.random() < 0.5:
        inputs, target, weights = (value[:, :, ::-1].copy() for value in (inputs, target, weights))
        inputs[3] *= -1  # x
    return inputs, target, weights


def _hair_seen(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Hair that is there before any is painted, and how sure that is: (h, w) float32 each."""
    shape, points = view.skin.shape, view.points
    oval = fill_outlines([FACE_OVAL], points, shape)
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])[None]
    hair, weight = np.zeros(shape, np.float32), view.skin.astype(np.float32)
    if "lined" in view.tags:
        zone = cv2.erode(oval, np.ones((15, 15))).astype(bool)
        if "hatted" in view.tags:
            zone &= rows > points[GLABELLA, 1]
        if "bearded" in view.tags:
            zone &= rows < points[NOSE_TIP, 1]
        return hair, np.maximum(weight, zone)
    near_skin = cv2.dilate(view.skin, np.ones((25, 25), np.uint8)) > 0
    above = (oval == 0) & ~near_skin & (view.inside > 0) & (rows < points[FOREHEAD, 1])
    above &= rows > points[TOP, 1] - ABOVE * SCALE
    above &= np.abs(columns - points[FOREHEAD, 0]) < 70 * SCALE
    hair[above], weight[above] = 1, WEIGHT_ABOVE
    if "bearded" in view.tags:
        mouth = cv2.dilate(fill_outlines([LIPS], points, shape), np.ones((9, 9))) > 0
        beard = (oval > 0) & (view.skin == 0) & (rows > points[NOSE_TIP, 1] + 4 * SCALE) & ~mouth
        hair[beard], weight[beard] = 1, WEIGHT_BEARD
    return hair, weight


def as_another_camera(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """Softer or not, in other light, with noise."""
    if rng.random() < 0.3:
        pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.5, 1.6))
    pixels = 255 * (np.clip(pixels, 0, 255) / 255) ** rng.uniform(0.75, 1.35)
    pixels = pixels * np.exp(rng.normal(0, 0.12, 3)).clip(0.7, 1.3)
    pixels = pixels + rng.normal(0, rng.uniform(0, 3), pixels.shape)
    return np.clip(pixels, 0, 255).astype(np.float32)


def smaller(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image.astype(np.float32), SIZE, interpolation=cv2.INTER_AREA)


def occluder_loss(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Cross entropy, and the overlap that thin things need (dice)."""
    rare = torch.tensor([2.0, 2.0]).view(1, 2, 1, 1)
    entropy = F.binary_cross_entropy_with_logits(
        logits, target, weight=weight, pos_weight=rare, reduction="sum"
    )
    chance, true = torch.sigmoid(logits) * weight, target * weight
    shared = 2 * (chance * true).sum((0, 2, 3)) + 50
    both = (chance**2).sum((0, 2, 3)) + (true**2).sum((0, 2, 3)) + 50
    return entropy / weight.sum() + 0.5 * (1 - shared / both).mean()


def guess_worn(net: OccluderNet, views: dict[str, View]) -> dict[str, np.ndarray]:
    """Chances of glasses on those who wear some, (h, w) each, by name."""
    net.eval()
    guesses = {}
    with torch.inference_mode():
        for name, view in views.items():
            if "worn" in view.tags:
                seen = describe_view(smaller(view.pixels), view.points / SCALE)
                logits = net(torch.from_numpy(seen)[None])[0, 0]
                guesses[name] = torch.sigmoid(logits).numpy()
    return guesses


def batches(
    rng: np.random.Generator, views: dict[str, View], guesses: dict[str, np.ndarray]
) -> Iterator[list[torch.Tensor]]:
    """Inputs, targets and weights without end."""
    plain = [name for name, view in views.items() if "worn" not in view.tags]
    pools = [plain, [name for name in plain if "lined" in views[name].tags], list(guesses)]
    shares = [0.62, 0.16, 0.22] if guesses else [0.8, 0.2, 0.0]
    while True:
        chosen = (pools[pool] for pool in rng.choice(3, BATCH, p=shares))
        names = [names[rng.integers(len(names))] for names in chosen]
        samples = [make_sample(rng, views[name], guesses.get(name)) for name in names]
        yield [torch.from_numpy(np.stack(value)) for value in zip(*samples, strict=True)]


def train(
    views: dict[str, View], minutes: float, base: Path | None, out: Path, seed: int = 5
) -> OccluderNet:
    """The network after so many minutes; with `base` a second round."""
    torch.manual_seed(seed)
    net, guesses = OccluderNet(), {}
    if base:
        net.load_state_dict(torch.load(base, weights_only=True))
        guesses = guess_worn(net, views)
        net.train()
    highest = RATE_AGAIN if base else RATE
    optimizer = torch.optim.AdamW(net.parameters(), highest, weight_decay=1e-3)
    start, total = time.monotonic(), 0.0
    for step, batch in enumerate(batches(np.random.default_rng(seed), views, guesses), 1):
        done = (time.monotonic() - start) / 60 / minutes
        if done >= 1:
            break
        for group in optimizer.param_groups:
            cosine = 0.02 + 0.49 * (1 + np.cos(np.pi * done))
            group["lr"] = highest * min(1, step / 30) * cosine
        loss = occluder_loss(net(batch[0]), batch[1], batch[2])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
        if step % 40 == 0:
            print(f"step {step}  loss {total / 40:.3f}", flush=True)
            total = 0.0
            torch.save(net.state_dict(), out)
    torch.save(net.state_dict(), out)
    return net.eval()


def export(net: OccluderNet, path: Path) -> None:
    """Write the network for OpenCV."""
    width, height = SIZE
    torch.onnx.export(net, (torch.zeros(1, 7, height, width),), str(path), dynamo=False)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--export", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    net = train(read_views(arguments.data), arguments.minutes, arguments.base, arguments.out)
    if arguments.export:
        export(net, arguments.export)


if __name__ == "__main__":
    main()
