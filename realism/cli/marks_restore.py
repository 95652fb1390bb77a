"""Step 4: `realism marks restore`, and `marks off` and `marks on`, which it respects."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from realism.cli.console import PersonName, load_named_engine, say, show
from realism.errors import InputError

if TYPE_CHECKING:
    from realism.faces.engine import Engine
    from realism.images import Photo
    from realism.marks.mark import Mark
    from realism.marks.photo import MarkedPhoto

Strength = Annotated[float, typer.Option(min=0, max=1.5, help="0 to 1.5.")]
MarkIds = Annotated[
    list[str], typer.Argument(help="As `marks passport` and reports name them: mole-3fa2c1.")
]


def restore(
    portrait: Annotated[Path, typer.Argument(help="A portrait of any generator.")],
    out: Annotated[Path, typer.Option(help="Where to write the PNG.")],
    photo: Annotated[
        list[Path] | None, typer.Option(help="A photo of the person; may be repeated.")
    ] = None,
    person: Annotated[
        str | None, typer.Option(help="Or whose accepted photos; what is switched off stays off.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="Id of a mark to leave out; may be repeated.")
    ] = None,
    marks: Annotated[Path | None, typer.Option(help="JSON of `marks find`.")] = None,
    report: Annotated[Path | None, typer.Option(help="Where to write the report.")] = None,
    card: Annotated[Path | None, typer.Option(help="Where to write the fidelity card.")] = None,
    method: Annotated[
        Literal["ratio", "paste"], typer.Option(help="ratio (ours) or paste (the original).")
    ] = "ratio",
    placement: Annotated[
        Literal["head", "nearest3"], typer.Option(help="head (ours) or nearest3.")
    ] = "head",
    seen: Annotated[
        int | None,
        typer.Option(min=1, help="Photos that must show a mark; 2, where there are 3 or more."),
    ] = None,
    strength: Annotated[float, typer.Option(min=0, max=1.5, help="0 to 1.5; of all marks.")] = 1.0,
    mole: Strength = 1.0,
    spot: Strength = 1.0,
    acne: Strength = 1.0,
    wrinkle: Strength = 1.0,
) -> None:
    """Put the marks of the photos back into a portrait; all else stays bit for bit."""
    from realism.disk import write_json
    from realism.images import open_photo, save_png
    from realism.marks.observation import LEAST_OBSERVATIONS
    from realism.marks.restore.blend import Sliders
    from realism.marks.switched import Switched
    from realism.person.person import open_person
    from realism.workflow.marks import find_marks_of_person
    from realism.workflow.place import RestoreOptions
    from realism.workflow.restore import restore_portrait

    refuse_not_png(out, card)
    if bool(photo) == bool(person) or (person and marks):
        raise InputError("photos_or_person")
    open_photo(portrait)  # nothing is looked for on behalf of a portrait that cannot be opened
    engine, switched = load_named_engine(), Switched()
    if person:
        opened = open_person(person)
        marked, switched = show(find_marks_of_person(opened, engine)), opened.switched()
    else:
        marked = mark_photos(photo or [], marks, engine)
    # Marks in a file were chosen: each of them is meant.
    least = seen or (1 if marks else LEAST_OBSERVATIONS)
    options = RestoreOptions(
        method, placement, Sliders(strength, mole, spot, acne, wrinkle), least,
        without=without or (), switched=switched,
    )  # fmt: skip
    restored = restore_portrait(portrait, marked, engine, options)
    restored.save(out)
    if report:
        write_json(report, restored.report)
    if card:
        save_png(card, restored.card())
    for note in restored.placed.notes:
        say(f"  {note}")
    print_restored(restored.report)


def mark_photos(files: list[Path], marks: Path | None, engine: "Engine") -> "list[MarkedPhoto]":
    """The photos with the marks of a file, or with those found."""
    from realism.images import open_photo
    from realism.workflow.marks import find_marks_of_photos

    if len({file.name for file in files}) < len(files):
        raise InputError("same_photo_name")
    photos = [open_photo(file) for file in files]
    given = read_marks(marks, photos) if marks else {}
    # Where marks are given none is looked for.
    reviewed = {photo.name for photo in photos} if marks else set()
    return show(find_marks_of_photos(photos, engine, given, reviewed=reviewed))


def refuse_not_png(*files: Path | None) -> None:
    """Raise InputError for a file to write that is not named .png."""
    for file in files:
        if file and file.suffix.lower() != ".png":
            raise InputError("output_not_png_name", name=file.name)


def read_marks(file: Path, photos: "list[Photo]") -> "dict[str, list[Mark]]":
    """Marks by photo from the JSON of `marks find`; raises InputError when they are of others."""
    from realism.disk import read_json
    from realism.marks.mark import marks_by_image

    given = marks_by_image(read_json(file, "file_marks"))
    if not any(photo.name in given for photo in photos):
        raise InputError("marks_of_other_photos", name=file.name)
    return given


def print_restored(report: dict) -> None:
    """How many marks were put back, and the likeness before and after."""
    placed, similarity = report["placements"], report["similarity"]
    put = sum(placement["visible"] for placement in placed)
    seldom = sum(placement["code"] == "seen_on_few" for placement in placed)
    off = sum(placement["code"] == "switched_off" for placement in placed)
    by_hand = f", {off} switched off" if off else ""
    print(
        f"{put} of {len(placed)} marks put back; {len(placed) - put - seldom - off} cannot be seen "
        f"there, {seldom} are on too few photos{by_hand}."
    )
    after = similarity["after"]
    after = "no face found any more" if after is None else f"{after:.3f}"
    print(f"Similarity before {similarity['before']:.3f}, after {after}.")


def switch_off(person: PersonName, marks: MarkIds) -> None:
    """Leave marks out of every portrait of a person from now on, those of the page too."""
    switch(person, marks, on=False)


def switch_on(person: PersonName, marks: MarkIds) -> None:
    """Put marks back that were switched off, or that too few photos show."""
    switch(person, marks, on=True)


def switch(person: str, ids: list[str], on: bool) -> None:
    """Keep with a person what becomes of some marks; all ids are known, or nothing is kept."""
    from realism.person.person import open_person

    opened = open_person(person)
    switched = opened.switched()
    for seen in [opened.find_mark(name) for name in ids]:
        switched = switched.with_mark([seen], on)
    opened.save_switched(switched)
    print(
        f"{len(ids)} {'mark' if len(ids) == 1 else 'marks'} of {opened.name} "
        f"switched {'on' if on else 'off'}."
    )
