"""Small changes of a plain base that make it what people have."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from benchmarks.tiny_bases import first_release_tensors

Tensors = dict[str, torch.Tensor]
Maker = Callable[[Path], Path]
FILES = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model"}


class Harm:
    """Unpickled, runs a program."""

    def __reduce__(self) -> tuple:
        return os.system, ("echo harmed >&2",)


def weights(folder: Path, part: str) -> Path:
    """The file of a part."""
    return folder / part / f"{FILES.get(part, 'model')}.safetensors"


# Folders ---------------------------------------------------------------------------------------


def tensors_of(part: str, change: Callable[[Tensors], Tensors]) -> Maker:
    """A part's tensors changed."""

    def make(folder: Path) -> Path:
        file = weights(folder, part)
        save_file(change(load_file(file)), file, metadata={"format": "pt"})
        return folder

    return make


def config_of(part: str, **values: Any) -> Maker:
    """A part's configuration changed; None takes a word out."""

    def make(folder: Path) -> Path:
        name = "scheduler_config.json" if part == "scheduler" else "config.json"
        file = folder / part / name if part else folder / "model_index.json"
        config = json.loads(file.read_text()) | values
        file.write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
        return folder

    return make


def pickled(*parts: str, new: bool = True, beside: bool = False, pieces: int = 1) -> Maker:
    """Parts as pickles, in torch's format of today or of 2020, whole or in pieces."""

    def make(folder: Path) -> Path:
        for part in parts:
            file = weights(folder, part)
            held = list(load_file(file).items())
            stem = (
                file.stem.replace("model", "pytorch_model") if file.stem == "model" else file.stem
            )
            for piece in range(pieces):
                end = f"-{piece + 1:05}-of-{pieces:05}" if pieces > 1 else ""
                torch.save(
                    dict(held[piece::pieces]),
                    file.with_name(f"{stem}{end}.bin"),
                    _use_new_zipfile_serialization=new,
                )
            if not beside:
                file.unlink()
        return folder

    return make


def harmful(part: str) -> Maker:
    """A part whose pickle would run a program."""

    def make(folder: Path) -> Path:
        pickled(part)(folder)
        file = next((folder / part).glob("*.bin"))
        torch.save({"x": Harm()}, file)
        return folder

    return make


def named(change: Callable[[str], str | None]) -> Callable[[Tensors], Tensors]:
    """Tensors under other names; None leaves one out."""
    return lambda held: {new: v for name, v in held.items() if (new := change(name)) is not None}


def without(word: str) -> Callable[[Tensors], Tensors]:
    """Tensors without those that have `word` in their name."""
    return named(lambda name: None if word in name else name)


def only(start: str) -> Callable[[Tensors], Tensors]:
    """Those tensors alone whose name starts so."""
    return named(lambda name: name if name.startswith(start) else None)


def cast(dtype: torch.dtype) -> Callable[[Tensors], Tensors]:
    """Tensors in another precision."""
    return lambda held: {name: value.to(dtype) for name, value in held.items()}


def each(*makers: Maker) -> Maker:
    """Several changes after one another."""

    def make(folder: Path) -> Path:
        for maker in makers:
            folder = maker(folder)
        return folder

    return make


def files_renamed(change: Callable[[str], str | None]) -> Maker:
    """All weights of a folder under other names of files; None takes one away."""

    def make(folder: Path) -> Path:
        for file in list(folder.rglob("*.safetensors")):
            new = change(file.name)
            file.rename(file.with_name(new)) if new else file.unlink()
        return folder

    return make


def cut(part: str) -> Maker:
    """A part whose download broke off."""

    def make(folder: Path) -> Path:
        file = weights(folder, part)
        file.write_bytes(file.read_bytes()[:-500])
        return folder

    return make


