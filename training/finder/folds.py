"""Where faces fold: courses of wrinkles on a mesh, and how a fold changes the light.

A fold is no scratch: a dark core, a bulge that catches the light beside it, and a wide soft shade
on the other side. The courses follow the mesh (forehead, frown, crow's feet, under the eyes, from
nose to mouth, below the mouth), or are those of hand-drawn masks, or run anywhere.
"""

from functools import cache

import cv2
import numpy as np

from realism.faces.features import EYES, LIPS
from realism.faces.mesh import canonical_head
from training.finder.texture import blur, curve, draw

# Mesh points of the person's right side; `mirrored` gives the left.
CREST = (129, 203, 206, 216, 212)  # nose wing to beside the mouth
MARIONETTE = (61, 57, 202, 211)
UNDER_EYE = ((112, 26, 22, 23, 24, 110, 25), (233, 232, 231, 230, 229, 228, 31),
             (128, 121, 120, 119, 118, 117, 111))  # fmt: skip
# The frame of the masks: eyes and mouth of aligned FFHQ at 512 px.
FFHQ = np.float32([[192.5, 240], [319.5, 240], [256, 370]])


@cache
def mirrored(points: tuple[int, ...]) -> tuple[int, ...]:
    """The same mesh points of the other side of the face."""
    head = canonical_head()
    other = head * [-1, 1, 1]
    return tuple(int(np.linalg.norm(head - other[p], axis=1).argmin()) for p in points)


