"""Glasses drawn on a face."""

import cv2
import numpy as np

from realism.faces.face import Face, eye_centres, mm_per_px_from_eyes


def with_glasses(pixels: np.ndarray, face: Face) -> tuple[np.ndarray, np.ndarray]:
    """Round dark rims and a bridge; and where they are, (H, W) bool."""
    drawn, px = np.zeros(pixels.shape[:2], np.uint8), 1 / mm_per_px_from_eyes(face)
    eyes = eye_centres(face.mesh) + np.array([0, 3 * px])
    for eye in eyes:
        centre = tuple(int(value) for value in np.rint(eye))
        cv2.circle(drawn, centre, round(23 * px), 255, round(2.5 * px), cv2.LINE_AA)
    across = (eyes[1] - eyes[0]) / np.linalg.norm(eyes[1] - eyes[0])
    bridge = [eyes[0] + 22 * px * across, eyes[1] - 22 * px * across]
    ends = [tuple(int(value) for value in np.rint(point)) for point in bridge]
    cv2.line(drawn, *ends, 255, round(2.5 * px), cv2.LINE_AA)
    share = (drawn / 255.0)[..., None]
    worn = np.rint(pixels * (1 - share) + 25 * share).astype(np.uint8)
    return worn, drawn > 128
