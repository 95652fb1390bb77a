"""A photo of the person as marks are found and measured in it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from realism.faces.face import Face, mm_per_px_from_eyes
from realism.faces.paintable import paintable_mask
from realism.faces.skin import skin_mask
from realism.head.fit import steady_mesh
from realism.images import Photo, log_light
from realism.marks.mark import Mark


@dataclass(frozen=True, eq=False)
class Ground:
    """A picture as marks are measured in it, for all its marks once.

    pixels    (H, W, 3) uint8 sRGB
    face      the person's Face in it
    skin      (H, W) float32 0..1, the strict mask
    """

    pixels: np.ndarray
    face: Face
    skin: np.ndarray

    @cached_property
    def light(self) -> np.ndarray:
        """(H, W, 3) float32, log of linear light."""
        return log_light(self.pixels)

    @cached_property
    def wide(self) -> np.ndarray:
        """(H, W) float32 0..1, the skin with what beside it looks like skin."""
        return paintable_mask(self.pixels, self.skin, self.face)

    @cached_property
    def steady(self) -> tuple[np.ndarray, tuple[int, int]]:
        """What a head is fitted to: the mesh, read several times, and the picture's size."""
        return steady_mesh(self.pixels, self.face.mesh), self.pixels.shape[:2]

    @property
    def mm(self) -> float:
        """Millimetres in a px."""
        return mm_per_px_from_eyes(self.face)


@dataclass(frozen=True, eq=False)
class Source:
    """A photo of the person with its marks.

    name      the photo's file name
    pixels    (H, W, 3) uint8 sRGB
    face      the person's Face in it
    skin      (H, W) float32 0..1, from `faces.skin.skin_mask`
    marks     its marks, found or given
    ground    the picture as its marks are measured in it; made here, kept when marks change
    """

    name: str
    pixels: np.ndarray
    face: Face
    skin: np.ndarray
    marks: list[Mark]
    ground: Ground | None = None

    def __post_init__(self):
        if self.ground is None or self.ground.pixels is not self.pixels:
            object.__setattr__(self, "ground", Ground(self.pixels, self.face, self.skin))


def source_of(photo: Photo, face: Face, marks: list[Mark] | None = None) -> Source:
    """A photo ready to take marks from: those given, or still to be found (`find_together`)."""
    return Source(photo.name, photo.pixels, face, skin_mask(photo.pixels, face), marks or [])
