"""Marks on the head: how far apart they lie, which are one, and which photo is mirrored."""

from dataclasses import dataclass

import numpy as np
import pytest
from marked import round_marks, truth_of

from realism.faces.engine import primary_face
from realism.head.fit import fit_head, fit_person, steady_mesh
from realism.marks.mark import RoundMark, Wrinkle
from realism.marks.observation import (
    SAME_MARK_MM,
    distance_mm,
    foreshortening_weight,
    group_by_distance,
    observe_mark,
    polyline_distance,
)


@pytest.fixture(scope="module")
def looked_at(mei, engine):
    """mei's first photo, its face and the head fitted to it."""
    pixels = mei[0].pixels
    face = primary_face(engine.find(pixels))
    return mei[0], face, fit_head(steady_mesh(pixels, face.mesh), pixels.shape[:2])


def test_a_mark_is_as_large_on_the_head_as_its_truth_and_best_seen_from_the_front(looked_at):
    photo, _, head = looked_at
    truth = truth_of(photo)
    observed = [observe_mark(mark, photo.name, head) for mark in round_marks(truth).values()]
    assert len(observed) >= 5 and all(observation is not None for observation in observed)
    sizes = [observation.radius_mm / observation.mark.radius for observation in observed]
    # How far the camera stood is a guess of the fit: all sizes together may be off by it.
    assert np.median(sizes) == pytest.approx(truth["mm_per_px"], rel=0.25)
    assert np.ptp(sizes) < 0.1 * np.median(sizes)
    frontal = max(observed, key=lambda observation: observation.facing)
    turned = min(observed, key=lambda observation: observation.facing)
    assert frontal.quality > turned.quality


def test_beside_the_head_nothing_is_observed(looked_at):
    photo, _, head = looked_at
    assert observe_mark(RoundMark("mole", np.float32([2, 2]), 2.0), photo.name, head) is None
    away = np.float32([[2, 2], [3, 3], [4, 4]])
    assert observe_mark(Wrinkle(away[1], 1.0, polyline=away), photo.name, head) is None


def test_a_wrinkle_is_compared_along_its_course_and_never_with_a_mole(looked_at):
    photo, face, head = looked_at
    points = np.linspace(face.mesh[107, :2], face.mesh[336, :2], 24).astype(np.float32)
    fold = observe_mark(Wrinkle(points[12], 1.0, polyline=points), photo.name, head)
    part = observe_mark(Wrinkle(points[4], 1.0, polyline=points[:9]), photo.name, head)
    mole = observe_mark(RoundMark("mole", points[12], 2.0), photo.name, head)
    assert fold.is_traced and not mole.is_traced
    assert distance_mm(fold, part) < 1 < np.linalg.norm(fold.place_mm - part.place_mm)
    assert distance_mm(fold, mole) == np.inf


def test_a_mole_on_the_outline_is_the_one_that_another_photo_shows_from_the_front(mei, engine):
    heads = []
    for photo in mei[:2]:
        face = primary_face(engine.find(photo.pixels))
        heads.append((steady_mesh(photo.pixels, face.mesh), photo.pixels.shape[:2]))
    front, turned = fit_person(heads)
    # The best-seen vertex of those that the other head shows nearly edge-on.
    edge = (turned.facings > 0.2) & (turned.facings < 0.35)
    vertex = int(np.where(edge, front.facings, -1).argmax())
    marks = [
        RoundMark("mole", head.pixels[vertex].astype(np.float32), 2.0) for head in (front, turned)
    ]
    beside = marks[1].mapped(lambda xy: xy + np.float32(15 / turned.mm_per_px))
    sharp = observe_mark(marks[0], "front", front)
    vague, other = (observe_mark(mark, "turned", turned) for mark in (marks[1], beside))
    assert distance_mm(sharp, vague) == distance_mm(vague, sharp) < 2
    assert other is None or distance_mm(sharp, other) > SAME_MARK_MM


def test_a_short_line_beside_a_long_line_is_as_far_as_it_lies_beside_it():
    long = np.stack([np.arange(100.0), np.zeros(100)], 1)
    short = long[40:50] + np.array([0, 3])
    assert polyline_distance(long, short) == pytest.approx(3)
    assert polyline_distance(short, long) == pytest.approx(3)


def test_a_distance_counts_less_where_skin_is_seen_from_the_side():
    assert foreshortening_weight(0.9, 0.7) == 1
    assert foreshortening_weight(0.9, 0.3) == pytest.approx(0.5)
    assert foreshortening_weight(0.05, 0.9) == pytest.approx(0.3)


@dataclass
class Found:
    """Something at a place of one photo."""

    photo: str
    at: float


def test_what_lies_near_in_other_photos_is_one_mark_and_two_of_one_photo_are_two():
    found = [Found("a", 0), Found("b", 1), Found("a", 2), Found("c", 1.8), Found("d", 30)]
    groups = group_by_distance(found, lambda first, second: abs(first.at - second.at), 5)
    named = [[(member.photo, member.at) for member in group] for group in groups]
    assert named == [[("a", 0), ("b", 1)], [("a", 2), ("c", 1.8)], [("d", 30)]]
