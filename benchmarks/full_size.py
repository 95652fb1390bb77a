"""A base of SD 1.5's size, random weights: one LoRA step and one portrait, against the estimate.

    python -m benchmarks.full_size [--folder DIR] [--resolution 512] [--checkpointing]

Shows that the path holds, what it takes, and whether what is told before the first step is true;
the picture is noise. Writes 2.1 GB to a temporary folder (or to DIR, where it is kept and used
again). Memory is what this process holds, looked at every 20 ms.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

EVERY = 0.02  # s between two looks


def make_base(folder: Path) -> None:
    """Write a base of SD 1.5's shape with random float16 weights to `folder`."""
    import torch
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    from realism.diffusion.families.unet import CLIP
    from realism.diffusion.identify import CONFIGS

    configs = CONFIGS / "sd15"

    def config(part: str, name: str = "config.json") -> dict:
        return json.loads((configs / part / name).read_text())

    torch.set_default_dtype(torch.float16)
    pipeline = StableDiffusionPipeline(
        AutoencoderKL.from_config(config("vae")),
        CLIPTextModel(CLIPTextConfig(**config("text_encoder"))),
        CLIPTokenizer(str(CLIP / "vocab.json"), str(CLIP / "merges.txt"), model_max_length=77),
        UNet2DConditionModel.from_config(config("unet")),
        DDIMScheduler.from_config(config("scheduler", "scheduler_config.json")),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    torch.set_default_dtype(torch.float32)
    pipeline.save_pretrained(folder)


@contextmanager
def measured() -> Iterator[dict[str, float]]:
    """Seconds, and bytes that this process holds: before, and at the peak of the block."""
    import psutil

    process, found, over = psutil.Process(), {}, threading.Event()

    def look() -> None:
        while not over.wait(EVERY):
            found["peak"] = max(found["peak"], process.memory_info().rss)

    found["before"] = found["peak"] = process.memory_info().rss
    began, watcher = time.perf_counter(), threading.Thread(target=look)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()
        found["seconds"] = time.perf_counter() - began


def walk(folder: Path, resolution: int, checkpointing: bool) -> None:
    """Load, one portrait of two steps, one LoRA step; what each takes."""
    import torch

    from realism.config import Stage
    from realism.diffusion.base import load_base
    from realism.finetune.loop import _attach_lora, _batch_loss, _optimizer
    from realism.finetune.memory import training_memory
    from realism.portraits.sample import sample_portraits

    def tell(what: str, of: dict[str, float], estimate: float | None = None) -> None:
        beyond = of["peak"] - of["before"]
        line = f"{what:34} {of['seconds']:6.1f} s, peak {of['peak'] / 2**30:5.2f} GB"
        if estimate:
            off = estimate / beyond - 1
            line += f"; {beyond / 2**30:.2f} GB beyond the weights,"
            line += f" estimated {estimate / 2**30:.2f} ({off:+.0%})"
        print(line, flush=True)

    print(f"{torch.get_num_threads()} threads, {resolution} px")
    with measured() as loading:
        base = replace(load_base(str(folder)), resolution=resolution)
    tell(f"loaded {base.family.name}, {base.device.dtype}", loading)
    stage = Stage(1, 1e-4, batch=1, gradient_checkpointing=checkpointing)
    estimate = training_memory(base, stage)
    batch = _random_batch(base)
    with measured() as step:
        parameters = _attach_lora(base, stage, None, checkpointing)
        optimizer = _optimizer(parameters, stage)
        loss = _batch_loss(base, base.network, batch, stage)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    tell(f"one LoRA step, batch 1{', checkpointed' * checkpointing}", step, estimate)
    base.pipeline.unload_lora_weights()
    with measured() as portrait:
        list(sample_portraits(base, "photo of a person", "", [1], steps=2))
    tell("one portrait of two steps", portrait)


def _random_batch(base):
    """A batch of one, of random latents."""
    import torch

    from realism.diffusion.base import encode_text
    from realism.finetune.latents import Batch

    latents, noise = torch.randn(2, 1, *base.latent_shape)
    timesteps = base.family.draw_timesteps(base.noise_scheduler, torch.tensor([0.5]))
    words = encode_text(base, ["photo portrait of ohwx woman"])
    return Batch(latents, noise, timesteps, torch.ones(1, 1, *latents.shape[2:]), words)


def main() -> None:
    """Make the base where it is not there, and walk the path."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--folder", type=Path)
    options.add_argument("--resolution", type=int, default=512)
    options.add_argument("--checkpointing", action="store_true")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        if not (folder / "model_index.json").exists():
            make_base(folder)
        walk(folder, given.resolution, given.checkpointing)


if __name__ == "__main__":
    main()
