"""The whole job on an example person, without a page: what `make demo` runs.

A walk over the events of the workflow, on the embedded defaults; nothing is prepared but the
photos of a made-up person and the base. Writes every image, `report.json` (time and peak memory
of each step, similarity of each portrait, placement of each mark), the head with all marks
(`passport.png`), a card for each restored portrait and `overview.png`.
"""

import shutil
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

from realism import __version__
from realism.cli.lines import engine_line, line_of
from realism.cli.meter import Meter
from realism.config import Stage
from realism.diffusion.base import Base, load_base
from realism.draw.passport import draw_passport
from realism.errors import InputError
from realism.faces.engine import Engine, load_engine
from realism.finetune.stages import default_stages
from realism.images import save_png
from realism.marks.coverage import advise_next_photo
from realism.marks.photo import MarkedPhoto
from realism.person.person import Person, create_person
from realism.portraits.rank import Ranked, rank_to_json
from realism.workflow.example import CLASS_WORDS, SEED, example_photos
from realism.workflow.finetune import FinetuneOptions, PersonBegins, finetune
from realism.workflow.marks import build_passport, find_marks_of_person
from realism.workflow.overview import compose_overview
from realism.workflow.photos import add_photos
from realism.workflow.place import RestoreOptions
from realism.workflow.portraits import (
    PortraitRequest,
    PortraitSaved,
    PortraitsRanked,
    make_portraits,
)
from realism.workflow.restore import PortraitRestored, RestoredPortrait, restore_portraits

RESTORED = 4  # of the best portraits


def run_demo(
    out: Path,
    example: str = "mei",
    stages: tuple[Stage, Stage] | None = None,
    request: PortraitRequest | None = None,
) -> Iterator[str]:
    """Do all four steps on an example person; yields lines of progress.

    Parameters
    ----------
    out : Path
        An older demo there is replaced; anything else there is refused. The demo's person and
        what it learned of faces live there, too: it leaves no trace elsewhere.
    example : str
        "mei" or "ravi".
    stages : (Stage, Stage), optional
        Settings of the fine-tune; None: those of the embedded base.
    request : PortraitRequest, optional
        Portraits to make; None: twenty of the first style.

    Raises
    ------
    InputError
        No such example, or a folder that is not a demo's.
    """
    out = Path(out)
    _clear(out, example)
    meter, root = Meter(out / "report.json"), out / "people"
    report = meter.report

    meter.begin("load")
    engine, base = load_engine(), load_base("pocket")
    report |= _about(engine, base)
    yield engine_line(engine)
    yield f"Base: {base.name}, {base.resolution} px. {base.provenance}"

    meter.begin("photos")
    person = create_person(example.capitalize(), True, CLASS_WORDS[example], root)
    yield from _photos(person, example, engine, report)

    meter.begin("finetune, stage 1")
    stages = stages or default_stages(base)
    options = FinetuneOptions(first=stages[0], second=stages[1], root=root)
    for event in finetune(person, base, engine, options):
        if isinstance(event, PersonBegins):
            meter.begin("finetune, stage 2")
        yield from _lines(event)

    meter.begin("portraits")
    run = out / "portraits"
    request = replace(request or PortraitRequest(seed=SEED), run=run)
    ranked = yield from _portraits(person, base, engine, request, meter)

    meter.begin("marks")
    photos, restored = yield from _marks(person, ranked, run, out, engine)
    report["marks"] = {name: done.report for name, done in restored.items()}

    meter.begin("overview")
    note = (
        f"{base.name} base ({base.resolution} px, a small demonstration base), {stages[1].steps} "
        f"steps; faces by {engine.name}"
    )
    sheet = compose_overview(person, run, ranked, photos, restored, note)
    save_png(out / "overview.png", sheet)
    meter.end()
    report["seconds"] = meter.seconds
    meter.write()
    yield f"Done in {meter.seconds:.0f} s. Look at {out / 'overview.png'}"


