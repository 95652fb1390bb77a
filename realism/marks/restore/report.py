"""What a restoration says of itself: whose face it was done on, what was put where, how alike.

Likeness is read on the scale of the photos among themselves, before and after.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from realism.checks import photo_to_photo
from realism.errors import InputError, Message
from realism.faces.engine import OTHER_PERSON, Engine, find_same_face, primary_face
from realism.faces.face import Face, similarity
from realism.images import Photo
from realism.marks.photo import MarkedPhoto
from realism.marks.restore.placement import Placement
from realism.marks.switched import mark_id

MOST_TURNED = 60.0  # degrees of a portrait's head; the mesh is a guess beyond
COURSE = 7  # points of a wrinkle that a report keeps: to draw where it is
SMALL_FACE = 90.0  # px of its width; a mole of 3 mm is not two px there


@dataclass(frozen=True)
class Likeness:
    """How like the person a portrait is, before and after its marks came back.

    Attributes
    ----------
    before : float
        Largest cosine between the person's face on the portrait and a photo.
    after : float or None
        The same of the restored portrait; None where no face is found on it any more.
    photos : tuple of float
        For each photo its largest cosine with another; () of a single photo.
    """

    before: float
    after: float | None
    photos: tuple[float, ...]


def report_to_json(
    placements: Sequence[Placement], off: Mapping[int, Message], likeness: Likeness
) -> dict:
    """The report of a restoration as plain JSON values.

    Parameters
    ----------
    placements : sequence of Placement
        Every mark, those that cannot be shown too.
    off : mapping of int to Message
        Which of them were left out, and why.
    likeness : Likeness
        Of the portrait.

    Returns
    -------
    dict
        {"placements": [...], "similarity": {"before", "after", "photos"}}; "after" is None where
        no face is found any more, "photos" with one photo.
    """
    placed = placements_to_json(list(placements))
    for index, why in off.items():
        if placed[index]["visible"]:
            placed[index] |= {"visible": False, **reason_to_json(why)}
    return {"placements": placed, "similarity": likeness_to_json(likeness)}


def placements_to_json(placements: Sequence[Placement]) -> list[dict]:
    """The report's "placements"."""
    return [
        {
            "id": mark_id(placement.photo, placement.mark),
            "kind": placement.mark.kind,
            "photo": placement.photo,
            "from": [round(float(value), 2) for value in placement.mark.xy],
            "to": [round(float(value), 2) for value in placement.to],
            **_course(placement),
            "visible": placement.visible,
            **reason_to_json(placement.reason),
            "facing": round(placement.facing, 3),
            "sightings": placement.photo_count,
            "chances": placement.visible_in,
        }
        for placement in placements
    ]


def _course(placement: Placement) -> dict[str, list]:
    """{"course": [[x, y], ...]} of a wrinkle on the portrait, px; {} of a round mark."""
    if not len(placement.polyline):
        return {}
    kept = np.linspace(0, len(placement.polyline) - 1, COURSE).round().astype(int)
    return {"course": np.round(placement.polyline[kept], 1).astype(float).tolist()}


def reason_to_json(reason: Message | None) -> dict[str, str]:
    """A placement's "reason", in English, and "code"; "" both for a mark that is put there."""
    return {"reason": str(reason or ""), "code": reason.code if reason else ""}


def find_person(portrait: Photo, photos: Sequence[np.ndarray], engine: Engine) -> Face:
    """The person's face on a portrait: of several, the one most like the photos.

    Parameters
    ----------
    portrait : Photo
    photos : sequence of (D,) float32
        Unit embeddings; without any, the portrait must show one face.
    engine : Engine
        By which these were made.

    Raises
    ------
    InputError
        Without a face, and for a profile: half of its places would be guessed.
    """
    face, _ = find_person_among(portrait, photos, engine)
    return face


def find_person_among(
    portrait: Photo, photos: Sequence[np.ndarray], engine: Engine
) -> tuple[Face, int]:
    """As `find_person`, with how many faces there are."""
    faces = engine.find(portrait.pixels)
    if not faces:
        raise InputError("portrait_without_face", name=portrait.name)
    if len(faces) == 1 or not photos:
        face = primary_face(faces)
    else:
        face = max(faces, key=lambda face: _nearest(face, photos))
    if abs(face.pose.yaw) > MOST_TURNED:
        raise InputError(
            "portrait_turned", name=portrait.name, turn=abs(face.pose.yaw), most=MOST_TURNED
        )
    return face, len(faces)


def note_doubts(
    face: Face, faces: int, photos: Sequence[np.ndarray], engine: Engine
) -> list[Message]:
    """What makes a portrait a doubtful one, each with what to do; marks are put on all the same.

    Parameters
    ----------
    face : Face
        That is taken for the person's.
    faces : int
        On the portrait.
    photos : sequence of (D,) float32
        Unit embeddings, one or more.
    engine : Engine
        By which these were made.
    """
    notes, likeness = [], _nearest(face, photos)
    if likeness < engine.same_person:
        other = likeness < OTHER_PERSON * engine.same_person
        code = "portrait_of_other_person" if other else "portrait_little_alike"
        notes.append(Message(code, likeness=likeness, least=engine.same_person))
    if faces > 1:
        notes.append(Message("portrait_of_several_people", faces=faces))
    if face.width < SMALL_FACE:
        notes.append(Message("portrait_face_small", width=face.width))
    return notes


def measure_likeness(
    before: Face, restored: np.ndarray, photos: Sequence[np.ndarray], engine: Engine
) -> Likeness:
    """How like the person a portrait is, before and after its marks came back.

    Parameters
    ----------
    before : Face
        The person's face on the portrait, of `find_person`.
    restored : (H, W, 3) uint8 sRGB
        The portrait with its marks. Of several faces the one most like the photos counts.
    photos : sequence of (D,) float32
        Unit embeddings, one or more.
    engine : Engine
        By which all these were made.
    """
    after = [_nearest(face, photos) for face in engine.find(restored)]
    among = photo_to_photo(list(photos))
    return Likeness(
        _nearest(before, photos),
        max(after, default=None),
        tuple(map(float, among)) if len(among) > 1 else (),
    )


def second_likeness(
    portrait: np.ndarray,
    face: Face,
    restored: np.ndarray,
    photos: Sequence[MarkedPhoto],
    engine: Engine,
) -> Likeness | None:
    """As `measure_likeness`, by an engine that did not find the faces.

    Parameters
    ----------
    portrait : (H, W, 3) uint8 sRGB
    face : Face
        The person's on it.
    restored : (H, W, 3) uint8 sRGB
        The portrait with its marks.
    photos : sequence of MarkedPhoto
    engine : Engine
        The second.

    Returns
    -------
    Likeness or None
        None where it finds the person not on the portrait, or on no photo.
    """
    there = [find_same_face(photo.face, photo.pixels, engine) for photo in photos]
    known = [found.embedding for found in there if found is not None]
    before = find_same_face(face, portrait, engine)
    return measure_likeness(before, restored, known, engine) if known and before else None


def likeness_to_json(likeness: Likeness) -> dict[str, float | None]:
    """The report's "similarity"."""
    before, after, photos = likeness.before, likeness.after, likeness.photos
    return {
        "before": round(before, 4),
        "after": None if after is None else round(after, 4),
        "photos": round(float(np.mean(photos)), 4) if photos else None,
    }


def _nearest(face: Face, photos: Sequence[np.ndarray]) -> float:
    return max(similarity(face.embedding, photo) for photo in photos)
