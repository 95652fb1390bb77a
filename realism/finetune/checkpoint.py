"""The state of a run that may be killed at any time.

One file holds all that the next step depends on: the LoRA matrices, the optimiser's moments, the
step's number, and the log so far. It is replaced whole, and names the run it belongs to: settings,
base, photos, first weights. A state of another run is never mixed in.
"""

from __future__ import annotations

import io
import json
import pickle
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from realism.config import Stage
from realism.diffusion.base import Base
from realism.diffusion.lora import lora_file
from realism.disk import write_bytes

if TYPE_CHECKING:
    import torch

# What torch raises of a file that is empty, cut off or no state at all.
DAMAGED = (RuntimeError, EOFError, pickle.UnpicklingError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True, eq=False)
class State:
    """Where a run stands.

    Attributes
    ----------
    number : int
        Steps done.
    lora : list of tensor
        The trained matrices, in the order of the network's parameters.
    moments : dict
        state_dict of the optimiser.
    losses : list of float
        Loss of every step done.
    previews : list of (int, float or None)
        After which steps there was one, and its similarity to the held-out photo.
    scaler : dict
        state_dict of what scales the gradients; {} where nothing does.
    """

    number: int
    lora: list[torch.Tensor]
    moments: dict
    losses: list[float]
    previews: list[tuple[int, float | None]]
    scaler: dict = field(default_factory=dict)


def run_key(
    base: Base, stage: Stage, source: str, start_from: Path | None, processes: int = 1
) -> str:
    """A name for a run: equal exactly where the same steps lead to the same LoRA."""
    start = sha256(lora_file(start_from).read_bytes()).hexdigest() if start_from else None
    parts = [base.fingerprint, asdict(stage), source, start, processes]
    return sha256(json.dumps(parts).encode()).hexdigest()


def save_state(file: Path, key: str, state: State) -> None:
    """Replace the state on disk, whole or not at all."""
    import torch

    buffer = io.BytesIO()
    torch.save({"key": key, **vars(state)}, buffer)
    write_bytes(file, buffer.getvalue())


def read_state(file: Path, key: str) -> State | None:
    """The state of the run `key`; None where there is none, it is another run's, or damaged."""
    import torch

    if not file.exists():
        return None
    try:
        stored = torch.load(file, map_location="cpu", weights_only=True)
        return State(**stored) if stored.pop("key") == key else None
    except DAMAGED:  # cut off by a crash of the machine: the run begins anew
        return None
