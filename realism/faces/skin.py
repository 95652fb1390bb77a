"""Where a picture shows the skin of a face.

Inside the mesh's outline and up the forehead to the hair, without eyes, brows, lips and
nostrils. What is left must look like this face's own skin: colour that varies smoothly over
the face as light does (a quadratic surface in log RGB, fitted robustly), so that hair, frames,
hands and backdrop fall out while any skin tone in any light stays in. Brightness may differ
more than hue, since folds throw shadows. A small compact spot of another colour stays, too: it
may be a mole.

Deep lines and hard light make old skin as rough and as uneven as hair. Where the network of
`occluders.py` rules hair out, skin may be rough and more unlike its usual colour; where it sees
glasses or hair, there is none.
"""

import cv2
import numpy as np

from realism.faces.face import Face
from realism.faces.features import BROWS, CORE, EYES, LIPS, NOSTRILS, disc, fill_outlines
from realism.faces.mesh import FACE_OVAL, mesh_triangles
from realism.faces.occluders import Occluders, find_occluders

LEAST_SKIN = 0.5  # of the mask: from here on a pixel counts as skin, wherever that is asked
# Lengths are shares of the face's height where no unit is given. Set by eye on photographs and
# renders of faces.
WORK_SIDE = 256  # px of the face's larger side: all is found in this size
MOST_UPSCALING = 2.0  # of a small face to that size
DEEPEST_SHADE = 1.6  # log units under the face's usual brightness: a fifth
RIM = 0.015  # kept off the mesh's outline, where cheek turns to backdrop
FOREHEAD_RISE = 0.30  # how far above the mesh skin may go
EYE_MARGIN = 0.035  # lashes and lids
BROW_MARGIN = 0.025
LIP_MARGIN = 0.02
NOSTRIL_MARGIN = 0.012
BLACK = 4.0  # of 255, added before the logarithm of sRGB values: noise of shadows
STIFFNESS = 0.02  # ridge on the bending of the surface of brightness
HUE_STIFFNESS = 0.015  # ridge on all change of hue over the face
LEAST_LIGHT = 0.20  # log units of brightness taken for one deviation at least
LEAST_HUE = 0.06  # log units of hue
TRUST_ELSEWHERE = 0.3  # weight off the core of the face, where a beard may be
HAIR_WIDTH = 1.5  # px at the working size; coarser than a hair
LIVELY = 2.6  # fine contrast over the skin's own median
LEAST_FINE = 0.008  # log units; the fine contrast of very smooth skin
ROUGH_WINDOW = 0.06
ROUGH = 0.45  # share of lively pixels from which it is hair
LEAST_HAIR = 0.3  # chance of hair below which what is rough is lined skin
BARE_LIGHT = 2.0  # share by which light may differ more where hair is ruled out
BARE_HUE = 1.0  # the same of hue
BARE_SHADE = 0.8  # the same of the deepest shade
HIGHLIGHT = 0.30  # how much paler a highlight may be, a deviation of light
BLACK_HAIR_HUE = 0.5  # of the skin's hue, below which what is dark is no skin
BLACK_HAIR_SHADE = 1.2  # log units that it is darker
LEAST_COLOUR = 0.2  # log units; the skin's hue in pictures that are not grey all over
FAIR_HAIR = 1.6  # how much more brightness counts above the mesh
UNLIKE = 3.6  # standard deviations from the face's own skin
UNLIKE_FOREHEAD = 3.0  # the same above the mesh, where hair is likelier
LONGEST_SPOT = 0.06  # longest side of what may be a mole
COMPACT_SPOT = 0.35  # least share of its square that a mole fills
CLEARANCE = 0.008  # kept off what is not skin
LEAST_PART = 0.01  # of the face; smaller islands are dropped
EDGE = 1.0  # px at the working size; softness of the border

# What a ridge holds back: the bending of brightness, any change of hue.
BENDING = np.diag([0, 0, 0, 1, 1, 1]).astype(np.float32)
CHANGE = np.diag([0, 1, 1, 1, 1, 1]).astype(np.float32)
# log R, G, B to brightness and to two differences.
HUE = np.array([[1 / 3, 1, 0], [1 / 3, -1, 1], [1 / 3, 0, -1]], np.float32)


