"""What may be a mark in a picture, and the evidence for each: the network's and the light's.

The network knows what marks look like; blobs and ridges of the light tell where this very skin is
darker than usual. Candidates are all blobs, and peaks of the network's heat where there is no blob;
and all ridges where faces fold. How much each piece of evidence counts is said in `heatmap.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from realism.faces.face import Face
from realism.faces.features import disc
from realism.faces.occluders import find_occluders
from realism.faces.paintable import close_holes, paintable_mask
from realism.faces.skin import LEAST_SKIN
from realism.marks.find.blobs import (
    BLOBS,
    LEAST_GREEN,
    LEAST_RESPONSE,
    MARK_SIZE,
    BlobResponse,
    blob_peaks,
    blob_response,
    blob_strength,
    brownness,
    colour_contrast,
)
from realism.marks.find.crop import SPAN, FaceCrop, crop_face, face_span
from realism.marks.find.network import (
    HEAT,
    KIND,
    LINE,
    RADIUS,
    STRIDE,
    HeatmapNet,
    normalise,
    run_network,
)
from realism.marks.find.wrinkles import WRINKLES, Ridge, find_ridges

# px from ear to ear: the largest faces the network was taught on; the smallest are brought to
# `crop.SPAN`.
MOST_SPAN = 780
MARGIN = 4  # px of the Hessian's crop: none so close to where skin ends
INSIDE = (2.0, 30.0)  # px of it from the strict mask's edge: nearer or further in is all one
# Below these nothing is a mark, and how far below says nothing; nor does being surer than sure.
LOG_ODDS = (-7.0, 8.0)  # log odds of the heat map
LEAST_STRENGTH = 2.0  # of a blob
LEAST_RIDGE = 0.05  # strength of a ridge
LEAST_LINE = 0.0  # log odds of the line map, above which a fold goes on where faces seldom fold
LEAST_HEAT = 0.02  # chance of the heat map's peaks that are looked at
PEAKS = 120  # strongest peaks looked at
PEAK_SIDE = 5  # cells of the maps: a peak is the largest of so many by so many
LOG_RADIUS = (0.0, 3.5)  # of px, as the network may say
SAME_BLOB = 6.0  # px of the Hessian's crop: a blob so near a peak is the same
BROWN = (-1, 2)  # of `brownness`, beyond which it says no more


@dataclass(frozen=True, eq=False)
class BlobCandidates:
    """What may be a round mark, n of them.

    Attributes
    ----------
    xy : (n, 2) float32 ndarray, px of the picture
    radius : (n,) ndarray, px of the picture
    evidence : (n, 5) ndarray
        1, the network's log odds, log of the blob's response, of its strength, log of the way to
        the strict skin mask's edge.
    kind_evidence : (n, 6) ndarray
        1, log chances of `ROUND_KINDS`, how brown, how dark in red.
    """

    xy: np.ndarray
    radius: np.ndarray
    evidence: np.ndarray
    kind_evidence: np.ndarray

    def only(self, index: np.ndarray) -> BlobCandidates:
        """Those of some numbers (m,) or a mask (n,)."""
        return BlobCandidates(*(column[index] for column in vars(self).values()))


@dataclass(frozen=True, eq=False)
class WrinkleCandidates:
    """What may be a wrinkle, m of them.

    Attributes
    ----------
    crop : FaceCrop
        What the ridges were found in.
    ridges : list of Ridge
    evidence : (m, 4) ndarray
        1, the network's mean log odds along it, log of its strength, of its length.
    """

    crop: FaceCrop
    ridges: list[Ridge]
    evidence: np.ndarray

    @property
    def polylines(self) -> list[np.ndarray]:
        """Each ridge as (k, 2) px of the picture."""
        return [self.crop.to_picture(ridge.points) for ridge in self.ridges]


def measure_evidence(
    net: HeatmapNet, pixels: np.ndarray, face: Face, skin: np.ndarray
) -> tuple[BlobCandidates, WrinkleCandidates]:
    """All that may be a mark, and what speaks for it; pixels, face and skin as in `find_marks`."""
    # The strict mask leaves out folds, shade and marks at its own edge: where skin may be, the
    # network tells; how far inside the strict one a place lies is evidence.
    occluders = find_occluders(pixels, face)
    covered = occluders.mask()
    paintable = paintable_mask(pixels, skin, face, covered)
    wide, closed = (
        crop_face(pixels, face, mask) for mask in (paintable, close_holes(paintable, face, covered))
    )
    span = float(np.clip(face_span(face), SPAN, MOST_SPAN))
    seen = crop_face(pixels, face, skin, span)
    maps = run_network(net, normalise(seen.log_light, seen.skin))
    ridges = find_ridges(
        wide, face, cv2.resize(seen.skin, wide.skin.shape[::-1]), occluders.has_glasses
    )
    return _blob_candidates(maps, seen, closed), _wrinkle_candidates(maps, seen, wide, ridges)


def _blob_candidates(maps: np.ndarray, seen: FaceCrop, wide: FaceCrop) -> BlobCandidates:
    """Blobs of the light, and peaks of the heat map where there is no blob.

    Parameters
    ----------
    maps : (6, h, w) ndarray
        The network's answer to `seen`.
    seen : FaceCrop
        What the network saw, with the strict mask.
    wide : FaceCrop
        What the Hessian sees, with the wide mask.
    """
    blobs = blob_response(wide)
    allowed = cv2.erode((wide.skin > LEAST_SKIN).astype(np.uint8), disc(MARGIN)) > 0
    xs, ys = blob_peaks(blobs, allowed, BLOBS.candidates)
    places = wide.to_picture(np.stack([xs, ys], 1))
    # How far from a blob's middle the network may see the mark: often beside that of a large one.
    cell = STRIDE * wide.scale / seen.scale
    reach = np.maximum(np.rint(MARK_SIZE * blobs.sigma[ys, xs] / cell), 1).astype(int)
    heat = sigmoid(maps[HEAT][0])
    peaks = _heat_peaks(heat, allowed, seen)
    away = np.linalg.norm(peaks[:, None] - places[None], axis=2) * wide.scale
    alone = (away > np.maximum(SAME_BLOB, reach * cell)).all(1)
    places = np.concatenate([places, peaks[alone]])
    reach = np.concatenate([reach, np.ones(alone.sum(), int)])

    odds, inside, kinds, radius = _network_evidence(maps, heat, places, reach, seen, wide)
    # A blob tells its size better than the network does.
    radius[: len(xs)] = MARK_SIZE * blobs.sigma[ys, xs] / wide.scale
    response, strength, contrast = _light_evidence(blobs, xs, ys, places, wide)
    ones = np.ones(len(places))
    evidence = (ones, odds, np.log(response), np.log(strength), inside)
    brown = np.clip(brownness(contrast), *BROWN)
    red = np.log(np.maximum(contrast[:, 0], LEAST_GREEN))
    return BlobCandidates(
        places.astype(np.float32),
        radius,
        np.stack(evidence, 1),
        np.stack([ones, *kinds.T, brown, red], 1),
    )


def _heat_peaks(heat: np.ndarray, allowed: np.ndarray, seen: FaceCrop) -> np.ndarray:
    """Peaks of the heat map where marks may be, (n, 2) px of the picture, strongest first.

    Parameters
    ----------
    heat : (h, w) ndarray, 0..1
    allowed : bool ndarray
        Where marks may be, of the same part of the picture in any size.
    seen : FaceCrop
        What the network saw.
    """
    from skimage.feature import peak_local_max

    square = np.ones((PEAK_SIDE, PEAK_SIDE))
    rows, columns = peak_local_max(
        heat, footprint=square, threshold_abs=LEAST_HEAT, exclude_border=False
    ).T
    size = heat.shape[::-1]
    open_ = cv2.resize(allowed.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    kept = np.flatnonzero(open_[rows, columns])[:PEAKS]
    cells = _centres_of_heat(heat, rows[kept], columns[kept])
    return seen.to_picture(cells * STRIDE + 0.5)


def _network_evidence(
    maps: np.ndarray,
    heat: np.ndarray,
    places: np.ndarray,
    reach: np.ndarray,
    seen: FaceCrop,
    wide: FaceCrop,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What the network says of places (n, 2) px of the picture, at its strongest nearby.

    Parameters
    ----------
    reach : (n,) int ndarray, cells
        What is nearby.

    Returns
    -------
    odds : (n,) ndarray
        Log odds of a mark.
    inside : (n,) ndarray
        Log of the way to the strict skin mask's edge, 0 from `INSIDE` on.
    kinds : (n, 3) ndarray
        Log chances of `ROUND_KINDS`.
    radius : (n,) ndarray, px of the picture
    """
    at = np.rint((seen.from_picture(places) - 0.5) / STRIDE).astype(int)
    at = np.clip(at, 0, np.array(heat.shape[::-1]) - 1)
    # px of the Hessian's crop, in which lengths of a face are always the same.
    edge = cv2.distanceTransform((seen.skin > LEAST_SKIN).astype(np.uint8), cv2.DIST_L2, 5)
    edge = edge[::STRIDE, ::STRIDE] * (wide.scale / seen.scale)
    inside = np.log(np.clip(edge[at[:, 1], at[:, 0]], *INSIDE) / INSIDE[1])
    near = [_strongest(heat, x, y, r) for (x, y), r in zip(at, reach, strict=True)]
    rows, columns = np.array(near, int).reshape(-1, 2).T
    odds = np.clip(maps[HEAT][0, rows, columns], *LOG_ODDS)
    kinds = maps[KIND][:, rows, columns].T
    kinds = kinds - np.log(np.exp(kinds).sum(1, keepdims=True))
    radius = np.exp(np.clip(maps[RADIUS][0, rows, columns], *LOG_RADIUS)) / seen.scale
    return odds, inside, kinds, radius


