"""How a round mark looks, beyond how brown it is: what tells its kind.

A pimple is redder than its skin and so is the skin around it, and its middle may catch the light or
be pale; a mole is deep and its edge is sharp; a spot is shallow, soft and often large.
"""

import cv2
import numpy as np

from realism.marks.find.blobs import LEAST_GREEN, MARK_GREY, MARK_SIZE, sample_ring

USUAL_RADIUS = 5.0  # px of a crop of `SPAN`
LEAST_DEPTH = 0.05  # log units, that the edge is measured by
MOST = 0.4  # log units: colours further apart say no more
COLOUR_UNIT = 0.1  # log units that colours are measured in
SHARPEST = 1.5  # of the depth
RINGS = {"inside": 0.7, "edge": 1.35, "near": 1.9, "far": 3.2}  # radii of the mark
BESIDE = {"inside": 0.0, "edge": 0.5, "near": 1.5, "far": 4.0}  # px more
LOOKS = 6  # numbers of `measure_looks`


def measure_looks(
    log_light: np.ndarray, xs: np.ndarray, ys: np.ndarray, sigma: np.ndarray
) -> np.ndarray:
    """How the blobs at some pixels look.

    Parameters
    ----------
    log_light : (h, w, 3) float32 ndarray
        As in `crop.FaceCrop`.
    xs, ys : (n,) int ndarray, px
    sigma : (n,) ndarray, px
        The blobs' scales.

    Returns
    -------
    (n, LOOKS) float64 ndarray
        Log of how deep, log of how large, how sharp the edge is, how pale the middle, how red the
        mark and how red the skin around it, all beside the skin further out.
    """
    smooth = cv2.GaussianBlur(log_light, (0, 0), 1.0)
    light = smooth @ MARK_GREY
    red = smooth[..., 0] - smooth[..., 1]
    radius = MARK_SIZE * np.asarray(sigma, np.float32)

    def around(image: np.ndarray, ring: str) -> np.ndarray:
        values = sample_ring(image, xs, ys, RINGS[ring] * radius + BESIDE[ring])
        return np.median(values, 1) if len(xs) else np.zeros(0)

    inside, far = around(light, "inside"), around(light, "far")
    middle = light[ys, xs]
    depth = far - np.minimum(inside, middle)
    edge = (around(light, "edge") - inside) / np.maximum(depth, LEAST_DEPTH)

    def colour(values: np.ndarray) -> np.ndarray:
        return np.clip(values, -MOST, MOST) / COLOUR_UNIT

    return np.stack(
        [
            np.log(np.maximum(depth, LEAST_GREEN)),
            np.log(np.maximum(radius, 1) / USUAL_RADIUS),
            np.clip(edge, -SHARPEST, SHARPEST),
            colour(middle - inside),
            colour(red[ys, xs] - around(red, "far")),
            colour(around(red, "near") - around(red, "far")),
        ],
        1,
    ).astype(np.float64)
