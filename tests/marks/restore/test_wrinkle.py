"""A fold is measured across its line: its own sides and colour, and nothing that lies beside it."""

import numpy as np
import pytest

from realism.marks.restore.wrinkle import measure_wrinkle, relight


def test_light_from_the_other_side_turns_a_folds_sides_round():
    across = np.arange(-40, 41)
    light = np.tile(np.sin(across / 3) * np.exp(-((across / 5) ** 2)) * 0.1, (60, 1))
    line = np.stack([np.full(60, 40.0), np.arange(60.0)], 1)
    light, skin = np.repeat(light[..., None], 3, 2), np.ones(light.shape)
    fold = measure_wrinkle(light.astype(np.float32), skin, line, 12)
    turned = relight(fold, 1.0, -1.0)
    assert np.allclose(turned.profile, fold.profile[:, ::-1], atol=0.01)
    assert np.allclose(relight(fold, 0.5, 1.0).profile, fold.profile / 2)


def test_what_is_no_skin_beside_a_fold_is_left_in_the_photo():
    light, skin = np.zeros((60, 80, 3), np.float32), np.ones((60, 80))
    light[:, 39:42] = -0.4
    line = np.stack([np.full(60, 40.0), np.arange(60.0)], 1)
    alone = measure_wrinkle(light, skin, line, 12)
    light[:, 46:], skin[:, 46:] = -3, 0  # lashes
    beside = measure_wrinkle(light, skin, line, 12)
    assert np.abs(beside.profile - alone.profile).max() < 0.05
    assert alone.profile[30, 12] == pytest.approx(-0.4, abs=0.03)


def test_light_that_leaves_a_fold_keeps_its_colour():
    light = np.zeros((60, 80, 3), np.float32)
    light[:, 39:42] = [-0.3, -0.5, -0.6]
    line = np.stack([np.full(60, 40.0), np.arange(60.0)], 1)
    red, green, blue = measure_wrinkle(light, np.ones((60, 80)), line, 12).tint
    assert red / green == pytest.approx(0.6, abs=0.02) and blue / green == pytest.approx(
        1.2, abs=0.02
    )
