"""The head in 3D, fitted to a face's mesh: it transfers points of skin from picture to picture.

A linear head (identity, expression) under a perspective camera is laid on the 468 points of the
face mesh by Gauss-Newton, regularised by the model's own statistics; a person's photos and
portraits share one identity. What the mesh still says otherwise `Head.pixels` keeps as a smooth
warp.

The mesh network's points slide over the skin as the head turns. `debiased` takes the part of
the slide that turn and shape foretell off; it was learned by `training/head`.

Head: Li et al., "Learning formation of physically-based face attributes" (ICT FaceKit), CVPR
2020, MIT.
"""

import threading
from functools import cache

import cv2
import numpy as np

from realism.faces.face import eye_centres
from realism.faces.mesh import REACH, FaceMesh, canonical_head, roll_angle, upright_extent
from realism.head.geometry import Head
from realism.head.model import load_model

# First guesses that were kept: `benchmarks.head` moves by under 0.1 mm in the median with
# CORRELATED 3.
GAUSS_NEWTON_STEPS = 6  # 30 give the same
CORRELATED = 8.0  # neighbouring points err alike: 468 count as so many fewer
CAUCHY_SCALE = 3.0  # standard deviations at which a point has lost half its weight
EXPRESSION_SPREAD = 0.3  # of a weight that runs 0..1
FOCAL = 2.1  # picture sides: a 50 mm lens on a cropped 24 mm frame
FOCAL_SPREAD = 0.35  # of its logarithm: 35 to 85 mm
BIAS_REACH = 2.5  # standard deviations of face shape, see `debiased`


def fit_head(mesh: np.ndarray, size: tuple[int, int], identity: np.ndarray | None = None) -> Head:
    """The head of one face.

    Parameters
    ----------
    mesh : np.ndarray, (468, 3) px
        `Face.mesh`.
    size : (int, int) px
        Height and width of the picture.
    identity : np.ndarray, (k,), optional
        Of the person where it is known; it is then kept.
    """
    if identity is None:
        return fit_person([(mesh, size)])[0]
    view = _View(mesh, size)
    for _ in range(GAUSS_NEWTON_STEPS):
        _, _, own, own_gradient = view.equations(identity)
        view.step(np.linalg.solve(own, own_gradient))
    return view.head(identity)


def fit_person(faces: list[tuple[np.ndarray, tuple[int, int]]]) -> list[Head]:
    """The heads of one person's pictures, fitted together: they share the identity.

    Parameters
    ----------
    faces : list of (np.ndarray, (int, int))
        Mesh (468, 3) and (height, width) px of each picture, at least one.

    Returns
    -------
    list of Head
        One a picture, in the order given; `heads[0].identity` is the person's.
    """
    identity = np.zeros(load_model().people)
    views = [_View(mesh, size) for mesh, size in faces]
    for _ in range(GAUSS_NEWTON_STEPS):
        # Each view's own unknowns are eliminated (Schur complement), which leaves one small
        # system for the identity, whatever the number of pictures.
        shared, gradient = np.eye(len(identity)), -identity
        parts = []
        for view in views:
            both, shared_gradient, own, own_gradient = view.equations(identity)
            solved = np.linalg.solve(own, np.column_stack([both, own_gradient]))
            shared = shared + shared_gradient[:, :-1] - both.T @ solved[:, :-1]
            gradient = gradient + shared_gradient[:, -1] - both.T @ solved[:, -1]
            parts.append(solved)
        change = np.linalg.solve(shared, gradient)
        identity = identity + change
        for view, solved in zip(views, parts, strict=True):
            view.step(solved[:, -1] - solved[:, :-1] @ change)
    return [view.head(identity) for view in views]


