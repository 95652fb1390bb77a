"""Which device and which dtype: decided once, here.

bf16 on a GPU that has it. On a CPU the weights stay float32; training steps run under bf16
autocast where the processor multiplies bf16 in hardware (measured with
`python -m benchmarks.bf16`), since elsewhere it is slower than float32.
"""

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Device:
    """Where models run.

    name        "cpu" | "cuda" | "mps", as torch names it
    dtype       torch dtype of frozen weights
    autocast    torch dtype for autocast in training steps, None for none
    """

    name: str
    dtype: object
    autocast: object

    def training_context(self) -> AbstractContextManager:
        """Autocast for a training step, or nothing where it would only slow down."""
        import torch

        return torch.autocast(self.name, self.autocast) if self.autocast else nullcontext()


def cpu_multiplies_bf16() -> bool:
    """True where the processor has avx512_bf16 or amx_bf16 (Linux; False where unknown)."""
    flags = Path("/proc/cpuinfo")
    return flags.exists() and "avx512_bf16" in flags.read_text()


def choose_device() -> Device:
    """The best device of this machine."""
    import torch

    if torch.cuda.is_available():
        # Under `accelerate launch` each process has a GPU of its own.
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return Device("cuda", dtype, dtype)
    if torch.backends.mps.is_available():
        return Device("mps", torch.float32, None)
    return Device("cpu", torch.float32, torch.bfloat16 if cpu_multiplies_bf16() else None)


def memory_free(device: Device) -> int:
    """Bytes that a model may still take on `device`."""
    import torch

    if device.name == "cuda":
        return torch.cuda.mem_get_info()[0]
    lines = Path("/proc/meminfo")
    if lines.exists():
        for line in lines.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 1 << 62  # macOS and Windows do not tell without another package: no gate there
