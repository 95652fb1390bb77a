"""What skin has besides marks: its own unevenness, and what is near to a mark and is none."""

import numpy as np

from realism.marks.mark import Mark, RoundMark
from training.finder.samples import Manner
from training.finder.texture import blur, curve, draw, noise, patches, streaks
from training.finder.wrinkles import wrinkle_along


def uneven_skin(
    rng: np.random.Generator, shape: tuple[int, int], manner: Manner, amount_of_it: float = 1.0
) -> tuple[np.ndarray, list[Mark]]:
    """Unevenness of skin in log light (h, w, 3), and broad folds that may count as wrinkles.

    Parameters
    ----------
    amount_of_it : float
        1 for skin that has none of its own.
    """
    u, ignored = rng.uniform, []
    amount = 0.02 + 0.055 * u(0, 1) ** 1.3
    grey = sum(rng.normal(1, 0.3) * amount * w * noise(rng, shape, c) for c, w in manner.grains)
    if rng.random() < 0.25:  # fine crossing lines
        grey = grey + streaks(rng, shape, u(0, np.pi), u(8, 25), u(0, 6)) * u(0.01, 0.04)
    red = abs(rng.normal(0, 0.035)) * noise(rng, shape, 7)
    red += abs(rng.normal(0, 0.06)) * noise(rng, shape, 22)
    brown = abs(rng.normal(0, 0.03)) * noise(rng, shape, 9)
    brown += abs(rng.normal(0, 0.05)) * noise(rng, shape, 30)
    if rng.random() < 0.4:  # pores
        dots = (rng.random(shape, dtype=np.float32) < u(0.003, 0.02)).astype(np.float32)
        size = u(0.7, 1.3)
        pores = blur(dots * rng.random(shape, dtype=np.float32), size) * 6.28 * size**2
        pores = pores * u(0.05, 0.3) * patches(rng, shape, 60, u(0.2, 0.8))
        if rng.random() < 0.6:
            grey = grey - pores
        else:
            brown += pores
        if rng.random() < 0.5:
            grey = grey + np.roll(pores, (-2, -1), (0, 1)) * u(0.1, 0.8)
    for _ in range(rng.poisson(1.2)):  # soft folds and shade
        line = np.zeros(shape, np.float32)
        start = rng.uniform(-20, np.array(shape[::-1]) + 20)
        course = curve(rng, start, u(0, 2 * np.pi), int(u(6, 25)), 8, 0.06)
        draw(line, course, 1)
        width = u(3.5, 16)
        grey = grey - blur(line, width) * width * 2.5 * u(-0.12, 0.3)
        if width < 9:
            ignored.append(wrinkle_along(course, 3.5))
    if rng.random() < 0.35:  # the edge of a shadow
        rows, columns = np.indices(shape, np.float32)
        side = u(0, 2 * np.pi)
        into = (columns - shape[1] / 2) * np.cos(side) + (rows - shape[0] / 2) * np.sin(side)
        into = into + noise(rng, shape, 70) * u(0, 25) + u(-80, 80)
        grey = grey + np.log(u(0.25, 0.85)) / (1 + np.exp(np.clip(-into / u(0.8, 25), -30, 30)))
    own = grey[..., None] - red[..., None] * manner.blood - brown[..., None] * manner.melanin
    return (own * amount_of_it).astype(np.float32), ignored


def paint_look_alikes(
    rng: np.random.Generator,
    shape: tuple[int, int],
    manner: Manner,
    marks: list[RoundMark],
    mesh: np.ndarray,
) -> np.ndarray:
    """What is near to a mark and is none, as a change of log light (h, w, 3)."""
    u, change = rng.uniform, np.zeros((*shape, 3), np.float32)
    area = shape[0] * shape[1] / 65536
    for _ in range(rng.poisson(1.7 * area)):
        centre = rng.uniform(0, shape[::-1])
        if any(np.hypot(*(centre - m.xy)) < m.radius + 14 for m in marks):
            continue
        what = rng.integers(5)
        reach = 90 if what in (1, 2) else 22
        x0, y0 = np.maximum(centre.astype(int) - reach, 0)
        ys, xs = np.mgrid[y0 : centre[1] + reach, x0 : centre[0] + reach].astype(np.float32)
        part = change[y0 : y0 + ys.shape[0], x0 : x0 + ys.shape[1]]
        ys, xs = (grid[: part.shape[0], : part.shape[1]] for grid in (ys, xs))
        x, y = xs - centre[0], ys - centre[1]
        if what == 0:  # a bright bump or a glint
            bump = np.exp(-(x**2 + y**2) / (2 * u(1.2, 4) ** 2)) * u(0.15, 0.8)
            part += bump[..., None]
        elif what == 1:  # a faint blotch, far larger than a mark
            blotch = np.exp(-(x**2 + y**2) / (2 * u(11, 30) ** 2)) * u(0.1, 0.6)
            part -= blotch[..., None] * (manner.blood if rng.random() < 0.6 else manner.melanin)
        elif what == 2:  # drawn out: a scratch, a short crease
            turn, width = u(0, np.pi), u(1, 3)
            along, across = (
                x * np.cos(turn) + y * np.sin(turn),
                y * np.cos(turn) - x * np.sin(turn),
            )
            dash = np.exp(-0.5 * (along / (width * u(4, 9))) ** 2 - 0.5 * (across / width) ** 2)
            part -= (dash * u(0.15, 1))[..., None]
        elif what == 3:  # a bump lit from one side: half bright, half dark
            turn, width = u(0, 2 * np.pi), u(1.5, 5)
            slope = (x * np.cos(turn) + y * np.sin(turn)) / width
            bump = slope * np.exp(-(x**2 + y**2) / (2 * width**2)) * u(0.05, 0.35)
            part += bump[..., None]
        else:  # a pale scar or a pale spot with a darker rim
            away, size = np.hypot(x, y), u(2, 6)
            pale = np.exp(-((away / size) ** 2)) - u(0, 0.5) * np.exp(-((away / size - 1.6) ** 2))
            part += (pale * u(0.08, 0.4))[..., None]
    if rng.random() < 0.12:  # a field of freckles too faint and dense to count
        dots = (rng.random(shape, dtype=np.float32) < u(0.0005, 0.003)).astype(np.float32)
        size = u(1.2, 2.6)
        field = blur(dots * rng.random(shape, dtype=np.float32), size) * 6.28 * size**2
        field = np.clip(field, 0, 1.5) * u(0.05, 0.22) * patches(rng, shape, 90, u(0.3, 0.9))
        change -= field[..., None] * manner.melanin
    if rng.random() < 0.15:  # make-up: shadow on a lid, blush on a cheek
        rows, columns = np.indices(shape, np.float32)
        point = mesh[[159, 386, 50, 280][rng.integers(4)]] + rng.normal(0, 8, 2)
        away = np.hypot((columns - point[0]) / u(20, 60), (rows - point[1]) / u(12, 40))
        powder = np.clip(np.exp(-(away**2)) * (1 + u(0, 0.3) * noise(rng, shape, 2)), 0, 2)
        change -= powder[..., None] * rng.uniform(-0.1, 0.7, 3).astype(np.float32) * u(0.2, 1)
    return change
