"""Which device and which dtype: decided once, here.

bf16 on a GPU that has it; one that only emulates it (T4, V100, RTX 20) is several times faster in
float16, with gradients scaled so that small ones do not vanish. AMD's cards are "cuda" to torch,
too. On a CPU the weights stay float32; training steps run under bf16
autocast where this processor multiplies bf16 faster, which is tried: of two processors that say
`avx512_bf16`, bf16 took half of float32's time on one and 1.6 times as long on the other
(`python -m benchmarks.bf16`).
"""

from __future__ import annotations

import os
import statistics
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import torch

# A step also converts and normalises: bf16 products must gain more than that costs.
BF16_GAIN = 1.5


@dataclass(frozen=True)
class Device:
    """Where models run.

    Attributes
    ----------
    name : str
        "cpu" | "cuda" (NVIDIA, AMD) | "xpu" (Intel) | "mps" (Apple), as torch names it.
    dtype : torch.dtype
        Of frozen weights.
    autocast : torch.dtype or None
        For autocast in training steps, None for none.
    """

    name: str
    dtype: torch.dtype
    autocast: torch.dtype | None

    @property
    def scales_gradients(self) -> bool:
        """Whether gradients would vanish unscaled: float16's smallest number is 6e-8."""
        import torch

        return self.autocast == torch.float16

    def training_context(self) -> AbstractContextManager:
        """Autocast for a training step, or nothing where it would only slow down."""
        import torch

        return torch.autocast(self.name, self.autocast) if self.autocast else nullcontext()


@lru_cache(maxsize=1)
def measure_bf16_gain() -> float:
    """How many times as fast bf16 matrices are multiplied here as float32 ones; tried once."""
    import torch

    def seconds(dtype: torch.dtype) -> float:
        factor = torch.ones(512, 512, dtype=dtype)
        taken = []
        for _ in range(6):
            start = time.perf_counter()
            torch.mm(factor, factor)
            taken.append(time.perf_counter() - start)
        return statistics.median(taken[1:])

    return seconds(torch.float32) / seconds(torch.bfloat16)


def choose_device() -> Device:
    """The best device of this machine."""
    import torch

    if torch.cuda.is_available():
        # Under `accelerate launch` each process has a GPU of its own.
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        own = torch.cuda.is_bf16_supported(including_emulation=False)
        dtype = torch.bfloat16 if own else torch.float16
        return Device("cuda", dtype, dtype)
    if torch.xpu.is_available():
        torch.xpu.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        dtype = torch.bfloat16 if torch.xpu.is_bf16_supported() else torch.float16
        return Device("xpu", dtype, dtype)
    if torch.backends.mps.is_available():
        # bfloat16 came with macOS 14.
        if torch.backends.mps.is_macos_or_newer(14, 0):
            return Device("mps", torch.bfloat16, torch.bfloat16)
        return Device("mps", torch.float32, None)
    faster = measure_bf16_gain() > BF16_GAIN
    return Device("cpu", torch.float32, torch.bfloat16 if faster else None)


def free_memory(device: Device) -> int:
    """Bytes that a model may still take on `device`."""
    import torch

    if device.name in ("cuda", "xpu"):
        return getattr(torch, device.name).mem_get_info()[0]
    if device.name == "mps":  # of the memory that it shares with the processor
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return psutil.virtual_memory().available
