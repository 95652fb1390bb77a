"""Photo-like faces whose marks were annotated by hand: pictures beside `annotations.json`.

One object a picture: "image", "size", "face_box", "marks" (kind, xy with pixel centres at whole
numbers, radius, certain) and "ignore". The set of this form: `../shared/data/face-marks`.
"""

import json
from pathlib import Path

ANNOTATIONS = "annotations.json"


def is_annotated(data: Path) -> bool:
    """Whether a folder has this form."""
    return (data / ANNOTATIONS).exists()


def read_annotations(data: Path) -> list[tuple[Path, dict]]:
    """Each picture's file and what was annotated in it."""
    entries = json.loads((data / ANNOTATIONS).read_text())
    return [(data / entry["image"], entry) for entry in entries]
