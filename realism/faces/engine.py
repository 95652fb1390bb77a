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
    """What finds faces: `InsightFaceEngine` or `DlibEngine`.

    Attributes
    ----------
    name : str
        "insightface" or "dlib".
    licence : Message
        The terms of its weights in a line, shown wherever it is used.
    note : Message or None
        Why it is this one, where that is worth a sentence.
    same_person : float
        Cosine of two embeddings from which they count as of one person.
    """

    name: str
    licence: Message
    note: Message | None
    same_person: float

    def find(self, pixels: np.ndarray) -> list[Face]:
        """All faces of a picture.

        Parameters
        ----------
        pixels : np.ndarray, (H, W, 3) uint8 sRGB

        Returns
        -------
        list of Face
            Largest first; empty when there is none.
        """
        ...


ENGINES = ("insightface", "dlib")


def load_engine(name: str | None = None) -> Engine:
    """The engine of that name, loaded once in a process.

    Parameters
    ----------
    name : str, optional
        One of `ENGINES`; by default that of `$REALISM_FACE_ENGINE`, else the best to be had.

    Raises
    ------
    InputError
        The name is unknown, or InsightFace is asked for by name and its pack cannot be had.
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

    Parameters
    ----------
    faces : list of Face
        Largest first, as an engine gives them.

    Raises
    ------
    InputError
        `face_not_found`, or `no_largest_face` when two are of like size.
    """
    if not faces:
        raise InputError("face_not_found")
    if len(faces) > 1 and faces[0].area < CHECK.clearly_largest * faces[1].area:
        raise InputError("no_largest_face", faces=len(faces))
    return faces[0]
