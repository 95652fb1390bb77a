"""Write a file whole or not at all; read JSON back as what it should be.

Every file of ours is written under a temporary name beside its place and renamed, so that a
killed process, a full disk or a second reader never meets half a file. What a killed process
leaves under such a name is swept at the next start: the name says whose it is. People edit our
JSON by hand: what does not fit is refused with the place in the file, never a KeyError later.
"""

import errno
import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from safetensors import SafetensorError

from realism.errors import InputError, Message
from realism.faults import describe_faults

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Model = TypeVar("Model")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # EFBIG: a file-size limit, as good as full
NOT_ALLOWED = (errno.EACCES, errno.EROFS, errno.EPERM)
# Something on the way to the folder is a file, or nothing can be made there at all.
NO_FOLDER = (errno.ENOTDIR, errno.EEXIST, errno.ENOENT)
TEMPORARY = re.compile(r"\.realism-([0-9a-f]{6})-(\d+)-")  # the machine and process that writes it
A_DAY = 86400  # s; for so long what another machine writes here is left to it


@contextmanager
def whole_file(path: Path, durable: bool = True) -> Iterator[Path]:
    """Give a temporary path to write to; rename it to `path` when the block ends well.

    The temporary name keeps the suffix, since writers of pictures and weights read it.

    Parameters
    ----------
    path : Path
    durable : bool
        Wait until it is on the disk; not for copies that a person waits for and anybody can make
        again.

    Raises
    ------
    InputError
        `target_is_no_file`, `disk_full`, `folder_not_writable`.
    """
    # A link stays one, and what it leads to is written.
    path = Path(os.path.realpath(path)) if os.path.islink(path) else Path(path)
    if path.is_dir() or (path.exists() and not path.is_file()):
        # A device or a pipe would be replaced by a file, where whoever asks may do that.
        raise InputError("target_is_no_file", path=path)
    temporary = None
    try:
        _make_folder(path.parent)
        prefix = _prefix()
        try:
            handle, name = tempfile.mkstemp(prefix=prefix, suffix=path.suffix, dir=path.parent)
        except FileNotFoundError as error:  # as in /proc, where nothing can be made
            raise InputError("folder_not_writable", folder=path.parent) from error
        os.close(handle)
        temporary = Path(name)
        yield temporary
        if durable:
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
        temporary = Path(tempfile.mkdtemp(prefix=_prefix(), dir=path.parent))
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


def delete_folder(folder: Path) -> None:
    """Delete a folder: first out of sight in one step, so that a crash leaves no half of it."""
    gone = Path(tempfile.mkdtemp(prefix=_prefix(), dir=folder.parent))
    folder.replace(gone / folder.name)
    shutil.rmtree(gone)


def sweep(*folders: Path) -> list[Path]:
    """Delete what killed processes left half written or half deleted in folders.

    What a process that runs is writing stays, and for a day what another machine writes.

    Parameters
    ----------
    folders : Path
        Looked through with all folders in them; one that is not there holds nothing.

    Returns
    -------
    list of Path
        What was deleted.
    """
    swept = []
    for folder in folders:
        for place, inside, files in os.walk(folder):
            for name in (*inside, *files):
                path = Path(place, name)
                if (found := TEMPORARY.match(name)) and _is_left_over(path, *found.groups()):
                    _delete(path)
                    swept.append(path)
            inside[:] = [name for name in inside if not TEMPORARY.match(name)]
    return swept


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):  # another account's: it is swept when that one starts
            path.unlink()


def _is_left_over(path: Path, machine: str, process: str) -> bool:
    """Whether nobody writes a temporary file or folder any more."""
    import psutil

    try:
        changed = path.stat().st_mtime
    except FileNotFoundError:  # its writer has just finished
        return False
    if machine != _machine():
        return time.time() - changed > A_DAY
    try:
        # A number is given again: a process that began later is another one.
        return psutil.Process(int(process)).create_time() > changed + 1
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def _prefix() -> str:
    """How temporary names of this process begin, as `TEMPORARY` reads them."""
    return f".realism-{_machine()}-{os.getpid()}-"


@cache
def _machine() -> str:
    """Six hexadecimal digits that tell this machine or container from others."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


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


def is_full(error: OSError) -> bool:
    """Whether a write failed for want of room."""
    return error.errno in FULL


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
    except (ValueError, RecursionError) as error:
        place = Message("json_unreadable")  # no UTF-8, nested without end, a number of 5000 digits
        if isinstance(error, json.JSONDecodeError):
            place = Message("json_place", line=error.lineno, column=error.colno)
        raise InputError("file_not_json", path=path, what=Message(what), detail=place) from error


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


@cache
def _adapter(model: type[Model]) -> "TypeAdapter[Model]":
    from pydantic import TypeAdapter

    return TypeAdapter(model)
