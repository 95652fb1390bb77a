"""Every family of bases, whole, on a tiny base with random weights of the real classes.

    python -m benchmarks.families [--only NAME]

For each: recognised by reading alone; trained two steps; stopped after the first and gone on to the
same LoRA bit by bit; drawn, as the pipeline of diffusers itself draws; the LoRA loaded by plain
diffusers with the same tensors; a single file that draws the same; the memory of a step as told
before it against what lay there at its fullest (both without the fixed share for operators). A
distilled base is told by what it says of itself.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from realism.config import Stage

COLUMNS = (
    "recognised", "trained", "resumed", "drawn", "LoRA round trip", "single file", "memory told",
)  # fmt: skip
STEPS, SIDE, PROMPT = 3, 64, "photo of ohwx woman"


def main() -> None:
    """Print one row a family; ends with 1 where a cell is not as it should be."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only")
    given = options.parse_args()
    from benchmarks.tiny_bases import make_sd, make_sdxl
    from benchmarks.tiny_flow import MAKERS

    makers: dict[str, Callable[[Path], Path]] = {"sd15": make_sd, "sdxl": make_sdxl, **MAKERS}
    print(f"{'family':12} " + "  ".join(f"{column:>15}" for column in COLUMNS))
    failed = False
    for name, make in makers.items():
        if given.only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                cells = row(name, make(Path(folder)), Path(folder))
            print(f"{name:12} " + "  ".join(f"{cell:>15}" for cell in cells), flush=True)
            failed |= "no" in cells
    raise SystemExit(int(failed))


def row(name: str, folder: Path, work: Path) -> list[str]:
    """The cells of one family."""
    from realism.diffusion.base import load_base
    from realism.diffusion.identify import read_base
    from realism.diffusion.lora import Adapter
    from realism.finetune.events import TrainingStep
    from realism.finetune.loop import finetune

    files = read_base(folder)
    base = replace(load_base(str(folder), float32()), resolution=SIDE)
    stage = Stage(
        2, 1e-2, batch=2, rank=4, targets=base.family.attention, warm_up=1, save_every=4,
        preview_seeds=(1,), preview_steps=2,
    )  # fmt: skip

    def walk(out: Path):
        about = {"kind": "person", "trigger": "ohwx woman"}
        return finetune(base, crops(), "painted", stage, out, about, PROMPT)

    losses = [event.loss for event in walk(work / "whole") if isinstance(event, TrainingStep)]
    events = walk(work / "cut")
    next(event for event in events if isinstance(event, TrainingStep))
    events.close()
    list(walk(work / "cut"))
    whole, cut = (weights(work / run / "last") for run in ("whole", "cut"))
    resumed = whole.keys() == cut.keys() and all(
        np.array_equal(whole[key], cut[key]) for key in whole
    )
    off = np.abs(drawn(base) - drawn_by_diffusers(base, folder)).max()
    return [
        said(files.family.name == name),
        f"loss {losses[-1]:.2f}" if len(losses) == 2 and np.isfinite(losses).all() else "no",
        said(resumed, "exactly"),
        f"within {off:.1f}/255" if off < 2.5 else "no",
        said(round_trip(base, folder, Adapter(work / "whole" / "last")), "exact"),
        single_file(name, folder, work, drawn(base)),
        memory(base, stage),
    ]


def float32():
    """The processor, without autocast: equal bits wherever it runs."""
    import torch

    from realism.diffusion.device import Device

    return Device("cpu", torch.float32, None)


def crops() -> list:
    """Crops of one colour each."""
    from realism.finetune.crops import TrainingCrop

    weight = np.ones((SIDE, SIDE), np.float32)
    return [
        TrainingCrop(f"{shade}.png", np.full((SIDE, SIDE, 3), shade, np.uint8), weight, PROMPT)
        for shade in (60, 120, 180)
    ]


def said(right: bool, word: str = "yes") -> str:
    """A cell: `word`, or "no"."""
    return word if right else "no"


def weights(folder: Path) -> dict:
    """The tensors of a LoRA."""
    from safetensors.numpy import load_file

    return load_file(folder / "pytorch_lora_weights.safetensors")


def drawn(base, scale: float = 2.0) -> np.ndarray:
    """A picture of the program's, (64, 64, 3) float."""
    from realism.portraits.sample import sample_portraits

    *_, last = sample_portraits(base, PROMPT, "", [5], STEPS, scale)
    return last.pixels.astype(float)


