"""Step 3: order portraits by how much they look like the person.

A portrait's similarity is the largest cosine of its face with the face of any accepted photo: one
photo in the same light and turn is enough to recognise somebody. Equal ones are ordered by seed. A
portrait on which not exactly one face is found cannot be compared; it is listed last with the
reason, never dropped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from realism.errors import InputError, Message
from realism.faces.face import Face, similarity

DIGITS = 6  # of a cosine: float32 holds no more, and equal pictures must come out equal


@dataclass(frozen=True)
class Ranked:
    """A portrait in its place.

    name             file name of the portrait
    rank             1 is the closest
    similarity       largest cosine with any photo, -1..1; None where it could not be compared
    closest_photo    name of that photo, or None
    reason           why it could not be compared; None where it was
    mean_of_three    mean of the three largest cosines: high only when several photos agree
    copied           closer to a photo than any two photos are to each other: look whether it
                     repeats that photo instead of showing the person anew
    similarities     photo name -> cosine, largest first
    """

    name: str
    rank: int
    similarity: float | None
    closest_photo: str | None
    reason: Message | None
    mean_of_three: float | None
    copied: bool
    similarities: dict[str, float]


def rank(
    portraits: Sequence[tuple[str, Sequence[Face]]],
    photos: Sequence[tuple[str, np.ndarray]],
    seeds: Mapping[str, int] | None = None,
    photo_to_photo: Sequence[float] = (),
) -> list[Ranked]:
    """Order portraits, the closest first.

    portraits         (name, all faces found on it)
    photos            (name, (D,) float32 unit embedding) of the accepted photos, same engine
    seeds             portrait name -> seed, to order equal ones; without, by name
    photo_to_photo    cosine of each photo with the best of the others: the person's own scale
    Raises InputError where there is nothing to compare.
    """
    if not photos:
        raise InputError("no_photo_to_compare")
    if not portraits:
        raise InputError("no_portrait_to_rank")
    compared = [_compared(name, faces, photos, photo_to_photo) for name, faces in portraits]
    seeds = seeds or {}

    def place(one: dict) -> tuple:
        cosine = one["similarity"]
        missing = cosine is None
        return missing, 0.0 if missing else -cosine, seeds.get(one["name"], np.inf), one["name"]

    return [Ranked(rank=n, **one) for n, one in enumerate(sorted(compared, key=place), 1)]


def _compared(
    name: str,
    faces: Sequence[Face],
    photos: Sequence[tuple[str, np.ndarray]],
    photo_to_photo: Sequence[float],
) -> dict:
    """A Ranked without its rank."""
    if len(faces) != 1:
        reason = Message("portrait_has_no_face")
        if faces:
            reason = Message("portrait_has_several_faces", faces=len(faces))
        return {
            "name": name, "similarity": None, "closest_photo": None, "reason": reason,
            "mean_of_three": None, "copied": False, "similarities": {},
        }  # fmt: skip
    cosines = {
        photo: round(similarity(faces[0].embedding, embedding), DIGITS)
        for photo, embedding in photos
    }
    ordered = dict(sorted(cosines.items(), key=lambda one: (-one[1], one[0])))
    closest, largest = next(iter(ordered.items()))
    return {
        "name": name,
        "similarity": largest,
        "closest_photo": closest,
        "reason": None,
        "mean_of_three": round(float(np.mean(list(ordered.values())[:3])), DIGITS),
        "copied": bool(photo_to_photo) and largest > max(photo_to_photo),
        "similarities": ordered,
    }


def rank_to_json(ranked: Sequence[Ranked]) -> list[dict]:
    """The fixed form that `python -m realism rank --json` writes, in the order of the ranks."""
    return [
        {
            "portrait": one.name,
            "similarity": one.similarity,
            "closest_photo": one.closest_photo,
            "rank": one.rank,
            "reason": str(one.reason) if one.reason else None,
        }
        for one in ranked
    ]
