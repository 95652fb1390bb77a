"""A mark lands on the same place of the same head, or is said to be hidden."""

from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest
from marked import round_marks, truth_of

from realism.errors import InputError, Message
from realism.faces.face import mm_per_px_from_eyes
from realism.faces.skin import skin_mask
from realism.head.shift_field import ShiftField
from realism.marks.mark import RoundMark, Wrinkle
from realism.marks.photo import MarkedPhoto, PhotoAnalysis
from realism.marks.restore import prepare as restore
from realism.marks.restore.merge import merge_placements
from realism.marks.restore.obstacles import find_obstacle, off_backdrop
from realism.marks.restore.placement import place_marks
from realism.marks.restore.report import placements_to_json


@pytest.fixture(scope="module")
def views(mei, ravi, engine):
    """Six photos of each person with face, skin and truth."""
    result = []
    for photo in (*mei[:6], *ravi[:6]):
        face = engine.find(photo.pixels)[0]
        result.append((photo, face, skin_mask(photo.pixels, face), truth_of(photo)))
    return result


def pairs(views):
    """Ordered pairs of views of one person."""
    return [(a, b) for a in views for b in views if a is not b and a[3]["person"] == b[3]["person"]]


def errors_mm(views, method):
    """Millimetres between each placed mark and the truth, marks facing the camera in both."""
    errors = []
    for (photo, face, _, truth), (_, there, skin, truth_there) in pairs(views):
        here, wanted = round_marks(truth), round_marks(truth_there)
        both = [name for name in here if name in wanted]
        placed = place_marks([here[n] for n in both], photo.name, face, there, skin, method)
        for name, spot in zip(both, placed, strict=True):
            errors.append(np.hypot(*(spot.to - wanted[name].xy)) * truth_there["mm_per_px"])
    return np.array(errors)


def test_the_head_places_true_marks_within_three_millimetres_in_the_middle(views):
    errors = errors_mm(views, "head")
    assert len(errors) > 100
    assert np.median(errors) < 3.0
    assert np.percentile(errors, 95) < 10.0


def test_three_landmarks_place_true_marks_but_less_well(views):
    errors = errors_mm(views, "nearest3")
    assert np.median(errors) < 12.0
    assert np.median(errors_mm(views, "head")) < 0.7 * np.median(errors)


@pytest.mark.parametrize("method", ["head", "nearest3"])
def test_a_mark_carried_to_its_own_photo_stays_where_it_is(views, method):
    photo, face, skin, truth = views[0]
    marks = list(round_marks(truth).values())
    for mark, spot in zip(
        marks, place_marks(marks, photo.name, face, face, skin, method), strict=True
    ):
        assert np.hypot(*(spot.to - mark.xy)) < 0.05
        assert np.allclose(spot.matrix, np.eye(2), atol=0.02)


def test_a_mark_on_the_far_side_of_a_turned_head_is_reported_hidden(views):
    hidden = shown = 0
    for (photo, face, _, truth), (_, there, skin, truth_there) in pairs(views):
        here = round_marks(truth)
        away = {m["id"] for m in truth_there["marks"] if m["facing"] < -0.1}
        names = [n for n in here if n in away]
        for spot in place_marks([here[n] for n in names], photo.name, face, there, skin):
            hidden += not spot.visible
            shown += spot.visible
            assert spot.visible or spot.reason.code in (
                "hidden_by_turn", "off_skin", "outside_picture"
            )  # fmt: skip
    assert hidden + shown > 0
    assert shown <= 0.05 * (hidden + shown)


@pytest.mark.parametrize(
    ("mesh_point", "code"), [(105, "on_brow"), (468 - 323, "on_eye"), (0, "on_lips")]
)
def test_nothing_is_put_on_brow_eye_or_lips_and_the_reason_is_said(views, mesh_point, code):
    photo, face, skin, _ = views[0]
    mark = RoundMark("mole", face.mesh[mesh_point, :2], 2.0)
    (spot,) = place_marks([mark], photo.name, face, face, skin)
    assert not spot.visible
    assert spot.reason == Message(code)


def test_a_mark_whose_middle_is_a_px_off_the_skin_is_put_and_one_well_off_it_is_not(views):
    face = views[0][1]
    skin = np.zeros((512, 512), np.float32)
    skin[:, :200] = 1
    within = [
        find_obstacle(np.array([x, 20.0]), 1.0, False, face, skin, radius=4.0) is None
        for x in (199, 201, 203, 208)
    ]
    assert within == [True, True, False, False]
    assert find_obstacle(np.array([201.0, 20.0]), 1.0, False, face, skin).code == "off_skin"


