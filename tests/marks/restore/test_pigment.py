"""Of what is measured of a mark only what pigment can have made is kept."""

import numpy as np
import pytest
from marked import BLOOD, MELANIN

from realism.marks.restore.pigment import clip_to_pigment
from realism.marks.restore.quotient import measure_quotient

DENSITY = 1.3 * MELANIN


def test_a_moles_ratio_is_of_pigment_and_what_gets_darker_beside_it_stays_out():
    ys, xs = np.mgrid[:61, :61]
    away = np.hypot(xs - 30, ys - 30)
    light = np.full((61, 61, 3), -1.0, np.float32)
    light -= (np.clip(5.5 - away, 0, 1)[..., None] * DENSITY).astype(np.float32)
    light[:, 38:41] -= 2.0  # a hair, of no colour
    clean = np.ones((61, 61), np.float32)
    clean[:, 37:42] = 0
    patch = measure_quotient(light, clean, np.array([30, 30]), 5.0)
    ratio = clip_to_pigment(patch, "mole")
    middle = len(ratio) // 2
    assert ratio[middle, middle] == pytest.approx(-DENSITY, rel=0.1)
    assert ratio[middle, middle + 9].mean() > -0.5 * DENSITY.mean()


def test_a_pimple_beside_hair_comes_back_red_and_not_black():
    ys, xs = np.mgrid[:81, :81]
    light = np.full((81, 81, 3), -1.0, np.float32)
    light -= (np.clip(5.5 - np.hypot(xs - 40, ys - 40), 0, 1)[..., None] * BLOOD).astype(np.float32)
    light[:, 46:] -= 2.5  # hair, of no colour
    clean = np.ones((81, 81), np.float32)
    clean[:, 46:] = 0
    patch = measure_quotient(light, clean, np.array([40, 40]), 5.0, "acne")
    ratio = clip_to_pigment(patch, "acne")
    middle = len(ratio) // 2
    assert ratio[middle, middle] == pytest.approx(-BLOOD, rel=0.3)
    assert ratio[..., 0].min() > -0.6 and ratio.min() > -1.3
