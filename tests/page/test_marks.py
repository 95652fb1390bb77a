"""Tab 4: marks are found, corrected by clicks, put back under sliders, and kept."""

import re
import time
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from realism.marks.mark import RoundMark, Wrinkle
from realism.page.marks import editor, handlers, results
from realism.person.person import create_person
from realism.workflow.marks import with_least_score
from realism.workflow.place import mark_key

FULL = (1.0,) * 5 + (1.0, 0.25, 0.5)
CARD = ([], 0.5, 2, "ratio", "head", None, None, None, "en", *FULL)
NONE = (0.0, *FULL[1:])
NOBODY = (["dropped"], None, None, "en")  # photos that belong to nobody


def begin_off(placed, least):
    """Keys of the marks that begin off, of photos that belong to nobody."""
    return handlers.on_least_sightings(placed, least, ["dropped"], None, None, "en")


def on_screen(point, pixels, face) -> list[float]:
    """Where a point of a picture is on the enlarged face."""
    low, _, scale = editor.face_window(pixels, face)
    return ((point - low) * scale).tolist()


@pytest.fixture
def click_portrait(found, click_at):
    """A click on a point of the portrait, px."""
    pixels, face = found.placed.portrait.pixels, found.placed.face
    return lambda point: click_at(on_screen(point, pixels, face))


@pytest.fixture
def click_photo(found, click_at):
    """A click on a point of the photo in view, px."""
    photo = found.photos[found.photo_name]
    return lambda point: click_at(on_screen(point, photo.pixels, photo.face))


# Found, placed, blended -----------------------------------------------------------------------


def test_without_portrait_or_photos_the_page_says_what_to_drop(home, mei_files):
    with pytest.raises(gr.Error, match="Drop a portrait"):
        list(handlers.on_find(None, None, {}, None, None, "en"))
    with pytest.raises(gr.Error, match="Drop photos"):
        list(handlers.on_find(str(mei_files[0]), None, {}, None, None, "en"))


def test_marks_serve_without_a_person(found, mei_files):
    assert set(found.photos) == {mei_files[0].name, mei_files[4].name}
    assert found.photo_name in found.photos
    assert sum(len(photo.marks) for photo in found.photos.values()) >= 4
    assert re.search(r"[1-9]\d* marks were found on 2 photos; [1-9]\d* of them", found.message)


def test_a_photo_dropped_twice_does_not_confirm_itself(mei_files):
    scores = []
    for files in ([mei_files[0]], [mei_files[0], mei_files[0]]):
        walk = handlers.on_find(str(mei_files[7]), [*map(str, files)], {}, None, None, "en")
        *_, (photos, _, _, _) = walk
        (photo,) = photos.values()
        scores.append([mark.score for mark in photo.marks])
    assert scores[0] == scores[1] != []


def test_strength_nought_gives_the_portrait_back_and_full_strength_changes_marks_only(
    found, picture
):
    same = handlers.on_blend(found.placed, found.before, [], "en", *NONE)
    assert (picture(same["before"]) == picture(same["after"])).all()
    full = handlers.on_blend(found.placed, found.before, [], "en", *FULL)
    changed = (picture(full["after"]) != picture(full["before"])).any(2)
    assert 0 < changed.mean() < 0.05


def test_a_slider_is_answered_at_once(found):
    handlers.on_blend(found.placed, found.before, [], "en", *FULL)
    start = time.process_time()
    for _ in range(5):
        handlers.on_blend(found.placed, found.before, [], "en", *FULL)
    assert (time.process_time() - start) / 5 < 0.3  # seconds of work; 0.15 is meant at 1024 px


def test_the_surer_a_mark_must_be_the_fewer_are_put_on(found):
    photos = found.photos.values()
    every = sum(len(photo.marks) for photo in with_least_score(photos, 0.0))
    sure = sum(len(photo.marks) for photo in with_least_score(photos, 0.9))
    assert 0 <= sure < every
    drawn = handlers.on_draw(found.photos, 1.01, found.placed, [], found.photo_name, "en")
    assert drawn[0] is not None  # the photo is shown without rings


