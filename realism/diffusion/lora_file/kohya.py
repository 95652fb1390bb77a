"""Write a LoRA of ours once more, in the names of kohya's trainer, which every program reads.

Ours is in diffusers' layout, which diffusers, ComfyUI and ai-toolkit read of transformers and
diffusers of all; A1111, Forge and ComfyUI want kohya's of SD and SDXL. kohya's trainer gives the
layers of transformers the names of the model's first release, where queries, keys and values are
one: their matrices are laid beside one another, which is exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from realism.diffusion.lora_file.first_release import FLUX, FLUX2, SWAPPED, Z_IMAGE, Blocks
from realism.diffusion.lora_file.forms import low_rank
from realism.diffusion.lora_file.keys import read_keys
from realism.diffusion.lora_file.settings import read_settings
from realism.diffusion.weights import read_tensor_headers
from realism.errors import InputError

if TYPE_CHECKING:
    import torch

PREFIX = "lora_unet_"  # of the denoising network, whatever it is
# By a family's name; of the others kohya's names are diffusers'.
BLOCKS: dict[str, Blocks] = {"flux1": FLUX, "flux2-klein": FLUX2, "z-image": Z_IMAGE}
TALLER = {"proj_mlp": 4}  # layers that are not trained: so often as high as those beside them

Matrices = tuple["torch.Tensor", "torch.Tensor", float]  # down, up, alpha


def kohya_tensors(file: Path, family: str) -> dict[str, torch.Tensor]:
    """The tensors of a LoRA of ours under the names of kohya's trainer.

    Parameters
    ----------
    file : Path
        In diffusers' layout, low-rank matrices on the denoising network.
    family : str
        Of its base.

    Returns
    -------
    dict of str to tensor
        `.lora_down.weight`, `.lora_up.weight` and `.alpha` of each layer.

    Raises
    ------
    InputError
        It holds something else.
    """
    import torch

    layers = _read(file)
    named: dict[str, Matrices] = {}
    for theirs, ours in _theirs(set(layers), BLOCKS.get(family, {})):
        parts = [layers.pop(name.removeprefix(SWAPPED), None) for name in ours]
        named[theirs] = _swapped(parts[0]) if ours[0].startswith(SWAPPED) else _stack(ours, parts)
    named |= layers
    tensors = {}
    for name, (down, up, alpha) in named.items():
        layer = PREFIX + name.replace(".", "_")
        tensors[f"{layer}.lora_down.weight"] = down.contiguous()
        tensors[f"{layer}.lora_up.weight"] = up.contiguous()
        tensors[f"{layer}.alpha"] = torch.tensor(float(alpha))
    return tensors


def _read(file: Path) -> dict[str, Matrices]:
    """Our layers without the network's name before them."""
    from safetensors import safe_open

    keys, settings = (
        read_keys(read_tensor_headers(file), file.name),
        read_settings(file, file.parent),
    )
    layers = {}
    with safe_open(file, framework="pt") as opened:
        for layer, roles in keys.layers.items():
            tensors = {role: opened.get_tensor(name).float() for role, name in roles.items()}
            tensors = settings.complete(layer, layer, tensors)
            matrices = low_rank(tensors)
            part, _, inner = layer.partition(".")
            if matrices is None or part not in ("unet", "transformer"):
                raise InputError("lora_not_for_kohya", name=file.name, layer=layer)
            down, up = tensors["down"], tensors["up"]
            layers[inner] = (
                matrices[0].reshape(down.shape),
                matrices[1].reshape(up.shape),
                matrices[2],
            )
    return layers


def _theirs(layers: set[str], blocks: Blocks) -> Iterator[tuple[str, list[str]]]:
    """Their layers of which some of ours are here, each with all of ours that lie in it."""
    for their_block, (our_block, inside) in blocks.items():
        pattern = re.compile(re.escape(our_block) + r"(\d+)\." if our_block else "")
        matches = [match for name in layers if (match := pattern.match(name))]
        starts = (
            {match.group(): f"{their_block}{match[1]}." for match in matches}
            if our_block
            else {"": ""}
        )
        for ours, theirs in starts.items():
            for layer, names in inside.items():
                own = [_placed(ours, name) for name in names.split()]
                if any(name.removeprefix(SWAPPED) in layers for name in own):
                    yield f"{theirs}{layer}", own


def _placed(block: str, name: str) -> str:
    return SWAPPED * name.startswith(SWAPPED) + block + name.removeprefix(SWAPPED)


def _stack(names: list[str], parts: list[Matrices | None]) -> Matrices:
    """Layers that lie one under the other as one, each with its own rows and its own ranks."""
    import torch

    if len(parts) == 1 and parts[0] is not None:
        return parts[0]
    there = [part for part in parts if part is not None]
    height = there[0][1].shape[0]
    ranks = [part[0].shape[0] if part else 0 for part in parts]
    heights = [
        part[1].shape[0] if part else height * TALLER.get(name.rpartition(".")[2], 1)
        for name, part in zip(names, parts, strict=True)
    ]
    up = there[0][1].new_zeros(sum(heights), sum(ranks))
    row = column = 0
    for part, rank, rows in zip(parts, ranks, heights, strict=True):
        if part is not None:
            # The alphas may differ: each goes into its own rows, and the whole is left unscaled.
            up[row : row + rows, column : column + rank] = part[1] * (part[2] / rank)
        row, column = row + rows, column + rank
    return torch.cat([part[0] for part in there]), up, float(sum(ranks))


def _swapped(part: Matrices | None) -> Matrices:
    """A layer whose halves lie the other way round in theirs."""
    assert part is not None
    down, up, alpha = part
    return down, up.roll(len(up) // 2, 0), alpha
