"""How much other photos of a person support what may be a mark in one of them.

Candidates of each photo are taken to the head that all photos share. What others show at the same
place supports a candidate, the less the farther off it lies; what none of those shows that could
have, speaks against it. Skin that is dark all over, as by stubble or freckles, agrees with
everything by chance: what lies around the place tells how much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from realism.faces.skin import LEAST_SKIN
from realism.head.geometry import Head
from realism.head.model import load_model
from realism.marks.find.blobs import LEAST_RESPONSE
from realism.marks.observation import foreshortening_weight

if TYPE_CHECKING:
    from realism.marks.find.heatmap import Candidates

SPREAD = 2.0  # mm: how far observations of one round mark lie apart
WRINKLE_SPREAD = 3.0  # mm: of one wrinkle
WRINKLE_POINTS = 12  # of a wrinkle's polyline that are compared, at least
LEAST_SHOWN = 0.5  # share of them that another photo must show
AROUND = 7.0  # mm: where it is seen what agrees by chance
LEAST_FACING = 0.3  # cosine below which a photo does not show a place
BEST_SHARE = 1 / 3  # share of the photos that show a place which counts: hair or shade hide some
FLOOR = -6.0  # log odds of what others do not show
WRINKLE_FLOOR = -4.0  # the same of wrinkles
LOG_ODDS = (-8.0, 12.0)  # log odds beyond which a photo says no more
DEPTH_BESIDE = 0.25  # what depth counts beside a place, where the head's is another

RESPONSE = 2  # column of the blob's response in `BlobCandidates.evidence`
NO_OFFSET = np.zeros((1, 2))


class HeadPoints:
    """Points of one photo on the head, n of them.

    Parameters
    ----------
    xy : (n, 2) ndarray, px of the photo
    head : Head
        Fitted to the photo.

    Attributes
    ----------
    corners : (n, 3) int ndarray
        Vertices of the triangle under each.
    weights : (n, 3) ndarray
        Of those vertices, sum 1.
    at : (n, 3) ndarray, mm on the mean head
        nan beside the head.
    facing : (n,) ndarray
        Cosine between the skin and the line of sight.
    """

    def __init__(self, xy: np.ndarray, head: Head):
        model = load_model()
        triangle, self.weights, depth = head.raycast(xy.astype(np.float64))
        self.head, self.corners = head, model.triangles[triangle]
        self.at = self.interpolate(model.mean).astype(np.float64)
        self.at[~np.isfinite(depth)] = np.nan
        self.facing = self.interpolate(head.facings)

    def interpolate(self, values: np.ndarray) -> np.ndarray:
        """Values at the head's vertices, (v, ...), at the points: (n, ...)."""
        shares = self.weights.reshape(*self.weights.shape, *[1] * (values.ndim - 1))
        return (values[self.corners] * shares).sum(1)

    def visible_in(self, head: Head, skin: np.ndarray) -> np.ndarray:
        """Which points another photo shows, so that a mark there would be seen.

        Parameters
        ----------
        head : Head
            Fitted to the other photo.
        skin : (H, W) ndarray, 0..1
            Of the other photo.

        Returns
        -------
        (n,) bool ndarray
        """
        there = self.interpolate(head.pixels)
        x, y = np.rint(there).astype(int).T
        height, width = skin.shape
        inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
        bare = skin[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)] > LEAST_SKIN
        faces_it = self.interpolate(head.facings) > LEAST_FACING
        visible = np.isfinite(self.at[:, 0]) & faces_it & inside & bare
        depth = self.interpolate(head.vertices)[visible, 2]
        visible[visible] = ~head.hides(there[visible], depth)
        return visible


class BlobPoints(HeadPoints):
    """What may be a round mark in one photo, n of them, on the head.

    Attributes
    ----------
    odds : (n,) ndarray
        Log odds by this photo alone.
    kinds : (n, 3) ndarray
        Log chances of `ROUND_KINDS`.
    response : (n,) ndarray
        Log of the blob's.
    """

    def __init__(self, candidates: Candidates, head: Head):
        super().__init__(candidates.blobs.xy, head)
        self.odds, self.kinds = candidates.odds, candidates.kinds
        self.response = candidates.blobs.evidence[:, RESPONSE]


