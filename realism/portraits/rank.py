"""Step 3: order portraits by how much they look like the person.

A portrait's similarity is the largest cosine of its face with the face of any accepted photo: one
photo in the same light and turn is enough to recognise somebody. Equal ones are ordered by seed. A
portrait on which not exactly one face is found cannot be compared; it is listed last with the
reason, never dropped.

Where a second face engine is at hand, what it says stands beside each and moves nothing.

A ranking is kept with what it was made from, so that it is read back as long as nothing of that
changed: finding the faces of twenty portraits takes a minute, reading takes none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from realism.disk import write_json
from realism.errors import InputError, Message, message_from_json, message_to_json
from realism.faces.face import Face, similarity
from realism.portraits.second_opinion import DIGITS, SecondOpinion

SCHEMA = 1


@dataclass(frozen=True)
class Ranked:
    """A portrait in its place.

    Attributes
    ----------
    name : str
        File name of the portrait.
    rank : int
        1 is the closest.
    similarity : float or None
        Largest cosine with any photo, -1..1; None where it could not be compared.
    closest_photo : str or None
        Name of that photo.
    reason : Message or None
        Why it could not be compared; None where it was.
    mean_of_three : float or None
        Mean of the three largest cosines: high only when several photos agree.
    copied : bool
        Closer to a photo than any two photos are to each other: look whether it repeats that
        photo instead of showing the person anew.
    similarities : dict of str to float
        Photo name to cosine, largest first.
    second : SecondOpinion or None
        What the other face engine says; None where there is none.
    """

    name: str
    rank: int
    similarity: float | None
    closest_photo: str | None
    reason: Message | None
    mean_of_three: float | None
    copied: bool
    similarities: dict[str, float]
    second: SecondOpinion | None = None


def rank(
    portraits: Sequence[tuple[str, Sequence[Face]]],
    photos: Sequence[tuple[str, np.ndarray]],
    seeds: Mapping[str, int] | None = None,
    photo_to_photo: Sequence[float] = (),
    opinions: Mapping[str, SecondOpinion] | None = None,
    unread: Mapping[str, Message] | None = None,
) -> list[Ranked]:
    """Order portraits, the closest first.

    Parameters
    ----------
    portraits : sequence of (str, sequence of Face)
        Name, and all faces found on it.
    photos : sequence of (str, (D,) float32)
        Name and unit embedding of the accepted photos, by the engine that found the faces.
    seeds : mapping of str to int, optional
        Portrait name to seed, to order equal ones; without, by name.
    photo_to_photo : sequence of float
        Cosine of each photo with the best of the others: the person's own scale.
    opinions : mapping of str to SecondOpinion, optional
        Portrait name to what another engine says of it.
    unread : mapping of str to Message, optional
        Portrait name to why it cannot be opened; no face was found on it.

    Returns
    -------
    list of Ranked
        In the order of the ranks.

    Raises
    ------
    InputError
        Where there is nothing to compare.
    """
    if not photos:
        raise InputError("no_photo_to_compare")
    if not portraits:
        raise InputError("no_portrait_to_rank")
    seeds, opinions, unread = seeds or {}, opinions or {}, unread or {}
    compared = [
        _compare(name, faces, photos, photo_to_photo, unread.get(name)) for name, faces in portraits
    ]

    def place(row: dict) -> tuple:
        cosine = row["similarity"]
        missing = cosine is None
        return missing, 0.0 if missing else -cosine, seeds.get(row["name"], np.inf), row["name"]

    return [
        Ranked(rank=n, second=opinions.get(row["name"]), **row)
        for n, row in enumerate(sorted(compared, key=place), 1)
    ]


def _compare(
    name: str,
    faces: Sequence[Face],
    photos: Sequence[tuple[str, np.ndarray]],
    photo_to_photo: Sequence[float],
    unread: Message | None,
) -> dict:
    """A Ranked without its rank."""
    if len(faces) != 1:
        reason = unread or Message("portrait_has_no_face")
        if faces:
            reason = Message("portrait_has_several_faces", faces=len(faces))
        return {
            "name": name,
            "similarity": None,
            "closest_photo": None,
            "reason": reason,
            "mean_of_three": None,
            "copied": False,
            "similarities": {},
        }
    cosines = {
        photo: round(similarity(faces[0].embedding, embedding), DIGITS)
        for photo, embedding in photos
    }
    ordered = dict(sorted(cosines.items(), key=lambda item: (-item[1], item[0])))
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


def similarities_to(ranked: Sequence[Ranked], photo: str | None) -> list[float]:
    """The cosine of each portrait that could be compared with one photo; [] without it."""
    return [row.similarities[photo] for row in ranked if photo and photo in row.similarities]


def rank_to_json(ranked: Sequence[Ranked]) -> list[dict]:
    """The fixed form that `python -m realism rank --json` writes, in the order of the ranks."""
    return [
        {
            "portrait": row.name,
            "similarity": row.similarity,
            "closest_photo": row.closest_photo,
            "rank": row.rank,
            "reason": str(row.reason) if row.reason else None,
        }
        for row in ranked
    ]


# --- kept, and read back while it holds ----------------------------------------------------------


@dataclass(frozen=True)
class RankingInputs:
    """What a ranking is made from; with other inputs it is out of date.

    Attributes
    ----------
    engine : str
        Name of the face engine.
    portraits : dict of str to list of int
        File name to bytes and time of the last change, ns.
    photos : dict of str to str
        Name of each accepted photo to 16 hexadecimal digits of its embedding.
    second_engine : str or None
        Name of the engine that gives a second opinion.
    """

    engine: str
    portraits: dict[str, list[int]]
    photos: dict[str, str]
    second_engine: str | None = None


def ranking_inputs(
    engine: str,
    portraits: Iterable[Path],
    photos: Iterable[tuple[str, np.ndarray]],
    second_engine: str | None = None,
) -> RankingInputs:
    """What a ranking of these portrait files against these photos (as `rank` takes them) is of."""
    looked_up = {file.name: file.stat() for file in portraits}
    return RankingInputs(
        engine,
        {name: [stat.st_size, stat.st_mtime_ns] for name, stat in looked_up.items()},
        {name: sha256(embedding.tobytes()).hexdigest()[:16] for name, embedding in photos},
        second_engine,
    )


def write_ranking(file: Path, ranked: Sequence[Ranked], inputs: RankingInputs) -> None:
    """Keep a ranking whole, with what it was made from, for `read_ranking`."""
    rows = [
        {**asdict(row), "reason": message_to_json(row.reason) if row.reason else None}
        for row in ranked
    ]
    write_json(file, {"schema": SCHEMA, "inputs": asdict(inputs), "ranking": rows})


def read_ranking(file: Path, inputs: RankingInputs) -> list[Ranked] | None:
    """The ranking that `write_ranking` kept.

    Returns
    -------
    list of Ranked or None
        None where there is none, it was made from something else, or it cannot be read: it holds
        nothing that ranking again does not give.
    """
    from pydantic import TypeAdapter, ValidationError

    if not file.exists():
        return None
    try:
        stored = TypeAdapter(_StoredRanking).validate_json(file.read_bytes())
        if (stored.schema, stored.inputs) != (SCHEMA, inputs):
            return None
        return [
            Ranked(**{**vars(row), "reason": message_from_json(row.reason) if row.reason else None})
            for row in stored.ranking
        ]
    except (ValidationError, KeyError, TypeError):  # the latter two: a message of another version
        return None


@dataclass(frozen=True)
class _StoredRow:
    """A `Ranked` in JSON."""

    name: str
    rank: int
    similarity: float | None
    closest_photo: str | None
    reason: dict | None
    mean_of_three: float | None
    copied: bool
    similarities: dict[str, float]
    second: SecondOpinion | None = None


@dataclass(frozen=True)
class _StoredRanking:
    """The file of `write_ranking`."""

    schema: int
    inputs: RankingInputs
    ranking: list[_StoredRow]
