"""A face in a picture, and how alike two faces are.

Landmarks: the 68 points of iBUG 300-W (0-16 jaw from the image's left, 17-26 brows, 27-35 nose,
36-47 eyes, 48-67 lips). Mesh: the 468 points of MediaPipe's canonical face model.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Pose:
    """Turn of the head relative to the camera, degrees.

    yaw      > 0: the face turns to its own left, towards the image's right
    pitch    > 0: it looks up
    roll     > 0: the top of the head leans to the image's right
    """

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, eq=False)
class Face:
    """One face in one picture.

    box          (4,) float32, x0, y0, x1, y1 px, brows to chin and ear to ear
    landmarks    (68, 2) float32, px
    mesh         (468, 3) float32, x and y in px, z in the same scale, negative towards the camera
    pose         Pose
    embedding    (D,) float32, unit length; cosines of one engine compare, of two do not
    score        how sure the detector is, 0..1
    """

    box: np.ndarray
    landmarks: np.ndarray
    mesh: np.ndarray
    pose: Pose
    embedding: np.ndarray
    score: float

    @property
    def width(self) -> float:
        """Width of the box, px."""
        return float(self.box[2] - self.box[0])

    @property
    def area(self) -> float:
        """Area of the box, px²."""
        return self.width * float(self.box[3] - self.box[1])


class Engine(Protocol):
    """What finds faces: `insightface.py` or `dlib.py`.

    name       "insightface" | "dlib"
    licence    one line on the terms of its weights, shown wherever it is used
    """

    name: str
    licence: str

    def find(self, pixels: np.ndarray) -> list[Face]:
        """All faces of an image `(H, W, 3) uint8 sRGB`, largest first; [] when there is none."""


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Cosine of two unit embeddings, -1..1."""
    return float(np.dot(one, other))
