"""Where round marks lie on painted skin, alone and in fields, and that they keep apart."""

import numpy as np

from realism.marks.mark import RoundMark
from training.finder.pigments import Patch, paint_mole, paint_pimple, paint_spot
from training.finder.samples import Manner

LARGEST = {"mole": 5.5, "spot": 11.0, "acne": 8.0}  # radius in px of a usual face; 4 px are 1 mm
LARGE_MOLE, LARGE = 10.0, 0.2  # the largest radius of some, and their share of the moles
SMALLEST = 1.5
FRECKLE = 3.2  # the largest radius of a freckle
FRECKLES, BREAKOUT = 0.14, 0.12  # chance that a sample has a field of freckles, of pimples
FIELD = (18.0, 70.0)  # px of a usual face, how far a field spreads
PAINTERS = {"mole": paint_mole, "spot": paint_spot, "acne": paint_pimple}
Wanted = tuple[np.ndarray, str, float]  # centre, kind, radius: px


def paint_round_marks(
    rng: np.random.Generator,
    places: np.ndarray,
    scale: float,
    manner: Manner,
    lamp: float,
    there: list[RoundMark],
    share: float = 1.0,
) -> tuple[np.ndarray, list[RoundMark]]:
    """Moles, spots and pimples on the skin: their change of log light (h, w, 3), and Marks.

    Parameters
    ----------
    places : (h, w) bool
    there
        Marks to be kept clear of.
    share : float
        Of the usual number.
    """
    marks: list[RoundMark] = []
    change = np.zeros((*places.shape, 3), np.float32)
    if np.count_nonzero(places[6:-6, 6:-6]) < 200 or rng.random() < 0.15:
        return change, marks
    for centre, kind, radius in choose_marks(rng, places, scale, share):
        if any(np.hypot(*(centre - m.xy)) < radius + m.radius + 5 for m in marks + there):
            continue
        patch = Patch.around(rng, places.shape, centre, radius, lamp)
        dip, named = PAINTERS[kind](patch, manner)
        change[patch.part] -= dip.astype(np.float32)
        marks.append(RoundMark(named, centre.astype(np.float32), radius))
    return change, marks


def choose_marks(
    rng: np.random.Generator, places: np.ndarray, scale: float, share: float
) -> list[Wanted]:
    """Centre, kind and radius of all that is to be painted: single marks, then a field of some."""
    rows, columns = np.nonzero(places[6:-6, 6:-6])

    def anywhere() -> np.ndarray:
        index = rng.integers(len(rows))
        return np.array([columns[index], rows[index]]) + 6 + rng.random(2) - 0.5

    def sized(kind: str, largest: float) -> float:
        return float(np.exp(rng.uniform(np.log(SMALLEST), np.log(largest))) * scale)

    # One mark in about 12,000 px of skin; few faces have many.
    usual = 4 * max(1.0, places.size / 65536 * 0.4) * share
    wanted = []
    for _ in range(min(1 + rng.poisson(usual), 40)):
        kind = ("mole", "spot", "acne")[rng.choice(3, p=[0.38, 0.34, 0.28])]
        largest = LARGE_MOLE if kind == "mole" and rng.random() < LARGE else LARGEST[kind]
        wanted.append((anywhere(), kind, sized(kind, largest)))
    for kind, chance, many, largest in (
        ("spot", FRECKLES, (5, 26), FRECKLE),
        ("acne", BREAKOUT, (3, 9), LARGEST["acne"]),
    ):
        if rng.random() >= chance * share:
            continue
        middle, spread = anywhere(), rng.uniform(*FIELD) * scale
        for _ in range(rng.integers(*many)):
            centre = middle + rng.normal(0, spread, 2)
            column, row = np.rint(centre).astype(int)
            inside = 6 <= row < places.shape[0] - 6 and 6 <= column < places.shape[1] - 6
            if inside and places[row, column]:
                wanted.append((centre, kind, sized(kind, largest)))
    return wanted