def test_marks_that_one_photo_alone_shows_begin_off_unless_placed_by_hand(found):
    placed = found.placed
    assert begin_off(placed, 2) == []  # two photos: each may be the only chance
    unsure = [
        replace(shown, visible_in=3, mark=replace(shown.mark, score=0.5))
        for shown in placed.placements
    ]
    three = replace(
        placed,
        photos=(*placed.photos, placed.photos[0]),
        prepared=replace(placed.prepared, placements=tuple(unsure)),
    )
    once = {
        key
        for key, shown in zip(placed.keys, placed.placements, strict=True)
        if shown.photo_count == 1
    }
    assert set(begin_off(three, 2)) == once
    assert begin_off(three, 1) == []
    by_hand = [replace(shown, mark=replace(shown.mark, score=1.0)) for shown in placed.placements]
    layered = replace(placed.prepared, placements=tuple(by_hand))
    assert begin_off(replace(three, prepared=layered), 2) == []


# Similarity -----------------------------------------------------------------------------------


def test_similarity_is_told_before_and_after_with_the_photos_own_scale(found):
    sentence = handlers.on_measure(found.placed, [], "en", *FULL)
    assert re.search(r"0\.\d+ before, 0\.\d+ after.*Photo to photo", sentence)


def test_with_two_faces_on_the_portrait_similarity_is_the_persons(found, both_people):
    placed, _, message, *_ = handlers.on_place(
        str(both_people), found.photos, 0.5, "ratio", "head", {}, "en"
    )
    assert "2 faces on the portrait" in message
    sentence = handlers.on_measure(placed, [], "en", *FULL)
    before, after = map(float, re.search(r"(0\.\d+) before, (0\.\d+) after", sentence).groups())
    assert after == pytest.approx(before, abs=0.05)
    assert Path(results.on_card(placed, *CARD)).exists()


def test_a_restored_portrait_on_which_no_face_is_found_is_said_to_be_so_and_has_its_card(found):
    grey = np.full_like(found.placed.portrait.pixels, 120)
    lost = replace(found.placed, prepared=replace(found.placed.prepared, portrait=grey))
    sentence = handlers.on_measure(lost, [], "en", *FULL)
    assert re.search(r"0\.\d+ before; no face is found on it any more.*Photo to photo", sentence)
    chinese = handlers.on_measure(lost, [], "zh", *FULL)
    assert re.search(r"0\.\d+", chinese) and "找不到" in chinese
    assert Path(results.on_card(lost, *CARD)).exists()


# Clicks on the portrait -----------------------------------------------------------------------


def test_a_click_on_the_portrait_switches_a_mark_off_and_on(found, click_portrait):
    placed, view = found.placed, (found.photo_name, "en")
    _, portrait, _, _ = handlers.on_draw(found.photos, 0.5, placed, [], *view)
    click = click_portrait(editor.visible_placements(placed)[0].to)
    off, _, _ = handlers.on_portrait_click(placed, [], "switch", None, {}, *NOBODY, click)
    assert len(placed.indices(off)) == 1
    assert (handlers.on_draw(found.photos, 0.5, placed, off, *view)[1] != portrait).any()
    on, _, _ = handlers.on_portrait_click(placed, off, "switch", None, {}, *NOBODY, click)
    assert on == []


def test_a_click_beside_all_marks_changes_nothing(found, click_portrait):
    corner = found.placed.face.box[:2] - 1
    for action in ("switch", "move"):
        answer = handlers.on_portrait_click(
            found.placed, [], action, None, {}, *NOBODY, click_portrait(corner)
        )
        assert answer == (gr.skip(), None, gr.skip())


def test_a_mark_on_the_portrait_is_moved_by_two_clicks(found, click_portrait):
    placed = found.placed
    shown = next(each for each in editor.visible_placements(placed) if not len(each.polyline))
    there = shown.to + np.float32([6, 9])
    first, second = click_portrait(shown.to), click_portrait(there)
    _, picked_up, _ = handlers.on_portrait_click(placed, [], "move", None, {}, *NOBODY, first)
    key = mark_key(shown.photo, shown.mark)
    assert picked_up == (key, (0, 0))
    _, left, moves = handlers.on_portrait_click(placed, [], "move", picked_up, {}, *NOBODY, second)
    assert left is None
    again, _, _, picked_up, _ = handlers.on_move(
        placed, found.photos, 0.5, "ratio", "head", moves, "en"
    )
    assert picked_up is None
    before, after = (
        {key: shown.to for key, shown in zip(each.keys, each.placements, strict=True)}
        for each in (placed, again)
    )
    assert np.hypot(*(after[key] - there)) < 0.5
    others = [other for other in after if other != key]
    assert others and all((after[other] == before[other]).all() for other in others)


