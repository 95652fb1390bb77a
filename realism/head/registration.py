"""Correct the heads' map between two pictures by what both of them show.

The fitted heads transfer a point of skin to within a millimetre or two, and what they are off by
changes slowly over the face. Brows, lids, lips, folds and whatever structure the skin has are
seen in both pictures: the photo, laid on the portrait by the heads, is compared with it patch
by patch, in two channels that light changes little: band-passed log-luminance, and the log-ratio
of red to green. Each patch gives how far it lies off and with what precision in which
direction; a smooth field is put through them.

Field: kriging, see `kriging.py`.
Precision of a match: Förstner, "Reliability analysis of parameter estimation in linear models
with applications to mensuration problems in computer vision", 1987.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from realism.head.geometry import Head
from realism.head.kriging import gaussian_kernel
from realism.head.model import load_model
from realism.images import GREY, log_light

# Set on three people of the marked set (`benchmarks.restore`).
WORKING_PX = 0.65  # mm in a px of the working pictures
STEP = 8  # working px between the nodes that the heads transfer
LEAST_FACING = 0.25  # cosine below which skin is not compared
BAND = (0.6, 2.5)  # mm, sigmas of the band-pass
EVENED = 6.0  # mm over which the strength of structure is evened out
NOISE = 0.02  # log units; keeps noise from becoming structure
# Linear light that is added before the logarithm: grain of deep shadows is no structure to match.
SHADOW = 0.01
PASSES = (
    (18.0, 7.0, 9.0),
    (12.0, 4.0, 7.0),
    (8.0, 2.0, 7.0),
)  # mm: patch, search, from one to the next
LEAST_WHOLE = 0.6  # share of a patch that must be seen in both
LEAST_LIKENESS = 0.2  # correlation
PATCH_VALUES = 8.0  # independent values in a patch
LEAST_DEVIATION = 0.25  # mm, standard deviation of the surest match
CAUCHY_SCALE = 2.0  # standard deviations at which a patch has lost half its weight
# mm, mm: usual size of what the heads are off by, and over what distance it is correlated
BIAS = ((1.5, float("inf")), (2.5, 35.0), (0.8, 12.0))


@dataclass(frozen=True, eq=False)
class ShiftField:
    """How far points that the heads transfer lie off in the portrait, as a smooth field.

    Parameters
    ----------
    at : np.ndarray, (n, 2) mm
        Where the portrait was compared.
    pull : np.ndarray, (n, 2) 1 / mm
        The field's weights there.
    mm : float
        In a px of the portrait.
    """

    at: np.ndarray
    pull: np.ndarray
    mm: float

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """What to add to transferred points `(n, 2)` px of the portrait: (n, 2) px."""
        points = np.asarray(points, np.float64)
        return _covariance(points * self.mm, self.at) @ self.pull / self.mm

    def away(self, points: np.ndarray) -> np.ndarray:
        """How far points `(n, 2)` px of the portrait lie from where it was compared: (n,) mm."""
        if not len(self.at):
            return np.full(len(points), np.inf)
        apart = np.asarray(points, np.float64)[:, None] * self.mm - self.at
        return np.linalg.norm(apart, axis=2).min(1)


@dataclass(frozen=True, eq=False)
class PortraitGrid:
    """A portrait as photos are compared with it, made once for all of them.

    Parameters
    ----------
    head : Head
        Fitted to it.
    mm : float
        In a px of it.
    nodes : np.ndarray, (h, w, 2) px
        Over its face.
    triangle : np.ndarray, (h w,) int
        Of the head, under each node.
    weights : np.ndarray, (h w, 3)
        Of the triangle's corners.
    on_face : np.ndarray, (h w,) bool
        Whether the head is there.
    features : np.ndarray, (H, W, 2) float32
        What light changes little, at the nodes and between them.
    """

    head: Head
    mm: float
    nodes: np.ndarray
    triangle: np.ndarray
    weights: np.ndarray
    on_face: np.ndarray
    features: np.ndarray


def build_grid(portrait: np.ndarray, head: Head) -> PortraitGrid:
    """The grid of a portrait.

    Parameters
    ----------
    portrait : np.ndarray, (H, W, 3) uint8 sRGB
    head : Head
        Fitted to it.
    """
    mm = head.mm_per_px
    outline = head.pixels[head.facings > LEAST_FACING]
    low = np.maximum(np.floor(outline.min(0)), 0)
    high = np.minimum(np.ceil(outline.max(0)), [portrait.shape[1] - 1, portrait.shape[0] - 1])
    step = STEP * WORKING_PX / mm
    xs, ys = (np.arange(a, b + step, step) for a, b in zip(low, high, strict=True))
    nodes = np.stack(np.meshgrid(xs, ys), -1)
    triangle, weights, depth = head.raycast(nodes.reshape(-1, 2))
    features = _band_pass(_resample(portrait, nodes, mm))
    return PortraitGrid(head, mm, nodes, triangle, weights, np.isfinite(depth), features)


def register(photo: np.ndarray, photo_head: Head, portrait: PortraitGrid) -> ShiftField:
    """What the heads' map from a photo to a portrait of the same person lacks.

    Parameters
    ----------
    photo : np.ndarray, (H, W, 3) uint8 sRGB
    photo_head : Head
        Fitted to it, best together with the portrait's: they then share the identity.
    portrait : PortraitGrid

    Returns
    -------
    ShiftField
    """
    mm, nodes = portrait.mm, portrait.nodes
    photo_mm = photo_head.mm_per_px
    shift = ShiftField(np.zeros((0, 2)), np.zeros((0, 2)), mm)
    source, visible = _transferred_back(photo_head, portrait)
    whole = _upsample(visible[..., None].astype(np.float32))[..., 0] > 0.99
    for window, search, apart in PASSES:
        # What the last pass found is taken off before the next, closer one.
        back = nodes - shift(nodes.reshape(-1, 2)).reshape(nodes.shape)
        steps = (back - nodes[0, 0]) * mm / (STEP * WORKING_PX)
        moved = _sample(source, steps)
        ours = _band_pass(_resample(photo, moved, photo_mm))
        at, off, precision = _match_patches(ours, portrait.features, whole, window, search, apart)
        if not len(at):
            break
        at = nodes[0, 0] * mm + at * WORKING_PX
        shift = _fit_field(at, off + shift(at / mm) * mm, precision, mm)
    return shift


def _transferred_back(photo: Head, portrait: PortraitGrid) -> tuple[np.ndarray, np.ndarray]:
    """Where the heads see a grid's nodes in the photo, (h, w, 2) px, and whether, (h, w) bool."""
    corners, weights = load_model().triangles[portrait.triangle], portrait.weights
    source = (photo.pixels[corners] * weights[..., None]).sum(1)
    heads = photo, portrait.head
    facing = np.minimum(*((head.facings[corners] * weights).sum(1) for head in heads))
    own = (photo.vertices[corners, 2] * weights).sum(1)
    visible = portrait.on_face & (facing > LEAST_FACING) & ~photo.hides(source, own)
    return source.reshape(portrait.nodes.shape), visible.reshape(portrait.nodes.shape[:2])


