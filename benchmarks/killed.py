"""Kill a whole run outright at twenty random moments, and see what becomes of it.

    python -m benchmarks.killed [--kills 20] [--seed 1] [--base pocket]

A run is the four steps on an example person, small: photos checked, crops encoded, a LoRA trained,
portraits drawn and ranked, marks restored, all of it zipped. Without `--base` a tiny one of random
weights is trained, whose pictures show no face: marks are restored on two photos as well. Each run
is killed (SIGKILL) at a moment chosen at random within one of these steps, in turn, then begun
again as a person would: the same photos given again, fine-tune and portraits resumed. What is there
at the end is compared, file by file, with two runs that nobody killed; what differs between those
two is not deterministic, is named, and is left out.
"""

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from safetensors.numpy import load

from benchmarks.tiny_bases import make_sd
from realism.config import ASSETS, cache_folder, home
from realism.diffusion.base import load_base
from realism.disk import TEMPORARY, sweep
from realism.faces.engine import load_engine
from realism.finetune.events import TrainingStep
from realism.finetune.stages import default_stages
from realism.person.person import create_person, open_person, write_zip
from realism.person.runs import portraits_of
from realism.workflow import run_through
from realism.workflow.finetune import FinetuneOptions, finetune
from realism.workflow.marks import find_marks_of_person
from realism.workflow.photos import PhotoChecked, add_photos
from realism.workflow.portraits import (
    PortraitRequest,
    PortraitSaved,
    make_portraits,
    resume_portraits,
    unfinished_portraits,
)
from realism.workflow.restore import restore_portraits

STAGES = ("check", "encode", "train", "draw", "rank", "restore", "zip")
PHOTOS = ("01", "02", "09")  # of the example person; one of them is held out
PORTRAITS_OF_OTHERS = ("04", "05")  # photos that count as portraits of another generator
TRAINING_STEPS, SAVE_EVERY, PORTRAITS, SAMPLER_STEPS, SEED = 12, 3, 4, 12, 7
ZIP = ".page/mei.zip"  # among the people, where the page makes it
# Of a file that says when it was made: what is compared of it is the rest.
TIMES = {"person.json": "consent", "ranking-details.json": "inputs"}


# --- the run: a process of its own ---------------------------------------------------------------


def work(base_name: str) -> None:
    """Do the four steps, or what is left of them; a line for each as it begins."""
    swept = sweep(home(), cache_folder())
    say("swept", len(swept))
    engine, base = load_engine("dlib"), load_base(base_name)
    say("stage", "check")
    person = checked(engine)
    learned(person, base, engine)
    run = drawn(person, base, engine)
    say("stage", "restore")
    restored(person, run, engine)
    say("stage", "zip")
    files = sorted(file for file in run.rglob("*") if file.is_file())
    write_zip(home() / ZIP, files, run)
    say("stage", "done")


def checked(engine):
    """Step 1: the photos are given, those that are there already as well."""
    there = (home() / "mei" / "person.json").exists()
    person = open_person("Mei") if there else create_person("Mei", True, "woman")
    files = photos_of_mei(PHOTOS)
    events = list(add_photos(person, files, engine))
    again = sum(event.again for event in events if isinstance(event, PhotoChecked))
    if there:
        say("resumed", f"{again} of {len(files)} photos there")
    return person


def photos_of_mei(numbers: tuple[str, ...]) -> list[Path]:
    """Photos of the example person."""
    return [ASSETS / "people" / "mei" / f"mei-{number}.jpg" for number in numbers]


def learned(person, base, engine) -> None:
    """Step 2, where it is not done: encode and train, from where it was left."""
    folder = person.adapter_folder(base.name)
    if (folder / "last").exists() and not (folder / "running").exists():
        say("resumed", "LoRA there")
        return
    say("stage", "encode")
    stage = replace(
        default_stages(base)[1], steps=TRAINING_STEPS, batch=2, save_every=SAVE_EVERY,
        preview_every=3, preview_seeds=(1,), preview_steps=4, warm_up=2,
        held_out_from=len(PHOTOS),
    )  # fmt: skip
    stepped = False
    for event in finetune(person, base, engine, FinetuneOptions("2", second=stage)):
        if isinstance(event, TrainingStep) and not stepped:
            stepped = True
            say("stage", "train")
            if event.number > 1:
                say("resumed", f"training from step {event.number} of {TRAINING_STEPS}")


def drawn(person, base, engine) -> Path:
    """Step 3, where it is not done: draw and rank; returns the run's folder."""
    say("stage", "draw")
    request = PortraitRequest(count=PORTRAITS, seed=SEED, steps=SAMPLER_STEPS)
    if left := unfinished_portraits(person):
        say("resumed", f"{left[0]} of {left[1]} portraits there")
        walk = resume_portraits(person, base, engine)
    elif runs := person.runs():
        say("resumed", "portraits there")
        person.rank_run(runs[0], engine)
        return runs[0]
    else:
        walk = make_portraits(person, base, engine, request)
    if left and left[0] == left[1]:
        say("stage", "rank")
    for event in walk:
        if isinstance(event, PortraitSaved) and event.number == PORTRAITS:
            say("stage", "rank")
    return person.runs()[0]


def restored(person, run: Path, engine) -> None:
    """Step 4: the marks of all photos on all portraits, from the beginning."""
    marked = run_through(find_marks_of_person(person, engine))
    files = [*portraits_of(run), *photos_of_mei(PORTRAITS_OF_OTHERS)]
    run_through(restore_portraits(files, marked, engine, run / "restored"))


