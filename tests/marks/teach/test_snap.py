"""A click is moved to the mark it means, and both are kept."""

import numpy as np
import pytest
from marked import MELANIN, painted

from realism.marks.teach.snap import snap_click

SPAN = 300.0  # px from ear to ear: 2 px are a millimetre


@pytest.fixture(scope="module")
def skin():
    """Plain skin with grain, and a mole of 3 px radius at (151.5, 100)."""
    rng = np.random.default_rng(0)
    plain = np.float32([205, 165, 140]) + rng.normal(0, 2, (200, 300, 1))
    return painted(plain.clip(0, 255).astype(np.uint8), (151.5, 100.0), 3, MELANIN)


def test_a_click_beside_a_mole_is_moved_onto_it_and_learns_its_size(skin):
    click = snap_click(skin, "mole", np.float32([149, 102]), SPAN)
    assert click.is_snapped
    assert click.clicked_xy.tolist() == [149, 102]
    assert np.hypot(*(click.xy - [151.5, 100])) < 0.6
    assert click.offset == pytest.approx(np.hypot(2.5, -2), abs=0.6)
    assert 2 < click.radius < 4.5


def test_the_nearer_of_two_equal_moles_is_meant(skin):
    two = painted(skin, (158.0, 100.0), 3, MELANIN)
    click = snap_click(two, "mole", np.float32([157, 101]), SPAN)
    assert np.hypot(*(click.xy - [158, 100])) < 0.7


def test_a_click_far_from_any_mole_stays(skin):
    click = snap_click(skin, "spot", np.float32([60, 60]), SPAN)
    assert not click.is_snapped and click.offset == 0
    assert click.xy.tolist() == [60, 60]


def test_a_wrinkle_is_not_moved(skin):
    click = snap_click(skin, "wrinkle", np.float32([150, 101]), SPAN)
    assert not click.is_snapped and click.offset == 0


@pytest.mark.parametrize("at", [(0, 0), (299, 199), (0, 199)])
def test_a_click_at_the_pictures_edge_stays_inside(skin, at):
    click = snap_click(skin, "mole", np.float32(at), SPAN)
    assert (click.xy >= -0.5).all() and (click.xy <= [299.5, 199.5]).all()
