"""How a base's weights lie in memory: chosen from what is free before anything is read.

Whole on the device where it fits. Where it does not, only the part that works lies there and the
others wait in the processor's memory; where that does not fit either, the matrices are stored in 8
bits, then in 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from realism.diffusion.device import Device
from realism.errors import Message

if TYPE_CHECKING:
    from realism.diffusion.base import Base
    from realism.diffusion.identify import BaseFiles

GB = 2**30
WAITING = "cpu"  # where parts lie that do not work
WORKING = 0.6  # GB beside the weights while a picture is drawn: the text, the latents, one block
# Bytes a pixel at the fullest moment of decoding in float32, counted on VAEs without numbers.
# Qwen-Image's takes 7000; the network beside it is always larger.
DECODING = 3300
# Of 16-bit numbers, in 8 and 4 bits: what is not a matrix of a block stays as it is.
SHARE = {8: 0.53, 4: 0.30}


@dataclass(frozen=True)
class Placement:
    """How a base's weights lie.

    Attributes
    ----------
    offload : bool
        Only the part that works lies on the device.
    bits : int or None
        8 or 4, of the matrices of network and text encoders; None: as the device's dtype.
    """

    offload: bool = False
    bits: int | None = None

    def notes(self) -> tuple[Message, ...]:
        """What a person should know of it."""
        away = (Message("base_offloaded"),) if self.offload else ()
        return away + ((Message("base_few_bits", bits=self.bits),) if self.bits else ())


LADDER = (Placement(), Placement(True), Placement(True, 8), Placement(True, 4))


def drawing_memory(files: BaseFiles, device: Device, placement: Placement) -> int:
    """Bytes of the device that a base needs to draw one picture.

    Parameters
    ----------
    files : BaseFiles
        As `read_base` tells.
    device : Device
    placement : Placement
    """
    share = SHARE[placement.bits] * 2 if placement.bits else device.dtype.itemsize
    parts = {
        part: count * (4 if part == "vae" else share) for part, count in files.part_counts.items()
    }
    decoding = DECODING * files.resolution**2
    working = WORKING * GB
    if not placement.offload:
        return int(sum(parts.values()) + max(working, decoding))
    others = max(size for part, size in parts.items() if part != "vae")
    return int(max(others + working, parts["vae"] + decoding))


def choose_placement(files: BaseFiles, device: Device, free: int) -> Placement | None:
    """The first of the ladder with which a base draws in what is free; None: none does.

    Parameters
    ----------
    free : int
        Bytes of the device.
    """
    for placement in LADDER:
        if placement.offload and device.name == WAITING:
            placement = Placement(False, placement.bits)  # there is no other place
            if placement.bits is None:
                continue
        waiting = drawing_memory(files, device, Placement(False, placement.bits))
        if placement.offload and waiting > psutil.virtual_memory().available:
            continue
        if drawing_memory(files, device, placement) <= free:
            return placement
    return None


def bring(base: Base, *parts: str) -> None:
    """Have these parts of a base on its device; the others wait where it is offloaded."""
    if base.placement.offload:
        _move(base, parts)


def bring_all(base: Base) -> None:
    """Have a base as it lies between two uses: whole on its device, or waiting."""
    _move(base, () if base.placement.offload else tuple(base.pipeline.components))


def bytes_on_device(base: Base, *besides: str) -> int:
    """Bytes of a base's numbers that lie on its device now, besides those of some parts."""
    device = base.device.name
    return sum(
        tensor.nbytes
        for name, part in _modules(base).items()
        for tensor in [*part.parameters(), *part.buffers()]
        if name not in besides and tensor.device.type == device
    )


def _modules(base: Base) -> dict[str, Any]:
    """The parts of a base that hold numbers, by name."""
    import torch

    parts = base.pipeline.components.items()
    return {name: part for name, part in parts if isinstance(part, torch.nn.Module)}


def _move(base: Base, parts: tuple[str, ...]) -> None:
    import torch

    modules = _modules(base)
    for name in sorted(modules, key=parts.__contains__):  # first away, then there
        modules[name].to(base.device.name if name in parts else WAITING)
    if base.device.name != WAITING:
        getattr(torch, base.device.name).empty_cache()
