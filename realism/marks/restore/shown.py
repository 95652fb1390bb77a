"""How much of a mark a portrait shows already: that much of it must not be laid on again.

The mark as it would be laid is searched for near its place by normalised cross-correlation, along
its own colour. Skin that is lively all around has something like a faint mark everywhere, so the
place must stand out among its neighbours; what is like it just where it goes is it all the same,
as one freckle of many.

Matching: Lewis, "Fast normalized cross-correlation", Vision Interface 1995.
"""

import cv2
import numpy as np

from realism.faces.skin import LEAST_SKIN
from realism.marks.restore.quotient import crop_square, measure_quotient

SEARCH_MM = 3.5  # mm: how far off the portrait's own mark may lie
SAME_MARK_CORRELATION = 0.6  # correlation with the mark from which it is the same one
CLOSE_MM = 1.2  # mm: so near its place it need not stand out, and be so like it
CLOSE_CORRELATION, CLOSE_SHOWN = 0.5, 0.7
LEAST_SHOWN = 0.3  # of its strength; less is the skin's own texture
STANDS_OUT = 4.0  # standard deviations of what is like it around there


def measure_shown(
    laid: np.ndarray,
    origin: np.ndarray,
    log_pixels: np.ndarray,
    skin: np.ndarray,
    to: np.ndarray,
    radius: float,
    mm_per_px: float,
) -> tuple[float, np.ndarray]:
    """How much of a mark a portrait shows already, near the mark's place.

    Parameters
    ----------
    laid : (h, w, 3) ndarray
        Log-ratio of the mark as it would be laid.
    origin : (2,) int
        The portrait's pixel at `laid`'s (0, 0).
    log_pixels : (H, W, 3) float32
        The portrait, from `images.log_light`.
    skin : (H, W), 0..1
        The portrait's.
    to : (2,) px of the portrait
        The mark's place.
    radius : float, px of the portrait
    mm_per_px : float
        Of the portrait.

    Returns
    -------
    float, 0..1
        The share that is shown; 0 when nothing like the mark is there.
    (2,) ndarray, px
        How far from `to` it is.
    """
    search = int(np.ceil(max(SEARCH_MM / mm_per_px, 2)))
    height, width = laid.shape[:2]
    x, y = round(to[0]), round(to[1])
    clean = (skin > LEAST_SKIN).astype(np.float32)
    around = measure_quotient(log_pixels, clean, to, max(radius, 1.0))
    column, row = (int(value) for value in np.array([x, y]) - origin)
    small = max(2, int(np.ceil(1.6 * radius)))
    if min(column, row, width - 1 - column, height - 1 - row) < small:
        return 0.0, np.zeros(2)  # cut by the picture's edge: nothing to compare
    middle = crop_square(laid, column, row, small)
    # A large mark fills its own window of search: what is usual is asked of skin beyond it.
    beyond = max(search, 2 * small)
    field = crop_square(log_pixels, x, y, small + beyond) - around.bare_log_light
    close = max(1, round(CLOSE_MM / mm_per_px))
    return find_shown(middle, field, search, close)


def find_shown(
    wanted: np.ndarray, shown: np.ndarray, search: int, close: int
) -> tuple[float, np.ndarray]:
    """Find a mark in a part of a portrait.

    Parameters
    ----------
    wanted : (h, w, 3) ndarray
        Log-ratio of the mark.
    shown : (h + 2 beyond, w + 2 beyond, 3) ndarray
        Log-ratio of the portrait itself around the mark's place; beyond >= search, and wide enough
        that most of it lies off the mark.
    search, close : int, px
        How far off the mark is looked for, and how far off it need not stand out.

    Returns
    -------
    float, 0..1
        The share of it that is shown; 0 when nothing like it is there.
    (2,) ndarray, px
        How far off it lies.
    """
    # One number a pixel along the mark's own colour: noise of other colours counts for nothing.
    colour = wanted.sum((0, 1))
    colour /= max(float(np.linalg.norm(colour)), 1e-6)
    template = (wanted @ colour).astype(np.float32)
    energy = float((template**2).sum())
    if energy < 1e-6:
        return 0.0, np.zeros(2)
    field = (shown @ colour).astype(np.float32)
    height, width = template.shape
    beyond = (field.shape[0] - height) // 2
    correlation = cv2.matchTemplate(field, template, cv2.TM_CCOEFF_NORMED)
    # Skin that is lively all around has something like a faint mark everywhere.
    around = cv2.matchTemplate(field, template, cv2.TM_CCOEFF)
    usual = float(np.median(around))
    spread = 1.4826 * float(np.median(np.abs(around - usual)))
    ways = (
        (search, SAME_MARK_CORRELATION, LEAST_SHOWN, True),
        (close, CLOSE_CORRELATION, CLOSE_SHOWN, False),
    )
    for reach, alike, least, must_stand_out in ways:
        near = np.s_[beyond - reach : beyond + reach + 1, beyond - reach : beyond + reach + 1]
        _, best, _, (x, y) = cv2.minMaxLoc(np.ascontiguousarray(correlation[near]))
        row, column = y + beyond - reach, x + beyond - reach
        there = field[row : row + height, column : column + width]
        share = float((there * template).sum()) / energy
        stands_out = around[row, column] - usual > STANDS_OUT * spread
        if best >= alike and share >= least and (stands_out or not must_stand_out):
            return float(np.clip(share, 0, 1)), np.array([x - reach, y - reach], np.float64)
    return 0.0, np.zeros(2)
