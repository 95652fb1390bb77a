"""Prepare what the painter paints on: faces of made-up people, their skin and mesh, and folds.

Renders carry marks of their own where they were made with `--marks`; those are wiped away with a
median filter on the skin, so that nothing but marks that are known is taught. Renders made with
`--marks --pairs` keep theirs: what the marks do to the light is the twins' ratio. The lines of
hand-drawn wrinkle masks are traced, for their shapes only.

    python -m training.finder.crops --marked ../shared/data/synthetic-faces \\
        --pairs work/renders/r71 --masks ../shared/data/wrinkle-masks --out work/finder

`--marked` and `--clean` (folders with metadata.jsonl and images/), `--photos` (of the form of
../shared/data/photo-faces, each picture a person of its own, what marks it has left as they are and
found by the finder as it ships, see `natural.py`) and `--pairs` (with truth/, marked/ and clean/)
may be given several times. A sixth of the photos is put into a folder of its own, that no training
reads: figures are measured on it, see `painted.py`.
"""

import argparse
import json
import os
import zlib
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from data_sets.marked_people import mark_from_truth, read_views
from data_sets.renders import read_metadata
from realism.disk import whole_file, write_json
from realism.errors import InputError
from realism.faces.engine import load_engine, primary_face
from realism.faces.paintable import paintable_mask
from realism.faces.skin import skin_mask
from realism.images import open_photo
from realism.marks.find.crop import face_span
from realism.marks.find.wrinkles import trace_skeleton
from realism.marks.mark import Wrinkle, mark_to_json
from training.finder.natural import natural_marks

os.environ.setdefault("REALISM_FACE_ENGINE", "dlib")
LEAST_FACING = 0.12  # cosine; marks of twins turned away further are left out
LEAST_WIDTH, MOST_TURN = 170, 40  # px and degrees of the portraits of `--photos`
HELD_OUT = 12  # one person in so many is kept for choosing checkpoints
JUDGED = 6  # one photo in so many is kept for measuring


def crop_surroundings(path: Path, wipe: bool) -> dict[str, np.ndarray]:
    """One face with its surroundings.

    Returns
    -------
    dict of str to ndarray
        pixels (h, w, 3) uint8, skin and wide (h, w) uint8 0..255, the strict mask and where
        the finder searches, mesh (468, 3) px, span px ear to ear, corner (2,) px of the
        picture at the crop's (0, 0).
    """
    pixels = open_photo(path).pixels
    face = primary_face(load_engine().find(pixels))
    skin, span = skin_mask(pixels, face), face_span(face)
    wide = paintable_mask(pixels, skin, face)
    low = face.mesh[:, :2].min(0) - span * np.array([0.3, 0.45])
    high = face.mesh[:, :2].max(0) + span * np.array([0.3, 0.2])
    x0, y0 = np.maximum(np.floor(low), 0).astype(int)
    x1, y1 = np.ceil(high).astype(int)
    cut, own = pixels[y0:y1, x0:x1], skin[y0:y1, x0:x1]
    if wipe:
        # Marks are at most a twentieth of the face; a little more takes their rims as well.
        side = 2 * round(0.035 * span) + 1
        inner = cv2.GaussianBlur(cv2.erode(own, np.ones((3, 3), np.uint8)), (0, 0), 1)[..., None]
        cut = np.rint(cut * (1 - inner) + cv2.medianBlur(cut, side) * inner).astype(np.uint8)
    return {
        "pixels": cut,
        "skin": np.rint(own * 255).astype(np.uint8),
        "wide": np.rint(wide[y0:y1, x0:x1] * 255).astype(np.uint8),
        "mesh": (face.mesh - [x0, y0, 0]).astype(np.float32),
        "span": np.float32(span),
        "corner": np.array([x0, y0]),
    }


def crop_twins(view) -> dict[str, np.ndarray]:
    """One face without its marks, as `crop_surroundings`; the same with them, and which they are.

    Returns
    -------
    dict of str to ndarray
        marked (h, w, 3) uint8 and marks, JSON of the crop's Marks, beside the rest.
    """
    crop = crop_surroundings(view.clean, False)
    (x0, y0), (height, width) = crop["corner"], crop["skin"].shape
    marks = []
    for value in view.truth["marks"]:
        # Hardly anything is to be seen of these, and they are few: left unsaid.
        if not value["visible"] or value["facing"] < LEAST_FACING:
            continue
        mark = mark_from_truth(value, view.truth)
        if isinstance(mark, Wrinkle) and len(mark.polyline) < 3:
            continue
        marks.append(mark_to_json(mark.mapped(lambda points: points - (x0, y0))))
    marked = open_photo(view.marked).pixels[y0 : y0 + height, x0 : x0 + width]
    return {**crop, "marked": marked, "marks": np.array(json.dumps(marks))}


