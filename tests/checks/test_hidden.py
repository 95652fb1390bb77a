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
        covers = {"covered", "slightly_covered", "lettered"}
        assert not {"cut_off", "slightly_cut_off", "eyes_hidden", "glasses", *covers} & {
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


def below_the_eyes(face) -> np.ndarray:
    """The outline of a face mask, (n, 1, 2) px."""
    jaw = (93, 58, 136, 149, 152, 378, 365, 288, 323, 6)  # mesh points; the last is the bridge
    return face.mesh[list(jaw), :2].round().astype(np.int32)[:, None]


def test_a_face_mask_is_refused_and_a_hand_or_a_phone_before_the_face_too(engine, faces):
    for photo, face in faces:
        for colour in ((236, 240, 242), (30, 32, 36), (120, 170, 205)):
            worn = photo.pixels.copy()
            cv2.fillPoly(worn, [below_the_eyes(face)], colour, cv2.LINE_AA)
            verdict = check_photo(Photo("mask", worn), engine)
            assert "covered" in codes(verdict.reasons), colour
            assert verdict.measures["covered"] > 0.25
        held = photo.pixels.copy()
        x, y = face.mesh[205, :2].astype(int).tolist()
        w, h = int(0.25 * face.width), int(0.5 * face.width)
        cv2.rectangle(held, (x - w, y - h), (x + w, y + h), (26, 27, 30), -1)
        verdict = check_photo(Photo("phone", held), engine)
        assert "covered" in codes(verdict.reasons)


def test_lettering_over_a_face_is_told_and_no_mark_is_looked_for_under_it(engine, faces):
    for photo, face in faces:
        written, (x0, y0, _, y1) = photo.pixels.copy(), face.box.astype(int).tolist()
        size = face.width / 220
        for part in (0.35, 0.6, 0.85):
            place = (x0, int(y0 + part * (y1 - y0)))
            cv2.putText(written, "SAMPLE", place, 0, size * 2, (255, 255, 255), 3, cv2.LINE_AA)
        mixed = (0.5 * photo.pixels + 0.5 * written).round().astype(np.uint8)
        verdict = check_photo(Photo("watermark", mixed), engine)
        assert "lettered" in codes(verdict.notes)
        assert "lettered" not in codes(check_photo(photo, engine).notes)
