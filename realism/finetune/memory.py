"""Will a fine-tune fit in memory, and how? Known before the first step, from a rehearsal.

One step, there and back, is walked with tensors that have shapes but no content, and what lies in
memory at its fullest is added up. Where that is more than is free, what costs least is done first:
text encoder and VAE wait elsewhere, blocks are walked again on the way back, the optimiser counts
in 8 bits, the base's matrices are stored in 8 bits, then in 4.
"""

from __future__ import annotations

import importlib.util
import json
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from realism.config import Stage
from realism.diffusion.base import Base
from realism.diffusion.device import Device, free_memory
from realism.diffusion.families import FAMILIES
from realism.diffusion.placement import GB, SHARE, WAITING, Placement, bytes_on_device
from realism.errors import InputError, Message

if TYPE_CHECKING:
    import torch

WORKSPACE = 0.35  # GB over the count: what operators need while they run, and fragments
MOMENTS = 8  # bytes a trained number: Adam's two, beside itself and its gradient
MOMENTS_8BIT = 2


@dataclass(frozen=True)
class Plan:
    """How a fine-tune is kept small.

    Attributes
    ----------
    put_away : bool
        Text encoders and VAE wait in the processor's memory while steps are taken.
    checkpointing : bool
        Blocks are walked again on the way back, instead of keeping what they did.
    small_moments : bool
        The optimiser counts in 8 bits.
    bits : int or None
        8 or 4, of the base's matrices; None: as they are.
    needed : int
        Bytes beyond what is taken already.
    """

    put_away: bool = False
    checkpointing: bool = False
    small_moments: bool = False
    bits: int | None = None
    needed: int = 0

    def message(self, free: int) -> Message:
        """What is done, and what it takes, in one line."""
        measures = [
            Message(code)
            for code, done in (
                ("plan_put_away", self.put_away),
                ("plan_checkpointing", self.checkpointing),
                ("plan_small_moments", self.small_moments),
                ("plan_8_bits", self.bits == 8),
                ("plan_4_bits", self.bits == 4),
            )
            if done
        ]
        return Message(
            "plan_memory",
            needed_gb=self.needed / GB,
            free_gb=free / GB,
            measures=measures or [Message("plan_nothing")],
        )


