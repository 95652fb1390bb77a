"""Transfer points of the skin from one picture of a face to another, on the face's surface.

The 3D head, fitted to all pictures of the person together, transfers a point and knows whether
it can be seen. Beside the head, and where no head was fitted, the mesh of 468 points does:
inside it a point keeps its place in its triangle, outside it follows the nearest part of the
mesh, by moving least squares.

Moving least squares: Schaefer, McPhail and Warren, "Image deformation using moving least
squares", SIGGRAPH 2006.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from realism.faces.face import Face
from realism.faces.mesh import mesh_triangles
from realism.head.geometry import Head
from realism.head.model import load_model
from realism.head.raycast import ProjectedSurface, barycentric, vertex_normals

MATRIX_FACING = 0.2  # cosine; seen more edge-on, the local map is not trusted
NEARLY_SEEN = 2.0  # mm beside a point: seen there, the point is not surely hidden
MESH_HIDDEN_BEHIND = 0.06  # of the mesh's width behind its front; less is noise of its depth


@dataclass(frozen=True, eq=False)
class TransferredPoints:
    """Points transferred from a photo to a portrait.

    Parameters
    ----------
    to : np.ndarray, (n, 2) px of the portrait
    matrix : np.ndarray, (n, 2, 2)
        px of the portrait over px of the photo.
    facing : np.ndarray, (n,)
        Cosine of the skin to the line of sight in the portrait.
    photo_facing : np.ndarray, (n,)
        The same in the photo.
    hidden : np.ndarray, (n,) bool
        Behind another part of the face in the portrait.
    """

    to: np.ndarray
    matrix: np.ndarray
    facing: np.ndarray
    photo_facing: np.ndarray
    hidden: np.ndarray

    def split(self, at: np.ndarray) -> Iterator["TransferredPoints"]:
        """Cut into parts before each index of `at`."""
        columns = (self.to, self.matrix, self.facing, self.photo_facing, self.hidden)
        return (
            TransferredPoints(*part)
            for part in zip(*(np.split(column, at) for column in columns), strict=True)
        )


def transfer_on_head(
    points: np.ndarray, photo: Face, portrait: Face, heads: tuple[Head, Head]
) -> TransferredPoints:
    """Transfer points by the heads fitted to photo and portrait; beside them by the mesh.

    Parameters
    ----------
    points : np.ndarray, (n, 2) px of the photo
    photo, portrait : Face
    heads : (Head, Head)
        Fitted to photo and portrait.
    """
    here, there = heads
    triangle, weights, depth = here.raycast(points)
    corners, on_head = load_model().triangles[triangle], np.isfinite(depth)
    to = (there.pixels[corners] * weights[..., None]).sum(1)
    facing = (there.facings[corners] * weights).sum(1)
    photo_facing = (here.facings[corners] * weights).sum(1)
    own_depth = (there.vertices[corners, 2] * weights).sum(1)
    hidden = _hidden_all_around(there, to, own_depth)
    edges, edges_there = (_edges(head.pixels[corners]) for head in (here, there))
    matrix = edges_there @ np.linalg.pinv(edges)
    # Seen edge-on, a triangle's own map grows without bound; the mesh's is tamer. The mesh also
    # takes over where the head ends: with its slide over the skin taken off, as the heads have it.
    edge_on = np.minimum(facing, photo_facing) < MATRIX_FACING
    others = np.flatnonzero(~on_head | edge_on)
    if len(others):
        faces = (_with_points(photo, here), _with_points(portrait, there))
        by_mesh, beside = transfer_on_mesh(points[others], *faces), ~on_head[others]
        matrix[others] = by_mesh.matrix
        for values, of_mesh in (
            (to, by_mesh.to),
            (facing, by_mesh.facing),
            (photo_facing, by_mesh.photo_facing),
            (hidden, by_mesh.hidden),
        ):
            values[others[beside]] = of_mesh[beside]
    return TransferredPoints(to, matrix, facing, photo_facing, hidden)


def _hidden_all_around(head: Head, points: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Whether the head hides points (n, 2) px and what lies a step beside them: (n,) bool.

    Heads are a millimetre or two off: what is hidden by less may as well be seen.
    """
    step = NEARLY_SEEN / head.mm_per_px
    beside = points[:, None] + step * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
    hidden = head.hides(beside.reshape(-1, 2), np.repeat(depth, 5)).reshape(-1, 5)
    return np.asarray(hidden.all(1))


