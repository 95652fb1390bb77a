"""Read a LoRA file against a base: what it changes there, or why it cannot be used whole.

Everything is looked at before anything is put on: all tensors are known and finite, every layer is
one of the base's and has all that its form needs, and its shape fits. What a file brings besides
its layers, textual inversions, is left out by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realism.diffusion.lora_file.forms import (
    changed_shape,
    foreign_roles,
    lengths_of_rows,
    missing_roles,
)
from realism.diffusion.lora_file.keys import Keys, read_keys
from realism.diffusion.lora_file.settings import Settings, read_settings
from realism.diffusion.lora_file.spellings import Rows, base_layers, spell_layers
from realism.diffusion.weights import read_tensor_headers
from realism.errors import InputError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class Change:
    """What a file changes in one of its layers.

    Attributes
    ----------
    rows : tuple of Rows
        Where its rows lie in the base.
    tensors : dict of str to tensor
        By role, float32.
    """

    rows: tuple[Rows, ...]
    tensors: dict[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class LoraFile:
    """A file that fits a base.

    Attributes
    ----------
    changes : tuple of Change
        Of layers that do not overlap.
    embeddings : tuple of str
        Textual inversions in it, which are left out.
    settings : Settings
        What is said of it beside its tensors.
    strength_said : bool
        Whether its alpha is known; else it is taken for the rank.
    """

    changes: tuple[Change, ...]
    embeddings: tuple[str, ...]
    settings: Settings
    strength_said: bool


def read_lora(
    file: Path, parts: Mapping[str, Any], network: str, base: str, folder: Path | None = None
) -> LoraFile:
    """Read a LoRA and hold it against a base.

    Parameters
    ----------
    file : Path
        A .safetensors file of any tool.
    parts : mapping of str to torch.nn.Module
        The parts of the base that a LoRA may change.
    network : str
        Which of them denoises.
    base : str
        The base's name, for messages.
    folder : Path, optional
        Where PEFT's configuration lies, if not beside the file: a pickle's copy lies elsewhere.

    Raises
    ------
    InputError
        Damaged, no LoRA, of a kind that is not applied here, or not made for this base.
    """
    keys = read_keys(read_tensor_headers(file), file.name)
    if not keys.layers:
        raise InputError("lora_without_layers", name=file.name, base=base)
    _refuse_halves(keys, file.name)
    spelled = spell_layers(parts, network)
    found = {layer: spelled[layer] for layer in keys.layers if layer in spelled}
    settings = read_settings(file, folder or file.parent)
    tensors = _load(file, keys)
    changes = []
    taken: dict[str, str] = {}
    layers = base_layers(parts)
    for layer, rows in found.items():
        held = settings.complete(layer, rows[0].layer, tensors[layer])
        _refuse_other_shape(held, rows, layers, layer, file.name, base)
        for row in rows:
            if taken.setdefault(row.layer, layer) != layer:
                raise InputError("lora_layer_twice", name=file.name, layer=row.layer)
        changes.append(Change(rows, held))
    unknown = [layer for layer in keys.layers if layer not in spelled]
    if unknown:
        raise InputError(
            "lora_layer_not_in_base",
            name=file.name,
            layer=unknown[0],
            unknown=len(unknown),
            layers=len(keys.layers),
            base=base,
        )
    scaled = [change for change in changes if not {"weight", "bias"} >= set(change.tensors)]
    said = (
        not keys.wrapped or any({"alpha", "scalar"} & set(c.tensors) for c in scaled) or not scaled
    )
    return LoraFile(tuple(changes), keys.embeddings, settings, said)


def _refuse_halves(keys: Keys, file: str) -> None:
    for layer, roles in keys.layers.items():
        if missing := missing_roles(roles):
            raise InputError("lora_layer_incomplete", name=file, layer=layer, missing=missing)
        if foreign := foreign_roles(roles):
            raise InputError("lora_layer_mixed", name=file, layer=layer, parts=foreign)


def _load(file: Path, keys: Keys) -> dict[str, dict[str, torch.Tensor]]:
    """Layer to role to tensor, float32: all of them finite."""
    from safetensors import safe_open

    loaded: dict[str, dict[str, torch.Tensor]] = {}
    with safe_open(file, framework="pt") as tensors:
        for layer, roles in keys.layers.items():
            loaded[layer] = {}
            unscaled = {"lokr_w1", "lokr_w2"} <= set(roles)  # whatever alpha says
            for role, name in roles.items():
                tensor = tensors.get_tensor(name).float()
                if not tensor.isfinite().all() and not (unscaled and role == "alpha"):
                    raise InputError("lora_not_finite", name=file.name, tensor=name)
                loaded[layer][role] = tensor
    return loaded


def _refuse_other_shape(
    tensors: dict[str, torch.Tensor], rows: tuple[Rows, ...], layers: Mapping[str, Any],
    layer: str, file: str, base: str,
) -> None:  # fmt: skip
    """Refuse a layer whose numbers are not as many as those of the base's."""
    height = max(row.stop for row in rows)
    width = _columns(layers[rows[0].layer])
    shape = changed_shape(tensors)
    if shape is None and set(tensors) - {"bias"}:
        raise InputError("lora_factors_do_not_fit", name=file, layer=layer)
    fits = shape in (None, (height, width))
    for role in ("bias", "up_bias"):
        fits &= role not in tensors or tensors[role].numel() == height
    if "row_lengths" in tensors:
        fits &= tensors["row_lengths"].numel() == height
    if "dora_scale" in tensors:
        given = tuple(tensors["dora_scale"].shape)
        kernel = math.prod(layers[rows[0].layer].weight.shape[2:])
        of_rows = lengths_of_rows(given, height)
        fits &= of_rows or math.prod(given) == width // max(kernel, 1)
    if not fits:
        raise InputError("lora_layer_mismatch", name=file, layer=layer, base=base)


def _columns(layer: Any) -> int:
    """How many numbers a row of a layer's weight holds."""
    if isinstance(getattr(layer, "in_features", None), int):  # also where it is held in 4 bits
        return layer.in_features
    return math.prod(layer.weight.shape[1:])
