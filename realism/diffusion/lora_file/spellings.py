"""What other tools call a base's layers.

Our names are diffusers' own, "unet.down_blocks.0...". Other tools put other words before them
("lora_unet_", "diffusion_model.", nothing at all), write _ for every dot, or use the names of the
model's first release, where one layer may hold the rows of several of ours. A name is never taken
apart: every name that a layer may have is made from the base's own layers, and looked up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from realism.diffusion.lora_file.first_release import SWAPPED, first_release_names

# How the layers of the denoising network begin; dotted, and with _ for every dot.
NETWORK_DOTTED = ("", "diffusion_model.", "transformer.", "unet.")
NETWORK_FLAT = ("lora_unet_", "lora_transformer_", "lycoris_", "lycoris_unet_", "lora_prior_unet_")
# How the layers of text encoders begin, by their name in the pipeline.
TEXT_DOTTED = {
    "text_encoder": ("text_encoder.", "text_encoders.clip_l.transformer.", "clip_l."),
    "text_encoder_2": ("text_encoder_2.", "text_encoders.clip_g.transformer.", "clip_g."),
}
TEXT_FLAT = {"text_encoder": ("lora_te_", "lora_te1_"), "text_encoder_2": ("lora_te2_",)}


@dataclass(frozen=True)
class Rows:
    """Rows of a file's layer, and the layer of the base that they change.

    Attributes
    ----------
    layer : str
        "unet.down_blocks.0...".
    start, stop : int
        Of the file's layer.
    at : int
        The first row of the base's layer.
    """

    layer: str
    start: int
    stop: int
    at: int = 0


Spellings = dict[str, tuple[Rows, ...]]


def base_layers(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Name to module of all layers with a weight, "unet.down_blocks.0...", without LoRA on them.

    Parameters
    ----------
    parts : mapping of str to torch.nn.Module
        The parts of a base that a LoRA may change.
    """
    found = {}
    for part, whole in parts.items():
        for name, module in whole.named_modules():
            if re.search(r"\.(?:base_layer|lora_\w+)(?:\.|$)", name):
                continue
            layer = getattr(module, "base_layer", module)
            if getattr(layer, "weight", None) is not None:
                found[f"{part}.{name}"] = layer
    return found


def spell_layers(parts: Mapping[str, Any], network: str) -> Spellings:
    """Every name that a tool may call a layer by, to the rows of ours that it means.

    Parameters
    ----------
    parts : mapping of str to torch.nn.Module
        As of `base_layers`.
    network : str
        Which of them denoises.
    """
    layers = base_layers(parts)
    rows = {name: _row_count(layer) for name, layer in layers.items()}
    spelled: Spellings = {}
    for name, count in rows.items():
        part, _, inner = name.partition(".")
        whole = (Rows(name, 0, count),)
        spell = _network_names if part == network else _text_names
        for spelling in spell(part, inner):
            spelled.setdefault(spelling, whole)
    for theirs, ours in first_release_names(parts[network]):
        names = [f"{network}.{name.removeprefix(SWAPPED)}" for name in ours]
        if not all(name in rows for name in names):  # a norm without a weight
            continue
        pieces = tuple(_stacked(names, ours, rows))
        for spelling in _network_names(network, theirs):
            spelled.setdefault(spelling, pieces)
    return spelled


def _stacked(names: list[str], ours: tuple[str, ...], rows: Mapping[str, int]) -> Iterator[Rows]:
    """Our layers one under the other, halves swapped where `first_release` says so."""
    start = 0
    for name, given in zip(names, ours, strict=True):
        count = rows[name]
        if given.startswith(SWAPPED):
            half = count // 2
            yield Rows(name, start, start + half, half)
            yield Rows(name, start + half, start + count, 0)
        else:
            yield Rows(name, start, start + count)
        start += count


def _row_count(layer: Any) -> int:
    # A layer held in 4 bits keeps its size beside its packed numbers.
    for attribute in ("out_features", "out_channels"):
        if isinstance(getattr(layer, attribute, None), int):
            return getattr(layer, attribute)
    return layer.weight.shape[0]


def _network_names(part: str, inner: str) -> Iterator[str]:
    short = [inner, inner.removesuffix(".0")] if inner.endswith(".to_out.0") else [inner]
    for name in short:
        yield f"{part}.{name}"
        yield from (f"{root}{name}" for root in NETWORK_DOTTED)
        yield from (f"{root}{name.replace('.', '_')}" for root in NETWORK_FLAT)


def _text_names(part: str, inner: str) -> Iterator[str]:
    # CLIP lost a level of names in transformers 5; files have it.
    inner = inner.removeprefix("text_model.")
    full = inner if inner == "text_projection" else f"text_model.{inner}"
    dotted = [inner, full]
    for ours, old in (("q_proj", "to_q"), ("k_proj", "to_k"), ("v_proj", "to_v")):
        dotted += [f"{full.removesuffix(ours)}{old}"] * full.endswith(f".{ours}")
    dotted += [f"{full.removesuffix('out_proj')}to_out"] * full.endswith(".out_proj")
    for name in dotted:
        yield f"{part}.{name}"
        yield from (f"{root}{name}" for root in TEXT_DOTTED.get(part, ()))
        yield from (f"{root}{name.replace('.', '_')}" for root in TEXT_FLAT.get(part, ()))
