"""Wrinkles painted on a face: the change of light, and where they run."""

import numpy as np

from realism.faces.skin import LEAST_SKIN
from realism.marks.mark import Wrinkle
from training.finder.folds import drawn_courses, face_courses, fold, stray_courses


def wrinkle_along(course: np.ndarray, half_width: float) -> Wrinkle:
    """A wrinkle along (n, 2) px."""
    line = np.asarray(course, np.float32)
    return Wrinkle(line[len(line) // 2], half_width, polyline=line)


def paint_wrinkles(
    rng: np.random.Generator, skin: np.ndarray, mesh: np.ndarray, drawn: list, lamp: float
) -> tuple[np.ndarray, list[tuple[np.ndarray, float]]]:
    """Wrinkles: change of log light (h, w), and their courses with half widths."""
    change, found = np.zeros(skin.shape, np.float32), []
    if rng.random() > 0.72:
        return change, found
    way = rng.random()
    if way < 0.3:
        courses = drawn_courses(rng, mesh, drawn)
    elif way < 0.88:
        courses = face_courses(rng, mesh)
    else:
        courses = stray_courses(rng, skin.shape)
    depth = np.exp(rng.uniform(np.log(0.13), np.log(0.9)))
    width = np.exp(rng.uniform(np.log(0.9), np.log(3.2)))
    bounds = np.array(skin.shape[::-1])
    kept = [c for c in courses if len(c[0]) >= 3 and ((c[0] > 0) & (c[0] < bounds)).all(1).any()]
    for course, strength in kept[:30]:
        at = np.clip(course.astype(int), 0, bounds - 1)
        if (skin[at[:, 1], at[:, 0]] > LEAST_SKIN).mean() < 0.35:
            continue
        own_width = float(np.clip(width * strength * np.exp(rng.normal(0, 0.25)), 0.7, 5))
        own_depth = depth * np.exp(rng.normal(0, 0.4))
        window, bend = fold(rng, skin.shape, course, own_depth, own_width, lamp)
        change[window] += bend
        found.append((course.astype(np.float32), own_width))
    return change, found
