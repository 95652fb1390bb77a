"""Read a .safetensors file without loading it: names, shapes, places of its tensors.

A checkpoint of seven gigabytes tells what it is, whether it is whole and how much memory it wants
in a few milliseconds, and nothing in it can run. Its header is read by the safetensors library,
which refuses a file that is cut off; the numbers lie after one another, in the order of their
offsets, up to the file's end.

Format: https://github.com/huggingface/safetensors#format
"""

import hashlib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from realism.diffusion.pickles import is_pickle
from realism.errors import InputError

# Files of a part of a folder: diffusers' and transformers' own names, not those of other runtimes.
WEIGHTS = re.compile(
    r"(?:diffusion_pytorch_model|pytorch_model|model)(?:\.(?P<variant>fp16))?(?:-\d+-of-\d+)?"
    r"\.(?P<kind>safetensors|bin)"
)
SAMPLE = 64  # numbers looked at in every tensor for the fingerprint
# The unsigned number under each float, to read its sign bit.
FLOATS = {
    "F64": np.dtype("<u8"),
    "F32": np.dtype("<u4"),
    "F16": np.dtype("<u2"),
    "BF16": np.dtype("<u2"),
    "F8_E4M3": np.dtype("u1"),
    "F8_E5M2": np.dtype("u1"),
}


@dataclass(frozen=True)
class TensorHeader:
    """One tensor of a file, not loaded.

    Attributes
    ----------
    shape : tuple of int
        Its sides.
    dtype : str
        As safetensors writes it: "F32", "F16", "BF16", "I64", ...
    start : int
        Its first byte in the file.
    """

    shape: tuple[int, ...]
    dtype: str
    start: int

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


def read_tensor_headers(path: Path) -> dict[str, TensorHeader]:
    """Name to header of every tensor of a safetensors file.

    Raises
    ------
    InputError
        Where the file is a pickle, cut off, or something else.
    """
    from safetensors import SafetensorError, safe_open

    if is_pickle(path):
        raise InputError("weights_pickle", name=path.name)
    if not path.is_file():
        raise InputError("weights_not_found", path=path)
    try:
        with safe_open(path, framework="numpy") as file:
            slices = {name: file.get_slice(name) for name in file.offset_keys()}
    except PermissionError as error:
        raise InputError("weights_not_readable", path=path) from error
    except SafetensorError as error:
        raise InputError("weights_damaged", name=path.name) from error
    sizes = {
        name: prod(part.get_shape()) * _bits(part.get_dtype()) // 8 for name, part in slices.items()
    }
    headers, start = {}, path.stat().st_size - sum(sizes.values())
    for name, part in slices.items():
        headers[name] = TensorHeader(tuple(part.get_shape()), part.get_dtype(), start)
        start += sizes[name]
    return headers


def _bits(dtype: str) -> int:
    """How many bits a number takes: 16 of "BF16", 8 of "F8_E4M3"."""
    digits = re.search(r"\d+", dtype)
    return int(digits[0]) if digits else 8  # BOOL


def merge_headers(files: Iterable[Path]) -> dict[str, TensorHeader]:
    """Name to header of a network that lies in one file or several."""
    return {name: header for file in files for name, header in read_tensor_headers(file).items()}


def fingerprint(
    files: Iterable[Path], prefix: str = "", names: Collection[str] | None = None
) -> str:
    """A name for weights that all copies of a model share and no two models do.

    It is kept beside LoRAs and in portraits: the digits of a file never change.

    Parameters
    ----------
    files : iterable of Path
        Safetensors files that hold the network.
    prefix : str
        Take only tensors whose name starts so.
    names : collection of str, optional
        Take only these.

    Returns
    -------
    str
        64 hexadecimal digits: SHA-256 over every tensor's shape and the signs of SAMPLE of its
        numbers. Rounding to half precision and the two ways of naming the layers (diffusers,
        single file) change neither; training, however short, flips some of 40 000 signs.
    """
    digests = []
    for path in files:
        with path.open("rb") as file:
            for name, header in read_tensor_headers(path).items():
                if not name.startswith(prefix) or header.dtype not in FLOATS:
                    continue
                if names is not None and name not in names:
                    continue
                numbers = FLOATS[header.dtype]
                first = max(0, header.elements // 2 - SAMPLE // 2)
                file.seek(header.start + first * numbers.itemsize)
                held = file.read(min(SAMPLE, header.elements) * numbers.itemsize)
                signs = np.frombuffer(held, numbers) >> (8 * numbers.itemsize - 1)
                # A 1×1 convolution in one layout is a matrix in the other.
                shape = tuple(side for side in header.shape if side > 1)
                digests.append(hashlib.sha256(f"{shape} {signs.tolist()}".encode()).hexdigest())
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()
