"""Write a file whole or not at all; read JSON back as what it should be.

Every file of ours is written under a temporary name beside its place and renamed, so that a
killed process, a full disk or a second reader never meets half a file. People edit our JSON by
hand: what does not fit is refused with the place in the file, never a KeyError later.
"""

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from safetensors import SafetensorError

from realism.errors import InputError, Message

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

Model = TypeVar("Model")
MOST_FAULTS = 3  # of a file that are named in one message
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # EFBIG: a file-size limit, as good as full
NOT_ALLOWED = (errno.EACCES, errno.EROFS, errno.EPERM)
# Something on the way to the folder is a file, or nothing can be made there at all.
NO_FOLDER = (errno.ENOTDIR, errno.EEXIST, errno.ENOENT)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; rename it to `path` when the block ends well.

    The temporary name keeps the suffix, since writers of pictures and weights read it.

    Raises
    ------
    InputError
        `disk_full`, `folder_not_writable`.
    """
    path = Path(path)
    temporary = None
    try:
        _make_folder(path.parent)
        handle, name = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        # mkstemp makes the file private to the owner; it keeps that: these are photos of people.
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        if said := _said(error, path):
            raise said from error
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder to fill; rename it to `path` when the block ends well.

    Where another process was first, its folder stays.

    Raises
    ------
    InputError
        `disk_full`, `folder_not_writable`.
    """
    temporary = None
    try:
        _make_folder(path.parent)
        temporary = Path(tempfile.mkdtemp(prefix=".", dir=path.parent))
        yield temporary
        if not path.exists():
            temporary.replace(path)
    except (OSError, SafetensorError) as error:
        if said := _said(error, path):
            raise said from error
        raise
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in NO_FOLDER:
            raise InputError("folder_not_writable", folder=folder) from error
        raise


def _said(error: OSError | SafetensorError, path: Path) -> InputError | None:
    """What a person is told of a failed write that they can mend."""
    number = error.errno if isinstance(error, OSError) else _number_in(str(error))
    if number in FULL:
        return InputError("disk_full", name=path.name)
    if number in NOT_ALLOWED:
        return InputError("folder_not_writable", folder=path.parent)
    return None


def _number_in(message: str) -> int | None:
    """The system's number of a fault that safetensors tells as "... (os error 28)"."""
    found = re.search(r"\(os error (\d+)\)", message)
    return int(found.group(1)) if found else None


def printable_name(path: Path) -> str:
    """A file's name as it can be shown and kept: bytes that are no UTF-8 become a mark."""
    return path.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def is_there(path: Path) -> bool:
    """Whether a file or folder exists; what is too long for a name is none."""
    try:
        return path.exists()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented UTF-8 JSON to `path`, whole or not at all."""
    try:
        data = json.dumps(value, ensure_ascii=False, indent=1).encode()
    except UnicodeEncodeError:  # the name of a file that is no UTF-8: by its number then
        data = json.dumps(value, indent=1).encode()
    write_bytes(path, data + b"\n")


def read_json(path: Path, what: str) -> Any:
    """Read free-form JSON that a person may have edited.

    Parameters
    ----------
    path : Path
    what : str
        Code of the file's name in messages.

    Raises
    ------
    InputError
        `file_not_there`, `file_not_readable`, `file_not_json`.
    """
    try:
        if not Path(path).is_file():
            raise InputError("file_not_there", what=Message(what), path=path)
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError("file_not_there", what=Message(what), path=path) from error
    except PermissionError as error:
        raise InputError("file_not_readable", what=Message(what), path=path) from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InputError("file_not_json", path=path, what=Message(what), detail=error) from error


def read_model(path: Path, model: type[Model], what: str) -> Model:
    """Read JSON that a person may have edited into the type that it is of.

    Parameters
    ----------
    path : Path
    model : type
        Whatever pydantic can validate: a dataclass, a TypedDict, a BaseModel, `dict[str, float]`.
    what : str
        Code of the file's name in messages.

    Raises
    ------
    InputError
        As of `read_json`, and `file_does_not_fit` with the places and what is wrong there.
    """
    return validate(read_json(path, what), model, what, path)


def validate(value: object, model: type[Model], what: str, path: Path | str) -> Model:
    """What `read_model` makes of JSON that has been read already, from `path`."""
    from pydantic import ValidationError

    try:
        return _adapter(model).validate_python(value)
    except ValidationError as error:
        faults = describe_faults(error)
        raise InputError(
            "file_does_not_fit", path=path, what=Message(what), faults=faults
        ) from error


def describe_faults(error: "ValidationError") -> list[str]:
    """The first faults that pydantic found: where each lies and what is wrong there."""
    return [
        ": ".join(filter(None, (".".join(map(str, fault["loc"])), fault["msg"])))
        for fault in error.errors(include_url=False, include_input=False)[:MOST_FAULTS]
    ]


@cache
def _adapter(model: type[Model]) -> "TypeAdapter[Model]":
    from pydantic import TypeAdapter

    return TypeAdapter(model)
