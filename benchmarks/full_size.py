"""A base of SD 1.5's size, random weights, through load, a LoRA step and a sampling step.

    python -m benchmarks.full_size [--folder DIR] [--resolution 512]

Shows that the path holds and what it takes; the picture is noise. Writes 2.1 GB to a temporary
folder (or to DIR, where it is kept and used again).
"""

import argparse
import json
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path


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


def main() -> None:
    """Walk the path and print seconds and the peak of memory after each part."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--folder", type=Path)
    options.add_argument("--resolution", type=int, default=512)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        if not (folder / "model_index.json").exists():
            make_base(folder)
        walk(folder, given.resolution)


def walk(folder: Path, resolution: int) -> None:
    """Load, one LoRA step, one portrait of a single step."""
    import torch

    from benchmarks.bf16 import seconds_a_step
    from realism.diffusion.base import load_base
    from realism.diffusion.identify import read_base
    from realism.portraits.sample import sample_portraits

    def tell(what: str, since: float) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{what:44} {time.perf_counter() - since:6.1f} s, peak {peak:.1f} GB", flush=True)

    print(f"{torch.get_num_threads()} threads")
    start = time.perf_counter()
    base = replace(load_base(str(folder)), resolution=resolution)
    weights = read_base(folder).memory(base.device) / 2**30
    tell(f"loaded {base.family.name}, {base.resolution} px, {weights:.1f} GB of weights", start)
    start = time.perf_counter()
    list(sample_portraits(base, "photo of a person", "", [1], steps=1))
    tell("one portrait of one sampling step", start)
    start = time.perf_counter()
    seconds_a_step(base, base.device.autocast, batch=1, steps=0)
    tell("one LoRA step, batch 1", start)


if __name__ == "__main__":
    main()
