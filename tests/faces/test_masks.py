"""Skin is where skin is, and the head where the head is."""

import cv2
import numpy as np
import pytest
from marked import truth_of

from realism.faces.engine import primary_face
from realism.faces.head_mask import head_mask, person_mask
from realism.faces.mesh import FACE_OVAL
from realism.faces.paintable import paintable_mask
from realism.faces.skin import LEAST_SKIN, skin_mask


@pytest.mark.parametrize("index", [0, 1, 13])
def test_skin_is_on_the_cheeks_and_not_on_eyes_lips_hair_or_backdrop(engine, mei, index):
    photo = mei[index]
    face = primary_face(engine.find(photo.pixels))
    skin = skin_mask(photo.pixels, face)
    assert skin.shape == photo.pixels.shape[:2] and skin.dtype == np.float32
    assert skin.min() >= 0 and skin.max() <= 1

    def at(points):
        x, y = face.mesh[points, :2].mean(0).round().astype(int)
        return skin[y, x]

    near = [205, 50] if face.pose.yaw > 0 else [425, 280]
    assert at(near) > 0.9  # the cheek that faces the camera
    for hidden in ([159, 145], [386, 374], [13, 14], [105, 66], [334, 296]):
        assert at(hidden) < 0.05
    x0, y0, _, y1 = face.box
    assert skin[: int(y0 - 0.4 * (y1 - y0))].max() == 0  # hair on top
    assert skin[:, : int(x0 - 20)].max() == 0


def test_a_mole_is_part_of_the_skin(engine, mei):
    photo = mei[0]
    skin = skin_mask(photo.pixels, primary_face(engine.find(photo.pixels)))
    moles = [m for m in truth_of(photo)["marks"] if m["visible"] and m["kind"] == "mole"]
    on_skin = [skin[int(m["xy"][1]), int(m["xy"][0])] > LEAST_SKIN for m in moles]
    assert moles and np.mean(on_skin) > 0.7


def test_the_head_mask_holds_the_face_and_leaves_the_corners(engine, ravi):
    for photo in ravi[:3]:
        face = primary_face(engine.find(photo.pixels))
        head = head_mask(photo.pixels, face)
        x, y = face.mesh[:, :2].round().astype(int).T
        assert np.mean(head[y, x] > 0.5) > 0.9
        assert max(head[0, 0], head[0, -1], head[-1, 0], head[-1, -1]) < 0.1


def test_a_wall_as_brown_as_skin_is_no_place_for_a_mark(engine, mei):
    """Beside a turned face the wall is near enough to the skin to be taken for it by its colour."""
    photo = mei[5]
    face = primary_face(engine.find(photo.pixels))
    skin = skin_mask(photo.pixels, face)
    backdrop = person_mask(photo.pixels, face) < 0.5
    tone = np.median(photo.pixels[skin > 0.9], 0).astype(np.uint8)
    walled = photo.pixels.copy()
    walled[backdrop] = tone
    seen = primary_face(engine.find(walled))
    wide = paintable_mask(walled, skin_mask(walled, seen), seen)
    inner = cv2.erode(backdrop.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert inner.any() and wide[inner].max() < LEAST_SKIN


def test_where_the_face_is_no_person_to_the_segmentation_nothing_is_left_out(engine, mei):
    photo = mei[0]
    face = primary_face(engine.find(photo.pixels))
    noise = np.random.default_rng(0).integers(0, 255, photo.pixels.shape).astype(np.uint8)
    assert person_mask(noise, face).min() == 1


def test_the_nose_of_a_turned_face_is_skin_though_it_leaves_the_outline(engine, mei, ravi):
    seen = []
    for photo in (*mei, *ravi):
        face = primary_face(engine.find(photo.pixels))
        outline = face.mesh[FACE_OVAL, :2].astype(np.float32)
        bridge = face.mesh[[195, 5, 4], :2]
        beside = [cv2.pointPolygonTest(outline, (float(x), float(y)), True) for x, y in bridge]
        if max(beside) > 0 or abs(face.pose.yaw) < 35:
            continue
        x, y = bridge.mean(0).round().astype(int)
        seen.append(skin_mask(photo.pixels, face)[y, x])
    # At the very rim the mask is soft.
    assert seen and min(seen) > 0.3 and np.mean(seen) > LEAST_SKIN


def test_fair_hair_above_the_face_is_no_skin(engine, ravi):
    photo = ravi[0]
    face = primary_face(engine.find(photo.pixels))
    skin = skin_mask(photo.pixels, face) > LEAST_SKIN
    top, chin = face.mesh[[10, 152], :2]
    rows, columns = np.mgrid[: len(skin), : skin.shape[1]]
    tall = np.linalg.norm(chin - top)
    band = (rows < top[1] - 0.03 * tall) & (rows > top[1] - 0.2 * tall)
    band &= np.abs(columns - top[0]) < 0.2 * tall
    usual = np.median(photo.pixels[skin], 0)
    fair = 1.75 * (0.6 * usual + 0.4 * usual.mean())
    pixels = np.where(band[..., None], np.clip(fair, 0, 255), photo.pixels).astype(np.uint8)
    assert (skin_mask(pixels, face)[band] > LEAST_SKIN).mean() < 0.2


def test_black_hair_beside_a_turned_face_is_no_skin(engine, mei):
    face = primary_face(engine.find(mei[11].pixels))
    hair = mei[11].pixels.max(2) < 55
    assert (skin_mask(mei[11].pixels, face)[hair] > LEAST_SKIN).sum() < 0.01 * face.area