def plan_training(base: Base, stage: Stage, free: int | None = None) -> Plan:
    """The first way in which a fine-tune fits.

    Parameters
    ----------
    free : int, optional
        Bytes; None: as the device tells.

    Raises
    ------
    InputError
        It fits in none, with the figure and what to lower.
    """
    free = free_memory(base.device) if free is None else free
    plan = Plan()
    for plan in _ladder(base, stage):
        plan = replace(plan, needed=needed_memory(base, stage, plan))
        if plan.needed <= free:
            return plan
    alone = needed_memory(base, replace(stage, batch=1), plan)
    each = (plan.needed - alone) / max(stage.batch - 1, 1)
    fits = int((free - alone) // each) + 1 if stage.batch > 1 and free >= alone else 0
    raise InputError(
        "finetune_out_of_memory",
        resolution=base.resolution,
        batch=stage.batch,
        needed_gb=plan.needed / GB,
        free_gb=free / GB,
        advice=Message("batch_too_large", batch=fits) if fits else Message("base_too_large"),
    )


def apply_plan(base: Base, plan: Plan) -> Base:
    """The base as a plan wants it; its matrices are stored in fewer bits in place."""
    if plan.bits:
        from realism.diffusion.quantise import quantise

        quantise(base.network, plan.bits)
    return replace(base, placement=Placement(plan.put_away, plan.bits))


def _ladder(base: Base, stage: Stage) -> list[Plan]:
    """Ways to fit, what costs least first."""
    away = base.device.name != WAITING  # else there is no other place
    frugal = stage.gradient_checkpointing
    offload, bits = base.placement.offload, _bits(base)
    steps = [
        Plan(offload, frugal, False, bits),
        Plan(away, frugal, False, bits),
        Plan(away, True, False, bits),
    ]
    small = base.device.name == "cuda" and importlib.util.find_spec("bitsandbytes") is not None
    if small:
        steps.append(Plan(away, True, True, bits))
    steps += [Plan(away, True, small, fewer) for fewer in (8, 4) if fewer < (bits or 16)]
    return list(dict.fromkeys(steps))


def _bits(base: Base) -> int | None:
    from realism.diffusion.quantise import bits_of

    return bits_of(base.network)


def needed_memory(base: Base, stage: Stage, plan: Plan) -> int:
    """Bytes of the device that a step takes beyond what lies there now; less where that goes."""
    step = replace(stage, gradient_checkpointing=plan.checkpointing)
    moments = MOMENTS_8BIT if plan.small_moments else MOMENTS
    needed = training_memory(base, step) - (MOMENTS - moments) * _trained(base, stage)
    network = sum(t.nbytes for t in [*base.network.parameters(), *base.network.buffers()])
    here = bytes_on_device(base) - bytes_on_device(base, base.family.network)
    if plan.put_away:
        needed -= bytes_on_device(base, base.family.network)
        needed += network - here  # where it waited itself
    bits = _bits(base)
    if plan.bits and plan.bits != bits:
        full = SHARE[bits] if bits else base.device.dtype.itemsize / 2
        needed -= int(network * (1 - SHARE[plan.bits] / full))
    return needed


def training_memory(base: Base, stage: Stage) -> int:
    """Bytes beyond the weights that a step takes at its peak, its LoRA and optimiser included."""
    config = json.dumps(dict(base.network.config), sort_keys=True)
    peak = _rehearsed(
        base.family.name, config, base.latent_shape[-1], stage.batch, stage.gradient_checkpointing,
        stage.rank, stage.targets, base.device,
    )  # fmt: skip
    # The matrices themselves and their moments lie there all the time.
    return peak + int(WORKSPACE * GB) + (4 + MOMENTS) * _trained(base, stage)


def _trained(base: Base, stage: Stage) -> int:
    """How many numbers a LoRA has."""
    return sum(
        stage.rank * (module.weight.shape[0] + module.weight[0].numel())
        for layer, module in base.network.named_modules()
        if layer.endswith(stage.targets) and hasattr(module, "weight")
    )


@lru_cache(maxsize=64)
def _rehearsed(
    family_name: str, config: str, side: int, batch: int, checkpointing: bool,
    rank: int, targets: tuple[str, ...], device: Device,
) -> int:  # fmt: skip
    """Bytes beyond weights and LoRA at the fullest moment of one step of an empty network.

    Parameters
    ----------
    config : str
        Of the network, as JSON.
    side : int
        Of the latents.
    """
    import torch
    from accelerate import init_empty_weights
    from peft import LoraConfig
    from torch._subclasses.fake_tensor import FakeTensorMode

    family = FAMILIES[family_name]
    with init_empty_weights():
        network = family.network_class().from_config(json.loads(config))
        network.requires_grad_(False)
        network.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(targets)))
    if checkpointing:
        network.enable_gradient_checkpointing()
    # Without content, but on a processor: on "meta" autocast would do nothing.
    with FakeTensorMode(allow_non_fake_inputs=True):
        for module in network.modules():
            for name, given in module.named_parameters(recurse=False):
                dtype = torch.float32 if given.requires_grad else device.dtype
                empty = torch.empty(given.shape, dtype=dtype)
                setattr(module, name, torch.nn.Parameter(empty, given.requires_grad))
        autocast = replace(device, name="cpu").training_context()
        with _Peak(network.parameters()) as fullest:
            with autocast:
                answer = family.rehearse(network, batch, side)
            answer.float().square().mean().backward()
    return fullest[0]


class _Peak:
    """How many bytes of tensors made in the block lie there at its fullest: a list of one.

    Parameters
    ----------
    before : iterable of tensor
        What is there already.
    """

    def __init__(self, before: Iterable[torch.Tensor]):
        self.known = {tensor.untyped_storage()._cdata for tensor in before}
        self.held, self.fullest = 0, [0]

    def _freed(self, place: int, size: int) -> None:
        self.known.discard(place)
        self.held -= size

    def _made(self, tensor: Any) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata in self.known:
            return
        self.known.add(storage._cdata)
        weakref.finalize(storage, self._freed, storage._cdata, storage.nbytes())
        self.held += storage.nbytes()
        self.fullest[0] = max(self.fullest[0], self.held)

    def __enter__(self) -> list[int]:
        import torch
        from torch.utils._python_dispatch import TorchDispatchMode
        from torch.utils._pytree import tree_leaves

        made = self._made

        class Watch(TorchDispatchMode):
            def __torch_dispatch__(self, func, types, args=(), kwargs=None):
                out = func(*args, **(kwargs or {}))
                for tensor in tree_leaves(out):
                    if isinstance(tensor, torch.Tensor):
                        made(tensor)
                return out

        self.watch = Watch()
        self.watch.__enter__()
        return self.fullest

    def __exit__(self, *error: Any) -> None:
        self.watch.__exit__(*error)
