"""Marks switched by hand are known again: on any portrait, in any photo, after another search."""

import numpy as np
import pytest

from realism.marks.mark import RoundMark, Wrinkle, mark_from_json, mark_to_json
from realism.marks.switched import Switched, mark_id


def mole(x=100.0, y=80.0, radius=3.0, kind="mole") -> RoundMark:
    return RoundMark(kind, np.float32([x, y]), radius, 0.8)


def fold(y=50.0, first=20.0) -> Wrinkle:
    polyline = np.stack([np.linspace(first, 60, 9), np.full(9, y)], 1).astype(np.float32)
    return Wrinkle(polyline.mean(0), 2.0, 0.8, polyline)


def test_a_mark_that_was_switched_off_is_off_in_whichever_photo_it_is_seen_best():
    switched = Switched().with_mark([("a.jpg", mole()), ("b.jpg", mole(40))], on=False)
    assert switched.state_of([("b.jpg", mole(40))]) is False
    assert switched.state_of([("c.jpg", mole(7)), ("a.jpg", mole())]) is False
    assert switched.state_of([("b.jpg", mole(100))]) is None
    assert switched.state_of([("c.jpg", mole())]) is None


@pytest.mark.parametrize(
    ("again", "same"),
    [
        (mole(102.5), True),
        (mole(100, 80, 3, "spot"), True),
        (mole(104), False),
        (fold(), False),
    ],
)
def test_found_again_a_px_beside_or_as_another_kind_it_is_the_same_mark(again, same):
    switched = Switched().with_mark([("a.jpg", mole())], on=False)
    assert (switched.state_of([("a.jpg", again)]) is False) == same


def test_a_wrinkle_is_known_by_its_course_however_much_of_it_was_traced():
    switched = Switched().with_mark([("a.jpg", fold())], on=False)
    assert switched.state_of([("a.jpg", fold(51, 35))]) is False
    assert switched.state_of([("a.jpg", fold(58))]) is None


def test_the_last_switch_counts_and_others_stay_as_they_were():
    other = ("a.jpg", mole(10))
    switched = Switched().with_mark([other], on=False).with_mark([("a.jpg", mole())], on=False)
    switched = switched.with_mark([("a.jpg", mole(101)), ("b.jpg", mole())], on=True)
    assert switched.state_of([("a.jpg", mole())]) is True
    assert switched.state_of([other]) is False
    assert len(switched.off) == 1 and len(switched.on) == 2


def test_a_photo_that_is_flipped_or_gone_takes_its_marks_along():
    switched = Switched().with_mark([("a.jpg", mole(30)), ("b.jpg", mole(30))], on=False)
    flipped = switched.with_flipped_photo("a.jpg", 200)
    assert flipped.state_of([("a.jpg", mole(169))]) is False
    assert flipped.state_of([("a.jpg", mole(30))]) is None
    assert flipped.state_of([("b.jpg", mole(30))]) is False
    assert switched.without_photo("a.jpg").off == switched.off[1:]


def test_the_id_of_a_mark_is_short_names_its_kind_and_outlives_json():
    marks = [mole(x / 7, x / 3) for x in range(200)]
    ids = [mark_id("a.jpg", mark) for mark in marks]
    assert len(set(ids)) == 200 and all(len(name) == len("mole-3fa2c1") for name in ids)
    again = [mark_id("a.jpg", mark_from_json(mark_to_json(mark))) for mark in marks]
    assert again == ids
    assert mark_id("b.jpg", marks[0]) != ids[0]
