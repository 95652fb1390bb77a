"""The fidelity card: likeness on the person's own scale, marks kept and why not."""

import numpy as np
import pytest

from realism.draw.card import SIDE, WIDTH, fidelity_card
from realism.draw.overview import MARGIN
from realism.draw.palette import ACCENT, BAND
from realism.marks.restore.report import Likeness

PLACED = [
    {"kind": "mole", "visible": True, "reason": "", "code": ""},
    {"kind": "acne", "visible": False, "reason": "hidden by the turn", "code": "hidden_by_turn"},
]


def columns_of(card: np.ndarray, colour: tuple) -> np.ndarray:
    """Columns right of the portrait that hold a colour."""
    beside = card[:, 2 * MARGIN + SIDE :]
    return np.flatnonzero((beside == colour).all(2).any(0))


@pytest.mark.parametrize("shape", [(256, 256), (1024, 768), (300, 900)])
def test_a_portrait_of_any_shape_is_shown_whole(shape):
    after = np.full((*shape, 3), (200, 30, 60), np.uint8)
    card = fidelity_card("a", after, after, PLACED, ("dlib", Likeness(0.4, 0.5, (0.6, 0.8))))
    shown = (card[MARGIN : MARGIN + SIDE, MARGIN : MARGIN + SIDE] == (200, 30, 60)).all(2)
    assert card.shape == (SIDE + 2 * MARGIN, WIDTH, 3)
    # Its longer side fills the square; the other keeps the shape.
    rows, columns = shown[:, SIDE // 2].sum(), shown[SIDE // 2].sum()
    assert max(rows, columns) == SIDE
    assert rows / columns == pytest.approx(shape[0] / shape[1], rel=0.02)


def test_the_dot_of_likeness_lies_inside_the_photos_range_only_when_it_is_there():
    picture = np.zeros((64, 64, 3), np.uint8)
    for after, inside in ((0.7, True), (0.3, False)):
        card = fidelity_card(
            "a", picture, picture, PLACED, ("dlib", Likeness(0.1, after, (0.5, 0.9)))
        )
        dot, band = columns_of(card, ACCENT), columns_of(card, BAND)
        assert (band.min() < dot.mean() < band.max()) == inside


def test_a_face_that_is_lost_and_a_single_photo_are_said_not_drawn():
    picture = np.zeros((64, 64, 3), np.uint8)
    card = fidelity_card("a", picture, picture, [], ("dlib", Likeness(0.1, None, ())))
    assert not len(columns_of(card, ACCENT)) and not len(columns_of(card, BAND))


def test_a_second_engine_has_a_scale_of_its_own_and_one_alone_is_said_to_be_alone():
    picture = np.zeros((64, 64, 3), np.uint8)
    first = ("insightface", Likeness(0.2, 0.25, (0.3, 0.4)))
    second = Likeness(0.6, 0.65, (0.7, 0.9))
    alone = fidelity_card("a", picture, picture, PLACED, first)
    lost = fidelity_card("a", picture, picture, PLACED, first, ("dlib", None))
    both = fidelity_card("a", picture, picture, PLACED, first, ("dlib", second))
    assert (alone != lost).any() and (lost != both).any()
    assert columns_of(alone, BAND).max() < columns_of(both, BAND).max(), "the other's own scale"
    rows = np.flatnonzero((both[:, 2 * MARGIN + SIDE :] == BAND).all(2).any(1))
    assert len(np.flatnonzero(np.diff(rows) > 1)) == 1, "two scales, one below the other"
    # What is beneath it, the marks, stays on the card.
    many = [PLACED[1] | {"code": f"c{n}", "reason": f"reason {n}"} for n in range(6)]
    full = fidelity_card("a", picture, picture, [*PLACED, *many], first, ("dlib", second))
    assert (full[-MARGIN // 2 :, 2 * MARGIN + SIDE :] == full[-1, -1]).all()
