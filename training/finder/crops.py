"""Prepare what the painter paints on: faces of made-up people, their skin and mesh, and folds.

Renders carry marks of their own where they were made with `--marks`; those are wiped away with a
median filter on the skin, so that nothing but painted marks is taught. The lines of hand-drawn
wrinkle masks are traced, for their shapes only.

    python -m training.finder.crops --marked ../shared/data/synthetic-faces \\
        --clean work/renders/r62 --masks ../shared/data/wrinkle-masks --out work/finder

`--marked` and `--clean` (folders with metadata.jsonl and images/) may be given several times.
"""

import argparse
import json
import os
import zlib
from pathlib import Path

import cv2
import numpy as np

from realism.disk import whole_file, write_json
from realism.errors import Unusable
from realism.faces.find import load_engine, the_face
from realism.faces.skin import skin_mask
from realism.marks.find import face_span
from realism.marks.lines import trace
from realism.photos import open_photo

os.environ.setdefault("REALISM_FACE_ENGINE", "dlib")
HELD_OUT = 12  # one person in so many is kept for choosing checkpoints


def face_crop(path: Path, wipe: bool) -> dict[str, np.ndarray]:
    """One face with its surroundings.

    ->    pixels (h, w, 3) uint8, skin (h, w) uint8 0..255, mesh (468, 3) px, span px ear to ear
    """
    pixels = open_photo(path).pixels
    face = the_face(load_engine().find(pixels))
    skin, span = skin_mask(pixels, face), face_span(face)
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
        "mesh": (face.mesh - [x0, y0, 0]).astype(np.float32),
        "span": np.float32(span),
    }


def prepare(data: Path, wipe: bool, out: Path) -> None:
    """Write every picture of a folder as an .npz, of which those of some people are held out."""
    done = refused = 0
    for line in (data / "metadata.jsonl").read_text().splitlines():
        entry = json.loads(line)
        held_out = zlib.crc32(entry["person"].encode()) % HELD_OUT == 0
        file = out / ("held-out" if held_out else "faces") / f"{Path(entry['file_name']).stem}.npz"
        if file.exists():
            continue
        try:
            crop = face_crop(data / entry["file_name"], wipe)
        except Unusable:  # no face found: a head turned far
            refused += 1
            continue
        with whole_file(file) as temporary:
            np.savez(temporary, **crop)
        done += 1
    print(f"{data.name}: {done} faces, {refused} pictures without one", flush=True)


def courses(masks: Path) -> list[list[list[list[float]]]]:
    """The lines of every mask, (n, 2) px in the FFHQ frame of 512 px."""
    from skimage.morphology import skeletonize

    faces = []
    for path in sorted(masks.glob("*.png")):
        lines = trace(skeletonize(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 0))
        faces.append([line[::3].tolist() for line in lines if len(line) >= 8])
    return faces


def main() -> None:
    """Prepare all that is given."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--marked", type=Path, action="append", default=[])
    parser.add_argument("--clean", type=Path, action="append", default=[])
    parser.add_argument("--masks", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    for data in options.clean:
        prepare(data, False, options.out)
    for data in options.marked:
        prepare(data, True, options.out)
    write_json(options.out / "courses.json", courses(options.masks))


if __name__ == "__main__":
    main()
