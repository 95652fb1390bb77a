"""Choose the engine that finds faces, and the subject of a picture.

InsightFace where its pack is on disk or can be fetched, else the embedded engine; one call to
`load_engine` decides, and `engine.note` says why. `$REALISM_FACE_ENGINE` chooses by hand.

Where both are at hand, the one that is chosen decides and the other is its `second`: it is asked
how alike a portrait is, too, and changes nothing. Its faces are those at the same places, since
cosines of two engines do not compare. InsightFace is nobody's second unless it is named: its
weights are not free for every use.
"""

import os
from functools import cache
from typing import Protocol

import numpy as np

from realism.config import CHECK
from realism.errors import InputError, Message
from realism.faces.detect import SAME_PLACE, overlap
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
    second : Engine or None
        The other engine where it is at hand, for a second opinion.
    """

    name: str
    licence: Message
    note: Message | None
    same_person: float
    second: "Engine | None"

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
# Of `same_person`: between it and that a picture may be a poor one of the same person, below it
# it is taken for another's. Strangers are around 0 (`benchmarks.faces`).
OTHER_PERSON = 0.5


def load_engine(name: str | None = None) -> Engine:
    """The engine of that name, loaded once in a process.

    Parameters
    ----------
    name : str, optional
        One of `ENGINES`, or both with a comma between them: the first decides, the other is its
        second. By default that of `$REALISM_FACE_ENGINE`, else the best to be had.

    Raises
    ------
    InputError
        The name is unknown, or InsightFace is asked for by name and its pack cannot be had.
    """
    return _load(name or os.environ.get("REALISM_FACE_ENGINE") or None)


@cache
def _load(name: str | None) -> Engine:
    first, _, second = (name or "").replace(" ", "").partition(",")
    if not {first, second} <= {"", *ENGINES} or (second and first in ("", second)):
        raise InputError("face_engine_not_known", engine=name, choices=ENGINES)
    if first == "dlib":
        return DlibEngine(second=_load("insightface") if second else None)
    try:
        return InsightFaceEngine(fetch_pack(), second=_embedded_engine())
    except InputError as reason:
        if first == "insightface":
            raise InputError("use_embedded_engine", reason=reason) from reason
        return DlibEngine(note=Message("embedded_engine_used", reason=reason))


def _embedded_engine() -> DlibEngine | None:
    """The embedded engine beside InsightFace; None where its weights are not installed."""
    try:
        return DlibEngine()
    except InputError:
        return None


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


def find_same_face(face: Face, pixels: np.ndarray, engine: Engine) -> Face | None:
    """A face that one engine found in a picture, as another engine finds it.

    Parameters
    ----------
    face : Face
        Of the first engine.
    pixels : np.ndarray, (H, W, 3) uint8 sRGB
        The picture.
    engine : Engine
        The other.

    Returns
    -------
    Face or None
        None where the other finds none in that place.
    """
    found = [(overlap(face.box, other.box), other) for other in engine.find(pixels)]
    shared, nearest = max(found, key=lambda pair: pair[0], default=(0.0, None))
    return nearest if shared >= SAME_PLACE else None
