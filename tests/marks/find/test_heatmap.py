"""The default finder, and the plain measures of light that it joins with a network."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from marked import BLOOD, MELANIN, painted, round_marks, truth_of

from realism.faces.face import mm_per_px_from_eyes
from realism.faces.features import feature_at
from realism.faces.occluders import find_occluders
from realism.faces.paintable import close_holes, paintable_mask
from realism.faces.skin import skin_mask
from realism.marks.find.crop import crop_face
from realism.marks.find.finders import HEATMAP_WEIGHTS, find_marks
from realism.marks.find.network import load_heatmap, normalise, run_network
from realism.marks.mark import Mark, RoundMark


@pytest.fixture(scope="module")
def frontal(mei, engine):
    """mei's first photo, its face and skin."""
    pixels = mei[0].pixels
    face = engine.find(pixels)[0]
    return pixels, face, skin_mask(pixels, face)


@pytest.fixture(scope="module")
def dotted(mei, frontal):
    """The photo with fifteen more marks, and where they are."""
    pixels, face, skin = frontal
    rng, places = np.random.default_rng(4), []
    own = [m.xy for m in round_marks(truth_of(mei[0]), facing=0).values()]
    solid = cv2.erode((skin > 0.5).astype(np.uint8), np.ones((17, 17), np.uint8))
    rows, columns = np.nonzero(solid)
    while len(places) < 15:
        index = rng.integers(len(rows))
        xy = np.array([columns[index], rows[index]], np.float32)
        if all(np.hypot(*(xy - other)) > 14 for other in [*own, *places]):
            places.append(xy)
            density = (1.8 * MELANIN, 0.7 * MELANIN, 0.8 * BLOOD)[len(places) % 3]
            pixels = painted(pixels, tuple(xy), rng.uniform(2.0, 3.0), density)
    return pixels, face, skin, np.array(places)


def found_of(places: np.ndarray, marks: list[Mark], reach: float = 3.0) -> float:
    """Share of the places that a round mark lies within `reach` px of."""
    at = np.array([m.xy for m in marks if isinstance(m, RoundMark)])
    return float((np.linalg.norm(places[:, None] - at[None], axis=2).min(1) < reach).mean())


def test_marks_painted_on_a_face_are_found(dotted):
    pixels, face, skin, places = dotted
    marks = find_marks(pixels, face, skin)
    assert found_of(places, marks) >= 0.85
    assert all(0.5 <= m.score <= 1 for m in marks)
    assert all(0.8 < m.radius < 8 for m in marks if isinstance(m, RoundMark))


def test_round_marks_lie_on_skin_only(dotted):
    pixels, face, skin, _ = dotted
    marks = [m for m in find_marks(pixels, face, skin, threshold=0.0) if isinstance(m, RoundMark)]
    assert len(marks) > 20
    # Shade and folds that the strict mask leaves out may carry marks; brows, eyes and lips never.
    covered = find_occluders(pixels, face).mask()
    wide = close_holes(paintable_mask(pixels, skin, face, covered), face, covered)
    for mark in marks:
        x, y = np.rint(mark.xy).astype(int)
        assert wide[y, x] > 0.5 and feature_at(mark.xy, face, slack=0) == ""


def test_the_shade_around_a_mark_is_not_another(ravi, engine):
    pixels = ravi[7].pixels  # on it such a shade was found, four fifths of a radius off
    face = engine.find(pixels)[0]
    marks = find_marks(pixels, face, skin_mask(pixels, face), threshold=0.0)
    spots = sorted((m for m in marks if isinstance(m, RoundMark)), key=lambda m: -m.score)
    assert len(spots) > 5
    for number, spot in enumerate(spots):
        assert all(np.hypot(*(spot.xy - surer.xy)) >= spot.radius for surer in spots[:number])


@pytest.mark.parametrize("place", [346, 369, 428])  # by the edge of the strict mask
def test_a_mole_much_darker_than_skin_is_on_skin_and_found(frontal, place):
    pixels, face, _ = frontal
    at = face.mesh[place, :2]
    marked = painted(pixels, tuple(at), 3.0 / mm_per_px_from_eyes(face), 2.7 * MELANIN)
    skin, covered = skin_mask(marked, face), find_occluders(marked, face).mask()
    wide = paintable_mask(marked, skin, face, covered)
    x, y = np.rint(at).astype(int)
    assert close_holes(wide, face, covered)[y, x] > 0.5
    assert found_of(at[None], find_marks(marked, face, skin)) == 1


def test_the_example_people_have_few_findings_off_their_marks(mei, engine):
    wrong = 0
    for photo in mei[:2]:
        face = engine.find(photo.pixels)[0]
        true = np.array([m.xy for m in round_marks(truth_of(photo), facing=-1).values()])
        for mark in find_marks(photo.pixels, face, skin_mask(photo.pixels, face)):
            if isinstance(mark, RoundMark):
                wrong += np.hypot(*(true - mark.xy).T).min() > 6
    assert wrong <= 2


def test_the_same_marks_are_found_on_a_turned_picture(dotted):
    pixels, face, skin, places = dotted
    turn = cv2.getRotationMatrix2D((256, 256), 25, 1.0)
    turned = cv2.warpAffine(pixels, turn, (512, 512), flags=cv2.INTER_CUBIC, borderMode=4)
    mesh = face.mesh.copy()
    mesh[:, :2] = mesh[:, :2] @ turn[:, :2].T + turn[:, 2]
    turned_skin = cv2.warpAffine(skin, turn, (512, 512))
    marks = find_marks(turned, replace(face, mesh=mesh), turned_skin)
    assert found_of(places @ turn[:, :2].T + turn[:, 2], marks) >= 0.8


def test_a_picture_seen_in_parts_gives_the_same_marks(dotted):
    pixels, face, skin, _ = dotted
    view = crop_face(pixels, face, skin, 420)
    net, inputs = load_heatmap(HEATMAP_WEIGHTS), normalise(view.log_light, view.skin)
    whole, parts = run_network(net, inputs), run_network(net, inputs, tile=352)
    assert inputs.shape[1] > 352 < inputs.shape[2]
    on_skin = view.skin[::2, ::2] > 0.5
    both = [
        (maps[0] >= cv2.dilate(maps[0], np.ones((5, 5)))) & (maps[0] > 0) & on_skin
        for maps in (whole, parts)
    ]
    assert both[0].sum() >= 10
    near = cv2.dilate(both[1].astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert near[both[0]].mean() >= 0.9
    assert abs(int(both[0].sum()) - int(both[1].sum())) <= 2


def test_the_finder_without_a_network_can_still_be_chosen(dotted):
    pixels, face, skin, places = dotted
    plain = find_marks(pixels, face, skin, method="dog")
    assert found_of(places, plain) >= 0.7
    assert {m.score for m in plain} != {m.score for m in find_marks(pixels, face, skin)}
