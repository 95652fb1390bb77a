"""A few real steps of a LoRA on a tiny base, and what a base predicts: for several tests."""

from dataclasses import replace

import numpy as np
import torch

from realism.diffusion.base import encode_images, encode_text, predict, target
from realism.diffusion.device import choose_device
from realism.diffusion.lora import add_lora, save_lora

CPU = replace(choose_device(), name="cpu", dtype=torch.float32)


def picture(size: int = 64) -> np.ndarray:
    from skimage.data import astronaut

    return astronaut()[None, 0:128, 160:288][:, :: 128 // size, :: 128 // size]


def predicted(base, seed: int = 0):
    """What the base predicts for one noisy picture."""
    latents, _ = encode_images(base, picture())
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(seed))
    t = torch.tensor([500])
    with torch.no_grad():
        noisy = base.noise_scheduler.add_noise(latents, noise, t)
        return predict(base, noisy, t, encode_text(base, ["photo of ohwx woman"]))


def train_lora(base, folder, targets=None, **about):
    """A LoRA of a few real steps, saved; and what the base predicted with it on."""
    parameters = add_lora(base, 4, "default", targets)
    optimizer = torch.optim.AdamW(parameters, 1e-2)
    latents, _ = encode_images(base, picture())
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1))
    t = torch.tensor([300])
    conditioning = encode_text(base, ["photo of ohwx woman"])
    losses = []
    for _ in range(4):
        noisy = base.noise_scheduler.add_noise(latents, noise, t)
        loss = torch.nn.functional.mse_loss(
            predict(base, noisy, t, conditioning), target(base, latents, noise, t)
        )
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    with_it = predicted(base)
    file = save_lora(base, folder, {"kind": "person", "trigger": "ohwx", **about})
    base.pipeline.unload_lora_weights()
    return file, with_it
