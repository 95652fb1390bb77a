"""What a photo does not show of the face is said, or refused where it is too much."""

import cv2
import numpy as np
import pytest

from realism.checks import check_photo
from realism.faces.face import eye_centres
from realism.images import Photo


def codes(reasons) -> list[str]:
    return [reason.code for reason in reasons]


@pytest.fixture(scope="module")
def faces(engine, mei, ravi):
    """Two photos with their face."""
    return [(photo, engine.find(photo.pixels)[0]) for photo in (mei[4], ravi[2])]


def test_a_whole_face_is_not_said_to_be_cut(engine, mei, ravi):
    for photo in (*mei[1::6], *ravi[1::6]):
        verdict = check_photo(photo, engine)
        assert verdict.measures["cut"] == pytest.approx(0, abs=1e-3)
        assert not {"cut_off", "slightly_cut_off", "eyes_hidden", "glasses"} & {
            *codes(verdict.reasons),
            *codes(verdict.notes),
        }


def test_a_face_without_its_chin_is_refused_and_one_without_an_edge_is_told(engine, faces):
    photo, face = faces[0]
    x0, y0, x1, y1 = face.box
    chin = photo.pixels[: int(y1 - 0.3 * (y1 - y0))]
    verdict = check_photo(Photo("chin", np.ascontiguousarray(chin)), engine)
    assert codes(verdict.reasons) == ["cut_off"] and "whole face" in verdict.reasons[0].text
    assert verdict.face is not None  # the owner may accept it
    edge = photo.pixels[:, int(x0 + 0.15 * (x1 - x0)) :]
    verdict = check_photo(Photo("edge", np.ascontiguousarray(edge)), engine)
    assert verdict.usable and "slightly_cut_off" in codes(verdict.notes)


def test_half_a_face_is_refused(engine, faces):
    photo, face = faces[0]
    x0, _, x1, _ = face.box
    half = np.ascontiguousarray(photo.pixels[:, int(x0 + 0.35 * (x1 - x0)) :])
    assert "cut_off" in codes(check_photo(Photo("half", half), engine).reasons)


def test_sunglasses_are_refused(engine, faces):
    for photo, face in faces:
        eyes, worn = eye_centres(face.mesh), photo.pixels.copy()
        radius = int(0.38 * np.linalg.norm(eyes[1] - eyes[0]))
        for eye in eyes.round().astype(int).tolist():
            cv2.circle(worn, eye, radius, (18, 16, 20), -1, cv2.LINE_AA)
        verdict = check_photo(Photo("sunglasses", worn), engine)
        assert "eyes_hidden" in codes(verdict.reasons)
        assert "glasses" not in codes(verdict.notes)
