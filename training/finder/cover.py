"""What lies over the skin and fools finders: stubble, brows, lashes, hair, frames, cloth.

Each layer is an opacity (h, w) 0..1 and a colour of linear light, (3,) or (h, w, 3) R G B.
"""

from collections.abc import Iterator

import cv2
import numpy as np

from realism.faces.features import BROWS, EYES
from training.finder.folds import mirrored
from training.finder.texture import blur, curve, draw, noise, patches, streaks, strokes

NOSE_WING = (102, 49, 129, 98)  # its rim, on the person's right side
JAW = (93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323)
BROWN = np.float32([1.0, 0.6, 0.3])
Layer = tuple[np.ndarray, np.ndarray]


def stubble(rng: np.random.Generator, skin: np.ndarray, tone: np.ndarray) -> Layer:
    """Short hairs of a shaved chin, or a few single ones; `tone` (3,) is the skin's."""
    where = patches(rng, skin.shape, 50, rng.uniform(0.15, 0.7)) * (skin > 0.3)
    count = int(rng.uniform(0.001, 0.021) * 2 * where.sum())
    angle = rng.uniform(0, np.pi) if rng.random() < 0.7 else None
    width = 1 if rng.random() < 0.7 else 2
    lengths = (rng.uniform(0, 1.5), rng.uniform(1.6, 9))
    hairs = blur(strokes(rng, where > 0.5, count, lengths, angle, width), rng.uniform(0.3, 1.0))
    return np.clip(hairs * rng.uniform(0.3, 1.1), 0, 0.95), tone * rng.uniform(0.04, 0.45)


def features(rng: np.random.Generator, mesh: np.ndarray, shape, tone) -> Iterator[Layer]:
    """Brows with stray hairs at their ends, lashes, creases of lids, rims of nose and jaw."""
    size = float(np.linalg.norm(mesh[454] - mesh[234]))
    u = rng.uniform
    bounds = np.array(shape[::-1])

    def seen(points: np.ndarray) -> bool:
        return bool(((points > -0.1 * bounds) & (points < 1.1 * bounds)).all(1).any())

    for brow in BROWS:
        points = mesh[brow]
        if seen(points) and rng.random() < 0.8:
            where = np.zeros(shape, np.uint8)
            cv2.fillConvexPoly(where, cv2.convexHull(np.round(points).astype(np.int32)), 1)
            if rng.random() < 0.5:  # single hairs off the brow's ends and edge
                side = 2 * int(u(0.01, 0.04) * size) + 1
                where = cv2.dilate(where, np.ones((side, side), np.uint8))
            run = points[0] - points[4]
            angle = float(np.arctan2(run[1], run[0]) + rng.normal(0, 0.5))
            hairs = blur(strokes(rng, where > 0, int(u(15, 260)), (5, 18), angle), u(0.3, 0.9))
            yield np.clip(hairs * u(0.4, 1.2), 0, 1), tone * u(0.03, 0.4)
    for eye in EYES:
        points = mesh[eye]
        if seen(points) and rng.random() < 0.8:
            where = np.zeros(shape, np.uint8)
            cv2.polylines(where, [np.round(points).astype(np.int32)], True, 1, 3)
            lashes = blur(strokes(rng, where > 0, int(u(10, 80)), (3, 11)), u(0.3, 0.8))
            yield np.clip(lashes * u(0.4, 1.2), 0, 1), np.full(3, 0.01, np.float32)
            crease = np.zeros(shape, np.float32)
            draw(crease, points[8:] - [0, u(6, 14) * size / 590], 1, int(u(1, 4)))
            yield np.clip(blur(crease, u(0.6, 1.5)) * u(0.2, 0.9), 0, 1) * 0.8, tone * u(0.15, 0.6)
    for wing in (NOSE_WING, mirrored(NOSE_WING)):
        if rng.random() < 0.6 and seen(mesh[list(wing)]):
            yield _rim(rng, mesh[list(wing)] + rng.normal(0, 0.008 * size, 2), shape, tone)
    if rng.random() < 0.3:
        yield _rim(rng, mesh[list(JAW)] + u(-12, 12, 2), shape, tone)


def _rim(rng: np.random.Generator, points: np.ndarray, shape, tone: np.ndarray) -> Layer:
    """The dark edge where one part of the face ends before another."""
    line = np.zeros(shape, np.float32)
    at = np.linspace(0, len(points) - 1, 4 * len(points))
    smooth = [np.interp(at, np.arange(len(points)), points[:, i]) for i in (0, 1)]
    draw(line, np.stack(smooth, 1), 1)
    width = rng.uniform(1, 4)
    dark = np.clip(blur(line, width) * width * 2.5 * rng.uniform(0.1, 0.7), 0, 0.9)
    return dark, tone * rng.uniform(0.1, 0.4)


