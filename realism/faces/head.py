"""The head in 3D: fitted to a face's mesh, it carries places on skin from picture to picture.

A linear head (identity, expression) under a perspective camera is laid on the 468 points of the
face mesh by Gauss-Newton, regularised by the model's own statistics; a person's photos and
portraits share one identity. What the mesh still says otherwise is kept as a smooth warp. A
place is a triangle of the head and a point in it, so it is the same place in every picture.

The mesh network's points slide over the skin as the head turns. `settled` takes the part of
the slide that turn and shape foretell off; it was learned by `training/head`.

Head: Li et al., "Learning formation of physically-based face attributes" (ICT FaceKit), CVPR
2020, MIT. Warp: kriging, Rasmussen and Williams, "Gaussian processes for machine learning", 2006.
"""

import threading
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from scipy.spatial import cKDTree

from realism.faces.mesh import (
    REACH,
    FaceMesh,
    canonical_head,
    eyes_of,
    roll_of,
    upright_extent,
)
from realism.settings import HEAD

WEIGHTS = Path(__file__).parent / "weights" / "ict-head.npz"


class Model(NamedTuple):
    """The linear head and what is known about the mesh network, from `weights/ict-head.npz`.

    mean            (n, 3) mm, origin midway between the eyes; x to the person's left, y up,
                    z forward
    modes           (k + m, n, 3) mm: identity, one standard deviation each, then expression,
                    full units
    people          k, how many of the modes are identity
    triangles       (t, 3) vertices, counter-clockwise from outside
    mesh_mean       (468, 3) mm, the mean head's places of the mesh points
    mesh_modes      (468, 3, k + m) mm, how the modes move them
    drift_usual     (9, 1404) the mesh of a usual face at a turn, from the turn's polynomial
    drift_modes     (d, 1404) directions in which faces differ from it, over their spread
    drift           (9 + d, 936) how far the mesh points lie from their places, mesh units
    noise           (7, 468) their standard deviation after that, mesh units, at yaw -45 to 45
    """

    mean: np.ndarray
    modes: np.ndarray
    people: int
    triangles: np.ndarray
    mesh_mean: np.ndarray
    mesh_modes: np.ndarray
    drift_usual: np.ndarray
    drift_modes: np.ndarray
    drift: np.ndarray
    noise: np.ndarray


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
        use = facing > HEAD.warp_facing
        anchors, residual = anchors[use], (self.points - anchors)[use]
        scale = self.translation[2] / self.focal  # mm per px
        reach, height = HEAD.warp_reach / scale, HEAD.warp_height / scale
        likeness = _likeness(anchors, anchors, reach)
        doubt = (self.noise[use] * HEAD.warp_doubt / height) ** 2
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

        Just beside its outline (`HEAD.outline`) the nearest place is taken: the outline is not
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
        if away[nearest] > HEAD.outline * self.focal / self.translation[2]:
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
        clear = not len(depths) or depth - depths.min() < HEAD.hidden_behind
        return Sight(xy, facing, bool(facing > HEAD.visible_facing and clear))

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


def fit_head(mesh: np.ndarray, size: tuple[int, int], identity: np.ndarray | None = None) -> Head:
    """The head of one face.

    mesh        (468, 3), `Face.mesh`
    size        height and width of the picture, px
    identity    (k,) of the person where it is known; it is then kept
    """
    if identity is None:
        return fit_person([(mesh, size)])[0]
    view = _View(mesh, size)
    for _ in range(HEAD.steps):
        _, _, own, own_pull = view.equations(identity)
        view.step(np.linalg.solve(own, own_pull))
    return view.head(identity)


def fit_person(faces: list[tuple[np.ndarray, tuple[int, int]]]) -> list[Head]:
    """The heads of one person's pictures, fitted together: they share the identity.

    faces    mesh (468, 3) and (height, width) px of each picture, at least one
    ->       one Head a picture, in the order given; `heads[0].identity` is the person's
    """
    identity = np.zeros(load_model().people)
    views = [_View(mesh, size) for mesh, size in faces]
    for _ in range(HEAD.steps):
        # Each view's own unknowns are eliminated (Schur complement), which leaves one small
        # system for the identity, whatever the number of pictures.
        shared, pull = np.eye(len(identity)), -identity
        parts = []
        for view in views:
            both, shared_and_pull, own, own_pull = view.equations(identity)
            solved = np.linalg.solve(own, np.column_stack([both, own_pull]))
            shared = shared + shared_and_pull[:, :-1] - both.T @ solved[:, :-1]
            pull = pull + shared_and_pull[:, -1] - both.T @ solved[:, -1]
            parts.append(solved)
        change = np.linalg.solve(shared, pull)
        identity = identity + change
        for view, solved in zip(views, parts, strict=True):
            view.step(solved[:, -1] - solved[:, :-1] @ change)
    return [view.head(identity) for view in views]


