"""Train the pocket base's autoencoder: 256 px to 32 x 32 latents of eight channels, and back.

The loss looks at differences and at differences of neighbours (edges), at four scales, in one
lightness and two colour channels: plain squared error blurs skin. Dark and red spots are painted on
the crops and weigh more, for a mole of three pixels is too rare and too small to be learned from
whole faces. Half of the crops are turned to another hue: skin, hair and most walls lie on the way from
orange to blue, and an autoencoder that sees nothing else drops green and magenta. A quarter of the
batch must also be right when its latents are halved in size: that keeps the coarse picture in the
coarse latents, which the UNet then learns sooner.

From a base (`--base`): its latents are held near where they were, so that its UNet still knows them. Where it has fewer
channels its own come first, and new ones take up what they lose.

What a UNet makes lies a little off every latent trained on, and a decoder that has learned to see the smallest mark in a latent
draws specks there: `--noise` with `--decoder-only` teaches it to tell marks from that.

AutoencoderKL: Rombach et al., "High-resolution image synthesis with latent diffusion models", 2022.
Halved latents: Skorokhodov et al., "Improving the diffusability of autoencoders", 2025.

    python -m training.pocket.vae --crops work/crops --out work/vae --minutes 30
    python -m training.pocket.vae --crops work/crops --out work/vae --minutes 40 --base OLD-BASE --learning-rate 8e-4
    python -m training.pocket.vae --crops work/crops --out work/decoder --minutes 6 --base work/vae --learning-rate 6e-4 --decoder-only --noise 0.12
"""

# ruff: noqa: E501

import argparse
import copy
import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

CHANNELS = (16, 32, 64, 128)
LATENTS = 8
PATCH = 128  # px; the last part of the training sees whole pictures
WHOLE = 0.80  # share of the time after which it does
SPOT_WEIGHT = 100.0  # of a difference on a painted spot 5 px across, beside 1 elsewhere
USUAL_SPOT = 2.5  # px, radius; every spot weighs as much in all as one of these
KL = 2e-4  # nats a pixel, from new 2e-3: just enough to keep the latents near unit size
NEW_LOG_VARIANCE = -3.0  # of channels that a base lacks: noise would hide what they first learn
ANCHOR = 0.5  # of the squared distance of a base's own latents from where the base had them

# one lightness, two colour channels (ITU-R BT.601), colour doubled: skin marks are as much colour as shade
OPPONENT = 2 * torch.tensor([[0.299, 0.587, 0.114], [-0.338, -0.662, 1.0], [1.0, -0.838, -0.162]])


def new_vae() -> AutoencoderKL:
    n = len(CHANNELS)
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * n,
        up_block_types=("UpDecoderBlock2D",) * n,
        block_out_channels=CHANNELS,
        layers_per_block=1,
        latent_channels=LATENTS,
        norm_num_groups=8,
        mid_block_add_attention=False,
        sample_size=256,
    )


@torch.no_grad()
def widened(base: AutoencoderKL) -> AutoencoderKL:
    """The base's autoencoder with LATENTS channels; what it makes is at first the same.

    Raises ValueError where the base has more channels than that.
    """
    vae, old = new_vae(), base.config.latent_channels
    if old > LATENTS:
        raise ValueError(f"the base has {old} latent channels, more than {LATENTS}")
    mean, log_variance = torch.arange(old), torch.arange(old) + LATENTS
    moments = torch.cat([mean, log_variance])
    rows = {"encoder.conv_out": moments, "quant_conv": moments, "post_quant_conv": mean}
    columns = {"quant_conv": moments, "post_quant_conv": mean, "decoder.conv_in": mean}
    state, known = vae.state_dict(), base.state_dict()
    for name, value in state.items():
        layer, part = name.rsplit(".", 1)
        if layer in ("quant_conv", "post_quant_conv") and part == "weight":
            value.copy_(torch.eye(len(value))[..., None, None])
        elif layer == "decoder.conv_in" or (layer in rows and part == "bias"):
            value.zero_()
        if layer == "encoder.conv_out" and part == "bias":
            value[LATENTS + old :] = NEW_LOG_VARIANCE
        at = rows.get(layer, torch.arange(len(value)))
        if part == "weight" and layer in columns:
            for to, row in zip(at, known[name], strict=True):
                value[to, columns[layer]] = row
        else:
            value[at] = known[name]
    vae.load_state_dict(state)
    return vae