class WrinklePoints(HeadPoints):
    """Points of what may be wrinkles in one photo, m of them, on the head.

    Parameters
    ----------
    polylines : sequence of (k, 2) ndarray, px of the photo
    odds : (m,) ndarray
        Log odds of each by this photo alone.
    head : Head
        Fitted to the photo.

    Attributes
    ----------
    which : (n,) int ndarray
        Number of the wrinkle that each point is of.
    """

    def __init__(self, polylines: Sequence[np.ndarray], odds: np.ndarray, head: Head):
        few = [points[:: max(1, len(points) // WRINKLE_POINTS)] for points in polylines]
        super().__init__(np.concatenate([np.zeros((0, 2)), *few]), head)
        self.odds = odds
        self.which = np.repeat(np.arange(len(few)), [len(points) for points in few])


def blob_support(here: BlobPoints, others: Sequence[tuple[BlobPoints, np.ndarray]]) -> np.ndarray:
    """What speaks for each blob of a photo, other photos of the person among it.

    Parameters
    ----------
    here : BlobPoints
        n of them.
    others : sequence of (BlobPoints, (H, W) ndarray 0..1)
        Blobs and skin of each other photo.

    Returns
    -------
    (n, 5) ndarray
        1, the photo's own log odds, log of its own blob's response, how far the log odds of what
        others show there lie above the floor, how much more a blob answers there than around;
        nan where no other photo shows the place.
    """
    count, offsets = len(here.odds), _offsets()
    odds = np.full((len(offsets), count, len(others)), np.nan)
    response = odds.copy()
    for index, (there, skin) in enumerate(others):
        visible = here.visible_in(there.head, skin)
        near_odds, near_response = _strongest_nearby(here, there, offsets)
        odds[:, visible, index] = near_odds[:, visible]
        response[:, visible, index] = near_response[:, visible]
    visible_in = np.isfinite(odds[0]).sum(1)
    odds, response = (_mean_of_best(value, visible_in) for value in (odds, response))
    support = np.stack(
        [
            np.ones(count),
            np.clip(here.odds, *LOG_ODDS),
            here.response,
            odds[0] - FLOOR,
            response[0] - response[1:].mean(0),
        ],
        1,
    )
    support[visible_in == 0] = np.nan
    return support


def wrinkle_support(
    here: WrinklePoints, others: Sequence[tuple[WrinklePoints, np.ndarray]]
) -> np.ndarray:
    """What speaks for each wrinkle of a photo, other photos of the person among it.

    Parameters
    ----------
    here : WrinklePoints
        Of m wrinkles.
    others : sequence of (WrinklePoints, (H, W) ndarray 0..1)
        Wrinkles and skin of each other photo.

    Returns
    -------
    (m, 3) ndarray
        1, the photo's own log odds, how far the log odds of what others show along it lie above
        the floor; nan where no other photo shows it.
    """
    count = len(here.odds)
    odds = np.full((count, len(others)), np.nan)
    length = np.maximum(np.bincount(here.which, minlength=count), 1)
    for index, (there, skin) in enumerate(others):
        visible = here.visible_in(there.head, skin)
        near = np.full(len(visible), WRINKLE_FLOOR)
        if len(there.which):
            penalty = _distance_penalty(here, there, NO_OFFSET, WRINKLE_SPREAD)[0]
            near = np.maximum(near, (there.odds[there.which] - penalty).max(1))
        points = np.bincount(here.which, visible, count)
        total = np.bincount(here.which, np.where(visible, near, 0), count)
        mean = total / np.maximum(points, 1)
        odds[:, index] = np.where(points >= LEAST_SHOWN * length, mean, np.nan)
    visible_in = np.isfinite(odds).sum(1)
    near = _mean_of_best(odds[None], visible_in)[0] - WRINKLE_FLOOR
    support = np.stack([np.ones(count), here.odds, near], 1)
    support[visible_in == 0] = np.nan
    return support


def supported_kinds(here: BlobPoints, there: BlobPoints) -> np.ndarray:
    """Log chances of the kind, (n, 3), by what another photo shows for sure at each place, or 0."""
    penalty = _assign_once(here, _distance_penalty(here, there, NO_OFFSET)[0])
    odds = there.odds - penalty
    if not odds.shape[1]:
        return np.zeros_like(here.kinds)
    return np.where(odds.max(1, keepdims=True) > 0, there.kinds[odds.argmax(1)], 0)


def _offsets() -> np.ndarray:
    """(7, 2) mm to the left and up, as the head is seen from the front: none, and six around."""
    turns = np.arange(6) * np.pi / 3
    ring = np.stack([np.cos(turns), np.sin(turns)], 1) * AROUND
    return np.concatenate([NO_OFFSET, ring])


def _strongest_nearby(
    here: BlobPoints, there: BlobPoints, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The strongest of another photo at each place, and beside it by each offset.

    Both fall with the square of the distance.

    Parameters
    ----------
    offsets : (k, 2) ndarray, mm

    Returns
    -------
    odds, response : (k, n) ndarray
        Logarithms.
    """
    penalty = _distance_penalty(here, there, offsets)
    if not penalty.shape[2]:
        shape = penalty.shape[:2]
        return np.full(shape, FLOOR), np.full(shape, np.log(LEAST_RESPONSE))
    penalty[0] = _assign_once(here, penalty[0])
    odds = (np.clip(there.odds, FLOOR, LOG_ODDS[1]) - penalty).max(2)
    response = (there.response - 0.5 * penalty).max(2)
    return np.maximum(odds, FLOOR), np.maximum(response, np.log(LEAST_RESPONSE))


def _assign_once(here: BlobPoints, penalty: np.ndarray) -> np.ndarray:
    """The penalties (n, m), inf but at the one place that each of the other photo's m suits best.

    A mark of another photo is one mark here: it says nothing of what lies beside that.
    """
    once = np.full_like(penalty, np.inf)
    if len(penalty):
        best = (penalty - here.odds[:, None]).argmin(0), np.arange(penalty.shape[1])
        once[best] = penalty[best]
    return once


def _distance_penalty(
    here: HeadPoints, there: HeadPoints, offsets: np.ndarray, spread: float = SPREAD
) -> np.ndarray:
    """Log odds that distance takes, by each offset, of each point to the other's m.

    Parameters
    ----------
    offsets : (k, 2) ndarray, mm
    spread : float, mm
        Standard deviation of one mark's places.

    Returns
    -------
    (k, n, m) ndarray
        Inf where either lies beside the head.
    """
    sharpness = foreshortening_weight(here.facing[:, None], there.facing) / spread
    each_mm = np.float32(0.5 * sharpness**2)
    x, y, z = (np.float32(here.at[:, None, axis] - there.at[:, axis]) for axis in range(3))
    penalty = []
    for left, up in offsets:
        depth = DEPTH_BESIDE * z**2 if left or up else z**2
        penalty.append(each_mm * ((x + left) ** 2 + (y + up) ** 2 + depth))
    return np.nan_to_num(penalty, nan=np.inf)


def _mean_of_best(values: np.ndarray, visible_in: np.ndarray) -> np.ndarray:
    """Mean of the strongest third of the photos that show each place.

    Parameters
    ----------
    values : (k, n, m) ndarray
        nan for photos that do not show it.
    visible_in : (n,) int ndarray
        How many photos do.

    Returns
    -------
    (k, n) ndarray
    """
    ordered = -np.sort(-np.nan_to_num(values, nan=-np.inf), axis=2)
    rank = np.arange(values.shape[2]) < np.ceil(visible_in * BEST_SHARE)[:, None]
    total = np.where(rank, ordered, 0).sum(2)
    return total / np.maximum(rank.sum(1), 1)
