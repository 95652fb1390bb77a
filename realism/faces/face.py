"""A face in a picture, and how alike two faces are.

Landmarks: the 68 points of iBUG 300-W (0-16 jaw from the image's left, 17-26 brows, 27-35 nose,
36-47 eyes, 48-67 lips). Mesh: the 468 points of MediaPipe's canonical face model.
"""

from dataclasses import dataclass

import numpy as np

RIGHT_EYE, LEFT_EYE = [33, 133], [362, 263]  # the person's; mesh points at the corners
EYES_APART = 63.0  # mm between the pupils of an adult: Dodgson, SPIE 5291, 2004


@dataclass(frozen=True)
class Pose:
    """Turn of the head relative to the camera.

    Parameters
    ----------
    yaw : float, degrees
        > 0: the face turns to its own left, towards the image's right.
    pitch : float, degrees
        > 0: it looks up.
    roll : float, degrees
        > 0: the top of the head leans to the image's right.
    """

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, eq=False)
class Face:
    """One face in one picture.

    Parameters
    ----------
    box : np.ndarray, (4,) float32 px
        x0, y0, x1, y1; brows to chin and ear to ear.
    landmarks : np.ndarray, (68, 2) float32 px
    mesh : np.ndarray, (468, 3) float32 px
        x, y, and z in the same scale, negative towards the camera.
    pose : Pose
    embedding : np.ndarray, (D,) float32
        Of unit length; cosines of one engine compare, of two do not.
    score : float, 0..1
        How sure the detector is.
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


def similarity(embedding: np.ndarray, other: np.ndarray) -> float:
    """Cosine of two unit embeddings, -1..1."""
    return float(np.dot(embedding, other))


def mm_per_px_from_eyes(face: Face) -> float:
    """Millimetres in a pixel at the face, guessed from the distance of its eyes in the picture.

    Needs no head, and is enough for margins and reaches of search. The distance is that in the
    mesh, depth and all, which the network flattens on some faces: where a 3D head is fitted, its
    `Head.mm_per_px` is meant.
    """
    right, left = (face.mesh[corners].mean(0) for corners in (RIGHT_EYE, LEFT_EYE))
    return EYES_APART / max(float(np.linalg.norm(left - right)), 1e-6)


def eye_centres(mesh: np.ndarray) -> np.ndarray:
    """Middles between the corners of the person's right and left eye, (2, 2) px."""
    return np.stack([mesh[RIGHT_EYE, :2].mean(0), mesh[LEFT_EYE, :2].mean(0)])
