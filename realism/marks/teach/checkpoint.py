"""The state of a finder's training on disk, as safetensors: a killed run goes on where it was."""

import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from realism.disk import whole_file
from realism.errors import InputError
from realism.marks.teach.dataset import AnnotatedFace
from realism.marks.teach.settings import TrainingSettings

if TYPE_CHECKING:
    import torch

Best = tuple[int, float]  # step and mean AP of the weights kept
NETWORK, OPTIMIZER = "network.", "optimizer."  # before the names of tensors


def checkpoint_path(weights: Path) -> Path:
    """The checkpoint that belongs to weights."""
    return Path(weights).with_suffix(".checkpoint.safetensors")


def run_key(faces: list[AnnotatedFace], settings: TrainingSettings, key: str) -> str:
    """Equal exactly where the same steps lead to the same weights; more steps may be asked for.

    Parameters
    ----------
    faces : list of AnnotatedFace
    settings : TrainingSettings
    key : str
        Of what else makes a run differ from another.
    """
    recipe = {k: v for k, v in asdict(settings).items() if k not in ("steps", "save_every")}
    marks = [
        (face.name, [(c.kind, c.clicked_xy.round(2).tolist()) for c in face.clicks])
        for face in faces
    ]
    return sha256(json.dumps([recipe, sorted(marks), key]).encode()).hexdigest()


def save_checkpoint(
    path: Path,
    network: "torch.nn.Module",
    optimizer: "torch.optim.Optimizer",
    step: int,
    best: Best | None,
    key: str,
) -> None:
    """Write weights, the optimiser's moments and where the run is.

    Parameters
    ----------
    path : Path
    network : torch module
    optimizer : torch optimiser of its parameters
    step : int
        Steps done.
    best : Best, optional
    key : str
        Of `run_key`.
    """
    from safetensors.torch import save_file

    tensors = {f"{NETWORK}{k}": v.contiguous() for k, v in network.state_dict().items()}
    for name, parameter in network.named_parameters():
        for part, value in optimizer.state.get(parameter, {}).items():
            if value is not None:
                tensors[f"{OPTIMIZER}{part}.{name}"] = value.contiguous()
    about = {"step": str(step), "best": json.dumps(best), "run": key}
    with whole_file(path) as temporary:
        save_file(tensors, str(temporary), metadata=about)


def resume(
    path: Path, network: "torch.nn.Module", optimizer: "torch.optim.Optimizer", key: str
) -> tuple[int, Best | None]:
    """Load a checkpoint of the same run, where there is one.

    Returns
    -------
    int
        Steps done, 0 without a checkpoint.
    Best or None
        As it was saved.

    Raises
    ------
    InputError
        For a checkpoint that is damaged, or of another run.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    if not path.exists():
        return 0, None
    try:
        with safe_open(str(path), "pt") as file:
            about = file.metadata() or {}
        tensors = load_file(str(path))
    except SafetensorError as error:
        raise InputError("run_damaged", path=path, detail=error) from error
    if about.get("run") != key:
        raise InputError("run_of_other_settings", path=path)
    state = {k.removeprefix(NETWORK): v for k, v in tensors.items() if k.startswith(NETWORK)}
    # A run begun before a buffer was added goes on with what the buffer begins with.
    network.load_state_dict(dict(network.named_buffers()) | state)
    parameters = dict(network.named_parameters())
    for name in (k for k in tensors if k.startswith(OPTIMIZER)):
        _, part, owner = name.split(".", 2)
        # A count of steps is a scalar, which stays on the CPU.
        value, parameter = tensors[name], parameters[owner]
        optimizer.state[parameter][part] = value.to(parameter.device) if value.ndim else value
    best = json.loads(about["best"])
    return int(about["step"]), best and tuple(best)
