"""Round marks as blobs: the plain measure, which needs no training.

A round mark is a dip in the light of the skin, closed on every side and small beside the face.
The face is brought to one size, the Hessian of its log-light is taken at several scales (each the
difference of neighbouring Gaussians along two axes: what a difference of Gaussians approximates,
split by direction), and a place counts by the weaker of its two curvatures, so that hairs, folds
and edges, which curve along one axis only, fall out. What is usual on this skin (pores, stubble,
freckles) sets the measure. Colour tells the kinds apart.

Scale selection: Lindeberg, "Feature detection with automatic scale selection", IJCV 1998.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from realism.faces.features import disc
from realism.faces.skin import LEAST_SKIN
from realism.marks.find.crop import FaceCrop
from realism.marks.mark import RoundMark

LEAST_RESPONSE = 0.3  # of a blob: below it, how far below says nothing
LEAST_CURVATURE = 0.006  # log units; what curves less is no blob at all
LEAST_GREEN = 0.02  # log units: the least dip of green that colours are compared with
MARK_SIZE = 1.4  # radius of a disc over the scale at which its dip is deepest: the root of two
# Pigment and blood both darken green most; a little red and blue quiets sensor noise. Not
# `images.GREY`: scores, thresholds and the network's regressions were set on these.
MARK_GREY = np.array([0.3, 0.6, 0.1], np.float32)


@dataclass(frozen=True)
class BlobSettings:
    """The finder that needs no training; set on ../shared/data/marked-people.

    See `benchmarks.marks`. All px are those of a `FaceCrop` of `crop.SPAN`.
    """

    sigmas: tuple[float, ...] = (1.5, 2.1, 3.0, 4.2, 6.0, 8.5)  # px: radii of 0.5-3 mm
    margin: int = 8  # px, about 2 mm: no mark so close to the skin's edge
    around: float = 25.0  # px: how far the usual strength of skin is averaged
    noise: float = 0.004  # log units; keeps flat renders from making noise a mark
    candidates: int = 80  # strongest blobs looked at closely
    even_odds: float = 25.0  # strength of a blob that is as likely a mark as not
    brown: float = 0.6  # red and blue dip over green's; below it blood, not melanin
    deep: float = 0.145  # log units; a mole darkens red by more, a spot by less


BLOBS = BlobSettings()


@dataclass(frozen=True, eq=False)
class BlobResponse:
    """How much each pixel of a crop is the middle of a dark blob, all (h, w) float32.

    Attributes
    ----------
    light : ndarray
        Log of light, most of it green.
    curvature : ndarray
        The weaker one, at its best scale.
    sigma : ndarray, px
        That scale.
    response : ndarray
        Curvature over what is usual around.
    grain : ndarray, log units
        Fine unevenness around.
    """

    light: np.ndarray
    curvature: np.ndarray
    sigma: np.ndarray
    response: np.ndarray
    grain: np.ndarray


def blob_response(crop: FaceCrop, settings: BlobSettings = BLOBS) -> BlobResponse:
    """How much each pixel of a crop is the middle of a dark blob.

    References
    ----------
    Lindeberg, "Feature detection with automatic scale selection", IJCV 1998.
    """
    light = crop.log_light @ MARK_GREY
    curvature, sigma = round_curvature(light, settings.sigmas)
    usual = cv2.GaussianBlur(np.abs(curvature), (0, 0), settings.around) + settings.noise
    fine = np.abs(cv2.GaussianBlur(light, (0, 0), 1.2) - cv2.GaussianBlur(light, (0, 0), 5))
    grain = cv2.GaussianBlur(fine, (0, 0), settings.around) + settings.noise
    return BlobResponse(light, curvature, sigma, curvature / usual, grain)


def blob_peaks(
    blobs: BlobResponse, allowed: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows of the strongest blobs.

    Parameters
    ----------
    blobs : BlobResponse
    allowed : (h, w) bool ndarray
        Where they may be.
    most : int

    Returns
    -------
    xs, ys : (n,) int ndarray
        Strongest first.
    """
    from skimage.feature import peak_local_max

    rows, columns = peak_local_max(blobs.response, footprint=disc(3), threshold_abs=0).T
    kept = (blobs.curvature[rows, columns] > LEAST_CURVATURE) & allowed[rows, columns]
    return columns[kept][:most], rows[kept][:most]


