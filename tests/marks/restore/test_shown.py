"""What a portrait shows of a mark already is told from skin that is lively all over."""

import cv2
import numpy as np
from marked import MELANIN

from realism.marks.restore.shown import find_shown


def test_lively_skin_is_not_taken_for_a_faint_mark():
    rng = np.random.default_rng(3)
    noise = cv2.GaussianBlur(rng.normal(0, 1, (41, 41)).astype(np.float32), (0, 0), 1.2)
    shown = (0.08 * noise / noise.std())[..., None] * MELANIN
    ys, xs = np.mgrid[-4:5, -4:5]
    wanted = -0.15 * np.exp(-(xs**2 + ys**2) / 5)[..., None] * MELANIN
    share, _ = find_shown(wanted, shown, 16)
    assert share == 0
