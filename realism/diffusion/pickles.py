"""Weights that lie as pickles: opened without running anything, kept once more as safetensors.

A pickle is a small program; opened by Python itself it can run any other. torch's weights-only
loader runs none of it and knows tensors alone (its list of what it lets through is short and holds
nothing that acts). What that loader refuses is refused here, with the names that the pickle calls
for: they are read from its instructions, none of which is followed. What it accepts is written as
safetensors in the cache, under a temporary name first, and read from there ever after.

Formats: `torch.save` before 1.6 (five pickles, then the numbers) and since (a zip).
https://docs.pytorch.org/docs/stable/notes/serialization.html#weights-only
"""

from __future__ import annotations

import hashlib
import json
import pickle
import pickletools
import re
import shutil
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from realism.config import cache_folder
from realism.disk import whole_file, whole_folder
from realism.errors import InputError, Message

if TYPE_CHECKING:
    import torch

SUFFIXES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
Progress = Callable[[float, Message], object]  # how much is done, 0..1, and what is being done

# What a file of plain tensors names; whatever else it names it would have called.
PLAIN = re.compile(
    r"collections\.OrderedDict|torch\._utils\._rebuild_\w+|torch\.Size|torch\.device"
    r"|torch(\.cuda)?\.\w+Storage|torch\.storage\.\w+Storage|torch\.nn\.parameter\.Parameter"
    r"|torch\.(?:b?float|u?int|complex)\w+|torch\.(?:bool|half|double|long|short)"
    r"|torch\.serialization\._get_layout"
)
SYSTEM = {"posix": "os", "nt": "os"}  # os.system is kept under the name of the system's own module
PICKLES_OF_OLD_FILES = 5  # a number by which it is known, version, machine, tensors, their places
# What torch's loader raises of files that are cut off, or made to mislead it.
UNREADABLE = (
    pickle.UnpicklingError, RuntimeError, EOFError, LookupError, ValueError, TypeError,
    AttributeError, AssertionError, OverflowError, struct.error,
)  # fmt: skip
WRAPPERS = ("state_dict", "model", "module")  # under which trainers put the tensors


def is_pickle(path: Path) -> bool:
    """Whether a file's name says that it is a pickle."""
    return path.suffix.lower() in SUFFIXES


def safetensors_of(path: Path, progress: Progress | None = None) -> Path:
    """The tensors of one pickle as a safetensors file in the cache, written on the first call.

    Raises
    ------
    InputError
        It holds more than tensors, is damaged, or of a kind that cannot be opened so.
    """
    if not path.is_file():
        raise InputError("weights_not_found", path=path)
    target = _place(path, [path]) / f"{path.stem}.safetensors"
    if not target.exists():
        _say(progress, 0, path.name)
        _forget_earlier(target.parent)
        with whole_file(target) as temporary:
            _write_tensors(read_tensors(path), temporary)
        _say(progress, 1, path.name)
    return target


