"""Paint glasses, strands of hair and wrinkles on a face seen upright.

Views are those of `realism.faces.occluders.upright_view` at `SCALE` px a mm, float32, 0..255, and
are painted in place. What is drawn is meant to look like any glasses and any hair, not like one
kind: shapes, colours, widths, shadows and reflections are drawn at random.
"""

from dataclasses import dataclass

import cv2
import numpy as np

SCALE = 2  # px of a view in a mm
SUBPIXEL = 3  # bits of fractions of a px that OpenCV draws to
SIDES = (((33, 133), -1), ((263, 362), 1))  # corners of each eye, and which way is out
BRIDGE, NOSE = 168, 6  # mesh points between the eyes and below
EYE_WIDTH = 29.0  # mm between the corners of an eye that faces the camera
LABELLED = 0.2  # share of a pixel that a hair covers from which it is one
HAIR_COLOURS = [
    [15, 12, 10], [50, 32, 20], [120, 80, 45], [190, 160, 110], [170, 170, 170], [110, 50, 25],
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Lens:
    """One lens: its outline px, which way is out, how foreshortened it is, its centre px."""

    outline: np.ndarray
    outward: float
    turned: float
    centre: np.ndarray


def paint_glasses(rng: np.random.Generator, view: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Glasses on a face.

    Parameters
    ----------
    rng : np.random.Generator
    view : np.ndarray, (h, w, 3) float32
        Painted in place.
    points : np.ndarray, (468, 2) px
        The mesh.

    Returns
    -------
    np.ndarray, (h, w) float32, 0..1
        Where they are: frame, pads, reflections, and lenses that are dark.
    """
    shape = view.shape[:2]
    colour = np.clip(_frame_colour(rng), 0, 255)
    width = float(rng.choice([rng.uniform(0.6, 1.3), rng.uniform(1.3, 4.5)])) * SCALE
    lenses = _lenses(rng, points)
    inside, rim = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for lens in lenses:
        cv2.fillPoly(inside, [_fixed(lens.outline)], 1.0, cv2.LINE_AA, SUBPIXEL)
    _draw_frame(rng, rim, lenses, width)
    if rng.random() < 0.7:
        shift = np.array([[1, 0, rng.uniform(-6, 6)], [0, 1, rng.uniform(1, 10)]])
        shadow = cv2.warpAffine(rim, shift, shape[::-1])
        shadow = cv2.GaussianBlur(shadow, (0, 0), rng.uniform(1, 4)) * rng.uniform(0.1, 0.55)
        view *= (1 - shadow)[..., None]
    found = _tint(rng, view, inside)
    if rng.random() < 0.5:
        found = np.maximum(found, _reflections(rng, view, inside, lenses))
    if rng.random() < 0.75:
        found = np.maximum(found, _pads(rng, view, rim, lenses, points, colour))
    _colour_frame(rng, view, rim, colour)
    return np.maximum(found, rim)


def paint_hair(rng: np.random.Generator, view: np.ndarray) -> np.ndarray:
    """Strands of hair from above or the sides; parameters and answer as of `paint_glasses`."""
    shape = view.shape[:2]
    found = np.zeros(shape, np.float32)
    if rng.random() < 0.5:
        usual = np.median(view[:30, 60:260].reshape(-1, 3), 0)
    else:
        usual = np.array(HAIR_COLOURS[rng.integers(len(HAIR_COLOURS))]) * rng.uniform(0.6, 1.3)
    for _ in range(rng.integers(1, 5)):
        left, right = rng.uniform(10, 70), rng.uniform(250, 310)
        x0 = rng.choice([left, right]) if rng.random() < 0.4 else rng.uniform(30, 290)
        y0, length = rng.uniform(-20, 80), rng.uniform(30, 260)
        angle, bend = np.pi / 2 + rng.normal(0, 0.55), rng.normal(0, 0.012)
        count, spread = int(rng.choice([1, 2, 4, 10, 25])), rng.uniform(1, 8) * SCALE
        joined = rng.uniform(0.1, 1.2)
        along = np.linspace(0, 1, 24)
        for _ in range(count):
            off, own = rng.normal(0, spread), length * rng.uniform(0.6, 1.1)
            step = own / 24
            turns = np.full(24, bend * rng.uniform(0.6, 1.4) * step * 2)
            course = angle + rng.normal(0, 0.04) + np.cumsum(turns)
            x = x0 + off + np.cumsum(np.cos(course)) * step - off * along * (1 - joined) / 2
            y = y0 + rng.normal(0, 3) + np.cumsum(np.sin(course)) * step
            drawn = _stroke(shape, np.stack([x, y], 1), int(rng.choice([1, 1, 1, 2])))
            if count > 6 and rng.random() < 0.3:
                drawn = cv2.GaussianBlur(drawn, (0, 0), 0.7)
            drawn *= rng.uniform(0.25, 1)
            _blend(view, np.clip(usual * np.exp(rng.normal(0, 0.3)), 0, 255), drawn)
            found = np.maximum(found, (drawn > LABELLED).astype(np.float32))
        if rng.random() < 0.5:
            shadow = cv2.GaussianBlur(np.roll(found, int(rng.integers(1, 8)), 0), (0, 0), 2)
            view *= (1 - shadow * rng.uniform(0, 0.3))[..., None]
    return found


def paint_wrinkles(rng: np.random.Generator, view: np.ndarray, skin: np.ndarray) -> None:
    """Deep lines on the skin, which stays skin: dark, with a lighter flank, of the skin's hue.

    Parameters
    ----------
    view : np.ndarray, (h, w, 3) float32
        Painted in place.
    skin : np.ndarray, (h, w)
        1 where they may be.
    """
    shape = view.shape[:2]
    relief = np.zeros(shape, np.float32)
    along = np.linspace(-0.5, 0.5, 20)
    for _ in range(int(rng.choice([3, 8, 20, 40]))):
        x0, y0, length = rng.uniform(40, 280), rng.uniform(20, 330), rng.uniform(10, 120)
        angle = rng.normal(0, 0.25)
        if y0 >= 110:  # below the brows lines run any way
            angle, length = rng.uniform(0, np.pi), 0.6 * length
        way, bend = along * length, rng.normal(0, 0.004)
        wave = cv2.GaussianBlur(rng.normal(0, 6, (1, 20)).astype(np.float32), (0, 0), 3)[0]
        aside = bend * way**2 + wave
        x = x0 + way * np.cos(angle) - aside * np.sin(angle)
        y = y0 + way * np.sin(angle) + aside * np.cos(angle)
        drawn = _stroke(shape, np.stack([x, y], 1), int(rng.integers(1, 4)))
        soft = rng.uniform(0.5, 2.2)
        valley = cv2.GaussianBlur(drawn, (0, 0), soft)
        valley *= rng.uniform(0.1, 0.8) / (valley.max() + 1e-6)
        off = soft * rng.uniform(1.2, 2.5)
        shift = np.array([[1, 0, off * np.sin(angle)], [0, 1, -off * np.cos(angle)]])
        relief += rng.uniform(0, 0.7) * cv2.warpAffine(valley, shift, shape[::-1]) - valley
    relief *= cv2.GaussianBlur(skin.astype(np.float32), (0, 0), 2)
    tint = np.array([1, 1.15, 1.2], np.float32) if rng.random() < 0.7 else np.float32(1)
    view *= np.exp(relief[..., None] * tint)


def _frame_colour(rng: np.random.Generator) -> np.ndarray:
    """Black, brown, gold, silver, or any."""
    grey, kind = np.ones(3), rng.random()
    if kind < 0.4:
        return rng.uniform(2, 45) * grey + rng.normal(0, 4, 3)
    if kind < 0.6:
        return np.array([70, 40, 20]) * rng.uniform(0.5, 2) + rng.normal(0, 6, 3)
    if kind < 0.75:
        return np.array([170, 130, 60]) * rng.uniform(0.5, 1.3)
    if kind < 0.9:
        return rng.uniform(90, 220) * grey + rng.normal(0, 5, 3)
    return rng.uniform(0, 255, 3)


def _lenses(rng: np.random.Generator, points: np.ndarray) -> list[Lens]:
    """Outlines of two lenses of one shape: from round to square, some rising outwards."""
    half_width, half_height = rng.uniform(22, 31), rng.uniform(14, 27)
    power, down, out = rng.choice([2, 2.4, 3, 4.5]), rng.uniform(0, 8), rng.uniform(0, 5)
    lean, cat = rng.normal(0, 0.06), rng.uniform(-0.1, 0.3)
    turn = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** (2 / power) * half_width
    y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** (2 / power) * half_height
    y = y - cat * np.maximum(x, 0) * (y < 0)
    x = x * (1 - 0.12 * np.maximum(y, 0) / half_height)
    lenses = []
    for (outer, inner), side in SIDES:
        eye = (points[outer] + points[inner]) / 2
        opened = np.linalg.norm(points[outer] - points[inner]) / (EYE_WIDTH * SCALE)
        turned = float(np.clip(opened, 0.25, 1.2))
        outward = float(np.sign(eye[0] - points[BRIDGE, 0]) or side)
        centre = eye + np.array([outward * out * turned, down]) * SCALE
        outline = centre + np.stack([outward * x * turned, y], 1) * SCALE
        outline = (outline - points[BRIDGE]) @ turn.T + points[BRIDGE]
        lenses.append(Lens(outline, outward, turned, centre))
    return lenses


def _draw_frame(
    rng: np.random.Generator, rim: np.ndarray, lenses: list[Lens], width: float
) -> None:
    """Rims, bridge and the start of the temples, into `rim`."""
    rimless, full = rng.random() < 0.15, rng.random() > 0.2
    faint = rng.random() < 0.5
    for lens in lenses:
        if not rimless:
            thick = max(1, round(width if full else 0.4 * width))
            _polyline(rim, lens.outline, thick, closed=True)
            top = lens.outline[36:]
            top = top[top[:, 1] < lens.centre[1] - 4 * SCALE]
            if len(top) > 2:
                _polyline(rim, top, max(1, round(width * rng.uniform(1, 1.8))))
        elif faint:
            _polyline(rim, lens.outline, 1, closed=True, value=0.5)
    first, second = (inner_point(lens) for lens in lenses)
    middle = (first + second) / 2 - [0, rng.uniform(0, 5) * SCALE]
    raised = np.array([0, SCALE])
    bridge = np.stack(
        [first, (first + middle) / 2 - raised, middle, (second + middle) / 2 - raised, second]
    )
    _polyline(rim, bridge, max(1, round(max(width, 0.8 * SCALE) * rng.uniform(0.8, 1.5))))
    if rng.random() < 0.25:  # the second bar of aviators
        _polyline(rim, bridge - [0, rng.uniform(5, 9) * SCALE], max(1, round(width)))
    for lens in lenses:
        out = lens.outward * lens.outline[:, 0]
        height = np.abs(lens.outline[:, 1] - lens.centre[1] + 8 * SCALE)
        hinge = lens.outline[np.argmax(out - 0.3 * height)]
        reach = rng.uniform(3, 25) * SCALE * rng.uniform(0.3, 1)
        end = hinge + np.array([lens.outward * reach, rng.uniform(-4, 5) * SCALE])
        _polyline(rim, np.stack([hinge, end]), max(1, round(width * rng.uniform(0.8, 1.6))))


def inner_point(lens: Lens) -> np.ndarray:
    """Where a lens is nearest to the nose, (2,) px."""
    height = np.abs(lens.outline[:, 1] - lens.centre[1] + 6 * SCALE)
    return lens.outline[np.argmin(lens.outward * lens.outline[:, 0] + 0.3 * height)]


def _tint(rng: np.random.Generator, view: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Colour the lenses of a third; answers where no skin can be seen through them."""
    kind = rng.random()
    tint = 0.0 if kind < 0.65 else rng.uniform(0.05, 0.5) if kind < 0.85 else rng.uniform(0.6, 0.98)
    dark = rng.choice([rng.uniform(5, 40), rng.uniform(40, 90)])
    _blend(view, np.clip(dark + rng.normal(0, 15, 3), 0, 255), inside * tint)
    return inside.copy() if tint > 0.5 else np.zeros_like(inside)


def _reflections(
    rng: np.random.Generator, view: np.ndarray, inside: np.ndarray, lenses: list[Lens]
) -> np.ndarray:
    """Patches and streaks of light on the lenses; answers where they are."""
    found = np.zeros_like(inside)
    for _ in range(rng.integers(1, 5)):
        lens, drawn = lenses[rng.integers(2)], np.zeros_like(inside)
        at = lens.centre + rng.normal(0, 1, 2) * np.array([13 * lens.turned, 10]) * SCALE
        if rng.random() < 0.5:
            axes = np.array([rng.uniform(1, 8) * lens.turned, rng.uniform(0.7, 5)]) * SCALE
            _ellipse(drawn, at, axes, rng.uniform(0, 180))
        else:
            way = rng.uniform(3, 16) * SCALE * rng.normal(0, 1, 2)
            _polyline(drawn, np.stack([at, at + way]), int(rng.uniform(0.6, 4) * SCALE) + 1)
        drawn = cv2.GaussianBlur(drawn, (0, 0), rng.uniform(0.2, 1.5) * SCALE)
        drawn *= rng.uniform(0.2, 0.9) * (inside if rng.random() < 0.8 else 1)
        _blend(view, np.clip(rng.uniform(170, 255) + rng.normal(0, 20, 3), 0, 255), drawn)
        found = np.maximum(found, (drawn > 0.15).astype(np.float32))
    return found


def _pads(
    rng: np.random.Generator,
    view: np.ndarray,
    rim: np.ndarray,
    lenses: list[Lens],
    points: np.ndarray,
    colour: np.ndarray,
) -> np.ndarray:
    """Pads on the nose, held by wires that go into `rim`; answers where they are."""
    found = np.zeros_like(rim)
    for lens in lenses:
        start = inner_point(lens)
        at = (start + points[NOSE]) / 2 + [0, rng.uniform(1, 9) * SCALE]
        at[0] = points[NOSE, 0] + lens.outward * rng.uniform(4, 9) * lens.turned * SCALE
        axes = np.array([rng.uniform(0.8, 2.2) * lens.turned, rng.uniform(2, 5)]) * SCALE
        drawn = np.zeros_like(rim)
        _ellipse(drawn, at, axes, -lens.outward * rng.uniform(-5, 35))
        clear = np.clip(rng.uniform(100, 240) * np.ones(3), 0, 255)
        _blend(view, colour if rng.random() < 0.4 else clear, drawn * rng.uniform(0.15, 0.8))
        edge = drawn - cv2.erode(drawn, np.ones((3, 3)))
        light = np.clip(view.mean((0, 1)) * rng.choice([0.3, 1.7]), 0, 255)
        _blend(view, light, edge * rng.uniform(0, 0.7))
        _polyline(rim, np.stack([start, at]), 1, value=0.8)
        found = np.maximum(found, drawn)
    return found


def _colour_frame(
    rng: np.random.Generator, view: np.ndarray, rim: np.ndarray, colour: np.ndarray
) -> None:
    """The frame in its colour, shaded, and lit along an edge."""
    shape = rim.shape
    shade = np.ones(shape, np.float32)
    if rng.random() < 0.6:
        noise = rng.normal(0, 1, (shape[0] // 8, shape[1] // 8)).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), 2)
        noise = cv2.resize(noise / (noise.std() + 1e-6), shape[::-1])
        shade = np.clip(1 + noise * rng.uniform(0, 0.6), 0.2, 3)
    solid = rng.uniform(0.35, 0.8) if rng.random() < 0.2 else rng.uniform(0.85, 1)
    shaded = np.clip(colour[None, None] * shade[..., None], 0, 255)
    view += (shaded - view) * (rim * solid)[..., None]
    if rng.random() < 0.6:
        off = (int(rng.integers(1, 3)), int(rng.integers(-2, 3)))
        edge = np.clip(rim - np.roll(rim, off, (0, 1)), 0, 1)
        if rng.random() < 0.5:
            edge = edge * (shade > 1.1)
        _blend(view, rng.uniform(150, 255) * np.ones(3), edge * rng.uniform(0.1, 0.7))


def _blend(view: np.ndarray, colour: np.ndarray, share: np.ndarray) -> None:
    view += (np.asarray(colour, np.float32) - view) * share[..., None]


def _fixed(points: np.ndarray) -> np.ndarray:
    return np.rint(points * 2**SUBPIXEL).astype(np.int32)


def _polyline(
    image: np.ndarray, points: np.ndarray, width: int, closed: bool = False, value: float = 1.0
) -> None:
    cv2.polylines(image, [_fixed(points)], closed, value, width, cv2.LINE_AA, SUBPIXEL)


def _stroke(shape: tuple[int, ...], points: np.ndarray, width: int) -> np.ndarray:
    drawn = np.zeros(shape, np.float32)
    _polyline(drawn, points, width)
    return drawn


def _ellipse(image: np.ndarray, at: np.ndarray, axes: np.ndarray, angle: float) -> None:
    x, y = (int(value) for value in np.rint(at))
    a, b = (max(1, int(value)) for value in axes)
    cv2.ellipse(image, (x, y), (a, b), angle, 0, 360, 1.0, -1, cv2.LINE_AA)
