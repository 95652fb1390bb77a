"""Faces that a person annotated, read for training and for evaluation.

Each is cut out with a margin, so that hundreds fit into memory; its clicks are snapped to the
marks they mean. What cannot be used is named and left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from realism.errors import InputError, Message
from realism.faces.engine import Engine, primary_face
from realism.faces.face import Face
from realism.faces.skin import skin_mask
from realism.images import SUFFIXES, open_photo
from realism.marks.find.crop import face_span
from realism.marks.mark import KINDS, Mark, make_mark
from realism.marks.teach.snap import Click, snap_click
from realism.marks.teach.whale_anno import Annotation, Export


@dataclass(frozen=True, eq=False)
class AnnotatedFace:
    """One face with its marks, cut from its picture.

    Attributes
    ----------
    name : str
        Of the picture.
    pixels : (h, w, 3) uint8 ndarray, sRGB
    face : Face
        In px of `pixels`.
    skin : (h, w) float32 ndarray, 0..1
    clicks : tuple of Click
        The marks, in px of `pixels`, in the order of the annotation.
    ignored : tuple of Mark
        Places that may be marks although nobody clicked there: in training they count neither
        way, as the ignore regions of other annotations. Training fills them in.
    origin : (int, int), px of the picture
        At the (0, 0) of `pixels`.
    scale : float
        Px of `pixels` per px of the picture.
    """

    name: str
    pixels: np.ndarray
    face: Face
    skin: np.ndarray
    clicks: tuple[Click, ...]
    ignored: tuple[Mark, ...] = ()
    origin: tuple[int, int] = (0, 0)
    scale: float = 1.0

    @property
    def span(self) -> float:
        """px from ear to ear."""
        return face_span(self.face)

    def to_picture(self, point: np.ndarray) -> np.ndarray:
        """A point (2,) of `pixels` in px of the picture it was cut from."""
        return (point + 0.5) / self.scale - 0.5 + self.origin

    def marks(self) -> list[Mark]:
        """The clicks, snapped, as marks."""
        return [make_mark(click.kind, click.xy, click.radius) for click in self.clicks]


@dataclass(frozen=True)
class SkippedPicture:
    """An annotated picture that cannot be used, and why."""

    name: str
    reason: Message


def read_annotated_faces(
    export: Export, images: Path, engine: Engine, max_span: float | None = None
) -> Iterator[AnnotatedFace | SkippedPicture]:
    """The faces of a whale-anno export, one at a time.

    Parameters
    ----------
    export : Export
    images : Path
        Folder of the pictures.
    engine : Engine
    max_span : float, px from ear to ear, optional
        Larger faces are reduced to it; by default they are kept.

    Raises
    ------
    InputError
        At once when the folder is missing or holds none of the pictures.
    """
    pictures = match_pictures(export, images)
    return (_read(annotation, path, engine, max_span) for annotation, path in pictures)


def match_pictures(export: Export, images: Path) -> list[tuple[Annotation, Path | None]]:
    """Each annotation with its picture's file, None where the folder lacks it.

    whale-anno opens .jpg and .png only, so people rename: a picture is also taken by its name in
    other letters, and then by its stem where one picture has it.

    Raises
    ------
    InputError
        When the folder is missing or holds none of the pictures.
    """
    images = Path(images)
    if not images.is_dir():
        raise InputError("annotated_folder_not_found", folder=images)
    files = sorted(f for f in images.iterdir() if f.suffix.lower() in SUFFIXES)
    exact = {file.name: file for file in files}
    folded = {file.name.lower(): file for file in files}
    stems: dict[str, list[Path]] = {}
    for file in files:
        stems.setdefault(file.stem.lower(), []).append(file)

    def find_file(name: str) -> Path | None:
        alike = stems.get(Path(name).stem.lower(), [])
        only = alike[0] if len(alike) == 1 else None
        return exact.get(name) or folded.get(name.lower()) or only

    pictures = [(annotation, find_file(annotation.file_name)) for annotation in export.annotations]
    if not any(path for _, path in pictures):
        raise InputError(
            "annotated_pictures_not_found",
            pictures=len(pictures),
            folder=images,
            first=export.annotations[0].file_name,
        )
    return pictures


def _read(
    annotation: Annotation, path: Path | None, engine: Engine, max_span: float | None
) -> AnnotatedFace | SkippedPicture:
    if path is None:
        return SkippedPicture(annotation.file_name, Message("picture_not_in_folder"))
    try:
        photo = open_photo(path)
        face = primary_face(engine.find(photo.pixels))
    except InputError as reason:
        return SkippedPicture(annotation.file_name, reason.message)
    height, width = photo.pixels.shape[:2]
    marks = annotation.marks(width, height)
    clicks = [snap_click(photo.pixels, mark.kind, mark.xy, face_span(face)) for mark in marks]
    skin = skin_mask(photo.pixels, face)
    return cut_out_face(annotation.file_name, photo.pixels, face, skin, clicks, max_span)


def cut_out_face(
    name: str,
    pixels: np.ndarray,
    face: Face,
    skin: np.ndarray,
    clicks: list[Click],
    max_span: float | None = None,
) -> AnnotatedFace:
    """The face with a margin of a third of its width, and all that lies on it.

    Parameters
    ----------
    name : str
        Of the picture.
    pixels : (H, W, 3) uint8 ndarray, sRGB
    face : Face
    skin : (H, W) float32 ndarray, 0..1
    clicks : list of Click
        In px of the picture, as the face.
    max_span : float, px from ear to ear, optional
        As of `read_annotated_faces`.
    """
    span, (height, width) = face_span(face), pixels.shape[:2]
    low = np.minimum(face.mesh[:, :2].min(0), face.box[:2]) - span / 3
    high = np.maximum(face.mesh[:, :2].max(0), face.box[2:]) + span / 3
    x0, y0 = np.clip(np.floor(low), 0, [width - 2, height - 2]).astype(int)
    x1, y1 = np.clip(np.ceil(high), [x0 + 2, y0 + 2], [width, height]).astype(int)
    pixels, skin = pixels[y0:y1, x0:x1].copy(), skin[y0:y1, x0:x1].copy()
    scale = min(1.0, max_span / span) if max_span else 1.0
    if scale < 1:
        size = (round((x1 - x0) * scale), round((y1 - y0) * scale))
        pixels, skin = (cv2.resize(a, size, interpolation=cv2.INTER_AREA) for a in (pixels, skin))

    def to_cut(points: np.ndarray) -> np.ndarray:
        # Resizing keeps the corners in place, not the pixels' centres.
        return ((points - [x0, y0] + 0.5) * scale - 0.5).astype(np.float32)

    depth = face.mesh[:, 2:] * scale
    own = replace(
        face,
        box=to_cut(face.box.reshape(2, 2)).ravel(),
        landmarks=to_cut(face.landmarks),
        mesh=np.concatenate([to_cut(face.mesh[:, :2]), depth], 1).astype(np.float32),
    )
    placed = tuple(
        replace(
            click,
            clicked_xy=to_cut(click.clicked_xy),
            xy=to_cut(click.xy),
            radius=click.radius * scale,
        )
        for click in clicks
    )
    skin = skin.astype(np.float32)
    origin = (int(x0), int(y0))
    return AnnotatedFace(name, pixels, own, skin, placed, origin=origin, scale=float(scale))


def count_kinds(faces: list[AnnotatedFace]) -> dict[str, int]:
    """How many marks of each kind there are."""
    return {kind: sum(c.kind == kind for face in faces for c in face.clicks) for kind in KINDS}
