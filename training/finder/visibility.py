"""Which painted marks can be seen in the end, and so must be found; the others may be."""

from dataclasses import replace

import numpy as np

from realism.marks.mark import Mark, RoundMark
from training.finder.wrinkles import wrinkle_along

# Least depth of a mark in log units, and over the deviation of the grain around it.
LEAST_DIP, LEAST_DIP_OVER_GRAIN = 0.11, 3.4
LEAST_FOLD, LEAST_FOLD_OVER_GRAIN = 0.055, 1.8
# A mole that is no darker in the middle, in log units of linear light, passes for a freckle; of up
# to a third of a usual mole's contrast, if it is small too: px of a usual face.
SHOWS_AS_MOLE, PALE, SMALL = 0.18, 0.33, 2.4
LEAST_LEVELS = 6.0  # grey levels of the picture: less cannot be seen in glare and in the dark
RAISED = 0.5  # share of a pimple's pixels that count, the darkest: its middle may be pale


def kind_as_shown(mark: RoundMark, depth: np.ndarray, scale: float) -> RoundMark:
    """A mole that shows as a freckle does is named one: nobody could tell them apart."""
    if mark.kind != "mole":
        return mark
    column, row = np.clip(mark.xy.astype(int), 0, np.array(depth.shape[::-1]) - 1)
    shown = depth[row, column]
    as_spot = shown < SHOWS_AS_MOLE or (shown < PALE and mark.radius < SMALL * scale)
    return replace(mark, kind="spot") if as_spot else mark


def is_visible(
    mark: RoundMark,
    depth: np.ndarray,
    levels: np.ndarray,
    grain: np.ndarray,
    hidden: np.ndarray,
    rough: np.ndarray,
) -> bool | None:
    """Whether a round mark must be found; None where it is covered.

    Parameters
    ----------
    depth : (h, w) ndarray
        How much darker the paint makes it, log units of linear light.
    levels : (h, w) ndarray
        The same in grey levels of the picture.
    grain : (h, w) ndarray
        Usual deviation of fine detail, log units.
    hidden : (h, w) ndarray, 0..1
        What lies over the skin.
    rough : (h, w) bool ndarray
        Where there is stubble.
    """
    column, row = np.clip(mark.xy.astype(int), 0, np.array(depth.shape[::-1]) - 1)
    reach = max(1, int(mark.radius * 0.6))
    part = np.s_[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
    cover, dips, shown = hidden[part].mean(), depth[part].ravel(), levels[part].ravel()
    if mark.kind == "acne":
        dips, shown = (np.sort(v)[int((1 - RAISED) * len(v)) :] for v in (dips, shown))
    dip = dips.mean()
    if cover > 0.5:
        return None
    over_grain = dip / grain[row, column]
    enough = LEAST_DIP_OVER_GRAIN * (1.4 if rough[row, column] else 1)
    seen = dip > LEAST_DIP and shown.mean() > LEAST_LEVELS
    return bool(cover < 0.15 and seen and over_grain > enough)


def split_by_visibility(
    course: np.ndarray, width: float, depth: np.ndarray, grain: np.ndarray, hidden: np.ndarray
) -> tuple[list[Mark], list[Mark]]:
    """The stretches of a fold that must be found, and those that may; covered ones are left out."""
    at = np.clip(course.astype(int), 0, np.array(depth.shape[::-1]) - 1)
    dip = smooth(depth[at[:, 1], at[:, 0]])
    over_grain = smooth(depth[at[:, 1], at[:, 0]] / grain[at[:, 1], at[:, 0]])
    sure = (dip > LEAST_FOLD) & (over_grain > LEAST_FOLD_OVER_GRAIN)
    state = np.where(hidden[at[:, 1], at[:, 0]] > 0.4, -1, sure.astype(int))[:-1]
    runs = {1: [], 0: [], -1: []}
    for steps in np.split(np.arange(len(state)), np.flatnonzero(np.diff(state)) + 1):
        runs[state[steps[0]]].append(wrinkle_along(course[steps[0] : steps[-1] + 2], width))
    return runs[1], runs[0]


def smooth(values: np.ndarray) -> np.ndarray:
    return np.convolve(np.pad(values, 1, "edge"), np.ones(3) / 3, "valid")
