"""The original entry's placement: the three landmarks nearest to a mark carry it along.

It knows no depth: whatever the turn of the head, three points of the face make one plane map.
"""

import numpy as np


def transfer_by_nearest3(
    points: np.ndarray, photo_landmarks: np.ndarray, portrait_landmarks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Carry points by the three nearest of the 68 landmarks.

    Parameters
    ----------
    points : (n, 2) px of the photo
    photo_landmarks, portrait_landmarks : (68, 2) px

    Returns
    -------
    (n, 2) px of the portrait
    (n, 2, 2)
        px of the portrait over px of the photo.
    """
    to, matrices = np.empty_like(points), np.empty((len(points), 2, 2))
    for index, point in enumerate(points):
        near = np.argsort(np.hypot(*(photo_landmarks - point).T), kind="stable")[:3]
        three = photo_landmarks[near].astype(np.float64)
        there = portrait_landmarks[near].astype(np.float64)
        edges, edges_there = (three[1:] - three[0]).T, (there[1:] - there[0]).T
        longest = max(np.linalg.norm(edges, axis=0).max(), 1e-6)
        if abs(np.linalg.det(edges)) > 0.02 * longest**2:
            matrix = edges_there @ np.linalg.inv(edges)
        else:
            # Three points in a row say nothing across it: keep the shape, by their lengths.
            ratio = np.linalg.norm(edges_there) / max(np.linalg.norm(edges), 1e-6)
            matrix = np.eye(2) * ratio
        to[index] = there[0] + matrix @ (point - three[0])
        matrices[index] = matrix
    return to, matrices
