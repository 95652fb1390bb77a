"""The linear head: a mean shape, identity and expression, and where the face mesh lies on it.

Head: Li et al., "Learning formation of physically-based face attributes" (ICT FaceKit), CVPR
2020, MIT.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

# The 3D head. First guesses that were kept: `benchmarks.head` moves by under 0.1 mm in the median
# with `alike` 3, `warp_reach` 25, `warp_height` 3, or no warp.
IDENTITY_MODES = 40  # of the packed 50


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