def folder_of(
    path: Path, parts: Mapping[str, Iterable[Path]], progress: Progress | None = None
) -> Path:
    """A base's folder, in the cache, in which each pickle is a safetensors file instead.

    Parameters
    ----------
    path : Path
        In diffusers layout.
    parts : mapping of str to files
        Weights of each of its parts; what is no pickle is linked to, not copied.

    Raises
    ------
    InputError
        As of `safetensors_of`.
    """
    parts = {part: sorted(files) for part, files in parts.items()}
    target = _place(path, [file for files in parts.values() for file in files])
    if target.exists():
        return target
    _forget_earlier(target)
    with whole_folder(target) as temporary:
        for file in _descriptions(path):
            copy = temporary / file.relative_to(path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        for number, (part, files) in enumerate(parts.items()):
            (temporary / part).mkdir(exist_ok=True)
            pickles = [file for file in files if is_pickle(file)]
            for file in set(files) - set(pickles):
                _link(file, temporary / part / file.name)
            if pickles:
                _say(progress, number / len(parts), f"{part}/{pickles[0].name}")
                tensors = {k: v for file in pickles for k, v in read_tensors(file).items()}
                _write_tensors(tensors, temporary / part / _safetensors_name(pickles[0].name))
    _say(progress, 1, path.name)
    return target


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Name to tensor of a pickle, by torch's weights-only loader and nothing else.

    Raises
    ------
    InputError
        As of `safetensors_of`.
    """
    import torch

    in_zip = zipfile.is_zipfile(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old protocols: what it cannot read it refuses
            held = torch.load(path, map_location="cpu", weights_only=True, mmap=in_zip or None)
    except PermissionError as error:
        raise InputError("weights_not_readable", path=path) from error
    except UNREADABLE as error:
        foreign = [name for name in names_called_for(path) if not PLAIN.fullmatch(name)]
        if foreign:
            raise InputError("pickle_runs_code", name=path.name, runs=foreign) from error
        raise InputError("pickle_damaged", name=path.name) from error
    tensors = {name: value for name, value in _unwrapped(held).items() if _is_plain(name, value)}
    if not tensors:
        raise InputError("pickle_without_tensors", name=path.name)
    return tensors


def names_called_for(path: Path) -> list[str]:
    """Dotted names of all that a pickle would import, read from its instructions; none is run."""
    found: dict[str, None] = {}
    for stream in _pickles(path):
        strings: list[str] = []  # as they were pushed: a name may be put together from two of them
        remembered: dict[int, str] = {}
        try:
            for operation, argument, _ in pickletools.genops(stream):
                if operation.name in ("GLOBAL", "INST"):
                    module, _, name = str(argument).partition(" ")
                elif operation.name == "STACK_GLOBAL":
                    module, name = (["?", "?", *strings])[-2:]
                else:
                    _follow_strings(operation, argument, strings, remembered)
                    continue
                found[f"{SYSTEM.get(module, module)}.{name}"] = None
        except (ValueError, IndexError, UnicodeDecodeError):  # no pickle here, or half of one
            break
    return list(found)


def _follow_strings(
    operation: pickletools.OpcodeInfo, argument: Any, strings: list[str], remembered: dict[int, str]
) -> None:
    """Keep the strings that a pickle pushes, also those it pushed before and takes up again."""
    if isinstance(argument, str) and "UNICODE" in operation.name:
        strings.append(argument)
    elif operation.name == "MEMOIZE":
        remembered[len(remembered)] = strings[-1] if strings else "?"
    elif operation.name in ("PUT", "BINPUT", "LONG_BINPUT"):
        remembered[int(argument)] = strings[-1] if strings else "?"
    elif operation.name in ("GET", "BINGET", "LONG_BINGET"):
        strings.append(remembered.get(int(argument), "?"))


def _pickles(path: Path) -> Iterator[IO[bytes]]:
    """Each pickle of a file, in either of torch's formats, or the file as one pickle."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".pkl"):
                    with archive.open(name) as stream:
                        yield stream
        return
    with path.open("rb") as stream:
        for _ in range(PICKLES_OF_OLD_FILES):
            yield stream  # it stands behind the last one then


def _unwrapped(held: Any) -> dict[Any, Any]:
    """The dictionary that has the tensors: itself, or what trainers wrap around them."""
    for _ in range(3):
        inner = [held[name] for name in WRAPPERS if isinstance(held, dict) and name in held]
        inner = [value for value in inner if isinstance(value, dict)]
        if not inner:
            break
        held = inner[0]
    return held if isinstance(held, dict) else {}


def _is_plain(name: Any, value: Any) -> bool:
    import torch

    return (
        isinstance(name, str)
        and isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and not value.is_quantized
    )


def _write_tensors(tensors: dict[str, torch.Tensor], file: Path) -> None:
    from safetensors.torch import save_file

    seen: set[int] = set()
    apart = {}
    for name, value in tensors.items():
        place = value.untyped_storage().data_ptr()
        # Two names for the same numbers are written twice: safetensors knows no names for others.
        value = value.detach().contiguous()
        apart[name] = value.clone() if place in seen else value
        seen.add(place)
    save_file(apart, file, metadata={"format": "pt"})


# Places in the cache --------------------------------------------------------------------------


def _place(path: Path, files: Iterable[Path]) -> Path:
    """Where the copy of these files lies; another place as soon as one of them changes."""
    state = [(file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return _all_places(path) / hashlib.sha256(json.dumps(state).encode()).hexdigest()[:12]


def _all_places(path: Path) -> Path:
    absolute = str(path.absolute())
    digest = hashlib.sha256(absolute.encode()).hexdigest()[:12]
    return cache_folder() / "safetensors" / f"{path.stem}-{digest}"


def _forget_earlier(place: Path) -> None:
    """Remove copies of what lay there before it changed."""
    if place.parent.is_dir():
        for earlier in place.parent.iterdir():
            shutil.rmtree(earlier, ignore_errors=True)


def _descriptions(path: Path) -> list[Path]:
    """The configurations and vocabularies of a base, not the lists of its weights' files."""
    files = [*path.glob("*"), *path.glob("*/*")]
    small = [file for file in files if file.suffix in (".json", ".txt", ".model", ".jinja")]
    return [file for file in small if not file.name.endswith(".bin.index.json")]


def _safetensors_name(name: str) -> str:
    """As diffusers and transformers call the safetensors version of a pickle."""
    whole = re.sub(r"-\d+-of-\d+", "", name.replace("pytorch_model", "model", 1))
    if name.startswith("diffusion_"):
        whole = re.sub(r"-\d+-of-\d+", "", name)
    return f"{whole.rpartition('.')[0]}.safetensors"


def _link(file: Path, link: Path) -> None:
    try:
        link.symlink_to(file.resolve())
    except OSError:  # Windows lets only some users make links
        shutil.copyfile(file, link)


def _say(progress: Progress | None, share: float, name: str) -> None:
    if progress:
        progress(share, Message("pickle_converted", name=name, folder=cache_folder()))
