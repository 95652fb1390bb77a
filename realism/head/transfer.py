"""Carry points of the skin from one picture of a head to another, on the face's surface.

The 3D head (`faces/head.py`), fitted to all pictures of the person together, carries a point
and says whether it can be seen. Beside the head, and where no head was fitted, the mesh of 468
points does: inside it a point rides on its triangle, outside the nearest part of the mesh
carries it on, by moving least squares.

Moving least squares: Schaefer, McPhail and Warren, "Image deformation using moving least
squares", SIGGRAPH 2006.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from realism.faces.face import Face
from realism.faces.mesh import WEIGHTS
from realism.head.geometry import HIDDEN_BEHIND, Head, barycentric, under
from realism.head.model import load_model

# Where marks go.
MATRIX_FACING = 0.2  # cosine; seen more edge-on, the local map is not trusted


@dataclass(frozen=True, eq=False)
class Carried:
    """Points carried from a photo to a portrait.

    to            (n, 2) px of the portrait
    matrix        (n, 2, 2) px of the portrait over px of the photo
    facing        (n,) cosine of the skin to the line of sight in the portrait
    photo_facing  (n,) the same in the photo
    hidden        (n,) bool, behind another part of the face in the portrait
    """

    to: np.ndarray
    matrix: np.ndarray
    facing: np.ndarray
    photo_facing: np.ndarray
    hidden: np.ndarray

    def split(self, at: np.ndarray) -> Iterator["Carried"]:
        """Cut into parts before each index of `at`."""
        columns = (self.to, self.matrix, self.facing, self.photo_facing, self.hidden)
        return (
            Carried(*part)
            for part in zip(*(np.split(column, at) for column in columns), strict=True)
        )


@cache
def triangles() -> np.ndarray:
    """Corners of the mesh's triangles, (898, 3)."""
    lines = (WEIGHTS / "canonical_face_model.obj").read_text().splitlines()
    faces = [line.split()[1:4] for line in lines if line.startswith("f ")]
    return np.array([[int(corner.split("/")[0]) - 1 for corner in face] for face in faces])


def carry_on_head(
    points: np.ndarray, photo: Face, portrait: Face, heads: tuple[Head, Head]
) -> Carried:
    """Carry `points` (n, 2) px by the heads fitted to photo and portrait; the mesh beside them."""
    here, there = heads
    triangle, weights, depth = under(here, points)
    corners, on_head = load_model().triangles[triangle], np.isfinite(depth)
    to = (there.pixels[corners] * weights[..., None]).sum(1)
    facing = (there.facings[corners] * weights).sum(1)
    photo_facing = (here.facings[corners] * weights).sum(1)
    own_depth = (there.vertices[corners, 2] * weights).sum(1)
    _, _, front = under(there, to)
    hidden = np.isfinite(front) & (own_depth - front > HIDDEN_BEHIND)
    edges, edges_there = (_edges(head.pixels[corners]) for head in (here, there))
    matrix = edges_there @ np.linalg.pinv(edges)
    # Seen edge-on, a triangle's own map grows without bound; the mesh's is tamer. The mesh also
    # takes over where the head ends: with its slide over the skin taken off, as the heads have it.
    edge_on = np.minimum(facing, photo_facing) < MATRIX_FACING
    others = np.flatnonzero(~on_head | edge_on)
    if len(others):
        faces = (_with_points(photo, here), _with_points(portrait, there))
        beside, off = carry(points[others], *faces), ~on_head[others]
        matrix[others] = beside.matrix
        for ours, meshs in (
            (to, beside.to), (facing, beside.facing), (photo_facing, beside.photo_facing),
            (hidden, beside.hidden),
        ):  # fmt: skip
            ours[others[off]] = meshs[off]
    return Carried(to, matrix, facing, photo_facing, hidden)


def _edges(corners: np.ndarray) -> np.ndarray:
    """Two sides of each triangle (n, 3, 2) as columns: (n, 2, 2)."""
    return np.stack([corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]], 2)


def _with_points(face: Face, head: Head) -> Face:
    mesh = np.column_stack([head.points, face.mesh[:, 2]])
    return replace(face, mesh=mesh.astype(np.float32))


