"""Encode the heads once, so that the UNet's training never touches a pixel.

Each head a few px to and fro, and mirrored: a face that an aligned crop of a user's photo puts
two pixels aside is then no stranger. The variants of a head lie together, mirrored ones second.

    python -m training.pocket.latents --crops work/crops --vae work/vae/vae --out work/latents
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from training.pocket.networks import SIDE
from training.pocket.vae import to_tensor

SHIFTS = ((16, 16), (13, 18))  # px, y and x of the 256 px window in a 288 px crop
# iBUG 68 points, left and right swapped
MIRRORED_POINTS = [
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
]  # fmt: skip


@torch.no_grad()
def encode(crops_folder: Path, vae_folder: Path, out: Path, float32: bool) -> None:
    """Writes latents.npy (N, 2 SHIFTS, C, 16, 16) float16, then rows.json: all is there."""
    vae = AutoencoderKL.from_pretrained(vae_folder).eval()
    crops = np.load(crops_folder / "crops.npy", mmap_mode="r")
    made = []
    for number, crop in enumerate(crops):
        windows = to_tensor(np.stack([crop[y : y + SIDE, x : x + SIDE] for y, x in SHIFTS]))
        both = torch.cat([windows, windows.flip(-1)])
        with torch.autocast("cpu", torch.bfloat16, enabled=not float32):
            made.append(vae.encode(both).latent_dist.mode().float().numpy().astype(np.float16))
        if number % 200 == 0:
            print(f"{number} of {len(crops)}", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "latents.npy", np.stack(made))
    shutil.copyfile(crops_folder / "crops.json", out / "rows.json")


def is_mirrored(variant):
    return variant >= len(SHIFTS)


def points_of(landmarks: np.ndarray, which: np.ndarray, variant: np.ndarray) -> torch.Tensor:
    """Landmarks of chosen heads in chosen variants, (B, 68, 2), in parts of the window's side.

    landmarks    (N, 68, 2) px of the crops
    which        (B,) indices into them; variant (B,) 0 to 2 SHIFTS - 1
    """
    shifts = np.array(SHIFTS)[variant % len(SHIFTS)][:, None, ::-1]
    points = (landmarks[which] - shifts) / SIDE
    swapped = points[:, MIRRORED_POINTS] * [-1, 1] + [1, 0]
    return torch.from_numpy(np.where(is_mirrored(variant)[:, None, None], swapped, points)).float()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--crops", type=Path, default=Path("work/crops"))
    parser.add_argument("--vae", type=Path, default=Path("work/vae/vae"))
    parser.add_argument("--out", type=Path, default=Path("work/latents"))
    parser.add_argument("--float32", action="store_true", help="not bfloat16, see sitting.py")
    o = parser.parse_args()
    if (o.out / "rows.json").exists():
        print(f"{o.out} is there already; remove it to encode anew")
        return
    encode(o.crops, o.vae, o.out, o.float32)


if __name__ == "__main__":
    main()
