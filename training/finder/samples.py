"""What is painted on and what comes of it: prepared faces, manners of painting, painted samples."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from realism.faces.face import Face, Pose
from realism.faces.mesh import face_box, landmarks68
from realism.marks.mark import Mark


@dataclass(frozen=True, eq=False)
class Manner:
    """How one painter paints; checkpoints are chosen on another's work than they learn from.

    Attributes
    ----------
    melanin, blood : (3,)
        What a unit takes from the log of linear light, R G B.
    grains
        Size in px and weight of the layers of the skin's unevenness.
    edge
        "logistic" | "gaussian": how pigment fades at a mark's rim.
    """

    melanin: np.ndarray
    blood: np.ndarray
    grains: tuple[tuple[float, float], ...]
    edge: str


TRAINING = Manner(
    np.float32([0.42, 0.72, 0.98]),
    np.float32([0.10, 0.86, 0.66]),
    ((1.3, 0.8), (2.2, 0.8), (4, 0.7), (8, 0.6), (16, 0.6), (50, 1.2)),
    "logistic",
)


HELD_OUT = Manner(
    np.float32([0.50, 0.75, 0.95]),
    np.float32([0.14, 0.80, 0.70]),
    ((1.7, 1.0), (3, 0.6), (6, 0.9), (11, 0.5), (24, 0.9)),
    "gaussian",
)


@dataclass(frozen=True, eq=False)
class PaintedSample:
    """A painted picture and what is to be found on it.

    Attributes
    ----------
    pixels : (h, w, 3) uint8 sRGB
    skin : (h, w) float32 0..1
    mesh : (468, 3) px
        As `Face.mesh`.
    marks
        What a finder must find.
    ignored
        What it may find or not.
    """

    pixels: np.ndarray
    skin: np.ndarray
    mesh: np.ndarray
    marks: list[Mark]
    ignored: list[Mark]


@dataclass(frozen=True, eq=False)
class PreparedFaces:
    """Faces as `crops.py` prepared them, and the courses of drawn wrinkles.

    Attributes
    ----------
    bare
        Without marks.
    pairs
        With marks of their own, and without.
    photos
        Photo-like, with what marks they have, see `natural.py`.
    """

    bare: list[dict[str, np.ndarray]]
    pairs: list[dict[str, np.ndarray]]
    courses: list
    photos: list[dict[str, np.ndarray]] = field(default_factory=list)


def make_face(mesh: np.ndarray) -> Face:
    """A face of a mesh (468, 3) px, as an engine would give it."""
    return Face(face_box(mesh), landmarks68(mesh), mesh, Pose(0, 0, 0), np.zeros(1), 1.0)


def load_faces(folder: Path, held_out: bool = False) -> PreparedFaces:
    """All prepared faces, of the people that are held out or of the others."""
    files = sorted((folder / ("held-out" if held_out else "faces")).glob("*.npz"))
    courses = json.loads((folder / "courses.json").read_text())
    crops = [dict(np.load(file)) for file in files]
    pairs = [crop for crop in crops if "marked" in crop]
    photos = [crop for crop in crops if "natural" in crop]
    bare = [crop for crop in crops if "marked" not in crop and "natural" not in crop]
    return PreparedFaces(bare, pairs, courses, photos)
