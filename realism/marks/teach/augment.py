"""Annotated faces in other light and mirrored, so that few of them teach more."""

from dataclasses import replace

import numpy as np

from realism.marks.teach.dataset import AnnotatedFace


def augment(face: AnnotatedFace, rng: np.random.Generator) -> AnnotatedFace:
    """The face in other light, and mirrored or not: for a finder left and right are alike.

    The mesh of a mirrored face keeps the numbers of its points: only its outline can be used.
    """
    gain = np.exp(rng.normal(0, 0.15) + rng.normal(0, 0.04, 3))
    pixels = np.clip(255 * (face.pixels / 255.0) ** np.exp(rng.normal(0, 0.1)) * gain, 0, 255)
    pixels = np.rint(pixels + rng.normal(0, 1.5, pixels.shape)).clip(0, 255).astype(np.uint8)
    lit = replace(face, pixels=pixels)
    return lit if rng.random() < 0.5 else mirror(lit)


def mirror(face: AnnotatedFace) -> AnnotatedFace:
    """The face flipped left to right, with all that lies on it."""
    last = face.pixels.shape[1] - 1

    def mirrored(points: np.ndarray) -> np.ndarray:
        flipped = points.copy()
        flipped[..., 0] = last - points[..., 0]
        return flipped

    box = face.face.box[[2, 1, 0, 3]] * [-1, 1, -1, 1] + [last, 0, last, 0]
    own = replace(
        face.face,
        box=box.astype(np.float32),
        landmarks=mirrored(face.face.landmarks),
        mesh=mirrored(face.face.mesh),
    )
    clicks = tuple(
        replace(click, clicked_xy=mirrored(click.clicked_xy), xy=mirrored(click.xy))
        for click in face.clicks
    )
    return replace(
        face,
        pixels=np.ascontiguousarray(face.pixels[:, ::-1]),
        face=own,
        skin=np.ascontiguousarray(face.skin[:, ::-1]),
        clicks=clicks,
        ignored=tuple(mark.mapped(mirrored) for mark in face.ignored),
    )


def draw_window(shape: tuple[int, int], points: np.ndarray, side: int) -> np.ndarray:
    """Corner (x, y) px of a square window drawn at random, one in two of them around a mark.

    Chance comes from torch's generator.

    Parameters
    ----------
    shape : (int, int), px
        Height and width of what it is cut from.
    points : (n, 2) ndarray, px
        Where the marks are.
    side : int, px
        Of the window, which may reach beyond what is smaller.
    """
    import torch

    height, width = shape
    chance = torch.rand(4).numpy()
    middle = chance[:2] * [width, height]
    if len(points) and chance[2] < 0.5:
        middle = points[int(chance[3] * len(points))] + (chance[:2] - 0.5) * side / 2
    return np.clip(middle - side / 2, 0, np.maximum([width - side, height - side], 0)).astype(int)