def test_a_mark_beside_the_outline_is_moved_onto_the_skin_and_one_far_from_it_is_not():
    skin = np.zeros((100, 100), np.float32)
    skin[:, :50] = 1
    backdrop = skin == 0
    moved = [off_backdrop(np.array([x, 40.0]), skin, backdrop, 0.5) for x in (40.0, 52.0, 60.0)]
    np.testing.assert_allclose(moved, [[40, 40], [49, 40], [60, 40]])
    hair = np.zeros_like(backdrop)
    np.testing.assert_allclose(off_backdrop(np.array([52.0, 40.0]), skin, hair, 0.5), [52, 40])


def test_one_mark_in_two_photos_is_one_mark_with_two_sightings(views):
    _portrait, portrait_face, skin, truth = views[0]
    wanted = round_marks(truth)
    placed = []
    for photo, face, _, seen in views[1:4]:
        here = round_marks(seen)
        names = [n for n in here if n in wanted and wanted[n].kind == "mole"]
        placed += place_marks([here[n] for n in names], photo.name, face, portrait_face, skin)
    merged = merge_placements(placed, portrait_face)
    moles = [m for m in wanted.values() if m.kind == "mole"]
    assert len(merged) < len(placed)
    assert len(merged) <= len(moles) + 1
    assert max(spot.photo_count for spot in merged) >= 2


