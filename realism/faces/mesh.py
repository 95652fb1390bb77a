"""The 468 points of MediaPipe's face mesh, and what follows from them: 68 landmarks and pose.

The network wants a square crop, upright by the eye line, one and a half times the face. We
place it from a rough guess and twice again from its own points, which also follows strong
turns. Pose is the rotation that lays MediaPipe's canonical head on the points.

Network: Kartynnik et al., "Real-time facial surface geometry from monocular video", 2019;
weights and canonical head of MediaPipe, Apache-2.0. Rotation: Terzakis and Lourakis, "SQPnP",
ECCV 2020, as `cv2.solvePnP` has it.
"""

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from realism.faces.detect import overlap
from realism.faces.face import Pose, eye_centres

# When a place in a picture counts as a face. Set with `python -m benchmarks.faces`.
PRESENCE = 0.5  # of the mesh, 0..1; true faces there above 0.99
AGREEMENT = 0.3  # intersection over union of detector's and mesh's box

WEIGHTS = Path(__file__).parent / "weights"
SIDE = 192  # px, input of the network
REACH = 1.5  # side of the crop over the larger extent of the points
EAR = 0.07  # of the mesh's width on each side: it ends before the ears
PLACEMENTS = 3  # the guess, then twice from its own points

# Our choice of a mesh point for each of iBUG's 68.
JAW = (127, 234, 93, 132, 58, 172, 150, 176, 152, 400, 379, 397, 288, 361, 323, 454, 356)
BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
NOSE = (168, 6, 195, 4, 98, 97, 2, 326, 327)
EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
LIPS_OUTSIDE = (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91)
LIPS_INSIDE = (78, 81, 13, 311, 308, 402, 14, 178)
IBUG68 = np.array(JAW + BROWS + NOSE + EYES + LIPS_OUTSIDE + LIPS_INSIDE)

# Points on bone and midline, which expressions move least: what pose is read from.
POSE_POINTS = [33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 1, 98, 327, 10, 152, 234, 454, 127, 356]
POSE_POINTS += [70, 105, 336, 300, 151, 9, 61, 291]
CAMERA_DISTANCE = 10.0  # face sizes between camera and face; 6-20 measured alike
_TILT = np.radians(5.2)
# The canonical head looks down by as much as a head that we call level (truth of renders).
CANONICAL_TILT = np.array(
    [[1, 0, 0], [0, np.cos(_TILT), np.sin(_TILT)], [0, -np.sin(_TILT), np.cos(_TILT)]]
)

# The outline of the face, clockwise in the image from the top of the forehead.
FACE_OVAL = [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400]
FACE_OVAL += [377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67]
FACE_OVAL += [109]


class FaceMesh:
    """MediaPipe's face mesh through `cv2.dnn`."""

    def __init__(self):
        # The classic engine of OpenCV 5.0 gives both outputs: points and presence.
        path = str(WEIGHTS / "face_landmark.tflite")
        self.net = cv2.dnn.readNetFromTFLite(path, cv2.dnn.ENGINE_CLASSIC)

    def fit(
        self, pixels: np.ndarray, box: np.ndarray, eyes: np.ndarray
    ) -> tuple[np.ndarray, float]:
        """Mesh of the face near `box`.

        Parameters
        ----------
        pixels : np.ndarray, (H, W, 3) uint8 sRGB
        box : np.ndarray, (4,) px
            x0, y0, x1, y1 of a rough face, brows to chin.
        eyes : np.ndarray, (2, 2) px
            The person's right and left eye, for the roll.

        Returns
        -------
        mesh : np.ndarray, (468, 3) float32 px
            x, y, and z in the same scale, negative towards the camera.
        presence : float, 0..1
            How sure the network is that the crop shows a face.
        """
        centre, extent = (box[:2] + box[2:]) / 2, np.max(box[2:] - box[:2])
        mesh, presence = self.read_crop(pixels, centre, extent * REACH, roll_angle(eyes))
        for _ in range(PLACEMENTS - 1):
            roll = roll_angle(eye_centres(mesh))
            centre, extent = upright_extent(mesh, roll)
            mesh, presence = self.read_crop(pixels, centre, extent * REACH, roll)
        return mesh, presence

    def confirmed(
        self, pixels: np.ndarray, box: np.ndarray, eyes: np.ndarray, at_least: float = PRESENCE
    ) -> tuple[np.ndarray, float] | None:
        """Mesh and presence as of `fit`, or None when the mesh does not see a face at `box`."""
        mesh, presence = self.fit(pixels, box, eyes)
        # A mesh that walked off to another face, or came to rest on a part of one, is no face.
        if presence < at_least or overlap(face_box(mesh), box) < AGREEMENT:
            return None
        return mesh, presence

    def read_crop(
        self, pixels: np.ndarray, centre: np.ndarray, side: float, roll: float
    ) -> tuple[np.ndarray, float]:
        """One run of the network on the square of `upright_crop`; mesh and presence as of `fit`."""
        crop, to_crop = upright_crop(pixels, centre, side, roll, SIDE)
        self.net.setInput(cv2.dnn.blobFromImage(crop, 1 / 255))
        points, presence = self.net.forward(["conv2d_21", "conv2d_31"])
        points = points.reshape(468, 3)
        back = cv2.invertAffineTransform(to_crop)
        xy = points[:, :2] @ back[:, :2].T + back[:, 2]
        z = points[:, 2:] * np.sqrt(abs(np.linalg.det(back[:, :2])))
        logit = np.clip(presence.ravel()[0], -50, 50)
        return np.hstack([xy, z]).astype(np.float32), float(1 / (1 + np.exp(-logit)))


