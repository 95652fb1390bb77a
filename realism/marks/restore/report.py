"""A portrait and photos in, the restored portrait and its report out.

Joins the parts of step 4 for the shell and the demo: the person's face on the portrait, the
marks of each photo (given or found), their places, the blend, and the likeness before and after
on the scale of the photos among themselves.
"""

from dataclasses import dataclass

import numpy as np

from realism.checks import photo_to_photo
from realism.errors import InputError, Message
from realism.faces.engine import Engine, primary_face
from realism.faces.face import Face, similarity
from realism.faces.skin import skin_mask
from realism.images import Photo
from realism.marks.observation import BELIEVED
from realism.marks.photo import Source
from realism.marks.restore.blend import Sliders, blend
from realism.marks.restore.placement import placements_to_json, why_to_json
from realism.marks.restore.prepare import Prepared, prepare, rare

# Where marks go.
MOST_TURNED = 60.0  # degrees of a portrait's head; the mesh is a guess beyond


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


@dataclass(frozen=True, eq=False)
class Restored:
    """A portrait with the person's marks.

    pixels      (H, W, 3) uint8 sRGB
    prepared    for another blend under other sliders
    likeness    to the photos, before and after
    report      {"placements": [...], "similarity": {"before", "after", "photos"}}, plain JSON;
                "after" is None where the engine finds no face any more, "photos" with one photo
    """

    pixels: np.ndarray
    prepared: Prepared
    likeness: Likeness
    report: dict


def restore_portrait(
    portrait: Photo,
    sources: list[Source],
    engine: Engine,
    method: str = "ratio",
    placement: str = "head",
    sliders: Sliders | None = None,
    least_sightings: int = BELIEVED,
) -> Restored:
    """Put the marks of the photos back into a portrait.

    least_sightings    photos that must show a mark, see `restore.rare`; those with fewer are
                       reported, not put back
    Raises InputError: no photos, no face on the portrait, another method or placement.
    """
    if not sources:
        raise InputError("no_photo_of_marks")
    photos = [source.face.embedding for source in sources]
    face = person_in(portrait, photos, engine)
    skin = skin_mask(portrait.pixels, face)
    prepared = prepare(portrait.pixels, face, skin, sources, method, placement)
    seldom = rare(prepared.placements, len(sources), least_sightings)
    pixels = blend(prepared, sliders or Sliders(), frozenset(seldom))
    likeness = measure_likeness(face, pixels, photos, engine)
    placements = placements_to_json(list(prepared.placements))
    for index in seldom:
        if placements[index]["visible"]:
            seen = placements[index]["sightings"]
            why = Message("seen_on_few", seen=seen, photos=len(sources))
            placements[index] |= {"visible": False, **why_to_json(why)}
    report = {"placements": placements, "similarity": likeness_to_json(likeness)}
    return Restored(pixels, prepared, likeness, report)


def person_in(portrait: Photo, photos: list[np.ndarray], engine: Engine) -> Face:
    """The person's face on a portrait: of several, the one most like the photos.

    photos    (D,) unit embeddings
    Raises InputError without a face, and for a profile: half of its places would be guessed.
    """
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
    return face


def measure_likeness(
    before: Face, restored: np.ndarray, photos: list[np.ndarray], engine: Engine
) -> Likeness:
    """How like the person a portrait is, before and after its marks came back.

    Parameters
    ----------
    before : Face
        The person's face on the portrait, of `person_in`.
    restored : (H, W, 3) uint8 sRGB
        The portrait with its marks. Of several faces the one most like the photos counts.
    photos : list of (D,) float32
        Unit embeddings, one or more.
    engine : Engine
        By which all these were made.
    """
    after = [_nearest(face, photos) for face in engine.find(restored)]
    among = photo_to_photo(photos)
    return Likeness(
        _nearest(before, photos),
        max(after, default=None),
        tuple(map(float, among)) if len(among) > 1 else (),
    )


def likeness_to_json(likeness: Likeness) -> dict[str, float | None]:
    """The report's "similarity"."""
    before, after, photos = likeness.before, likeness.after, likeness.photos
    return {
        "before": round(before, 4),
        "after": None if after is None else round(after, 4),
        "photos": round(float(np.mean(photos)), 4) if photos else None,
    }


def _nearest(face: Face, photos: list[np.ndarray]) -> float:
    return max(similarity(face.embedding, photo) for photo in photos)
