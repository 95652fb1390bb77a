"""Train the pocket base's UNet and text encoder together, on latents made once.

Cells of the face weigh more, and the features on the way up must say where the 68 landmarks of the
face are, at every level of noise: half-trained heads had skin and hair but eyes in two places. The
renderer knows the landmarks; what reads them off the features is not shipped. (Features that are
told what they should know are learned sooner: Yu et al., "Representation alignment for generation", 2025.)

v-prediction, without weights, noisier times drawn oftener: the shape of a head is decided where there is
almost nothing but noise. (Weights of min(SNR, 5) starve those times; eight channels that tell the same shape make it worse:
after 800 steps there was skin but no face.) What is shipped is the running average of the weights.

v-prediction: Salimans and Ho, "Progressive distillation for fast sampling of diffusion models", 2022.

    python -m training.pocket.unet encode --crops work/crops --vae work/vae/vae --out work/latents
    python -m training.pocket.unet train --latents work/latents --out work/unet --minutes 70
    torchrun --standalone --nproc-per-node 2 -m training.pocket.unet train ...      half of each batch on each core
"""

# ruff: noqa: E501

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from data_sets.captions import LENGTH, caption, full_caption, new_tokenizer

WIDTHS = (64, 128, 192, 192)
TEXT = 192
BATCH = 16
AVERAGE = 0.997  # of the weights a step: about the last 330 steps
FACE_WEIGHT = 4.0  # of a cell in the middle of the face, beside 1 far from it
LANDMARK_WEIGHT = 0.02  # of the landmarks' cross-entropy, in nats, beside the squared error
# iBUG 68 points, left and right swapped
MIRRORED_POINTS = [
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
]  # fmt: skip
SHIFTS = ((16, 16), (7, 22), (25, 8))  # px, where the 256 px window lies in a 288 px crop


def new_unet(latent_channels: int) -> UNet2DConditionModel:
    """Convolutions alone at 32 x 32, attention to words and places at 16 x 16 and 8 x 8."""
    return UNet2DConditionModel(
        sample_size=32,
        in_channels=latent_channels,
        out_channels=latent_channels,
        layers_per_block=1,
        block_out_channels=WIDTHS,
        down_block_types=(
            "DownBlock2D",
            "CrossAttnDownBlock2D",
            "CrossAttnDownBlock2D",
            "DownBlock2D",
        ),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT,
        attention_head_dim=4,
        norm_num_groups=16,
    )  # diffusers reads attention_head_dim as the number of heads


def new_text_encoder(words: int) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=words,
            hidden_size=TEXT,
            intermediate_size=2 * TEXT,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=LENGTH,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
            projection_dim=TEXT,
        )
    )


def new_scheduler() -> DDIMScheduler:
    """Stable Diffusion's, but with an end that is noise indeed: at its .012 the last step still shows a seventh of the
    latents, the coarsest shapes stand out clearly in all eight channels, and a sample that starts from plain noise,
    where nothing stands out, takes the noise's own chance blobs for a head.
    (Lin et al., "Common diffusion noise schedules and sample steps are flawed", 2024.)"""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.0225,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        steps_offset=1,
        clip_sample=False,
        set_alpha_to_one=False,
    )


@torch.no_grad()
def encode(crops_folder: Path, vae_folder: Path, out: Path) -> None:
    """Latents of every crop, shifted and mirrored: (N, 2 SHIFTS, C, 32, 32) float16, mirrored ones second.

    Crops that an earlier call has encoded are kept, so that new renders cost only themselves.
    """
    vae = AutoencoderKL.from_pretrained(vae_folder).eval()
    crops = np.load(crops_folder / "crops.npy", mmap_mode="r")
    rows = json.loads((crops_folder / "crops.json").read_text())
    old = {}
    if (out / "latents.npy").exists():
        latents = np.load(out / "latents.npy", mmap_mode="r")
        old = {
            (r["file"], r["scale"]): latents[i]
            for i, r in enumerate(json.loads((out / "rows.json").read_text()))
        }
    made = []
    started = time.monotonic()
    for number, (crop, row) in enumerate(zip(crops, rows, strict=True)):
        if (row["file"], row["scale"]) in old:
            made.append(old[row["file"], row["scale"]])
            continue
        windows = (
            torch.stack(
                [
                    torch.from_numpy(
                        crop[y : y + 256, x : x + 256].transpose(2, 0, 1).astype(np.float32)
                    )
                    for y, x in SHIFTS
                ]
            )
            / 127.5
            - 1
        )
        made.append(
            vae.encode(torch.cat([windows, windows.flip(-1)]))
            .latent_dist.mode()
            .numpy()
            .astype(np.float16)
        )
        if number % 200 == 0:
            print(f"{number} of {len(rows)}, {time.monotonic() - started:.0f} s", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "latents.npy", np.stack(made))
    (out / "rows.json").write_text(json.dumps(rows))
    print(f"{len(rows)} crops encoded in {time.monotonic() - started:.0f} s")


