"""Ranking by the largest cosine with any photo: order, ties, and what cannot be compared."""

import os

import numpy as np
import pytest

from realism.errors import InputError
from realism.faces.face import Face, Pose
from realism.portraits.rank import (
    rank,
    rank_to_json,
    ranking_inputs,
    read_ranking,
    write_ranking,
)


def face(*embedding: float) -> Face:
    vector = np.asarray(embedding, np.float32)
    return Face(
        np.array([0, 0, 100, 120], np.float32),
        np.zeros((68, 2), np.float32),
        np.zeros((468, 3), np.float32),
        Pose(0, 0, 0),
        vector / np.linalg.norm(vector),
        1.0,
    )


PHOTOS = [("front.jpg", face(1, 0, 0).embedding), ("side.jpg", face(0, 1, 0).embedding)]


def test_the_closest_to_any_photo_comes_first_not_the_closest_to_all():
    between, aside = face(1, 1, 0), face(0.1, 1, 0)
    ranked = rank([("between.png", [between]), ("aside.png", [aside])], PHOTOS)
    assert [row.name for row in ranked] == ["aside.png", "between.png"]
    assert ranked[0].closest_photo == "side.jpg"
    assert ranked[0].similarity == pytest.approx(1 / np.sqrt(1.01), abs=1e-5)
    assert [row.rank for row in ranked] == [1, 2]


def test_equal_ones_are_ordered_by_seed_and_without_seeds_by_name():
    same = [("c.png", [face(1, 1, 1)]), ("a.png", [face(1, 1, 1)]), ("b.png", [face(1, 1, 1)])]
    assert [row.name for row in rank(same, PHOTOS)] == ["a.png", "b.png", "c.png"]
    seeds = {"a.png": 30, "b.png": 4, "c.png": 10}
    assert [row.name for row in rank(same, PHOTOS, seeds)] == ["b.png", "c.png", "a.png"]


def test_without_exactly_one_face_a_portrait_is_last_and_says_why():
    portraits = [
        ("none.png", []),
        ("two.png", [face(1, 0, 0), face(1, 0, 0)]),
        ("unlike.png", [face(-1, -1, 0)]),
    ]
    rows = rank_to_json(rank(portraits, PHOTOS))
    assert [row["portrait"] for row in rows] == ["unlike.png", "none.png", "two.png"]
    assert [row["rank"] for row in rows] == [1, 2, 3]
    assert rows[0]["similarity"] == pytest.approx(-np.sqrt(0.5), abs=1e-5)
    assert rows[0]["reason"] is None
    for row, beginning in zip(rows[1:], ("No face was found", "2 faces were found"), strict=True):
        assert row["similarity"] is None and row["closest_photo"] is None
        assert row["reason"].startswith(beginning) and row["reason"].endswith(".")
    assert list(rows[0]) == ["portrait", "similarity", "closest_photo", "rank", "reason"]


def test_the_mean_of_three_and_every_cosine_stand_beside_the_score():
    photos = [
        *PHOTOS,
        ("third.jpg", face(0, 0, 1).embedding),
        ("far.jpg", face(-1, 0, 0).embedding),
    ]
    (row,) = rank([("p.png", [face(1, 0, 0)])], photos)
    assert row.similarity == 1.0
    assert row.mean_of_three == pytest.approx(1 / 3, abs=1e-5)
    assert list(row.similarities) == ["front.jpg", "side.jpg", "third.jpg", "far.jpg"]


def test_a_portrait_nearer_to_a_photo_than_photos_are_to_each_other_is_flagged():
    portraits = [("copy.png", [face(1, 0.01, 0)]), ("new.png", [face(1, 0.9, 0)])]
    ranked = rank(portraits, PHOTOS, photo_to_photo=[0.7, 0.8])
    assert [row.copied for row in ranked] == [True, False]
    assert not any(row.copied for row in rank(portraits, PHOTOS))


def test_nothing_to_compare_is_a_sentence():
    with pytest.raises(InputError, match="add photos"):
        rank([("a.png", [])], [])
    with pytest.raises(InputError, match="make some"):
        rank([], PHOTOS)


@pytest.fixture
def kept(tmp_path):
    """A ranking of three portraits, kept; and the arguments of its inputs."""
    files = [tmp_path / f"{name}.png" for name in ("a", "b", "none")]
    for file in files:
        file.write_bytes(file.name.encode())
    faces = [[face(1, 0.01, 0)], [face(1, 0.9, 0)], []]
    found = [(file.name, found) for file, found in zip(files, faces, strict=True)]
    ranked = rank(found, PHOTOS, photo_to_photo=[0.7, 0.8])
    write_ranking(tmp_path / "kept.json", ranked, ranking_inputs("dlib", files, PHOTOS))
    return tmp_path / "kept.json", ranked, files


def test_a_ranking_is_read_back_as_it_was_with_reason_and_every_cosine(kept):
    file, ranked, files = kept
    again = read_ranking(file, ranking_inputs("dlib", files, PHOTOS))
    assert again == ranked
    assert again[0].copied and again[-1].reason.code == "portrait_has_no_face"
    assert list(again[0].similarities) == list(ranked[0].similarities)
    assert again[-1].reason.text("zh") == ranked[-1].reason.text("zh") != str(ranked[-1].reason)


def test_a_ranking_is_out_of_date_with_another_engine_portrait_or_photo(kept):
    file, _, files = kept
    moved = [("front.jpg", face(1, 0.1, 0).embedding), PHOTOS[1]]
    for engine, portraits, photos in (
        ("insightface", files, PHOTOS),
        ("dlib", files[:2], PHOTOS),
        ("dlib", files, PHOTOS[:1]),
        ("dlib", files, [("other.jpg", PHOTOS[0][1]), PHOTOS[1]]),
        ("dlib", files, moved),
    ):
        assert read_ranking(file, ranking_inputs(engine, portraits, photos)) is None
    os.utime(files[0], ns=(1, 1))
    assert read_ranking(file, ranking_inputs("dlib", files, PHOTOS)) is None


def test_a_damaged_or_missing_ranking_is_none(kept, tmp_path):
    file, _, files = kept
    inputs = ranking_inputs("dlib", files, PHOTOS)
    assert read_ranking(tmp_path / "nothing.json", inputs) is None
    whole = file.read_text()
    for text in (whole[:100], "[]", whole.replace("portrait_has_no_face", "code_of_tomorrow")):
        file.write_text(text)
        assert read_ranking(file, inputs) is None
