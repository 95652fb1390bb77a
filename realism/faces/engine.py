"""Choose the engine that finds faces, and the subject of a picture.

InsightFace where its pack is on disk or can be fetched, else the embedded engine; one call to
`load_engine` decides, and `engine.note` says why. `$REALISM_FACE_ENGINE` chooses by hand.
"""

import os
from functools import cache
from typing import Protocol

import numpy as np

from realism.config import CHECK
from realism.errors import InputError, Message
from realism.faces.dlib import DlibEngine
from realism.faces.face import Face
from realism.faces.insightface import InsightFaceEngine, fetch_pack


class Engine(Protocol):
    """What finds faces: `insightface.py` or `dlib.py`.

    name       "insightface" | "dlib"
    licence    one line on the terms of its weights, shown wherever it is used
    note       why it is this one, where that is worth a sentence; else None
    """

    name: str
    licence: Message
    note: Message | None

    def find(self, pixels: np.ndarray) -> list[Face]:
        """All faces of an image `(H, W, 3) uint8 sRGB`, largest first; [] when there is none."""


ENGINES = ("insightface", "dlib")


def load_engine(name: str | None = None) -> Engine:
    """The engine `name`, else that of `$REALISM_FACE_ENGINE`, else the best that can be had.

    Loaded once in a process. Raises InputError for an unknown name, or when InsightFace is asked
    for by name and its pack cannot be had.
    """
    return _load(name or os.environ.get("REALISM_FACE_ENGINE") or None)


@cache
def _load(name: str | None) -> Engine:
    if name not in (None, *ENGINES):
        raise InputError("face_engine_not_known", engine=name, choices=ENGINES)
    if name == "dlib":
        return DlibEngine()
    try:
        return InsightFaceEngine(fetch_pack())
    except InputError as reason:
        if name == "insightface":
            raise InputError("use_embedded_engine", reason=reason) from reason
        return DlibEngine(note=Message("embedded_engine_used", reason=reason))


def primary_face(faces: list[Face]) -> Face:
    """The subject of a picture: its only face, or the one that is clearly the largest.

    faces    largest first, as an engine gives them
    Raises InputError when there is no face, or when two are of like size.
    """
    if not faces:
        raise InputError("face_not_found")
    if len(faces) > 1 and faces[0].area < CHECK.clearly_largest * faces[1].area:
        raise InputError("no_largest_face", faces=len(faces))
    return faces[0]