def _clear(out: Path, example: str) -> None:
    """Make room for a demo; raises InputError for what is no demo's."""
    example_photos(example)  # a name that is none is said before anything is cleared
    if out.exists() and any(out.iterdir()) and not (out / "report.json").exists():
        raise InputError("folder_not_of_demo", folder=out)
    shutil.rmtree(out, ignore_errors=True)


def _about(engine: Engine, base: Base) -> dict:
    """What the report says of the program, the engine and the base."""
    return {
        "version": __version__,
        "engine": {
            "name": engine.name,
            "licence": str(engine.licence),
            "note": str(engine.note or ""),
        },
        "base": {"name": base.name, "provenance": base.provenance, "licence": base.licence},
    }


def _lines(event: object) -> Iterator[str]:
    if line := line_of(event):
        yield line


def _photos(person: Person, example: str, engine: Engine, report: dict) -> Iterator[str]:
    """Step 1 on the example's good and faulty photos."""
    files = example_photos(example)
    yield f"Step 1: {len(files)} photos of {person.name}"
    for event in add_photos(person, files, engine):
        yield from _lines(event)
    photos = person.records()
    for photo in photos:
        if not photo.accepted:
            yield f"  refused: {photo.name}: {photo.verdict.reasons[0].text}"
    report["photos"] = [
        {
            "photo": photo.name,
            "accepted": photo.accepted,
            "reasons": [reason.text for reason in photo.verdict.reasons],
        }
        for photo in photos
    ]
    report["photo_to_photo"] = person.photo_to_photo()
    scale = person.photo_to_photo().values()
    yield f"  {len(scale)} accepted; photo-to-photo {min(scale):.2f} to {max(scale):.2f}"


def _portraits(
    person: Person, base: Base, engine: Engine, request: PortraitRequest, meter: Meter
) -> Generator[str, None, tuple[Ranked, ...]]:
    """Step 3; returns the portraits, the closest first."""
    yield f"Step 3: {request.count} portraits, {request.style}"
    ranked: tuple[Ranked, ...] = ()
    for event in make_portraits(person, base, engine, request):
        yield from _lines(event)
        if isinstance(event, PortraitSaved) and event.number == event.of:
            meter.begin("rank")
        if isinstance(event, PortraitsRanked):
            ranked = event.ranked
    meter.report["portraits"] = rank_to_json(ranked)
    for row in ranked[:5]:
        yield f"  {row.rank}. {row.name}: {row.similarity or 0:.3f}, closest to {row.closest_photo}"
    return ranked


def _marks(
    person: Person, ranked: tuple[Ranked, ...], run: Path, out: Path, engine: Engine
) -> Generator[str, None, tuple[list[MarkedPhoto], dict[str, RestoredPortrait]]]:
    """Step 4 on the best portraits; returns the photos with their marks, and these by name."""
    yield f"Step 4: marks of {len(person.accepted())} photos"
    search, photos = find_marks_of_person(person, engine), []
    while True:
        try:
            yield from _lines(next(search))
        except StopIteration as ended:
            photos = ended.value
            break
    yield f"  {sum(len(photo.marks) for photo in photos)} sightings found"
    atlas = build_passport(photos, person).atlas
    save_png(out / "passport.png", draw_passport(atlas))
    on = sum(entry.on for entry in atlas.entries)
    yield f"  {len(atlas.entries)} marks on the head, {on} of them believed"
    yield f"  {advise_next_photo(atlas.coverage)}"
    best = [run / row.name for row in ranked if row.similarity is not None][:RESTORED]
    restored: dict[str, RestoredPortrait] = {}
    options = RestoreOptions(switched=person.switched())
    for event in restore_portraits(best, photos, engine, out / "restored", options):
        yield from _lines(event)
        if isinstance(event, PortraitRestored):
            save_png(out / "restored" / "cards" / event.file.name, event.restored.card())
            restored[event.file.name] = event.restored
    return photos, restored
