"""A set for measuring: marks painted on photo-like faces that no training reads.

    python -m training.finder.painted --faces work/finder --out work/painted
    python -m benchmarks.find --data work/painted

The painter is the one that the network learns from, the faces are not (`crops.is_judged`). The set
has the form of ../shared/data/face-marks: what must be found is certain; what the finder that
shipped when the faces were prepared takes for a mark of the face's own, and what is painted too
faint, is uncertain, and counts neither way. "contrast" is how much darker a mark is in green. Faces
that the program does not find, cut out as closely as they are, are left out.
"""

import argparse
import json
import zlib
from pathlib import Path

import cv2
import numpy as np

from realism.disk import write_json
from realism.faces.engine import load_engine
from realism.marks.find.blobs import MARK_SIZE, colour_contrast
from realism.marks.find.crop import BLACK
from realism.marks.mark import Mark, mark_to_json
from training.finder.paint import paint
from training.finder.samples import TRAINING, PaintedSample, PreparedFaces

SHARE = 0.7  # of the painter's usual number of marks
QUALITY = 95  # of the JPEGs


def contrast_of(mark: Mark, log_light: np.ndarray) -> float:
    """How much darker a mark's middle is than the skin around it, log units of green."""
    bounds = np.array(log_light.shape[1::-1]) - 1
    at = np.clip(np.rint(mark.xy).astype(int), 0, bounds)
    sigma = np.array([mark.radius / MARK_SIZE])
    return round(float(colour_contrast(log_light, at[:1], at[1:], sigma)[0, 1]), 3)


def describe(name: str, sample: PaintedSample) -> dict:
    """A painted face as `annotations.json` has it."""
    height, width = sample.pixels.shape[:2]

    log_light = np.log(sample.pixels.astype(np.float32) + BLACK)

    def listed(marks: list[Mark], certain: bool) -> list[dict]:
        return [
            {**mark_to_json(mark), "certain": certain, "contrast": contrast_of(mark, log_light)}
            for mark in marks
        ]

    return {
        "image": name,
        "size": [width, height],
        "face_box": [0, 0, width, height],
        "marks": listed(sample.marks, True) + listed(sample.ignored, False),
        "ignore": [],
    }


def main() -> None:
    """Paint every face that is kept for measuring, once."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--faces", type=Path, required=True, help="folder of crops.py")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    entries, courses = [], json.loads((options.faces / "courses.json").read_text())
    options.out.mkdir(parents=True, exist_ok=True)
    for file in sorted((options.faces / "judged").glob("*.npz")):
        rng = np.random.default_rng(zlib.crc32(file.stem.encode()))
        faces = PreparedFaces([], [], courses, [dict(np.load(file))])
        sample = paint(rng, faces, TRAINING, None, SHARE)
        if len(load_engine().find(sample.pixels)) != 1:
            continue
        name = f"{file.stem}.jpg"
        quality = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
        cv2.imwrite(str(options.out / name), sample.pixels[..., ::-1], quality)
        entries.append(describe(name, sample))
    write_json(options.out / "annotations.json", entries)
    print(f"{len(entries)} faces")


if __name__ == "__main__":
    main()
