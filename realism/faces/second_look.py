"""A second look for a face that the detector is sure of and the mesh is not.

Strongly turned and unevenly lit, every tenth face was lost: the detector saw it and the mesh lay on
it well, but said that there was none. It knows such faces in even light, and often from one side
better than from the other. So where a picture shows no face else, the mesh is asked again with the
light evened out, then mirrored, and must be surer than at first.
"""

from functools import cache

import cv2
import numpy as np

from realism.faces.mesh import FaceMesh, canonical_head

# Set with `python -m benchmarks.hard_light`.
PRESENCE = 0.7  # of the mesh, 0..1
MIDDLE_GREY = 110.0  # of 255, to which light is evened
BLACK = 8.0  # of 255, added before the logarithm: noise stays dark
REACH = 1 / 6  # of the larger side of the picture's part, over which light is averaged
SURROUNDINGS = 2.0  # sides of the face's box that are evened


def look_again(
    network: FaceMesh, pixels: np.ndarray, box: np.ndarray, eyes: np.ndarray
) -> tuple[np.ndarray, float] | None:
    """Mesh and presence as of `FaceMesh.fit` of the face at `box`, or None.

    Parameters
    ----------
    network : FaceMesh
    pixels : np.ndarray, (H, W, 3) uint8 sRGB
    box : np.ndarray, (4,) px
        Of a detector that is sure of a face there, x0, y0, x1, y1.
    eyes : np.ndarray, (2, 2) px
        The person's right and left eye.
    """
    middle, side = (box[:2] + box[2:]) / 2, float(np.max(box[2:] - box[:2]))
    low = np.maximum(np.floor(middle - SURROUNDINGS / 2 * side), 0).astype(int)
    high = np.ceil(middle + SURROUNDINGS / 2 * side).astype(int)
    part = pixels[low[1] : max(high[1], 0), low[0] : max(high[0], 0)]
    if min(part.shape[:2]) < 2:
        return None
    even, box, eyes = even_light(part), box - np.tile(low, 2), eyes - low
    fit = network.confirmed(even, box, eyes, PRESENCE)
    if fit is None:
        width = part.shape[1] - 1
        mirrored_box = np.array([width - box[2], box[1], width - box[0], box[3]])
        mirrored_eyes = (eyes * [-1, 1] + [width, 0])[::-1]
        mirrored = np.ascontiguousarray(even[:, ::-1])
        fit = network.confirmed(mirrored, mirrored_box, mirrored_eyes, PRESENCE)
        if fit is None:
            return None
        points = fit[0][mirror_points()]
        fit = (points * [-1, 1, 1] + [width, 0, 0]).astype(np.float32), fit[1]
    mesh, presence = fit
    return np.add(mesh, [*low, 0]).astype(np.float32), presence


def even_light(pixels: np.ndarray) -> np.ndarray:
    """A picture whose light is the same all over, (H, W, 3) uint8: divided by what is around."""
    values = pixels.astype(np.float32) + BLACK
    light = np.log(values.mean(2))
    reach = REACH * max(light.shape)
    shrink = max(1.0, reach / 8)
    few = [max(2, round(side / shrink)) for side in light.shape[::-1]]
    small = cv2.resize(light, few, interpolation=cv2.INTER_AREA)
    around = cv2.resize(cv2.GaussianBlur(small, (0, 0), reach / shrink), light.shape[::-1])
    return np.clip(values * (MIDDLE_GREY / np.exp(around))[..., None], 0, 255).astype(np.uint8)


@cache
def mirror_points() -> np.ndarray:
    """Of each of the 468 points of the mesh the one on the other side of the face, (468,) int."""
    head = canonical_head()
    away = np.linalg.norm((head * [-1, 1, 1])[:, None] - head[None], axis=2)
    return away.argmin(1)