def blob_strength(blobs: BlobResponse, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """How strong the blobs at some pixels are: closed on every side, and over the grain.

    Parameters
    ----------
    blobs : BlobResponse
    xs, ys : (n,) int ndarray, px of the crop

    Returns
    -------
    (n,) float32 ndarray
    """
    closed = depth_on_every_side(blobs.light, xs, ys, blobs.sigma[ys, xs])
    return blobs.response[ys, xs] * closed / blobs.grain[ys, xs]


def find_blobs(crop: FaceCrop, settings: BlobSettings = BLOBS) -> list[RoundMark]:
    """Moles, spots and acne of a crop.

    Parameters
    ----------
    crop : FaceCrop
        With the strict mask of skin.
    settings : BlobSettings

    Returns
    -------
    list of RoundMark
        In px of the picture that the crop was cut from, of any score.
    """
    blobs = blob_response(crop, settings)
    inner = cv2.erode((crop.skin > LEAST_SKIN).astype(np.uint8), disc(settings.margin)) > 0
    xs, ys = blob_peaks(blobs, inner, settings.candidates)
    strength = blob_strength(blobs, xs, ys)
    # A logistic on the logarithm: 0.5 where precision and recall balance, 1 never reached.
    scores = 1 / (1 + (settings.even_odds / np.maximum(strength, 1e-6)) ** 1.5)
    sigma = blobs.sigma[ys, xs]
    contrasts = colour_contrast(crop.log_light, xs, ys, sigma)
    centres = crop.to_picture(np.stack([xs, ys], 1))
    radii = MARK_SIZE * sigma / crop.scale
    return [
        RoundMark(
            kind_by_colour(contrast, settings),
            centre.astype(np.float32),
            float(radius),
            float(score),
        )
        for centre, contrast, radius, score in zip(centres, contrasts, radii, scores, strict=True)
    ]


def round_curvature(light: np.ndarray, sigmas: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """How strongly light curves up on every side of each pixel.

    Parameters
    ----------
    light : (h, w) float32 ndarray, log of light
    sigmas : tuple of float, px

    Returns
    -------
    curvature : (h, w) float32 ndarray
        The weaker of the two, scale-normalised, at its best scale.
    sigma : (h, w) float32 ndarray, px
        That scale.

    References
    ----------
    Lindeberg, "Feature detection with automatic scale selection", IJCV 1998.
    """
    best = np.full(light.shape, -np.inf, np.float32)
    scale = np.zeros_like(best)
    for sigma in sigmas:
        mean, root = hessian(light, sigma)
        weaker = (mean - root) * sigma**2
        better = weaker > best
        best[better] = weaker[better]
        scale[better] = sigma
    return best, scale


def hessian(light: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Second derivatives of smoothed light: the curvatures' mean, and half their difference.

    Parameters
    ----------
    light : (h, w) float32 ndarray
    sigma : float, px
        Of the smoothing.

    Returns
    -------
    mean, root : (h, w) float32 ndarray
        The weaker curvature is mean - root, the stronger mean + root.
    """
    smooth = cv2.GaussianBlur(light, (0, 0), sigma)
    # Sobel's 3x3 second derivatives weigh by 4.
    xx = cv2.Sobel(smooth, cv2.CV_32F, 2, 0, ksize=3) / 4
    yy = cv2.Sobel(smooth, cv2.CV_32F, 0, 2, ksize=3) / 4
    xy = cv2.Sobel(smooth, cv2.CV_32F, 1, 1, ksize=3) / 4
    return (xx + yy) / 2, np.sqrt(((xx - yy) / 2) ** 2 + xy**2)


def sample_ring(image: np.ndarray, xs: np.ndarray, ys: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Values on a circle around each point.

    Parameters
    ----------
    image : (h, w) float32 ndarray
    xs, ys : (n,) ndarray, px
    radii : (n,) ndarray, px

    Returns
    -------
    (n, 24) float32 ndarray
    """
    angle = np.arange(24) * (2 * np.pi / 24)
    x = (xs[:, None] + radii[:, None] * np.cos(angle)).astype(np.float32)
    y = (ys[:, None] + radii[:, None] * np.sin(angle)).astype(np.float32)
    if not len(xs):
        return np.zeros((0, 24), np.float32)
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def depth_on_every_side(
    light: np.ndarray, xs: np.ndarray, ys: np.ndarray, sigma: np.ndarray
) -> np.ndarray:
    """How much darker each point is than the ring around it, on nearly its darkest side.

    A hair, fold or lip's edge is as dark along itself as at the point: it has no such depth.

    Parameters
    ----------
    light : (h, w) float32 ndarray, log of light
    xs, ys : (n,) int ndarray, px
    sigma : (n,) ndarray, px
        The blobs' scales.

    Returns
    -------
    (n,) float32 ndarray, log units
    """
    smooth = cv2.GaussianBlur(light, (0, 0), 1.2)
    middle = np.minimum(smooth[ys, xs], cv2.GaussianBlur(light, (0, 0), 2.0)[ys, xs])
    around = np.sort(sample_ring(smooth, xs, ys, 2.2 * sigma + 2) - middle[:, None], 1)
    # The fourth of 24: a neighbouring mark may cover a sixth of the ring.
    return np.maximum(around[:, 3], 0)


def colour_contrast(
    log_light: np.ndarray, xs: np.ndarray, ys: np.ndarray, sigma: np.ndarray
) -> np.ndarray:
    """How much darker each point is than the skin around it in each colour.

    Parameters
    ----------
    log_light : (h, w, 3) float32 ndarray
    xs, ys : (n,) int ndarray, px
    sigma : (n,) ndarray, px
        The blobs' scales.

    Returns
    -------
    (n, 3) float32 ndarray, log units
        In R, G and B.
    """
    smooth = cv2.GaussianBlur(log_light, (0, 0), 1.5)
    reach = 2.4 * sigma + 2
    around = [np.median(sample_ring(smooth[..., c], xs, ys, reach), 1) for c in range(3)]
    return np.stack(around, 1) - smooth[ys, xs]


def brownness(contrast: np.ndarray) -> np.ndarray:
    """How much a contrast is melanin's rather than blood's.

    Blood hardly darkens red and darkens blue less than green; melanin darkens all, blue most.

    Parameters
    ----------
    contrast : (..., 3) ndarray, log units
        As `colour_contrast` has it.

    Returns
    -------
    (...) ndarray
        About 0.2 for blood, above 0.6 for melanin.
    """
    red, green, blue = np.moveaxis(contrast, -1, 0)
    green = np.maximum(green, LEAST_GREEN)
    return red / green + 0.6 * (blue / green - 1)


def kind_by_colour(contrast: np.ndarray, settings: BlobSettings = BLOBS) -> str:
    """Mole, spot or acne; a mole is a spot with more melanin.

    Parameters
    ----------
    contrast : (3,) ndarray, log units
        As `colour_contrast` has it.
    settings : BlobSettings
    """
    if brownness(contrast) < settings.brown:
        return "acne"
    return "mole" if contrast[0] > settings.deep else "spot"
