"""Photos to crops, captions and loss weights, on the example people."""

import json
from dataclasses import replace
from hashlib import sha256

import cv2
import numpy as np
import pytest

from realism.config import ASSETS
from realism.faces.engine import load_engine
from realism.faces.face import Pose
from realism.finetune.captions import CROPPING, cropping_key
from realism.finetune.crops import crop_photo, crops_key, face_extent
from realism.images import Photo, luma, open_photo

MEI = ASSETS / "people" / "mei"


@pytest.fixture(scope="module")
def engine():
    return load_engine("dlib")


def open_with_face(name: str, engine):
    photo = open_photo(MEI / f"{name}.jpg")
    return photo, engine.find(photo.pixels)[0]


@pytest.fixture(scope="module")
def front(engine):
    return open_with_face("mei-01", engine)


def test_a_photo_gives_a_wide_a_close_and_a_native_crop(front):
    photo, face = front
    wide, close, native = crop_photo(photo, face, "ohwx woman", 256)
    assert {crop.pixels.shape for crop in (wide, close, native)} == {(256, 256, 3)}
    assert "head and shoulders" in wide.caption
    assert "close-up" in close.caption
    # The head fills more and more of the frame.
    assert wide.weight.mean() < close.weight.mean() < native.weight.mean()


def test_skin_from_near_is_named_so_and_comes_by_less_often(front, engine):
    photo, face = front
    # The same photo with four times the pixels: 512 of them no longer hold the face.
    large = Photo("large.png", np.repeat(np.repeat(photo.pixels, 4, 0), 4, 1))
    (near,) = engine.find(large.pixels)
    wide, close, native = crop_photo(large, near, "ohwx woman", 512)
    assert native.caption.startswith("skin of ohwx woman")
    assert not any("skin" in crop.caption for crop in (wide, close))
    assert wide.repeats == close.repeats == 3 * native.repeats
    of_faces = [crop.repeats for crop in crop_photo(photo, face, "ohwx woman", 256)]
    assert of_faces == [3, 3, 3]
    # A small base takes skin for the portrait: it sees none.
    of_small = crop_photo(large, near, "ohwx woman", 256)
    assert len(of_small) == 2 and not any("skin of" in crop.caption for crop in of_small)


def test_the_native_crop_is_cut_out_of_the_photo_pixel_by_pixel(front):
    photo, face = front
    native = crop_photo(photo, face, "ohwx woman", 256)[-1]
    match = cv2.matchTemplate(photo.pixels, native.pixels, cv2.TM_SQDIFF)
    x, y = np.unravel_index(match.argmin(), match.shape)[::-1]
    assert np.array_equal(photo.pixels[y : y + 256, x : x + 256], native.pixels)


def test_a_mark_on_one_cheek_stays_on_its_side_in_every_crop(front):
    photo, face = front
    marked = photo.pixels.copy()
    cheek = tuple(int(at) for at in face.mesh[50, :2])  # on the image's left
    cv2.circle(marked, cheek, 6, (0, 255, 0), -1)
    for crop in crop_photo(Photo("marked.png", marked), face, "ohwx woman", 256)[:2]:
        green = (crop.pixels[..., 1] > 200) & (crop.pixels[..., 0] < 100)
        assert 0 < np.nonzero(green)[1].mean() < 128


def test_the_face_reaches_from_hairline_to_chin(front):
    _, face = front
    truth = json.loads((MEI / "truth" / "mei-01.json").read_text())
    x0, y0, x1, y1 = truth["face_box"]
    centre, height = face_extent(face)
    assert height == pytest.approx(y1 - y0, rel=0.08)
    assert np.abs(centre - [(x0 + x1) / 2, (y0 + y1) / 2]).max() < 0.05 * height