def skin_mask(pixels: np.ndarray, face: Face, occluders: Occluders | None = None) -> np.ndarray:
    """The skin of one face.

    Parameters
    ----------
    pixels : np.ndarray, (H, W, 3) uint8 sRGB
    face : Face
    occluders : Occluders, optional
        Of that face; None looks for them.

    Returns
    -------
    np.ndarray, (H, W) float32, 0..1
        0 on eyes, brows, lips, nostrils, hair, glasses and backdrop. `LEAST_SKIN` and more counts
        as skin.
    """
    height, width = pixels.shape[:2]
    window, scale = _window(face, (height, width))
    x0, y0, x1, y1 = window
    small = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    view = cv2.resize(pixels[y0:y1, x0:x1], small, interpolation=way)
    points = (face.mesh[:, :2] - [x0, y0]) * scale
    inside, forehead = _regions(points, view.shape[:2])
    holes = _holes(points, view.shape[:2])
    occluders = occluders or find_occluders(pixels, face)
    hair = cv2.resize(occluders.hair[y0:y1, x0:x1], small)
    distance = _unlike_skin(view, points, inside & ~holes, hair)
    like = distance < np.where(inside, UNLIKE, UNLIKE_FOREHEAD)
    skin = _connected(like & (inside | forehead), inside, inside | forehead)
    soft = cv2.GaussianBlur((skin & ~holes).astype(np.float32), (0, 0), EDGE)
    mask = np.zeros((height, width), np.float32)
    mask[y0:y1, x0:x1] = cv2.resize(soft, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
    mask[occluders.mask()] = 0
    return mask


def _window(face: Face, shape: tuple[int, int]) -> tuple[tuple[int, int, int, int], float]:
    """The part of the picture that may hold skin, x0, y0, x1, y1 px, and the working scale."""
    low, high = face.mesh[:, :2].min(0), face.mesh[:, :2].max(0)
    reach = FOREHEAD_RISE * max(high - low)
    x0, y0 = np.maximum(np.floor(low - reach), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(high + reach), [shape[1], shape[0]]).astype(int)
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    scale = min(MOST_UPSCALING, WORK_SIDE / max(high - low))
    return (int(x0), int(y0), int(x1), int(y1)), scale


def _regions(points: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Inside the mesh, a little off its outline; and the forehead above it, perhaps hair."""
    # The nose of a turned face stands out of the outline.
    inside = fill_outlines([FACE_OVAL, *mesh_triangles()], points, shape)
    size = _size(points)
    inside = cv2.erode(inside, disc(RIM * size))
    up = points[10] - points[152]
    top = [127, 162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389, 356]
    # The outline's upper part, pushed up most in the middle.
    rise = np.sin(np.linspace(0, np.pi, len(top)))[:, None] ** 0.5 * FOREHEAD_RISE
    band = np.concatenate([points[top], (points[top] + rise * up)[::-1]])
    forehead = np.zeros(shape, np.uint8)
    cv2.fillPoly(forehead, [band.round().astype(np.int32)], 1)
    forehead = cv2.dilate(forehead, disc(2 * RIM * size))
    return inside > 0, (forehead > 0) & (inside == 0)


def _holes(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Eyes, brows, lips and nostrils with their margins."""
    size = _size(points)
    holes = np.zeros(shape, bool)
    for outlines, margin in (
        (EYES, EYE_MARGIN),
        (BROWS, BROW_MARGIN),
        ([LIPS], LIP_MARGIN),
        (NOSTRILS, NOSTRIL_MARGIN),
    ):
        holes |= cv2.dilate(fill_outlines(outlines, points, shape), disc(margin * size)) > 0
    return holes


def _unlike_skin(
    view: np.ndarray, points: np.ndarray, sure: np.ndarray, hair: np.ndarray
) -> np.ndarray:
    """How far each pixel is from this face's own skin, in standard deviations.

    Parameters
    ----------
    view : np.ndarray, (h, w, 3) uint8
    points : np.ndarray, (468, 2) px
    sure : np.ndarray, (h, w) bool
        Pixels of which most should be skin.
    hair : np.ndarray, (h, w) float32, 0..1
        How likely each pixel is hair.

    Returns
    -------
    np.ndarray, (h, w) float32
        Small compact spots take the value of what is round them.
    """
    colour = cv2.log(cv2.GaussianBlur(view, (0, 0), 1.0).astype(np.float32) + BLACK)
    # Brightness, and two numbers of hue that do not change with it.
    colour = colour.reshape(-1, 3) @ HUE
    terms = _terms(view.shape[:2], points)
    core = (fill_outlines(CORE, points, view.shape[:2]) > 0) & sure
    trusted = np.where(core, 1, TRUST_ELSEWHERE).ravel() * sure.ravel()
    at = np.flatnonzero(sure)[:: max(1, sure.sum() // 4000)]
    basis, values = terms[at], colour[at]
    weight = trusted[at]
    for _ in range(5):
        # A little ridge keeps the surface from bending where the core does not reach.
        left, right = basis.T @ (basis * weight[:, None]), basis.T @ (values * weight[:, None])
        light = np.linalg.solve(left + STIFFNESS * len(at) * BENDING, right[:, :1])
        hue = np.linalg.solve(left + HUE_STIFFNESS * len(at) * CHANGE, right[:, 1:])
        surface = np.hstack([light, hue])
        off = values - basis @ surface
        spread = np.sqrt((off**2 * weight[:, None]).sum(0) / weight.sum())
        spread = np.maximum(spread, [LEAST_LIGHT, LEAST_HUE, LEAST_HUE])
        weight = trusted[at] / (1 + ((off / spread) ** 2).sum(1) / 3) ** 2
    off = (colour - terms @ surface.astype(np.float32)) / spread.astype(np.float32)
    light, hue = off[:, 0], np.hypot(off[:, 1], off[:, 2])
    usual = np.median(colour[core.ravel(), 0]) if core.any() else np.median(values[:, 0])
    # A highlight is the lamp's colour over the skin's: the brighter, the paler it may be. Above
    # the mesh what is brighter and paler is grey or fair hair.
    hue /= 1 + HIGHLIGHT * np.clip(light, 0, 3) * sure.ravel()
    light = np.where((light > 0) & ~sure.ravel(), FAIR_HAIR * light, light)
    # Hard light and deep lines are less unlike where no hair is seen.
    bare = (1 - np.minimum(hair / LEAST_HAIR, 1)).ravel() * sure.ravel()
    distance = np.maximum(np.abs(light) / (1 + BARE_LIGHT * bare), hue / (1 + BARE_HUE * bare))
    # Skin in shade keeps its colour; what is dark and grey where it is none is hair.
    usual_hue = np.linalg.norm(terms @ surface[:, 1:].astype(np.float32), axis=1)
    grey = np.linalg.norm(colour[:, 1:], axis=1) < BLACK_HAIR_HUE * usual_hue
    grey &= usual_hue > LEAST_COLOUR
    distance[grey & (light * float(spread[0]) < -BLACK_HAIR_SHADE)] = np.inf
    distance[colour[:, 0] < usual - DEEPEST_SHADE * (1 + BARE_SHADE * bare)] = np.inf
    distance = distance.reshape(view.shape[:2])
    rough = _rough(colour[:, 0].reshape(view.shape[:2]), core, _size(points))
    rough &= hair > LEAST_HAIR
    return _without_spots(np.where(rough, np.inf, distance), _size(points))


def _rough(light: np.ndarray, core: np.ndarray, size: float) -> np.ndarray:
    """Where most pixels differ from their neighbours more than skin does: hair, beard, fabric.

    A mole or a wrinkle is few pixels, so it is not rough.
    """
    fine = np.abs(light - cv2.GaussianBlur(light, (0, 0), HAIR_WIDTH))
    usual = np.median(fine[core]) if core.any() else np.median(fine)
    lively = (fine > LIVELY * max(float(usual), LEAST_FINE)).astype(np.float32)
    side = 2 * round(ROUGH_WINDOW * size / 2) + 1
    return cv2.blur(lively, (side, side)) > ROUGH


def _terms(shape: tuple[int, int], points: np.ndarray) -> np.ndarray:
    """1, x, y, x², xy, y² of every pixel, (h·w, 6) float32; x and y in face heights."""
    x = ((np.arange(shape[1]) - points[:, 0].mean()) / _size(points)).astype(np.float32)
    y = ((np.arange(shape[0]) - points[:, 1].mean()) / _size(points)).astype(np.float32)
    x, y = np.broadcast_to(x, shape).ravel(), np.broadcast_to(y[:, None], shape).ravel()
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], 1)


def _without_spots(distance: np.ndarray, size: float) -> np.ndarray:
    """Small compact places of another colour read as skin: marks are what we look for."""
    unlike = (distance >= UNLIKE).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(unlike, connectivity=8)
    longest = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    fill = stats[:, cv2.CC_STAT_AREA] / np.maximum(longest.astype(np.float32) ** 2, 1)
    spot = (longest <= LONGEST_SPOT * size) & (fill > COMPACT_SPOT)
    spot[0] = False
    return np.where(spot[np.asarray(labels, np.intp)], 0, distance)


def _connected(skin: np.ndarray, inside: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Skin without what is thin or loose, and off the rim of what is not skin."""
    size = np.sqrt(where.sum())
    shut_out = cv2.dilate((where & ~skin).astype(np.uint8), disc(CLEARANCE * size))
    skin = (skin & (shut_out == 0)).astype(np.uint8)
    skin = cv2.morphologyEx(skin, cv2.MORPH_OPEN, disc(CLEARANCE * size))
    count, labels = cv2.connectedComponents(skin, connectivity=4)
    # Above the mesh only what reaches down into it: an island there is lit hair.
    area = np.bincount(labels[inside], minlength=count)
    large = area > LEAST_PART * where.sum()
    large[0] = False
    return large[np.asarray(labels, np.intp)]


def _size(points: np.ndarray) -> float:
    """Height of the face from the mesh's top to the chin, px."""
    return float(np.linalg.norm(points[10] - points[152]))
