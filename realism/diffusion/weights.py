"""Read a .safetensors file without loading it: names, shapes, places of its tensors.

The format is eight bytes of length (little endian), a JSON header with dtype, shape and byte
range of every tensor, then the bytes. So a checkpoint of seven gigabytes tells what it is, whether
it is whole and how much memory it wants in a few milliseconds, and nothing in it can run.

Format: https://github.com/huggingface/safetensors#format
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from realism.errors import InputError

MAX_HEADER = 100_000_000  # bytes; the limit of the safetensors library itself
SAMPLE = 64  # numbers looked at in every tensor for the fingerprint
# The unsigned number under each float, to read its sign bit.
FLOATS = {
    "F64": np.dtype("<u8"),
    "F32": np.dtype("<u4"),
    "F16": np.dtype("<u2"),
    "BF16": np.dtype("<u2"),
}
PICKLES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")


@dataclass(frozen=True)
class TensorHeader:
    """One tensor of a file, not loaded.

    shape         its sides
    dtype         as safetensors writes it: "F32", "F16", "BF16", "I64", ...
    start, end    its bytes in the file
    """

    shape: tuple[int, ...]
    dtype: str
    start: int
    end: int

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


def read_tensor_headers(path: Path) -> dict[str, TensorHeader]:
    """Name -> TensorHeader of a safetensors file.

    Raises InputError where the file is a pickle, cut off, or something else.
    """
    refuse_pickle(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(MAX_HEADER, size - 8):
                raise InputError("weights_damaged", name=path.name)
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        tensors = {
            name: TensorHeader(
                tuple(entry["shape"]),
                entry["dtype"],
                *(8 + length + at for at in entry["data_offsets"]),
            )
            for name, entry in header.items()
        }
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError("weights_not_found", path=path) from error
    except PermissionError as error:
        raise InputError("weights_not_readable", path=path) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError("weights_damaged", name=path.name) from error
    if max((tensor.end for tensor in tensors.values()), default=0) > size:
        raise InputError("weights_damaged", name=path.name)
    return tensors


def refuse_pickle(path: Path) -> None:
    """Raise InputError where the name says that loading the file could run a program in it."""
    if path.suffix.lower() in PICKLES:
        raise InputError("weights_pickle", name=path.name)


def fingerprint(files: Iterable[Path], prefix: str = "") -> str:
    """A name for weights that all copies of a model share and no two models do.

    files     safetensors files that hold the network
    prefix    take only tensors whose name starts so
    ->        64 hexadecimal digits: SHA-256 over every tensor's shape and the signs of SAMPLE of
              its numbers. Rounding to half precision and the two ways of naming the layers
              (diffusers, single file) change neither; training, however short, flips some of
              40 000 signs.
    """
    digests = []
    for path in files:
        with path.open("rb") as file:
            for name, tensor in read_tensor_headers(path).items():
                if not name.startswith(prefix) or tensor.dtype not in FLOATS:
                    continue
                numbers = FLOATS[tensor.dtype]
                first = max(0, tensor.elements // 2 - SAMPLE // 2)
                file.seek(tensor.start + first * numbers.itemsize)
                held = file.read(min(SAMPLE, tensor.elements) * numbers.itemsize)
                signs = np.frombuffer(held, numbers) >> (8 * numbers.itemsize - 1)
                # A 1×1 convolution in one layout is a matrix in the other.
                shape = tuple(side for side in tensor.shape if side > 1)
                digests.append(hashlib.sha256(f"{shape} {signs.tolist()}".encode()).hexdigest())
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()