def test_a_photo_smaller_than_the_base_is_enlarged_once_and_whole(front):
    photo, face = front
    crops = crop_photo(photo, face, "ohwx woman", 768)
    assert len(crops) == 1
    whole = cv2.resize(photo.pixels, (768, 768), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(crops[0].pixels, whole)


def test_the_loss_counts_the_face_most_and_the_backdrop_little_but_not_nothing(front):
    photo, face = front
    wide = crop_photo(photo, face, "ohwx woman", 256)[0]
    corner = wide.weight[:40, :40]
    middle = wide.weight[110:130, 118:138]
    assert 0.1 < corner.mean() < 0.2
    assert middle.mean() == pytest.approx(1.3, abs=0.05)


def test_captions_carry_the_subject_and_what_the_photo_shows(front, engine):
    photo, face = front
    caption = crop_photo(photo, face, "ohwx woman", 256)[0].caption
    assert caption.startswith("photo portrait of ohwx woman, ")
    for clause in ("neutral expression", "front", "soft window light", "shapes background"):
        assert clause in caption
    photo, face = open_with_face("mei-07", engine)
    caption = crop_photo(photo, face, "ohwx woman", 256)[0].caption
    assert "open smile" in caption
    assert "turned to image left" in caption


def test_the_turn_in_captions_is_that_of_the_renderer_in_most_photos(engine):
    right = 0
    for number in range(1, 15):
        photo, face = open_with_face(f"mei-{number:02}", engine)
        truth = json.loads((MEI / "truth" / f"mei-{number:02}.json").read_text())["caption"]
        caption = crop_photo(photo, face, "ohwx woman", 256)[0].caption
        turns = ("front", "turned to image left", "turned to image right")
        right += [turn for turn in turns if turn in truth] == [t for t in turns if t in caption]
    assert right >= 13


def test_a_light_from_one_side_is_named(front):
    photo, face = front
    shaded = photo.pixels.astype(np.float32) * np.linspace(0.35, 1, photo.pixels.shape[1])[:, None]
    hard = crop_photo(Photo("hard.png", shaded.astype(np.uint8)), face, "ohwx woman", 256)[0]
    assert "hard side light" in hard.caption
    dim = Photo("dim.png", (photo.pixels * 0.5).astype(np.uint8))
    assert ", dim," in crop_photo(dim, face, "ohwx woman", 256)[0].caption


def test_a_face_at_the_border_is_cropped_inside_the_photo(front):
    photo, face = front
    cut = Photo("cut.jpg", photo.pixels[:, 150:])
    shift = np.float32([150, 0])
    moved = replace(
        face,
        mesh=face.mesh - np.float32([150, 0, 0]),
        landmarks=face.landmarks - shift,
        box=face.box - np.tile(shift, 2),
        pose=Pose(0, 0, 0),
    )
    for crop in crop_photo(cut, moved, "ohwx woman", 256):
        assert crop.pixels.shape == (256, 256, 3)
        assert crop.pixels[:, :2].std() > 5  # the photo, not one smeared or black colour


def test_a_black_and_white_photo_says_so_in_its_caption(front):
    photo, face = front
    grey = np.repeat(luma(photo.pixels)[..., None], 3, 2)
    for pixels, said in ((photo.pixels, False), (grey, True)):
        captions = [c.caption for c in crop_photo(Photo("a", pixels), face, "ohwx woman", 256)]
        assert captions and all(("black and white" in text) == said for text in captions)


def test_an_unfinished_run_of_the_first_release_is_known_by_its_cropping():
    # A run's key holds these settings in the names of that time; a changed number is another run.
    key = sha256(cropping_key().encode()).hexdigest()
    assert key == "09822cbb46f16fbb7a1728a3f4f7f6783d5febc51d25639036d7b5c35f763264"
    assert cropping_key(replace(CROPPING, face=1.4)) != cropping_key()


def test_an_aligned_head_lies_where_every_other_does_and_is_shifted_a_little(front, engine):
    photo, face = front
    crops = crop_photo(photo, face, "ohwx woman", 256, aligned=True)
    middles = []
    for crop in crops:
        (found,) = engine.find(crop.pixels)
        middles.append(found.landmarks[36:48].mean(0))
        assert crop.pixels.shape == (256, 256, 3) and crop.weight.shape == (256, 256)
        assert crop.weight[128, 128] == pytest.approx(1.3)
        assert "head and shoulders" not in crop.caption and "close-up" not in crop.caption
    assert np.allclose(middles[0], (128, 121), atol=4)
    assert np.allclose(middles[1] - middles[0], (-2, 3), atol=1)


def test_beyond_a_photo_an_aligned_head_counts_nothing(front, engine):
    photo, face = front
    x0, y0, x1, y1 = face.box.astype(int)
    near = Photo(
        "near.png", np.ascontiguousarray(photo.pixels[y0 - 20 : y1 + 20, x0 - 20 : x1 + 20])
    )
    (face,) = engine.find(near.pixels)
    crop = crop_photo(near, face, "ohwx woman", 256, aligned=True)[0]
    assert crop.weight[:, :8].max() == 0 and crop.weight[120, 128] > 1


def test_aligned_crops_are_another_run_than_framed_ones():
    assert crops_key(False) == cropping_key() and crops_key(True) != crops_key(False)
