"""Figures of the pocket base: what its autoencoder keeps, its losses, and what its samples show.

    python -m benchmarks.pocket vae --crops work/crops
    python -m benchmarks.pocket losses --crops work/crops
    python -m benchmarks.pocket samples --crops work/crops --out work/sheet.png --front 200

`--crops` is what `training/pocket/crops.py` wrote: heads of people that were trained on, and of
people that were held out. A face is found in a sample by the embedded engine, which confirms every
face with a mesh, and by dlib's older detector of gradients, which takes only what is drawn clearly.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import StableDiffusionPipeline, UniPCMultistepScheduler

from data_sets.captions import full_caption, tokens
from realism.checks.sharpness import sharpness
from realism.config import CHECK
from realism.diffusion.base import POCKET
from realism.diffusion.families import find_preset
from realism.faces.engine import load_engine
from realism.images import save_png

MARGIN = 16  # px of a crop around what the base sees
PROMPTS = [
    "photo portrait of a young east asian woman with long hair, smile, front",
    "photo portrait of a white man with short hair, neutral expression, front, soft light",
    "photo portrait of an old man with grey hair, glasses, smile, turned to image left",
    "photo portrait of a young african woman with curly hair, open smile, turned to image right",
    "photo portrait of a man, beard, neutral expression, front, hard side light, wall background",
    "photo portrait of a young woman with blond hair, smile, turned to image left, golden light",
    "photo portrait of an old east asian woman with grey short hair, smile, front, bright",
    "photo of ohwx person",
]
FRONT = [prompt for prompt in PROMPTS if "front" in prompt]


class Heads:
    """The crops: rows of what is known, and pictures of 256 px."""

    def __init__(self, folder: Path):
        self.crops = np.load(folder / "crops.npy", mmap_mode="r")
        self.rows = json.loads((folder / "crops.json").read_text())

    def where(self, **wanted) -> list[int]:
        """Rows that have these values."""
        return [i for i, r in enumerate(self.rows) if all(r[k] == v for k, v in wanted.items())]

    def pictures(self, which: list[int]) -> np.ndarray:
        """(N, 256, 256, 3) uint8 sRGB."""
        return np.stack([self.crops[i, MARGIN:-MARGIN, MARGIN:-MARGIN] for i in which])

    def embeddings(self, held_out: bool) -> np.ndarray:
        """dlib's, (N, 128) of unit length."""
        return np.array([self.rows[i]["embedding"] for i in self.where(held_out=held_out)])


def load_pipeline(base: Path) -> StableDiffusionPipeline:
    """The base in float32, with the sampler that the program uses."""
    pipeline = StableDiffusionPipeline.from_pretrained(
        base, dtype=torch.float32, local_files_only=True, safety_checker=None
    )
    pipeline.scheduler = UniPCMultistepScheduler.from_config(
        pipeline.scheduler.config, use_karras_sigmas=True
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def to_tensor(pictures: np.ndarray) -> torch.Tensor:
    """(N, h, w, 3) uint8 -> (N, 3, h, w) float32 in -1..1."""
    return torch.from_numpy(pictures.transpose(0, 3, 1, 2).astype(np.float32)) / 127.5 - 1


def to_pixels(x: torch.Tensor) -> np.ndarray:
    """(N, 3, h, w) in -1..1 -> (N, h, w, 3) uint8."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


@torch.no_grad()
def encode(pipeline, pictures: np.ndarray) -> torch.Tensor:
    """(N, C, 16, 16), of unit variance."""
    parts = [pipeline.vae.encode(x).latent_dist.mode() for x in to_tensor(pictures).split(8)]
    return torch.cat(parts) * pipeline.vae.config.scaling_factor


@torch.no_grad()
def decode(pipeline, latents: torch.Tensor) -> np.ndarray:
    """(N, 256, 256, 3) uint8."""
    scaled = latents / pipeline.vae.config.scaling_factor
    return np.concatenate([to_pixels(pipeline.vae.decode(z).sample) for z in scaled.split(8)])


# The autoencoder ---------------------------------------------------------------------------------


def vae(heads: Heads, base: Path, out: Path) -> None:
    """Peak signal to noise of unseen people's heads, and a sheet: above as given, below as made."""
    pipeline, rows = load_pipeline(base), []
    for kind in ("photo", "render"):
        which = heads.where(held_out=True, kind=kind)
        given = heads.pictures(which)
        made = decode(pipeline, encode(pipeline, given))
        error = np.square(made.astype(np.float32) - given).mean((1, 2, 3))
        signal = 10 * np.log10(255**2 / error)
        print(f"{len(which)} {kind}s of unseen people: {signal.mean():.2f} dB", end=", ")
        print(f"worst {signal.min():.2f}")
        chosen = np.linspace(0, len(which) - 1, 8).astype(int)
        rows += [np.hstack(list(given[chosen])), np.hstack(list(made[chosen]))]
    save_png(out, np.vstack(rows))


# The UNet ----------------------------------------------------------------------------------------


@torch.no_grad()
def losses(heads: Heads, base: Path, count: int = 160) -> None:
    """Mean squared error of v, at fixed noise and times spread evenly."""
    pipeline = load_pipeline(base)
    for kind in ("photo", "render"):
        told = []
        for held_out in (True, False):
            which = heads.where(held_out=held_out, kind=kind)
            which = np.random.default_rng(2).permutation(which)[:count].tolist()
            latents = encode(pipeline, heads.pictures(which))
            noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1))
            order = torch.randperm(len(which), generator=torch.Generator().manual_seed(2))
            timesteps = torch.linspace(20, 980, len(which)).long()[order]
            captions = [full_caption(heads.rows[i]["words"]) for i in which]
            said = pipeline.text_encoder(tokens(pipeline.tokenizer, captions)).last_hidden_state
            noisy = pipeline.scheduler.add_noise(latents, noise, timesteps)
            alphas = pipeline.scheduler.alphas_cumprod[timesteps].view(-1, 1, 1, 1)
            wanted = alphas.sqrt() * noise - (1 - alphas).sqrt() * latents
            made = pipeline.unet(noisy, timesteps, encoder_hidden_states=said).sample
            told.append((made - wanted).square().mean().item())
        print(f"{kind}s: unseen people {told[0]:.4f}, people trained on {told[1]:.4f}")


