"""The whole job on an example person, without a page: what `make demo` runs.

Every step is the one that page and shell run, on the embedded defaults; nothing is prepared but
the photos of a made-up person and the base. Writes every image, `report.json` (time and peak
memory of each step, similarity of each portrait, placement of each mark), the head with all marks
(`passport.png`), a card for each restored portrait and `overview.png`.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from realism import __version__
from realism.config import ASSETS, PORTRAITS
from realism.diffusion.base import Base, load_base
from realism.diffusion.lora import Adapter
from realism.disk import write_json
from realism.draw.overview import BeforeAfter, Tile, overview
from realism.draw.passport import draw
from realism.errors import InputError
from realism.faces.engine import Engine, load_engine
from realism.finetune.stages import (
    FACES,
    default_stages,
    find_stage1,
    finetune_faces,
    finetune_person,
)
from realism.images import open_photo, save_png
from realism.marks.atlas import build_atlas
from realism.marks.coverage import coach
from realism.marks.find.multiview import find_together
from realism.marks.photo import source_of
from realism.person.person import Person, create_person
from realism.portraits.rank import Ranked, rank_to_json
from realism.portraits.sample import make_portraits, save_portrait
from realism.portraits.styles import find_style, prompt_for
from realism.progress import line_of, reworded
from realism.workflow.restore import RestoredPortrait, restore_portrait, save_restored

CLASS_WORDS = {"mei": "woman", "ravi": "man"}  # the example people
STYLE = "studio"
SEED = 1  # of the first portrait: a demo is repeatable
RESTORED = 4  # of the best portraits


def run_demo(out: Path, example: str = "mei") -> Iterator[str]:
    """Do all four steps on an example person; yields lines of progress.

    out        an older demo there is replaced; anything else there is refused
    Raises InputError: no such example, or a folder that is not a demo's.
    """
    if example not in CLASS_WORDS:
        raise InputError("example_not_found", example=example, choices=CLASS_WORDS)
    out = Path(out)
    if out.exists() and any(out.iterdir()) and not (out / "report.json").exists():
        raise InputError("folder_not_of_demo", folder=out)
    shutil.rmtree(out, ignore_errors=True)
    # The demo's person and stage 1 live with the demo: it shows each step, and leaves no trace.
    os.environ["REALISM_HOME"] = str(out / "people")
    meter = _Meter(out / "report.json")
    began = time.monotonic()

    with meter.step("load"):
        engine, base = load_engine(), load_base("pocket")
    meter.report |= {
        "version": __version__,
        "engine": {
            "name": engine.name,
            "licence": str(engine.licence),
            "note": str(engine.note or ""),
        },
        "base": {"name": base.name, "provenance": base.provenance, "licence": base.licence},
    }
    yield f"Faces: {engine.name} ({engine.licence}). {engine.note or ''}"
    yield f"Base: {base.name}, {base.resolution} px. {base.provenance}"

    with meter.step("photos"):
        person = yield from _photos(example, engine)
    meter.report["photos"] = [
        {
            "photo": entry.name,
            "accepted": entry.accepted,
            "reasons": [reason.text for reason in entry.verdict.reasons],
        }
        for entry in person.entries()
    ]
    meter.report["photo_to_photo"] = person.photo_to_photo()

    first, second = default_stages(base)
    with meter.step("finetune, stage 1"):
        stage1 = find_stage1(base, first)
        if stage1:
            yield f"Step 2, stage 1: its LoRA ships with {base.name} ({first.steps} steps)"
        else:
            yield f"Step 2, stage 1: {first.steps} steps on the faces of {FACES.name}"
            for event in finetune_faces(base, engine, FACES, first):
                yield from _lines(event)
            stage1 = find_stage1(base, first)
    with meter.step("finetune, stage 2"):
        photos = [(entry.photo(), entry.verdict.face) for entry in person.accepted()]
        yield f"Step 2, stage 2: {second.steps} steps on {len(photos)} photos of {person.name}"
        adapters = person.adapter_folder(base.name)
        for event in finetune_person(
            base, engine, photos, person.subject, adapters, stage1, second
        ):
            yield from _lines(event)

    run = out / "portraits"
    with meter.step("portraits"):
        yield from _portraits(base, person, run)
    with meter.step("rank"):
        ranked = person.rank_run(run, engine)
    meter.report["portraits"] = rank_to_json(ranked)
    for one in ranked[:5]:
        yield f"  {one.rank}. {one.name}: {one.similarity or 0:.3f}, closest to {one.closest_photo}"

    with meter.step("marks"):
        restored = yield from _marks(person, ranked, run, out / "restored", engine)
    meter.report["marks"] = {name: one.report for name, one in restored.items()}

    with meter.step("overview"):
        sheet = _sheet(person, base, engine, ranked, run, restored, second.steps)
        save_png(out / "overview.png", sheet)
    meter.report["seconds"] = round(time.monotonic() - began, 1)
    meter.write()
    yield f"Done in {meter.report['seconds']:.0f} s. Look at {out / 'overview.png'}"


def _photos(example: str, engine: Engine) -> Iterator[str]:
    """Step 1 on the example's good and faulty photos; returns the Person."""
    folder = ASSETS / "people" / example
    files = [*sorted(folder.glob("*.jpg")), *sorted(folder.glob("faulty/*.jpg"))]
    files.append(folder.parent / "mei-and-ravi.jpg")
    person = create_person(example.capitalize(), consent=True, class_word=CLASS_WORDS[example])
    yield f"Step 1: {len(files)} photos of {person.name}"
    for entry in person.add_photos(files, engine):
        yield f"  {entry.name}"
    for entry in person.entries():
        if not entry.accepted:
            yield f"  refused: {entry.name}: {entry.verdict.reasons[0].text}"
    scale = person.photo_to_photo().values()
    yield f"  {len(scale)} accepted; photo-to-photo {min(scale):.2f} to {max(scale):.2f}"
    return person


