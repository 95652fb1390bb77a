"""What was done to a picture before it came here is said, with what it costs."""

import cv2
import numpy as np

from realism.checks import check_photo, check_set
from realism.images import Photo, luma

SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
ALL = {"no_colour", "compressed", "enlarged", "smoothed", "stretched"}


def traces(engine, pixels: np.ndarray) -> set[str]:
    verdict = check_photo(Photo("changed", np.ascontiguousarray(pixels)), engine)
    assert verdict.face is not None
    return {note.code for note in verdict.notes} & ALL


def as_jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    _, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


def smoothed(pixels: np.ndarray) -> np.ndarray:
    return cv2.edgePreservingFilter(pixels, flags=1, sigma_s=30, sigma_r=0.2)


def resized(pixels: np.ndarray, across: float, down: float) -> np.ndarray:
    return cv2.resize(pixels, None, fx=across, fy=down, interpolation=cv2.INTER_CUBIC)


def test_photos_as_they_are_show_no_traces(engine, mei, ravi):
    for photo in (*mei[::4], *ravi[::4]):
        assert traces(engine, photo.pixels) == set()


def test_black_and_white_and_sepia_have_no_colour(engine, mei, ravi):
    for photo in (mei[4], ravi[2]):
        grey = np.repeat(luma(photo.pixels)[..., None], 3, 2)
        sepia = np.clip(photo.pixels @ SEPIA.T, 0, 255).astype(np.uint8)
        for pixels in (grey, as_jpeg(sepia, 85)):
            assert traces(engine, pixels) == {"no_colour"}


def test_strong_compression_is_seen_wherever_the_picture_was_cut(engine, mei, ravi):
    for photo in (mei[4], ravi[2]):
        assert traces(engine, as_jpeg(photo.pixels, 8)) == {"compressed"}
        assert "compressed" in traces(engine, as_jpeg(photo.pixels, 8)[3:, 5:])
        assert traces(engine, as_jpeg(photo.pixels, 85)) == set()


def test_a_small_picture_enlarged_five_times_is_told_from_a_large_one(engine, mei):
    small = resized(mei[4].pixels, 0.75, 0.75)
    assert "enlarged" in traces(engine, resized(small, 5, 5))


def test_a_filter_that_smooths_skin_is_seen(engine, mei):
    verdict = check_photo(Photo("beauty", smoothed(mei[4].pixels)), engine)
    assert "smoothed" in {note.code for note in verdict.notes}
    assert not verdict.shows_skin and check_photo(mei[4], engine).shows_skin


def test_a_much_stretched_face_is_seen_alone_and_a_stretched_one_among_the_others(
    engine, mei, ravi
):
    for photo in (mei[4], ravi[2]):
        assert traces(engine, resized(photo.pixels, 1.4, 1)) == {"stretched"}
    others = [mei[number] for number in (0, 2, 3, 8)]
    tall = Photo("tall", resized(mei[4].pixels, 1, 1.3))
    photos = [*others, tall]
    verdicts = check_set(photos, [check_photo(photo, engine) for photo in photos], engine)
    said = [[note.code for note in verdict.notes] for verdict in verdicts]
    assert "shape_unlike_others" in said[-1] or "stretched" in said[-1]
    assert not any("shape_unlike_others" in codes for codes in said[:-1])


def test_a_mild_beauty_filter_is_told_by_the_persons_other_photos(engine, ravi):
    photos = [photo for photo in ravi[:7] if check_photo(photo, engine).usable]
    mild = Photo("mild", cv2.bilateralFilter(photos[0].pixels, 9, 28, 6))
    verdicts = [check_photo(photo, engine) for photo in (mild, *photos[1:])]
    assert not any(note.code == "smoothed" for note in verdicts[0].notes)
    said = check_set([mild, *photos[1:]], verdicts, engine)
    told = [any(n.code == "smoother_than_others" for n in verdict.notes) for verdict in said]
    assert told == [True, *[False] * (len(photos) - 1)]
