"""Marks of both types: their JSON, and where they go when a picture is cut or flipped."""

import numpy as np
import pytest

from realism.errors import InputError
from realism.marks.mark import (
    KINDS,
    RoundMark,
    Wrinkle,
    flipped,
    make_mark,
    mark_from_json,
    mark_to_json,
    marks_by_image,
)
from realism.workflow.marks import open_marked_photo


def test_a_mark_of_each_kind_comes_back_from_json_as_it_was_written():
    fold = [[1.0, 2.0], [3.5, 2.25], [6.0, 2.5]]
    round_form = {"xy": [3.5, 2.25], "radius": 2.0, "score": 0.75}
    written = [{"kind": kind, **round_form} for kind in KINDS]
    written.append({"kind": "wrinkle", **round_form, "line": fold})
    marks = [mark_from_json(value) for value in written]
    assert [type(mark) for mark in marks] == [RoundMark] * 3 + [Wrinkle] * 2
    assert [mark_to_json(mark) for mark in marks] == written
    assert marks[-1].polyline.tolist() == fold and marks[-1].half_width == 2.0


def test_a_wrinkle_annotated_by_one_point_has_no_course():
    point = mark_from_json({"kind": "wrinkle", "xy": [10, 20]})
    assert isinstance(point, Wrinkle) and not point.is_traced
    assert point.polyline.shape == (0, 2) and point.points.tolist() == [[10, 20]]
    assert mark_to_json(point) == {"kind": "wrinkle", "xy": [10, 20], "radius": 3.0, "score": 1.0}


def test_a_mark_goes_with_the_picture_it_is_cut_enlarged_or_flipped_with():
    fold = Wrinkle(np.float32([10, 5]), 1.5, 0.5, np.float32([[8, 5], [10, 5], [13, 6]]))
    mole = RoundMark("mole", np.float32([10, 5]), 2.0, 0.5)
    for mark, size in ((fold, 3.0), (mole, 4.0)):
        large = mark.mapped(lambda points: (points - (4, 1)) * 2, 2)
        assert large.xy.tolist() == [12, 8] and large.radius == size and large.score == 0.5
        assert flipped(mark, 100).xy.tolist() == [89, 5]
    assert flipped(fold, 100).points.tolist() == [[91, 5], [89, 5], [86, 6]]


@pytest.mark.parametrize(
    "value",
    [
        {"kind": "scar", "xy": [1, 2]},
        {"kind": "mole", "xy": [1]},
        {"kind": "mole", "xy": [1, 2], "radius": 0},
        {"kind": "wrinkle", "xy": [1, 2], "line": [[1, float("nan")]]},
        {"xy": [1, 2]},
        "mole",
    ],
)
def test_what_is_no_mark_is_refused(value):
    with pytest.raises(InputError):
        mark_from_json(value)


def test_a_mark_is_made_of_the_name_of_its_kind():
    xy = np.float32([1, 2])
    assert [make_mark(kind, xy, 2.0).kind for kind in KINDS] == list(KINDS)
    assert isinstance(make_mark("wrinkle", xy, 2.0), Wrinkle)


@pytest.mark.parametrize(
    "value",
    [
        {"image": "a.jpg"},
        [{"image": "a.jpg", "marks": [{"kind": "scar", "xy": [1, 2]}]}],
        [{"image": "a.jpg", "marks": [{"kind": "mole", "xy": [1, "x"]}]}],
        [{"image": "a.jpg", "marks": [{"kind": "mole", "xy": [1, 2], "radius": -1}]}],
        [{"image": "a.jpg", "marks": [{"kind": "mole", "xy": [float("nan"), 2]}]}],
        [{"image": "a.jpg", "marks": [{"kind": "mole", "xy": [1e308, 2]}]}],
        [{"image": "a.jpg", "marks": [{"kind": "mole", "xy": [1, 2], "radius": 10**400}]}],
        [{"image": "a.jpg", "marks": ["mole"]}],
    ],
)
def test_a_marks_file_that_is_not_one_is_refused(value):
    with pytest.raises(InputError):
        marks_by_image(value)


@pytest.mark.parametrize("mark", [("wrinkle", 20.0), ("mole", 80.0)])
def test_a_mark_of_a_file_that_is_larger_than_one_can_be_is_refused_in_one_sentence(
    ravi, engine, mark
):
    kind, radius = mark
    middle = engine.find(ravi[0].pixels)[0].mesh[50, :2]
    line = middle + np.float32([[-20, 0], [20, 0]]) if kind == "wrinkle" else None
    large = make_mark(kind, middle, radius, 1.0, line)
    with pytest.raises(InputError) as refused:
        open_marked_photo(ravi[0], engine, [large])
    assert refused.value.code == "mark_too_large"
    assert open_marked_photo(ravi[0], engine, [make_mark(kind, middle, 2.0, 1.0, line)]).marks
