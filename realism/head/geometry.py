"""A head fitted to one picture: what lies under a pixel, where a place is seen, and whether.

A place is a triangle of the head and a point in it, so it is the same place in every picture.
Warp: kriging, Rasmussen and Williams, "Gaussian processes for machine learning", 2006.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
from scipy.spatial import cKDTree

from realism.head.model import load_model, mesh_places

# The 3D head. First guesses that were kept: `benchmarks.head` moves by under 0.1 mm in the median
# with `alike` 3, `warp_reach` 25, `warp_height` 3, or no warp.
WARP_REACH = 15.0  # mm over which the warp is alike
WARP_HEIGHT = 2.0  # mm, the warp's usual size
WARP_DOUBT = 2.0  # times a point's noise, since neighbours err alike
WARP_FACING = 0.2  # cosine below which a mesh point is a guess
VISIBLE_FACING = 0.12  # cosine below which a place is only a rim
OUTLINE = 10.0  # mm beside the fitted outline that still count as the head
HIDDEN_BEHIND = 4.0  # mm behind the front surface: nose over cheek, not noise


class Place(NamedTuple):
    """A place on the head's surface, the same in every picture of every person.

    triangle    number of the model's triangle
    weights     (3,) of its corners, sum 1
    """

    triangle: int
    weights: np.ndarray


class Sight(NamedTuple):
    """How a place looks in one picture.

    xy          (2,) px
    facing      cosine between its normal and the line of sight, -1..1
    visible     nothing of the head is before it and it does not look away; hair and
                glasses are not known here
    """

    xy: np.ndarray
    facing: float
    visible: bool


@dataclass(frozen=True, eq=False)
class Head:
    """A head fitted to one face in one picture. Pixel centres lie at whole numbers.

    identity      (k,) standard deviations; the person's, shared by all pictures
    expression    (m,) 0..1 about
    rotation      (3, 3), head to camera: x right, y down, z away from the photographer
    translation   (3,) mm
    focal         px; the person's distance follows from it
    centre        (2,) px, where the camera looks: the middle of the picture
    points        (468, 2) px, the mesh of which the slide is taken off
    noise         (468,) px, standard deviation of each point
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

    @cached_property
    def normals(self) -> np.ndarray:
        """(n, 3) unit, outward, in the camera's frame; an average of the triangles around."""
        corners = self.vertices[load_model().triangles]
        flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        total = np.zeros_like(self.vertices)
        for axis in range(3):
            total[:, axis] = np.bincount(
                load_model().triangles.ravel(), np.repeat(flat[:, axis], 3), len(total)
            )
        return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)

    @cached_property
    def facings(self) -> np.ndarray:
        """(n,) cosine between a vertex's normal and the line of sight."""
        sight = -self.vertices / np.linalg.norm(self.vertices, axis=1, keepdims=True)
        return (self.normals * sight).sum(1)

    @cached_property
    def pixels(self) -> np.ndarray:
        """(n, 2) px: where each vertex is seen, the warp to the mesh points included."""
        bare = self.centre + self.focal * self.vertices[:, :2] / self.vertices[:, 2:]
        # Points that look away are guesses of the network: they do not pull on the picture.
        corners, shares = mesh_places()
        anchors = (bare[corners] * shares[..., None]).sum(1)
        facing = (self.facings[corners] * shares).sum(1)
        use = facing > WARP_FACING
        anchors, residual = anchors[use], (self.points - anchors)[use]
        scale = self.translation[2] / self.focal  # mm per px
        reach, height = WARP_REACH / scale, WARP_HEIGHT / scale
        likeness = _likeness(anchors, anchors, reach)
        doubt = (self.noise[use] * WARP_DOUBT / height) ** 2
        pull = np.linalg.solve(likeness + np.diag(doubt), residual).astype(np.float32)
        warped = bare.copy()
        near = np.flatnonzero(self.facings > -0.2)
        warped[near] += _likeness(bare[near], anchors, reach) @ pull
        return warped

    @cached_property
    def _fronts(self) -> tuple[np.ndarray, np.ndarray]:
        """Triangles that face the camera as the picture has them, and their doubled areas."""
        corners = self.pixels[load_model().triangles]
        area = _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        fronts = np.flatnonzero(area < -1e-9)  # y down: counter-clockwise has a negative area
        return fronts, area[fronts]

    @cached_property
    def front_middles(self) -> tuple[np.ndarray, cKDTree]:
        """Numbers of the triangles that face the camera, and a tree of their middles, px."""
        fronts, _ = self._fronts
        return fronts, cKDTree(self.pixels[load_model().triangles[fronts]].mean(1))

    def _hits(self, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All front triangles over a pixel: numbers, corner weights (h, 3), depths mm."""
        fronts, area = self._fronts
        a, b, c = (self.pixels[load_model().triangles[fronts, k]] for k in range(3))
        second = _cross(xy - a, c - a) / area
        third = _cross(b - a, xy - a) / area
        inside = np.flatnonzero((second >= 0) & (third >= 0) & (second + third <= 1))
        weights = np.stack([1 - second - third, second, third], 1)[inside]
        triangles = fronts[inside]
        depths = (self.vertices[load_model().triangles[triangles], 2] * weights).sum(1)
        return triangles, weights, depths

    def locate(self, xy: np.ndarray) -> Place | None:
        """The place on the head seen at a pixel `(2,)`; None beside the head.

        Just beside its outline (`OUTLINE`) the nearest place is taken: the outline is not
        known to the pixel, and a mark there lies on skin.
        """
        xy = np.asarray(xy, np.float64)
        triangles, weights, depths = self._hits(xy)
        if len(triangles):
            first = depths.argmin()
            return Place(int(triangles[first]), weights[first])
        fronts, _ = self._fronts
        away = np.linalg.norm(self.pixels[load_model().triangles[fronts]].mean(1) - xy, axis=1)
        nearest = away.argmin()
        if away[nearest] > OUTLINE * self.focal / self.translation[2]:
            return None
        a, b, c = self.pixels[load_model().triangles[fronts[nearest]]]
        shares = np.array([_cross(b - xy, c - xy), _cross(c - xy, a - xy), _cross(a - xy, b - xy)])
        shares = np.maximum(-shares, 0)  # front triangles have a negative area
        return Place(int(fronts[nearest]), shares / shares.sum())

    def carry(self, xy: np.ndarray, there: "Head") -> list[Sight | None]:
        """Pixels `(n, 2)` of this picture as seen in another; None for those beside the head."""
        places = [self.locate(point) for point in xy]
        return [None if place is None else there.project(place) for place in places]

    def project(self, place: Place) -> Sight:
        """Where a place is in this picture, and whether it is seen."""
        corners = load_model().triangles[place.triangle]
        xy = place.weights @ self.pixels[corners]
        facing = float(place.weights @ self.facings[corners])
        depth = float(place.weights @ self.vertices[corners, 2])
        _, _, depths = self._hits(xy)
        clear = not len(depths) or depth - depths.min() < HIDDEN_BEHIND
        return Sight(xy, facing, bool(facing > VISIBLE_FACING and clear))

    def normal(self, place: Place) -> np.ndarray:
        """(3,) unit, outward: x right, y down, z away from the photographer."""
        normal = place.weights @ self.normals[load_model().triangles[place.triangle]]
        return normal / np.linalg.norm(normal)

    def mm_per_px(self, place: Place) -> float:
        """Millimetres that a pixel spans at the place's distance, seen face on."""
        corners = load_model().triangles[place.triangle]
        return float(place.weights @ self.vertices[corners, 2]) / self.focal

    def wire(self, pixels: np.ndarray) -> np.ndarray:
        """A copy of the picture `(H, W, 3) uint8` with the seen triangles drawn, to look at."""
        drawn = pixels.copy()
        corners = self.pixels[load_model().triangles[self._fronts[0]]]
        cv2.polylines(drawn, list(np.round(corners).astype(np.int32)), True, (0, 255, 0), 1)
        return drawn


def jacobian(photo: Head, portrait: Head, place: Place) -> np.ndarray:
    """d(portrait px) / d(photo px) at a place, (2, 2): turn, size and foreshortening.

    Where the place is seen edge-on in the photo it grows without bound: ask `facing` first.
    """
    corners = load_model().triangles[place.triangle]
    here, there = (
        np.stack([head.pixels[corners[k]] - head.pixels[corners[0]] for k in (1, 2)], 1)
        for head in (photo, portrait)
    )
    return there @ np.linalg.pinv(here)


def _likeness(one: np.ndarray, other: np.ndarray, reach: float) -> np.ndarray:
    """Correlation of the warp at points (n, 2) and (m, 2) px: a Gaussian of their distance."""
    # Single precision halves the time; from a near origin it is exact to a hundredth of a px.
    origin = other.mean(0)
    one, other = (((points - origin) / reach).astype(np.float32) for points in (one, other))
    square = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T
    return np.exp(-0.5 * square)


def _cross(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """z of the cross product of vectors (..., 2)."""
    return one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]


def under(head: Head, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The head's front under each point of its picture.

    points    (n, 2) px
    ->        (n,) triangle, (n, 3) weights of its corners, (n,) depth mm, inf beside the head
    """
    fronts, tree = head.front_middles
    # A point lies in one of the triangles whose middles are nearest; few of 20,000 are tried.
    _, near = tree.query(points, k=min(48, len(fronts)))
    tried = fronts[near]
    weights = barycentric(points[:, None], head.pixels[load_model().triangles[tried]])
    depths = (head.vertices[load_model().triangles[tried], 2] * weights).sum(2)
    depths = np.where((weights >= -1e-6).all(2), depths, np.inf)
    first = depths.argmin(1)
    row = np.arange(len(points))
    return tried[row, first], weights[row, first], depths[row, first]


def barycentric(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Weights (..., 3) of the corners (..., 3, 2) that give the points (..., 2)."""
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    area = _cross(b - a, c - a)
    area = np.where(np.abs(area) < 1e-9, 1e-9, area)
    one, two = _cross(points - a, c - a) / area, _cross(b - a, points - a) / area
    return np.stack([1 - one - two, one, two], -1)
