"""Glasses and hair are no skin; lines and bare eyes are neither."""

import cv2
import numpy as np
import pytest
from glasses import with_glasses

from realism.errors import Message
from realism.faces.engine import primary_face
from realism.faces.face import eye_centres, mm_per_px_from_eyes
from realism.faces.occluders import find_occluders
from realism.faces.paintable import close_holes, paintable_mask
from realism.faces.skin import skin_mask
from realism.marks.find.finders import find_marks
from realism.marks.find.multiview import find_marks_multiview
from realism.marks.mark import RoundMark
from realism.marks.photo import MarkedPhoto
from realism.marks.restore.placement import place_marks
from realism.workflow import run_through


@pytest.fixture(scope="module")
def frontal(mei, engine):
    pixels = mei[0].pixels
    return pixels, primary_face(engine.find(pixels))


def test_rims_are_found_and_neither_searched_nor_painted_on(frontal):
    pixels, face = frontal
    worn, rims = with_glasses(pixels, face)
    occluders = find_occluders(worn, face)
    covered = occluders.mask()
    assert covered[rims].mean() > 0.9
    skin = skin_mask(worn, face, occluders)
    wide = paintable_mask(worn, skin, face, covered)
    for mask in (skin, wide, close_holes(wide, face, covered)):
        assert mask[covered].max() == 0
    # Skin under a clear lens stays skin.
    px = 1 / mm_per_px_from_eyes(face)
    below = np.rint(eye_centres(face.mesh) + np.array([0, 15 * px])).astype(int)
    assert all(not covered[y, x] and wide[y, x] > 0.5 for x, y in below)


def test_who_wears_no_glasses_has_none(mei, ravi, engine):
    for photo in [*mei[:4], *ravi[:4]]:
        face = primary_face(engine.find(photo.pixels))
        assert find_occluders(photo.pixels, face).glasses.max() == 0, photo.name


def test_a_strand_over_the_forehead_is_hair(frontal):
    pixels, face = frontal
    px = 1 / mm_per_px_from_eyes(face)
    middle = face.mesh[151, :2]
    strand, drawn = pixels.copy(), np.zeros(pixels.shape[:2], np.uint8)
    for aside in (-2, 0, 2.5):
        ends = np.array([[aside, -25], [8 + aside, 22]]) * px + middle
        x0, y0, x1, y1 = (int(value) for value in np.rint(ends).ravel())
        cv2.line(drawn, (x0, y0), (x1, y1), 255, max(1, round(0.8 * px)), cv2.LINE_AA)
    strand[drawn > 128] = (20, 14, 10)
    at = drawn > 128
    assert find_occluders(strand, face).mask()[at].mean() > 0.7
    assert find_occluders(pixels, face).mask()[at].mean() < 0.3


def test_the_hole_of_a_dark_mark_is_closed_and_that_of_a_nose_pad_is_not(frontal):
    pixels, face = frontal
    px = 1 / mm_per_px_from_eyes(face)
    x, y = (int(value) for value in np.rint(face.mesh[425, :2]))
    covered = np.zeros(pixels.shape[:2], bool)
    wide = paintable_mask(pixels, skin_mask(pixels, face), face, covered)
    assert wide[y, x] > 0.5
    cv2.circle(wide, (x, y), round(2 * px), 0, -1)
    assert close_holes(wide, face, covered)[y, x] == 1
    covered[wide == 0] = True
    assert close_holes(wide, face, covered)[y, x] == 0


def test_a_mark_under_a_rim_is_hidden_by_glasses_and_one_under_a_strand_by_hair(frontal):
    pixels, face = frontal
    worn, rims = with_glasses(pixels, face)
    occluders = find_occluders(worn, face)
    wide = paintable_mask(worn, skin_mask(worn, face, occluders), face, occluders.mask())
    px = 1 / mm_per_px_from_eyes(face)
    below = eye_centres(face.mesh)[0] + np.array([0, 26 * px])  # the rim's lowest point
    x, y = (int(value) for value in np.rint(below))
    assert rims[y, x]
    marks = [RoundMark("mole", np.float32([x, y]), 2.0)]
    (spot,) = place_marks(marks, "a.jpg", face, face, wide, occluders=occluders)
    assert not spot.visible and spot.reason == Message("hidden_by_glasses")
    top = np.float32(face.mesh[10, :2] - [0, 25 * px])
    (spot,) = place_marks(
        [RoundMark("mole", top, 2.0)], "a.jpg", face, face, wide, occluders=occluders
    )
    assert not spot.visible and spot.reason == Message("hidden_by_hair")


def test_a_mole_under_a_clear_lens_is_found(frontal):
    pixels, face = frontal
    worn, _ = with_glasses(pixels, face)
    px = 1 / mm_per_px_from_eyes(face)
    place = eye_centres(face.mesh)[1] + np.array([4 * px, 16 * px])
    drawn = np.zeros(pixels.shape[:2], np.uint8)
    cv2.circle(drawn, [int(value) for value in np.rint(place)], round(1.6 * px), 255, -1)
    share = cv2.GaussianBlur(drawn, (0, 0), 0.6 * px)[..., None] / 255
    worn = np.rint(worn * (1 - share) + worn * 0.35 * share).astype(np.uint8)
    marks = find_marks(worn, face, skin_mask(worn, face))
    assert any(np.hypot(*(mark.xy - place)) < 3 * px for mark in marks if mark.kind != "wrinkle")


def test_glasses_in_every_photo_are_no_witness(mei, engine):
    sources, drawn = [], []
    for photo in mei[:3]:
        face = primary_face(engine.find(photo.pixels))
        worn, rims = with_glasses(photo.pixels, face)
        sources.append(MarkedPhoto(photo.name, worn, face, skin_mask(worn, face), []))
        drawn.append(rims)
    for source, rims in zip(run_through(find_marks_multiview(sources)), drawn, strict=True):
        near = cv2.dilate(rims.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        for mark in source.marks:
            x, y = np.rint(mark.points).astype(int).T
            assert not near[y, x].mean() > 0.2, (source.name, mark)