def _sample(image: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Channels of (h, w, c) read bilinearly at (H, W, 2) px."""
    read = _remap(image.astype(np.float32), at)
    return read.reshape(*at.shape[:2], -1)


def _upsample(nodes: np.ndarray) -> np.ndarray:
    """Values on nodes (h, w, c) at every working pixel."""
    height, width = ((n - 1) * STEP + 1 for n in nodes.shape[:2])
    at = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1) / STEP
    return _sample(nodes, at)


def _resample(pixels: np.ndarray, nodes: np.ndarray, mm: float) -> np.ndarray:
    """A picture of `mm` a px, read at nodes (h, w, 2) px and between them: (H, W, 3) uint8."""
    if mm < 0.8 * WORKING_PX:
        pixels = cv2.GaussianBlur(pixels, (0, 0), 0.45 * WORKING_PX / mm)
    return _remap(pixels, _upsample(nodes))


def _remap(image: np.ndarray, at: np.ndarray) -> np.ndarray:
    """An image read bilinearly at (H, W, 2) px, x and y; its border goes on outside it."""
    x, y = (np.ascontiguousarray(at[..., axis], np.float32) for axis in (0, 1))
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _band_pass(pixels: np.ndarray) -> np.ndarray:
    """What light changes little, at working size: (H, W, 2) float32 of about unit strength."""
    light = log_light(pixels, SHADOW)
    channels = np.stack([light @ GREY, light[..., 0] - light[..., 1]], -1)
    fine, coarse = (length / WORKING_PX for length in BAND)
    band = cv2.GaussianBlur(channels, (0, 0), fine) - cv2.GaussianBlur(channels, (0, 0), coarse)
    strength = np.sqrt(cv2.GaussianBlur(band * band, (0, 0), EVENED / WORKING_PX))
    return band / (strength + NOISE)


def _match_patches(
    ours: np.ndarray,
    theirs: np.ndarray,
    whole: np.ndarray,
    window: float,
    search: float,
    apart: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Patches of one picture found again in the other.

    Parameters
    ----------
    ours, theirs : np.ndarray, (H, W, 2) float32
    whole : np.ndarray, (H, W) bool
        Seen in both.
    window : float, mm
        Side of a patch.
    search : float, mm
        How far it may lie off.
    apart : float, mm
        From one patch to the next.

    Returns
    -------
    at : np.ndarray, (n, 2) working px
        Their middles.
    off : np.ndarray, (n, 2) mm
        How far each lies off.
    precision : np.ndarray, (n, 2, 2) 1 / mm²
        Of that.
    """
    half, reach = round(window / 2 / WORKING_PX), round(search / WORKING_PX)
    share = cv2.blur(whole.astype(np.float32), (2 * half + 1, 2 * half + 1))
    margin, step = half + reach, max(1, round(apart / WORKING_PX))
    at, steps, peaks = [], [], []
    for y in range(margin, len(ours) - margin, step):
        for x in range(margin, ours.shape[1] - margin, step):
            if share[y, x] < LEAST_WHOLE:
                continue
            patch = ours[y - half : y + half + 1, x - half : x + half + 1]
            around = theirs[y - margin : y + margin + 1, x - margin : x + margin + 1]
            likeness = cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED)
            _, best, _, (u, v) = cv2.minMaxLoc(likeness)
            # A best match at the rim of the search is the flank of something else.
            if best < LEAST_LIKENESS or not (0 < u < 2 * reach and 0 < v < 2 * reach):
                continue
            at.append((x, y))
            steps.append((u - reach, v - reach))
            peaks.append(likeness[v - 1 : v + 2, u - 1 : u + 2])
    peaks = np.array(peaks, np.float64).reshape(-1, 3, 3)
    bend, slope = _paraboloid(peaks)
    fine = np.clip(np.linalg.solve(bend, slope[..., None])[..., 0], -1, 1)
    best = peaks[:, 1, 1]
    confidence = PATCH_VALUES * best / np.maximum(1 - best, 0.02)
    return (
        np.array(at, np.float64).reshape(-1, 2),
        (fine + np.array(steps, np.float64).reshape(-1, 2)) * WORKING_PX,
        bend * confidence[:, None, None] / WORKING_PX**2,
    )


