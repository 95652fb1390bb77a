"""A photo is refused for what a person would refuse it for, with a sentence and a number."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from realism.checks import (
    check_photo,
    check_set,
    photo_to_photo,
    reason_from_json,
    reason_to_json,
    similarity_to_others,
)
from realism.checks.set import OWN_SHARE
from realism.config import ASSETS
from realism.images import Photo, open_photo, to_linear, to_srgb


def codes(verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def brighter(pixels: np.ndarray, gain: float) -> np.ndarray:
    """Exposed `gain` times as long."""
    return to_srgb(to_linear(pixels) * gain).round().astype(np.uint8)


def as_jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    _, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].copy()


@pytest.fixture(scope="module")
def checked(engine, mei, ravi):
    """All example photos with their verdicts."""
    return [(photo, check_photo(photo, engine)) for photo in (*mei, *ravi)]


@pytest.fixture(scope="module")
def of_mei(checked):
    return [pair for pair in checked if pair[0].name.startswith("mei")]


@pytest.fixture(scope="module")
def of_ravi(checked):
    return [pair for pair in checked if pair[0].name.startswith("ravi")]


def judged_together(pairs, engine) -> list:
    return check_set([photo for photo, _ in pairs], [verdict for _, verdict in pairs], engine)


# One photo --------------------------------------------------------------------------------------


def test_good_photos_pass_and_only_the_one_turned_by_49_degrees_is_refused(checked):
    refused = {photo.name: codes(verdict) for photo, verdict in checked if not verdict.usable}
    assert refused == {"ravi-07.jpg": ["turned"]}
    verdict = next(v for p, v in checked if p.name == "ravi-07.jpg")
    assert verdict.reasons[0].value == pytest.approx(49, abs=4)
    assert verdict.reasons[0].limit == 45
    assert "48°" in verdict.reasons[0].text or "49°" in verdict.reasons[0].text
    assert verdict.face is not None  # so that the owner can accept it


@pytest.mark.parametrize("person", ["mei", "ravi"])
@pytest.mark.parametrize(("fault", "code"), [("blurred", "blurred"), ("too-dark", "too_dark")])
def test_faulty_photos_are_refused_for_their_fault_alone(engine, person, fault, code):
    photo = open_photo(ASSETS / f"people/{person}/faulty/{person}-{fault}.jpg")
    verdict = check_photo(photo, engine)
    assert codes(verdict) == [code]
    assert verdict.face is not None


def test_a_picture_without_a_face_cannot_be_accepted(engine):
    import skimage.data

    verdict = check_photo(Photo("cup", skimage.data.coffee()), engine)
    assert codes(verdict) == ["no_face"]
    assert not verdict.usable and verdict.face is None
    assert "whole face" in verdict.reasons[0].text


def test_two_people_are_refused_and_a_bystander_is_only_mentioned(engine, two_people, mei, ravi):
    verdict = check_photo(two_people, engine)
    assert "several_faces" in codes(verdict)
    assert "2 faces" in verdict.reasons[0].text and "Crop" in verdict.reasons[0].text
    picture = mei[0].pixels.copy()
    picture[:120, :120] = cv2.resize(ravi[0].pixels, (120, 120), interpolation=cv2.INTER_AREA)
    verdict = check_photo(Photo("bystander", picture), engine)
    assert verdict.usable
    assert [note.code for note in verdict.notes] == ["bystanders"]


def test_ten_people_are_refused_with_their_number(engine, mei, ravi):
    rows = [np.hstack([photo.pixels for photo in photos[:5]]) for photos in (mei, ravi)]
    verdict = check_photo(Photo("crowd", np.vstack(rows)), engine)
    assert codes(verdict) == ["several_faces"]
    assert verdict.reasons[0].text.startswith("There are 10 faces")


def test_a_small_face_is_refused_with_its_width(engine, mei, astronaut):
    small = cv2.resize(mei[0].pixels, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    verdict = check_photo(Photo("small", small), engine)
    assert codes(verdict) == ["small_face"]
    assert verdict.reasons[0].value == pytest.approx(126, abs=5)
    assert "at least 160 px" in verdict.reasons[0].text
    assert "small_face" in codes(check_photo(Photo("astronaut", astronaut), engine))


def test_the_astronaut_in_a_larger_print_passes(engine, astronaut):
    large = cv2.resize(astronaut, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    verdict = check_photo(Photo("astronaut", large), engine)
    assert verdict.usable, verdict.reasons


def test_blur_is_seen_at_any_size_and_through_noise(engine, ravi):
    photo = ravi[0]
    width = check_photo(photo, engine).measures["face_width"]
    draw = np.random.default_rng(0)
    for size in (1.0, 3.0):
        large = cv2.resize(photo.pixels, None, fx=size, fy=size, interpolation=cv2.INTER_CUBIC)
        blurred = cv2.GaussianBlur(large, (0, 0), 0.025 * width * size)
        noisy = np.clip(blurred + draw.normal(0, 4, blurred.shape), 0, 255).astype(np.uint8)
        for picture in (blurred, noisy):
            assert "blurred" in codes(check_photo(Photo("blurred", picture), engine))
    noisy = np.clip(photo.pixels + draw.normal(0, 6, photo.pixels.shape), 0, 255).astype(np.uint8)
    assert check_photo(Photo("noisy", noisy), engine).usable


def test_an_overexposed_face_is_refused_and_a_bright_one_is_not(engine, mei):
    assert codes(check_photo(Photo("white", brighter(mei[0].pixels, 6)), engine)) == ["blown_out"]
    assert check_photo(Photo("bright", brighter(mei[0].pixels, 1.2)), engine).usable


def test_dark_skin_in_usual_light_is_not_too_dark(engine, ravi):
    """Skin that reflects 0.35 of this man's is darker than any person's, the light the same."""
    photo = ravi[1]
    face = check_photo(photo, engine).face
    oval = np.zeros(photo.pixels.shape[:2], np.float32)
    cv2.fillConvexPoly(oval, cv2.convexHull(face.mesh[:, :2].round().astype(np.int32)), 1.0)
    oval = cv2.GaussianBlur(oval, (0, 0), 6)[..., None]
    dark = to_srgb(to_linear(photo.pixels) * (1 - 0.65 * oval)).round().astype(np.uint8)
    verdict = check_photo(Photo("dark skin", dark), engine)
    assert verdict.usable, verdict.reasons


def test_reasons_come_back_from_json_as_they_were(checked):
    reasons = [reason for _, verdict in checked for reason in (*verdict.reasons, *verdict.notes)]
    assert reasons
    for reason in reasons:
        assert reason_from_json(json.loads(json.dumps(reason_to_json(reason)))) == reason
    assert json.loads(json.dumps([verdict.measures for _, verdict in checked]))


# The set ----------------------------------------------------------------------------------------


def test_a_clean_set_stays_as_it_is(of_mei, of_ravi, engine):
    for pairs in (of_mei, of_ravi):
        before = [codes(verdict) for _, verdict in pairs]
        assert [codes(verdict) for verdict in judged_together(pairs, engine)] == before


@pytest.mark.parametrize(
    "copy",
    [
        lambda pixels: as_jpeg(pixels, 40),
        lambda pixels: cv2.resize(pixels, None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA),
        lambda pixels: pixels[20:, 12:-20].copy(),
        lambda pixels: brighter(pixels, 1.3),
        lambda pixels: as_jpeg(brighter(pixels[15:-15], 0.75), 70),
    ],
    ids=["saved again", "resized", "cropped", "brighter", "all of it"],
)
def test_copies_of_a_photo_are_named_with_the_photo_they_copy(of_mei, engine, copy):
    photo = of_mei[3][0]
    again = Photo("copy.jpg", copy(photo.pixels))
    pairs = [*of_mei, (again, check_photo(again, engine))]
    verdicts = judged_together(pairs, engine)
    assert codes(verdicts[-1]) == ["duplicate"]
    assert photo.name in verdicts[-1].reasons[0].text
    assert verdicts[3].usable  # the first stays


def test_another_expression_in_the_same_pose_is_no_copy(of_mei, engine):
    """The mouth of a burst's next picture: the lips are raised by 4 % of the face."""
    photo, verdict = of_mei[0]
    rows, columns = np.mgrid[:512, :512].astype(np.float32)
    x, y = verdict.face.mesh[[61, 291], :2].mean(0)
    near = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * (0.14 * verdict.face.width) ** 2))
    moved = cv2.remap(
        photo.pixels, columns, rows + 0.04 * verdict.face.width * near, cv2.INTER_LINEAR
    )
    again = Photo("burst.jpg", moved)
    pairs = [*of_mei, (again, check_photo(again, engine))]
    assert judged_together(pairs, engine)[-1].usable