# Samples -----------------------------------------------------------------------------------------


def sampled(pipeline, prompts: list[str], seed: int, steps: int, guidance: float):
    """-> pictures (N, 256, 256, 3) uint8 and their latents (N, C, 16, 16)."""
    latents = []
    for k in range(0, len(prompts), 8):
        made = pipeline(
            prompts[k : k + 8],
            num_inference_steps=steps,
            guidance_scale=guidance,
            output_type="latent",
            generator=torch.Generator().manual_seed(seed + k),
        )
        latents.append(made.images)
    latents = torch.cat(latents)
    return decode(pipeline, latents), latents


def look(pictures: np.ndarray) -> np.ndarray:
    """Prints how often a face is found and sharp; -> embeddings (M, 128) of the faces found."""
    import dlib

    engine, gradients = load_engine("dlib"), dlib.get_frontal_face_detector()
    faces = [engine.find(np.ascontiguousarray(picture)) for picture in pictures]
    clear = np.mean([len(gradients(np.ascontiguousarray(p), 1)) > 0 for p in pictures])
    sharp = [
        sharpness(picture, found[0]) > CHECK.min_sharpness
        for picture, found in zip(pictures, faces, strict=True)
        if found
    ]
    print(f"a face found in {np.mean([len(f) > 0 for f in faces]):.1%}, ", end="")
    print(f"by gradients alone in {clear:.1%}, sharp enough {sum(sharp) / len(pictures):.1%}")
    return np.stack([found[0].embedding for found in faces if found])


def nearest_trained(heads: Heads, pipeline, embeddings: np.ndarray, latents: torch.Tensor) -> None:
    """Prints how near samples come to what was trained on, beside people who were held out."""
    known, unseen = heads.embeddings(held_out=False), heads.embeddings(held_out=True)
    for name, of in (("samples", embeddings), ("unseen people", unseen)):
        nearest = (of @ known.T).max(1)
        print(f"largest cosine with a face trained on, {name}: mean {nearest.mean():.3f}", end=", ")
        print(f"largest {nearest.max():.3f}")
    trained = encode(pipeline, heads.pictures(heads.where(held_out=False)))
    both = torch.cat([trained, trained.flip(-1)]).flatten(1)
    held_out = encode(pipeline, heads.pictures(heads.where(held_out=True)))
    for name, of in (("samples", latents), ("unseen people", held_out)):
        nearest = torch.cdist(of.flatten(1), both).min(1)[0] / both.shape[1] ** 0.5
        print(f"distance to the nearest latents, {name}: mean {nearest.mean():.3f}", end=", ")
        print(f"smallest {nearest.min():.3f}")


def samples(heads: Heads, base: Path, out: Path, options: argparse.Namespace) -> None:
    """A sheet of 8 x 8 samples, a prompt a row; what is found in them and in more front ones."""
    pipeline, how = load_pipeline(base), (options.steps, options.guidance)
    pictures, latents = sampled(pipeline, [p for p in PROMPTS for _ in range(8)], 7, *how)
    save_png(out, np.vstack([np.hstack(list(row)) for row in pictures.reshape(8, 8, 256, 256, 3)]))
    cv2.imwrite(str(out.with_suffix(".jpg")), cv2.imread(str(out)), [cv2.IMWRITE_JPEG_QUALITY, 85])
    print(f"{len(pictures)} samples: ", end="")
    nearest_trained(heads, pipeline, look(pictures), latents)
    if options.front:
        prompts = [FRONT[i % len(FRONT)] for i in range(options.front)]
        print(f"{options.front} front samples: ", end="")
        look(sampled(pipeline, prompts, 1000, *how)[0])


def main() -> None:
    """Print one of the three."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("vae", "losses", "samples"))
    parser.add_argument("--crops", type=Path, default=Path("work/crops"))
    parser.add_argument("--base", type=Path, default=POCKET)
    parser.add_argument("--out", type=Path, default=Path("work/pocket.png"))
    parser.add_argument("--steps", type=int, default=find_preset("pocket").steps)
    parser.add_argument("--guidance", type=float, default=find_preset("pocket").guidance_scale)
    parser.add_argument("--front", type=int, default=0, help="so many front samples more")
    options = parser.parse_args()
    heads = Heads(options.crops)
    if options.what == "vae":
        vae(heads, options.base, options.out)
    elif options.what == "losses":
        losses(heads, options.base)
    else:
        samples(heads, options.base, options.out, options)


if __name__ == "__main__":
    main()