def hair(rng: np.random.Generator, shape) -> Layer:
    """A mass of hair that comes in from one side."""
    u = rng.uniform
    rows, columns = np.indices(shape, np.float32)
    side = u(0, 2 * np.pi)
    along, waves = side + u(-1.6, 1.6), u(0, 10)
    into = (columns - shape[1] / 2) * np.cos(side) + (rows - shape[0] / 2) * np.sin(side)
    into += noise(rng, shape, 50) * u(0, 25) - u(-0.27, 0.43) * min(shape)
    coarse = streaks(rng, shape, along, u(25, 70), waves)
    fine = streaks(rng, shape, along + rng.normal(0, 0.12), u(25, 70), waves)
    edge = np.clip((into + coarse * u(4, 28)) / u(1.5, 7), -30, 30)
    cover = 1 / (1 + np.exp(-edge))
    if rng.random() < 0.4:
        cover = cover * np.clip(0.5 + 0.6 * fine, 0, 1)
    base = BROWN * u(0.2, 1) if rng.random() < 0.6 else np.float32([1.0, 0.9, 0.8])
    base = base * np.exp(u(np.log(0.008), np.log(0.35)))
    colour = base * np.exp((fine * u(0.3, 1.0))[..., None])
    if rng.random() < 0.5:
        glint = np.clip(coarse, 0, 4) ** 2 * u(0, 0.06) * patches(rng, shape, 60, 0.4)
        colour = colour + glint[..., None]
    return blur(cover.astype(np.float32), u(0.2, 0.9)), colour.astype(np.float32)


def strand(rng: np.random.Generator, shape, angle: float) -> Layer:
    """One loose hair, or a thin lock."""
    line = np.zeros(shape, np.float32)
    start = rng.uniform(-20, np.array(shape[::-1]) + 20)
    course = curve(rng, start, angle, int(rng.uniform(5, 60)), 6, 0.05)
    draw(line, course, 1, int(rng.choice([1, 1, 1, 2, 3])))
    line = blur(line, rng.uniform(0.3, 1.3)) * np.clip(noise(rng, shape, 40) + 1, 0.5, 1.4)
    colour = np.float32([1.0, 0.7, 0.5]) * np.exp(rng.uniform(np.log(0.006), np.log(0.5)))
    return np.clip(line * rng.uniform(0.3, 1.3), 0, 1), colour.astype(np.float32)


def frame(rng: np.random.Generator, shape) -> Layer:
    """A rim of spectacles, thin or thick."""
    rim = np.zeros(shape, np.uint8)
    centre = [int(rng.uniform(-40, side + 40)) for side in shape[::-1]]
    axes = (int(rng.uniform(50, 130)), int(rng.uniform(40, 110)))
    width = int(rng.uniform(2, 14))
    cv2.ellipse(rim, centre, axes, rng.uniform(-15, 15), 0, 360, 255, width, cv2.LINE_AA)
    return blur(rim.astype(np.float32) / 255, 0.8), rng.uniform(0.005, 0.3, 3).astype(np.float32)


def cloth(rng: np.random.Generator, shape) -> Layer:
    """Fabric, a pattern, glitter or dots, in an island or from one side."""
    u = rng.uniform
    rows, columns = np.indices(shape, np.float32)
    if rng.random() < 0.7:
        where = patches(rng, shape, 60, u(0.1, 0.5))
    else:
        side = u(0, 2 * np.pi)
        into = (columns - shape[1] / 2) * np.cos(side) + (rows - shape[0] / 2) * np.sin(side)
        where = 1 / (1 + np.exp(-np.clip((into - u(0, 90)) / 1.5, -30, 30)))
    what = rng.integers(4)
    if what == 0:
        field = np.sin(columns * u(0.2, 1.2) + noise(rng, shape, 40) * 2)
        field = field * np.sin(rows * u(0.2, 1.2) + noise(rng, shape, 40) * 2)
    elif what == 1:
        field = noise(rng, shape, 3) + noise(rng, shape, 8) + noise(rng, shape, 1.5)
    elif what == 2:
        field = np.clip(noise(rng, shape, 2.5) - 1.3, 0, 3) * 4
    else:
        field = -np.clip(noise(rng, shape, 6) - 1.0, 0, 2) * 2
    colour = u(0.02, 0.7, 3) * np.exp(np.clip(field * u(0.3, 1.2), -4, 2.5))[..., None]
    return where.astype(np.float32), colour.astype(np.float32)


def layers(
    rng: np.random.Generator, mesh: np.ndarray, skin: np.ndarray, tone: np.ndarray
) -> Iterator[Layer]:
    """All that lies over the skin of one picture, in order; stubble is not among them."""
    shape = skin.shape
    yield from features(rng, mesh, shape, tone)
    if rng.random() < 0.36:
        yield hair(rng, shape)
    if rng.random() < 0.4:
        angle = rng.uniform(0, 2 * np.pi)
        for _ in range(rng.integers(1, 12)):
            way = angle + rng.normal(0, 0.3) if rng.random() < 0.7 else rng.uniform(0, 2 * np.pi)
            yield strand(rng, shape, way)
    if rng.random() < 0.08:
        yield frame(rng, shape)
    if rng.random() < 0.12:
        cover, colour = cloth(rng, shape)
        yield cover * (1 - skin), colour
