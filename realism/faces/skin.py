"""Where a picture shows the skin of a face, and where it shows the head.

Skin: inside the mesh's outline and up the forehead to the hair, without eyes, brows, lips and
nostrils. What is left must look like this face's own skin: colour that varies smoothly over
the face as light does (a quadratic surface in log RGB, fitted robustly), so that hair, frames,
hands and backdrop fall out while any skin tone in any light stays in. Brightness may differ
more than hue, since folds throw shadows. A small compact spot of another colour stays, too: it
may be a mole.

Head: MediaPipe's selfie segmentation (Apache-2.0), cut by the outline of head and hair.
"""

import threading
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from realism.faces.face import Face
from realism.faces.mesh import FACE_OVAL, eyes_of, roll_of, upright_crop
from realism.settings import SKIN

SEGMENTATION = Path(__file__).parent / "weights" / "selfie_segmentation.tflite"
SEGMENTATION_SIDE = 256  # px, input of the network
_ONE_AT_A_TIME = threading.Lock()  # the network keeps state between calls

# Outlines on the mesh, the person's right then left.
EYES = (
    [33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246],
    [263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466],
)
BROWS = (
    [70, 63, 105, 66, 107, 55, 65, 52, 53, 46],
    [300, 293, 334, 296, 336, 285, 295, 282, 283, 276],
)
LIPS = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185]
NOSTRILS = ([79, 166, 219, 240, 75, 60, 20, 238], [309, 392, 439, 460, 305, 290, 250, 458])
# Cheeks, nose and the middle of the forehead: where skin is seldom covered.
CORE = (
    [117, 118, 101, 205, 187, 123],
    [346, 347, 330, 425, 411, 352],
    [151, 108, 69, 66, 9, 296, 299, 337],
    [6, 197, 195, 5, 4, 45, 51, 236, 248, 281, 275],
)


def skin_mask(pixels: np.ndarray, face: Face) -> np.ndarray:
    """The skin of one face.

    pixels    (H, W, 3) uint8 sRGB
    ->        (H, W) float32, 0..1; 0 on eyes, brows, lips, nostrils, hair, glasses, backdrop
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
    distance = _unlike_skin(view, points, inside & ~holes)
    like = distance < np.where(inside, SKIN.unlike, SKIN.unlike_forehead)
    skin = _connected(like & (inside | forehead), inside, inside | forehead)
    soft = cv2.GaussianBlur((skin & ~holes).astype(np.float32), (0, 0), SKIN.edge)
    mask = np.zeros((height, width), np.float32)
    mask[y0:y1, x0:x1] = cv2.resize(soft, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
    return mask


def _window(face: Face, shape: tuple[int, int]) -> tuple[tuple[int, int, int, int], float]:
    """The part of the picture that may hold skin, x0, y0, x1, y1 px, and the working scale."""
    low, high = face.mesh[:, :2].min(0), face.mesh[:, :2].max(0)
    reach = SKIN.forehead * max(high - low)
    x0, y0 = np.maximum(np.floor(low - reach), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(high + reach), [shape[1], shape[0]]).astype(int)
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    scale = min(SKIN.most_upscaling, SKIN.work_side / max(high - low))
    return (int(x0), int(y0), int(x1), int(y1)), scale


def _regions(points: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Inside the mesh, a little off its outline; and the forehead above it, perhaps hair."""
    inside = _filled([FACE_OVAL], points, shape)
    size = _size(points)
    inside = cv2.erode(inside, _disc(SKIN.rim * size))
    up = points[10] - points[152]
    top = [127, 162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389, 356]
    # The outline's upper part, pushed up most in the middle.
    rise = np.sin(np.linspace(0, np.pi, len(top)))[:, None] ** 0.5 * SKIN.forehead
    band = np.concatenate([points[top], (points[top] + rise * up)[::-1]])
    forehead = np.zeros(shape, np.uint8)
    cv2.fillPoly(forehead, [band.round().astype(np.int32)], 1)
    forehead = cv2.dilate(forehead, _disc(2 * SKIN.rim * size))
    return inside > 0, (forehead > 0) & (inside == 0)


