"""Figures of the pocket base, and a sheet of its samples: what its model card quotes.

Faces are counted twice: by the embedded engine, which confirms every face with a mesh, and by dlib's
older detector of gradients, which takes only what is drawn clearly.

python -m benchmarks.pocket vae --crops work/crops --base examples/pocket
python -m benchmarks.pocket losses --latents work/latents --unet work/unet/state.pt
python -m benchmarks.pocket losses --latents work/latents        the shipped, on latents of its own autoencoder
python -m benchmarks.pocket samples --latents work/latents --base examples/pocket --out work/sheet.png
"""

# ruff: noqa: E501

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
    UniPCMultistepScheduler,
)
from transformers import CLIPTextConfig, CLIPTextModel

from benchmarks.pocket_vae import to_pixels, vae_figures
from data_sets.captions import LENGTH, full_caption, new_tokenizer
from realism.diffusion.families import find_preset
from realism.faces.engine import load_engine

PROMPTS = [
    "photo portrait of a young east asian woman with long hair, smile, front, soft window light, close-up, wall background",
    "photo portrait of a middle-aged white man with short hair, neutral expression, front, overcast light, close-up, plain background",
    "photo portrait of an old south asian man with grey short hair, neutral expression, turned to image left, warm indoor light, head and shoulders, shapes background",
    "photo portrait of a young african woman with curly hair, open smile, turned to image right, sun light, close-up, gradient background",
    "photo portrait of a middle-aged east asian man with slicked-back hair, frown, front, hard side light, head and shoulders, wall background",
    "photo portrait of a young white woman with ponytail, raised brows, turned to image left, flash light, close-up, shapes background",
    "photo portrait of an old east asian woman with grey short hair, smile, front, two lights light, bright, head and shoulders, plain background",
    "photo of ohwx person",
]
FRONT = [p for p in PROMPTS if "front" in p]
UNET = "a state of training, with latents of its autoencoder; or a base's folder, with its own"


def trained(path: Path) -> dict:
    """What `unet.py train` saved, or the same of a base's folder, whose latents are unit already."""
    if path.is_file():
        return torch.load(path)
    unet = UNet2DConditionModel.from_pretrained(path / "unet", torch_dtype=torch.float32)
    text_encoder = CLIPTextModel.from_pretrained(path / "text_encoder", torch_dtype=torch.float32)
    channels = unet.config.in_channels
    return {
        "unet_average": unet.state_dict(),
        "text_average": text_encoder.state_dict(),
        "mean": torch.zeros(channels),
        "deviation": torch.ones(channels),
    }


def load_networks(state: Path, base: Path) -> tuple[UNet2DConditionModel, CLIPTextModel]:
    """UNet and text encoder with the averaged weights of `trained(state)`, of the shape that `base` has.

    Parameters
    ----------
    base
        Folder of a pipeline; the latents may have more channels than its own.
    """
    saved, channels = trained(state), len(trained(state)["mean"])
    shape = {
        **UNet2DConditionModel.load_config(base / "unet"),
        "in_channels": channels,
        "out_channels": channels,
    }
    unet = UNet2DConditionModel.from_config(shape).eval()
    text_encoder = (
        CLIPTextModel(CLIPTextConfig.from_pretrained(base / "text_encoder")).float().eval()
    )
    unet.load_state_dict(saved["unet_average"])
    text_encoder.load_state_dict(saved["text_average"])
    return unet, text_encoder


@torch.no_grad()
def velocity_loss(unet, text_encoder, scheduler, latents, tokens, timesteps, noise) -> float:
    """Mean squared error of v, as it is trained; latents of unit variance and noise (B, C, h, w), tokens (B, LENGTH)."""
    words = text_encoder(input_ids=tokens).last_hidden_state
    noisy = scheduler.add_noise(latents, noise, timesteps)
    wanted = scheduler.get_velocity(latents, noise, timesteps)
    predicted = unet(noisy, timesteps, encoder_hidden_states=words).sample.float()
    return (predicted - wanted).square().mean().item()


