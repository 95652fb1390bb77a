"""Find wrinkles: dark lines of the skin, where faces fold and along the way they fold.

A fold is a valley of log-light: strong curvature across, hardly any along. Valleys are kept
where they are strong or join a strong stretch (hysteresis), thinned to one pixel, traced and
joined end to end. A valley counts by its contrast, its length, and by whether it lies in a part
of the face that folds (forehead, between the brows, crow's feet, under the eyes, from nose to
mouth and below) and runs the way that part folds.

Ridges: Lindeberg, "Edge detection and ridge detection with automatic scale selection", IJCV
1998. Hysteresis: Canny, PAMI 1986.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from realism.faces.face import Face
from realism.faces.skin import LEAST_SKIN
from realism.marks.find.crop import View
from realism.marks.mark import Wrinkle


@dataclass(frozen=True)
class Lines:
    """The embedded finder of wrinkles, in px of the finder's view (`Finder.span`)."""

    sigmas: tuple[float, ...] = (1.8, 2.6, 3.6)  # px; half widths of folds
    around: float = 25.0  # px: how far the usual strength of skin is averaged
    noise: float = 0.003  # log units
    low: float = 1.5  # times the usual: a fold goes on above it
    high: float = 3.0  # times the usual: a fold starts above it
    gap: float = 12.0  # px; ends so near may be one line
    shortest: int = 28  # px, about 6 mm
    usual_length: float = 60.0  # px; longer lines count for more, shorter for less
    even_odds: float = 2.6  # strength of a line that is as likely a wrinkle as not
    keep_every: int = 4  # px between the points of a line


LINES = Lines()


@dataclass(frozen=True)
class Zone:
    """A part of the face that folds.

    outline    mesh points whose hull it is
    way        two mesh points: folds run as the line between them does
    slack      degrees by which they may differ from it
    """

    outline: tuple[int, ...]
    way: tuple[int, int]
    slack: float