class _View:
    """One picture while it is fitted: its mesh and the current expression, pose and focal."""

    def __init__(self, mesh: np.ndarray, size: tuple[int, int]):
        model = load_model()
        self.points, self.noise = settled(mesh)
        height, width = size
        self.centre = np.array([(width - 1) / 2, (height - 1) / 2])
        self.usual_focal = HEAD.focal * max(size)
        self.focal = self.usual_focal
        self.expression = np.zeros(len(model.modes) - model.people)
        # Start where the mean head lies on the mesh, depth and all (Umeyama 1991).
        seen, head = mesh - mesh.mean(0), model.mesh_mean - model.mesh_mean.mean(0)
        u, stretch, vt = np.linalg.svd(seen.T @ head)
        sign = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
        self.rotation = u @ sign @ vt
        scale = (stretch * np.diag(sign)).sum() / (head**2).sum()  # px per mm
        depth = self.focal / scale
        offset = (mesh[:, :2].mean(0) - self.centre) / scale
        self.translation = np.array([*offset, depth]) - self.rotation @ model.mesh_mean.mean(0)

    def equations(self, identity: np.ndarray) -> tuple[np.ndarray, ...]:
        """Normal equations of a Gauss-Newton step at the current state.

        ->   own × shared (m + 7, k), shared × (shared, pull) (k, k + 1), own × own
             (m + 7, m + 7), own pull (m + 7,); own: expression, turn, shift, log focal
        """
        model = load_model()
        weights = np.concatenate([identity, self.expression])
        head = model.mesh_mean + model.mesh_modes @ weights
        turned = head @ self.rotation.T
        camera = turned + self.translation
        depth = camera[:, 2]
        flat = camera[:, :2] / depth[:, None]
        residual = self.points - self.centre - self.focal * flat
        # Cauchy weights: a point that the model cannot reach loses its say.
        surprise = (residual**2).sum(1) / (self.noise**2 * HEAD.surprise**2)
        trust = 1 / (self.noise**2 * HEAD.alike * (1 + surprise))

        lens = np.zeros((468, 2, 3))
        lens[:, 0, 0] = lens[:, 1, 1] = self.focal / depth
        lens[:, :, 2] = -self.focal * flat / depth[:, None]
        shape = (lens @ self.rotation @ model.mesh_modes).reshape(936, -1)
        spin = lens @ -_skew(turned)
        own = np.concatenate(
            [
                shape[:, model.people :],
                spin.reshape(936, 3),
                lens.reshape(936, 3),
                (self.focal * flat).reshape(936, 1),
            ],
            axis=1,
        )
        shared = shape[:, : model.people]
        say = np.repeat(trust, 2)[:, None]
        own_say, shared_say, pull = own * say, shared * say, residual.reshape(936, 1)
        m = len(self.expression)
        prior = np.zeros(m + 7)
        prior[:m] = 1 / HEAD.expression_spread**2
        prior[-1] = 1 / HEAD.focal_spread**2
        prior_pull = np.zeros(m + 7)
        prior_pull[:m] = -self.expression * prior[:m]
        prior_pull[-1] = -np.log(self.focal / self.usual_focal) * prior[-1]
        return (
            own_say.T @ shared,
            np.hstack([shared_say.T @ shared, shared_say.T @ pull]),
            own_say.T @ own + np.diag(prior + 1e-9),
            (own_say.T @ pull).ravel() + prior_pull,
        )

    def step(self, change: np.ndarray) -> None:
        """Move expression, pose and focal by a Gauss-Newton step."""
        m = len(self.expression)
        self.expression = self.expression + change[:m]
        self.rotation = cv2.Rodrigues(change[m : m + 3])[0] @ self.rotation
        self.translation = self.translation + change[m + 3 : m + 6]
        # A step of log focal is held to what the linearisation can vouch for.
        self.focal = self.focal * float(np.exp(np.clip(change[-1], -0.3, 0.3)))

    def head(self, identity: np.ndarray) -> Head:
        return Head(
            identity,
            self.expression,
            self.rotation,
            self.translation,
            self.focal,
            self.centre,
            self.points,
            self.noise,
        )


