"""Step 4: `realism marks find`, `restore` and `passport`."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from realism.cli.console import load_named_engine, say, show
from realism.errors import InputError

if TYPE_CHECKING:
    from realism.faces.engine import Engine
    from realism.images import Photo
    from realism.marks.atlas import Atlas
    from realism.marks.mark import Mark
    from realism.marks.photo import MarkedPhoto

FINDER_METHOD = "heatmap"
FinderMethod = Annotated[str, typer.Option(help="heatmap, dog, keypoint-rcnn or compact.")]
FinderWeights = Annotated[Path | None, typer.Option(help="Of a finder that you trained.")]
Strength = Annotated[float, typer.Option(min=0, max=1.5, help="0 to 1.5.")]


def find(
    images: Annotated[list[Path], typer.Argument(help="Pictures with a face.")],
    json: Annotated[Path | None, typer.Option(help="Where to write the result.")] = None,
    method: FinderMethod = FINDER_METHOD,
    weights: FinderWeights = None,
    threshold: Annotated[float | None, typer.Option(help="Least score, 0 to 1.")] = None,
    together: Annotated[
        bool, typer.Option("--together", help="All show one person: each helps to judge the rest.")
    ] = False,
    export: Annotated[
        tuple[str, Path] | None,
        typer.Option(help="whale-anno FOLDER: a project to correct the findings in."),
    ] = None,
) -> None:
    """Find moles, spots, acne and wrinkles on the skin of a face."""
    from realism.disk import write_json
    from realism.images import open_photo
    from realism.marks.mark import marks_to_json

    refuse_find(images, method, together, export)
    photos, engine = [open_photo(image) for image in images], load_named_engine()
    found = []
    for name, marks in find_each(photos, engine, method, weights, threshold, together):
        found.append((name, marks))
        print_counts(name, marks)
    if json:
        write_json(json, marks_to_json(found))
    if export:
        export_findings(export[1].resolve(), images, photos, found)


def refuse_find(
    images: list[Path], method: str, together: bool, export: tuple[str, Path] | None
) -> None:
    """Raise InputError for options that do not go together."""
    from realism.marks.find.finders import DEFAULT_FINDER
    from realism.marks.teach.whale_anno import refuse_annotated

    if export and export[0] != "whale-anno":
        raise InputError("unknown_export", export=export[0])
    if export:
        refuse_annotated(export[1])
    if len({image.name for image in images}) < len(images):
        raise InputError("same_picture_name")
    if together and method != DEFAULT_FINDER.name:
        raise InputError("finder_not_together", finder=DEFAULT_FINDER.name)


def find_each(
    photos: "list[Photo]",
    engine: "Engine",
    method: str,
    weights: Path | None,
    threshold: float | None,
    together: bool,
) -> "Iterator[tuple[str, list[Mark]]]":
    """Name and marks of each photo, as they are found: by itself, or all together."""
    from realism.workflow.marks import find_marks_in_photo, find_marks_of_photos

    if not together:
        for photo in photos:
            yield photo.name, find_marks_in_photo(photo, engine, method, weights, threshold).marks
        return
    marked = find_marks_of_photos(
        photos, engine, weights=weights, threshold=threshold, refuse_strangers=True
    )
    for photo in show(marked):
        yield photo.name, photo.marks


def export_findings(
    folder: Path,
    images: list[Path],
    photos: "list[Photo]",
    found: "list[tuple[str, list[Mark]]]",
) -> None:
    """Write a whale-anno project in which the findings can be corrected."""
    from realism.marks.teach.whale_anno import write_whale

    sizes, marks = [photo.pixels.shape[1::-1] for photo in photos], [marks for _, marks in found]
    write_whale(folder, folder.name, list(zip(images, sizes, marks, strict=True)))
    say(f"Correct them in whale-anno: put {folder} into its app/projects.")


def print_counts(name: str, marks: "list[Mark]") -> None:
    """How many marks of each kind were found in a picture."""
    from realism.marks.mark import KINDS

    counts = {kind: sum(mark.kind == kind for mark in marks) for kind in KINDS}
    print(f"{name}: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))


def restore(
    portrait: Annotated[Path, typer.Argument(help="A portrait of any generator.")],
    photo: Annotated[list[Path], typer.Option(help="A photo of the person; may be repeated.")],
    out: Annotated[Path, typer.Option(help="Where to write the PNG.")],
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
    from realism.workflow.place import RestoreOptions
    from realism.workflow.restore import restore_portrait

    refuse_not_png(out, card)
    open_photo(portrait)  # nothing is looked for on behalf of a portrait that cannot be opened
    marked, engine = mark_photos(photo, marks)
    # Marks in a file were chosen: each of them is meant.
    least = seen or (1 if marks else LEAST_OBSERVATIONS)
    options = RestoreOptions(method, placement, Sliders(strength, mole, spot, acne, wrinkle), least)
    restored = restore_portrait(portrait, marked, engine, options)
    restored.save(out)
    if report:
        write_json(report, restored.report)
    if card:
        save_png(card, restored.card())
    print_restored(restored.report)


def mark_photos(files: list[Path], marks: Path | None) -> "tuple[list[MarkedPhoto], Engine]":
    """The photos with the marks of a file, or with those found; and the engine that saw them."""
    from realism.images import open_photo
    from realism.workflow.marks import find_marks_of_photos

    if len({file.name for file in files}) < len(files):
        raise InputError("same_photo_name")
    photos = [open_photo(file) for file in files]
    given = read_marks(marks, photos) if marks else {}
    # Where marks are given none is looked for.
    reviewed = {photo.name for photo in photos} if marks else set()
    engine = load_named_engine()
    return show(find_marks_of_photos(photos, engine, given, reviewed=reviewed)), engine


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
    print(
        f"{put} of {len(placed)} marks put back; {len(placed) - put - seldom} cannot be seen "
        f"there, {seldom} are on too few photos."
    )
    after = similarity["after"]
    after = "no face found any more" if after is None else f"{after:.3f}"
    print(f"Similarity before {similarity['before']:.3f}, after {after}.")


def passport(
    person: Annotated[str, typer.Argument(help="Whose photos are looked at.")],
    json: Annotated[Path | None, typer.Option(help="Where to write it as JSON.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Where to write the head as PNG.")] = None,
) -> None:
    """All marks of a person on one head, in how many photos each is seen; what to take next."""
    from realism.disk import write_json
    from realism.draw.passport import draw_passport
    from realism.images import save_png
    from realism.marks.atlas import atlas_to_json
    from realism.person.person import open_person
    from realism.workflow.marks import build_passport, find_marks_of_person

    opened = open_person(person)
    if picture and picture.suffix.lower() != ".png":
        raise InputError("picture_not_png_name", name=picture.name)
    photos = show(find_marks_of_person(opened, load_named_engine()))
    for photo in photos:
        say(f"  {photo.name}: {len(photo.marks)} marks")
    made = build_passport(photos, opened)
    if json:
        write_json(json, atlas_to_json(made.atlas, made.version or 1))
    if picture:
        save_png(picture, draw_passport(made.atlas))
    print_passport(made.atlas)


def print_passport(atlas: "Atlas") -> None:
    """Every mark with the photos that show it, mirrored photos, and what to take next."""
    from realism.marks.atlas import count_by_kind
    from realism.marks.coverage import advise_next_photo

    for entry in atlas.entries:
        state = "" if entry.on else ", off: seen once only"
        seen = f"{len(entry.seen_in)} of {entry.visible_in} photos that could show it"
        print(f"{entry.mark.kind}, radius {entry.radius_mm:.1f} mm: in {seen}{state}")
    print("On: " + ", ".join(f"{count} {kind}" for kind, count in count_by_kind(atlas).items()))
    for name in atlas.mirrored:
        print(f"{name} seems to be mirrored: its marks agree with the others' when it is flipped.")
    print(advise_next_photo(atlas.coverage))
