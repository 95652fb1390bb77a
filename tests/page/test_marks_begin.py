"""Tab 4 without a person: one button creates them and restores, or says why not, once."""

import shutil
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from realism.config import ASSETS
from realism.faces.engine import OTHER_PERSON
from realism.images import open_photo, save_png
from realism.page import front
from realism.page.marks import begin, handlers, kept, stored
from realism.person.person import create_person, open_person, people
from realism.workflow import begin as workflow_begin


@pytest.fixture
def photos(mei_files, tmp_path_factory):
    """Copies of two photos of mei, as a browser sends them."""
    folder = tmp_path_factory.mktemp("sent")
    return [str(shutil.copy(file, folder)) for file in (mei_files[0], mei_files[4])]


@pytest.fixture
def press(home, mei_files, photos):
    """The button: `press(language, portrait=..., name=..., ...)`, all that it showed."""

    def answer(
        language="en", portrait=str(mei_files[7]), name="Ada", consent=True, sent=photos,
        anyway=False,
    ):  # fmt: skip
        form = (name, consent, sent, None, None, language, anyway)
        return list(begin.on_restore(portrait, None, {}, *form))

    return answer


def kept_in(home) -> list[str]:
    """What lies among the people, hidden or not, but the page's own copies."""
    return [path.name for path in home.iterdir() if path.name != ".page"]


def test_name_consent_photos_and_portrait_are_enough_for_a_person_with_their_marks(
    press, home, mei_files, photos
):
    *progress, last = press()
    *_, message, choice, tour, filled, empty, consent, sent, portrait, go_on = last
    assert (filled, portrait) == (None, None)
    said = " ".join(str(step[3]) for step in progress)
    assert "Checking photo 2 of 2" in said and "Looking for marks: photo 2 of 2" in said
    assert (message, empty, consent, sent) == ("", "", False, None) and not go_on["visible"]
    person = open_person("Ada")
    assert choice["value"] == "Ada" and kept_in(home) == ["ada"]
    assert len(person.accepted()) == 2 and sum(map(len, person.marks().values())) >= 4
    # The page stays at tab 4, and the portrait is theirs, as those that are drawn here are, and so
    # is what was made of it: it fills the tab.
    assert front.on_person("Ada", None, "pocket", tour, "en")[1].selected == "marks"
    file, result, *_ = kept.on_fill("Ada", None, "en")
    plain, restored = stored.kept_result(person, file)
    assert person.runs() == [plain.parent] and result["after"].endswith(restored.name)
    assert (open_photo(plain).pixels == open_photo(mei_files[7]).pixels).all()
    assert (open_photo(restored).pixels != open_photo(plain).pixels).any()
    report = stored.read_report(restored)
    assert sum(each.visible for each in report.placements) >= 3
    # The person has the pictures now; what the browser sent is gone.
    assert not any(Path(file).exists() for file in photos)


@pytest.mark.parametrize(
    ("given", "english", "chinese"),
    [
        ({"name": " "}, "Give a name", "名字"),
        ({"consent": False}, "Confirm first", "请先确认"),
        ({"sent": None}, "Drop a few photos of the person first", "请先放入几张此人的照片"),
        ({"portrait": None}, "Drop the portrait first", "请先放入肖像"),
    ],
)
def test_what_is_missing_is_said_in_the_page_s_language_and_nothing_is_kept(
    press, home, given, english, chinese
):
    for language, sentence in (("en", english), ("zh", chinese)):
        with pytest.raises(gr.Error) as notice:
            press(language, **given)
        assert sentence in str(notice.value) and kept_in(home) == []


def test_a_name_that_is_taken_is_said_and_its_person_stays_as_they_are(press, home):
    create_person("Ada", True, "woman")
    for language, sentence in (("en", "choose another name"), ("zh", "换一个名字")):
        with pytest.raises(gr.Error, match=sentence):
            press(language)
    assert kept_in(home) == ["ada"] and open_person("Ada").records() == []


def test_a_portrait_without_a_face_is_said_and_nothing_is_kept(press, home, tmp_path_factory):
    grey = tmp_path_factory.mktemp("sent") / "grey.png"
    save_png(grey, np.full((256, 256, 3), 120, np.uint8))
    for language, sentence in (("en", "no face was found"), ("zh", "没有找到人脸")):
        with pytest.raises(gr.Error, match=sentence):
            press(language, portrait=str(grey))
    assert kept_in(home) == []


def test_a_portrait_of_another_person_is_asked_about_and_one_click_goes_on(press, home):
    ravi = str(next((ASSETS / "people" / "ravi").glob("*.jpg")))
    for language, said in (("en", "another person than the photos"), ("zh", "似乎不是照片中的人")):
        *_, (_, _, _, message, *rest, go_on) = press(language, portrait=ravi)
        assert said in message and go_on["visible"]
        assert set(map(str, rest)) == {str(gr.skip())}
        assert kept_in(home) == [] and people() == []
    *_, (*_, go_on) = press(portrait=ravi, anyway=True)
    assert not go_on["visible"] and kept_in(home) == ["ada"]


def test_a_portrait_little_like_the_photos_is_told_from_one_of_another_person(
    press, home, monkeypatch, engine
):
    poor, other = 0.9 * engine.same_person, 0.9 * OTHER_PERSON * engine.same_person
    for likeness, said in ((poor, "is not much like"), (other, "another person")):
        monkeypatch.setattr(workflow_begin, "similarity", lambda *_, like=likeness: like)
        *_, (_, _, _, message, *_) = press()
        assert said in message and f"{likeness:.2f}" in message
    assert kept_in(home) == []


def test_photos_of_which_none_can_be_used_are_said_with_why(press, home, both_people):
    with pytest.raises(gr.Error, match="None of the 1 photos can be used") as notice:
        press(sent=[str(shutil.copy(both_people, home.parent))])
    assert "face" in str(notice.value) and kept_in(home) == []


def test_who_stops_on_the_way_leaves_nothing_behind(home, mei_files, photos):
    walk = begin.on_restore(str(mei_files[7]), None, {}, "Ada", True, photos, None, None, "en")
    next(walk)
    assert len(kept_in(home)) == 1  # out of sight, not among the people
    assert people() == []
    walk.close()
    assert kept_in(home) == []


def test_the_form_is_there_while_nobody_is_chosen_and_not_after(home):
    assert "nobody" in handlers.on_show(None, None, "en")[0]
    create_person("Ada", True)
    needs, _ = handlers.on_show("Ada", None, "en")
    assert "nobody" not in needs and "no-run" in needs
