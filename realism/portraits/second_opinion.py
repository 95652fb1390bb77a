"""What another face engine says of how alike portraits are, beside the one that ranks.

Cosines of two engines do not compare, so each is given with its own scale, the photos among
themselves, and with the place that a portrait would have by this engine alone. Where two engines
agree, neither was taken in by a pose or a light; the ranking is not touched.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from realism.checks import photo_to_photo
from realism.faces.engine import Engine, find_same_face
from realism.faces.face import Face, similarity

DIGITS = 6  # of a cosine: float32 holds no more, and equal pictures must come out equal


@dataclass(frozen=True)
class SecondOpinion:
    """What the second engine says of a portrait.

    Attributes
    ----------
    engine : str
        Its name.
    similarity : float or None
        Largest cosine with any photo, -1..1; None where it finds no face in that place.
    rank : int or None
        The portrait's place by this engine alone, 1 is the closest.
    photos : (float, float) or None
        Least and largest of the photos' cosines with the best of the others; None of one photo.
    """

    engine: str
    similarity: float | None
    rank: int | None
    photos: tuple[float, float] | None


def second_opinions(
    portraits: Iterable[tuple[str, np.ndarray, Sequence[Face]]],
    photos: Iterable[tuple[np.ndarray, Face]],
    engine: Engine,
) -> dict[str, SecondOpinion]:
    """Ask the engine's second of portraits, too.

    Parameters
    ----------
    portraits : iterable of (str, (H, W, 3) uint8 sRGB, sequence of Face)
        Name, picture, and the faces that the engine found; without exactly one it is left out.
    photos : iterable of ((H, W, 3) uint8 sRGB, Face)
        The accepted photos, each with the face that the engine found.
    engine : Engine
        The one that ranks.

    Returns
    -------
    dict of str to SecondOpinion
        By name; empty where the engine has no second, or it finds the person on no photo.
    """
    second = engine.second
    if second is None:
        return {}
    there = [find_same_face(face, pixels, second) for pixels, face in photos]
    known = [face.embedding for face in there if face is not None]
    if not known:
        return {}
    cosines: dict[str, float | None] = {}
    for name, pixels, faces in portraits:
        if len(faces) != 1:
            continue
        face = find_same_face(faces[0], pixels, second)
        nearest = max(similarity(face.embedding, photo) for photo in known) if face else None
        cosines[name] = None if nearest is None else round(nearest, DIGITS)
    ordered = sorted((cosine for cosine in cosines.values() if cosine is not None), reverse=True)
    scale = photo_to_photo(known)
    photos_scale = (round(min(scale), DIGITS), round(max(scale), DIGITS)) if scale[1:] else None
    return {
        name: SecondOpinion(
            second.name,
            cosine,
            None if cosine is None else ordered.index(cosine) + 1,
            photos_scale,
        )
        for name, cosine in cosines.items()
    }
