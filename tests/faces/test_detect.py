"""Of candidates on one place the surest stays."""

import numpy as np
import pytest

from realism.faces.detect import overlap, suppress_overlaps


def greedy(boxes: np.ndarray, scores: np.ndarray, most: float) -> list[int]:
    """Non-maximum suppression as its definition has it."""
    kept = []
    for index in np.argsort(-scores):
        if all(overlap(boxes[index], boxes[other]) <= most for other in kept):
            kept.append(int(index))
    return kept


@pytest.mark.parametrize("seed", range(5))
def test_the_surest_box_of_each_place_stays_best_first(seed):
    draw = np.random.default_rng(seed)
    low = draw.uniform(0, 300, (200, 2))
    boxes = np.hstack([low, low + draw.uniform(20, 120, (200, 2))]).astype(np.float32)
    scores = draw.uniform(0.5, 1, 200)
    kept = suppress_overlaps(list(boxes), list(scores), 0.3)
    assert kept == greedy(boxes, scores, 0.3)
    assert 5 < len(kept) < 100


def test_boxes_shifted_by_parts_of_a_pixel_are_measured_as_they_are():
    boxes = [np.array([0, 0, 1, 1]), np.array([0.5, 0, 1.5, 1])]  # they overlap by a third
    assert suppress_overlaps(boxes, [0.9, 0.8], 0.30) == [0]
    assert suppress_overlaps(boxes, [0.8, 0.9], 0.35) == [1, 0]
    assert suppress_overlaps([], [], 0.3) == []
