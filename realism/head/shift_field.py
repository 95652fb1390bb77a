"""How far points that the heads transfer lie off in a portrait, as a smooth field.

What the heads are off by changes slowly over the face. Measured at places, each with its precision
in each direction, it is carried to what lies between by kriging, see `kriging.py`.
"""

from dataclasses import dataclass

import numpy as np

from realism.head.kriging import gaussian_kernel

LEAST_DEVIATION = 0.25  # mm, standard deviation of the surest measurement
CAUCHY_SCALE = 2.0  # standard deviations at which a measurement has lost half its weight
# mm, mm: usual size of what the heads are off by, and over what distance it is correlated
BIAS = ((1.5, float("inf")), (2.5, 35.0), (0.8, 12.0))


@dataclass(frozen=True, eq=False)
class ShiftField:
    """How far points that the heads transfer lie off in the portrait, as a smooth field.

    Parameters
    ----------
    at : np.ndarray, (n, 2) mm
        Where the portrait was compared.
    pull : np.ndarray, (n, 2) 1 / mm
        The field's weights there.
    mm : float
        In a px of the portrait.
    total : np.ndarray, (2 n, 2 n) mm²
        Covariance of what was measured: the field's and the measurements' own.
    """

    at: np.ndarray
    pull: np.ndarray
    mm: float
    total: np.ndarray

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """What to add to transferred points `(n, 2)` px of the portrait: (n, 2) px."""
        points = np.asarray(points, np.float64)
        return _covariance(points * self.mm, self.at) @ self.pull / self.mm

    def deviation(self, points: np.ndarray) -> np.ndarray:
        """By how much the field is unsure at points `(n, 2)` px of the portrait: (n,) mm.

        Its standard deviation, mean of both directions.
        """
        points = np.asarray(points, np.float64) * self.mm
        usual = float(sum(size**2 for size, _ in BIAS))
        if not len(self.at):
            return np.full(len(points), usual**0.5)
        shared = _covariance(self.at, points)
        both = np.kron(np.eye(2), shared)
        told = (both * np.linalg.solve(self.total, both)).sum(0).reshape(2, -1).mean(0)
        return np.sqrt(np.maximum(usual - told, 0))


def fit_field(at: np.ndarray, off: np.ndarray, precision: np.ndarray, mm: float) -> ShiftField:
    """The smooth field through measurements, in which those that disagree weigh less.

    Parameters
    ----------
    at : np.ndarray, (n, 2) mm
        Where it was measured.
    off : np.ndarray, (n, 2) mm
        How far each lies off.
    precision : np.ndarray, (n, 2, 2) 1 / mm²
        Of `off`.
    mm : float
        In a px of the portrait.
    """
    count = len(at)
    own = np.linalg.inv(precision + 1e-4 * np.eye(2)) + LEAST_DEVIATION**2 * np.eye(2)
    prior = np.kron(np.eye(2), _covariance(at, at))
    data, each, weight = off.T.ravel(), np.arange(count), np.ones(count)
    pull = np.zeros_like(data)
    for _ in range(4):
        variance = np.zeros_like(prior)
        for row in (0, 1):
            for column in (0, 1):
                variance[row * count + each, column * count + each] = own[:, row, column] / weight
        pull = np.linalg.solve(prior + variance, data)
        residual = (data - prior @ pull).reshape(2, count).T
        # Cauchy weights, as in the head's fit.
        outlying = np.einsum("ni,nij,nj->n", residual, np.linalg.inv(own), residual)
        weight = 1 / (1 + outlying / CAUCHY_SCALE**2)
    return ShiftField(at, pull.reshape(2, count).T, mm, prior + variance)


def _covariance(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of what the heads are off by at points (n, 2) and (m, 2) mm: (n, m) mm²."""
    return np.sum([size**2 * gaussian_kernel(points, others, reach) for size, reach in BIAS], 0)
