"""Paint what hides a part of a face: face masks, hands, phones, other things, and lettering.

All painting is done in place on a view (h, w, 3) float32 of 0..255 sRGB, `SCALE` px a mm, and gives
what was painted as (h, w) float32 of 0..1.
"""

import string

import cv2
import numpy as np

from realism.faces.mesh import FACE_OVAL
from training.faces.paint import SCALE

NOSE_BRIDGE, NOSE_TIP, CHIN = 6, 1, 152  # mesh points
EARS = (127, 356)
# The outline from ear to ear below the eyes, and its ends at the ears.
JAW = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361,
       323, 454)  # fmt: skip
TARGETS = (13, 1, 50, 280, 33, 263, 10, 152, 205, 425)  # mouth, nose, cheeks, eyes, forehead, chin


def paint_mask(rng: np.random.Generator, pixels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A face mask over nose, mouth and chin; now and then a scarf, to the picture's foot."""
    shape = pixels.shape[:2]
    jaw = points[list(JAW)]
    skip = int(rng.integers(0, 4))
    jaw = jaw[skip : len(jaw) - skip]
    middle = points[CHIN] - points[NOSE_BRIDGE]
    outward = 1 + rng.uniform(0.0, 0.12)
    centre = points[NOSE_TIP]
    outline = centre + (jaw - centre) * outward
    ends = outline[0].copy(), outline[-1].copy()
    if rng.random() < 0.25:  # a scarf or a bandana
        foot = np.array([[shape[1] + 5, shape[0] + 5], [-5, shape[0] + 5]], float)
        outline = np.concatenate([outline[:1], foot[::-1], outline[-1:]])
    top = points[NOSE_BRIDGE] + middle * rng.uniform(0.08, 0.42)
    sides = [outline[-1] * 0.45 + top * 0.55, outline[0] * 0.45 + top * 0.55]
    sides = [side + middle * rng.uniform(0.0, 0.08) for side in sides]
    outline = np.concatenate([outline, [sides[0], top, sides[1]]])
    shape_of = _filled(shape, outline, rng.uniform(0.6, 2.0))
    colour = _cloth_colour(rng)
    cloth = _cloth(rng, shape, colour)
    _lay(pixels, cloth, shape_of, rng)
    if rng.random() < 0.7:
        for end, ear in zip(ends, points[list(EARS)], strict=True):
            thick = max(1, round(rng.uniform(0.8, 1.6) * SCALE))
            cv2.line(pixels, _at(end), _at(ear), colour.tolist(), thick, cv2.LINE_AA)
    return shape_of


def paint_hand(rng: np.random.Generator, pixels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Fingers side by side, of a colour like the face's, over a part of it."""
    shape = pixels.shape[:2]
    skin = np.median(pixels[_filled(shape, points[list(FACE_OVAL)], 0) > 0.5], 0)
    skin = skin * np.exp(rng.normal(0.15, 0.2)) * np.exp(rng.normal(0, 0.04, 3))
    target = points[int(rng.choice(TARGETS))] + rng.normal(0, 8 * SCALE, 2)
    angle = rng.uniform(0, 2 * np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    aside = np.array([-along[1], along[0]])
    covered = np.zeros(shape, np.float32)
    width = rng.uniform(13, 19) * SCALE
    fingers = int(rng.integers(1, 6))
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    for number in range(fingers):
        begin = target + aside * (number - fingers / 2) * width * rng.uniform(0.9, 1.1)
        begin = begin - along * width * rng.uniform(0, 1.5)
        bent = along + aside * rng.normal(0, 0.12)
        dx, dy = x - begin[0], y - begin[1]
        t = np.maximum(dx * bent[0] + dy * bent[1], 0)
        off = np.hypot(dx - t * bent[0], dy - t * bent[1]) / (width / 2)
        finger = np.clip((1.04 - off) * width / 4, 0, 1).astype(np.float32)
        light = 0.55 + 0.45 * np.sqrt(np.clip(1 - off**2, 0, 1))
        knuckles = 1 - 0.07 * np.exp(-(((t % (1.7 * width)) - width) ** 2) / (0.004 * width**2))
        look = skin * (light * knuckles)[..., None]
        if rng.random() < 0.5:  # a nail
            nail = np.hypot((t - 0.1 * width) / (0.35 * width), off / 0.6) < 1
            look[nail] = look[nail] * 0.3 + 0.7 * np.minimum(skin * 1.15 + 12, 255)
        _lay(pixels, look.astype(np.float32), finger, rng)
        covered = np.maximum(covered, finger)
    if rng.random() < 0.4:  # the palm behind them
        palm = target + along * width * rng.uniform(2.5, 4)
        outline = cv2.ellipse2Poly(_at(palm), (round(2.3 * width), round(2 * width)), 0, 0, 360, 20)
        filled = _filled(shape, outline.astype(float), 3) * (1 - covered)
        _lay(pixels, np.broadcast_to(skin * 0.9, pixels.shape).astype(np.float32), filled, rng)
        covered = np.maximum(covered, filled)
    return covered


def paint_thing(
    rng: np.random.Generator, pixels: np.ndarray, points: np.ndarray, other: np.ndarray
) -> np.ndarray:
    """A phone, a cup, a sheet, a leaf: any outline, filled with a colour or a piece of `other`."""
    shape = pixels.shape[:2]
    target = points[int(rng.choice(TARGETS))] + rng.normal(0, 12 * SCALE, 2)
    wide, high = rng.uniform(22, 75, 2) * SCALE / 2
    angle = rng.uniform(0, 360)
    phone = rng.random() < 0.4
    if phone:
        wide, high, angle = 36 * SCALE, 74 * SCALE, rng.normal(0, 20)
    if phone or rng.random() < 0.4:
        outline = cv2.boxPoints(((*target.tolist(),), (2 * wide, 2 * high), angle))
    else:
        turns = np.linspace(0, 2 * np.pi, int(rng.integers(5, 24)), endpoint=False)
        reach = np.exp(rng.normal(0, 0.2, len(turns)))
        outline = (
            target + np.stack([wide * np.cos(turns), high * np.sin(turns)], 1) * reach[:, None]
        )
    filled = _filled(shape, outline, rng.uniform(0.3, 2.5))
    if phone:
        look = _cloth(rng, shape, rng.uniform(5, 60) * np.ones(3))
        for _ in range(int(rng.integers(1, 4))):
            at = target + rng.uniform(-0.7, 0.7, 2) * (wide, high)
            cv2.circle(look, _at(at), round(5 * SCALE), (rng.uniform(0, 120),) * 3, -1, cv2.LINE_AA)
    elif rng.random() < 0.5:
        look = _cloth(rng, shape, _cloth_colour(rng))
    else:
        y, x = (
            int(rng.integers(0, max(1, n - m))) for n, m in zip(other.shape, shape, strict=False)
        )
        piece = other[y:, x:].astype(np.float32)
        look = cv2.resize(piece[:: rng.choice((-1, 1))], shape[::-1])
    _lay(pixels, look, filled, rng)
    return filled


def paint_lettering(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """A watermark: words across the picture, once or many times, see-through."""
    shape = pixels.shape[:2]
    layer = np.zeros(shape, np.uint8)
    letters = string.ascii_letters + string.digits + "  .@"
    text = "".join(rng.choice(list(letters), int(rng.integers(4, 14))))
    font, thick = int(rng.integers(0, 8)), int(rng.integers(1, 5))
    size = rng.uniform(0.5, 2.2) * SCALE / 2
    times = 1 if rng.random() < 0.4 else int(rng.integers(2, 7))
    for number in range(times):
        y = int((number + 0.7) * shape[0] / times + rng.normal(0, 6 * SCALE))
        x = int(rng.uniform(-30, 30) * SCALE)
        words = text if times == 1 else f"{text}  " * 4
        cv2.putText(layer, words, (x, y), font, size, 255, thick, cv2.LINE_AA)
    if rng.random() < 0.3:  # a logo
        at = rng.uniform(0.2, 0.8, 2) * shape[::-1]
        cv2.circle(layer, _at(at), round(rng.uniform(8, 25) * SCALE), 255, thick, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D(
        (shape[1] / 2, shape[0] / 2), rng.choice((0, 0, 30, -30, 45)), 1.0
    )
    layer = cv2.warpAffine(layer, turn, shape[::-1]).astype(np.float32) / 255
    strength = rng.uniform(0.18, 0.8)
    colour = (
        np.full(3, rng.choice((255, 255, 255, 0, 128)))
        if rng.random() < 0.8
        else rng.uniform(0, 255, 3)
    )
    pixels += strength * layer[..., None] * (colour - pixels)
    return layer


def _cloth_colour(rng: np.random.Generator) -> np.ndarray:
    usual = ((235, 238, 240), (150, 190, 225), (30, 30, 34), (200, 200, 205), (70, 90, 130))
    if rng.random() < 0.6:
        return np.array(usual[int(rng.integers(len(usual)))]) * rng.uniform(0.7, 1.05)
    return rng.uniform(10, 245, 3)


def _cloth(rng: np.random.Generator, shape: tuple[int, int], colour: np.ndarray) -> np.ndarray:
    """A surface of that colour with folds, shade and grain."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    tilt, wave = rng.uniform(-0.4, 0.4), rng.uniform(4, 16) * SCALE
    folds = 0.06 * rng.random() * np.sin((y + tilt * x) * 2 * np.pi / wave + rng.uniform(0, 6))
    slope = rng.normal(0, 0.25, 2)
    shade = slope[0] * (x / shape[1] - 0.5) + slope[1] * (y / shape[0] - 0.5)
    blot = cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), 6 * SCALE)
    grain = rng.normal(0, rng.uniform(0, 0.04), shape)
    light = np.exp(folds + shade + blot * rng.uniform(0, 3) + grain)
    look = light[..., None] * colour
    if rng.random() < 0.25:  # a pattern
        step = rng.uniform(4, 14) * SCALE
        dots = np.sin(2 * np.pi * x / step) * np.sin(2 * np.pi * y / step) > rng.uniform(0.2, 0.8)
        look = np.where(dots[..., None], look * 0.3 + 0.7 * rng.uniform(0, 255, 3), look)
    return look.clip(0, 255).astype(np.float32)


def _lay(
    pixels: np.ndarray, look: np.ndarray, filled: np.ndarray, rng: np.random.Generator
) -> None:
    """Lay a surface over the view, its shadow about it."""
    depth, blur = rng.uniform(0, 0.35), rng.uniform(1, 5) * SCALE
    shadow = cv2.GaussianBlur(filled, (0, 0), blur)
    pixels *= (1 - depth * shadow)[..., None]
    pixels += filled[..., None] * (look - pixels)


def _filled(shape: tuple[int, int], outline: np.ndarray, soft: float) -> np.ndarray:
    mask = np.zeros(shape, np.float32)
    cv2.fillPoly(mask, [np.round(outline * 8).astype(np.int32)], 1.0, cv2.LINE_AA, 3)
    return cv2.GaussianBlur(mask, (0, 0), soft) if soft else mask


def _at(point: np.ndarray) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
