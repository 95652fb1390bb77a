"""The measuring sets are read, and scored, as they lie on disk."""

import json
import shutil

import numpy as np
import pytest

from data_sets.marked_people import analyse_picture, mark_from_truth, read_truth, read_views
from data_sets.one_of_each_kind import score_one_of_each_kind
from data_sets.scoring import SCORER, read_truth_to_score
from realism.config import ASSETS
from realism.marks.mark import RoundMark, Wrinkle, make_mark

MEI = ASSETS / "people/mei"


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    """A folder of the form of marked-people: two pictures, one mark hidden and one too faint."""
    data = tmp_path_factory.mktemp("twins")
    for folder in ("truth", "marked", "clean"):
        (data / folder).mkdir()
    for name in ("mei-01", "mei-02"):
        truth = json.loads((MEI / "truth" / f"{name}.json").read_text())
        for mark in truth["marks"]:
            mark["contrast"] = 12.0
        truth["marks"][0]["visible"] = False
        truth["marks"][1]["contrast"] = 2.0
        (data / "truth" / f"{name}.json").write_text(json.dumps(truth))
        for folder in ("marked", "clean"):
            shutil.copy(MEI / f"{name}.jpg", data / folder)
    return data


def test_views_are_read_by_person_with_the_marks_that_are_seen(twins):
    ((_, views),) = read_views(twins).items()
    assert [view.name for view in views] == ["mei-01", "mei-02"]
    view = views[0]
    assert view.marked == twins / "marked/mei-01.jpg" and view.truth == read_truth(view.clean)
    seen = {value["id"]: value for value in view.truth["marks"] if value["visible"]}
    marks = view.marks()
    assert set(marks) == set(seen) and len(seen) < len(view.truth["marks"])
    for mark_id, mark in marks.items():
        # The truth counts pixel centres at .5, a mark of ours at whole numbers.
        assert np.allclose(mark.xy, np.array(seen[mark_id]["xy"]) - 0.5, atol=1e-4)
        assert view.mark_truth(mark_id) is seen[mark_id]
    assert set(view.marks(("mole",))) == {i for i, value in seen.items() if value["kind"] == "mole"}


def test_a_wrinkle_of_the_truth_keeps_only_the_part_that_is_seen():
    value = {
        "kind": "wrinkle", "xy": [20.5, 10.5], "width_mm": 1.5,
        "polyline": [[10.5, 10.5], [20.5, 10.5], [30.5, 10.5]],
        "polyline_visible": [False, True, True],
    }  # fmt: skip
    mark = mark_from_truth(value, {"mm_per_px": 0.5})
    assert isinstance(mark, Wrinkle) and mark.half_width == 3
    assert mark.polyline.tolist() == [[20, 10], [30, 10]]
    mole = mark_from_truth({"kind": "mole", "xy": [20.5, 10.5], "radius_px": 2.5}, {})
    assert isinstance(mole, RoundMark) and mole.radius == 2.5


def test_the_scorer_is_given_every_picture_with_and_without_its_marks(twins):
    entries = read_truth_to_score(twins)
    assert [entry["image"] for _, entry in entries] == [
        f"{folder}-mei-0{n}.jpg" for n in (1, 2) for folder in ("marked", "clean")
    ]
    assert all(path.is_file() for path, _ in entries)
    marked, clean = entries[0][1]["marks"], entries[1][1]["marks"]
    assert clean == []
    # What is hidden or too faint may be found or not.
    assert [mark["certain"] for mark in marked[:4]] == [False, False, True, True]


def test_hand_made_annotations_are_given_to_the_scorer_as_they_are(tmp_path):
    annotated = {"image": "images/a.jpg", "size": [9, 9], "marks": []}
    (tmp_path / "annotations.json").write_text(json.dumps([annotated]))
    assert read_truth_to_score(tmp_path) == [(tmp_path / "images/a.jpg", annotated)]


def test_a_picture_is_looked_at_once(twins):
    path = twins / "marked/mei-01.jpg"
    assert analyse_picture(path) is analyse_picture(path)
    assert analyse_picture(path).skin.shape == analyse_picture(path).pixels.shape[:2]


def test_one_mark_of_each_kind_counts_and_is_right_on_its_own_kind_only():
    if not SCORER.exists():
        pytest.skip("the scorer lies outside the repository")
    about = {"size": [1024, 1024], "face_box": [0, 0, 1024, 1024], "ignore": []}
    at = {"mole": [[100, 100], [200, 200]], "acne": [[300, 300]]}
    marks = [
        {"kind": kind, "xy": xy, "radius": 5, "certain": True} for kind in at for xy in at[kind]
    ]
    truth = [{"image": "a", **about, "marks": marks}, {"image": "b", **about, "marks": []}]

    def finding(kind, x, score):
        return make_mark(kind, np.float32([x, x]), 5.0, score)

    # The second mole is one too many to count, and the spot lies on another kind.
    found = {
        "a": [finding("mole", 200, 0.9), finding("mole", 600, 0.8), finding("spot", 100, 0.6)],
        "b": [finding("mole", 500, 0.3)],
    }
    figures = score_one_of_each_kind(truth, found)
    assert figures.wanted == 2 and figures.ap == 0.5 and figures.precision == 1
    assert figures.sure == 2 and figures.on_a_mark == 1
    found["a"].append(finding("acne", 300, 0.2))
    assert score_one_of_each_kind(truth, found).ap == 0.5 + 0.5 * 2 / 4
