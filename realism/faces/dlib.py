"""The embedded engine: no download, free for commercial use.

Faces: MediaPipe's detector, confirmed by the face mesh. Identity: dlib's ResNet on a chip
aligned by the mesh. dlib's embedding is squeezed (raw cosines of strangers 0.81-0.91), so it is
centred and whitened with constants fitted once by `python -m benchmarks.faces --fit`; cosines
then read like ArcFace's.

King, "Dlib-ml", JMLR 2009; its weights are public domain. They come with the package
`face_recognition_models`, which is located but never imported (it needs pkg_resources).
"""

import threading
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from realism.errors import InputError, Message
from realism.faces.detect import ShortRangeDetector, suppress_overlaps
from realism.faces.face import Face
from realism.faces.mesh import AGREEMENT, FaceMesh, estimate_pose, face_box, landmarks68
from realism.faces.second_look import look_again

if TYPE_CHECKING:
    from realism.faces.engine import Engine

# When a place in a picture counts as a face, and two faces as one person. Set with
# `python -m benchmarks.faces`.
CANDIDATE = 0.6  # detector score 0..1; true faces there 0.8-1.0
WORK_SIDE = 1024  # px; larger pictures are searched in this size
SAME_PERSON = 0.45  # calibrated cosine; strangers above it: 2 % of pairs of renders, 8 % of photos

CALIBRATION = Path(__file__).parent / "weights" / "dlib_calibration.npz"
# The five points dlib's chips are aligned by, as mesh points: outer and inner corner of the eye
# on the image's right, outer and inner corner of the other, base of the nose.
CHIP_POINTS = (263, 362, 33, 133, 2)
CHIP_SIDE = 150  # px, input of the network
CHIP_PADDING = 0.25  # of the side, as in dlib's examples


class DlibEngine:
    """MediaPipe's detector and mesh, dlib's embedding.

    Parameters
    ----------
    note : Message, optional
        Why it is this engine.
    second : Engine, optional
        The other one, for a second opinion.

    Raises
    ------
    InputError
        dlib's weights are not installed.
    """

    name = "dlib"
    licence = Message("licence_dlib")

    def __init__(self, note: Message | None = None, second: "Engine | None" = None):
        self.note = note
        self.second = second
        self.same_person = SAME_PERSON
        self._detector = ShortRangeDetector()
        self._mesh = FaceMesh()
        self._network = _dlib().face_recognition_model_v1(
            str(weights_folder() / "dlib_face_recognition_resnet_model_v1.dat")
        )
        with np.load(CALIBRATION) as constants:
            self._mean, self._whiten = constants["mean"], constants["whiten"]
        self._lock = threading.Lock()  # the networks keep state between calls

    def find(self, pixels: np.ndarray) -> list[Face]:
        """All faces of a picture, as `Engine.find`."""
        with self._lock:
            found = []
            for box, mesh, score in self.meshes(pixels):
                embedding = self._embedding(self.raw_embedding(pixels, mesh))
                found.append(
                    Face(box, landmarks68(mesh), mesh, estimate_pose(mesh), embedding, score)
                )
        return sorted(found, key=lambda face: -face.area)

    def meshes(self, pixels: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, float]]:
        """Box (4,), mesh (468, 3) and score of each place on which detector and mesh agree."""
        found, sure = [], []
        candidates = self._detector.find(pixels, CANDIDATE, WORK_SIDE)
        for ask in (self._mesh.confirmed, partial(look_again, self._mesh)):
            for candidate in candidates:
                fit = ask(pixels, candidate.box, candidate.eyes)
                if fit is not None:
                    mesh, presence = fit
                    found.append((face_box(mesh), mesh, candidate.score * presence))
                    sure.append(candidate.score)
            if found:
                break
        boxes = [box for box, _, _ in found]
        return [found[index] for index in suppress_overlaps(boxes, sure, AGREEMENT)]

    def raw_embedding(self, pixels: np.ndarray, mesh: np.ndarray) -> np.ndarray:
        """dlib's numbers of the face with that mesh, not calibrated, (128,) float64."""
        dlib = _dlib()
        points = [dlib.point(round(float(x)), round(float(y))) for x, y in mesh[CHIP_POINTS, :2]]
        low, high = mesh[:, :2].min(0), mesh[:, :2].max(0)
        box = dlib.rectangle(*(int(n) for n in (*low, *high)))
        shape = dlib.full_object_detection(box, points)
        chip = dlib.get_face_chip(np.ascontiguousarray(pixels), shape, CHIP_SIDE, CHIP_PADDING)
        return np.array(self._network.compute_face_descriptor(chip))

    def _embedding(self, raw: np.ndarray) -> np.ndarray:
        centred = (raw - self._mean) @ self._whiten
        return (centred / np.linalg.norm(centred)).astype(np.float32)


def _dlib() -> Any:
    """The compiled module dlib, which has no types; imported when it is needed."""
    import dlib

    return dlib


def weights_folder() -> Path:
    """Where the package `face_recognition_models` keeps dlib's weights."""
    spec = find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("dlib_weights_missing")
    return Path(spec.submodule_search_locations[0]) / "models"