def _lines(event) -> Iterator[str]:
    if text := line_of(event):
        yield f"  {text}"


def _portraits(base: Base, person: Person, run: Path) -> Iterator[str]:
    preset = find_style(STYLE)
    prompt = prompt_for(preset.prompt, person.subject)
    yield f"Step 3: {PORTRAITS.count} portraits, {prompt!r}"
    lora = Adapter(person.adapter(base.name))
    seeds = range(SEED, SEED + PORTRAITS.count)
    made = make_portraits(base, prompt, preset.negative_prompt, seeds, adapter=lora)
    for number, portrait in enumerate(made, 1):
        save_portrait(portrait, person.portrait_file(run, number, portrait.seed))
        yield f"  {number} of {PORTRAITS.count}, seed {portrait.seed}"


def _marks(
    person: Person, ranked: list[Ranked], run: Path, folder: Path, engine: Engine
) -> Iterator[str]:
    """Step 4 on the best portraits; returns name -> Restored."""
    entries = person.accepted()
    yield f"Step 4: marks of {len(entries)} photos"
    looking = find_together([source_of(one.photo(), one.verdict.face) for one in entries])
    sources = yield from reworded(looking, lambda _number, name: f"  {name}")
    found = {source.name: source.marks for source in sources}
    person.save_marks(found)
    yield f"  {sum(map(len, found.values()))} sightings found"
    atlas = build_atlas(sources)
    person.save_passport(atlas)
    save_png(folder.parent / "passport.png", draw(atlas))
    on = sum(entry.on for entry in atlas.entries)
    yield f"  {len(atlas.entries)} marks on the head, {on} of them believed"
    yield f"  {coach(atlas.coverage)}"
    restored: dict[str, RestoredPortrait] = {}
    for one in [one for one in ranked if one.similarity is not None][:RESTORED]:
        done = restore_portrait(run / one.name, sources, engine)
        save_restored(done.pixels, run / one.name, folder / one.name)
        placed, near = done.report["placements"], done.report["similarity"]
        card = done.card()
        save_png(folder / "cards" / one.name, card)
        yield (
            f"  {one.name}: {sum(p['visible'] for p in placed)} of {len(placed)} marks put back, "
            f"similarity {near['before']:.3f} before, {_after(near)} after"
        )
        restored[one.name] = done
    return restored


def _sheet(person, base, engine, ranked, run, restored, steps) -> np.ndarray:
    photos = [
        Tile(
            entry.photo().pixels,
            entry.name if entry.accepted else entry.verdict.reasons[0].code.replace("_", " "),
            entry.accepted,
        )
        for entry in sorted(person.entries(), key=lambda entry: not entry.accepted)
        if entry.path
    ]
    tiles = [
        Tile(
            open_photo(run / one.name).pixels,
            "no single face" if one.similarity is None else f"{one.rank}.  {one.similarity:.2f}",
        )
        for one in ranked
    ]
    scale = list(person.photo_to_photo().values())
    pairs = [_pair(name, one) for name, one in restored.items()]
    return overview(
        f"Realism: {person.name}",
        f"{base.name} base ({base.resolution} px, a small demonstration base), {steps} steps on "
        f"{len(scale)} photos; faces by {engine.name}",
        [
            ("Photos: accepted in green, refused in red", photos, 9),
            (
                f"{len(ranked)} portraits by likeness (largest cosine with any photo; the photos "
                f"among themselves: {min(scale):.2f} to {max(scale):.2f})",
                tiles,
                10,
            ),
        ],
        pairs,
    )


def _pair(name: str, restored: RestoredPortrait) -> BeforeAfter:
    """Before and after with a zoom on where most changed."""
    before, after = restored.placed.portrait.pixels, restored.pixels
    change = np.abs(after.astype(np.float32) - before).sum(2)
    side = min(before.shape[:2]) / 4
    y, x = _densest(change, int(side))
    near = restored.report["similarity"]
    return BeforeAfter(
        before, after, np.array([x, y]), side,
        f"{name}: {sum(p['visible'] for p in restored.report['placements'])} marks; similarity "
        f"{near['before']:.3f} to {_after(near)}",
    )  # fmt: skip


def _after(near: dict) -> str:
    """The similarity after restoring, or that the engine found no face any more."""
    return "no face" if near["after"] is None else f"{near['after']:.3f}"


def _densest(change: np.ndarray, side: int) -> tuple[int, int]:
    """Row and column of the middle of the square with the largest sum."""
    import cv2

    total = cv2.boxFilter(change, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return divmod(int(total.argmax()), change.shape[1])


class _Meter:
    """Times each step and its peak memory, and keeps the report on disk current."""

    def __init__(self, file: Path):
        self.file = file
        self.report: dict = {"steps": {}}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        _forget_peak()
        began = time.monotonic()
        yield
        seconds = round(time.monotonic() - began, 1)
        self.report["steps"][name] = {"seconds": seconds, "peak_memory_mb": _peak_mb()}
        self.write()

    def write(self) -> None:
        write_json(self.file, self.report)


def _forget_peak() -> None:
    """Let the kernel count the peak anew (Linux; elsewhere the peak is the whole run's)."""
    marker = Path("/proc/self/clear_refs")
    if marker.exists() and os.access(marker, os.W_OK):
        marker.write_text("5")


def _peak_mb() -> int | None:
    """Peak memory since `_forget_peak`, MB; None where the system does not tell."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) // 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20  # bytes on macOS
