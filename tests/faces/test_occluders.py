"""Glasses and hair are no skin; lines and bare eyes are neither."""

import cv2
import numpy as np
import pytest

from realism.faces.engine import primary_face
from realism.faces.face import eye_centres, mm_per_px_from_eyes
from realism.faces.occluders import find_occluders
from realism.faces.paintable import close_holes, paintable_mask
from realism.faces.skin import skin_mask


@pytest.fixture(scope="module")
def frontal(mei, engine):
    pixels = mei[0].pixels
    return pixels, primary_face(engine.find(pixels))


def with_glasses(pixels, face):
    """Round dark rims, a bridge and two pads; and where the rims and pads are."""
    drawn, px = np.zeros(pixels.shape[:2], np.uint8), 1 / mm_per_px_from_eyes(face)
    eyes = eye_centres(face.mesh) + np.array([0, 3 * px])
    for eye in eyes:
        centre = tuple(int(value) for value in np.rint(eye))
        cv2.circle(drawn, centre, round(23 * px), 255, round(2.5 * px), cv2.LINE_AA)
    across = (eyes[1] - eyes[0]) / np.linalg.norm(eyes[1] - eyes[0])
    bridge = [eyes[0] + 22 * px * across, eyes[1] - 22 * px * across]
    ends = [tuple(int(value) for value in np.rint(point)) for point in bridge]
    cv2.line(drawn, *ends, 255, round(2.5 * px), cv2.LINE_AA)
    share = (drawn / 255.0)[..., None]
    worn = np.rint(pixels * (1 - share) + 25 * share).astype(np.uint8)
    return worn, drawn > 128


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
