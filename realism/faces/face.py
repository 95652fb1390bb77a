"""A face in a picture, and how alike two faces are.

Landmarks: the 68 points of iBUG 300-W (0-16 jaw from the image's left, 17-26 brows, 27-35 nose,
36-47 eyes, 48-67 lips). Mesh: the 468 points of MediaPipe's canonical face model.
"""

from dataclasses import dataclass

import numpy as np

EYES_APART = 63.0  # mm between the pupils of an adult: Dodgson, SPIE 5291, 2004


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


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Cosine of two unit embeddings, -1..1."""
    return float(np.dot(one, other))


def mm_per_px_from_eyes(face: Face) -> float:
    """Millimetres a pixel at the face, from the distance of its eyes."""
    eyes = face.mesh[[33, 133]].mean(0), face.mesh[[362, 263]].mean(0)
    return EYES_APART / max(float(np.linalg.norm(eyes[1] - eyes[0])), 1e-6)
