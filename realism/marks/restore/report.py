"""A portrait and photos in, the restored portrait and its report out.

Joins the parts of step 4 for the shell and the demo: the person's face on the portrait, the
marks of each photo (given or found), their places, the blend, and the likeness before and after
on the scale of the photos among themselves.
"""

from dataclasses import dataclass

import numpy as np

from realism.checks import photo_to_photo
from realism.errors import InputError, Message
from realism.faces.engine import Engine, the_face
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


@dataclass(frozen=True, eq=False)
class Restored:
    """A portrait with the person's marks.

    pixels      (H, W, 3) uint8 sRGB
    prepared    for another blend under other sliders
    report      {"placements": [...], "similarity": {"before", "after", "photos"}}, plain JSON;
                "after" is None where the engine finds no face any more, "photos" with one photo
    """

    pixels: np.ndarray
    prepared: Prepared
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
    scale = photo_to_photo(photos)
    near = {
        "before": _nearest(face, photos),
        "after": max((_nearest(one, photos) for one in engine.find(pixels)), default=None),
        "photos": round(float(np.mean(scale)), 4) if len(scale) > 1 else None,
    }
    placements = placements_to_json(list(prepared.placements))
    for index in seldom:
        if placements[index]["visible"]:
            seen = placements[index]["sightings"]
            why = Message("seen_on_few", seen=seen, photos=len(sources))
            placements[index] |= {"visible": False, **why_to_json(why)}
    return Restored(pixels, prepared, {"placements": placements, "similarity": near})


def person_in(portrait: Photo, photos: list[np.ndarray], engine: Engine) -> Face:
    """The person's face on a portrait: of several, the one most like the photos.

    photos    (D,) unit embeddings
    Raises InputError without a face, and for a profile: half of its places would be guessed.
    """
    faces = engine.find(portrait.pixels)
    if not faces:
        raise InputError("portrait_without_face", name=portrait.name)
    if len(faces) == 1 or not photos:
        face = the_face(faces)
    else:
        face = max(faces, key=lambda face: _nearest(face, photos))
    if abs(face.pose.yaw) > MOST_TURNED:
        raise InputError(
            "portrait_turned", name=portrait.name, turn=abs(face.pose.yaw), most=MOST_TURNED
        )
    return face


def _nearest(face: Face, photos: list[np.ndarray]) -> float:
    return round(max(similarity(face.embedding, photo) for photo in photos), 4)
