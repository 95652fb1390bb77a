"""The form of the finders' networks on disk: safetensors that say inside what they are.

The file's metadata hold the name of its format and, as JSON, what it takes to build the network
again: settings, and what is known of its training.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from realism.disk import whole_file
from realism.errors import InputError, Message

if TYPE_CHECKING:
    import torch

Network = TypeVar("Network", bound="torch.nn.Module")


def save_network(path: Path, weights: dict[str, torch.Tensor], form: str, **about: object) -> None:
    """Write tensors by name, and what they are.

    Parameters
    ----------
    path : Path
    weights : dict of str to Tensor
    form : str
        The format's name.
    **about
        Plain JSON values: what `read_about` answers.
    """
    from safetensors.torch import save_file

    tensors = {name: value.contiguous().cpu() for name, value in weights.items()}
    known = {"format": form} | {name: json.dumps(value) for name, value in about.items()}
    with whole_file(Path(path)) as temporary:
        save_file(tensors, str(temporary), metadata=known)


def read_about(path: Path, form: str, message: str) -> dict[str, Any]:
    """What `save_network` was told about the network.

    Parameters
    ----------
    path : Path
    form : str
        The format's name.
    message : str
        Code of the network's name in messages.

    Raises
    ------
    InputError
        For a pickle, a file that is not there, or safetensors of something else.
    """
    from safetensors import safe_open

    path = Path(path)
    if path.suffix != ".safetensors":
        raise InputError("finder_not_safetensors", name=path.name)
    if not path.is_file():
        raise InputError("finder_weights_not_found", path=path)
    with _damage_reported(path):
        with safe_open(str(path), "pt") as file:
            known = file.metadata() or {}
        if known.get("format") != form:
            raise InputError("finder_of_another_program", name=path.name, what=Message(message))
        return {name: json.loads(value) for name, value in known.items() if name != "format"}


def read_network(
    path: Path,
    form: str,
    message: str,
    build: Callable[[dict[str, Any]], Network],
    optional: Collection[str] = (),
) -> Network:
    """The network that `save_network` wrote, ready to be used.

    Parameters
    ----------
    path : Path
    form, message : str
        As in `read_about`.
    build : callable
        What `read_about` answers -> the network with any weights.
    optional : collection of str
        Weights that files of earlier versions lack: those of `build` stay.

    Raises
    ------
    InputError
        As `read_about`, and for a file that is cut off or whose weights do not fit.
    """
    from safetensors.torch import load_file

    path = Path(path)
    about = read_about(path, form, message)
    with _damage_reported(path):
        network = build(about)
        before = {name: network.state_dict()[name] for name in optional}
        network.load_state_dict(before | load_file(str(path)))
    return network.eval()


@contextmanager
def _damage_reported(path: Path) -> Iterator[None]:
    """While a network is built from a file: what does not fit is said of the file."""
    from safetensors import SafetensorError

    try:
        yield
    except (SafetensorError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise InputError("finder_damaged", name=path.name, detail=error) from error