def test_another_person_among_the_photos_is_refused(of_mei, of_ravi, engine):
    for own, strangers in ((of_mei, of_ravi), (of_ravi, of_mei)):
        verdicts = judged_together([strangers[0], *own, strangers[8]], engine)
        assert codes(verdicts[0]) == codes(verdicts[-1]) == ["other_person"]
        assert "likeness" in verdicts[0].reasons[0].text
        assert verdicts[0].reasons[0].value < verdicts[0].reasons[0].limit
        assert not any("other_person" in codes(verdict) for verdict in verdicts[1:-1])


def test_two_people_evenly_mixed_are_told_apart_and_it_is_said(of_mei, of_ravi, engine):
    verdicts = judged_together([*of_mei[:5], *of_ravi[:5]], engine)
    refused = ["other_person" in codes(verdict) for verdict in verdicts]
    assert refused in ([True] * 5 + [False] * 5, [False] * 5 + [True] * 5)
    text = next(v.reasons[0].text for v in verdicts if v.reasons)
    assert "5 of 10" in text and "one person" in text
    kept = [verdict for verdict in verdicts if verdict.usable]
    assert all("two_people" in [note.code for note in verdict.notes] for verdict in kept)


def test_small_sets_are_judged_with_care(of_mei, of_ravi, engine):
    assert judged_together([], engine) == []
    assert judged_together(of_mei[:1], engine)[0].usable
    assert all(verdict.usable for verdict in judged_together(of_mei[:2], engine))
    pair = judged_together([of_mei[0], of_ravi[0]], engine)
    assert any("other_person" in codes(verdict) for verdict in pair)


def test_a_refused_photo_does_not_move_the_centre(of_mei, of_ravi, engine):
    refused = [(p, replace(v, usable=False)) for p, v in of_ravi]
    verdicts = judged_together([*of_mei[:4], *refused], engine)
    assert all(verdict.usable for verdict in verdicts[:4])


def test_the_centre_withstands_a_third_of_strangers(of_mei, of_ravi, engine):
    vectors = [v.face.embedding for _, v in (*of_ravi[:4], *of_mei[:9])]
    cosines, limit = similarity_to_others(vectors, engine.same_person)
    assert max(cosines[:4]) < limit < min(cosines[4:])


def test_photo_to_photo_is_the_best_of_the_others(of_mei):
    vectors = [verdict.face.embedding for _, verdict in of_mei[:5]]
    scale = photo_to_photo(vectors)
    assert scale[0] == pytest.approx(max(float(vectors[0] @ other) for other in vectors[1:]))
    assert len(scale) == 5 and min(scale) > OWN_SHARE * max(scale)
    assert photo_to_photo(vectors[:1]) == [1.0]
    assert photo_to_photo([]) == []
