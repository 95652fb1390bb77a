"""The kernel of smooth fields over the face: what points say is carried to what lies between.

The head's warp to the mesh and the registration of two pictures are both the mean of a Gaussian
process (kriging): with K the covariance of the field at the data and V the variance of the data,
the field at other points is K(other, data) (K(data, data) + V)^-1 data.

Rasmussen and Williams, "Gaussian processes for machine learning", 2006.
"""

import numpy as np


def gaussian_kernel(points: np.ndarray, others: np.ndarray, reach: float = 1.0) -> np.ndarray:
    """Correlation of a smooth field at two sets of points: a Gaussian of their distance.

    Parameters
    ----------
    points : np.ndarray, (n, 2)
    others : np.ndarray, (m, 2)
    reach : float
        Standard deviation of the Gaussian, in the points' unit; inf: 1 everywhere.

    Returns
    -------
    np.ndarray, (n, m)
        In 0..1, in the points' precision.
    """
    square = (points**2).sum(1)[:, None] + (others**2).sum(1) - 2 * points @ others.T
    return np.exp(-0.5 * square / reach**2)
