"""A photo of the person with its marks, and what is measured in it once for all of them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from realism.errors import InputError
from realism.faces.face import Face, mm_per_px_from_eyes
from realism.faces.occluders import Occluders, find_occluders
from realism.faces.paintable import paintable_mask
from realism.faces.skin import skin_mask
from realism.head.fit import steady_mesh
from realism.images import Photo, log_scene_light
from realism.marks.mark import Mark, Wrinkle

# Radii of marks that can be; age spots are the largest of the round ones.
LARGEST_ROUND_MM = 10.0
LARGEST_WRINKLE_MM = 3.0  # half its width
LEAST_LARGEST_PX = 2.5  # on a small face a px or two are many millimetres


@dataclass(frozen=True, eq=False)
class PhotoAnalysis:
    """What a picture tells to whoever finds, measures or lays marks in it.

    Attributes
    ----------
    pixels : (H, W, 3) uint8 ndarray, sRGB
    face : Face
        The person's, in it.
    skin : (H, W) float32 ndarray, 0..1
        The strict mask, from `faces.skin.skin_mask`; made here where it is not given.
    """

    pixels: np.ndarray
    face: Face
    skin: np.ndarray = None  # type: ignore[assignment]  # always set below

    def __post_init__(self):
        if self.skin is None:
            skin = skin_mask(self.pixels, self.face, self.occluders)
            object.__setattr__(self, "skin", skin)

    @cached_property
    def log_light(self) -> np.ndarray:
        """(H, W, 3) float32, log of the light that fell on the camera."""
        return log_scene_light(self.pixels)

    @cached_property
    def paintable(self) -> np.ndarray:
        """(H, W) float32 0..1, the skin with what beside it looks like skin."""
        return paintable_mask(self.pixels, self.skin, self.face, self.covered)

    @cached_property
    def covered(self) -> np.ndarray:
        """(H, W) bool, where glasses, hair, a mask, a hand or words lie over the face."""
        return self.occluders.mask()

    @cached_property
    def occluders(self) -> Occluders:
        """What lies over the face."""
        return find_occluders(self.pixels, self.face)

    @cached_property
    def head_evidence(self) -> tuple[np.ndarray, tuple[int, int]]:
        """What a head is fitted to: the mesh, read several times, and the picture's (h, w)."""
        return steady_mesh(self.pixels, self.face.mesh), self.pixels.shape[:2]

    @property
    def mm_per_px(self) -> float:
        """Millimetres in a px of the face."""
        return mm_per_px_from_eyes(self.face)


@dataclass(frozen=True, eq=False)
class MarkedPhoto:
    """A photo of the person with its marks.

    Attributes
    ----------
    name : str
        The photo's file name.
    pixels : (H, W, 3) uint8 ndarray, sRGB
    face : Face
        The person's, in it.
    skin : (H, W) float32 ndarray, 0..1
        The strict mask, from `faces.skin.skin_mask`.
    marks : list of Mark
        Found or given; empty while they are still to be found.
    analysis : PhotoAnalysis
        Made here, and kept when only the marks change.
    """

    name: str
    pixels: np.ndarray
    face: Face
    skin: np.ndarray
    marks: list[Mark]
    analysis: PhotoAnalysis = None  # type: ignore[assignment]  # always set below

    def __post_init__(self):
        if self.analysis is None or self.analysis.pixels is not self.pixels:
            object.__setattr__(self, "analysis", PhotoAnalysis(self.pixels, self.face, self.skin))


def refuse_too_large(photo: MarkedPhoto) -> None:
    """Raise InputError for a mark that is larger than a mark of skin can be.

    Files of others may mean something else by a radius: half a wrinkle's length, or a diameter.
    """
    mm = photo.analysis.mm_per_px
    for mark in photo.marks:
        most = LARGEST_WRINKLE_MM if isinstance(mark, Wrinkle) else LARGEST_ROUND_MM
        if mark.radius > max(most / mm, LEAST_LARGEST_PX):
            raise InputError(
                "mark_too_large",
                name=photo.name,
                kind=mark.kind,
                x=round(float(mark.xy[0])),
                y=round(float(mark.xy[1])),
                radius=round(mark.radius * mm, 1),
                most=most,
            )


def analyse_photo(photo: Photo, face: Face, marks: list[Mark] | None = None) -> MarkedPhoto:
    """A photo ready to take marks from: those given, or still to be found.

    Parameters
    ----------
    photo : Photo
    face : Face
        The person's, in it.
    marks : list of Mark, optional
        None: `find.multiview.find_marks_multiview` is to find them.
    """
    analysis = PhotoAnalysis(photo.pixels, face)
    return MarkedPhoto(photo.name, photo.pixels, face, analysis.skin, marks or [], analysis)
