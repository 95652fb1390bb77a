"""Train the autoencoder: 256 px to 16 x 16 x 12 and back.

Loss: differences of values and of neighbours at four scales, which keeps edges and small marks;
eyes and mouth weigh more, for a face is read by them. A quarter of the batch must also be right
when its latents are halved in size: that keeps the coarse picture in the coarse latents, which
the UNet then learns sooner. Some of the latents are decoded with noise on them, since what a UNet
makes lies a little off every latent trained on.

In the last part of the time a critic of patches (`adversary.py`) joins; its pull on the pixels is
held to a share of the other losses', as VQGAN does. Most of the training sees windows of 128 px,
the end sees whole pictures.

`middle.py` gives a good start. `--decoder-only` goes on without moving the latents, so that a
UNet trained on them stays right.

AutoencoderKL: Rombach et al., "High-resolution image synthesis with latent diffusion models",
2022. Halved latents: Skorokhodov et al., "Improving the diffusability of autoencoders", 2025.
Held pull: Esser et al., "Taming transformers for high-resolution image synthesis", 2021.

    python -m training.pocket.vae --crops work/crops --out work/vae --minutes 35 \
        --start work/middle/vae
"""

import argparse
import copy
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

from training.pocket.adversary import Critic, critic_loss, maker_loss
from training.pocket.networks import SIDE, new_vae
from training.pocket.sitting import Clock, add_options, follow, learning_rate, save_whole

WINDOW, WINDOWS = 128, 8  # px, and how many in a batch
WHOLE = 0.75  # share of the time after which whole pictures are seen, two in a batch
CRITIC = 0.35  # share of the time after which the critic joins
PULL = 0.3  # of the critic on the pixels, over that of the other losses
KL = 3e-2  # nats a value of the picture: keeps the latents from growing
NOISE = 0.15  # mean deviation of the noise on latents decoded over theirs; three in eight have none
PHOTOS = 0.65  # share of windows that photos give
EYE, MOUTH = 5.0, 2.5  # weight of differences there, beside 1 elsewhere
AVERAGE = 0.998  # of the weights a step
SAVE_EVERY = 150  # s

# One lightness, two colour channels (ITU-R BT.601), colour doubled: marks are as much colour.
OPPONENT = 2 * torch.tensor([[0.299, 0.587, 0.114], [-0.338, -0.662, 1.0], [1.0, -0.838, -0.162]])


class Heads:
    """The crops, and windows of them; a window's weight is 1 and more about eyes and mouth."""

    def __init__(self, folder: Path):
        self.pixels = np.load(folder / "crops.npy", mmap_mode="r")  # (N, 288, 288, 3)
        rows = json.loads((folder / "crops.json").read_text())
        photo = np.array([r["kind"] == "photo" for r in rows])
        seen = np.array([not r["held_out"] for r in rows])
        self.photos, self.renders = np.flatnonzero(photo & seen), np.flatnonzero(~photo & seen)
        self.unseen = np.flatnonzero(~seen)
        points = np.array([r["landmarks68"] for r in rows])
        self.eyes = np.stack([points[:, 36:42].mean(1), points[:, 42:48].mean(1)], 1)
        self.mouths = points[:, 48:].mean(1)

    def batch(self, size: int, count: int, rng) -> tuple[torch.Tensor, torch.Tensor]:
        """(count, 3, size, size) in -1..1 and weights (count, 1, size, size); half are mirrored."""
        windows, weights = [], []
        for _ in range(count):
            i = rng.choice(self.photos if rng.random() < PHOTOS else self.renders)
            y, x = rng.integers(0, self.pixels.shape[1] - size + 1, 2)
            flip = slice(None, None, -1 if rng.random() < 0.5 else 1)
            windows.append(self.pixels[i, y : y + size, x : x + size][:, flip])
            weights.append(self._weight(i, y, x, size)[:, flip])
        return to_tensor(np.stack(windows)), torch.from_numpy(np.stack(weights))[:, None].float()

    def _weight(self, i: int, y: int, x: int, size: int) -> np.ndarray:
        weight = np.ones((size, size))
        for (px, py), more, wide, high in (
            (self.eyes[i, 0], EYE - 1, 22, 14),
            (self.eyes[i, 1], EYE - 1, 22, 14),
            (self.mouths[i], MOUTH - 1, 30, 18),
        ):
            across = np.exp(-(((np.arange(size) + x - px) / wide) ** 2))
            weight += more * np.exp(-(((np.arange(size) + y - py) / high) ** 2))[:, None] * across
        return weight

    def whole(self, which: np.ndarray) -> torch.Tensor:
        """(N, 3, 256, 256) in -1..1, from the middle of the crops."""
        edge = (self.pixels.shape[1] - SIDE) // 2
        return to_tensor(np.stack([self.pixels[i, edge:-edge, edge:-edge] for i in which]))


