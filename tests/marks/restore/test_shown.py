"""What a portrait shows of a mark already is told from skin that is lively all over."""

import cv2
import numpy as np
from marked import MELANIN

from realism.marks.restore.shown import find_shown


def test_lively_skin_is_seldom_taken_for_a_faint_mark():
    ys, xs = np.mgrid[-4:5, -4:5]
    wanted = -0.15 * np.exp(-(xs**2 + ys**2) / 5)[..., None] * MELANIN
    taken = {0.03: 0, 0.05: 0}  # by how lively it is, log units
    for seed in range(50):
        noise = np.random.default_rng(seed).normal(0, 1, (41, 41)).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), 1.2)
        for lively in taken:
            shown = (lively * noise / noise.std())[..., None] * MELANIN
            taken[lively] += find_shown(wanted, shown, 16, 2)[0] > 0
    assert taken[0.03] < 0.05 * 50
    assert taken[0.05] < 0.2 * 50


def test_one_freckle_of_many_is_the_one_that_goes_there_and_not_one_beside_it():
    def freckles(*places):
        ys, xs = np.mgrid[:41, :41]
        dark = sum(np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / 5) for x, y in places)
        return -0.15 * dark[..., None] * MELANIN

    beside = [(x, y) for x in (4, 12, 20, 28, 36) for y in (4, 12, 20, 28, 36)]
    wanted = freckles((20, 20))[16:25, 16:25]
    share, off = find_shown(wanted, freckles(*((x + 1, y) for x, y in beside)), 4, 2)
    assert share > 0.8
    np.testing.assert_array_equal(off, [1, 0])
    others = freckles(*(place for place in beside if place != (20, 20)))
    assert find_shown(wanted, others, 4, 2)[0] == 0
