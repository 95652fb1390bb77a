"""The linear head: a mean shape, identity and expression, and where the face mesh lies on it.

Head: Li et al., "Learning formation of physically-based face attributes" (ICT FaceKit), CVPR
2020, MIT.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

IDENTITY_MODES = 40  # of the packed 50
WEIGHTS = Path(__file__).parent / "weights" / "ict-head.npz"


class Model(NamedTuple):
    """The linear head and what is known about the mesh network, from `weights/ict-head.npz`.

    Attributes
    ----------
    mean : np.ndarray, (n, 3) mm
        Origin midway between the eyes; x to the person's left, y up, z forward.
    modes : np.ndarray, (k + m, n, 3) mm
        Identity, one standard deviation each, then expression, full units.
    people : int
        k, how many of the modes are identity.
    triangles : np.ndarray, (t, 3) int
        Vertices, counter-clockwise from outside.
    mesh_mean : np.ndarray, (468, 3) mm
        Where the mesh points lie on the mean head.
    mesh_modes : np.ndarray, (468, 3, k + m) mm
        How the modes move them.
    bias_usual : np.ndarray, (9, 1404)
        The mesh of a usual face at a turn, from the turn's polynomial.
    bias_modes : np.ndarray, (d, 1404)
        Directions in which faces differ from it, over their spread.
    bias : np.ndarray, (9 + d, 936) mesh units
        How far the mesh points lie from where they should.
    noise : np.ndarray, (7, 468) mesh units
        Their standard deviation after that, at yaw -45 to 45 degrees.
    """

    mean: np.ndarray
    modes: np.ndarray
    people: int
    triangles: np.ndarray
    mesh_mean: np.ndarray
    mesh_modes: np.ndarray
    bias_usual: np.ndarray
    bias_modes: np.ndarray
    bias: np.ndarray
    noise: np.ndarray


@cache
def load_model() -> Model:
    """The linear head; read once."""
    with np.load(WEIGHTS) as packed:
        people = IDENTITY_MODES
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
            bias_usual=packed["drift_usual"],
            bias_modes=packed["drift_modes"],
            bias=packed["drift"],
            noise=packed["noise"],
        )


@cache
def mesh_points_on_head() -> tuple[np.ndarray, np.ndarray]:
    """Where the mesh points lie on the head.

    Returns
    -------
    corners : np.ndarray, (468, 3) int
        Vertices of the triangle of each.
    weights : np.ndarray, (468, 3)
        Barycentric, of the corners.
    """
    with np.load(WEIGHTS) as packed:
        return packed["mesh_corners"].astype(int), packed["mesh_weights"].astype(float)
