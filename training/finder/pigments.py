"""What moles, spots and pimples do to the light: pigment and blood multiply linear light.

A mole is melanin with a clear edge, dark or pale; a spot is flat, softer, uneven: a freckle, an age
spot, or the brown that acne leaves. A pimple is blood with a flush around it that fades outwards;
it is raised, so that its centre catches the light on one side, or has a pale centre (pustule), a
dark one (scab), or is flat and red where it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.finder.samples import Manner
from training.finder.texture import noise

DARK = np.ones(3, np.float32)
# Pus: it takes from blue alone what it adds to all.
PALE = np.float32([1.0, 0.92, 0.6])
SOFT = 0.25  # share of the moles whose edge is as soft as a spot's
PALE_MOLES = 0.3  # share of the moles with a third of a usual one's pigment and less
SHOWN_SOFT = 0.6  # density below which a mole with a soft edge is a spot to all who see it
LEAST_RELIEF = 0.4  # of a raised mark, however pale
PIMPLES = ("papule", "pustule", "nodule", "red mark", "scab")
PIMPLE_SHARES = (0.4, 0.2, 0.12, 0.18, 0.1)


@dataclass(frozen=True, eq=False)
class Patch:
    """The skin around one mark that is to be painted.

    Attributes
    ----------
    rng : Generator
    x, y : (h, w) float32 ndarray, px
        From the mark's centre.
    part : tuple of slice
        Where it lies in the picture.
    radius : float, px
    lamp : float, radians
        Where the light comes from.
    """

    rng: np.random.Generator
    x: np.ndarray
    y: np.ndarray
    part: tuple[slice, slice]
    radius: float
    lamp: float

    @classmethod
    def around(
        cls, rng: np.random.Generator, shape, centre: np.ndarray, radius: float, lamp: float
    ) -> Patch:
        """The part of a picture that a mark's flush may reach."""
        reach = int(radius * 4 + 8)
        x0, y0 = np.maximum(centre.astype(int) - reach, 0)
        x1, y1 = np.minimum(centre.astype(int) + reach, shape[::-1])
        ys, xs = np.mgrid[y0:y1, x0:x1].astype(np.float32)
        part = (slice(y0, y1), slice(x0, x1))
        return cls(rng, xs - centre[0], ys - centre[1], part, radius, lamp)


def paint_mole(patch: Patch, manner: Manner) -> tuple[np.ndarray, str]:
    """What a mole takes from log light (h, w, 3), and what it is called as it looks."""
    rng, u = patch.rng, patch.rng.uniform
    soft = rng.random() < SOFT
    pale = rng.random() < PALE_MOLES
    cover, _ = pigment_cover(patch, manner, 0.06, (0.12, 0.35) if soft else (0.08, 0.22))
    density = np.exp(u(np.log(0.2), np.log(0.7)) if pale else u(np.log(0.7), np.log(2.8)))
    pigment = manner.melanin * u(0.8, 1.1) + DARK * u(0, 0.35) + manner.blood * u(0, 0.35)
    dip = cover[..., None] * pigment * density
    # A pale one that is flat passes for a spot; what tells it is that it is raised.
    if (pale and not soft) or rng.random() < 0.3:
        dip = dip + relief(patch)[..., None] * max(density, LEAST_RELIEF)
    return dip, "spot" if soft and density < SHOWN_SOFT else "mole"


def paint_spot(patch: Patch, manner: Manner) -> tuple[np.ndarray, str]:
    """The same of a freckle, an age spot or what acne left."""
    u = patch.rng.uniform
    cover, _ = pigment_cover(patch, manner, 0.16, (0.12, 0.35))
    density = np.exp(u(np.log(0.15), np.log(0.9)))
    blood = u(0.3, 0.6) if patch.rng.random() < 0.2 else u(0, 0.4)
    return cover[..., None] * (manner.melanin + manner.blood * blood) * density, "spot"


def paint_pimple(patch: Patch, manner: Manner) -> tuple[np.ndarray, str]:
    """The same of a pimple, or the red mark of one."""
    rng, u = patch.rng, patch.rng.uniform
    look = PIMPLES[rng.choice(len(PIMPLES), p=PIMPLE_SHARES)]
    cover, away = pigment_cover(patch, manner, 0.1, (0.3, 0.5) if look == "nodule" else (0.2, 0.4))
    density = np.exp(u(np.log(0.18), np.log(1.1)))
    flush = np.exp(-((away / u(1.5, 2.8)) ** 2)) * u(0, 0.45)
    cover = np.clip(cover + flush * (1 if rng.random() < 0.75 else 0), 0, 1.3)
    pigment = manner.blood + DARK * u(0, 0.2)
    pigment = pigment + manner.melanin * (u(0.1, 0.4) if look == "red mark" else u(0, 0.3))
    dip = cover[..., None] * pigment * density
    inside = np.exp(-((away / u(0.35, 0.6)) ** 2))[..., None]
    if look == "pustule":
        dip = dip * (1 - 0.8 * inside) - inside * PALE * u(0.03, 0.4)
    elif look == "scab":
        dip = dip + inside * (manner.melanin * u(0.3, 1) + DARK * u(0.1, 0.4)) * u(0.4, 1.2)
    if look in ("papule", "pustule", "nodule") and rng.random() < 0.7:
        dip = dip + relief(patch)[..., None] * max(density, LEAST_RELIEF)
    return dip, "acne"


def relief(patch: Patch) -> np.ndarray:
    """Shade on the side away from the light, a glint on the other: (h, w) log units taken."""
    rng, u = patch.rng, patch.rng.uniform
    way = patch.lamp + rng.normal(0, 0.5)
    toward, off = np.array([np.cos(way), np.sin(way)]), patch.radius * u(0.1, 0.5)
    x, y, radius = patch.x, patch.y, patch.radius
    lit = np.hypot(x - off * toward[0], y - off * toward[1]) / (radius * u(0.2, 0.5))
    shade = np.hypot(x + radius * toward[0], y + radius * toward[1]) / (0.7 * radius)
    return np.exp(-(shade**2)) * u(0, 0.25) - np.exp(-(lit**2)) * u(0.1, 0.6)


def pigment_cover(
    patch: Patch, manner: Manner, ragged: float, edge: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """How full of pigment each pixel is, 0..1, some with lobes, some uneven inside.

    Parameters
    ----------
    ragged : float
        Usual waves of the rim, of the radius.
    edge : (float, float)
        Least and most softness of the rim, of the radius.

    Returns
    -------
    cover, away : (h, w) ndarray
        And how far each pixel is from the middle in radii, as the rim goes.
    """
    rng, u = patch.rng, patch.rng.uniform
    ragged, soft, radius = ragged * np.exp(u(-0.6, 1.0)), u(*edge), patch.radius
    cover, away = pigment_disc(rng, patch.x, patch.y, radius, ragged, soft, manner.edge)
    for _ in range(rng.integers(1, 3) if rng.random() < 0.3 else 0):  # lobes
        way, off, size = u(0, 2 * np.pi), radius * u(0.6, 1.3), radius * u(0.35, 0.85)
        x, y = patch.x - off * np.cos(way), patch.y - off * np.sin(way)
        lobe, _ = pigment_disc(rng, x, y, size, ragged, soft, manner.edge)
        cover = np.maximum(cover, u(0.5, 1) * lobe)
    if rng.random() < 0.4:  # uneven inside
        inside = noise(rng, cover.shape, u(2.5, 5))
        cover = cover * np.clip(1 + u(0.1, 0.45) * inside, 0.1, 2)
    return cover, away


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