def losses(latents_folder: Path, state: Path, base: Path) -> None:
    """Loss of the averaged weights at fixed noise, on unseen people and on people trained on."""
    saved, tokenizer = trained(state), new_tokenizer()
    networks = load_networks(state, base)
    scheduler = DDIMScheduler.from_pretrained(base / "scheduler")
    mean, deviation = (saved[name].view(-1, 1, 1) for name in ("mean", "deviation"))
    rows = json.loads((latents_folder / "rows.json").read_text())
    raw = np.load(latents_folder / "latents.npy", mmap_mode="r")
    for name, unseen in (("unseen people", True), ("people trained on", False)):
        which = np.array([i for i, r in enumerate(rows) if r["held_out"] == unseen])
        which = np.random.default_rng(2).permutation(which)[:160]
        given = (torch.from_numpy(np.array(raw[which, 0])).float() - mean) / deviation
        words = tokenizer(
            [full_caption(rows[i]["words"]) for i in which],
            padding="max_length",
            truncation=True,
            max_length=LENGTH,
            return_tensors="pt",
        ).input_ids
        noise = torch.randn(given.shape, generator=torch.Generator().manual_seed(1))
        places = torch.arange(len(which)) * 37 % len(which)
        timesteps = torch.linspace(20, 980, len(which)).long()[places]
        parts = [slice(k, k + 40) for k in range(0, len(which), 40)]
        plain = [
            velocity_loss(*networks, scheduler, given[p], words[p], timesteps[p], noise[p])
            for p in parts
        ]
        print(f"{name}: {np.mean(plain):.4f}")


def faces_found(pictures: np.ndarray) -> str:
    """In how many pictures (N, h, w, 3) uint8 a face is found, in words."""
    import dlib

    engine, gradients = load_engine("dlib"), dlib.get_frontal_face_detector()
    pictures = [np.ascontiguousarray(p) for p in pictures]
    meshed = np.mean([len(engine.find(p)) > 0 for p in pictures])
    clear = np.mean([len(gradients(p, 1)) > 0 for p in pictures])
    return f"a face found by the embedded engine in {meshed:.1%}, by gradients alone in {clear:.1%}"


def sampled(
    pipeline, prompts: list[str], seed: int, steps: int, guidance: float
) -> tuple[np.ndarray, torch.Tensor]:
    """-> pictures (N, 256, 256, 3) uint8 and their latents (N, C, 32, 32)."""
    latents = []
    for k in range(0, len(prompts), 8):
        latents.append(
            pipeline(
                prompts[k : k + 8],
                num_inference_steps=steps,
                guidance_scale=guidance,
                output_type="latent",
                generator=torch.Generator().manual_seed(seed + k),
            ).images
        )
    latents = torch.cat(latents)
    with torch.no_grad():
        pictures = np.concatenate(
            [
                to_pixels(pipeline.vae.decode(z).sample)
                for z in (latents / pipeline.vae.config.scaling_factor).split(8)
            ]
        )
    return pictures, latents


def nearest_latents(latents_folders: list[Path], state: Path, latents: torch.Tensor) -> None:
    """How near samples, latents (N, C, h, w), come to what was trained on, beside unseen people."""
    rows = [
        row for folder in latents_folders for row in json.loads((folder / "rows.json").read_text())
    ]
    raw = np.concatenate([np.load(folder / "latents.npy") for folder in latents_folders])
    saved = trained(state)
    unit = (
        (torch.from_numpy(raw).float() - saved["mean"].view(-1, 1, 1))
        / saved["deviation"].view(-1, 1, 1)
    ).flatten(2)
    seen = np.array([not r["held_out"] for r in rows])
    known, unseen = unit[seen].flatten(0, 1), unit[~seen, 0]
    size = known.shape[1] ** 0.5
    nearest = torch.cdist(latents.flatten(1), known).min(1)[0] / size
    nearest_unseen = torch.cdist(unseen, known).min(1)[0] / size
    print(
        f"distance to the nearest training latents: samples {nearest.mean():.3f} (smallest {nearest.min():.3f}), unseen people {nearest_unseen.mean():.3f} (smallest {nearest_unseen.min():.3f})"
    )