def _paraboloid(peaks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bending (n, 2, 2), positive definite, and slope (n, 2) of peaks' 3 x 3 values."""
    p = peaks.transpose(1, 2, 0)
    xx = p[1, 0] - 2 * p[1, 1] + p[1, 2]
    yy = p[0, 1] - 2 * p[1, 1] + p[2, 1]
    xy = (p[2, 2] + p[0, 0] - p[0, 2] - p[2, 0]) / 4
    values, axes = np.linalg.eigh(-np.array([[xx, xy], [xy, yy]]).transpose(2, 0, 1))
    slope = np.stack([p[1, 2] - p[1, 0], p[2, 1] - p[0, 1]], 1) / 2
    return (axes * np.maximum(values, 1e-4)[:, None]) @ axes.transpose(0, 2, 1), slope


def _fit_field(at: np.ndarray, off: np.ndarray, precision: np.ndarray, mm: float) -> ShiftField:
    """The smooth field through what patches found, in which those that disagree weigh less.

    Parameters
    ----------
    at : np.ndarray, (n, 2) mm
        Middles of the patches.
    off : np.ndarray, (n, 2) mm
        How far each was found to lie off.
    precision : np.ndarray, (n, 2, 2) 1 / mm²
        Of `off`.
    mm : float
        In a px of the portrait.
    """
    count = len(at)
    own = np.linalg.inv(precision + 1e-4 * np.eye(2)) + LEAST_DEVIATION**2 * np.eye(2)
    prior = np.kron(np.eye(2), _covariance(at, at))
    data, each, weight = off.T.ravel(), np.arange(count), np.ones(count)
    pull = np.zeros_like(data)
    for _ in range(4):
        variance = np.zeros_like(prior)
        for row in (0, 1):
            for column in (0, 1):
                variance[row * count + each, column * count + each] = own[:, row, column] / weight
        pull = np.linalg.solve(prior + variance, data)
        residual = (data - prior @ pull).reshape(2, count).T
        # Cauchy weights, as in the head's fit.
        outlying = np.einsum("ni,nij,nj->n", residual, np.linalg.inv(own), residual)
        weight = 1 / (1 + outlying / CAUCHY_SCALE**2)
    return ShiftField(at, pull.reshape(2, count).T, mm)


def _covariance(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of what the heads are off by at points (n, 2) and (m, 2) mm: (n, m) mm²."""
    return np.sum([size**2 * gaussian_kernel(points, others, reach) for size, reach in BIAS], 0)