def plain(folder: Path):
    """The base as diffusers loads it, without any of the program's code."""
    import torch
    from diffusers import DiffusionPipeline

    pipeline = DiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def drawn_by_diffusers(base, folder: Path, scale: float = 2.0) -> np.ndarray:
    """The same picture by the pipeline of diffusers, with the program's sampler."""
    import torch

    pipeline = plain(folder)
    pipeline.scheduler = base.family.sampler(base.pipeline.scheduler.config)
    # Qwen-Image calls its guidance by another name; Z-Image counts from 0 on.
    argument = "true_cfg_scale" if base.family.name == "qwen-image" else "guidance_scale"
    more = {"negative_prompt": ""} if base.family.name == "qwen-image" else {}
    scale -= base.family.name == "z-image"
    picture = pipeline(
        prompt=PROMPT, num_inference_steps=STEPS, height=SIDE, width=SIDE, output_type="np",
        generator=torch.Generator().manual_seed(5), **{argument: scale}, **more,
    ).images[0]  # fmt: skip
    return picture * 255


def round_trip(base, folder: Path, adapter) -> bool:
    """Whether plain diffusers answers with a LoRA as the program does, to the last bit."""
    import torch

    from realism.diffusion.base import encode_text, predict
    from realism.diffusion.lora import applied_loras

    noisy = torch.randn((1, *base.latent_shape), generator=torch.Generator().manual_seed(0))
    words, t = encode_text(base, [PROMPT]), torch.tensor([500])
    pipeline = plain(folder)
    pipeline.load_lora_weights(adapter.path, weight_name="pytorch_lora_weights.safetensors")
    with torch.no_grad():
        without = predict(base, noisy, t, words)
        with applied_loras(base, [adapter]):
            ours = predict(base, noisy, t, words)
        theirs = predict(base, noisy, t, words, getattr(pipeline, base.family.network))
    return torch.equal(ours, theirs) and not torch.equal(ours, without)


def single_file(name: str, folder: Path, work: Path, picture: np.ndarray) -> str:
    """Whether a single file of the base draws the same as its folder."""
    from unittest.mock import patch

    from benchmarks.tiny_bases import make_single_file, make_thin_sd15, make_thin_sdxl
    from benchmarks.tiny_flow import make_network_file
    from realism.diffusion.base import load_base
    from realism.diffusion.families import FAMILIES

    beside = work / "beside"
    if not FAMILIES[name].whole_files:
        shutil.copytree(folder, beside / "parts")
        (beside / "parts" / "transformer" / "diffusion_pytorch_model.safetensors").unlink()
        file = make_network_file(folder, name, beside / f"{name}.safetensors")
        base = replace(load_base(str(file), float32()), resolution=SIDE)
        return said(np.array_equal(drawn(base), picture), "draws alike")
    # The names of SD's single files hold for its number of levels alone: a thin one, with its own
    # configuration and words in place of ours.
    thin = (make_thin_sd15 if name == "sd15" else make_thin_sdxl)(beside)
    configs = work / "configs"
    shutil.copytree(thin, configs / name, ignore=shutil.ignore_patterns("*.safetensors"))
    expected = drawn(load_base(str(thin), float32()))
    file = make_single_file(thin, work / f"{name}.safetensors")
    with (
        patch("realism.diffusion.identify.CONFIGS", configs),
        patch("realism.diffusion.families.unet.CLIP", beside / "words"),
        patch("realism.diffusion.families.unet.TOKENS", 16),
        patch.object(type(FAMILIES[name]), "file_resolution", SIDE),
    ):
        off = np.abs(drawn(load_base(str(file), float32())) - expected).max()
    return said(off <= 1, "draws alike")


def memory(base, stage) -> str:
    """How far what is told of a step is from what lay there at its fullest."""
    import torch

    from realism.diffusion.base import encode_text
    from realism.diffusion.families.flow import TEXT
    from realism.diffusion.placement import GB
    from realism.finetune.latents import Batch
    from realism.finetune.loop import _attach_lora, _batch_loss
    from realism.finetune.memory import WORKSPACE, _Peak, training_memory

    parameters = _attach_lora(base, stage, None, stage.gradient_checkpointing)
    latents, noise = torch.randn(2, stage.batch, *base.latent_shape)
    shares = torch.linspace(0.1, 0.9, stage.batch)
    timesteps = base.family.draw_timesteps(base.noise_scheduler, shares)
    encoded = encode_text(base, [PROMPT] * stage.batch)
    # As long as a real tokenizer makes captions; the tiny ones read single letters.
    words = {key: value[:, :TEXT] if "mask" in encoded else value for key, value in encoded.items()}
    batch = Batch(latents, noise, timesteps, torch.ones(stage.batch, 1, 1, 1), words)
    there = [*base.network.parameters(), *base.network.buffers(), latents, noise, *words.values()]
    with _Peak(there) as fullest:
        _batch_loss(base, base.network, batch, stage).backward()
    base.pipeline.unload_lora_weights()
    matrices = 12 * sum(parameter.numel() for parameter in parameters)
    told = training_memory(base, stage) - int(WORKSPACE * GB) - matrices
    return f"{told / fullest[0] - 1:+.0%}"


if __name__ == "__main__":
    main()
