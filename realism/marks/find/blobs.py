"""Round marks as dips of light: the plain measure, which needs no training.

A round mark is a dip in the light of the skin, closed on every side
and small beside the face. The face is brought to one size, the Hessian of its log-light is taken
at several scales (each the difference of neighbouring Gaussians along two axes: what a difference
of Gaussians approximates, split by direction), and a place counts by the weaker of its two
curvatures, so that hairs, folds and edges, which curve along one axis only, fall out. What is
usual on this skin (pores, stubble, freckles) sets the measure. Colour tells the kinds apart.

Scale selection: Lindeberg, "Feature detection with automatic scale selection", IJCV 1998.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from realism.faces.features import disc
from realism.faces.skin import LEAST_SKIN
from realism.marks.find.crop import FINDER, Finder, View
from realism.marks.mark import RoundMark

# The default finder of marks: what is around its network. px are of what it sees.
LEAST_RESPONSE = 0.3  # of a dip

MARK_SIZE = 1.4  # radius of a disc over the scale at which its dip is deepest: the root of two


@dataclass(frozen=True, eq=False)
class Dips:
    """How much each pixel of a view is the middle of a dark round dip, all (h, w) float32.

    light        log of light, most of it green
    curvature    the weaker one, at its best scale
    sigma        that scale, px
    response     curvature over what is usual around
    grain        fine unevenness around, log units
    """

    light: np.ndarray
    curvature: np.ndarray
    sigma: np.ndarray
    response: np.ndarray
    grain: np.ndarray


def dips_of(view: View, finder: Finder = FINDER) -> Dips:
    """The dips of a view."""
    # Pigment and blood both darken green most; a little red and blue quiets sensor noise.
    light = view.log_light @ np.float32([0.3, 0.6, 0.1])
    curvature, sigma = blob_response(light, finder.sigmas)
    usual = cv2.GaussianBlur(np.abs(curvature), (0, 0), finder.around) + finder.noise
    fine = np.abs(cv2.GaussianBlur(light, (0, 0), 1.2) - cv2.GaussianBlur(light, (0, 0), 5))
    grain = cv2.GaussianBlur(fine, (0, 0), finder.around) + finder.noise
    return Dips(light, curvature, sigma, curvature / usual, grain)


def dip_places(dips: Dips, solid: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows of the strongest dips, (n,) int each, strongest first.

    solid    (h, w) bool, where they may be
    """
    peaks = (dips.response >= cv2.dilate(dips.response, disc(3))) & (dips.curvature > 0.006)
    peaks &= solid
    peaks[[0, -1]] = peaks[:, [0, -1]] = False
    ys, xs = np.nonzero(peaks)
    first = np.argsort(-dips.response[ys, xs])[:most]
    return xs[first], ys[first]


def strength_of(dips: Dips, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """How strong the dips at some pixels are, (n,): closed on every side, and over the grain."""
    closed = depth_on_every_side(dips.light, xs, ys, dips.sigma[ys, xs])
    return dips.response[ys, xs] * closed / dips.grain[ys, xs]


def find_round(view: View, finder: Finder = FINDER) -> list[RoundMark]:
    """Moles, spots and pimples of a view, as marks of the picture it was cut from."""
    dips = dips_of(view, finder)
    solid = cv2.erode((view.skin > LEAST_SKIN).astype(np.uint8), disc(finder.margin)) > 0
    xs, ys = dip_places(dips, solid, finder.candidates)
    strength = strength_of(dips, xs, ys)
    # A logistic on the logarithm: 0.5 where precision and recall balance, 1 never reached.
    scores = 1 / (1 + (finder.even_odds / np.maximum(strength, 1e-6)) ** 1.5)
    sigma = dips.sigma[ys, xs]
    colours = colour_dips(view.log_light, xs, ys, sigma)
    centres = view.to_picture(np.stack([xs, ys], 1))
    radii = MARK_SIZE * sigma / view.scale
    return [
        RoundMark(kind_of(dip), centre.astype(np.float32), float(radius), float(score))
        for centre, dip, radius, score in zip(centres, colours, radii, scores, strict=True)
    ]


def blob_response(light: np.ndarray, sigmas: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """How strongly each pixel is the middle of a dark round dip.

    light     (h, w) float32, log of light
    ->        the weaker curvature, scale-normalised, at its best scale (h, w); that scale's
              sigma, px (h, w)
    """
    best = np.full(light.shape, -np.inf, np.float32)
    scale = np.zeros_like(best)
    for sigma in sigmas:
        smooth = cv2.GaussianBlur(light, (0, 0), sigma)
        # Sobel's 3x3 second derivatives weigh by 4.
        xx = cv2.Sobel(smooth, cv2.CV_32F, 2, 0, ksize=3) / 4
        yy = cv2.Sobel(smooth, cv2.CV_32F, 0, 2, ksize=3) / 4
        xy = cv2.Sobel(smooth, cv2.CV_32F, 1, 1, ksize=3) / 4
        weaker = ((xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy**2)) * sigma**2
        better = weaker > best
        best[better] = weaker[better]
        scale[better] = sigma
    return best, scale


def ring(image: np.ndarray, xs: np.ndarray, ys: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Values of `image` (h, w) on a circle around each of n points: (n, 24)."""
    angle = np.arange(24) * (2 * np.pi / 24)
    x = (xs[:, None] + radii[:, None] * np.cos(angle)).astype(np.float32)
    y = (ys[:, None] + radii[:, None] * np.sin(angle)).astype(np.float32)
    if not len(xs):
        return np.zeros((0, 24), np.float32)
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def depth_on_every_side(
    light: np.ndarray, xs: np.ndarray, ys: np.ndarray, sigma: np.ndarray
) -> np.ndarray:
    """How much darker each point is than the ring around it, on nearly its darkest side, (n,).

    A hair, fold or lip's edge is as dark along itself as at the point: it has no such depth.
    """
    smooth = cv2.GaussianBlur(light, (0, 0), 1.2)
    middle = np.minimum(smooth[ys, xs], cv2.GaussianBlur(light, (0, 0), 2.0)[ys, xs])
    around = np.sort(ring(smooth, xs, ys, 2.2 * sigma + 2) - middle[:, None], 1)
    # The fourth of 24: a neighbouring mark may cover a sixth of the ring.
    return np.maximum(around[:, 3], 0)


def colour_dips(
    log_light: np.ndarray, xs: np.ndarray, ys: np.ndarray, sigma: np.ndarray
) -> np.ndarray:
    """How much darker each point is than the skin around it in R, G and B, (n, 3) log units."""
    smooth = cv2.GaussianBlur(log_light, (0, 0), 1.5)
    around = [np.median(ring(smooth[..., c], xs, ys, 2.4 * sigma + 2), 1) for c in range(3)]
    return np.stack(around, 1) - smooth[ys, xs]


def kind_of(dip: np.ndarray, finder: Finder = FINDER) -> str:
    """Mole, spot or acne from how much R, G and B dip, (3,) log units.

    Blood hardly darkens red and darkens blue less than green; melanin darkens all, blue most.
    A mole is a spot with more melanin.
    """
    red, green, blue = dip
    green = max(green, 0.02)
    if red / green + 0.6 * (blue / green - 1) < finder.brown:
        return "acne"
    return "mole" if red > finder.deep else "spot"
