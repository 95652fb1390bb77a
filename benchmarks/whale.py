"""whale-anno projects made from pictures whose marks are known, to train and judge finders on.

    python -m benchmarks.whale --data DIR [--data DIR ...] --out PROJECT
    python -m benchmarks.whale --data DIR --snap        how much nearer snapped clicks are

DIR is a folder like ../shared/data/marked-people (truth/, the pictures in marked/, in images/ or
beside it), or like ../shared/data/face-marks (annotations.json). PROJECT gets config.json, data/
and anno/, and beside them export.json: JSON Lines, as whale-anno's export button writes them.
Clicks are put where a person could put them: on one of the 400 px that whale-anno shows a
picture's width in. Then:

    python -m realism marks train --annotations PROJECT --model keypoint-rcnn
    python -m realism marks evaluate --annotations PROJECT --out OUT
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from data_sets.face_marks import is_annotated, read_annotations
from data_sets.marked_people import LEAST_CONTRAST, LEAST_FACING
from realism.disk import write_bytes
from realism.faces.engine import load_engine, primary_face
from realism.images import open_photo
from realism.marks.find.crop import FACE_SPAN_MM, face_span
from realism.marks.mark import Mark, Wrinkle, make_mark
from realism.marks.teach.snap import snap_click
from realism.marks.teach.whale_anno import write_whale

SHOWN = 400  # px; width at which whale-anno shows a picture


def annotated(data: Path) -> list[tuple[Path, tuple[int, int], list[Mark]]]:
    """(picture, its size, the marks that a person would click), largest marks first."""
    if is_annotated(data):
        return [(path, tuple(e["size"]), _certain(e)) for path, e in read_annotations(data)]
    folders = (data / "marked", data / "images", data)
    folder = next(folder for folder in folders if folder.is_dir())
    entries = []
    for path in sorted((data / "truth").glob("*.json")):
        truth = json.loads(path.read_text())
        entries.append((folder / f"{path.stem}.jpg", tuple(truth["size"]), _seen(truth)))
    return entries


def _certain(entry: dict) -> list[Mark]:
    marks = [m for m in entry["marks"] if m.get("certain", True)]
    marks.sort(key=lambda m: -float(m.get("radius", 0)))
    return [make_mark(m["kind"], np.float32(m["xy"]), float(m.get("radius", 1))) for m in marks]


def _seen(truth: dict) -> list[Mark]:
    """Marks that face the camera and can be seen; the truth's pixel centres lie at .5."""
    seen = [
        m
        for m in truth["marks"]
        if m["visible"]
        and m["facing"] > LEAST_FACING
        and m.get("contrast", LEAST_CONTRAST) >= LEAST_CONTRAST
        # A mark of less than a pixel cannot be seen, let alone be clicked.
        and m.get("radius_px", 1) >= 1
    ]
    seen.sort(key=lambda m: -m.get("radius_px", 1) * m.get("strength", 1))
    return [make_mark(m["kind"], np.float32(m["xy"]) - 0.5, m.get("radius_px", 1)) for m in seen]


def clicked(mark: Mark, width: int) -> Mark:
    """The mark where a click can be: whole pixels of the picture as shown."""
    step = width / SHOWN
    return replace(mark, xy=(np.rint((mark.xy + 0.5) / step) * step - 0.5).astype(np.float32))


def write_project(folders: list[Path], out: Path) -> int:
    """Write the project and its export; -> the number of pictures."""
    entries = [
        (path, size, [clicked(mark, size[0]) for mark in marks])
        for data in folders
        for path, size, marks in annotated(data)
    ]
    for path, size, _ in entries:
        with Image.open(path) as picture:
            assert picture.size == size, f"{path}: {picture.size} is not {size}"
    names = write_whale(out, out.name, entries)
    lines = [(out / "anno" / f"{name}.json").read_bytes() for name in sorted(names)]
    write_bytes(out / "export.json", b"\n".join(lines))
    return len(names)


def snapping(folders: list[Path], hand: float = 0.7, seed: int = 7) -> None:
    """Print how far clicks and snapped clicks lie from the marks that they mean.

    Parameters
    ----------
    hand : float, mm
        Standard deviation along each axis of a hand's miss, on top of the display's.
    """
    engine, rng, before, after, stayed = load_engine(), np.random.default_rng(seed), [], [], 0
    for path, size, marks in (entry for data in folders for entry in annotated(data)):
        pixels = open_photo(path).pixels
        span = face_span(primary_face(engine.find(pixels)))
        for mark in marks:
            if isinstance(mark, Wrinkle):
                continue
            missed = replace(mark, xy=mark.xy + rng.normal(0, hand * span / FACE_SPAN_MM, 2))
            click = snap_click(pixels, mark.kind, clicked(missed, size[0]).xy, span)
            before.append(np.hypot(*(click.clicked_xy - mark.xy)) * FACE_SPAN_MM / span)
            after.append(np.hypot(*(click.xy - mark.xy)) * FACE_SPAN_MM / span)
            stayed += not click.is_snapped
    for name, gaps in (("clicked", before), ("snapped", after)):
        median, far = np.percentile(gaps, [50, 90])
        wrong = np.mean(np.array(gaps) > 2)
        print(f"{name}   {median:.2f} mm median, {far:.2f} mm 90 %, over 2 mm: {wrong:.0%}")
    print(f"{len(before)} clicks, {stayed} without a dark blob near")


def main() -> None:
    """Write a project, or measure the snapping."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--snap", action="store_true")
    options = parser.parse_args()
    if options.snap:
        return snapping(options.data)
    if not options.out:
        parser.error("--out PROJECT, or --snap")
    print(f"{write_project(options.data, options.out)} pictures in {options.out}")


if __name__ == "__main__":
    main()