def steady_mesh(pixels: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """The mesh read four times, upright and mirrored in two crops, and averaged.

    One reading trembles by about a pixel of the network's 192; the mean of four places marks a
    fifth better (`benchmarks.head`).

    pixels    (H, W, 3) uint8 sRGB
    mesh      (468, 3), `Face.mesh` of a face in it
    ->        (468, 3) float32, as `Face.mesh`
    """
    roll = roll_of(eyes_of(mesh))
    centre, extent = upright_extent(mesh, roll)
    mirrored, last = np.ascontiguousarray(pixels[:, ::-1]), pixels.shape[1] - 1
    net, lock = _reader()
    readings = []
    for size, lean, shift in ((1.0, 0.0, 0.0), (0.9, 0.05, 0.02)):
        at, side = centre + extent * shift, extent * REACH * size
        with lock:
            readings.append(net._run(pixels, at, side, roll + lean)[0])
            twin = net._run(mirrored, np.array([last - at[0], at[1]]), side, -roll - lean)[0]
        twin = twin[mirror_points()]
        twin[:, 0] = last - twin[:, 0]
        readings.append(twin)
    return np.mean(readings, axis=0)


@cache
def mirror_points() -> np.ndarray:
    """For each mesh point the one across the face, (468,)."""
    head = canonical_head()
    return np.array([np.linalg.norm(head * [-1, 1, 1] - point, axis=1).argmin() for point in head])


@cache
def _reader() -> tuple[FaceMesh, threading.Lock]:
    return FaceMesh(), threading.Lock()  # the network keeps state between calls


def settled(mesh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mesh points without their foreseeable slide over the skin, and how sure each is.

    mesh    (468, 3), `Face.mesh`
    ->      (468, 2) px and (468,) px, standard deviation along one axis
    """
    model = load_model()
    unit, turn, upright, scale = unit_mesh(mesh)
    differs = model.drift_modes @ (unit.ravel() - turn @ model.drift_usual)
    # A face unlike those the slide was learned from gets no more correction than they did.
    differs = np.clip(differs, -HEAD.drift_reach, HEAD.drift_reach)
    slide = (np.concatenate([turn, differs]) @ model.drift).reshape(468, 2) * scale
    at = np.clip((turn[1] * 40 + 45) / 15, 0, 6)
    low = min(int(at), 5)
    noise = model.noise[low] * (low + 1 - at) + model.noise[low + 1] * (at - low)
    return mesh[:, :2] + slide @ upright, noise * scale


def unit_mesh(mesh: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """A mesh freed of place, size and roll, and the turn of its head as a polynomial.

    ->    (468, 3) mesh units, (9,) of yaw / 40° and pitch / 20°, (2, 2) that rolls px upright,
          px of a mesh unit
    """
    roll = roll_of(eyes_of(mesh))
    upright = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    centred = mesh - mesh.mean(0)
    scale = float(np.sqrt((centred**2).sum(1).mean()))
    unit = centred / scale
    unit[:, :2] = unit[:, :2] @ upright.T
    canonical = canonical_head() * [1, -1, -1]
    u, _, vt = np.linalg.svd(unit.T @ (canonical - canonical.mean(0)))
    rotation = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
    y = -np.degrees(np.arctan2(rotation[0, 2], rotation[2, 2])) / 40
    p = np.degrees(np.arcsin(np.clip(rotation[1, 2], -1, 1))) / 20
    return unit, np.array([1, y, p, y * y, y * p, p * p, y**3, abs(y), y * y * p]), upright, scale


@cache
def load_model() -> Model:
    """The linear head; read once."""
    with np.load(WEIGHTS) as packed:
        people = HEAD.identity_modes
        modes = np.concatenate([packed["identity"][:people], packed["expression"]])
        corners, shares = packed["mesh_corners"].astype(int), packed["mesh_weights"]
        modes = modes.astype(np.float32)
        return Model(
            mean=packed["mean"],
            modes=modes,
            people=people,
            triangles=packed["triangles"].astype(int),
            mesh_mean=(packed["mean"][corners] * shares[..., None]).sum(1).astype(float),
            mesh_modes=np.moveaxis((modes[:, corners] * shares[..., None]).sum(2), 0, 2).astype(
                float
            ),
            drift_usual=packed["drift_usual"],
            drift_modes=packed["drift_modes"],
            drift=packed["drift"],
            noise=packed["noise"],
        )


@cache
def mesh_places() -> tuple[np.ndarray, np.ndarray]:
    """Where the mesh points lie on the head: corners (468, 3) and their weights (468, 3)."""
    with np.load(WEIGHTS) as packed:
        return packed["mesh_corners"].astype(int), packed["mesh_weights"].astype(float)


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


def _skew(vectors: np.ndarray) -> np.ndarray:
    """(n, 3, 3) with `_skew(v) @ w == cross(v, w)`."""
    x, y, z = vectors.T
    none = np.zeros_like(x)
    return np.stack([none, -z, y, z, none, -x, -y, x, none], 1).reshape(-1, 3, 3)
