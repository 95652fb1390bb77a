"""Aligned heads: eyes level and where every other head has them."""

import cv2
import numpy as np
import pytest

from realism.faces.align import aligned_crop, seen_share
from realism.faces.face import Face


def eyes(face: Face, matrix: np.ndarray) -> np.ndarray:
    """Both eyes in the crop, image left first, (2, 2) px."""
    points = face.landmarks @ matrix[:, :2].T + matrix[:, 2]
    return np.stack([points[36:42].mean(0), points[42:48].mean(0)])


def test_heads_of_two_people_lie_at_one_place_with_eyes_level(engine, mei, ravi):
    for photo in (mei[0], ravi[0]):
        (face,) = engine.find(photo.pixels)
        crop, matrix = aligned_crop(photo.pixels, face)
        left, right = eyes(face, matrix)
        assert crop.shape == (256, 256, 3)
        assert abs(left[1] - right[1]) < 4
        assert np.allclose((left + right) / 2, (128, 121), atol=4)
        assert 50 < right[0] - left[0] < 66


def test_a_tilted_photo_gives_the_same_head(engine, mei):
    pixels = mei[0].pixels
    (face,) = engine.find(pixels)
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 20, 1)
    tilted = cv2.warpAffine(pixels, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
    (tilted_face,) = engine.find(tilted)
    upright, _ = aligned_crop(pixels, face, 64)
    again, _ = aligned_crop(tilted, tilted_face, 64)
    inner = slice(20, 48)
    assert np.abs(upright[inner, inner].astype(int) - again[inner, inner]).mean() < 8


def test_beyond_the_border_the_picture_is_mirrored_and_the_share_seen_is_told(engine, mei):
    pixels = mei[0].pixels
    (face,) = engine.find(pixels)
    _, whole_matrix = aligned_crop(pixels, face)
    x0, y0, x1, y1 = face.box.astype(int)
    near = pixels[y0 - 10 : y1 + 10, x0 - 10 : x1 + 10]
    (near_face,) = engine.find(near)
    crop, matrix = aligned_crop(near, near_face)
    assert seen_share(pixels.shape, whole_matrix, 256) > seen_share(near.shape, matrix, 256)
    assert (crop.reshape(-1, 3).max(1) > 0).mean() > 0.99
    assert seen_share(near.shape, matrix, 256) == pytest.approx(0.35, abs=0.2)
