"""Hostile calls of the shell: files that are none, names that are paths, numbers out of range.

Every verb with every file and every name that hurts. A call passes when it ends by itself with exit
code 0, 1 or 2, with a sentence where it is not 0, and leaves no half-written file: nothing under a
temporary name, every JSON whole, and what was there before as it was.

    python -m benchmarks.hostile [--verbose]
"""

import argparse
import contextlib
import io
import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from realism.cli import main as program
from realism.config import ASSETS

MOST_SECONDS = 60  # that a call may take
MOST_LINES = 60  # on standard error: progress and a sentence
MEI = ASSETS / "people" / "mei"
NAMES = [
    "",
    " ",
    ".",
    "..",
    "../mei",
    "a/b",
    "a\\b",
    "con:",
    "-",
    "玫😀",
    "x" * 300,
    "\x00",
    "?",
    "nobody",
]


def hostile_files(folder: Path) -> dict[str, Path]:
    """Files that are no photos, by what is wrong with them."""
    whole = (MEI / "mei-01.jpg").read_bytes()
    files = {
        "empty": b"",
        "text": b"no picture",
        "cut off": whole[:5000],
        "header alone": whole[:20],
        "html": b"<!doctype html><script>alert(1)</script>",
        "zip": b"PK\x03\x04" + bytes(100),
        "json": b"[]",
        "broken json": b'{"images": [',
        "nested json": b"[" * 100_000,
        "nulls": bytes(100_000),
        "utf-16": "caf\xe9".encode("utf-16"),
        "pickle": b"\x80\x04cposix\nsystem\n(Vtouch hacked\ntR.",
    }
    named = {what: folder / f"{what.replace(' ', '-')}.jpg" for what in files}
    for what, data in files.items():
        named[what].write_bytes(data)
    for what, picture in {
        "one pixel": Image.new("RGB", (1, 1)),
        "no face": Image.fromarray(np.full((300, 300, 3), 128, np.uint8)),
        "two faces": Image.open(MEI.parent / "mei-and-ravi.jpg"),
        "long and thin": Image.new("RGB", (20_000, 70)),
    }.items():
        named[what] = folder / f"{what.replace(' ', '-')}.png"
        picture.save(named[what])
    named["missing"] = folder / "missing.jpg"
    named["a folder"] = folder / "folder"
    named["a folder"].mkdir()
    named["a loop"] = folder / "loop.jpg"
    named["a loop"].symlink_to(named["a loop"])
    named["a pipe"] = folder / "pipe.jpg"
    os.mkfifo(named["a pipe"])
    named["a device"] = Path("/dev/zero")
    named["a device without an end"] = Path("/dev/full")
    named["no utf-8"] = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.jpg"))
    named["no utf-8"].write_bytes(b"text")
    named["a whole photo"] = folder / "whole.jpg"
    named["a whole photo"].write_bytes(whole)
    return named


def hostile_calls(files: dict[str, Path], out: Path) -> Iterator[list[str]]:
    """The words of each call."""
    good = str(files["a whole photo"])
    for file in map(str, files.values()):
        yield ["photos", "add", "mei", file]
        yield ["photos", "choose", "mei", file, "accept"]
        yield ["marks", "find", file, "--json", str(out / "found.json")]
        yield ["marks", "find", good, "--weights", file]
        yield ["marks", "restore", file, "--photo", good, "--out", str(out / "o.png")]
        yield ["marks", "restore", good, "--photo", file, "--out", str(out / "o.png")]
        yield [
            "marks",
            "restore",
            good,
            "--photo",
            good,
            "--marks",
            file,
            "--out",
            str(out / "o.png"),
        ]
        yield ["marks", "restore", good, "--photo", good, "--out", file]
        yield ["rank", "--photos", file, "--portraits", file]
        yield ["bases", file]
        yield ["styles", "add", file]
        yield ["portraits", "mei", "--base", file, "--count", "1"]
        yield ["portraits", "mei", "--adapter", file, "--count", "1", "--steps", "1"]
        yield ["finetune", "mei", "--base", file]
        yield ["finetune", "--stage", "1", "--faces", file]
    for name in NAMES:
        yield ["photos", "add", name, good]
        yield ["photos", "list", name]
        yield ["photos", "choose", "mei", name, "accept"]
        yield ["photos", "flip", "mei", name]
        yield ["delete", name, "--yes"]
        yield ["finetune", name]
        yield ["portraits", name]
        yield ["portraits", "mei", "--style", name]
        yield ["styles", "remove", name]
        yield ["marks", "passport", name]
        yield ["bases", name]
        yield ["bogus", name]
    for option, number in itertools.product(
        ("--count", "--steps", "--seed", "--guidance-scale", "--weight"),
        ("-1", "0", "1e99", "nan", "x", str(2**70)),
    ):
        if (option, number) != ("--seed", "0"):
            small = [] if option in ("--count", "--steps") else ["--count", "1", "--steps", "1"]
            yield ["portraits", "mei", "--adapter", "none", *small, option, number]


