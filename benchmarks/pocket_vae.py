"""How much of a picture the pocket base's autoencoder keeps: `python -m benchmarks.pocket vae`."""

# ruff: noqa: E501

import json
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL


def to_pixels(x: torch.Tensor) -> np.ndarray:
    """(N, 3, h, w) in -1..1 -> (N, h, w, 3) uint8."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


def reconstructed(vae: AutoencoderKL, pictures: np.ndarray) -> np.ndarray:
    """(N, 256, 256, 3) uint8, through the autoencoder and back."""
    parts = []
    with torch.no_grad():
        for k in range(0, len(pictures), 8):
            x = (
                torch.from_numpy(pictures[k : k + 8].transpose(0, 3, 1, 2).astype(np.float32))
                / 127.5
                - 1
            )
            parts.append(to_pixels(vae.decode(vae.encode(x).latent_dist.mode()).sample))
    return np.concatenate(parts)


def spots_at(rng: np.random.Generator, count: int) -> list[tuple[float, float]]:
    """Places on the face of a 256 px crop: the face is in its middle."""
    return [(rng.uniform(95, 160), rng.uniform(90, 165)) for _ in range(count)]


def with_moles(picture: np.ndarray, places, diameter: float) -> np.ndarray:
    """Soft-edged moles, multiplied in as melanin is; picture (256, 256, 3) uint8, places x, y px."""
    ys, xs = np.mgrid[:256, :256] + 0.5
    out = picture.astype(np.float32)
    for x, y in places:
        shape = 1 / (1 + np.exp((np.hypot(xs - x, ys - y) - diameter / 2) / 0.4))
        out = out * np.exp(-0.9 * shape[..., None] * np.array([0.42, 0.72, 0.98]))
    return np.rint(out).astype(np.uint8)


def contrast_kept(vae: AutoencoderKL, pictures: np.ndarray, diameter: float) -> float:
    """Darkness of painted moles after the autoencoder over darkness before, against the same picture without."""
    rng = np.random.default_rng(3)
    places = [spots_at(rng, 3) for _ in pictures]
    marked = np.stack(
        [with_moles(p, where, diameter) for p, where in zip(pictures, places, strict=True)]
    )
    after_plain, after_marked = reconstructed(vae, pictures), reconstructed(vae, marked)
    ys, xs = np.mgrid[:256, :256] + 0.5
    before, after = [], []
    for i, where in enumerate(places):
        for x, y in where:
            inside = np.hypot(xs - x, ys - y) < diameter / 2
            before.append(float((pictures[i].astype(int) - marked[i])[inside].mean()))
            after.append(float((after_plain[i].astype(int) - after_marked[i])[inside].mean()))
    return float(np.sum(after) / np.sum(before))


def vae_figures(crops_folder: Path, base: Path, out: Path) -> None:
    vae = AutoencoderKL.from_pretrained(base, subfolder="vae", torch_dtype=torch.float32).eval()
    crops = np.load(crops_folder / "crops.npy", mmap_mode="r")
    rows = json.loads((crops_folder / "crops.json").read_text())
    unseen = [i for i, r in enumerate(rows) if r["held_out"]]
    pictures = np.array(crops[unseen][:, 16:-16, 16:-16])
    scales = np.array([rows[i]["scale"] for i in unseen])
    made = reconstructed(vae, pictures)
    error = ((made.astype(np.float32) - pictures) ** 2).mean((1, 2, 3))
    psnr = 10 * np.log10(255**2 / error)
    print(
        f"{len(unseen)} crops of unseen people: {psnr.mean():.2f} dB ("
        + ", ".join(f"{s} {psnr[scales == s].mean():.2f}" for s in np.unique(scales))
        + f"; worst {psnr.min():.2f})"
    )
    close = pictures[scales == "close-up"]
    for diameter in (3, 4, 6, 8):
        print(
            f"contrast kept of a mole of {diameter} px: {contrast_kept(vae, close, diameter):.2f}"
        )
    chosen = np.linspace(0, len(unseen) - 1, 8).astype(int)
    sheet = np.concatenate(
        [np.concatenate(list(which[chosen]), 1) for which in (pictures, made)], 0
    )
    cv2.imwrite(str(out), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