def points_of(rows: list[dict], which, variant) -> torch.Tensor:
    """Landmarks of chosen crops in chosen windows: (B, 68, 2), x and y in parts of the window's side.

    Parameters
    ----------
    which : (B,) int
        Indices into rows.
    variant : (B,) int
        0 to 2 SHIFTS - 1, as `encode` orders them.
    """
    points = []
    for i, v in zip(which, variant, strict=True):
        y, x = SHIFTS[v % len(SHIFTS)]
        at = (np.array(rows[i]["landmarks68"]) - (x, y)) / 256
        points.append(at if v < len(SHIFTS) else np.array([1, 0] + at * [-1, 1])[MIRRORED_POINTS])
    return torch.from_numpy(np.stack(points)).float()


def face_weight(points: torch.Tensor) -> torch.Tensor:
    """Weight of each cell, (B, 1, 32, 32) of mean 1: heavy about brows, eyes, nose and mouth of points (B, 68, 2)."""
    inner = points[:, 17:]
    centre, spread = inner.mean(1), 1.7 * inner.std(1)  # (B, 2)
    cells = (torch.arange(32) + 0.5) / 32
    x, y = (
        (cells - centre[:, k, None]) / spread[:, k, None].clamp(min=0.02) for k in (0, 1)
    )  # (B, 32)
    near = torch.exp(-(x[:, None, :].square() + y[:, :, None].square()) / 2)
    weight = 1 + (FACE_WEIGHT - 1) * near[:, None]
    return weight / weight.mean((1, 2, 3), keepdim=True)


