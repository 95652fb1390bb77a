"""How far one picture of a face lies off another, by the network."""

import cv2
import numpy as np
import pytest

from realism.head.shift_network import PX, SIZE, STEP, see_face, see_shifts

EVERYWHERE = np.ones((SIZE[1] // STEP, SIZE[0] // STEP), bool)
CHEEKS = np.s_[16:30, 12:28]  # rows and columns of the answers


@pytest.fixture(scope="module")
def face(mei, engine):
    """A face as the network sees it, a little more than a mm a px."""
    photo = mei[0]
    mesh = engine.find(photo.pixels)[0].mesh[:, :2]
    scale = 150 / np.ptp(mesh[:, 0])  # px over the picture's; a face is 165 mm wide, nearly
    move = np.array(SIZE) / 2 - mesh.mean(0) * scale
    return cv2.warpAffine(photo.pixels, np.column_stack([scale * np.eye(2), move]), SIZE)


def seen(ours, theirs):
    """Median shift over the cheeks and nose, mm, and what the network says it is off by."""
    answers = see_shifts(see_face(ours), see_face(theirs), EVERYWHERE)
    return [np.median(answer[CHEEKS].reshape(-1, 2), axis=0) for answer in answers]


def test_a_face_lies_where_it_is_and_a_moved_one_where_it_was_moved_to(face):
    np.testing.assert_allclose(seen(face, face)[0], 0, atol=0.3)
    moved = np.roll(face, (2, -3), (0, 1))
    np.testing.assert_allclose(seen(face, moved)[0], [-3 * PX, 2 * PX], atol=0.7)


def test_a_smoothed_face_in_another_light_is_found_too_and_less_surely(face):
    moved = cv2.bilateralFilter(np.roll(face, (2, -3), (0, 1)), 9, 60, 5)
    ramp = np.linspace(0.5, 1.2, SIZE[0])[None, :, None]
    lit = np.clip(cv2.GaussianBlur(moved, (0, 0), 1.5) * ramp, 0, 255).astype(np.uint8)
    shift, unsure = seen(face, lit)
    np.testing.assert_allclose(shift, [-3 * PX, 2 * PX], atol=1.2)
    assert (unsure > seen(face, face)[1]).all()
