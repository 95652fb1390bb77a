"""How like the person a portrait is before and after, of two faces on it and of none, too."""

import numpy as np
import pytest

from realism.faces.engine import primary_face
from realism.marks.restore.report import find_person, likeness_to_json, measure_likeness


@pytest.fixture(scope="module")
def photos(mei, engine):
    """Embeddings of three photos."""
    return [primary_face(engine.find(photo.pixels)).embedding for photo in mei[:3]]


def test_of_two_faces_after_restoring_the_persons_is_measured(two_people, photos, engine):
    face = find_person(two_people, photos, engine)
    likeness = measure_likeness(face, two_people.pixels, photos, engine)
    assert likeness.after == likeness.before == max(face.embedding @ photo for photo in photos)
    assert len(likeness.photos) == 3


def test_where_no_face_is_left_there_is_no_likeness_after(mei, photos, engine):
    face, grey = find_person(mei[4], photos, engine), np.full((256, 256, 3), 120, np.uint8)
    likeness = measure_likeness(face, grey, photos, engine)
    assert likeness.after is None and likeness.before > 0.5
    assert likeness_to_json(likeness)["after"] is None


def test_one_photo_has_no_scale_of_its_own(mei, photos, engine):
    face = find_person(mei[4], photos, engine)
    likeness = measure_likeness(face, mei[4].pixels, photos[:1], engine)
    assert likeness.photos == ()
    assert likeness_to_json(likeness)["photos"] is None