def face_courses(rng: np.random.Generator, mesh: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Courses of folds drawn at random, (n, 2) px each, and how deep one is beside the others.

    Parameters
    ----------
    mesh : (468, 2) px
    """
    u, found = rng.uniform, []
    across = mesh[263] - mesh[33]
    size = float(np.linalg.norm(mesh[454] - mesh[234]))
    across = across / (np.linalg.norm(across) + 1e-6)
    down = mesh[152] - mesh[10]
    down = down / (np.linalg.norm(down) + 1e-6)

    def add(points, depth: float = 1.0, count: int = 14) -> None:
        points = np.asarray(points, float)
        at = np.linspace(0, len(points) - 1, count)
        line = np.stack([np.interp(at, np.arange(len(points)), points[:, i]) for i in (0, 1)], 1)
        for _ in range(3):
            line[1:-1] = line[:-2] * 0.25 + line[1:-1] * 0.5 + line[2:] * 0.25
        wander = [np.convolve(rng.normal(0, 1, count + 4), np.ones(5) / 5, "valid") for _ in "xy"]
        line = line + np.stack(wander, 1) * size * u(0, 0.006)
        part = u(0.5, 1)
        first = int(u(0, 1 - part) * count)
        found.append((line[first : max(first + int(part * count) + 1, first + 4)], depth))

    for side, way in ((0, -1.0), (1, 1.0)):
        out = across * way

        def of(points, side=side):
            return mesh[list(mirrored(points) if side else points)]

        if rng.random() < 0.6:
            shift = out * size * u(-0.005, 0.035) + down * size * u(-0.03, 0.03)
            add(of(CREST) + shift, u(1, 2))
            if rng.random() < 0.3:
                add(of(CREST)[1:] + out * size * u(0.05, 0.11) + shift, u(0.8, 1.5))
        if rng.random() < 0.25:
            add(of(MARIONETTE) + out * size * u(-0.01, 0.03), u(0.9, 1.7))
        if rng.random() < 0.7:
            for _ in range(rng.integers(1, 4)):
                mix = u(-0.2, 2)
                low, high = of(UNDER_EYE[int(mix > 1)]), of(UNDER_EYE[1 + int(mix > 1)])
                add(low + (high - low) * (mix % 1), u(0.7, 1.5))
        if rng.random() < 0.6:
            corner = of((33,))[0]
            for _ in range(rng.integers(1, 6)):
                tilt = u(-0.6, 0.9)
                start = corner + out * size * u(0.03, 0.08)
                start = start + down * size * (0.06 * tilt + u(-0.015, 0.015))
                run = (out * np.cos(tilt) + down * np.sin(tilt)) * size * u(0.04, 0.13)
                sag = down * size * u(-0.012, 0.02)
                add([start, start + run / 2 + sag, start + run], u(0.6, 1.2), 9)
        if rng.random() < 0.35:
            start = of((55,))[0] + down * size * u(-0.03, 0.02) - out * size * u(-0.03, 0.03)
            steps = [-down * size * u(0.03, 0.06), -down * size * u(0.07, 0.13)]
            lean = [out * size * u(-0.01, 0.01), out * size * u(-0.01, 0.02)]
            add([start, start + steps[0] + lean[0], start + steps[1] + lean[1]], u(0.8, 1.5), 8)
    if rng.random() < 0.15:
        root, half = mesh[168] + down * size * u(-0.02, 0.03), across * size * u(0.03, 0.06)
        add([root - half, root + down * size * u(-0.02, 0.02), root + half], u(0.8, 1.3), 8)
    if rng.random() < 0.55:
        for _ in range(rng.integers(1, 6)):
            middle = mesh[9] - down * size * u(0.02, 0.36) + across * size * u(-0.08, 0.08)
            half, sag = across * size * u(0.1, 0.36), down * size * u(-0.02, 0.03)
            add(
                [middle - half, middle - half / 2 - sag, middle + sag * u(-0.5, 0.5),
                 middle + half / 2 - sag, middle + half],
                u(0.7, 1.5), 20,
            )  # fmt: skip
    return found


def drawn_courses(
    rng: np.random.Generator, mesh: np.ndarray, faces: list
) -> list[tuple[np.ndarray, float]]:
    """The lines of one hand-drawn mask, some left out, laid on a mesh (468, 2) px."""
    lines = faces[rng.integers(len(faces))]
    there = np.float32([mesh[EYES[0]].mean(0), mesh[EYES[1]].mean(0), mesh[LIPS].mean(0)])
    # A mirrored face has its right eye on the right.
    there = there[[*np.argsort(there[:2, 0]).tolist(), 2]]
    to = cv2.getAffineTransform(FFHQ, there)
    keep = rng.uniform(0.3, 1)
    return [
        (np.asarray(line) @ to[:, :2].T + to[:, 2], 1.0) for line in lines if rng.random() < keep
    ]


def stray_courses(rng: np.random.Generator, shape) -> list[tuple[np.ndarray, float]]:
    """Lines that run anywhere, a few side by side."""
    found = []
    for _ in range(rng.integers(1, 4)):
        angle = rng.uniform(0, 2 * np.pi)
        start = rng.uniform(20, np.array(shape[::-1]) - 20)
        base = curve(rng, start, angle, int(rng.uniform(5, 14)), rng.uniform(5, 9), 0.05)
        aside = np.array([-np.sin(angle), np.cos(angle)]) * rng.uniform(7, 22)
        for number in range(rng.integers(1, 4)):
            found.append((base + aside * number + rng.normal(0, 1.5, 2), 1.0))
    return found


def fold(
    rng: np.random.Generator,
    shape: tuple[int, int],
    course: np.ndarray,
    depth: float,
    width: float,
    light: float,
) -> tuple[tuple[slice, slice], np.ndarray]:
    """What one fold adds to the log of light: rows and columns of a window, and (h, w) float32.

    Parameters
    ----------
    course : (n, 2) px
    depth : float, log units
    width : float, px
        Sigma of the dark core.
    light : float, radians
        The side the light comes from.
    """
    count = len(course) - 1
    ends = np.minimum(np.arange(count) + 1, count - np.arange(count))
    fade = np.clip(ends / max(count * rng.uniform(0.15, 0.5), 1), 0, 1)
    waves = np.arange(count) * rng.uniform(0.1, 0.8) + rng.uniform(0, 6)
    fade = fade * (0.75 + 0.25 * np.sin(waves))
    reach = int(10 * width + 12)
    x0, y0 = np.maximum(np.floor(course.min(0)) - reach, 0).astype(int)
    x1, y1 = np.minimum(np.ceil(course.max(0)) + reach, shape[::-1]).astype(int)
    if x1 <= x0 or y1 <= y0:
        return (slice(0, 0), slice(0, 0)), np.zeros((0, 0), np.float32)
    line = np.zeros((y1 - y0, x1 - x0), np.float32)
    for step in range(count):
        draw(line, course[step : step + 2] - [x0, y0], depth * fade[step])
    run = course[-1] - course[0]
    aside = np.array([-run[1], run[0]]) / (np.hypot(*run) + 1e-6)
    if aside @ [np.cos(light), np.sin(light)] < 0:
        aside = -aside

    def soft(sigma: float, shift: float, strength: float) -> np.ndarray:
        # A line one pixel wide keeps its depth under the blur.
        moved = np.float32([[1, 0, aside[0] * shift], [0, 1, aside[1] * shift]])
        at = cv2.warpAffine(line, moved, line.shape[::-1]) if shift else line
        return blur(at, sigma) * sigma * 2.5 * strength

    bulge, shade = width * rng.uniform(1.3, 3.5), width * rng.uniform(2, 5)
    change = (
        -soft(width, 0, 1)
        + soft(bulge, bulge * rng.uniform(0.9, 1.6), rng.uniform(0, 0.75))
        - soft(shade, -shade * rng.uniform(0.4, 1), rng.uniform(0, 0.4))
    )
    return (slice(y0, y1), slice(x0, x1)), change
