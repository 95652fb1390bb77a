"""How a mark fades out towards its edge: one curve for all that is laid on a portrait."""

import numpy as np


def fade_out(falloff: np.ndarray, inner: float) -> np.ndarray:
    """Smoothstep from 1 to 0.

    Parameters
    ----------
    falloff : ndarray
        Distance over reach: 0 in the middle, 1 where the mark ends.
    inner : float, 0..1
        Up to here it is 1; from 1 on it is 0.
    """
    t = np.clip((1 - falloff) / (1 - inner), 0, 1)
    return t * t * (3 - 2 * t)
