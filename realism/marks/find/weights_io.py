"""The finders' networks on disk: safetensors that say inside what they are."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from realism.disk import whole_file
from realism.errors import InputError, Message


def save_network(path: Path, weights: dict, form: str, **about: object) -> None:
    """Write tensors by name, with the format's name and `about` (plain JSON values) inside."""
    from safetensors.torch import save_file

    tensors = {name: value.contiguous().cpu() for name, value in weights.items()}
    known = {"format": form} | {name: json.dumps(value) for name, value in about.items()}
    with whole_file(Path(path)) as temporary:
        save_file(tensors, str(temporary), metadata=known)


def about_network(path: Path, form: str, what: str) -> dict:
    """What `save_network` was told.

    form, what    the format, and the code of the network's name in messages
    Raises InputError for a pickle, or for safetensors of something else.
    """
    from safetensors import safe_open

    if path.suffix != ".safetensors":
        raise InputError("finder_not_safetensors", name=path.name)
    if not path.is_file():
        raise InputError("finder_weights_not_found", path=path)
    with whole(path):
        with safe_open(str(path), "pt") as file:
            known = file.metadata() or {}
        if known.get("format") != form:
            raise InputError("finder_of_another_program", name=path.name, what=Message(what))
        return {name: json.loads(value) for name, value in known.items() if name != "format"}


@contextmanager
def whole(path: Path) -> Iterator[None]:
    """While a network is built from a file: what does not fit is said of the file."""
    from safetensors import SafetensorError

    try:
        yield
    except (SafetensorError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise InputError("finder_damaged", name=path.name, detail=error) from error