def _edges(corners: np.ndarray) -> np.ndarray:
    """Two sides of each triangle (n, 3, 2) as columns: (n, 2, 2)."""
    return np.stack([corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]], 2)


def _with_points(face: Face, head: Head) -> Face:
    mesh = np.column_stack([head.points, face.mesh[:, 2]])
    return replace(face, mesh=mesh.astype(np.float32))


def transfer_on_mesh(points: np.ndarray, photo: Face, portrait: Face) -> TransferredPoints:
    """Transfer points from the photo's face to the portrait's by the mesh alone.

    Parameters
    ----------
    points : np.ndarray, (n, 2) px of the photo
    photo, portrait : Face

    Returns
    -------
    TransferredPoints
    """
    here, there = photo.mesh.astype(np.float64), portrait.mesh.astype(np.float64)
    triangle, weights, inside = raycast_mesh(points, here)
    corners = mesh_triangles()[triangle]
    guided, matrix = moving_least_squares(points, here[:, :2], there[:, :2])
    interpolated = (there[corners] * weights[..., None]).sum(1)
    to = np.where(inside[:, None], interpolated[:, :2], guided)
    margin = MESH_HIDDEN_BEHIND * np.ptp(there[:, 0])
    hidden = _mesh_surface(there).hides(to, interpolated[:, 2], margin)
    return TransferredPoints(
        to,
        matrix,
        mesh_facing(there, corners, weights),
        mesh_facing(here, corners, weights),
        hidden & inside,
    )


def raycast_mesh(points: np.ndarray, mesh: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The nearest-to-the-camera triangle of a face mesh under each point.

    Parameters
    ----------
    points : np.ndarray, (n, 2) px
    mesh : np.ndarray, (468, 3) px

    Returns
    -------
    triangle : np.ndarray, (n,) int
        Outside the mesh the one that comes nearest.
    weights : np.ndarray, (n, 3)
        Of its corners; outside the mesh clamped to the triangle.
    inside : np.ndarray, (n,) bool
    """
    hits = _mesh_surface(mesh).raycast(points)
    triangle, weights = hits.triangle.copy(), np.clip(hits.weights, 0, None)
    beside = np.flatnonzero(~hits.found)
    if len(beside):
        corners = mesh[mesh_triangles()][None, :, :, :2]
        clamped = np.clip(barycentric(points[beside, None], corners), 0, None)  # (n, t, 3)
        clamped /= clamped.sum(2, keepdims=True)
        nearest = (clamped[..., None] * corners).sum(2)
        distance = np.linalg.norm(nearest - points[beside, None], axis=2)
        triangle[beside] = distance.argmin(1)
        weights[beside] = clamped[np.arange(len(beside)), triangle[beside]]
    return triangle, weights / weights.sum(1, keepdims=True), hits.found


def _mesh_surface(mesh: np.ndarray) -> ProjectedSurface:
    return ProjectedSurface(mesh[:, :2], mesh[:, 2], mesh_triangles())


def moving_least_squares(
    points: np.ndarray, here: np.ndarray, there: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each point under the affine map that fits the mesh near it best.

    Parameters
    ----------
    points : np.ndarray, (n, 2) px here
    here, there : np.ndarray, (468, 2) px
        The mesh in both pictures.

    Returns
    -------
    to : np.ndarray, (n, 2) px there
    matrix : np.ndarray, (n, 2, 2)
        The linear part of each map.
    """
    span = np.ptp(here, axis=0).max()
    apart = ((points[:, None] - here[None]) ** 2).sum(2)
    # Gaussian near the point so that a cheek is not pulled by the nose; far outside the mesh
    # the nearest points keep the weight.
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


def mesh_facing(mesh: np.ndarray, corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Cosine between a face mesh and the line of sight: 1 faces the camera, < 0 is turned away.

    Parameters
    ----------
    mesh : np.ndarray, (468, 3) px
    corners : np.ndarray, (n, 3) int
        Mesh points of the triangle that each point lies on.
    weights : np.ndarray, (n, 3)
        Of the corners.

    Returns
    -------
    np.ndarray, (n,)
    """
    normals = vertex_normals(mesh, mesh_triangles())
    normal = (normals[corners] * weights[..., None]).sum(1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    # The camera looks along +z; the triangles wind so that normals leave the head.
    return -normal[:, 2]