def call(words: list[str]) -> tuple[int | str, str]:
    """Exit code, or what escaped; standard error."""
    out, err = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, ["realism", *words]
    signal.alarm(MOST_SECONDS)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            program.main()
        return 0, err.getvalue()
    except SystemExit as ended:
        return int(ended.code or 0), err.getvalue()
    except BaseException:  # whatever escapes is what is counted here
        return traceback.format_exc(limit=-2), err.getvalue()
    finally:
        signal.alarm(0)
        sys.argv = before


def half_written(home: Path) -> list[str]:
    """Files under a temporary name, and JSON that is not whole."""
    found = []
    for file in home.rglob("*"):
        hidden = file.name.startswith(".") and not file.name.startswith((".stage1", ".page"))
        if hidden and file.is_file():
            found.append(str(file))
        elif file.suffix == ".json" and file.is_file():
            try:
                json.loads(file.read_text("utf-8"))
            except ValueError:
                found.append(str(file))
    return found


def main() -> None:
    """Print each call that fails, and the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--verbose", action="store_true", help="print every call")
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, _too_long)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ |= {"REALISM_HOME": str(root / "people"), "REALISM_FACE_ENGINE": "dlib"}
        os.environ |= {"HF_HUB_OFFLINE": "1", "REALISM_CACHE": str(root / "cache")}
        (root / "files").mkdir()
        (root / "out").mkdir()
        os.chdir(root)
        files = hostile_files(root / "files")
        code, err = call(["photos", "add", "mei", str(MEI / "mei-02.jpg"), "--consent"])
        assert code == 0, err
        kept = root / "kept"
        shutil.copytree(root / "people" / "mei", kept)
        for words in hostile_calls(files, root / "out"):
            code, err = call(words)
            faults = []
            if not isinstance(code, int):
                faults.append(code.strip().splitlines()[-1] + "\n" + code)
            elif code not in (0, 1, 2) or "Traceback" in err or len(err.splitlines()) > MOST_LINES:
                faults.append(f"exit code {code}: {err[-500:]}")
            elif code and not err.strip():
                faults.append(f"exit code {code} without a word")
            faults += [f"half-written: {file}" for file in half_written(root / "people")]
            if (root / "hacked").exists():
                faults.append("a pickle was run")
            if not (root / "people" / "mei" / "person.json").exists():
                faults.append("mei is gone")
                shutil.copytree(kept, root / "people" / "mei", dirs_exist_ok=True)
            counts["failed" if faults else f"exit code {code}"] += 1
            if options.verbose or faults:
                shown = " ".join(word[:60] for word in words).replace(folder, "")
                last = (err.strip().splitlines() or [""])[-1].replace(folder, "")[:160]
                print(f"{'FAILED' if faults else code}: realism {shown!r}: {last}", flush=True)
            for fault in faults:
                print(f"    {fault}", flush=True)
        os.chdir("/")
    print(f"{sum(counts.values())} calls: " + ", ".join(f"{n} {c}" for c, n in counts.items()))


def _too_long(*_: object) -> None:
    raise TimeoutError(f"no end after {MOST_SECONDS} s")


if __name__ == "__main__":
    main()
