"""Find wrinkles: dark lines of the skin, where faces fold and along the way they fold.

A fold is a valley of log-light: strong curvature across, hardly any along. Valleys are kept
where they are strong or join a strong stretch (hysteresis), thinned to one pixel, traced and
joined end to end. A valley counts by its contrast, its length, and by whether it lies in a part
of the face that folds and runs the way that part folds (`folds.py`).

Ridges: Lindeberg, "Edge detection and ridge detection with automatic scale selection", IJCV
1998. Hysteresis: Canny, PAMI 1986.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from realism.faces.face import Face
from realism.faces.features import disc
from realism.faces.skin import LEAST_SKIN
from realism.marks.find.blobs import MARK_GREY, hessian
from realism.marks.find.crop import FaceCrop
from realism.marks.find.folds import fold_zones, is_hairline, is_of_feature, sure_skin
from realism.marks.mark import Wrinkle


@dataclass(frozen=True)
class WrinkleSettings:
    """The embedded finder of wrinkles; all px are those of a `FaceCrop` of `crop.SPAN`."""

    sigmas: tuple[float, ...] = (1.8, 2.6, 3.6)  # px; half widths of folds
    around: float = 25.0  # px: how far the usual strength of skin is averaged
    noise: float = 0.003  # log units
    low: float = 1.5  # times the usual: a fold goes on above it
    high: float = 3.0  # times the usual: a fold starts above it
    gap: float = 12.0  # px; ends so near may be one line
    aside: float = 6.0  # px: how far from a fold's end what goes on from it may begin
    beyond: int = 48  # px, about 10 mm: how far a fold goes on where faces do not usually fold
    shortest: int = 28  # px, about 6 mm
    usual_length: float = 60.0  # px; longer lines count for more, shorter for less
    even_odds: float = 2.6  # strength of a line that is as likely a wrinkle as not
    keep_every: int = 4  # px between the points of a wrinkle


WRINKLES = WrinkleSettings()
SHORTEST_PIECE = 4  # px of a skeleton; shorter ones are no piece of a line
STRAIGHT = 0.87  # cosine: of what goes on from a line, within 30 degrees
HALF_WIDTH = 2.0  # px of the crop: of a wrinkle as it is drawn


@dataclass(frozen=True, eq=False)
class Ridge:
    """The bottom of a valley of light in a crop, a ridge of its response, which may be a wrinkle.

    Attributes
    ----------
    points : (n, 2) int ndarray, px of the crop
        x, y of each pixel along it.
    core : slice
        Of `points`: from the first to the last where faces fold. What is before and after goes on
        from there, up to `WrinkleSettings.beyond`.
    strength : float
        Median response of the core times how well that runs as the face folds there.
    """

    points: np.ndarray
    core: slice
    strength: float

    def reaching(self, goes_on: np.ndarray) -> Ridge:
        """The core and what goes on from it while (n,) bool `goes_on` says so."""
        start, stop = self.core.start, self.core.stop
        while start and goes_on[start - 1]:
            start -= 1
        while stop < len(self.points) and goes_on[stop]:
            stop += 1
        core = slice(self.core.start - start, self.core.stop - start)
        return Ridge(self.points[start:stop], core, self.strength)


def find_wrinkles(
    crop: FaceCrop,
    face: Face,
    strict: np.ndarray,
    glasses: bool = False,
    settings: WrinkleSettings = WRINKLES,
) -> list[Wrinkle]:
    """Wrinkles of a crop.

    Parameters
    ----------
    crop : FaceCrop
        With the wide mask of skin: folds throw shade.
    face : Face
    strict : (h, w) float32 ndarray, 0..1
        The strict mask of skin in the crop.
    glasses : bool
        Whether the face wears some.
    settings : WrinkleSettings

    Returns
    -------
    list of Wrinkle
        In px of the picture that the crop was cut from, of any score.
    """
    wrinkles = []
    for found in find_ridges(crop, face, strict, glasses, settings):
        # Without the network nobody knows how far it goes on.
        ridge = found.reaching(np.zeros(len(found.points), bool))
        # Longer lines count for more.
        strength = ridge.strength * np.sqrt(len(ridge.points) / settings.usual_length)
        score = 1 / (1 + (settings.even_odds / max(strength, 1e-6)) ** 2)
        wrinkles.append(wrinkle_along(ridge, crop, float(score), settings))
    return wrinkles


def wrinkle_along(
    ridge: Ridge, crop: FaceCrop, score: float, settings: WrinkleSettings = WRINKLES
) -> Wrinkle:
    """A ridge as a mark of the picture the crop was cut from."""
    smooth = crop.to_picture(_smooth(ridge.points.astype(np.float64))).astype(np.float32)
    middle = smooth[len(smooth) // 2]
    return Wrinkle(middle, HALF_WIDTH / crop.scale, score, smooth[:: settings.keep_every])


def find_ridges(
    crop: FaceCrop,
    face: Face,
    strict: np.ndarray,
    glasses: bool = False,
    settings: WrinkleSettings = WRINKLES,
) -> list[Ridge]:
    """What may be a wrinkle in a crop; parameters as of `find_wrinkles`.

    References
    ----------
    Lindeberg, "Edge detection and ridge detection with automatic scale selection", IJCV 1998;
    Canny, "A computational approach to edge detection", PAMI 1986 (hysteresis).
    """
    from skimage.filters import apply_hysteresis_threshold
    from skimage.morphology import skeletonize

    light = crop.log_light @ MARK_GREY
    valley = valley_response(light, settings.sigmas)
    usual = cv2.GaussianBlur(np.abs(valley), (0, 0), settings.around) + settings.noise
    response = valley / usual
    mesh = crop.from_picture(face.mesh[:, :2])
    folds, way, slack = fold_zones(mesh, light.shape)
    response = np.where(crop.skin > LEAST_SKIN, response, 0)
    strong = np.where(folds, response, 0)
    thin = skeletonize(apply_hysteresis_threshold(strong, settings.low, settings.high))
    near = cv2.dilate(folds.astype(np.uint8), disc(settings.beyond)) > 0
    # Thinned as one with what is within, or lines would fork where they are cut.
    ends = trace_skeleton(skeletonize(near & (response > settings.low)) & ~folds)
    ridges, sure = [], sure_skin(strict)
    for points in join_polylines(trace_skeleton(thin), settings.gap):
        if len(points) < settings.shortest:
            continue
        if is_hairline(points, mesh, sure) or is_of_feature(points, mesh, glasses):
            continue
        at = (points[:, 1], points[:, 0])
        fits = _alignment(points, way[at], slack[at])
        strength = float(np.median(response[at]) * fits)
        before, after = (
            _going_on(turned, ends, settings.aside)[: len(points)]
            for turned in (points[::-1], points)
        )
        core = slice(len(before), len(before) + len(points))
        whole = np.concatenate([before[::-1], points, after])
        ridges.append(Ridge(whole, core, strength))
    return ridges


def valley_response(light: np.ndarray, sigmas: tuple[float, ...]) -> np.ndarray:
    """How strongly each pixel is the bottom of a valley of light, at its best scale.

    Parameters
    ----------
    light : (h, w) float32 ndarray, log of light
    sigmas : tuple of float, px

    Returns
    -------
    (h, w) float32 ndarray
        Scale-normalised curvature across less that along.
    """
    best = np.zeros(light.shape, np.float32)
    for sigma in sigmas:
        mean, root = hessian(light, sigma)
        across, along = mean + root, mean - root
        # A round dip curves both ways: what curves along is taken off.
        best = np.maximum(best, (across - np.abs(along)) * sigma**2)
    return best


def trace_skeleton(thin: np.ndarray) -> list[np.ndarray]:
    """Polylines of a skeleton, cut where branches meet.

    Parameters
    ----------
    thin : (h, w) bool ndarray
        Lines one pixel wide.

    Returns
    -------
    list of (n, 2) int ndarray
        x, y of each pixel along them.
    """
    left = {(int(x), int(y)) for y, x in np.argwhere(thin)}

    def beside(point):
        x, y = point
        around = ((x + i, y + j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j)
        return [p for p in around if p in left]

    ends = [p for p in left if len(beside(p)) == 1]
    polylines = []
    for start in ends + sorted(left):
        if start not in left:
            continue
        polyline = [start]
        left.discard(start)
        while ahead := beside(polyline[-1]):
            # At a branch go straight on; the other branch becomes a polyline of its own.
            run = np.subtract(polyline[-1], polyline[max(-4, -len(polyline))])
            step = max(ahead, key=lambda p: np.dot(np.subtract(p, polyline[-1]), run))
            polyline.append(step)
            left.discard(step)
        polylines.append(np.array(polyline))
    return polylines


def join_polylines(polylines: list[np.ndarray], gap: float) -> list[np.ndarray]:
    """Join polylines whose ends are near and point at each other.

    Parameters
    ----------
    polylines : list of (n, 2) int ndarray, px
        Those of fewer than `SHORTEST_PIECE` pixels are left out.
    gap : float, px
        Most between two ends that are joined.

    Returns
    -------
    list of (n, 2) int ndarray, px
    """
    left = sorted(
        (points for points in polylines if len(points) >= SHORTEST_PIECE), key=len, reverse=True
    )
    joined = []
    while left:
        polyline = left.pop(0)
        while (longer := _with_next(polyline, left, gap)) is not None:
            polyline = longer
        joined.append(polyline)
    return joined


def _with_next(polyline: np.ndarray, left: list[np.ndarray], gap: float) -> np.ndarray | None:
    """The polyline with one that goes on from an end of it, which is taken from `left`."""
    for turned in (polyline, polyline[::-1]):
        for index, other in enumerate(left):
            for tail in (other, other[::-1]):
                if _follows(turned, tail, gap):
                    left.pop(index)
                    return np.concatenate([turned, tail])
    return None


def _follows(polyline: np.ndarray, other: np.ndarray, gap: float) -> bool:
    """Whether `other` goes on where `polyline` ends, within 30 degrees."""
    step = other[0] - polyline[-1]
    length = np.hypot(*step)
    if length > gap:
        return False
    out = -_run(polyline[::-1])
    straight = _cosine(out, step) if length > 2 else 1
    return _cosine(out, _run(other)) > STRAIGHT and straight > 0.7


def _going_on(polyline: np.ndarray, others: list[np.ndarray], aside: float) -> np.ndarray:
    """What of others goes on from a polyline's last end, (n, 2); they may begin beside it.

    Parameters
    ----------
    polyline : (m, 2) int ndarray, px
    others : list of (k, 2) int ndarray, px
    aside : float, px
        Most between the end and what goes on.
    """
    way = -_run(polyline[::-1])
    for other in others:
        for tail in (other, other[::-1]):
            forward = np.flatnonzero((tail - polyline[-1]) @ way > 0)
            if not len(forward) or _cosine(way, _run(tail[forward[0] :])) < STRAIGHT:
                continue
            away = np.hypot(*(tail[forward[0]] - polyline[-1]))
            ahead = tail[forward[0] + round(2 * away) :]  # or the line would jump aside
            if away < aside and len(ahead) >= SHORTEST_PIECE:
                return ahead
    return polyline[:0]


def _run(polyline: np.ndarray) -> np.ndarray:
    """Which way a polyline sets out, (2,) px."""
    return polyline[min(11, len(polyline) - 1)] - polyline[0]


def _cosine(way: np.ndarray, other: np.ndarray) -> float:
    return float(np.dot(way, other) / max(np.hypot(*way) * np.hypot(*other), 1e-6))


def _alignment(points: np.ndarray, way: np.ndarray, slack: np.ndarray) -> float:
    """How well a polyline runs the way the face folds where it lies, 0..1."""
    run = np.gradient(_smooth(points.astype(np.float64)), axis=0)
    turn = np.abs((np.arctan2(run[:, 1], run[:, 0]) - way + np.pi / 2) % np.pi - np.pi / 2)
    return float(np.exp(-((turn / slack) ** 2)).mean())


def _smooth(polyline: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(polyline, 2.0, axis=0, mode="nearest")
