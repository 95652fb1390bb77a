"""Step 4: `realism marks find` and `passport`; `restore` has a file of its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from realism.cli.console import load_named_engine, say, show
from realism.errors import InputError

if TYPE_CHECKING:
    from realism.faces.engine import Engine
    from realism.images import Photo
    from realism.marks.atlas import Atlas
    from realism.marks.mark import Mark
    from realism.marks.switched import Switched

FINDER_METHOD = "heatmap"
FinderMethod = Annotated[str, typer.Option(help="heatmap, dog, keypoint-rcnn or compact.")]
FinderWeights = Annotated[Path | None, typer.Option(help="Of a finder that you trained.")]


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
    print_passport(made.atlas, opened.switched())


def print_passport(atlas: "Atlas", switched: "Switched") -> None:
    """Every mark with the photos that show it, mirrored photos, and what to take next."""
    from realism.marks.atlas import count_by_kind
    from realism.marks.coverage import advise_next_photo
    from realism.marks.switched import mark_id

    for entry in atlas.entries:
        by_hand = switched.state_of(entry.appearances)
        state = "" if entry.on else ", off: seen once only"
        if by_hand is not None:
            state = ", switched on" if by_hand else ", switched off"
        seen = f"{len(entry.seen_in)} of {entry.visible_in} photos that could show it"
        name = mark_id(entry.photo, entry.mark)
        print(f"{name}: {entry.mark.kind}, radius {entry.radius_mm:.1f} mm: in {seen}{state}")
    print("On: " + ", ".join(f"{count} {kind}" for kind, count in count_by_kind(atlas).items()))
    for name in atlas.mirrored:
        print(f"{name} seems to be mirrored: its marks agree with the others' when it is flipped.")
    print(advise_next_photo(atlas.coverage))