def test_a_wrinkle_goes_with_the_point_at_which_it_was_taken(found, mei_files, click_at):
    photo = found.photos[found.photo_name]
    left, right = photo.face.landmarks[31], photo.face.landmarks[35]
    polyline = np.linspace(left, right, 12).astype(np.float32)
    wrinkle = Wrinkle(polyline.mean(0), 0.004 * photo.face.width, polyline=polyline)
    photos = {photo.name: replace(photo, marks=[wrinkle])}

    def place(moves):
        portrait = str(mei_files[7])
        return handlers.on_place(portrait, photos, 0.5, "ratio", "head", moves, "en")[0]

    placed = place({})
    (shown,) = placed.placements
    end = shown.polyline[-1]
    click = click_at(on_screen(end, placed.portrait.pixels, placed.face))
    _, (key, offset), _ = handlers.on_portrait_click(placed, [], "move", None, {}, *NOBODY, click)
    assert offset == pytest.approx((shown.to - end).tolist(), abs=0.01)
    forehead = (placed.face.landmarks[21] + placed.face.landmarks[22]) / 2
    target = forehead + np.float32([0, -0.1 * placed.face.width])
    click = click_at(on_screen(target, placed.portrait.pixels, placed.face))
    _, _, moves = handlers.on_portrait_click(placed, [], "move", (key, offset), {}, *NOBODY, click)
    (moved,) = place(moves).placements
    assert np.abs(moved.polyline[-1] - target).max() < 0.01 and moved.visible
    beside = {(placed.digest, *key): (2.0, 2.0)}
    (off_skin,) = place(beside).placements
    assert not off_skin.visible and off_skin.reason


# Clicks on a photo ----------------------------------------------------------------------------


@pytest.fixture
def correct(found):
    """A click on the photo in view, of photos that belong to nobody."""

    def answer(photos, action, click, least_score=0.5, start=None):
        return handlers.on_photo_click(
            photos, least_score, found.placed, [], found.photo_name, action, start, ["dropped"],
            None, None, "en", click,
        )  # fmt: skip

    return answer


def test_marks_can_be_added_and_deleted_by_a_click_on_the_photo(found, correct, click_photo):
    photo = found.photos[found.photo_name]
    nose, count = photo.face.landmarks[30], len(photo.marks)
    more, _, _ = correct(found.photos, "mole", click_photo(nose))
    added = more[found.photo_name].marks[-1]
    assert added.kind == "mole" and np.hypot(*(added.xy - nose)) < 1.5
    less, _, _ = correct(more, "delete", click_photo(nose))
    assert len(less[found.photo_name].marks) == count
    assert len(found.photos[found.photo_name].marks) == count, "what was given is not changed"


def test_two_clicks_add_a_wrinkle_from_the_first_to_the_second(found, correct, click_photo):
    photo = found.photos[found.photo_name]
    left, right = photo.face.landmarks[31], photo.face.landmarks[35]
    _, _, start = correct(found.photos, "wrinkle", click_photo(left))
    photos, _, rest = correct(found.photos, "wrinkle", click_photo(right), start=start)
    wrinkle = photos[found.photo_name].marks[-1]
    assert rest is None and isinstance(wrinkle, Wrinkle)
    assert np.abs(wrinkle.points[[0, -1]] - [left, right]).max() < 1.5


def test_a_click_on_a_mark_of_the_photo_switches_it_on_the_portrait(found, correct, click_photo):
    shown = next(
        each
        for each in editor.visible_placements(found.placed)
        if each.photo == found.photo_name and each.mark.score >= 0.5
    )
    _, off, _ = correct(found.photos, "switch", click_photo(shown.mark.xy))
    assert mark_key(shown.photo, shown.mark) in off


def test_a_click_on_a_mark_gives_it_the_kind_that_is_chosen(found, correct, click_photo):
    marks = found.photos[found.photo_name].marks
    mark = next(each for each in marks if isinstance(each, RoundMark) and each.kind != "acne")
    photos, _, _ = correct(found.photos, "acne", click_photo(mark.xy), least_score=0.0)
    corrected = photos[found.photo_name].marks
    assert len(corrected) == len(marks)
    changed = [each for each in corrected if each.kind == "acne" and each.score == 1]
    assert [tuple(each.xy) for each in changed] == [tuple(mark.xy)]


def test_corrections_of_a_persons_photo_are_kept_with_the_person(found, home, click_photo):
    person, name = create_person("Ada", True), found.photo_name
    photo = found.photos[name]
    click = click_photo(photo.face.landmarks[30])
    handlers.on_photo_click(
        found.photos, 0.5, found.placed, [], name, "mole", None, None, "Ada", None, "en", click
    )
    assert [mark.kind for mark in person.marks()[name]][-1] == "mole"
    assert len(person.marks()[name]) == len(photo.marks) + 1
