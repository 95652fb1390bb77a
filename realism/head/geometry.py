"""A head fitted to one picture: what lies under a pixel, where a point is seen, and whether.

A surface point is a triangle of the head and a point in it, so it is the same in every picture.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
from scipy.spatial import KDTree

from realism.head.kriging import gaussian_kernel
from realism.head.model import load_model, mesh_points_on_head
from realism.head.raycast import Hits, ProjectedSurface, barycentric, cross_2d, vertex_normals

# First guesses that were kept: `benchmarks.head` moves by under 0.1 mm in the median with
# WARP_REACH 25, WARP_HEIGHT 3, or no warp.
WARP_REACH = 15.0  # mm over which the warp is correlated
WARP_HEIGHT = 2.0  # mm, the warp's usual size
WARP_NOISE = 2.0  # times a point's own, since neighbours err alike
WARP_FACING = 0.2  # cosine below which a mesh point is a guess
NEARLY_FACING = -0.2  # cosine; what looks further away is not warped
VISIBLE_FACING = 0.12  # cosine below which a point is only on the rim
OUTLINE = 10.0  # mm beside the fitted outline that still count as the head
HIDDEN_BEHIND = 4.0  # mm behind the front surface: nose over cheek, not noise


class SurfacePoint(NamedTuple):
    """A point of the head's surface, the same in every picture of every person.

    Attributes
    ----------
    triangle : int
        Number of the model's triangle.
    weights : np.ndarray, (3,)
        Barycentric, of its corners; sum 1.
    """

    triangle: int
    weights: np.ndarray


class Projection(NamedTuple):
    """A surface point in one picture.

    Attributes
    ----------
    xy : np.ndarray, (2,) px
    facing : float, -1..1
        Cosine between its normal and the line of sight.
    visible : bool
        Nothing of the head is before it and it does not look away. Hair and glasses are not
        known here.
    """

    xy: np.ndarray
    facing: float
    visible: bool


@dataclass(frozen=True, eq=False)
class Head:
    """A head fitted to one face in one picture. Pixel centres lie at whole numbers.

    Parameters
    ----------
    identity : np.ndarray, (k,) standard deviations
        The person's, shared by all pictures.
    expression : np.ndarray, (m,) about 0..1
    rotation : np.ndarray, (3, 3)
        Head to camera: x right, y down, z away from the photographer.
    translation : np.ndarray, (3,) mm
    focal : float, px
        The person's distance follows from it.
    centre : np.ndarray, (2,) px
        Where the camera looks: the middle of the picture.
    points : np.ndarray, (468, 2) px
        The debiased mesh.
    noise : np.ndarray, (468,) px
        Standard deviation of each point.
    """

    identity: np.ndarray
    expression: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    focal: float
    centre: np.ndarray
    points: np.ndarray
    noise: np.ndarray

    @cached_property
    def vertices(self) -> np.ndarray:
        """(n, 3) mm in the camera's frame."""
        model = load_model()
        weights = np.concatenate([self.identity, self.expression]).astype(np.float32)
        shape = model.mean + (weights @ model.modes.reshape(len(weights), -1)).reshape(-1, 3)
        return shape @ self.rotation.T + self.translation

    def turn_to(self, other: "Head") -> float:
        """Angle between two heads' turns, degrees."""
        between = self.rotation @ other.rotation.T
        return float(np.degrees(np.arccos(np.clip((np.trace(between) - 1) / 2, -1, 1))))

    @cached_property
    def normals(self) -> np.ndarray:
        """(n, 3) unit, outward, in the camera's frame; an average of the triangles around."""
        total = vertex_normals(self.vertices, load_model().triangles)
        return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)

    @cached_property
    def facings(self) -> np.ndarray:
        """(n,) cosine between a vertex's normal and the line of sight."""
        to_camera = -self.vertices / np.linalg.norm(self.vertices, axis=1, keepdims=True)
        return (self.normals * to_camera).sum(1)

    @cached_property
    def pixels(self) -> np.ndarray:
        """(n, 2) px: where each vertex is seen, the warp to the mesh points included."""
        bare = self.centre + self.focal * self.vertices[:, :2] / self.vertices[:, 2:]
        # Points that look away are guesses of the network: they do not pull on the picture.
        corners, shares = mesh_points_on_head()
        anchors = (bare[corners] * shares[..., None]).sum(1)
        facing = (self.facings[corners] * shares).sum(1)
        use = facing > WARP_FACING
        anchors, residual = anchors[use], (self.points - anchors)[use]
        reach, height = WARP_REACH / self.mm_per_px, WARP_HEIGHT / self.mm_per_px
        # Single precision halves the time; from a near origin it is exact to a hundredth of a px.
        near = np.flatnonzero(self.facings > NEARLY_FACING)
        data, others = (
            ((points - anchors.mean(0)) / reach).astype(np.float32)
            for points in (anchors, bare[near])
        )
        variance = (self.noise[use] * WARP_NOISE / height) ** 2
        covariance = gaussian_kernel(data, data) + np.diag(variance)
        weights = np.linalg.solve(covariance, residual).astype(np.float32)
        warped = bare.copy()
        warped[near] += gaussian_kernel(others, data) @ weights
        return warped

    @cached_property
    def fronts(self) -> np.ndarray:
        """(f,) numbers of the model's triangles that face the camera as the picture has them."""
        corners = self.pixels[load_model().triangles]
        area = cross_2d(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        return np.flatnonzero(area < -1e-9)  # y down: counter-clockwise has a negative area

    @cached_property
    def surface(self) -> ProjectedSurface:
        """The triangles `fronts` as the picture shows them, their depth in mm."""
        corners = load_model().triangles[self.fronts]
        return ProjectedSurface(self.pixels, self.vertices[:, 2], corners)

    @cached_property
    def _middles(self) -> KDTree:
        """Of the triangles `fronts`, px."""
        return KDTree(self.pixels[self.surface.triangles].mean(1))

    def raycast(self, points: np.ndarray) -> Hits:
        """The head's front under pixels.

        Parameters
        ----------
        points : np.ndarray, (n, 2) px

        Returns
        -------
        Hits
            Triangles of the model, depths in mm. Beside the head the triangle with the nearest
            middle, whose plane is carried on by weights outside 0..1, and depth inf.
        """
        points = np.asarray(points, np.float64)
        hits = self.surface.raycast(points)
        triangle, weights, beside = hits.triangle.copy(), hits.weights.copy(), ~hits.found
        if beside.any():
            triangle[beside] = self._middles.query(points[beside])[1]
            corners = self.pixels[self.surface.triangles[triangle[beside]]]
            weights[beside] = barycentric(points[beside], corners)
        return Hits(self.fronts[triangle], weights, hits.depth)

    def hides(self, points: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Whether the head itself hides points of it: nose over cheek, say.

        Parameters
        ----------
        points : np.ndarray, (n, 2) px
        depth : np.ndarray, (n,) mm
            Of each point, as of `vertices`.

        Returns
        -------
        np.ndarray, (n,) bool
        """
        return self.surface.hides(points, depth, HIDDEN_BEHIND)

    def surface_points(self, points: np.ndarray) -> list[SurfacePoint | None]:
        """The points on the head seen at pixels `(n, 2)`; None beside the head.

        Just beside its outline (`OUTLINE`) the nearest is taken: the outline is not known to the
        pixel, and a mark there lies on skin.
        """
        points = np.asarray(points, np.float64).reshape(-1, 2)
        triangle, weights, depth = self.raycast(points)
        middles = self.pixels[load_model().triangles[triangle]].mean(1)
        near = np.linalg.norm(middles - points, axis=1) <= OUTLINE / self.mm_per_px
        weights = np.maximum(weights, 0)
        weights /= weights.sum(1, keepdims=True)
        return [
            SurfacePoint(int(triangle[n]), weights[n]) if near[n] or np.isfinite(depth[n]) else None
            for n in range(len(points))
        ]

    def surface_point_at(self, xy: np.ndarray) -> SurfacePoint | None:
        """`surface_points` of one pixel `(2,)`."""
        return self.surface_points(xy)[0]

    def transfer_points(self, points: np.ndarray, there: "Head") -> list[Projection | None]:
        """Pixels `(n, 2)` of this picture as seen in another; None for those beside the head."""
        return [
            None if point is None else there.project(point) for point in self.surface_points(points)
        ]

    def project(self, point: SurfacePoint) -> Projection:
        """Where a surface point is in this picture, and whether it is seen."""
        corners = load_model().triangles[point.triangle]
        xy = point.weights @ self.pixels[corners]
        facing = float(point.weights @ self.facings[corners])
        depth = point.weights @ self.vertices[corners, 2]
        hidden = self.hides(xy[None], depth[None])[0]
        return Projection(xy, facing, bool(facing > VISIBLE_FACING and not hidden))

    @property
    def mm_per_px(self) -> float:
        """Millimetres that a pixel spans at the distance of the eyes, seen face on."""
        return float(self.translation[2]) / self.focal

    def mm_per_px_at(self, point: SurfacePoint) -> float:
        """Millimetres that a pixel spans at the point's own distance, seen face on."""
        corners = load_model().triangles[point.triangle]
        return float(point.weights @ self.vertices[corners, 2]) / self.focal

    def draw_wireframe(self, pixels: np.ndarray) -> np.ndarray:
        """A copy of the picture `(H, W, 3) uint8` with the seen triangles drawn, to look at."""
        drawn = pixels.copy()
        corners = self.pixels[self.surface.triangles]
        cv2.polylines(drawn, list(np.round(corners).astype(np.int32)), True, (0, 255, 0), 1)
        return drawn