# Mesh points of the person's right side; `MIRROR` gives the left.
_RIGHT = (
    Zone((33, 130, 226, 35, 143, 34, 127, 116, 111, 31), (133, 33), 45),            # crow's feet
    Zone(  # under the eye
        (130, 25, 110, 24, 23, 22, 26, 112, 243, 128, 121, 120, 119, 118, 117, 111), (33, 133), 45
    ),
    Zone((129, 203, 142, 36, 205, 187, 207, 214, 212, 57, 186, 92, 165), (129, 212), 40),
    Zone((57, 212, 214, 210, 211, 204, 43), (212, 211), 40),                        # mouth to chin
)  # fmt: skip
MIRROR = {
    33: 263, 130: 359, 226: 446, 35: 265, 143: 372, 34: 264, 127: 356, 116: 345, 111: 340, 31: 261,
    133: 362, 25: 255, 110: 339, 24: 254, 23: 253, 22: 252, 26: 256, 112: 341, 243: 463, 128: 357,
    121: 350, 120: 349, 119: 348, 118: 347, 117: 346, 129: 358, 203: 423, 142: 371, 36: 266,
    205: 425, 187: 411, 207: 427, 214: 434, 212: 432, 57: 287, 186: 410, 92: 322, 165: 391,
    210: 430, 211: 431, 204: 424, 43: 273,
}  # fmt: skip
ZONES = (
    Zone(  # forehead
        (54, 103, 67, 109, 10, 338, 297, 332, 284, 300, 293, 334, 296, 336, 107, 66, 105, 63, 70),
        (33, 263), 35,
    ),
    Zone((107, 336, 55, 285, 193, 417, 168), (9, 168), 35),
    *_RIGHT,
    *(
        Zone(tuple(MIRROR[p] for p in z.outline), (MIRROR[z.way[0]], MIRROR[z.way[1]]), z.slack)
        for z in _RIGHT
    ),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Path:
    """The bottom of a valley of light in a view, which may be a wrinkle.

    points      (n, 2) int, x y px of the view, one for each pixel of its course
    strength    median response times how well it runs as the face folds there
    """

    points: np.ndarray
    strength: float


def find_wrinkles(view: View, face: Face, lines: Lines = LINES) -> list[Wrinkle]:
    """Wrinkles of a view, as marks of the picture it was cut from."""
    marks = []
    for path in paths_of(view, face, lines):
        # Longer lines count for more.
        strength = path.strength * np.sqrt(len(path.points) / lines.usual_length)
        score = 1 / (1 + (lines.even_odds / max(strength, 1e-6)) ** 2)
        marks.append(as_wrinkle(path, view, float(score), lines))
    return marks


def as_wrinkle(path: Path, view: View, score: float, lines: Lines = LINES) -> Wrinkle:
    """A path as a mark of the picture the view was cut from."""
    smooth = view.to_picture(_smooth(path.points.astype(np.float64))).astype(np.float32)
    middle = smooth[len(smooth) // 2]
    return Wrinkle(middle, 2.0 / view.scale, score, smooth[:: lines.keep_every])


def paths_of(
    view: View, face: Face, lines: Lines = LINES, favour: np.ndarray | None = None
) -> list[Path]:
    """What may be a wrinkle in a view.

    favour    (h, w), by which the response of valleys is multiplied before they are followed
    """
    from skimage.filters import apply_hysteresis_threshold
    from skimage.morphology import skeletonize

    light = view.log_light @ np.float32([0.3, 0.6, 0.1])
    valley = valley_response(light, lines.sigmas)
    usual = cv2.GaussianBlur(np.abs(valley), (0, 0), lines.around) + lines.noise
    response = valley / usual
    mesh = (face.mesh[:, :2] - view.origin + 0.5) * view.scale - 0.5
    fold, way, slack = zones_of(mesh, light.shape)
    followed = response if favour is None else response * favour
    strong = np.where(fold & (view.skin > LEAST_SKIN), followed, 0)
    thin = skeletonize(apply_hysteresis_threshold(strong, lines.low, lines.high))
    paths = []
    for points in join(trace(thin), lines.gap):
        if len(points) < lines.shortest:
            continue
        at = (points[:, 1], points[:, 0])
        fits = _fit(points, way[at], slack[at])
        paths.append(Path(points, float(np.median(response[at]) * fits)))
    return paths


def valley_response(light: np.ndarray, sigmas: tuple[float, ...]) -> np.ndarray:
    """How strongly each pixel is the bottom of a valley of light, (h, w) float32, best scale."""
    best = np.zeros(light.shape, np.float32)
    for sigma in sigmas:
        smooth = cv2.GaussianBlur(light, (0, 0), sigma)
        xx = cv2.Sobel(smooth, cv2.CV_32F, 2, 0, ksize=3) / 4
        yy = cv2.Sobel(smooth, cv2.CV_32F, 0, 2, ksize=3) / 4
        xy = cv2.Sobel(smooth, cv2.CV_32F, 1, 1, ksize=3) / 4
        root = np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
        across, along = (xx + yy) / 2 + root, (xx + yy) / 2 - root
        # A round dip curves both ways: what curves along is taken off.
        best = np.maximum(best, (across - np.abs(along)) * sigma**2)
    return best


def zones_of(mesh: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the face folds, which way, and how strictly.

    mesh    (468, 2) px of the view
    ->      (h, w) bool; (h, w) radians of the way, modulo pi; (h, w) radians of slack
    """
    fold = np.zeros(shape, np.uint8)
    way, slack = np.zeros(shape, np.float32), np.ones(shape, np.float32)
    up = mesh[10] - mesh[152]
    for zone in ZONES:
        outline = mesh[list(zone.outline)]
        if 10 in zone.outline:
            # The mesh ends below the hairline: wrinkles do not.
            outline = np.concatenate([outline, outline + 0.12 * up])
        area = np.zeros(shape, np.uint8)
        cv2.fillConvexPoly(area, cv2.convexHull(np.round(outline).astype(np.int32)), 1)
        start, end = mesh[list(zone.way)]
        here = area > 0
        fold[here] = 1
        way[here] = np.arctan2(end[1] - start[1], end[0] - start[0])
        slack[here] = np.radians(zone.slack)
    return fold > 0, way, slack


def trace(thin: np.ndarray) -> list[np.ndarray]:
    """Paths of a one-pixel skeleton, each (n, 2) x, y int, cut where branches meet."""
    left = {(int(x), int(y)) for y, x in np.argwhere(thin)}

    def beside(point):
        x, y = point
        around = ((x + i, y + j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j)
        return [p for p in around if p in left]

    ends = [p for p in left if len(beside(p)) == 1]
    paths = []
    for start in ends + sorted(left):
        if start not in left:
            continue
        path = [start]
        left.discard(start)
        while ahead := beside(path[-1]):
            # At a branch go straight on; the other branch becomes a path of its own.
            run = np.subtract(path[-1], path[max(-4, -len(path))])
            step = max(ahead, key=lambda p: np.dot(np.subtract(p, path[-1]), run))
            path.append(step)
            left.discard(step)
        paths.append(np.array(path))
    return paths


def join(paths: list[np.ndarray], gap: float) -> list[np.ndarray]:
    """Join paths whose ends are near and point at each other."""
    paths = [path for path in paths if len(path) >= 4]
    paths.sort(key=len, reverse=True)
    joined = []
    while paths:
        path = paths.pop(0)
        grown = True
        while grown:
            grown = False
            for turned in (path, path[::-1]):
                for index, other in enumerate(paths):
                    tail = next((o for o in (other, other[::-1]) if _follows(turned, o, gap)), None)
                    if tail is not None:
                        path = np.concatenate([turned, tail])
                        paths.pop(index)
                        grown = True
                        break
                if grown:
                    break
        joined.append(path)
    return joined


def _follows(path: np.ndarray, other: np.ndarray, gap: float) -> bool:
    """Whether `other` goes on where `path` ends, within 30 degrees."""
    step = other[0] - path[-1]
    length = np.hypot(*step)
    if length > gap:
        return False
    out, on = path[-1] - path[-min(12, len(path))], other[min(11, len(other) - 1)] - other[0]
    along = np.dot(out, on) / max(np.hypot(*out) * np.hypot(*on), 1e-6)
    straight = np.dot(out, step) / max(np.hypot(*out) * length, 1e-6) if length > 2 else 1
    return bool(along > 0.87 and straight > 0.7)


def _fit(points: np.ndarray, way: np.ndarray, slack: np.ndarray) -> float:
    """How well a path runs the way the face folds where it lies, 0..1."""
    run = np.gradient(_smooth(points.astype(np.float64)), axis=0)
    turn = np.abs((np.arctan2(run[:, 1], run[:, 0]) - way + np.pi / 2) % np.pi - np.pi / 2)
    return float(np.exp(-((turn / slack) ** 2)).mean())


def _smooth(path: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(path, 2.0, axis=0, mode="nearest")
