"""A file is written whole or not at all, and read back as what it should be or refused."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired

import pytest
from typing_extensions import TypedDict

from realism.config import cache_folder, home
from realism.diffusion.base import find_base
from realism.disk import (
    TEMPORARY,
    delete_folder,
    is_there,
    read_json,
    read_model,
    sweep,
    validate,
    whole_file,
    whole_folder,
    write_bytes,
    write_json,
)
from realism.errors import InputError


@dataclass(frozen=True)
class Kept:
    name: str
    widths: dict[str, float]
    note: str | None = None


class Entry(TypedDict):
    code: str
    value: NotRequired[float]


def test_what_was_written_is_read_back_as_its_type(tmp_path):
    file = tmp_path / "folder" / "kept.json"
    write_json(file, {"name": "玫", "widths": {"a.jpg": 160}})
    assert read_model(file, Kept, "file_person") == Kept("玫", {"a.jpg": 160.0})
    assert validate([{"code": "soft"}], list[Entry], "file_marks", file) == [{"code": "soft"}]
    assert os.listdir(file.parent) == ["kept.json"]


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ('{"widths": {}}', "file_does_not_fit", "name is missing"),
        ('{"name": "a", "widths": {"b": "wide"}}', "file_does_not_fit", "widths.b is not a number"),
        ("[]", "file_does_not_fit", "cannot be used as a person"),
        ('{"name": ', "file_not_json", "line 1, column 10"),
        ("[" * 100_000, "file_not_json", "cannot be read as JSON"),
        ("9" * 5000, "file_not_json", "cannot be read as JSON"),
        (None, "file_not_there", "person.json, which should be a person"),
    ],
    ids=[
        "a field is missing",
        "another type",
        "a list",
        "cut off",
        "deep",
        "a long number",
        "no file",
    ],
)
def test_a_file_edited_by_hand_is_refused_with_the_place_in_it(tmp_path, text, code, says):
    file = tmp_path / "person.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InputError, match=says) as refused:
        read_model(file, Kept, "file_person")
    assert refused.value.code == code
    assert str(file) in str(refused.value) and "\n" not in str(refused.value)
    chinese = refused.value.message.text("zh")
    assert str(file) in chinese
    assert not set(re.findall("[A-Za-z.]+", chinese.replace(str(file), ""))) - {
        "JSON", "name", "widths.b",
    }  # fmt: skip


def test_free_form_json_is_read_as_it_is(tmp_path):
    write_json(tmp_path / "a.json", [1, {"b": None}])
    assert read_json(tmp_path / "a.json", "file_person") == [1, {"b": None}]


def test_a_full_disk_is_said_whoever_writes(tmp_path):
    import resource

    import torch
    from safetensors.torch import save_file

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    file = tmp_path / "a.safetensors"
    write_bytes(file, b"whole")
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        for write in (
            lambda path: path.write_bytes(bytes(9999)),
            lambda path: save_file({"a": torch.zeros(9999)}, str(path)),
        ):
            with pytest.raises(InputError) as refused, whole_file(file) as temporary:
                write(temporary)
            assert refused.value.code == "disk_full"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.read_bytes() == b"whole" and os.listdir(tmp_path) == ["a.safetensors"]


def test_a_home_that_is_a_file_or_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "in it", Path("/proc/nowhere")):
        with pytest.raises(InputError, match="choose another folder"):
            write_json(folder / "a.json", {})


def test_a_home_of_an_account_without_one_is_said(monkeypatch):
    monkeypatch.setenv("REALISM_HOME", "~nobody-of-that-name/people")
    with pytest.raises(InputError, match="REALISM_HOME"):
        home()
    monkeypatch.setenv("REALISM_HOME", "")
    assert home() == Path("people")


def test_a_folder_a_device_or_a_pipe_is_not_replaced_by_a_file_and_a_link_stays(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(InputError) as refused:
            write_json(tmp_path / name, 1)
        assert refused.value.code == "target_is_no_file"
    assert (tmp_path / "folder").is_dir() and (tmp_path / "pipe").is_fifo()
    (tmp_path / "link").symlink_to("folder/a.json")
    write_json(tmp_path / "link", [1])
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "a.json").read_text() == "[\n 1\n]\n"
    if Path("/proc/self").exists():
        with pytest.raises(InputError) as refused:
            write_json(Path("/proc/a.json"), 1)
        assert refused.value.code == "folder_not_writable"
    assert not [path for path in tmp_path.rglob(".*")]


def test_copies_of_an_account_without_a_home_lie_among_the_people(tmp_path, monkeypatch):
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as where nobody knows a home
    monkeypatch.setenv("REALISM_HOME", str(tmp_path))
    for name in ("REALISM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert cache_folder() == tmp_path / ".cache"


def test_a_folder_of_a_user_who_is_not_there_is_not_found_in_a_sentence():
    with pytest.raises(InputError) as refused:
        find_base("~nobody-of-that-name/base")
    assert refused.value.code == "base_not_found"


def test_what_is_too_long_for_a_name_is_not_there_and_odd_names_are_kept_in_json(tmp_path):
    assert not is_there(tmp_path / ("x" * 300)) and is_there(tmp_path)
    name = "caf\udce9.jpg"  # a file's name that is no UTF-8, as Python holds it
    write_json(tmp_path / "a.json", {"file": name})
    assert read_json(tmp_path / "a.json", "file_person") == {"file": name}


# --- what a killed process leaves ----------------------------------------------------------------

KILLED = """
import os, signal, sys
from pathlib import Path
from realism import disk
folder = Path(sys.argv[1])
if sys.argv[2] == "file":
    with disk.whole_file(folder / "a.png") as temporary:
        temporary.write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
