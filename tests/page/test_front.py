"""The front: a real result, three doors, the people who come back."""

from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest

from realism.images import open_photo, save_png
from realism.page import front, photos
from realism.page.compare import marks_window
from realism.page.front import EXAMPLE
from realism.page.i18n import words
from realism.page.marks.kept import newest_result
from realism.person.person import create_person, open_person, people
from realism.workflow.example import FINISHED


def test_the_picture_of_the_front_is_a_portrait_of_the_example_with_and_without_its_marks():
    result = newest_result(open_person(EXAMPLE, FINISHED))
    assert result is not None
    before, after = (open_photo(file).pixels for file in result)
    changed = (before != after).any(2)
    assert 0 < changed.mean() < 0.1  # marks, and nothing else
    rows, columns = marks_window(before, after)
    assert changed[rows, columns].sum() == changed.sum()
    height, width = before[rows, columns].shape[:2]
    assert height == width >= 0.6 * min(before.shape[:2])


def test_a_mark_at_the_edge_is_still_inside_the_square():
    before = np.zeros((200, 300, 3), np.uint8)
    after = before.copy()
    after[3:6, 290:294] = 255
    rows, columns = marks_window(before, after)
    assert before[rows, columns].shape[:2] == (120, 120)
    assert after[rows, columns].any() and rows.start == 0 and columns.stop == 300


def test_the_sentence_says_what_the_program_does_in_both_languages():
    english, chinese = (words(each)["front.story"]["value"] for each in ("en", "zh"))
    for word in ("dozen photos", "portraits", "moles", "back where they belong"):
        assert word in english
    for word in ("十来张照片", "肖像", "痣", "放回原处"):
        assert word in chinese


def test_the_first_door_opens_the_finished_example_at_its_first_step(home):
    choice, message, tour = front.on_example(None, "en")
    assert choice["value"] == "Mei" and tour == ("Mei", "photos") and message == ""
    view, tabs, here, *_ = front.on_person("Mei", None, "pocket", tour, "en")
    assert "at-work" in view and tabs.selected == "photos" and here == ("Mei", "photos")
    # Who comes back to her later goes on where all is done.
    _, tabs, here, *_ = front.on_person("Mei", None, "pocket", None, "en")
    assert tabs.selected == "marks" and here == ("Mei", "marks")


def test_opening_the_example_again_changes_nothing_of_what_was_made_of_her(home):
    front.on_example(None, "en")
    run = next((home / "mei" / "portraits").iterdir())
    (run / "ranking.json").unlink(missing_ok=True)
    mine = run.with_name("20991231-000000")
    mine.mkdir()
    front.on_example(None, "en")
    assert mine.exists() and len(people(None)) == 1


def test_the_second_door_creates_a_person_and_takes_their_photos_in(home, mei_files, tmp_path):
    assert "at-creation" in front.on_photos()
    choice, *_, tour = front.on_create("Ada", "woman", True, None, "en")
    assert choice["value"] == "Ada" and tour == ("Ada", "photos")
    files = [str(file) for file in mei_files[:2]]
    *_, said = photos.on_begin(files, "Ada", None, "en")
    assert "2 photos were checked" in said and len(open_person("Ada").accepted()) == 2
    # Photos that are checked already while the page turns to her do not turn it further.
    assert front.on_person("Ada", None, "pocket", tour, "en")[1].selected == "photos"
    view, tabs, *_ = front.on_person("Ada", None, "pocket", None, "en")
    assert "at-work" in view and tabs.selected == "finetune"


def test_a_person_may_be_created_without_photos_and_begins_at_step_1(home):
    front.on_create("Ada", "woman", True, None, "en")
    assert list(photos.on_begin(None, "Ada", None, "en")) == []
    assert front.on_person("Ada", None, "pocket", None, "en")[1].selected == "photos"


def test_nobody_is_created_without_consent_and_the_notice_says_what_to_do(home):
    with pytest.raises(gr.Error, match="Confirm first"):
        front.on_create("Ada", "woman", False, None, "en")
    assert not (home / "ada").exists()


def test_the_third_door_leads_to_tab_4_without_a_person():
    view, tabs, here = front.on_portrait()
    assert "at-work" in view and tabs.selected == "marks" and here == (None, "marks")


def test_who_is_quick_at_the_third_door_is_not_sent_back_to_the_front():
    # Nobody is chosen any more since the front is shown; the page hears of it a moment later.
    view, tabs, here, _ = front.on_person(None, None, "pocket", None, "en")
    assert view == tabs == here == gr.skip()


def test_who_comes_back_finds_their_people_with_their_faces_and_chooses_by_a_click(
    home, mei_files, engine
):
    list(create_person("Ada & Bo", True).add_photos(mei_files[:1], engine))
    create_person("Zoe", True)
    cards = front.on_people(None, "en")
    assert cards.index("Ada &amp; Bo") < cards.index("Zoe")
    assert cards.count("<button") == 2 and cards.count("data:image/png") == 1
    assert "1 photos" in cards
    choice, tour = front.on_pick(None, SimpleNamespace(name="Zoe"))
    assert choice["value"] == "Zoe" and tour is None
    choice, view, cards, _ = front.on_home(None, "zh")
    assert choice["value"] is None and "at-front" in view and "欢迎回来" in cards


def test_a_person_who_cannot_be_read_is_told_of_without_a_folder_of_this_machine(home):
    (home / "eve").mkdir()
    (home / "eve" / "person.json").write_text("{")
    cards = front.on_people(None, "en")
    assert "person.json" in cards and "JSON" in cards
    assert str(home) not in cards and str(home.parent) not in cards


def test_the_front_shows_a_face_anew_when_its_photo_changed(home, mei_files, engine):
    person = create_person("Ada", True)
    list(person.add_photos(mei_files[:1], engine))
    before = front.on_people(None, "en")
    path = person.records()[0].path
    assert path is not None
    save_png(path, open_photo(path).pixels[:, ::-1].copy())
    assert front.on_people(None, "en") != before
