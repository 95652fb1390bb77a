"""Random fields: grain, patches, streaks, strokes. What skin, hair and cloth are painted from."""

import cv2
import numpy as np

Shape = tuple[int, int]


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur; none below 0.05 px."""
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0.05 else image


def noise(rng: np.random.Generator, shape: Shape, cell: float) -> np.ndarray:
    """Smooth noise of about unit variance with a grain of `cell` px, (h, w) float32."""
    size = (max(2, int(shape[0] / cell) + 3), max(2, int(shape[1] / cell) + 3))
    coarse = rng.standard_normal(size, dtype=np.float32)
    return cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def patches(rng: np.random.Generator, shape: Shape, cell: float, share: float) -> np.ndarray:
    """Soft islands of about `cell` px that cover a `share` of the picture, (h, w) 0..1."""
    field = noise(rng, shape, cell)
    level = np.quantile(field[::8, ::8], 1 - share)
    return np.clip((field - level) * rng.uniform(2, 8) + 0.5, 0, 1)


def streaks(
    rng: np.random.Generator, shape: Shape, angle: float, length: float, waves: float
) -> np.ndarray:
    """Noise drawn out along `angle` (radians) by `length` px, bent by `waves` px; unit variance."""
    side = int(length) | 1
    kernel = np.zeros((side, side), np.uint8)
    centre, way = side // 2, np.array([np.cos(angle), np.sin(angle)])
    ends = [np.round(centre + sign * centre * way).astype(int).tolist() for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 255, 1, cv2.LINE_AA)
    grain = blur(rng.standard_normal(shape, dtype=np.float32), rng.uniform(0.4, 1.6))
    field = cv2.filter2D(grain, -1, kernel.astype(np.float32) / kernel.sum())
    if waves > 0:
        rows, columns = np.indices(shape, np.float32)
        dx, dy = noise(rng, shape, 60) * waves, noise(rng, shape, 60) * waves
        field = cv2.remap(field, columns + dx, rows + dy, cv2.INTER_LINEAR, borderMode=4)
    return field / (field.std() + 1e-6)


def draw(
    image: np.ndarray, points: np.ndarray, value: float, width: int = 1, closed: bool = False
) -> None:
    """Draw a line through `points` (n, 2) px into `image`, to a sixteenth of a pixel."""
    fixed = np.round(np.asarray(points) * 16).astype(np.int32)
    cv2.polylines(image, [fixed], closed, float(value), width, cv2.LINE_AA, 4)


def strokes(
    rng: np.random.Generator,
    where: np.ndarray,
    count: int,
    lengths: tuple[float, float],
    angle: float | None = None,
    width: int = 1,
) -> np.ndarray:
    """Short straight hairs that start in `where` (h, w) bool: (h, w) float32 0..1.

    Parameters
    ----------
    angle : float or None, radians
        About which they scatter; None: any.
    """
    picture = np.zeros(where.shape, np.uint8)
    rows, columns = np.nonzero(where)
    if not len(rows):
        return picture.astype(np.float32)
    for index in rng.integers(0, len(rows), count):
        way = rng.uniform(0, np.pi) if angle is None else angle + rng.normal(0, 0.35)
        start = np.array([columns[index], rows[index]]) + rng.random(2)
        end = start + rng.uniform(*lengths) * np.array([np.cos(way), np.sin(way)])
        value, broad = int(rng.integers(110, 255)), int(rng.integers(1, width + 1))
        draw(picture, np.stack([start, end]), value, broad)
    return picture.astype(np.float32) / 255


def curve(
    rng: np.random.Generator, start: np.ndarray, angle: float, count: int, step: float, turn: float
) -> np.ndarray:
    """A wandering line of `count` steps of `step` px whose course turns by about `turn` radians."""
    bend, points = rng.normal(0, turn), [np.asarray(start, float)]
    for _ in range(count):
        angle += bend
        bend += rng.normal(0, turn * 0.25)
        points.append(points[-1] + step * np.array([np.cos(angle), np.sin(angle)]))
    return np.array(points)