def distance(
    made: torch.Tensor, given: torch.Tensor, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Mean difference of values and of neighbours at four scales; both (B, 3, h, w) in -1..1, weight (B, 1, h, w)."""
    d = torch.einsum("oc,bchw->bohw", OPPONENT, made - given)
    total = 4 * d.square().mean()
    if weight is not None:
        total = total + (weight * d).abs().mean()
    for scale in range(4):
        down, right = d[..., 1:, :] - d[..., :-1, :], d[..., :, 1:] - d[..., :, :-1]
        total = (
            total
            + d.abs().mean() * (1 if scale == 0 else 0.5)
            + 0.5 * (down.abs().mean() + right.abs().mean())
        )
        d = F.avg_pool2d(d, 2)
    return total


def recoloured(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """The hue turned about the grey axis by any angle, the saturation changed; x (3, h, w) in 0..255."""
    turn, grey = rng.uniform(0, 2 * np.pi), torch.full((3, 3), 1 / 3)
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / 3**0.5
    matrix = grey + rng.uniform(0.5, 1.5) * (
        np.cos(turn) * (torch.eye(3) - grey) + np.sin(turn) * cross
    )
    return torch.einsum("oc,chw->ohw", matrix.float(), x).clamp(0, 255)


def with_spots(x: torch.Tensor, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """A few soft dark or red spots of 2-7 px across, multiplied in as pigment is, and where they are.

    x (3, h, w) in 0..255; the second result (1, h, w) is 0 off the spots, and sums up alike on each.
    """
    spots = torch.zeros(1, *x.shape[1:])
    h, w = x.shape[1:]
    ys, xs = torch.arange(h)[:, None], torch.arange(w)[None, :]
    for _ in range(rng.integers(1, 8)):
        cy, cx, radius = rng.uniform(4, h - 4), rng.uniform(4, w - 4), 3.5 ** rng.uniform()
        edge = rng.uniform(0.35, 0.8)
        shape = torch.sigmoid((radius - ((ys - cy) ** 2 + (xs - cx) ** 2).sqrt()) / edge)
        density = torch.tensor(
            [0.42, 0.72, 0.98] if rng.random() < 0.7 else [0.10, 0.86, 0.66]
        ) * rng.uniform(0.3, 1.6)
        x = x * torch.exp(-density[:, None, None] * shape)
        spots = torch.maximum(spots, shape[None] * (USUAL_SPOT / radius) ** 2)
    return x, spots


def batch(
    crops: list[np.ndarray], train: np.ndarray, size: int, count: int, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """(count, 3, size, size) float32 in -1..1 and their spots (count, 1, size, size), see `with_spots`.

    Random windows of random crops, half of them mirrored, half recoloured, all spotted.
    """
    windows, spots = [], []
    limit = len(crops[0]) - size
    for i in rng.choice(train, count):
        y, x = rng.integers(0, limit + 1, 2)
        window = torch.from_numpy(
            crops[i][y : y + size, x : x + size].transpose(2, 0, 1).astype(np.float32)
        )
        window = recoloured(window, rng) if rng.random() < 0.5 else window
        window, spotted = with_spots(window, rng)
        mirrored = [-1] if rng.random() < 0.5 else []
        windows.append(window.flip(mirrored))
        spots.append(spotted.flip(mirrored))
    return torch.stack(windows) / 127.5 - 1, torch.stack(spots)


@torch.no_grad()
def psnr(vae: AutoencoderKL, pictures: torch.Tensor) -> float:
    """Mean peak signal to noise over pictures (N, 3, 256, 256) in -1..1, dB, from the latents' mean as the pipeline uses."""
    found = []
    for x in pictures.split(8):
        y = vae.decode(vae.encode(x).latent_dist.mode()).sample.clamp(-1, 1)
        found.append(-10 * torch.log10(((y - x) / 2).square().mean((1, 2, 3))))
    return torch.cat(found).mean().item()


def train(
    crops_folders: list[Path],
    out: Path,
    minutes: float,
    learning_rate: float,
    seed: int,
    threads: int,
    base: Path | None,
    bf16: bool,
    spot_weight: float,
    decoder_only: bool,
    noise: float,
) -> None:
    crops, rows = [], []
    for folder in crops_folders:
        crops.extend(np.load(folder / "crops.npy", mmap_mode="r"))
        rows.extend(json.loads((folder / "crops.json").read_text()))
    train_rows = np.array([i for i, r in enumerate(rows) if not r["held_out"]])
    unseen = [i for i, r in enumerate(rows) if r["held_out"]][::5]
    check = np.stack([crops[i][16:-16, 16:-16] for i in unseen])
    check = torch.from_numpy(check.transpose(0, 3, 1, 2).astype(np.float32)) / 127.5 - 1

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    vae, anchor = new_vae(), None
    if base:
        anchor = AutoencoderKL.from_pretrained(base, subfolder="vae").float().eval()
        vae = widened(anchor)
    out.mkdir(parents=True, exist_ok=True)
    state = out / "state.pt"
    used, number = 0.0, 0
    average = {k: v.clone() for k, v in vae.state_dict().items()}
    optimizer = torch.optim.AdamW(
        vae.parameters(), learning_rate, betas=(0.9, 0.99), weight_decay=1e-4
    )
    if state.exists():
        saved = torch.load(state)
        vae.load_state_dict(saved["vae"])
        average = saved["average"]
        optimizer.load_state_dict(saved["optimizer"])
        used, number = saved["used"], saved["number"]
    if decoder_only:  # latents stay as the average, which is what ships, has them
        vae.load_state_dict(average)
        for part in (vae.encoder, vae.quant_conv):
            part.requires_grad_(False)
    averaged = copy.deepcopy(vae).eval()
    total = minutes * 60
    began = time.monotonic() - used
    loss_now = {}

    def step():
        nonlocal number
        part = (time.monotonic() - began) / total
        for group in optimizer.param_groups:
            group["lr"] = (
                learning_rate
                * min(1, (number + 1) / 100)
                * (1 if part < 0.5 else max(0.02, (1 - part) / 0.5))
            )
        x, spots = batch(crops, train_rows, *((256, 2) if part > WHOLE else (PATCH, 8)), rng)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            posterior = vae.encode(x).latent_dist
            latents = posterior.sample()  # (B, LATENTS, h/8, w/8)
            # Three in eight as they are, the others with noise of any strength up to twice the mean.
            strength = 2 * noise * torch.rand(len(x), 1, 1, 1)
            strength[: len(x) * 3 // 8] = 0
            made = vae.decode(latents + strength * torch.randn_like(latents)).sample.float()
            quarter = max(1, len(x) // 4)
            halved = vae.decode(F.avg_pool2d(latents[:quarter], 2)).sample.float()
        kl = posterior.kl().float().mean() / (x.shape[-1] ** 2 * 3)
        loss = (
            distance(made, x, spot_weight * spots)
            + 0.25 * distance(halved, F.avg_pool2d(x[:quarter], 2))
            + KL * kl
        )
        if anchor:
            with torch.no_grad():
                held = anchor.encode(x).latent_dist.mode()
            moved = (posterior.mode()[:, : held.shape[1]].float() - held).square().mean()
            loss = loss + ANCHOR * moved
            loss_now.update(moved=moved.item())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        number += 1
        keep = min(0.998, (1 + number) / (10 + number))
        with torch.no_grad():
            for name, value in vae.state_dict().items():
                average[name].lerp_(value, 1 - keep)
        loss_now.update(loss=loss.item(), kl=kl.item(), spread=latents.float().std().item())

    next_report = 0.0
    while time.monotonic() - began < total:
        step()
        if time.monotonic() - began > next_report:
            averaged.load_state_dict(average)
            print(
                f"{(time.monotonic() - began) / 60:5.1f} min, step {number}, loss {loss_now['loss']:.4f}, kl {loss_now['kl']:.3f}, latents {loss_now['spread']:.2f}, moved {loss_now.get('moved', 0):.4f}, "
                f"unseen people {psnr(averaged, check):.2f} dB",
                flush=True,
            )
            save(vae, average, optimizer, time.monotonic() - began, number, state)
            averaged.save_pretrained(out / "vae")
            next_report = time.monotonic() - began + 120
    averaged.load_state_dict(average)
    averaged.save_pretrained(out / "vae")
    save(vae, average, optimizer, time.monotonic() - began, number, state)
    print(f"done: step {number}, unseen people {psnr(averaged, check):.2f} dB", flush=True)


def save(vae, average, optimizer, used: float, number: int, state: Path) -> None:
    waiting = state.with_suffix(".writing")
    torch.save(
        {
            "vae": vae.state_dict(),
            "average": average,
            "optimizer": optimizer.state_dict(),
            "used": used,
            "number": number,
        },
        waiting,
    )
    waiting.rename(state)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--crops", type=Path, nargs="+", default=[Path("work/crops")])
    parser.add_argument("--out", type=Path, default=Path("work/vae"))
    parser.add_argument(
        "--minutes", type=float, default=30, help="in all, over all sittings; run again to go on"
    )
    parser.add_argument(
        "--base", type=Path, help="go on from this base's autoencoder, its latents held in place"
    )
    parser.add_argument("--spot-weight", type=float, default=SPOT_WEIGHT)
    parser.add_argument(
        "--decoder-only", action="store_true", help="what a UNet knows of the latents stays true"
    )
    parser.add_argument(
        "--noise", type=float, default=0.0, help="on the latents decoded, mean deviation"
    )
    parser.add_argument("--bf16", action="store_true", help="autocast: see unet.py")
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="more only where the cores are free: on a busy machine two were forty times slower than one",
    )
    options = parser.parse_args()
    train(
        options.crops,
        options.out,
        options.minutes,
        options.learning_rate,
        options.seed,
        options.threads,
        options.base,
        options.bf16,
        options.spot_weight,
        options.decoder_only,
        options.noise,
    )


if __name__ == "__main__":
    main()
