"""Write a file whole or not at all.

Every file of ours is written under a temporary name beside its place and renamed, so that a
killed process, a full disk or a second reader never meets half a file.
"""

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from realism.errors import InputError, Message

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # EFBIG: a file-size limit, as good as full


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; rename it to `path` when the block ends well.

    The temporary name keeps the suffix, since writers of pictures and weights read it.
    Raises InputError when the disk is full or the folder may not be written.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        # mkstemp makes the file private to the owner; it keeps that: these are photos of people.
        temporary.replace(path)
    except OSError as error:
        if error.errno in FULL:
            raise InputError("disk_full", name=path.name) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise InputError("folder_not_writable", folder=path.parent) from error
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented UTF-8 JSON to `path`, whole or not at all."""
    write_bytes(path, json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n")


def read_json(path: Path, what: str) -> object:
    """Read JSON that a person may have edited; `what` is the code of its name in messages."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError("file_not_there", what=Message(what), path=path) from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError("file_not_json", path=path, what=Message(what), detail=error) from error
