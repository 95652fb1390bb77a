"""Correct the heads' map between two pictures by what both of them show.

The fitted heads carry a place on skin to within a millimetre or two, and what they are off by
changes slowly over the face. Brows, lids, lips, folds and whatever structure the skin has are
seen in both pictures: the photo, laid on the portrait by the heads, is compared with it patch
by patch, in two channels that light changes little: band-passed log-luminance, and the log-ratio
of red to green. Each patch says how far it lies off and how sure it is in which direction; a
smooth field is put through what they say.

Field: kriging, Rasmussen and Williams, "Gaussian processes for machine learning", 2006.
Precision of a match: Förstner, "Reliability analysis of parameter estimation in linear models
with applications to mensuration problems in computer vision", 1987.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from realism.head.geometry import Head
from realism.head.model import load_model
from realism.images import GREY, log_light

# Registration of a photo on a portrait over the heads; set on the people q01, q03 and q05 of
# ../shared/data/marked-people (`benchmarks.restore`).
WORKING_PX = 0.65  # mm in a px of the working pictures
STEP = 8  # working px between the nodes that the heads carry
LEAST_FACING = 0.25  # cosine below which skin is not compared
BAND = (0.6, 2.5)  # mm, sigmas of the band-pass
EVENED = 6.0  # mm over which the strength of structure is evened out
NOISE = 0.02  # log units; keeps noise from becoming structure
LOOKS = ((16.0, 6.0), (10.0, 3.0))  # mm: patch, search
PATCHES_APART = 7.0  # mm between patches
LEAST_WHOLE = 0.8  # share of a patch that must be seen in both
LEAST_LIKENESS = 0.2  # correlation
SAYS = 8.0  # independent values in a patch
FLOOR = 0.4  # mm, doubt of the surest match
# mm, mm: usual size of what the heads are off by, and over what distance it is alike
DRIFT = ((1.5, float("inf")), (2.0, 25.0), (0.6, 10.0))


@dataclass(frozen=True, eq=False)
class ShiftField:
    """How far places that the heads carry lie off in the portrait, as a smooth field.

    at      (n, 2) mm, places in the portrait that were compared
    pull    (n, 2) mm, the field's weights there
    mm      millimetres in a px of the portrait
    """

    at: np.ndarray
    pull: np.ndarray
    mm: float

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """What to add to carried points `(n, 2)` px of the portrait: (n, 2) px."""
        return _alike(np.asarray(points, np.float64) * self.mm, self.at) @ self.pull / self.mm


@dataclass(frozen=True, eq=False)
class PortraitGrid:
    """A portrait as photos are compared with it, for all of them once.

    head        fitted to it;  mm    millimetres in a px of it
    nodes       (h, w, 2) px, over its face
    triangle    (h w,) of the head under each node;  weights    (h w, 3) of its corners
    on_face     (h w,) bool, whether the head is there
    features    (H, W, 2) float32, what light changes little, at the nodes and between them
    """

    head: Head
    mm: float
    nodes: np.ndarray
    triangle: np.ndarray
    weights: np.ndarray
    on_face: np.ndarray
    features: np.ndarray


def build_grid(portrait: np.ndarray, head: Head) -> PortraitGrid:
    """The grid of a portrait (H, W, 3) uint8 sRGB, with the head fitted to it."""
    mm = head.mm_per_px
    outline = head.pixels[head.facings > LEAST_FACING]
    low = np.maximum(np.floor(outline.min(0)), 0)
    high = np.minimum(np.ceil(outline.max(0)), [portrait.shape[1] - 1, portrait.shape[0] - 1])
    step = STEP * WORKING_PX / mm
    xs, ys = (np.arange(a, b + step, step) for a, b in zip(low, high, strict=True))
    nodes = np.stack(np.meshgrid(xs, ys), -1)
    triangle, weights, depth = head.raycast(nodes.reshape(-1, 2))
    features = _features(_seen_through(portrait, nodes, mm))
    return PortraitGrid(head, mm, nodes, triangle, weights, np.isfinite(depth), features)


def register(photo: np.ndarray, photo_head: Head, portrait: PortraitGrid) -> ShiftField:
    """What the heads' map from a photo to a portrait of the same person lacks.

    photo    (H, W, 3) uint8 sRGB;  the heads fitted to both, best of all together
    """
    mm, nodes = portrait.mm, portrait.nodes
    photo_mm = photo_head.mm_per_px
    shift = ShiftField(np.zeros((0, 2)), np.zeros((0, 2)), mm)
    source, seen = _carried_back(photo_head, portrait)
    whole = _finer(seen[..., None].astype(np.float32))[..., 0] > 0.99
    for window, search in LOOKS:
        # What the last look found is taken off before the next, closer one.
        back = nodes - shift(nodes.reshape(-1, 2)).reshape(nodes.shape)
        steps = (back - nodes[0, 0]) * mm / (STEP * WORKING_PX)
        moved = _sampled(source, steps)
        ours = _features(_seen_through(photo, moved, photo_mm))
        at, off, precision = _matches(ours, portrait.features, whole, window, search)
        if not len(at):
            break
        at = nodes[0, 0] * mm + at * WORKING_PX
        shift = _field(at, off + shift(at / mm) * mm, precision, mm)
    return shift


def _carried_back(photo: Head, portrait: PortraitGrid) -> tuple[np.ndarray, np.ndarray]:
    """Where the heads see a grid's nodes in the photo, (h, w, 2) px, and whether, (h, w) bool."""
    corners, weights = load_model().triangles[portrait.triangle], portrait.weights
    source = (photo.pixels[corners] * weights[..., None]).sum(1)
    heads = photo, portrait.head
    facing = np.minimum(*((head.facings[corners] * weights).sum(1) for head in heads))
    own = (photo.vertices[corners, 2] * weights).sum(1)
    seen = portrait.on_face & (facing > LEAST_FACING) & ~photo.hides(source, own)
    return source.reshape(portrait.nodes.shape), seen.reshape(portrait.nodes.shape[:2])


