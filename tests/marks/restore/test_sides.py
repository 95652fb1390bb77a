"""Left stays left in training, passport and portrait; of several faces the person's is taken."""

from dataclasses import replace

import numpy as np
import pytest
from marked import MELANIN, painted

from realism.errors import InputError
from realism.faces.engine import primary_face
from realism.faces.face import Pose
from realism.faces.skin import skin_mask
from realism.finetune.crops import crop_photo
from realism.images import Photo
from realism.marks.atlas import build_atlas, on_mean_head
from realism.marks.mark import Mark, RoundMark
from realism.marks.photo import MarkedPhoto
from realism.marks.restore.prepare import prepare_restore
from realism.marks.restore.report import find_person

LEFT_CHEEK, RIGHT_CHEEK = 280, 50  # mesh points; the person's own sides


@pytest.fixture(scope="module")
def marked(mei, engine) -> tuple[Photo, object, Mark]:
    """A photo with a large mole painted on the person's left cheek, and nowhere else."""
    pixels, face = mei[0].pixels, primary_face(engine.find(mei[0].pixels))
    xy = face.mesh[LEFT_CHEEK, :2]
    spotted = painted(pixels, tuple(xy), 6.0, 1.6 * MELANIN)
    return Photo(mei[0].name, spotted), face, RoundMark("mole", xy.astype(np.float32), 6.0)


def test_what_is_learned_from_is_never_mirrored(marked, mei):
    photo, face, _ = marked
    bare = crop_photo(mei[0], face, "ohwx woman", 256)
    sides = []
    for crop, without in zip(crop_photo(photo, face, "ohwx woman", 256), bare, strict=True):
        darker = without.pixels.astype(int).sum(2) - crop.pixels.astype(int).sum(2)
        if (darker > 60).any():
            sides.append(np.argwhere(darker > 60)[:, 1].mean())
    # On a face that looks at the camera the person's left is the picture's right.
    assert len(sides) >= 2 and min(sides) > 128


def test_a_mark_of_the_left_cheek_is_on_the_left_of_the_passport_and_of_every_portrait(
    marked, mei, engine
):
    photo, face, mark = marked
    source = MarkedPhoto(photo.name, photo.pixels, face, skin_mask(photo.pixels, face), [mark])
    (entry,) = build_atlas([source]).entries
    assert on_mean_head(entry.place)[0] > 20  # mm to the person's left
    placed = 0
    for portrait in mei[1:8]:
        seen = primary_face(engine.find(portrait.pixels))
        (spot,) = prepare_restore(
            portrait.pixels, seen, skin_mask(portrait.pixels, seen), [source]
        ).placements
        if spot.visible:
            placed += 1
            gaps = [np.hypot(*(spot.to - seen.mesh[p, :2])) for p in (LEFT_CHEEK, RIGHT_CHEEK)]
            assert gaps[0] < gaps[1]
    assert placed >= 4


def test_of_two_faces_on_a_portrait_the_persons_is_taken(two_people, mei, ravi, engine):
    for photos in (mei, ravi):
        embeddings = [primary_face(engine.find(photo.pixels)).embedding for photo in photos[:3]]
        face = find_person(two_people, embeddings, engine)
        others = [f for f in engine.find(two_people.pixels) if f.box[0] != face.box[0]]
        assert others and face.embedding @ embeddings[0] > others[0].embedding @ embeddings[0]


def test_a_profile_is_refused_with_what_to_use(mei, engine):
    class Turned:
        """The engine, on a head that is turned far."""

        name = engine.name

        @staticmethod
        def find(pixels):
            return [replace(face, pose=Pose(71, 0, 0)) for face in engine.find(pixels)]

    with pytest.raises(InputError, match=r"turned by 71°.*from the front or half turned"):
        find_person(mei[0], [], Turned)
