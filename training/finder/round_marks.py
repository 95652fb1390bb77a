"""Moles, spots and acne painted on skin: pigment and blood multiply linear light."""

import numpy as np

from realism.marks.mark import RoundMark
from training.finder.samples import Manner
from training.finder.texture import noise

DARK = np.ones(3, np.float32)
LARGEST = {"mole": 5.5, "spot": 11.0, "acne": 8.0}  # radius in px of a usual face; 4 px are 1 mm
LARGE_MOLE, LARGE = 10.0, 0.2  # the largest radius of some, and their share of the moles
SOFT = 0.25  # share of the moles whose edge is as soft as a spot's


def pigment_disc(
    rng: np.random.Generator,
    x: np.ndarray,
    y: np.ndarray,
    radius: float,
    ragged: float,
    soft: float,
    edge: str,
) -> tuple[np.ndarray, np.ndarray]:
    """How full of pigment each pixel is, 0..1, of an irregular spot round the origin."""
    turn, long = rng.uniform(0, np.pi), rng.uniform(1, 1.3)
    if rng.random() < 0.4:
        long = rng.uniform(1.3, 2.2)
    across = (x * np.cos(turn) + y * np.sin(turn)) * np.sqrt(long)
    along = (y * np.cos(turn) - x * np.sin(turn)) / np.sqrt(long)
    away, angle = np.hypot(across, along), np.arctan2(along, across)
    waves = (
        rng.normal(0, ragged / k) * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 5)
    )
    away = away * (1 + sum(waves)) / radius
    if edge == "gaussian":
        past = np.maximum(away - 1 + soft, 0) / (1.2 * soft)
        return np.exp(-(past**2)), away
    return 1 / (1 + np.exp(np.clip((away - 1) / soft, -30, 30))), away


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
    u, marks = rng.uniform, []
    change = np.zeros((*places.shape, 3), np.float32)
    rows, columns = np.nonzero(places[6:-6, 6:-6])
    if len(rows) < 200 or rng.random() < 0.15:
        return change, marks
    # One mark in about 12,000 px of skin; few faces have many.
    usual = 4 * max(1.0, places.size / 65536 * 0.4) * share
    for _ in range(min(1 + rng.poisson(usual), 40)):
        index = rng.integers(len(rows))
        centre = np.array([columns[index], rows[index]]) + 6 + rng.random(2) - 0.5
        kind = ("mole", "spot", "acne")[rng.choice(3, p=[0.38, 0.34, 0.28])]
        largest = LARGE_MOLE if kind == "mole" and rng.random() < LARGE else LARGEST[kind]
        radius = float(np.exp(u(np.log(1.5), np.log(largest))) * scale)
        if any(np.hypot(*(centre - m.xy)) < radius + m.radius + 5 for m in marks + there):
            continue
        reach = int(radius * 2.8 + 8)
        x0, y0 = np.maximum(centre.astype(int) - reach, 0)
        x1, y1 = np.minimum(centre.astype(int) + reach, places.shape[::-1])
        ys, xs = np.mgrid[y0:y1, x0:x1].astype(np.float32)
        x, y, part = xs - centre[0], ys - centre[1], np.s_[y0:y1, x0:x1]
        ragged = {"mole": 0.06, "spot": 0.16, "acne": 0.1}[kind] * np.exp(u(-0.6, 1.0))
        edge = "spot" if kind == "mole" and rng.random() < SOFT else kind
        soft = u(*{"mole": (0.08, 0.22), "spot": (0.12, 0.35), "acne": (0.2, 0.4)}[edge])
        cover, away = pigment_disc(rng, x, y, radius, ragged, soft, manner.edge)
        for _ in range(rng.integers(1, 3) if rng.random() < 0.3 else 0):  # lobes
            way, off, size = u(0, 2 * np.pi), radius * u(0.6, 1.3), radius * u(0.35, 0.85)
            lobe, _ = pigment_disc(
                rng, x - off * np.cos(way), y - off * np.sin(way), size, ragged, soft, manner.edge
            )
            cover = np.maximum(cover, u(0.5, 1) * lobe)
        if rng.random() < 0.4:  # uneven inside
            inside = noise(rng, cover.shape, u(2.5, 5))
            cover = cover * np.clip(1 + u(0.1, 0.45) * inside, 0.1, 2)
        if kind == "mole":
            density = np.exp(u(np.log(0.7), np.log(2.8)))
            pigment = manner.melanin * u(0.8, 1.1) + DARK * u(0, 0.35) + manner.blood * u(0, 0.35)
        elif kind == "spot":
            density = np.exp(u(np.log(0.15), np.log(0.9)))
            pigment = manner.melanin + manner.blood * u(0, 0.45)
        else:
            density = np.exp(u(np.log(0.15), np.log(1.0)))
            flush = np.exp(-((away / u(1.6, 2.3)) ** 2)) * u(0, 0.4)
            cover = np.clip(cover + flush, 0, 1.3)
            pigment = manner.blood + DARK * u(0, 0.2) + manner.melanin * u(0, 0.35)
        dip = cover[..., None] * pigment * density
        if kind != "spot" and rng.random() < (0.3 if kind == "mole" else 0.5):  # relief
            way = lamp + rng.normal(0, 0.5)
            toward, off = np.array([np.cos(way), np.sin(way)]), radius * u(0.2, 0.5)
            lit = np.hypot(x - off * toward[0], y - off * toward[1]) / (radius * u(0.2, 0.45))
            shade = np.hypot(x + radius * toward[0], y + radius * toward[1]) / (0.7 * radius)
            relief = np.exp(-(shade**2)) * u(0, 0.25) - np.exp(-(lit**2)) * u(0.1, 0.6)
            dip = dip + relief[..., None] * density
        change[part] -= dip.astype(np.float32)
        marks.append(RoundMark(kind, centre.astype(np.float32), radius))
    return change, marks
