"""Training in sittings: a command that was killed and is called again goes on where it was.

A state is a dict that `torch.save` can write; beside its weights it holds `number`, the steps
done, and `used`, the seconds of all sittings. `--minutes` counts all sittings too.
"""

import argparse
import os
import time
from pathlib import Path

import torch


def save_whole(state: dict | list, path: Path) -> None:
    """Written beside and then moved there: a reader, or a later sitting, never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = path.with_suffix(".writing")
    with waiting.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    waiting.rename(path)


class Clock:
    """Seconds of processor time of all sittings; `part` is the share of `minutes` that is over.

    Not of the wall's clock: beside other people's work a training at idle priority may stand still
    for minutes, and its learning rate must not fall meanwhile.
    """

    def __init__(self, minutes: float, used: float):
        self._began, self._total = time.process_time() - used, minutes * 60
        self._told = used

    @property
    def used(self) -> float:
        return time.process_time() - self._began

    @property
    def part(self) -> float:
        return self.used / self._total

    def due(self, every: float) -> bool:
        """Whether `every` seconds have gone since this last was true."""
        if self.used - self._told < every:
            return False
        self._told = self.used
        return True


def learning_rate(
    peak: float, number: int, part: float, *, warm: int = 200, falls: float = 0.6
) -> float:
    """Up for `warm` steps, level, and from the share `falls` of the time on down to a fiftieth."""
    return peak * min(1, (number + 1) / warm) * min(1, max(0.02, (1 - part) / (1 - falls)))


@torch.no_grad()
def follow(average: torch.nn.Module, model: torch.nn.Module, keep: float) -> None:
    """Move the running average of the weights towards the weights by 1 - keep."""
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - keep)


def add_options(parser: argparse.ArgumentParser, minutes: float, rate: float) -> None:
    parser.add_argument(
        "--minutes", type=float, default=minutes, help="of processor time, over all sittings"
    )
    parser.add_argument("--learning-rate", type=float, default=rate)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--float32",
        action="store_true",
        help="not bfloat16, which takes half the time with avx512_bf16 or AMX and more without",
    )
