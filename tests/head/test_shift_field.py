"""A smooth field through what was measured."""

import numpy as np
import pytest

from realism.head.shift_field import BIAS, fit_field


def measured(off, deviation=0.3):
    """A field through nine places 10 mm apart that lie off by so much, a px a mm."""
    at = np.stack(np.meshgrid(*[np.arange(3) * 10.0] * 2), -1).reshape(-1, 2)
    precision = np.tile(np.eye(2) / deviation**2, (len(at), 1, 1))
    return fit_field(at, np.tile(np.float64(off), (len(at), 1)), precision, 1.0)


def test_what_lies_between_the_places_measured_is_off_as_they_are():
    np.testing.assert_allclose(measured((2, -1))(np.array([[15.0, 5.0]])), [[2, -1]], atol=0.2)


def test_the_field_is_sure_where_it_was_measured_and_knows_nothing_far_away():
    near, beside, far = measured((2, -1)).deviation(np.array([[10.0, 10], [30, 10], [400, 10]]))
    usual = np.sqrt(sum(size**2 for size, _ in BIAS))
    assert near < 0.4
    assert near < beside < far < usual
    nothing = fit_field(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros((0, 2, 2)), 1.0)
    assert nothing.deviation(np.zeros((1, 2)))[0] == pytest.approx(usual)
    np.testing.assert_allclose(nothing(np.zeros((1, 2))), 0)


def test_a_place_that_the_others_contradict_weighs_less():
    at = np.stack(np.meshgrid(*[np.arange(3) * 10.0] * 2), -1).reshape(-1, 2)
    off = np.zeros((9, 2))
    off[4] = 9.0
    field = fit_field(at, off, np.tile(np.eye(2) / 0.3**2, (9, 1, 1)), 1.0)
    assert np.abs(field(at[4:5])).max() < 1.5