def _holes(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Eyes, brows, lips and nostrils with their margins."""
    size = _size(points)
    holes = np.zeros(shape, bool)
    for outlines, margin in (
        (EYES, SKIN.eye_margin),
        (BROWS, SKIN.brow_margin),
        ([LIPS], SKIN.lip_margin),
        (NOSTRILS, SKIN.nostril_margin),
    ):
        holes |= cv2.dilate(_filled(outlines, points, shape), _disc(margin * size)) > 0
    return holes


def _unlike_skin(view: np.ndarray, points: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """How far each pixel is from this face's own skin, in standard deviations.

    view      (h, w, 3) uint8
    sure      (h, w) bool, pixels of which most should be skin
    ->        (h, w) float32; small compact spots take the value of what is round them
    """
    colour = cv2.log(cv2.GaussianBlur(view, (0, 0), 1.0).astype(np.float32) + SKIN.black)
    # Brightness, and two numbers of hue that do not change with it.
    colour = colour.reshape(-1, 3) @ HUE
    terms = _terms(view.shape[:2], points)
    core = (_filled(CORE, points, view.shape[:2]) > 0) & sure
    trusted = np.where(core, 1, SKIN.trust_elsewhere).ravel() * sure.ravel()
    at = np.flatnonzero(sure)[:: max(1, sure.sum() // 4000)]
    basis, seen = terms[at], colour[at]
    weight = trusted[at]
    for _ in range(5):
        # A little ridge keeps the surface from bending where the core does not reach.
        left, right = basis.T @ (basis * weight[:, None]), basis.T @ (seen * weight[:, None])
        light = np.linalg.solve(left + SKIN.stiffness * len(at) * BENDING, right[:, :1])
        hue = np.linalg.solve(left + SKIN.hue_stiffness * len(at) * CHANGE, right[:, 1:])
        surface = np.hstack([light, hue])
        off = seen - basis @ surface
        spread = np.sqrt((off**2 * weight[:, None]).sum(0) / weight.sum())
        spread = np.maximum(spread, [SKIN.least_light, SKIN.least_hue, SKIN.least_hue])
        weight = trusted[at] / (1 + ((off / spread) ** 2).sum(1) / 3) ** 2
    off = (colour - terms @ surface.astype(np.float32)) / spread.astype(np.float32)
    light, hue = off[:, 0], np.hypot(off[:, 1], off[:, 2])
    usual = np.median(colour[core.ravel(), 0]) if core.any() else np.median(seen[:, 0])
    # A highlight is the lamp's colour over the skin's: the brighter, the paler it may be.
    hue /= 1 + SKIN.highlight * np.clip(light, 0, 3)
    distance = np.maximum(np.abs(light), hue)
    distance[colour[:, 0] < usual - SKIN.darkest] = np.inf
    distance = distance.reshape(view.shape[:2])
    rough = _rough(colour[:, 0].reshape(view.shape[:2]), core, _size(points))
    return _without_spots(np.where(rough, np.inf, distance), _size(points))


def _rough(light: np.ndarray, core: np.ndarray, size: float) -> np.ndarray:
    """Where most pixels differ from their neighbours more than skin does: hair, beard, fabric.

    A mole or a wrinkle is few pixels, so it is not rough.
    """
    fine = np.abs(light - cv2.GaussianBlur(light, (0, 0), SKIN.hair))
    usual = np.median(fine[core]) if core.any() else np.median(fine)
    lively = (fine > SKIN.lively * max(float(usual), SKIN.least_fine)).astype(np.float32)
    side = 2 * round(SKIN.rough_window * size / 2) + 1
    return cv2.blur(lively, (side, side)) > SKIN.rough


def _terms(shape: tuple[int, int], points: np.ndarray) -> np.ndarray:
    """1, x, y, x², xy, y² of every pixel, (h·w, 6) float32; x and y in face heights."""
    x = ((np.arange(shape[1]) - points[:, 0].mean()) / _size(points)).astype(np.float32)
    y = ((np.arange(shape[0]) - points[:, 1].mean()) / _size(points)).astype(np.float32)
    x, y = np.broadcast_to(x, shape).ravel(), np.broadcast_to(y[:, None], shape).ravel()
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], 1)


def _without_spots(distance: np.ndarray, size: float) -> np.ndarray:
    """Small compact places of another colour read as skin: marks are what we look for."""
    unlike = (distance >= SKIN.unlike).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(unlike, connectivity=8)
    longest = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    filled = stats[:, cv2.CC_STAT_AREA] / np.maximum(longest.astype(np.float32) ** 2, 1)
    spot = (longest <= SKIN.spot * size) & (filled > SKIN.compact)
    spot[0] = False
    return np.where(spot[labels], 0, distance)


def _connected(skin: np.ndarray, inside: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Skin without what is thin or loose, and off the rim of what is not skin."""
    size = np.sqrt(where.sum())
    shut_out = cv2.dilate((where & ~skin).astype(np.uint8), _disc(SKIN.clearance * size))
    skin = (skin & (shut_out == 0)).astype(np.uint8)
    skin = cv2.morphologyEx(skin, cv2.MORPH_OPEN, _disc(SKIN.clearance * size))
    count, labels = cv2.connectedComponents(skin, connectivity=4)
    # Above the mesh only what reaches down into it: an island there is lit hair.
    area = np.bincount(labels[inside], minlength=count)
    large = area > SKIN.least_part * where.sum()
    large[0] = False
    return large[labels]


def head_mask(pixels: np.ndarray, face: Face) -> np.ndarray:
    """Head and hair of one face, soft.

    pixels    (H, W, 3) uint8 sRGB
    ->        (H, W) float32, 0..1
    """
    roll = roll_of(eyes_of(face.mesh))
    points = face.mesh[:, :2]
    extent = float(np.max(points.max(0) - points.min(0)))
    centre = (points[10] + points[152]) / 2
    crop, to_crop = upright_crop(pixels, centre, extent * SKIN.head_view, roll, SEGMENTATION_SIDE)
    with _ONE_AT_A_TIME:
        net = _segmentation()
        net.setInput(cv2.dnn.blobFromImage(crop, 1 / 255))
        person = net.forward()[0, 0].copy()
    # The head's outline in the crop: an egg round the face, wide at the top for hair, closing
    # under the chin.
    unit = SEGMENTATION_SIDE / SKIN.head_view
    rows, columns = np.mgrid[:SEGMENTATION_SIDE, :SEGMENTATION_SIDE].astype(np.float32)
    x = (columns - SEGMENTATION_SIDE / 2) / unit
    y = (rows - SEGMENTATION_SIDE / 2) / unit
    tall = np.where(y < 0, SKIN.head_up, SKIN.head_down)
    radius = np.sqrt((x / SKIN.head_aside) ** 2 + (y / tall) ** 2)
    egg = np.clip((1 - radius) / SKIN.head_fade + 0.5, 0, 1)
    back = cv2.invertAffineTransform(to_crop)
    size = (pixels.shape[1], pixels.shape[0])
    return np.clip(cv2.warpAffine(person * egg, back, size, flags=cv2.INTER_LINEAR), 0, 1)


@cache
def _segmentation():
    return cv2.dnn.readNetFromTFLite(str(SEGMENTATION), cv2.dnn.ENGINE_CLASSIC)


def _filled(outlines, points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    for outline in outlines:
        cv2.fillPoly(mask, [points[outline].round().astype(np.int32)], 1)
    return mask


def _size(points: np.ndarray) -> float:
    """Height of the face from the mesh's top to the chin, px."""
    return float(np.linalg.norm(points[10] - points[152]))


def _disc(radius: float) -> np.ndarray:
    side = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


# What a ridge holds back: the bending of brightness, any change of hue.
BENDING = np.diag([0, 0, 0, 1, 1, 1]).astype(np.float32)
CHANGE = np.diag([0, 1, 1, 1, 1, 1]).astype(np.float32)
# log R, G, B to brightness and to two differences.
HUE = np.float32([[1 / 3, 1, 0], [1 / 3, -1, 1], [1 / 3, 0, -1]])