def landmark_loss(logits: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of where each landmark is, in nats; logits (B, 68, h, w), points (B, 68, 2) in parts of the side."""
    h, w = logits.shape[2:]
    at = points.clamp(0, 1) * torch.tensor([w, h]) - 0.5
    x = torch.exp(-(torch.arange(w) - at[..., :1]).square())  # a cell is sqrt(2) deviations wide
    y = torch.exp(-(torch.arange(h) - at[..., 1:]).square())
    wanted = (y[..., :, None] * x[..., None, :]).flatten(2)
    wanted = wanted / wanted.sum(-1, keepdim=True)
    return -(wanted * logits.flatten(2).log_softmax(-1)).sum(-1).mean()


def loss(unet, text_encoder, latents, tokens, timesteps, noise, alphas, weight=None, bf16=False):
    """-> the mean squared error of v.

    Parameters
    ----------
    latents, noise : (B, C, 32, 32)
        Latents of unit variance.
    tokens : (B, LENGTH)
    timesteps : (B,)
    alphas : (1000,)
        Cumulative products.
    weight : (B, 1, 32, 32) or None
        Of mean 1.
    """
    alpha = alphas[timesteps].view(-1, 1, 1, 1)
    noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
    target = alpha.sqrt() * noise - (1 - alpha).sqrt() * latents
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        words = text_encoder(input_ids=tokens).last_hidden_state
        predicted = unet(noisy, timesteps, encoder_hidden_states=words).sample.float()
    error = (predicted - target).square()
    return (error if weight is None else error * weight).mean()


@torch.no_grad()
def go_on_from(base: torch.nn.Module, model: torch.nn.Module) -> None:
    """Give `model` the weights of `base`; latent channels that the base lacks start at nothing.

    The base's own channels come first, see `vae.py`.
    """
    known = base.state_dict()
    for name, value in model.state_dict().items():  # the model's own memory
        given = known[name].to(value)
        value.zero_()[tuple(slice(side) for side in given.shape)] = given


def train(
    latents_folders: list[Path],
    out: Path,
    minutes: float,
    learning_rate: float,
    seed: int,
    start: Path | None,
    bf16: bool,
) -> None:
    rank, processes = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if processes > 1:
        torch.distributed.init_process_group("gloo")
    raw = np.concatenate([np.load(folder / "latents.npy") for folder in latents_folders])
    rows = [
        row for folder in latents_folders for row in json.loads((folder / "rows.json").read_text())
    ]
    train_rows = np.array([i for i, r in enumerate(rows) if not r["held_out"]])
    unseen = np.array([i for i, r in enumerate(rows) if r["held_out"]])[:160]
    out.mkdir(parents=True, exist_ok=True)
    state = out / "state.pt"

    tokenizer = new_tokenizer()
    torch.manual_seed(seed)
    unet = new_unet(raw.shape[2]).to(memory_format=torch.channels_last)
    text_encoder = new_text_encoder(len(tokenizer))
    landmarks = torch.nn.Conv2d(WIDTHS[2], 68, 1)  # reads them off the features of 16 x 16
    features = {}
    unet.up_blocks[1].register_forward_hook(lambda _, __, made: features.update(at=made))
    parameters = [*unet.parameters(), *text_encoder.parameters(), *landmarks.parameters()]
    optimizer = torch.optim.AdamW(
        parameters, learning_rate, betas=(0.9, 0.99), weight_decay=1e-2, fused=True
    )
    averages = [new_unet(raw.shape[2]), new_text_encoder(len(tokenizer))]
    used, number = 0.0, 0
    mean, deviation = torch.zeros(raw.shape[2]), torch.ones(raw.shape[2])
    if state.exists():
        saved = torch.load(state)
        for model, name in (
            (unet, "unet"),
            (text_encoder, "text_encoder"),
            (averages[0], "unet_average"),
            (averages[1], "text_average"),
            (landmarks, "landmarks"),
        ):
            model.load_state_dict(saved[name])
        optimizer.load_state_dict(saved["optimizer"])
        used, number, mean, deviation = (
            saved["used"],
            saved["number"],
            saved["mean"],
            saved["deviation"],
        )
    else:
        sample = torch.from_numpy(raw[train_rows][::2].astype(np.float32))
        mean, deviation = sample.mean((0, 1, 3, 4)), sample.std((0, 1, 3, 4))
        print(
            "latents: mean",
            [round(m, 2) for m in mean.tolist()],
            "deviation",
            [round(d, 2) for d in deviation.tolist()],
        )
        if start:
            go_on_from(UNet2DConditionModel.from_pretrained(start / "unet"), unet)
            go_on_from(CLIPTextModel.from_pretrained(start / "text_encoder"), text_encoder)
    if not state.exists():
        for average, model in zip(averages, (unet, text_encoder), strict=True):
            average.load_state_dict(model.state_dict())
    latents = (torch.from_numpy(raw).float() - mean.view(-1, 1, 1)) / deviation.view(-1, 1, 1)
    alphas = new_scheduler().alphas_cumprod
    rng = np.random.default_rng([seed, number, rank])
    torch.manual_seed(seed + number + 1_000_000 * rank)
    print(
        f"UNet {sum(p.numel() for p in unet.parameters()) / 1e6:.1f} M, text encoder {sum(p.numel() for p in text_encoder.parameters()) / 1e6:.2f} M, "
        f"{len(train_rows)} crops, {len(tokenizer)} words",
        flush=True,
    )

    def tokens(texts):
        return tokenizer(
            texts, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt"
        ).input_ids

    seen = np.random.default_rng(1).choice(train_rows, len(unseen), replace=False)

    @torch.no_grad()
    def check(which: np.ndarray) -> float:
        """Plain loss of the averaged weights at fixed noise and times spread evenly."""
        generator = torch.Generator().manual_seed(1)
        noise = torch.randn(len(which), *latents.shape[2:], generator=generator)
        timesteps = torch.linspace(20, 980, len(which)).long()[
            torch.arange(len(which)) * 37 % len(which)
        ]
        words = tokens([full_caption(rows[i]["words"]) for i in which])
        parts = [
            loss(
                *averages,
                latents[which[k : k + 40], 0],
                words[k : k + 40],
                timesteps[k : k + 40],
                noise[k : k + 40],
                alphas,
            ).item()
            for k in range(0, len(which), 40)
        ]
        return float(np.mean(parts))

    total = minutes * 60
    began, elapsed = time.monotonic() - used, used
    recent = []

    def share() -> float:
        """Means over the processes of all gradients and of the seconds used, so that all do the same."""
        if processes == 1:
            return time.monotonic() - began
        flat = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
        flat = torch.cat([flat, torch.tensor([time.monotonic() - began])])
        torch.distributed.all_reduce(flat)
        flat /= processes
        start = 0
        for p in parameters:
            if p.grad is not None:
                p.grad.copy_(flat[start : start + p.numel()].view_as(p))
                start += p.numel()
        return flat[-1].item()

    def step():
        nonlocal number, elapsed
        part = elapsed / total
        for group in optimizer.param_groups:
            group["lr"] = (
                learning_rate
                * min(1, (number + 1) / 200)
                * (1 if part < 0.6 else max(0.02, (1 - part) / 0.4))
            )
        count = BATCH // processes
        which = rng.choice(train_rows, count)
        variant = rng.integers(latents.shape[1], size=count)
        mirrored = variant >= len(SHIFTS)
        words = tokens(
            [
                caption(rows[i]["mirrored" if m else "words"], rng)
                for i, m in zip(which, mirrored, strict=True)
            ]
        )
        given = latents[which, variant]
        timesteps = (1000 * torch.rand(count).sqrt()).long()  # noisier times oftener
        points = points_of(rows, which, variant)
        error = loss(
            unet,
            text_encoder,
            given,
            words,
            timesteps,
            torch.randn_like(given),
            alphas,
            face_weight(points),
            bf16,
        )
        placing = landmark_loss(landmarks(features["at"].float()), points)
        (error + LANDMARK_WEIGHT * placing).backward()
        elapsed = share()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        number += 1
        if number % 4 == 0 and rank == 0:
            keep = min(AVERAGE, (1 + number) / (10 + number)) ** 4
            with torch.no_grad():
                for average, model in zip(averages, (unet, text_encoder), strict=True):
                    torch._foreach_lerp_(
                        list(average.parameters()), list(model.parameters()), 1 - keep
                    )
        recent.append((error.item(), placing.item()))

    def save():
        waiting = state.with_suffix(".writing")
        torch.save(
            {
                "unet": unet.state_dict(),
                "text_encoder": text_encoder.state_dict(),
                "unet_average": averages[0].state_dict(),
                "text_average": averages[1].state_dict(),
                "landmarks": landmarks.state_dict(),
                "optimizer": optimizer.state_dict(),
                "used": elapsed,
                "number": number,
                "mean": mean,
                "deviation": deviation,
            },
            waiting,
        )
        waiting.rename(state)

    next_report = elapsed + 60
    while elapsed < total:
        step()
        if elapsed > next_report:
            next_report = elapsed + 300
            if rank == 0:
                losses = np.mean(recent[-200:], 0)
                print(
                    f"{elapsed / 60:5.1f} min, step {number}, loss {losses[0]:.4f}, landmarks {losses[1]:.2f} nats, averaged weights: held out {check(unseen):.4f}, "
                    f"trained on {check(seen):.4f}",
                    flush=True,
                )
                save()
    if rank == 0:
        save()
        print(
            f"done: step {number}, held out {check(unseen):.4f}, trained on {check(seen):.4f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    encoding = commands.add_parser("encode")
    encoding.add_argument("--crops", type=Path, default=Path("work/crops"))
    encoding.add_argument("--vae", type=Path, default=Path("work/vae/vae"))
    encoding.add_argument("--out", type=Path, default=Path("work/latents"))
    training = commands.add_parser("train")
    training.add_argument(
        "--latents",
        type=Path,
        nargs="+",
        default=[Path("work/latents")],
        help="folders that encode wrote",
    )
    training.add_argument("--out", type=Path, default=Path("work/unet"))
    training.add_argument(
        "--minutes", type=float, default=70, help="in all, over all sittings; run again to go on"
    )
    training.add_argument(
        "--base",
        type=Path,
        help="a base folder whose weights are gone on from; the first latents are those of its vae",
    )
    training.add_argument("--learning-rate", type=float, default=8e-4)
    training.add_argument(
        "--bf16",
        action="store_true",
        help="autocast: half the time with AMX, 1.8 times the time with AVX-512 alone",
    )
    training.add_argument("--seed", type=int, default=0)
    for command in (encoding, training):
        command.add_argument(
            "--threads",
            type=int,
            default=1,
            help="more only where the cores are free: on a busy machine two were forty times slower than one",
        )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.command == "encode":
        encode(options.crops, options.vae, options.out)
    else:
        train(
            options.latents,
            options.out,
            options.minutes,
            options.learning_rate,
            options.seed,
            options.base,
            options.bf16,
        )


if __name__ == "__main__":
    main()
