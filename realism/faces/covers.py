"""What is held or put before a face: a mask, a hand, a phone, a sheet; and lettering over it.

A second small network sees the face as that of `occluders.py` does, and answers how likely each
pixel is hidden by what nobody wears for good, and how likely words or a logo were written over it.
It learned from such things painted on photo-like faces and renders, see `training/faces/covers.py`.
Small patches are not believed: they may be a mark.
"""

import threading
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from realism.faces.features import fill_outlines
from realism.faces.mesh import FACE_OVAL

WEIGHTS = Path(__file__).parent / "weights" / "covers.onnx"
LEAST_CHANCE = 0.5  # from which a pixel is taken for covered
LEAST_PATCH = 250  # mm² within the face, of what covers it: a large mole has 80
MOST_COVERED = 0.8  # of the face: behind more no face would have been found, it is no cover
# Letters are a few px wide here, and few chances are sure. Of 181 bare faces that were not learned
# from two have so much of so sure ones, of 170 with words painted on them 78 %.
SURE_LETTERS, LEAST_SURE = 0.98, 100  # and mm² of them within the face
LIKELY_LETTERS = 0.8  # where they then are

_ONE_AT_A_TIME = threading.Lock()  # the network keeps state between calls


def find_covers(inputs: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What covers one face in the view of `occluders.upright_view`, a pixel a millimetre.

    Parameters
    ----------
    inputs : np.ndarray, (7, h, w) float32
        Of `occluders.describe_view`.
    points : np.ndarray, (468, 2) px of the view
        The mesh.

    Returns
    -------
    covered, lettered : np.ndarray, (h, w) float32, 0..1
        How likely each pixel is; 0 where too little is seen to be believed.
    """
    with _ONE_AT_A_TIME:
        network = _network()
        network.setInput(inputs[None])
        logits = network.forward()[0].copy()
    chances = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    oval = fill_outlines([FACE_OVAL], points, inputs.shape[1:]) > 0
    covered, lettered = chances.astype(np.float32)
    if (covered[oval] > LEAST_CHANCE).mean() > MOST_COVERED:
        covered = np.zeros_like(covered)
    if (lettered[oval] > SURE_LETTERS).sum() < LEAST_SURE:
        lettered = np.zeros_like(lettered)
    return _without_small(covered, oval), np.where(lettered > LIKELY_LETTERS, lettered, 0)


def _without_small(chance: np.ndarray, oval: np.ndarray) -> np.ndarray:
    """The chances of patches that cover enough of the face to be believed."""
    _, patches = cv2.connectedComponents((chance > LEAST_CHANCE).astype(np.uint8))
    sizes = np.bincount(patches[oval], minlength=patches.max() + 1)
    large = (sizes >= LEAST_PATCH) & (np.arange(len(sizes)) > 0)
    near = cv2.dilate(large[patches].astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.where(near, chance, 0).astype(np.float32)


@cache
def _network() -> cv2.dnn.Net:
    return cv2.dnn.readNetFromONNX(str(WEIGHTS))
