"""What tells the kinds of round marks, on marks drawn on even skin."""

import numpy as np
import pytest

from realism.marks.find.appearance import LOOKS, measure_looks
from realism.marks.find.blobs import MARK_SIZE

RADIUS = 8.0
DEEP, LARGE, SHARP, PALE, RED, FLUSH = range(LOOKS)


def looks(change: np.ndarray) -> np.ndarray:
    """Of the mark in the middle of skin whose log light a change (121, 121, 3) is added to."""
    skin = np.log(np.float32([200, 150, 130])) + np.zeros((121, 121, 1), np.float32)
    at, sigma = np.array([60]), np.array([RADIUS / MARK_SIZE])
    return measure_looks((skin + change).astype(np.float32), at, at, sigma)[0]


def disc(radius: float, soft: float) -> np.ndarray:
    """1 inside a radius, fading over `soft` px: (121, 121, 1)."""
    rows, columns = np.indices((121, 121), np.float32) - 60
    away = np.hypot(rows, columns)
    return (0.5 - 0.5 * np.tanh((away - radius) / (2 * soft)))[..., None]


MOLE = -0.6 * disc(RADIUS, 0.7) * np.float32([0.7, 1, 1.2])
SPOT = -0.15 * disc(RADIUS, 3.0) * np.float32([0.7, 1, 1.2])
BLOOD = np.float32([0.15, 1, 0.8])
PIMPLE = -0.3 * disc(RADIUS, 1.5) * BLOOD - 0.15 * disc(2 * RADIUS, 3.0) * BLOOD
PUSTULE = PIMPLE + 0.3 * disc(0.4 * RADIUS, 0.5)


def test_a_mole_is_deeper_and_sharper_than_a_spot():
    mole, spot = looks(MOLE), looks(SPOT)
    assert mole[DEEP] > spot[DEEP] + 1
    assert mole[SHARP] > spot[SHARP] + 0.2


def test_a_pimple_is_red_and_so_is_the_skin_around_it():
    mole, pimple = looks(MOLE), looks(PIMPLE)
    assert pimple[RED] > 2.5
    assert pimple[FLUSH] > 0.5
    assert abs(mole[FLUSH]) < 0.2


def test_the_middle_of_a_pustule_is_pale():
    assert looks(PUSTULE)[PALE] > 1
    assert abs(looks(PIMPLE)[PALE]) < 0.5


def test_even_skin_has_no_looks_that_are_not_finite():
    assert np.isfinite(looks(np.zeros((121, 121, 3)))).all()
    none = np.zeros(0, int)
    assert measure_looks(np.zeros((9, 9, 3), np.float32), none, none, np.zeros(0)).shape == (
        0,
        LOOKS,
    )


@pytest.mark.parametrize("radius", [4.0, 16.0])
def test_how_large_it_is_does_not_depend_on_how_dark(radius):
    at, sigma = np.array([60]), np.array([radius / MARK_SIZE])
    both = [
        measure_looks(depth * disc(radius, 1.0) * np.ones(3, np.float32), at, at, sigma)[0, LARGE]
        for depth in (np.float32(-0.2), np.float32(-0.8))
    ]
    assert both[0] == both[1] == pytest.approx(np.log(radius / 5.0), abs=1e-5)
