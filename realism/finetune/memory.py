"""Will a fine-tune fit in memory? Known before the first step, from a rehearsal without numbers.

One step is walked with tensors that have shapes but no content, and what autograd would keep for
the way back is added up: it is what a step needs beyond the weights, to within a few percent.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from realism.config import Stage
from realism.diffusion.base import Base
from realism.diffusion.device import free_memory
from realism.diffusion.families import FAMILIES
from realism.errors import InputError, Message

if TYPE_CHECKING:
    import torch

MARGIN = 1.3  # over the count: what operators need while they run, and fragments
OPTIMISER = 16  # bytes a trained number: itself, its gradient, two moments


def require_memory(base: Base, stage: Stage, free: int | None = None) -> None:
    """Refuse a run whose step would not fit, with the figure and what to lower.

    Parameters
    ----------
    free : int, optional
        Bytes; None: as the device tells.

    Raises
    ------
    InputError
        Where it would not fit.
    """
    free = free_memory(base.device) if free is None else free
    needed = training_memory(base, stage)
    if needed <= free:
        return
    alone = training_memory(base, replace(stage, batch=1))
    each = (needed - alone) / max(stage.batch - 1, 1)
    fits = int((free - alone) // each) + 1 if stage.batch > 1 and free >= alone else 0
    if fits >= 1:
        advice = Message("batch_too_large", batch=fits)
    elif not stage.gradient_checkpointing:
        advice = Message("checkpointing_off")
    else:
        advice = Message("base_too_large")
    raise InputError(
        "finetune_out_of_memory",
        resolution=base.resolution,
        batch=stage.batch,
        needed_gb=needed / 2**30,
        free_gb=free / 2**30,
        advice=advice,
    )


def training_memory(base: Base, stage: Stage) -> int:
    """Bytes beyond the loaded weights that a step takes at its peak."""
    size = (base.device.autocast or base.device.dtype).itemsize
    side = base.latent_shape[-1]
    config = json.dumps(dict(base.network.config), sort_keys=True)
    name = base.family.name
    kept = _rehearsed(name, config, side, stage.batch, False)
    if stage.gradient_checkpointing:
        # On the way back one block at a time is walked again: a quarter of all, at most.
        kept = kept // 4 + _rehearsed(name, config, side, stage.batch, True)
    trained = sum(
        stage.rank * (module.weight.shape[0] + module.weight[0].numel())
        for layer, module in base.network.named_modules()
        if layer.endswith(stage.targets) and hasattr(module, "weight")
    )
    return int(kept * size / 4 * MARGIN) + trained * OPTIMISER


@lru_cache(maxsize=16)
def _rehearsed(family_name: str, config: str, side: int, batch: int, checkpointing: bool) -> int:
    """Bytes that autograd keeps in float32 while a network runs once on `batch` latents of `side`.

    Parameters
    ----------
    config : str
        Of the network, as JSON.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode

    family = FAMILIES[family_name]
    with FakeTensorMode():
        network = family.network_class().from_config(json.loads(config))
        if checkpointing:
            network.enable_gradient_checkpointing()
        return _kept_for_backward(
            lambda: family.rehearse(network, batch, side),
            {id(parameter) for parameter in network.parameters()},
        )


def _kept_for_backward(step: Callable[[], object], weights: set[int]) -> int:
    """Bytes of the different tensors, other than weights, that autograd keeps while `step` runs."""
    import torch

    kept = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if id(tensor) not in weights:
            kept[tensor.untyped_storage()._cdata] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        held = step()  # alive until all is counted: a freed storage's number is given out again
    del held
    return sum(kept.values())