def put_at(views, photo, mm, kind="mole", polyline=None, shading=1.0):
    """A placement `mm` (x, y) from a cheek's middle, as a photo of that name has it."""
    _, face, skin, _ = views[0]
    middle = face.mesh[50, :2] + np.array(mm) / mm_per_px_from_eyes(face)
    (spot,) = place_marks(
        [RoundMark(kind, middle.astype(np.float32), 3.0)], photo, face, face, skin
    )
    if polyline is None:
        return spot
    line = (middle + np.array(polyline) / mm_per_px_from_eyes(face)).astype(np.float32)
    fold = Wrinkle(line[len(line) // 2], 1.5, polyline=line)
    seen = np.ones(len(line), bool)
    return replace(spot, mark=fold, polyline=line, polyline_visible=seen, shading_factor=shading)


def test_a_mark_that_two_groups_of_photos_split_is_one_and_two_of_one_photo_are_two(views):
    face = views[0][1]
    # The first two lie too far apart for one; the means of both groups do not.
    split = [put_at(views, *at) for at in (("a", (0, 0)), ("b", (6.5, 0)), ("c", (3, 0)))]
    assert len(merge_placements(split, face)) == 1
    both = [put_at(views, "a", (0, 0)), put_at(views, "a", (4, 0)), put_at(views, "b", (0, 0))]
    assert len(merge_placements(both, face)) == 2


@pytest.mark.parametrize(("other", "measured_too"), [("spot", 1), ("acne", 0)])
def test_a_mark_is_measured_where_photos_call_it_mole_or_spot_but_not_in_a_pimple(
    views, other, measured_too
):
    seen = [put_at(views, "a", (0, 0)), put_at(views, "b", (0, 0), kind=other)]
    (mark,) = merge_placements(seen, views[0][1])
    assert len(mark.other_views) == measured_too


def test_a_fold_is_taken_from_the_photo_in_the_portraits_light_and_lies_where_all_have_it(views):
    face = views[0][1]
    line = [(0, y) for y in np.linspace(-6, 6, 13)]
    other = put_at(views, "other", (0, 0), polyline=line, shading=-0.8)
    alike = put_at(views, "alike", (2, 0), polyline=line)
    (fold,) = merge_placements([other, alike], face)
    assert fold.photo == "alike" and fold.photo_count == 2
    off = (fold.polyline - other.polyline).mean(0) * mm_per_px_from_eyes(face)
    np.testing.assert_allclose(off, [1, 0], atol=0.2)


def test_both_parts_of_a_fold_that_one_photo_broke_lie_on_it_and_two_folds_stay_two(views):
    face = views[0][1]
    mm = mm_per_px_from_eyes(face)

    def fold(photo, x, *ends):
        return put_at(views, photo, (0, 0), polyline=[(x, y) for y in np.linspace(*ends, 25)])

    whole, upper = fold("whole", 0, -12, 12), fold("broken", 3, -11, -1)
    lower, beside = fold("broken", 3, 1, 11), fold("broken", 7, -11, -1)
    merged = merge_placements([whole, upper, lower], face)
    places = [float((part.polyline - whole.polyline)[:, 0].mean() * mm) for part in merged]
    assert len(places) == 2
    np.testing.assert_allclose(places, 1.5, atol=0.1)
    merged = merge_placements([whole, upper, beside], face)
    places = [float((part.polyline - whole.polyline)[:, 0].mean() * mm) for part in merged]
    np.testing.assert_allclose(sorted(places), [1.5, 7], atol=0.1)


def test_a_line_of_a_pixel_that_two_photos_show_stays_where_the_better_one_has_it(views):
    face = views[0][1]
    short = [(0, 0), (0, 0.2)]
    first, second = (put_at(views, photo, (0, 0), polyline=short) for photo in ("a", "b"))
    (merged,) = merge_placements([first, second], face)
    np.testing.assert_allclose(merged.polyline, first.polyline)


@pytest.mark.parametrize(
    ("kind", "score", "visible_in", "begins_off"),
    [
        ("mole", 0.55, 3, True),  # two photos show the place bare
        ("mole", 0.55, 2, False),  # seen on one of the two that could
        ("mole", 0.7, 5, False),  # sure, and the score says what the others show
        ("acne", 0.95, 5, True),  # a pimple of that day
    ],
)
def test_a_mark_of_one_photo_begins_off_where_others_show_the_place_without_it(
    views, kind, score, visible_in, begins_off
):
    photo, face, skin, _ = views[0]
    mark = RoundMark(kind, face.mesh[50, :2], 3.0, score)
    (spot,) = place_marks([mark], photo.name, face, face, skin)
    spot = replace(spot, visible_in=visible_in)
    assert bool(restore.seldom_seen([spot], 5)) is begins_off
    assert restore.seldom_seen([spot], 5, least=3) == [0]


@pytest.mark.parametrize(
    ("depth_left", "seen", "begins_off"),
    [(0.6, 2, True), (1.0, 2, False), (0.6, 3, False)],  # of a smile, of any, of most photos
)
def test_a_fold_that_few_photos_show_begins_off_where_the_face_does_not_move_so(
    views, depth_left, seen, begins_off
):
    fold = put_at(views, "a", (0, 0), polyline=[(0, 0), (0, 20)])
    shown = tuple((str(number), fold.mark) for number in range(seen))
    fold = replace(fold, depth_left=depth_left, visible_in=4, appearances=shown)
    fold = replace(fold, mark=replace(fold.mark, score=0.9))
    assert bool(restore.seldom_seen([fold], 5)) is begins_off
    assert not restore.seldom_seen([fold], 5, least=1)


def test_photos_that_a_smeared_portrait_pulls_apart_still_show_one_mark(views, monkeypatch):
    portrait, face, skin, _ = views[6]
    sources, ids = [], {}
    for photo, there, its_skin, truth in views[7:]:
        marks = round_marks(truth)
        sources.append(MarkedPhoto(photo.name, photo.pixels, there, its_skin, list(marks.values())))
        ids |= {mark: name for name, mark in marks.items()}
    # Where skin has no structure of its own, what is compared there may say anything.
    aside = cycle([-6.0, 6.0])  # mm
    monkeypatch.setattr(
        restore, "register", lambda _photo, _head, grid: pulled(next(aside) / grid.mm)
    )
    placed = restore.locate_marks(PhotoAnalysis(portrait.pixels, face, skin), sources)
    assert sorted(ids[spot.mark] for spot in placed) == sorted(set(ids.values()))


def pulled(px):
    """A registration that moves all to the side."""

    class Pulled(ShiftField):
        def __call__(self, points):
            return np.tile([px, 0.0], (len(points), 1))

    return Pulled(np.zeros((1, 2)), np.zeros((1, 2)), 1.0, np.eye(2))


def test_the_photo_that_is_surest_of_a_place_says_most(views):
    photo, face, skin, truth = views[0]
    mark = next(iter(round_marks(truth).values()))
    (spot,) = place_marks([mark], photo.name, face, face, skin)
    near = replace(spot, photo="near", deviation=0.5)
    far = replace(spot, photo="far", to=spot.to + np.float32([4, 0]), deviation=4.0)
    (merged,) = merge_placements([near, far], face)
    assert merged.to[0] - spot.to[0] == pytest.approx(0, abs=0.5)
    evenly = (replace(near, deviation=1.0), replace(far, deviation=1.0))
    (merged,) = merge_placements(evenly, face)
    assert merged.to[0] - spot.to[0] == pytest.approx(2, abs=0.5)


def test_the_report_has_the_fixed_keys(views):
    photo, face, skin, truth = views[0]
    marks = list(round_marks(truth).values())[:1]
    (entry,) = placements_to_json(place_marks(marks, photo.name, face, face, skin))
    assert {"kind", "photo", "from", "to", "visible"} <= set(entry)
    assert entry["photo"] == photo.name
    assert entry["from"] == pytest.approx(entry["to"], abs=0.1)


def test_an_unknown_placement_is_refused_in_words(views):
    photo, face, skin, _ = views[0]
    with pytest.raises(InputError, match="nearest3"):
        place_marks(
            [RoundMark("mole", np.zeros(2, np.float32), 2.0)], photo.name, face, face, skin, "guess"
        )