def carry(points: np.ndarray, photo: Face, portrait: Face) -> Carried:
    """Carry `points` (n, 2) px from the photo's face to the portrait's by the mesh alone."""
    here, there = photo.mesh.astype(np.float64), portrait.mesh.astype(np.float64)
    triangle, weights, inside = locate(points, here)
    corners = triangles()[triangle]
    guided, matrix = moving_least_squares(points, here[:, :2], there[:, :2])
    ridden = (there[corners, :2] * weights[..., None]).sum(1)
    to = np.where(inside[:, None], ridden, guided)
    return Carried(
        to,
        matrix,
        facing_at(there, corners, weights),
        facing_at(here, corners, weights),
        behind(to, there, corners, weights) & inside,
    )


def locate(points: np.ndarray, mesh: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The nearest-to-the-camera triangle under each point.

    points    (n, 2) px;  mesh    (468, 3) px
    ->        (n,) triangle, (n, 3) weights of its corners, (n,) bool whether it is inside; outside
              the mesh the triangle is the one that comes nearest and the weights are clamped
    """
    corners = mesh[triangles()]
    weights = barycentric(points[:, None], corners[None, :, :, :2])  # (n, t, 3)
    covers = (weights >= -1e-9).all(2)
    depth = np.where(covers, (weights * corners[None, :, :, 2]).sum(2), np.inf)
    inside = covers.any(1)
    clamped = np.clip(weights, 0, None)
    clamped /= clamped.sum(2, keepdims=True)
    gap = np.linalg.norm(
        (clamped[..., None] * corners[None, :, :, :2]).sum(2) - points[:, None], axis=2
    )
    triangle = np.where(inside, depth.argmin(1), gap.argmin(1))
    return triangle, clamped[np.arange(len(points)), triangle], inside


def moving_least_squares(
    points: np.ndarray, here: np.ndarray, there: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Affine maps that carry the mesh near each point, and what they make of it.

    points    (n, 2);  here, there    (468, 2) px
    ->        (n, 2) px there, (n, 2, 2)
    """
    span = np.ptp(here, axis=0).max()
    apart = ((points[:, None] - here[None]) ** 2).sum(2)
    # Gaussian near the point so that a cheek is not pulled by the nose; far outside the mesh
    # the nearest points keep the say.
    width = 0.08 * span + np.sqrt(apart.min(1, keepdims=True))
    weight = np.exp(-apart / (2 * width**2))
    weight /= weight.sum(1, keepdims=True)
    middle, middle_there = weight @ here, weight @ there
    off = here[None] - middle[:, None]
    off_there = there[None] - middle_there[:, None]
    spread = np.einsum("nk,nki,nkj->nij", weight, off, off)
    mixed = np.einsum("nk,nki,nkj->nij", weight, off_there, off)
    ridge = 1e-3 * np.trace(spread, axis1=1, axis2=2)[:, None, None] * np.eye(2)
    matrix = mixed @ np.linalg.inv(spread + ridge)
    return middle_there + np.einsum("nij,nj->ni", matrix, points - middle), matrix


def facing_at(mesh: np.ndarray, corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Cosine between surface and line of sight, (n,): 1 faces the camera, < 0 is turned away."""
    sides = mesh[triangles()]
    across = np.cross(sides[:, 1] - sides[:, 0], sides[:, 2] - sides[:, 0])
    normals = np.zeros_like(mesh)
    np.add.at(normals, triangles().ravel(), np.repeat(across, 3, axis=0))
    normal = (normals[corners] * weights[..., None]).sum(1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    # The camera looks along +z; the triangles wind so that normals leave the head.
    return -normal[:, 2]


def behind(
    to: np.ndarray, mesh: np.ndarray, corners: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Whether another part of the mesh lies clearly in front of each carried point, (n,) bool."""
    depth = (mesh[corners, 2] * weights).sum(1)
    all_corners = mesh[triangles()]
    covering = barycentric(to[:, None], all_corners[None, :, :, :2])
    covers = (covering >= 0).all(2)
    front = np.where(covers, (covering * all_corners[None, :, :, 2]).sum(2), np.inf).min(1)
    return front < depth - 0.06 * np.ptp(mesh[:, 0])