def samples(
    latents_folders: list[Path],
    state: Path,
    base: Path,
    out: Path,
    count: int,
    steps: int,
    guidance: float,
    front: int,
    crops: Path,
) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(
        base, dtype=torch.float32, local_files_only=True, safety_checker=None
    )
    pipeline.scheduler = UniPCMultistepScheduler.from_config(
        pipeline.scheduler.config, use_karras_sigmas=True
    )
    pipeline.set_progress_bar_config(disable=True)
    prompts = [p for p in PROMPTS for _ in range(count)]
    pictures, latents = sampled(pipeline, prompts, 7, steps, guidance)
    sheet = np.concatenate(
        [np.concatenate(list(pictures[k : k + count]), 1) for k in range(0, len(pictures), count)],
        0,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    print(f"{len(pictures)} samples by {len(PROMPTS)} prompts in {out}; {faces_found(pictures)}")

    if latents_folders:
        nearest_latents(latents_folders, state, latents)
    if front:
        many, _ = sampled(
            pipeline, [FRONT[i % len(FRONT)] for i in range(front)], 1000, steps, guidance
        )
        print(f"{front} samples with front prompts: {faces_found(many)}")
        pictures_given = np.load(crops / "crops.npy", mmap_mode="r")
        given = [
            i
            for i, r in enumerate(json.loads((crops / "crops.json").read_text()))
            if r["held_out"] and abs(r["yaw"]) < 12
        ]
        renders = np.array(pictures_given[given][:, 16:-16, 16:-16])
        print(
            f"{len(renders)} renders of unseen people seen from the front: {faces_found(renders)}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("vae")
    one.add_argument("--crops", type=Path, default=Path("work/crops"))
    one.add_argument("--base", type=Path, default=Path("examples/pocket"))
    one.add_argument("--out", type=Path, default=Path("work/vae.png"))
    two = commands.add_parser("losses")
    two.add_argument("--latents", type=Path, default=Path("work/latents"))
    two.add_argument("--unet", type=Path, default=Path("examples/pocket"), help=UNET)
    two.add_argument(
        "--base", type=Path, default=Path("examples/pocket"), help="whose shape the networks have"
    )
    three = commands.add_parser("samples")
    three.add_argument(
        "--latents",
        type=Path,
        nargs="*",
        default=[],
        help="folders that encode wrote: distances too",
    )
    three.add_argument("--unet", type=Path, default=Path("examples/pocket"), help=UNET)
    three.add_argument("--crops", type=Path, default=Path("work/crops"))
    three.add_argument("--base", type=Path, default=Path("examples/pocket"))
    three.add_argument("--out", type=Path, default=Path("work/sheet.png"))
    three.add_argument("--count", type=int, default=8, help="samples a prompt")
    three.add_argument("--steps", type=int, default=20)
    three.add_argument("--guidance", type=float, default=find_preset("pocket").guidance_scale)
    three.add_argument(
        "--front",
        type=int,
        default=0,
        help="so many more samples with front prompts, for the share with a face found",
    )
    for command in (one, two, three):
        command.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.command == "vae":
        vae_figures(options.crops, options.base, options.out)
    elif options.command == "losses":
        losses(options.latents, options.unet, options.base)
    else:
        samples(
            options.latents,
            options.unet,
            options.base,
            options.out,
            options.count,
            options.steps,
            options.guidance,
            options.front,
            options.crops,
        )


if __name__ == "__main__":
    main()