def roll_angle(eyes: np.ndarray) -> float:
    """Angle of the line from the right eye to the left, radians; > 0: left eye lower."""
    across = eyes[1] - eyes[0]
    return float(np.arctan2(across[1], across[0]))


def upright_extent(mesh: np.ndarray, roll: float) -> tuple[np.ndarray, float]:
    """Centre (2,) px and larger side, px, of the points' box in the frame turned by `roll`."""
    turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    upright = mesh[:, :2] @ turn.T
    low, high = upright.min(0), upright.max(0)
    return (low + high) / 2 @ turn, float(np.max(high - low))


def upright_crop(
    pixels: np.ndarray, centre: np.ndarray, side: float, roll: float, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """A square of a picture, turned upright and scaled.

    Parameters
    ----------
    pixels : np.ndarray, (H, W, 3) uint8
    centre : np.ndarray, (2,) px
    side : float, px
        Of the square in the picture.
    roll : float, radians
        Angle of its upper side.
    size : int, px
        Side of the result.

    Returns
    -------
    crop : np.ndarray, (size, size, 3) uint8
        Black outside the picture.
    to_crop : np.ndarray, (2, 3)
        Matrix from the picture to the crop.
    """
    scale = size / side
    cos, sin = np.cos(roll) * scale, np.sin(roll) * scale
    turn = np.array([[cos, sin], [-sin, cos]])
    matrix = np.hstack([turn, (size / 2 - turn @ centre)[:, None]])
    # warpAffine reads single pixels: shrink a large face first, or it aliases.
    half = side * 0.75
    x0, y0 = np.maximum(np.floor(np.asarray(centre) - half), 0).astype(int)
    x1, y1 = np.ceil(np.asarray(centre) + half).astype(int)
    region = pixels[y0 : max(y1, 0), x0 : max(x1, 0)]
    if region.size == 0:
        return np.zeros((size, size, 3), np.uint8), matrix
    shrink = min(1.0, 1.5 * scale)
    to_region = matrix.copy()
    to_region[:, 2] += matrix[:, :2] @ [x0, y0]
    if shrink < 1:
        height, width = region.shape[:2]
        small = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        region = cv2.resize(region, small, interpolation=cv2.INTER_AREA)
        # Pixel centres lie at whole numbers for warpAffine; a resize moves them.
        stretch = np.array([width / small[0], height / small[1]])
        to_region[:, 2] += to_region[:, :2] @ (stretch / 2 - 0.5)
        to_region[:, :2] *= stretch
    crop = cv2.warpAffine(region, to_region, (size, size), flags=cv2.INTER_LINEAR)
    return crop, matrix


def landmarks68(mesh: np.ndarray) -> np.ndarray:
    """iBUG's 68 landmarks, (68, 2) float32 px, read off the mesh.

    In turned views the far jaw points lie on the seen outline's inside, as the mesh has them.
    """
    return mesh[IBUG68, :2].copy()


def face_box(mesh: np.ndarray) -> np.ndarray:
    """The face's box, (4,) float32 px, brows to chin and ear to ear; the same for every engine."""
    points = mesh[IBUG68, :2]
    low, high = points.min(0), points.max(0)
    ears = np.array([EAR * (high[0] - low[0]), 0])
    return np.concatenate([low - ears, high + ears]).astype(np.float32)


def estimate_pose(mesh: np.ndarray) -> Pose:
    """Turn of the head: the rotation under which a far camera sees the canonical head so.

    Only x and y are used: the network's z is too flat on some faces, which hid 10° of yaw.
    """
    centre, extent = mesh[:, :2].mean(0), np.ptp(mesh[:, :2], axis=0).max()
    focal = CAMERA_DISTANCE * extent
    camera = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]], np.float64)
    flip = np.diag([1.0, -1.0, -1.0])  # between y up, z forward and OpenCV's y down, z away
    head = canonical_head()[POSE_POINTS].astype(np.float64) @ flip
    projected = mesh[POSE_POINTS, :2].astype(np.float64)
    _, turn, _ = cv2.solvePnP(head, projected, camera, None, flags=cv2.SOLVEPNP_SQPNP)
    rotation = flip @ cv2.Rodrigues(turn)[0] @ flip @ CANONICAL_TILT
    # rotation = Ry(yaw) Rx(-pitch) Rz(-roll)
    yaw = np.degrees(np.arctan2(rotation[0, 2], rotation[2, 2]))
    pitch = np.degrees(np.arcsin(np.clip(rotation[1, 2], -1, 1)))
    roll = np.degrees(-np.arctan2(rotation[1, 0], rotation[1, 1]))
    return Pose(float(yaw), float(pitch), float(roll))


@cache
def canonical_head() -> np.ndarray:
    """Vertices of MediaPipe's canonical head, (468, 3) float32 cm: x to its left, y up, z ahead."""
    return np.array([line[:3] for line in _read_obj("v")], np.float32)


@cache
def mesh_triangles() -> np.ndarray:
    """Mesh points at the corners of the mesh's triangles, (898, 3) int; they wind outward."""
    return np.array(
        [[int(corner.split("/")[0]) - 1 for corner in line[:3]] for line in _read_obj("f")]
    )


def _read_obj(kind: str) -> list[list[str]]:
    """The fields of the lines of one kind of the canonical head's Wavefront file."""
    lines = (WEIGHTS / "canonical_face_model.obj").read_text(encoding="utf-8").splitlines()
    return [line.split()[1:] for line in lines if line.startswith(f"{kind} ")]
