"""What a picture shows of a triangle mesh under a pixel, and what lies hidden behind it.

The 3D head and the face mesh of 468 points both use it. The triangles lie in the picture already,
so a ray is a pixel; a grid of cells over the picture lists the triangles whose boxes touch each
cell, and only those under a pixel are tried. All points are cast at once.

Uniform grid: Fujimoto, Tanaka and Iwata, "ARTS: accelerated ray-tracing system", IEEE CG&A 1986.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

INSIDE = -1e-6  # barycentric weight from which a point is in a triangle: its edges belong to it
MOST_CELLS = 512  # of the grid along a side


class Hits(NamedTuple):
    """What lies under n points.

    Attributes
    ----------
    triangle : np.ndarray, (n,) int
        Number of the frontmost triangle; any where nothing is hit.
    weights : np.ndarray, (n, 3)
        Barycentric weights of its corners.
    depth : np.ndarray, (n,)
        Its depth there; inf where nothing is hit.
    """

    triangle: np.ndarray
    weights: np.ndarray
    depth: np.ndarray

    @property
    def found(self) -> np.ndarray:
        """(n,) bool, whether anything is hit."""
        return np.isfinite(self.depth)


@dataclass(frozen=True, eq=False)
class ProjectedSurface:
    """A triangle mesh as one picture shows it.

    Parameters
    ----------
    pixels : np.ndarray, (v, 2) px
        Where the vertices are seen.
    depth : np.ndarray, (v,)
        Their distance from the camera, in any unit; smaller is nearer.
    triangles : np.ndarray, (t, 3) int
        Vertices of each triangle.
    """

    pixels: np.ndarray
    depth: np.ndarray
    triangles: np.ndarray

    def raycast(self, points: np.ndarray) -> Hits:
        """The triangle nearest to the camera under each point.

        Parameters
        ----------
        points : np.ndarray, (n, 2) px

        Returns
        -------
        Hits
        """
        points = np.asarray(points, np.float64).reshape(-1, 2)
        triangle = np.zeros(len(points), int)
        weights, depth = np.zeros((len(points), 3)), np.full(len(points), np.inf)
        ray, tried = self._candidates(points)
        corners = self.triangles[tried]
        shares = barycentric(points[ray], self.pixels[corners])
        inside = np.flatnonzero((shares >= INSIDE).all(1))
        ray, tried, shares = ray[inside], tried[inside], shares[inside]
        distance = (self.depth[corners[inside]] * shares).sum(1)
        nearest_first = np.lexsort((distance, ray))
        hit, first = np.unique(ray[nearest_first], return_index=True)
        chosen = nearest_first[first]
        triangle[hit], weights[hit], depth[hit] = tried[chosen], shares[chosen], distance[chosen]
        return Hits(triangle, weights, depth)

    def hides(self, points: np.ndarray, depth: np.ndarray, margin: float) -> np.ndarray:
        """Whether the surface lies clearly in front of points on it or behind it.

        Parameters
        ----------
        points : np.ndarray, (n, 2) px
        depth : np.ndarray, (n,)
            Of each point, in the unit of the surface's depth.
        margin : float
            What lies less than this in front is the surface around the point itself.

        Returns
        -------
        np.ndarray, (n,) bool
        """
        return np.asarray(depth) - self.raycast(points).depth > margin

    @cached_property
    def _grid(self) -> tuple[np.ndarray, float, np.ndarray, np.ndarray, np.ndarray]:
        """Origin, side of a cell, (columns, rows), first entry of each cell, triangles by cell."""
        corners = self.pixels[self.triangles]
        low, high = corners.min(1), corners.max(1)
        origin, extent = low.min(0), np.ptp(corners.reshape(-1, 2), axis=0).max()
        side = float(max((high - low).mean(), extent / MOST_CELLS, 1e-6))
        first = np.floor((low - origin) / side).astype(int)
        last = np.floor((high - origin) / side).astype(int)
        size = last.max(0) + 1
        width, height = (last - first + 1).T
        triangle, step = _expand(width * height)
        column = first[triangle, 0] + step % width[triangle]
        row = first[triangle, 1] + step // width[triangle]
        cell = row * size[0] + column
        starts = np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=size.prod()))])
        return origin, side, size, starts, triangle[np.argsort(cell, kind="stable")]

    def _candidates(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs to try: numbers of points and of triangles whose boxes touch their cells."""
        origin, side, size, starts, by_cell = self._grid
        at = np.floor((points - origin) / side).astype(int)
        # A point within rounding of the outline may fall just beside the grid.
        near = ((points >= origin - 1e-6) & (at <= size)).all(1)
        column, row = np.clip(at, 0, size - 1).T
        cell = row * size[0] + column
        ray, step = _expand(np.where(near, starts[cell + 1] - starts[cell], 0))
        return ray, by_cell[starts[cell[ray]] + step]


def _expand(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """0 `counts[0]` times, 1 `counts[1]` times, ...; and the number of each within its run."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner]


def barycentric(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Weights of triangles' corners that give points.

    Parameters
    ----------
    points : np.ndarray, (..., 2)
    corners : np.ndarray, (..., 3, 2)

    Returns
    -------
    np.ndarray, (..., 3)
        Sum 1; all are in 0..1 inside the triangle.
    """
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    area = cross_2d(b - a, c - a)
    area = np.where(np.abs(area) < 1e-9, 1e-9, area)
    second, third = cross_2d(points - a, c - a) / area, cross_2d(b - a, points - a) / area
    return np.stack([1 - second - third, second, third], -1)


def cross_2d(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """z of the cross product of vectors (..., 2)."""
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Sum of the normals of the triangles around each vertex, each as long as its doubled area.

    Parameters
    ----------
    vertices : np.ndarray, (v, 3)
    triangles : np.ndarray, (t, 3) int

    Returns
    -------
    np.ndarray, (v, 3)
    """
    corners = vertices[triangles]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros_like(vertices)
    for axis in range(3):
        total[:, axis] = np.bincount(triangles.ravel(), np.repeat(flat[:, axis], 3), len(total))
    return total