def to_tensor(pixels: np.ndarray) -> torch.Tensor:
    """(N, h, w, 3) uint8 -> (N, 3, h, w) float32 in -1..1."""
    return torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32)) / 127.5 - 1


def to_pixels(x: torch.Tensor) -> np.ndarray:
    """(N, 3, h, w) in -1..1 -> (N, h, w, 3) uint8."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


def distance(made: torch.Tensor, given: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Mean difference of values and of neighbours at four scales.

    made, given (B, 3, h, w) in -1..1; weight (B, 1, h, w)
    """
    d = torch.einsum("oc,bchw->bohw", OPPONENT, made - given)
    total = 4 * d.square().mean()
    for scale in range(4):
        down, right = d[..., 1:, :] - d[..., :-1, :], d[..., :, 1:] - d[..., :, :-1]
        steps = (weight[..., 1:, :] * down).abs().mean() + (weight[..., 1:] * right).abs().mean()
        total = total + (1 if scale == 0 else 0.5) * (weight * d).abs().mean() + 0.5 * steps
        d, weight = F.avg_pool2d(d, 2), F.avg_pool2d(weight, 2)
    return total


def halved(vae, latents, x, weight, options) -> torch.Tensor:
    """How wrong a quarter of the batch is when its latents are halved in size, and it with them."""
    quarter = max(1, len(x) // 4)
    with torch.autocast("cpu", torch.bfloat16, enabled=not options.float32):
        made = vae.decode(F.avg_pool2d(latents[:quarter], 2)).sample.float()
    return distance(made, F.avg_pool2d(x[:quarter], 2), F.avg_pool2d(weight[:quarter], 2))


@torch.no_grad()
def reconstructed(vae: AutoencoderKL, pictures: torch.Tensor) -> torch.Tensor:
    """Through the latents' mean, as the pipeline uses it, and back; (N, 3, 256, 256) in -1..1."""
    return torch.cat(
        [
            vae.decode(vae.encode(x).latent_dist.mode()).sample.clamp(-1, 1)
            for x in pictures.split(8)
        ]
    )


def psnr(made: torch.Tensor, given: torch.Tensor) -> float:
    """Mean peak signal to noise over pictures, dB."""
    return (-10 * torch.log10(((made - given) / 2).square().mean((1, 2, 3)))).mean().item()


def pulled(loss: torch.Tensor, by: torch.Tensor, made: torch.Tensor, pull: float) -> torch.Tensor:
    """Gradient of `loss` at `made`, and that of `by` scaled to `pull` of its size."""
    (own,) = torch.autograd.grad(loss, made, retain_graph=True)
    (other,) = torch.autograd.grad(by, made)
    return own + other * (pull * own.norm() / other.norm().clamp(min=1e-12))


def steps(
    heads: Heads, vae, critic, optimizers, state: dict, options, clock: Clock
) -> Iterator[dict]:
    """Trains until the time is over; yields what to tell after every step."""
    while clock.part < 1:
        rng = np.random.default_rng([options.seed, state["number"]])
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * learning_rate(
                    1, state["number"], clock.part, warm=100
                )
        size, count = (SIDE, 2) if clock.part > WHOLE or options.decoder_only else (WINDOW, WINDOWS)
        x, weight = heads.batch(size, count, rng)
        with torch.autocast("cpu", torch.bfloat16, enabled=not options.float32):
            posterior = vae.encode(x).latent_dist
            latents = posterior.sample()  # (B, LATENTS, h/16, w/16)
            strength = 2 * NOISE * latents.detach().std() * torch.rand(count, 1, 1, 1)
            strength[: count * 3 // 8] = 0
            made = vae.decode(latents + strength * torch.randn_like(latents)).sample.float()
        kl = posterior.kl().float().mean() / (x.shape[-1] ** 2 * 3)
        seen = made.detach().requires_grad_(True)
        loss = distance(seen, x, weight)
        told = {"loss": loss.item(), "kl": kl.item(), "spread": latents.float().std().item()}
        joined = clock.part > CRITIC
        if joined:
            gradient = pulled(loss, maker_loss(critic, seen, x), seen, PULL)
        else:
            (gradient,) = torch.autograd.grad(loss, seen)
        if options.decoder_only:
            made.backward(gradient)
        else:
            keeps_simple = KL * kl + 0.25 * halved(vae, latents, x, weight, options)
            torch.autograd.backward([keeps_simple, made], [None, gradient])
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizers[0].step()
        if joined:
            optimizers[1].zero_grad(set_to_none=True)
            judged = critic_loss(critic, made, x)
            judged.backward()
            optimizers[1].step()
            told["critic"] = judged.item()
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        state["number"] += 1
        state["pictures"] += count * (size / SIDE) ** 2
        yield told


def train(options: argparse.Namespace) -> None:
    heads = Heads(options.crops)
    torch.manual_seed(options.seed)
    vae = AutoencoderKL.from_pretrained(options.start) if options.start else new_vae()
    critic = Critic()
    if options.decoder_only:
        for part in (vae.encoder, vae.quant_conv):
            part.requires_grad_(False)
    optimizers = [
        torch.optim.AdamW(
            [{"params": list(model.parameters()), "peak": rate}], rate, betas, weight_decay=1e-4
        )
        for model, rate, betas in (
            (vae, options.learning_rate, (0.9, 0.99)),
            (critic, 3e-4, (0.5, 0.99)),
        )
    ]
    average = copy.deepcopy(vae).eval()
    state = {"number": 0, "pictures": 0.0, "used": 0.0}
    path = options.out / "state.pt"
    if path.exists():
        state = torch.load(path)
        vae.load_state_dict(state["average" if options.decoder_only else "vae"])
        average.load_state_dict(state["average"])
        critic.load_state_dict(state["critic"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
    clock = Clock(options.minutes, state["used"])
    torch.manual_seed(options.seed + state["number"])

    def keep() -> None:
        state.update(
            vae=vae.state_dict(),
            average=average.state_dict(),
            critic=critic.state_dict(),
            optimizers=[o.state_dict() for o in optimizers],
            used=clock.used,
        )
        save_whole(state, path)
        average.save_pretrained(options.out / "vae")
        unseen = heads.whole(heads.unseen[::3])
        sheet(heads, average, options.out / "sheet.jpg")
        print(
            f"{clock.used / 60:6.1f} min, step {state['number']}, "
            + f"{state['pictures']:.0f} pictures, "
            + ", ".join(f"{k} {v:.4f}" for k, v in told.items())
            + f", unseen heads {psnr(reconstructed(average, unseen), unseen):.2f} dB",
            flush=True,
        )

    told = {}
    for told in steps(heads, vae, critic, optimizers, state, options, clock):  # noqa: B007
        follow(average, vae, min(AVERAGE, (1 + state["number"]) / (10 + state["number"])))
        if clock.due(SAVE_EVERY):
            keep()
    keep()


def sheet(heads: Heads, vae: AutoencoderKL, path: Path) -> None:
    """Eight heads of unseen people, and what the autoencoder makes of them below."""
    given = heads.whole(heads.unseen[np.linspace(0, len(heads.unseen) - 1, 8).astype(int)])
    both = [to_pixels(x) for x in (given, reconstructed(vae, given))]
    picture = np.concatenate([np.concatenate(list(row), 1) for row in both])
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--crops", type=Path, default=Path("work/crops"))
    parser.add_argument("--out", type=Path, default=Path("work/vae"))
    parser.add_argument(
        "--start", type=Path, help="an autoencoder's folder, as middle.py writes it"
    )
    parser.add_argument("--decoder-only", action="store_true", help="the latents stay as they are")
    add_options(parser, minutes=40, rate=8e-4)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