def sharded(part: str) -> Maker:
    """A part in two files, as large networks are saved."""

    def make(folder: Path) -> Path:
        file = weights(folder, part)
        held = list(load_file(file).items())
        places = {}
        for piece in range(2):
            shard = file.with_name(f"{file.stem}-{piece + 1:05}-of-00002.safetensors")
            save_file(dict(held[piece::2]), shard, metadata={"format": "pt"})
            places |= {name: shard.name for name, _ in held[piece::2]}
        index = {"metadata": {"total_size": 1}, "weight_map": places}
        file.with_name(f"{file.name}.index.json").write_text(json.dumps(index))
        file.unlink()
        return folder

    return make


def removed(part: str) -> Maker:
    """A folder that lacks a part's weights."""

    def make(folder: Path) -> Path:
        weights(folder, part).unlink()
        return folder

    return make


# Single files ----------------------------------------------------------------------------------


def single(
    *changes: Callable[[Tensors], Tensors],
    suffix: str = ".safetensors",
    beside: Callable[[Path, Path], None] | None = None,
    wrap: Callable[[Tensors], Any] | None = None,
) -> Maker:
    """A checkpoint in one file, its tensors changed; as a pickle where the suffix says so."""

    def make(folder: Path) -> Path:
        held = first_release_tensors(folder)
        for change in changes:
            held = change(held)
        held = {name: value.contiguous() for name, value in held.items()}
        file = folder.parent / f"checkpoint{suffix}"
        if suffix == ".safetensors":
            save_file(held, file)
        else:
            torch.save(wrap(held) if wrap else held, file)
        if beside:
            beside(folder, file)
        return file

    return make


def adding(**values: torch.Tensor) -> Callable[[Tensors], Tensors]:
    """More tensors."""
    return lambda held: held | values


def averaged(held: Tensors) -> Tensors:
    """The running average in the names of its trainer, the weights themselves left out."""
    prefix = "model.diffusion_model."
    average = {
        "model_ema.diffusion_model" + name.removeprefix(prefix).replace(".", ""): value
        for name, value in held.items()
        if name.startswith(prefix)
    }
    return {n: v for n, v in held.items() if not n.startswith(prefix)} | average | {
        "model_ema.decay": torch.tensor(0.9999),
        "model_ema.num_updates": torch.tensor(7),
    }  # fmt: skip


def eight_bits(scaled: bool, later: bool = False) -> Callable[[Tensors], Tensors]:
    """The network in 8 bits, with a scale beside each weight or without, in ComfyUI's words."""

    def change(held: Tensors) -> Tensors:
        done: Tensors = {}
        for name, value in held.items():
            if not name.startswith("model.diffusion_model.") or value.ndim < 2:
                done[name] = value
                continue
            scale = value.abs().max().float() / 300 if scaled else torch.tensor(1.0)
            done[name] = (value.float() / scale).to(torch.float8_e4m3fn)
            if scaled:
                layer = name.removesuffix(".weight")
                done[f"{layer}.{'weight_scale' if later else 'scale_weight'}"] = scale
        return done | ({"scaled_fp8": torch.zeros(2).to(torch.float8_e4m3fn)} if scaled else {})

    return change


def vae_beside(suffix: str) -> Callable[[Path, Path], None]:
    """The VAE in a file beside the checkpoint, as A1111 looks for it."""

    def put(folder: Path, file: Path) -> None:
        prefix = "first_stage_model."
        held = first_release_tensors(folder)
        held = {n.removeprefix(prefix): v for n, v in held.items() if n.startswith(prefix)}
        place = file.with_suffix(suffix)
        if suffix.endswith(".safetensors"):
            save_file(held, place)
        else:
            torch.save({"state_dict": held | {"loss.logvar": torch.zeros(1)}}, place)

    return put


def diffusers_vae_beside(folder: Path, file: Path) -> None:
    """The VAE's file of a folder, beside the checkpoint."""
    weights(folder, "vae").rename(file.with_suffix(".vae.safetensors"))
