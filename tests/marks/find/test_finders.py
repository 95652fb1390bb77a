"""Marks are found where they are, as what they are, and on skin only."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from marked import BLOOD, MELANIN, painted, round_marks, truth_of

from realism.errors import InputError
from realism.faces.face import mm_per_px_from_eyes
from realism.faces.features import feature_at
from realism.faces.skin import skin_mask
from realism.marks.find.finders import DEFAULT_FINDER, FINDERS, find_marks, finder_named
from realism.marks.mark import RoundMark, Wrinkle


@pytest.fixture(scope="module")
def frontal(mei, engine):
    """mei's first photo, its face and skin."""
    pixels = mei[0].pixels
    face = engine.find(pixels)[0]
    return pixels, face, skin_mask(pixels, face)


def cheek_of(face) -> np.ndarray:
    """A place on the person's right cheek and one on the left, (2, 2) px."""
    return np.stack([face.mesh[[50, 205], :2].mean(0), face.mesh[[280, 425], :2].mean(0)])


def nearest(marks, xy):
    """The round mark nearest to a place, and how far off it is, px."""
    found = [m for m in marks if isinstance(m, RoundMark)]
    best = min(found, key=lambda m: np.hypot(*(m.xy - xy)))
    return best, float(np.hypot(*(best.xy - xy)))


def test_a_mole_painted_on_a_cheek_is_found_where_it_was_painted(frontal):
    pixels, face, skin = frontal
    xy = cheek_of(face)[1]
    before = find_marks(pixels, face, skin)
    marked = painted(pixels, tuple(xy), 2.5, 1.6 * MELANIN)
    after = find_marks(marked, face, skin_mask(marked, face))
    mark, off = nearest(after, xy)
    assert off < 1.5
    assert 1.2 < mark.radius < 5
    assert all(np.hypot(*(m.xy - xy)) > 5 for m in before if isinstance(m, RoundMark))


@pytest.mark.parametrize(
    ("kind", "radius", "density"),
    [("mole", 2.5, 1.8 * MELANIN), ("spot", 3.5, 0.45 * MELANIN), ("acne", 3.0, 0.8 * BLOOD)],
)
def test_moles_spots_and_pimples_are_told_apart_by_their_colour(frontal, kind, radius, density):
    pixels, face, skin = frontal
    for xy in cheek_of(face):
        marked = painted(pixels, tuple(xy), radius, density)
        mark, off = nearest(find_marks(marked, face, skin, threshold=0.0), xy)
        assert off < 2.0
        assert mark.kind == kind


def test_no_mark_is_found_on_brows_eyes_or_lips(mei, engine):
    for photo in mei[:2]:
        face = engine.find(photo.pixels)[0]
        marks = find_marks(photo.pixels, face, skin_mask(photo.pixels, face), threshold=0.0)
        for mark in marks:
            if isinstance(mark, RoundMark):
                assert feature_at(mark.xy, face, slack=0.0) == ""


def test_most_moles_of_the_example_people_are_found(mei, ravi, engine):
    found = wanted = 0
    for photo in (*mei[:3], *ravi[:3]):
        face = engine.find(photo.pixels)[0]
        marks = find_marks(photo.pixels, face, skin_mask(photo.pixels, face))
        for mole in round_marks(truth_of(photo), facing=0.6).values():
            if mole.kind == "mole" and mole.radius > 1.5:
                wanted += 1
                found += nearest(marks, mole.xy)[1] < 3 if marks else 0
    assert wanted >= 6
    assert found >= 0.7 * wanted


def test_a_drawn_forehead_line_is_found_as_a_wrinkle_along_its_course(frontal):
    pixels, face, _ = frontal
    left, right = face.mesh[[67, 297], :2] * 0.6 + face.mesh[[66, 296], :2] * 0.4
    line = np.stack([left + t * (right - left) for t in np.linspace(0, 1, 40)])
    marked = pixels
    for point in line:
        marked = painted(marked, tuple(point), 0.8, np.full(3, 0.15, np.float32))
    marks = find_marks(marked, face, skin_mask(marked, face))
    wrinkles = [m for m in marks if isinstance(m, Wrinkle)]
    found = np.concatenate([m.polyline for m in wrinkles]) if wrinkles else np.full((1, 2), 1e9)
    gaps = np.linalg.norm(line[:, None] - found[None], axis=2).min(1)
    assert (gaps < 2 / mm_per_px_from_eyes(face)).mean() > 0.7


def test_marks_of_a_large_face_are_found_at_the_same_places(frontal):
    pixels, face, skin = frontal
    xy = cheek_of(face)[0]
    marked = painted(pixels, tuple(xy), 2.5, 1.6 * MELANIN)
    large = cv2.resize(marked, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    large_face = _scaled(face, 2)
    marks = find_marks(large, large_face, cv2.resize(skin, None, fx=2, fy=2))
    assert nearest(marks, (xy + 0.5) * 2 - 0.5)[1] < 3


def _scaled(face, factor):
    scale = np.float32([factor, factor, factor])
    return replace(
        face,
        box=face.box * factor,
        landmarks=(face.landmarks + 0.5) * factor - 0.5,
        mesh=(face.mesh + np.float32([0.5, 0.5, 0])) * scale - np.float32([0.5, 0.5, 0]),
    )


def test_an_unknown_finder_and_missing_weights_are_refused_in_words(frontal):
    with pytest.raises(InputError, match="keypoint-rcnn"):
        find_marks(*frontal, method="magic")
    with pytest.raises(InputError, match="no weights"):
        find_marks(*frontal, method="compact")
    with pytest.raises(InputError, match="safetensors"):
        find_marks(*frontal, method="keypoint-rcnn", weights=Path("finder.pth"))


def test_every_finder_is_asked_for_by_one_name_and_says_what_it_needs(frontal):
    assert list(FINDERS) == ["heatmap", "dog", "keypoint-rcnn", "compact"]
    assert finder_named("heatmap") is DEFAULT_FINDER and DEFAULT_FINDER.weights.is_file()
    for name, finder in FINDERS.items():
        assert finder_named(name) is finder and finder.name == name
        if finder.needs_weights:
            with pytest.raises(InputError, match="no weights"):
                find_marks(*frontal, method=name)
        else:
            scores = [mark.score for mark in find_marks(*frontal, method=name)]
            assert scores and min(scores) >= finder.threshold
            assert scores == sorted(scores, reverse=True)
            everything = find_marks(*frontal, method=name, threshold=0.0)
            assert len(everything) > len(scores)
    with pytest.raises(InputError, match="keypoint-rcnn"):
        finder_named("resnet50")