def _light_evidence(
    blobs: BlobResponse, xs: np.ndarray, ys: np.ndarray, places: np.ndarray, crop: FaceCrop
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the light says of places, the first of which are the blobs at `xs` and `ys`.

    Parameters
    ----------
    places : (n, 2) ndarray, px of the picture
    crop : FaceCrop
        What the Hessian saw.

    Returns
    -------
    response, strength : (n,) ndarray
        Of the strongest blob nearby, at least what counts at all.
    contrast : (n, 3) ndarray, log units
        In R, G and B.
    """
    at = np.rint(crop.from_picture(places[len(xs) :])).astype(int)
    at = np.clip(at, 0, np.array(blobs.light.shape[::-1]) - 1)
    near = [*zip(ys, xs, strict=True), *(_strongest(blobs.response, x, y, 4) for x, y in at)]
    rows, columns = np.array(near, int).reshape(-1, 2).T
    return (
        np.maximum(blobs.response[rows, columns], LEAST_RESPONSE),
        np.maximum(blob_strength(blobs, columns, rows), LEAST_STRENGTH),
        colour_contrast(crop.log_light, columns, rows, blobs.sigma[rows, columns]),
    )


def _centres_of_heat(heat: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Centre of weight of the heat within a cell of each peak, (n, 2) x, y cells."""
    padded = np.pad(heat, 1)
    weight = np.stack([padded[rows + j, columns + i] for j in range(3) for i in range(3)], 1)
    weight = weight / np.maximum(weight.sum(1, keepdims=True), 1e-9)
    shift = np.array([(i - 1, j - 1) for j in range(3) for i in range(3)])
    return np.stack([columns, rows], 1) + weight @ shift


def _strongest(field: np.ndarray, x: int, y: int, reach: int) -> tuple[int, int]:
    """Row and column of the largest value within `reach` of a place."""
    top, left = max(y - reach, 0), max(x - reach, 0)
    part = field[top : y + reach + 1, left : x + reach + 1]
    row, column = np.unravel_index(part.argmax(), part.shape)
    return top + int(row), left + int(column)


def _wrinkle_candidates(
    maps: np.ndarray, seen: FaceCrop, wide: FaceCrop, ridges: list[Ridge]
) -> WrinkleCandidates:
    """Ridges that run as faces fold, and the network's odds along them.

    Parameters
    ----------
    maps, seen, wide
        As of `_blob_candidates`.
    ridges : list of Ridge
        Of `wide`.
    """
    # Where the line map lies in the wide crop: both are cut alike, at two scales.
    size = wide.skin.shape[::-1]
    full = cv2.resize(maps[LINE][0], None, fx=STRIDE, fy=STRIDE, interpolation=cv2.INTER_LINEAR)
    full = full[: seen.skin.shape[0], : seen.skin.shape[1]]
    line = cv2.resize(full, size, interpolation=cv2.INTER_LINEAR)
    # The network's line may run a pixel or two beside the valley's bottom.
    line = cv2.dilate(line, disc(2))
    reaching, evidence = [], []
    for ridge in ridges:
        odds = line[ridge.points[:, 1], ridge.points[:, 0]]
        reaching.append(ridge.reaching(odds > LEAST_LINE))
        evidence.append((
            1.0,
            float(odds[ridge.core].mean()),
            float(np.log(max(ridge.strength, LEAST_RIDGE))),
            float(np.log(len(odds[ridge.core]) / WRINKLES.usual_length)),
        ))  # fmt: skip
    return WrinkleCandidates(wide, reaching, np.array(evidence, np.float64).reshape(-1, 4))


def sigmoid(value: np.ndarray) -> np.ndarray:
    """Chances, 0..1, of log odds."""
    return 1 / (1 + np.exp(-np.clip(value, -40, 40)))