def say(what: str, value: object) -> None:
    """A line for the process that watches."""
    print(what, value, flush=True)


# --- killing it ----------------------------------------------------------------------------------


@dataclass
class Watched:
    """What a process said until it ended."""

    began: dict[str, float]  # stage -> s after the process began
    resumed: list[str]
    swept: int = 0
    killed: bool = False


def watch(root: Path, base: str, stage: str = "", after: float = 0.0) -> Watched:
    """Run `work` in a process; kill it `after` seconds into a stage, where one is named."""
    reading, writing = os.pipe()
    seen, started = Watched({}, []), time.monotonic()
    sys.stdout.flush()
    child = os.fork()  # what takes long to import is imported once
    if not child:
        os.dup2(writing, sys.stdout.fileno())
        places = {"REALISM_HOME": root / "people", "REALISM_CACHE": root / "cache"}
        os.environ |= {name: str(place) for name, place in places.items()}
        try:
            work(base)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as lines:
        for line in lines:
            what, _, value = line.strip().partition(" ")
            if what == "stage":
                seen.began.setdefault(value, time.monotonic() - started)
                if value == stage:
                    time.sleep(after)
                    os.kill(child, signal.SIGKILL)
            elif what == "resumed":
                seen.resumed.append(value)
            elif what == "swept":
                seen.swept = int(value)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    seen.killed = code == -signal.SIGKILL
    if code not in (0, -signal.SIGKILL):
        sys.exit("the run failed")
    return seen


def contents(root: Path) -> dict[str, str]:
    """Digest of each file that a run left, by its place; the time in names and files left out."""
    found = {}
    for file in sorted((root / "people").rglob("*")):
        if file.suffix == ".zip":
            with zipfile.ZipFile(file) as archive:
                packed = {f"{ZIP}/{name}": archive.read(name) for name in archive.namelist()}
        else:
            place = re.sub(r"portraits/[^/]+", "portraits/RUN", file.relative_to(root).as_posix())
            packed = {place: file.read_bytes()} if file.is_file() else {}
        for place, data in packed.items():
            found[place] = hashlib.sha256(_timeless(Path(place), data)).hexdigest()
    return found


def _timeless(file: Path, data: bytes) -> bytes:
    """A file's bytes; of tensors their values, whose order in the file is any."""
    if file.suffix == ".safetensors":
        tensors = sorted(load(data).items())
        return b"".join(name.encode() + values.tobytes() for name, values in tensors)
    if file.name in TIMES:
        return json.dumps({**json.loads(data), TIMES[file.name]: None}).encode()
    return data


def half_written(root: Path) -> list[Path]:
    """What has a temporary name."""
    return [path for path in root.rglob("*") if TEMPORARY.match(path.name)]


def moments(began: dict[str, float], kills: int, seed: int) -> Iterator[tuple[str, float]]:
    """Stage, and seconds after its beginning: each stage in turn, within it at random."""
    draw, order = random.Random(seed), (*STAGES, "done")
    for number in range(kills):
        stage = STAGES[number % len(STAGES)]
        lasts = began[order[order.index(stage) + 1]] - began[stage]
        yield stage, draw.uniform(0, lasts)


def kill(root: Path, base: str, stage: str, after: float) -> float:
    """Kill a run within a stage; returns when, which is earlier where it was done before that."""
    while not watch(root, base, stage, after).killed:
        shutil.rmtree(root)
        root.mkdir()
        after /= 2
    return after


def kill_and_resume(
    base: str, stage: str, after: float, whole: dict[str, str], loose: set[str]
) -> tuple[list[str], bool]:
    """A row of the table, and whether nothing went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        after = kill(root, base, stage, after)
        left = half_written(root)
        again, now = watch(root, base), contents(root)
    differ = [
        place
        for place in sorted(set(whole) | set(now))
        if place not in loose and whole.get(place) != now.get(place)
    ]
    over = sorted(set(now) - set(whole))
    row = [
        f"{stage} + {after:.2f} s",
        f"{len(left)}, {again.swept} swept",
        "; ".join(again.resumed) or "nothing was there yet",
        "yes" if not differ else "NO: " + ", ".join(differ),
        ", ".join(over) or "none",
    ]
    return row, not differ and not over


def measure(base: str, kills: int, seed: int) -> bool:
    """Print the table; returns whether a run came out otherwise."""
    references = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            seen = watch(Path(folder), base)
            references.append((seen.began, contents(Path(folder))))
    (began, whole), (_, again) = references
    loose = {place for place in whole if whole[place] != again.get(place)}
    lasts = began["done"] - began["check"]
    print(f"A run of {lasts:.0f} s leaves {len(whole)} files;")
    print(f"two that nobody killed differ in: {', '.join(sorted(loose)) or 'none'}.\n")
    print("| killed at | half written | resumed | equal | left over |")
    print("| --- | --- | --- | --- | --- |", flush=True)
    well = 0
    for stage, after in moments(began, kills, seed):
        row, is_well = kill_and_resume(base, stage, after, whole, loose)
        well += is_well
        print(f"| {' | '.join(row)} |", flush=True)
    print(f"\n{well} of {kills} came out as if nobody had killed them, nothing left over.")
    return well < kills


def main() -> None:
    """Print the table; end with 1 where a run came out otherwise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--base", help="as `realism finetune --base` takes it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = options.base or str(make_sd(Path(folder)))
        sys.exit(measure(base, options.kills, options.seed))


if __name__ == "__main__":
    main()
