"""Faces are found where they are, turned as they are, and told apart."""

import cv2
import numpy as np
import pytest
from marked import truth_of

from realism.errors import InputError
from realism.faces.detect import overlap
from realism.faces.engine import primary_face
from realism.faces.face import eye_centres, similarity
from realism.faces.mesh import FaceMesh
from realism.faces.second_look import look_again, mirror_points
from realism.images import to_linear


@pytest.fixture(scope="module")
def found(engine, mei, ravi):
    """Photos of both, each with the faces that were found."""
    return [(photo, engine.find(photo.pixels)) for photo in (*mei, *ravi)]


def test_every_example_photo_shows_exactly_one_face_strong_turns_included(found):
    assert [len(faces) for _, faces in found] == [1] * 28
    assert max(abs(truth_of(photo)["pose"]["yaw"]) for photo, _ in found) > 45


def test_eyes_nose_and_lips_lie_within_millimetres_of_the_truth(found):
    errors = []
    for photo, faces in found:
        truth = truth_of(photo)
        off = faces[0].landmarks + 0.5 - np.array(truth["landmarks68"])
        error = np.linalg.norm(off, axis=1) * truth["mm_per_px"]
        errors.append(np.where(truth["landmarks68_visible"], error, np.nan))
    errors = np.array(errors)
    assert np.nanmedian(errors[:, 36:48]) < 3  # eyes
    assert np.nanmedian(errors[:, 27:36]) < 4  # nose
    assert np.nanmedian(errors[:, 48:68]) < 4  # lips


def test_pose_has_the_sign_and_size_of_the_truth(found):
    for axis, most in (("yaw", 4), ("pitch", 4), ("roll", 2)):
        seen = np.array([getattr(faces[0].pose, axis) for _, faces in found])
        true = np.array([truth_of(photo)["pose"][axis] for photo, _ in found])
        assert np.median(np.abs(seen - true)) < most
        assert np.corrcoef(seen, true)[0, 1] > 0.9


def test_a_mirrored_face_turns_the_other_way(engine, mei):
    straight = primary_face(engine.find(mei[1].pixels)).pose
    mirrored = primary_face(engine.find(mei[1].pixels[:, ::-1].copy())).pose
    assert straight.yaw > 20
    assert mirrored.yaw == pytest.approx(-straight.yaw, abs=4)


def test_a_real_face_is_found_and_its_box_lies_on_it(engine, astronaut):
    face = primary_face(engine.find(astronaut))
    x, y = (face.box[:2] + face.box[2:]) / 2
    assert (x, y) == (pytest.approx(225, abs=12), pytest.approx(130, abs=15))
    assert 85 < face.width < 125
    assert face.mesh.shape == (468, 3) and face.landmarks.shape == (68, 2)
    assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5)


def test_photos_of_one_person_are_more_alike_than_of_two(found):
    people = np.array([photo.name[:3] for photo, _ in found])
    vectors = np.stack([faces[0].embedding for _, faces in found])
    alike = vectors @ vectors.T
    same = (people[:, None] == people) & ~np.eye(28, dtype=bool)
    other = people[:, None] != people
    assert np.median(alike[same]) > 0.4
    assert np.median(alike[other]) < 0.1
    # The scale of the product: a photo's best match among its own against any of the other's.
    assert (np.where(same, alike, -1).max(1) > np.where(other, alike, -1).max(1)).all()


def test_one_picture_in_two_sizes_is_one_person(engine, astronaut):
    small = primary_face(engine.find(astronaut)).embedding
    large = primary_face(engine.find(cv2.resize(astronaut, (1400, 1400)))).embedding
    assert similarity(small, large) > 0.9


def test_ten_faces_in_one_picture_are_all_found(engine, mei, ravi):
    rows = [np.hstack([photo.pixels for photo in photos[:5]]) for photos in (mei, ravi)]
    faces = engine.find(np.vstack(rows))
    assert len(faces) == 10
    assert [face.area for face in faces] == sorted((f.area for f in faces), reverse=True)
    with pytest.raises(InputError, match=r"10 faces.*Crop"):
        primary_face(faces)


def test_a_small_face_in_a_large_picture_is_found(engine, mei):
    canvas = np.full((1500, 2000, 3), 120, np.uint8)
    canvas[900:1028, 300:428] = cv2.resize(mei[0].pixels, (128, 128), interpolation=cv2.INTER_AREA)
    face = primary_face(engine.find(canvas))
    assert 300 < face.box[0] < face.box[2] < 428


def test_pictures_without_a_face_give_none(engine):
    import skimage.data

    for picture in (skimage.data.cat(), skimage.data.coffee(), skimage.data.rocket()):
        assert engine.find(picture) == []
    assert engine.find(np.full((64, 64, 3), 255, np.uint8)) == []
    with pytest.raises(InputError, match="No face"):
        primary_face([])


def test_the_largest_face_is_taken_when_it_is_clearly_the_subject(engine, mei, ravi):
    picture = mei[0].pixels.copy()
    picture[:120, :120] = cv2.resize(ravi[0].pixels, (120, 120), interpolation=cv2.INTER_AREA)
    faces = engine.find(picture)
    assert len(faces) == 2
    assert primary_face(faces) is faces[0]
    assert faces[0].width > 150


def test_a_turned_face_that_the_edge_cuts_is_found_in_the_dark(engine, mei, ravi):
    for photo, side, fall, dim in ((ravi[6], -1, 4.0, 1.0), (mei[6], 1, 0.0, 0.01)):
        face = primary_face(engine.find(photo.pixels))
        x0, y0, x1, y1 = (face.box + 0.08 * face.width * np.array([1, 1, -1, -1])).astype(int)
        across = (np.arange(photo.pixels.shape[1]) - face.box[0]) / face.width
        across = across if side > 0 else 1 - across
        light = to_linear(photo.pixels) * dim
        light = light * np.exp(-fall * np.clip(1 - 1.1 * across, 0, 1))[None, :, None]
        dark = np.rint(255 * np.clip(light, 0, 1) ** (1 / 2.2)).astype(np.uint8)[y0:y1, x0:x1]
        seen = primary_face(engine.find(np.ascontiguousarray(dark)))
        assert overlap(seen.box, face.box - [x0, y0, x0, y0]) > 0.6


def test_the_second_look_sees_what_the_first_does_and_mirrored_the_same(engine, mei):
    face = primary_face(engine.find(mei[0].pixels))
    points = mirror_points()
    assert (points[points] == np.arange(468)).all() and points[33] == 263 and points[61] == 291
    mesh, presence = look_again(FaceMesh(), mei[0].pixels, face.box, eye_centres(face.mesh))
    assert presence > 0.7
    assert np.linalg.norm((mesh - face.mesh)[:, :2], axis=1).mean() < 0.03 * face.width


def test_nothing_is_a_face_at_the_second_look_where_there_is_none(engine, mei):
    face = primary_face(engine.find(mei[0].pixels))
    blurred = cv2.GaussianBlur(mei[0].pixels, (0, 0), face.width / 8)
    for picture in (blurred, np.rot90(mei[0].pixels, 2)):
        at = np.float32([100, 100, 260, 260])
        assert look_again(FaceMesh(), picture, at, np.float32([[140, 160], [220, 160]])) is None