def save_crop(out: Path, person: str, name: str, make_crop) -> bool | None:
    """Write one crop where it is not yet; None where it is, False where no face is found."""
    held_out = zlib.crc32(person.encode()) % HELD_OUT == 0
    return save_whole(out / ("held-out" if held_out else "faces") / f"{name}.npz", make_crop)


def save_whole(file: Path, make_crop) -> bool | None:
    """As `save_crop`, to a file."""
    if file.exists():
        return None
    try:
        crop = make_crop()
    except InputError:  # a head turned far
        return False
    with whole_file(file) as temporary:
        np.savez(temporary, **crop)
    return True


def prepare(data: Path, wipe: bool, out: Path) -> None:
    """Write every picture of a folder as an .npz, of which those of some people are held out."""
    kept = [
        save_crop(
            out, e["person"], Path(e["file_name"]).stem,
            lambda e=e: crop_surroundings(data / e["file_name"], wipe),
        )
        for e in read_metadata(data)
    ]  # fmt: skip
    print_count(data, kept)


def prepare_photos(data: Path, out: Path) -> None:
    """The same of portraits that are large and look towards the camera."""
    entries = map(json.loads, (data / "metadata.jsonl").read_text("utf-8").splitlines())
    kept = []
    for entry in entries:
        name = entry["image"]
        if entry["box"][2] - entry["box"][0] < LEAST_WIDTH or abs(entry["yaw"]) > MOST_TURN:
            continue
        make = partial(crop_photo, data / name)
        if is_judged(name):
            kept.append(save_whole(out / "judged" / f"{Path(name).stem}.npz", make))
        else:
            kept.append(save_crop(out, name, Path(name).stem, make))
    print_count(data, kept)


def is_judged(name: str) -> bool:
    """Whether a photo-like portrait, by its file's name, is for measuring only."""
    return zlib.crc32(name.encode()) % JUDGED == 1


def crop_photo(path: Path) -> dict[str, np.ndarray]:
    """As `crop_surroundings`, with JSON of its "own" marks, and "natural": what may be some."""
    crop = crop_surroundings(path, False)
    listed = zip(("own", "natural"), natural_marks(crop, path.name), strict=True)
    return crop | {name: np.array(json.dumps(list(map(mark_to_json, ms)))) for name, ms in listed}


def prepare_pairs(data: Path, out: Path) -> None:
    """The same of twins with and without marks."""
    kept = [
        save_crop(out, person, view.name, lambda view=view: crop_twins(view))
        for person, group in read_views(data).items()
        for view in group
        if view.clean.exists()
    ]
    print_count(data, kept)


def print_count(data: Path, kept: list[bool | None]) -> None:
    """Say how many faces of a folder were new."""
    print(
        f"{data.name}: {kept.count(True)} faces, {kept.count(False)} pictures without one",
        flush=True,
    )


def trace_masks(masks: Path) -> list[list[list[list[float]]]]:
    """The lines of every mask, (n, 2) px in the FFHQ frame of 512 px."""
    from skimage.morphology import skeletonize

    faces = []
    for path in sorted(masks.glob("*.png")):
        lines = trace_skeleton(skeletonize(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 0))
        faces.append([line[::3].tolist() for line in lines if len(line) >= 8])
    return faces


def main() -> None:
    """Prepare all that is given."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--marked", type=Path, action="append", default=[])
    parser.add_argument("--clean", type=Path, action="append", default=[])
    parser.add_argument("--photos", type=Path, action="append", default=[])
    parser.add_argument("--pairs", type=Path, action="append", default=[])
    parser.add_argument("--masks", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    write_json(options.out / "courses.json", trace_masks(options.masks))
    for data in options.clean:
        prepare(data, False, options.out)
    for data in options.marked:
        prepare(data, True, options.out)
    for data in options.photos:
        prepare_photos(data, options.out)
    for data in options.pairs:
        prepare_pairs(data, options.out)


if __name__ == "__main__":
    main()