def _sampled(image: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Channels of (h, w, c) read bilinearly at (H, W, 2) px."""
    maps = np.ascontiguousarray(at.astype(np.float32))
    read = cv2.remap(
        image.astype(np.float32), maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return read.reshape(*at.shape[:2], -1)


def _finer(nodes: np.ndarray) -> np.ndarray:
    """Values on nodes (h, w, c) at every working pixel."""
    height, width = ((n - 1) * STEP + 1 for n in nodes.shape[:2])
    at = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1) / STEP
    return _sampled(nodes, at)


def _seen_through(pixels: np.ndarray, nodes: np.ndarray, mm: float) -> np.ndarray:
    """A picture of `mm` a px, read at nodes (h, w, 2) px and between them: (H, W, 3) uint8."""
    if mm < 0.8 * WORKING_PX:
        pixels = cv2.GaussianBlur(pixels, (0, 0), 0.45 * WORKING_PX / mm)
    maps = _finer(nodes)
    return cv2.remap(pixels, maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _features(pixels: np.ndarray) -> np.ndarray:
    """What light changes little, at working size: (H, W, 2) float32 of about unit strength."""
    light = log_light(pixels)
    channels = np.stack([light @ GREY, light[..., 0] - light[..., 1]], -1)
    fine, coarse = (length / WORKING_PX for length in BAND)
    band = cv2.GaussianBlur(channels, (0, 0), fine) - cv2.GaussianBlur(channels, (0, 0), coarse)
    strength = np.sqrt(cv2.GaussianBlur(band * band, (0, 0), EVENED / WORKING_PX))
    return band / (strength + NOISE)


def _matches(
    ours: np.ndarray, theirs: np.ndarray, whole: np.ndarray, window: float, search: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Patches of one picture found again in the other.

    ours, theirs    (H, W, 2);  whole    (H, W) bool, seen in both
    window, search  mm, side of a patch and how far it may lie off
    ->              (n, 2) working px of their middles, (n, 2) mm off, (n, 2, 2) precision 1 / mm²
    """
    half, reach = round(window / 2 / WORKING_PX), round(search / WORKING_PX)
    share = cv2.blur(whole.astype(np.float32), (2 * half + 1, 2 * half + 1))
    margin, apart = half + reach, max(1, round(PATCHES_APART / WORKING_PX))
    at, steps, peaks = [], [], []
    for y in range(margin, len(ours) - margin, apart):
        for x in range(margin, ours.shape[1] - margin, apart):
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
    bend, slope = _bent(peaks)
    fine = np.clip(np.linalg.solve(bend, slope[..., None])[..., 0], -1, 1)
    best = peaks[:, 1, 1]
    sure = SAYS * best / np.maximum(1 - best, 0.02)
    return (
        np.array(at, np.float64).reshape(-1, 2),
        (fine + np.array(steps, np.float64).reshape(-1, 2)) * WORKING_PX,
        bend * sure[:, None, None] / WORKING_PX**2,
    )


def _bent(peaks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bending (n, 2, 2), positive definite, and slope (n, 2) of peaks' 3 x 3 values."""
    p = peaks.transpose(1, 2, 0)
    xx = p[1, 0] - 2 * p[1, 1] + p[1, 2]
    yy = p[0, 1] - 2 * p[1, 1] + p[2, 1]
    xy = (p[2, 2] + p[0, 0] - p[0, 2] - p[2, 0]) / 4
    values, axes = np.linalg.eigh(-np.array([[xx, xy], [xy, yy]]).transpose(2, 0, 1))
    slope = np.stack([p[1, 2] - p[1, 0], p[2, 1] - p[0, 1]], 1) / 2
    return (axes * np.maximum(values, 1e-4)[:, None]) @ axes.transpose(0, 2, 1), slope


def _field(at: np.ndarray, off: np.ndarray, precision: np.ndarray, mm: float) -> ShiftField:
    """The smooth field through what patches say, those that disagree losing their say.

    at, off    (n, 2) mm;  precision    (n, 2, 2) 1 / mm²
    """
    count = len(at)
    own = np.linalg.inv(precision + 1e-4 * np.eye(2)) + FLOOR**2 * np.eye(2)
    prior = np.kron(np.eye(2), _alike(at, at))
    said, each, say = off.T.ravel(), np.arange(count), np.ones(count)
    for _ in range(4):
        doubt = np.zeros_like(prior)
        for row in (0, 1):
            for column in (0, 1):
                doubt[row * count + each, column * count + each] = own[:, row, column] / say
        pull = np.linalg.solve(prior + doubt, said)
        left = (said - prior @ pull).reshape(2, count).T
        # Cauchy weights, as in the head's fit.
        say = 1 / (1 + np.einsum("ni,nij,nj->n", left, np.linalg.inv(own), left) / 4)
    return ShiftField(at, pull.reshape(2, count).T, mm)


def _alike(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Covariance of the field at points (n, 2) and (m, 2) mm: sums of Gaussians, mm²."""
    square = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T
    return sum(
        height**2 * (np.exp(-0.5 * square / reach**2) if np.isfinite(reach) else 1.0)
        for height, reach in DRIFT
    )
