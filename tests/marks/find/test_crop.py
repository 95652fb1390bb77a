"""A face cut out for the finders: always as wide, and its pixels are found again."""

import cv2
import numpy as np
import pytest

from realism.faces.skin import skin_mask
from realism.marks.find.crop import SPAN, crop_face, face_span


@pytest.mark.parametrize("size", [300, 512, 900])
def test_a_face_of_any_size_is_as_wide_in_its_crop(mei, engine, size):
    pixels = cv2.resize(mei[0].pixels, (size, size), interpolation=cv2.INTER_AREA)
    face = engine.find(pixels)[0]
    crop = crop_face(pixels, face, skin_mask(pixels, face))
    ears = crop.from_picture(face.mesh[[234, 454], :2])
    assert face_span(face) * crop.scale == pytest.approx(SPAN, rel=0.01)
    assert ears.min() > 0 and (ears < np.array(crop.skin.shape[::-1])).all()
    assert crop.log_light.shape == (*crop.skin.shape, 3)


def test_a_point_comes_back_to_the_pixel_it_was_taken_from(mei, engine):
    pixels = mei[0].pixels
    face = engine.find(pixels)[0]
    crop = crop_face(pixels, face, skin_mask(pixels, face), span=400)
    points = face.mesh[:, :2].astype(np.float64)
    assert np.allclose(crop.to_picture(crop.from_picture(points)), points)
    # What is seen there is seen here: the brightest pixel of an eye's white, say.
    x, y = np.rint(points[10]).astype(int)
    column, row = np.rint(crop.from_picture(np.array([[x, y]]))[0]).astype(int)
    grey = np.exp(crop.log_light[row, column]).mean() - 6
    assert grey == pytest.approx(pixels[y, x].mean(), abs=12)
