"""How far a photo, laid on a portrait, lies off there: what a network sees of both.

Skin that a generator has smoothed has little that patches could be compared by. What is left are
soft things: the edge of a cheek bone, a nose's flank, how a chin ends. The network compares each
place of the photo with those around it in the portrait, by what it has learned to see in them, and
says how far it lies off and how sure it is of that in either direction. It learned from renders,
where every point of the skin is known in every picture; see `training/head/shift_network.py`.

Comparison: Sun et al., "PWC-Net: CNNs for optical flow using pyramid, warping, and cost volume",
CVPR 2018.
"""

import threading
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from realism.images import GREY, log_light

WEIGHTS = Path(__file__).parent / "weights"
FEATURES, ANSWERS = WEIGHTS / "shift-features.onnx", WEIGHTS / "shift-answers.onnx"
SIZE = (160, 192)  # px, width and height of what it sees
PX = 1.1  # mm in a px of it
STEP = 4  # px between its answers
CELL = 2  # px between the places that it compares
REACH = 4  # cells to each side
SHADOW = 0.01  # linear light that is added before the logarithm
EVENED = 12.0  # px, sigma: what is wider is light more than skin
BAND = (0.6, 2.5)  # px, sigmas of the band-pass
STRENGTH = 6.0  # px over which the band's strength is evened out
NOISE = 0.02  # log units; keeps noise from becoming structure
LEAST_SPREAD, LOG_SPREAD = 0.08, 2.5  # px; most of its logarithm, and least

_ONE_AT_A_TIME = threading.Lock()  # the networks keep state between calls


class SeenFace(NamedTuple):
    """A face as the network compares it.

    Attributes
    ----------
    cells : (c, h / CELL, w / CELL) float32
        Of unit length, to be compared.
    surroundings : (c, h / STEP, w / STEP) float32
    """

    cells: np.ndarray
    surroundings: np.ndarray


def see_face(pixels: np.ndarray) -> SeenFace:
    """What the network sees in a face.

    Parameters
    ----------
    pixels : (h, w, 3) uint8 sRGB
        `SIZE`, `PX` mm a px.
    """
    described = describe(pixels).transpose(2, 0, 1)
    with _ONE_AT_A_TIME:
        network = _network(FEATURES)
        network.setInput(np.ascontiguousarray(described)[None])
        cells, surroundings = network.forward(["cells", "surroundings"])
        return SeenFace(cells[0].copy(), surroundings[0].copy())


def describe(pixels: np.ndarray) -> np.ndarray:
    """The network's input: (h, w, 4) float32.

    Lightness without and with what is wide of it, how red it is, and its structure evened out.
    """
    light = log_light(pixels, SHADOW)
    grey, red = light @ GREY, light[..., 0] - light[..., 1]
    wide = cv2.GaussianBlur(grey, (0, 0), EVENED)
    band = cv2.GaussianBlur(grey, (0, 0), BAND[0]) - cv2.GaussianBlur(grey, (0, 0), BAND[1])
    strength = np.sqrt(cv2.GaussianBlur(band * band, (0, 0), STRENGTH)) + NOISE
    channels = (
        2 * (grey - wide),
        wide - np.median(wide),
        3 * (red - np.median(red)),
        band / strength / 2,
    )
    return np.stack(channels, -1).astype(np.float32)


def see_shifts(ours: SeenFace, theirs: SeenFace, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far what lies at each place of one face lies off in the other.

    Parameters
    ----------
    ours, theirs : SeenFace
        Of the photo, laid on the portrait, and of the portrait.
    seen : (h / STEP, w / STEP) bool
        Where the same skin is seen in both.

    Returns
    -------
    (h / STEP, w / STEP, 2) float32, mm
        x and y.
    (h / STEP, w / STEP, 2) float32, mm
        By how much that is off on average, likewise.
    """
    costs = compare(ours.cells, theirs.cells)
    inputs = [costs, ours.surroundings, theirs.surroundings, seen[None].astype(np.float32)]
    with _ONE_AT_A_TIME:
        network = _network(ANSWERS)
        network.setInput(np.concatenate(inputs)[None])
        answer = network.forward()[0].copy()
    return read_answer(costs, answer)


def compare(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Likeness of every other cell of one face to those around it in the other.

    Parameters
    ----------
    ours, theirs : (c, h, w) float32

    Returns
    -------
    ((2 REACH + 1)², h / 2, w / 2) float32
        By rows of the shift.
    """
    height, width = ours.shape[1:]
    asked = ours[:, ::2, ::2]
    around = np.pad(theirs, ((0, 0), (REACH, REACH), (REACH, REACH)))
    return np.stack(
        [
            np.einsum("chw,chw->hw", asked, around[:, y : y + height : 2, x : x + width : 2])
            for y in range(2 * REACH + 1)
            for x in range(2 * REACH + 1)
        ]
    )


def read_answer(costs: np.ndarray, answer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shifts and deviations in mm of what the network answered to `compare`; see `see_shifts`."""
    count = len(costs)
    logits = costs + answer[:count]
    chances = np.exp(logits - logits.max(0))
    chances /= chances.sum(0)
    steps = np.arange(-REACH, REACH + 1) * float(CELL)
    grid = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    shifts = np.einsum("nhw,nk->hwk", chances, grid) + answer[count : count + 2].transpose(1, 2, 0)
    spread = answer[count + 2 :].transpose(1, 2, 0).clip(-LOG_SPREAD, LOG_SPREAD)
    return PX * shifts, PX * (np.exp(spread) + LEAST_SPREAD)


@cache
def _network(weights: Path) -> cv2.dnn.Net:
    return cv2.dnn.readNetFromONNX(str(weights))
