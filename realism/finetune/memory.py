"""Will a fine-tune fit in memory? Known before the first step, from a rehearsal without numbers.

One step is walked with tensors that have shapes but no content, and what autograd would keep for
the way back is added up: it is what a step needs beyond the weights, to within a few percent.
"""

import json
from dataclasses import replace
from functools import lru_cache

from realism.config import Stage
from realism.diffusion.base import Base
from realism.diffusion.device import free_memory
from realism.errors import InputError, Message

MARGIN = 1.3  # over the count: what operators need while they run, and fragments
OPTIMISER = 16  # bytes a trained number: itself, its gradient, two moments


def require_memory(base: Base, stage: Stage, free: int | None = None) -> None:
    """Raise InputError with the figure and what to lower, where a step would not fit.

    free    bytes, None: as the device tells
    """
    free = free_memory(base.device) if free is None else free
    needed = training_memory(base, stage)
    if needed <= free:
        return
    one = training_memory(base, replace(stage, batch=1))
    each = (needed - one) / max(stage.batch - 1, 1)
    fits = int((free - one) // each) + 1 if stage.batch > 1 and free >= one else 0
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
    side = base.resolution // base.pipeline.vae_scale_factor
    config = json.dumps(dict(base.pipeline.unet.config), sort_keys=True)
    kept = _rehearsed(config, side, stage.batch, False)
    if stage.gradient_checkpointing:
        # On the way back one block at a time is walked again: a quarter of all, at most.
        kept = kept // 4 + _rehearsed(config, side, stage.batch, True)
    trained = sum(
        stage.rank * (module.weight.shape[0] + module.weight[0].numel())
        for name, module in base.pipeline.unet.named_modules()
        if name.endswith(stage.targets) and hasattr(module, "weight")
    )
    return int(kept * size / 4 * MARGIN) + trained * OPTIMISER


@lru_cache(maxsize=16)
def _rehearsed(unet_config: str, side: int, batch: int, checkpointing: bool) -> int:
    """Bytes that autograd keeps in float32 while a UNet runs once on `batch` latents of `side`."""
    import torch
    from diffusers import UNet2DConditionModel
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        unet = UNet2DConditionModel.from_config(json.loads(unet_config))
        config = unet.config
        if checkpointing:
            unet.enable_gradient_checkpointing()
        added = None
        if config.addition_embed_type == "text_time":
            both = config.projection_class_embeddings_input_dim
            pooled = both - 6 * config.addition_time_embed_dim
            added = {"text_embeds": torch.empty(batch, pooled), "time_ids": torch.empty(batch, 6)}
        return _kept_for_the_way_back(
            lambda: unet(
                torch.empty(batch, config.in_channels, side, side),
                torch.zeros(batch, dtype=torch.long),
                torch.empty(batch, 77, config.cross_attention_dim),
                added_cond_kwargs=added,
            ),
            {id(parameter) for parameter in unet.parameters()},
        )


def _kept_for_the_way_back(step, weights: set[int]) -> int:
    """Bytes of the different tensors, other than weights, that autograd keeps while `step` runs."""
    import torch

    kept = {}

    def note(tensor):
        if id(tensor) not in weights:
            kept[tensor.untyped_storage()._cdata] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        held = step()  # alive until all is counted: a freed storage's number is given out again
    del held
    return sum(kept.values())