elif sys.argv[2] == "folder":
    with disk.whole_folder(folder / "copy") as temporary:
        (temporary / "a.json").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
else:
    disk.shutil.rmtree = lambda folder: os.kill(os.getpid(), signal.SIGKILL)
    disk.delete_folder(folder / "copy")
"""


def killed_in(folder: Path, what: str) -> None:
    code = subprocess.run([sys.executable, "-c", KILLED, str(folder), what]).returncode
    assert code == -signal.SIGKILL


@pytest.mark.parametrize("what", ["file", "folder", "deletion"])
def test_what_a_killed_process_left_half_done_is_swept(tmp_path, what):
    place = tmp_path / "people" / "mei"
    write_bytes(place / "a.png", b"whole")
    write_bytes(place / "copy" / "b.json", b"{}")
    killed_in(place, what)
    left = [path for path in place.rglob("*") if TEMPORARY.match(path.name)]
    assert len(left) == 1 and (place / "copy").exists() == (what != "deletion")
    assert (place / "a.png").read_bytes() == b"whole"
    assert sweep(tmp_path, tmp_path / "nowhere") == left
    assert sorted(os.listdir(place)) == ["a.png", *["copy"] * (what != "deletion")]
    assert sweep(tmp_path) == []


def test_what_a_running_process_or_another_machine_writes_is_not_swept(tmp_path):
    with whole_file(tmp_path / "a.png") as temporary, whole_folder(tmp_path / "b") as folder:
        (folder / "inside").write_text("")
        assert sweep(tmp_path) == [] and temporary.exists() and (folder / "inside").exists()
        elsewhere = tmp_path / f".realism-000000-{os.getpid()}-abc.png"
        elsewhere.write_bytes(b"half")
        assert sweep(tmp_path) == [], "it may be running there"
        days_ago = time.time() - 2 * 86400
        os.utime(elsewhere, (days_ago, days_ago))
        assert sweep(tmp_path) == [elsewhere]
        # The number of this process was another one's before it began.
        machine = TEMPORARY.match(temporary.name)[1]
        earlier = tmp_path / f".realism-{machine}-{os.getpid()}-abc.png"
        earlier.write_bytes(b"half")
        os.utime(earlier, (days_ago, days_ago))
        assert sweep(tmp_path) == [earlier]
    for name in (".gitignore", ".realism", "realism-000000-1-a.png"):
        (tmp_path / name).write_text("")
    assert sweep(tmp_path) == []


def test_a_deleted_folder_leaves_nothing(tmp_path):
    write_bytes(tmp_path / "mei" / "photos" / "a.png", b"")
    delete_folder(tmp_path / "mei")
    assert os.listdir(tmp_path) == []