class _View:
    """One picture while it is fitted: its mesh and the current expression, pose and focal."""

    def __init__(self, mesh: np.ndarray, size: tuple[int, int]):
        model = load_model()
        self.points, self.noise = debiased(mesh)
        height, width = size
        self.centre = np.array([(width - 1) / 2, (height - 1) / 2])
        self.usual_focal = FOCAL * max(size)
        self.focal = self.usual_focal
        self.expression = np.zeros(len(model.modes) - model.people)
        # Start where the mean head lies on the mesh, depth and all (Umeyama 1991).
        centred, head = mesh - mesh.mean(0), model.mesh_mean - model.mesh_mean.mean(0)
        u, stretch, vt = np.linalg.svd(centred.T @ head)
        sign = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
        self.rotation = u @ sign @ vt
        scale = (stretch * np.diag(sign)).sum() / (head**2).sum()  # px per mm
        depth = self.focal / scale
        offset = (mesh[:, :2].mean(0) - self.centre) / scale
        self.translation = np.array([*offset, depth]) - self.rotation @ model.mesh_mean.mean(0)

    def equations(self, identity: np.ndarray) -> tuple[np.ndarray, ...]:
        """Normal equations of a Gauss-Newton step at the current state.

        Shared is the identity; own are expression, turn, shift and log focal; the gradient is
        that of the squared residual.

        Returns
        -------
        own_shared : np.ndarray, (m + 7, k)
        shared_shared_gradient : np.ndarray, (k, k + 1)
            The last column is the gradient.
        own_own : np.ndarray, (m + 7, m + 7)
        own_gradient : np.ndarray, (m + 7,)
        """
        model = load_model()
        coefficients = np.concatenate([identity, self.expression])
        head = model.mesh_mean + model.mesh_modes @ coefficients
        turned = head @ self.rotation.T
        camera = turned + self.translation
        depth = camera[:, 2]
        flat = camera[:, :2] / depth[:, None]
        residual = self.points - self.centre - self.focal * flat
        # Cauchy weights: a point that the model cannot reach loses its weight.
        variance = self.noise**2
        outlying = (residual**2).sum(1) / (variance * CAUCHY_SCALE**2)
        weight = np.repeat(1 / (variance * CORRELATED * (1 + outlying)), 2)[:, None]

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
        weighted_own, weighted_shared = own * weight, shared * weight
        residual = residual.reshape(936, 1)
        m = len(self.expression)
        prior = np.zeros(m + 7)
        prior[:m] = 1 / EXPRESSION_SPREAD**2
        prior[-1] = 1 / FOCAL_SPREAD**2
        prior_gradient = np.zeros(m + 7)
        prior_gradient[:m] = -self.expression * prior[:m]
        prior_gradient[-1] = -np.log(self.focal / self.usual_focal) * prior[-1]
        return (
            weighted_own.T @ shared,
            np.hstack([weighted_shared.T @ shared, weighted_shared.T @ residual]),
            weighted_own.T @ own + np.diag(prior + 1e-9),
            (weighted_own.T @ residual).ravel() + prior_gradient,
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
        """The head at the current state."""
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

    Parameters
    ----------
    pixels : np.ndarray, (H, W, 3) uint8 sRGB
    mesh : np.ndarray, (468, 3) px
        `Face.mesh` of a face in it.

    Returns
    -------
    np.ndarray, (468, 3) float32 px
        As `Face.mesh`.
    """
    roll = roll_angle(eye_centres(mesh))
    centre, extent = upright_extent(mesh, roll)
    mirrored, last = np.ascontiguousarray(pixels[:, ::-1]), pixels.shape[1] - 1
    net, lock = _reader()
    readings = []
    for size, lean, shift in ((1.0, 0.0, 0.0), (0.9, 0.05, 0.02)):
        at, side = centre + extent * shift, extent * REACH * size
        with lock:
            readings.append(net.read_crop(pixels, at, side, roll + lean)[0])
            twin = net.read_crop(mirrored, np.array([last - at[0], at[1]]), side, -roll - lean)[0]
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


def debiased(mesh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mesh points without their foreseeable slide over the skin.

    Parameters
    ----------
    mesh : np.ndarray, (468, 3) px
        `Face.mesh`.

    Returns
    -------
    points : np.ndarray, (468, 2) px
    noise : np.ndarray, (468,) px
        Standard deviation of each along one axis.
    """
    model = load_model()
    unit, turn, upright, scale = unit_mesh(mesh)
    differs = model.bias_modes @ (unit.ravel() - turn @ model.bias_usual)
    # A face unlike those the slide was learned from gets no more correction than they did.
    differs = np.clip(differs, -BIAS_REACH, BIAS_REACH)
    slide = (np.concatenate([turn, differs]) @ model.bias).reshape(468, 2) * scale
    at = np.clip((turn[1] * 40 + 45) / 15, 0, 6)
    low = min(int(at), 5)
    noise = model.noise[low] * (low + 1 - at) + model.noise[low + 1] * (at - low)
    return mesh[:, :2] + slide @ upright, noise * scale


def unit_mesh(mesh: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """A mesh freed of place, size and roll, and the turn of its head as a polynomial.

    Returns
    -------
    unit : np.ndarray, (468, 3) mesh units
    turn : np.ndarray, (9,)
        Terms of yaw / 40° and pitch / 20°.
    upright : np.ndarray, (2, 2)
        Rolls px upright.
    scale : float
        px in a mesh unit.
    """
    roll = roll_angle(eye_centres(mesh))
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


def _skew(vectors: np.ndarray) -> np.ndarray:
    """(n, 3, 3) with `_skew(v) @ w == cross(v, w)`."""
    x, y, z = vectors.T
    none = np.zeros_like(x)
    return np.stack([none, -z, y, z, none, -x, -y, x, none], 1).reshape(-1, 3, 3)
