"""A mark's shape is told from the grain of the skin that it lies on."""

import cv2
import numpy as np
import pytest

from realism.marks.restore.profile import fit_profile
from realism.marks.restore.quotient import measure_quotient

SIDE, MIDDLE = 41, 20.0


def draw(rng, middle, radius, stretch=1.0, grain=0.04):
    """Log-light of skin with shading and grain and a mark on it, and the mark alone."""
    ys, xs = np.mgrid[:SIDE, :SIDE].astype(float)
    skin = 0.01 * (xs - 20) - 0.006 * (ys - 20) + 0.0004 * (xs - 17) ** 2
    away = np.hypot((xs - middle[0]) / stretch, (ys - middle[1]) * stretch) / radius
    mark = -1 / (1 + np.exp((away - 1) / 0.2))
    mark = mark[..., None] * np.array([0.35, 0.6, 0.75])
    grains = cv2.GaussianBlur(rng.normal(0, 1, (SIDE, SIDE)), (0, 0), 0.8)
    light = skin[..., None] + mark + (grain * grains / grains.std())[..., None]
    return light.astype(np.float32), mark


@pytest.mark.parametrize(("radius", "stretch"), [(1.6, 1.0), (2.5, 1.3), (4.5, 1.2)])
def test_a_mark_comes_out_without_the_grain_although_its_middle_is_said_wrong(radius, stretch):
    rng, found, raw, off = np.random.default_rng(0), [], [], []
    for _ in range(12):
        light, mark = draw(rng, (MIDDLE, MIDDLE), radius, stretch)
        said = np.array([MIDDLE, MIDDLE]) + rng.uniform(-0.4, 0.4, 2)
        patch = measure_quotient(light, np.ones((SIDE, SIDE), np.float32), said, radius)
        half = len(patch.log_ratio) // 2
        part = np.s_[20 - half : 21 + half, 20 - half : 21 + half]
        got = fit_profile(light[part], np.ones((2 * half + 1,) * 2), patch.centre, radius)
        near = np.hypot(*np.mgrid[-half : half + 1, -half : half + 1]) <= 2 * radius
        for ratio, errors in ((got, found), (patch.log_ratio, raw)):
            errors.append(np.sqrt(((ratio - mark[part])[near] ** 2).mean()))
        dark, (ys, xs) = -got.mean(2), np.mgrid[-half : half + 1, -half : half + 1]
        off.append(np.hypot((dark * xs).sum(), (dark * ys).sum()) / dark.sum())
    assert np.mean(found) < 0.96 * np.mean(raw)
    assert np.median(off) < 0.25


def test_of_a_large_mark_its_lobes_are_kept_and_skin_without_a_mark_is_left_alone():
    rng = np.random.default_rng(1)
    light, _ = draw(rng, (MIDDLE, MIDDLE), 5.5, grain=0.01)
    lobe = np.hypot(*(np.mgrid[:SIDE, :SIDE] - np.array([18, 22])[:, None, None])) < 1.6
    light[lobe] -= 0.5
    got = fit_profile(light, np.ones((SIDE, SIDE)), np.array([MIDDLE, MIDDLE]), 5.5)
    ring = np.hypot(*(np.mgrid[:SIDE, :SIDE] - np.array([22, 18])[:, None, None])) < 1.6
    assert got[lobe].mean() < got[ring].mean() - 0.2
    bare, _ = draw(rng, (MIDDLE, MIDDLE), 3.0)
    skin_only = bare - draw(np.random.default_rng(1), (MIDDLE, MIDDLE), 3.0, grain=0)[1]
    got = fit_profile(
        skin_only.astype(np.float32), np.ones((SIDE, SIDE)), np.array([MIDDLE, MIDDLE]), 3.0
    )
    assert np.abs(got).max() < 0.1
