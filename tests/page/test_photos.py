"""Tab 1: photos come in, are judged, and are decided on by hand."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from realism.checks import verdict
from realism.checks.verdict import Reason
from realism.errors import Message
from realism.images import save_png
from realism.page import finetune, photos
from realism.page.i18n import words
from realism.page.marks import handlers as marks
from realism.page.portraits import handlers as portraits
from realism.page.portraits import making
from realism.person.person import create_person, open_person
from realism.person.photo_record import DAMAGED


def test_photos_are_taken_in_and_a_bad_one_is_listed_with_its_reason(
    home, tmp_path, mei_files, both_people
):
    create_person("Ada", True)
    letter = tmp_path / "letter.jpg"
    letter.write_text("no picture")
    shutil.copy(both_people, tmp_path / "two.jpg")
    files = [*map(str, mei_files[:2]), str(letter), str(tmp_path / "two.jpg")]
    messages = list(photos.on_add(files, "Ada", None, "en"))
    assert "letter.jpg" in messages[2] and "refused" in messages[2]
    summary, gallery, table, _ = photos.on_show("Ada", None, "en", {})
    assert "2 of 4 good; 2 not: " in summary and len(gallery) == 4
    assert "not a picture" in table and "faces" in table
    chinese = photos.on_show("Ada", None, "zh", {})[2]
    assert "没有一张明显最大" in chinese and "这不是能读取的图片" in chinese


def test_uploads_with_what_the_camera_wrote_in_them_are_deleted(tmp_path, mei_files):
    upload = tmp_path / "upload.jpg"
    shutil.copy(mei_files[0], upload)
    photos.delete_uploads([str(upload)])
    assert not upload.exists()


def test_a_photo_can_be_refused_by_hand_and_removed(home, engine, mei_files, click_at):
    list(create_person("Ada", True).add_photos(mei_files[:3], engine))
    name, _, picture, verdict = photos.on_select("Ada", None, "en", click_at(0, "mei-01.jpg"))
    assert Path(picture).exists() and "accepted" in verdict and "0." in verdict
    _, _, verdict = photos.on_choose("refuse", name, "Ada", None, "en")
    assert "refused by hand" in verdict
    assert len(open_person("Ada").accepted()) == 2
    photos.on_remove(name, "Ada", None, "en")
    assert len(open_person("Ada").records()) == 2


def test_a_photo_that_another_page_removed_is_said_and_no_other_is_taken_for_it(
    home, engine, mei_files, click_at
):
    person = create_person("Ada", True)
    list(person.add_photos(mei_files[:3], engine))
    name, *_ = photos.on_select("Ada", None, "en", click_at(0, "mei-02.jpg"))
    assert name == "mei-02.jpg"
    person.remove_photo("mei-01.jpg", engine)
    with pytest.raises(gr.Error, match=r"no photo called mei-01\.jpg"):
        photos.on_select("Ada", None, "en", click_at(0, "mei-01.jpg"))
    assert photos.on_select("Ada", None, "en", click_at(0, "mei-02.jpg"))[0] == "mei-02.jpg"


def test_a_photo_without_a_face_cannot_be_accepted_and_the_page_says_why(home, engine, tmp_path):
    save_png(tmp_path / "wall.png", np.full((400, 400, 3), 120, np.uint8))
    list(create_person("Ada", True).add_photos([tmp_path / "wall.png"], engine))
    with pytest.raises(gr.Error, match="no face"):
        photos.on_choose("accept", "wall.png", "Ada", None, "en")


def test_every_tab_says_what_it_needs_from_the_one_before(home):
    create_person("Ada", True)
    assert "no accepted photos" in finetune.on_show("Ada", None, "en", "pocket")
    assert "no accepted photos" in portraits.on_show("Ada", None, "en", "pocket")
    assert "no accepted photos" in marks.on_show("Ada", None, "en")[0]
    assert "photos" in photos.on_show(None, None, "en", {})[0]
    with pytest.raises(gr.Error, match="no photos yet"):  # before a base is fetched
        next(finetune.on_finetune(
            "Ada", None, "en", "pocket", True, "", 1, 1e-3, 1, 1e-3, 4, 2, False, True,
        ))  # fmt: skip
    with pytest.raises(gr.Error, match="no photos yet"):
        list(making.on_make(
            "Ada", None, "en", "pocket", "a portrait", "", 1, "", 4, 2, "best", None, 1, None,
            0.25, False,
        ))  # fmt: skip


def test_what_is_not_good_comes_first_and_why_is_said_in_a_few_words(finished):
    summary, gallery, *_ = photos.on_show("Mei", finished, "en", {})
    assert "14 of 17 good; 3 not: several people, too blurred, too dark." in summary
    names = [name for _, name in gallery]
    assert not any(re.fullmatch(r"mei-\d\d.jpg", name) for name in names[:3])
    assert names[3:] == sorted(names[3:])
    assert (
        "17 张中 14 张可用；3 张不可用：多个人、太模糊、太暗。"
        in photos.on_show("Mei", finished, "zh", {})[0]
    )


def test_every_reason_to_refuse_a_photo_has_its_few_words():
    codes = Reason.__doc__.split("Reasons: ")[1].split(";")[0].split()
    assert "covered" in codes
    for language in ("en", "zh"):
        assert set(words(language)["photos.why"]) == {*codes, "by_hand", "between"}


def test_every_code_that_the_check_gives_is_told_to_be_a_reason_or_advice():
    package = Path(verdict.__file__).parents[1]
    files = [*package.glob("checks/*.py"), *package.glob("person/photo*.py")]
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    given = {*re.findall(r'Reason\(\s*"(\w+)"', source), "too_large", "unreadable", DAMAGED}
    reasons, advice = Reason.__doc__.split("Reasons: ")[1].split("advice:")
    told = {*re.findall(r"\w+", reasons), *re.findall(r"\w+", advice.split(".")[0])}
    assert "eyes_hidden" in given and given <= told


def test_a_reason_of_another_version_ends_with_one_full_stop(home, engine, mei_files):
    person = create_person("Ada", True)
    list(person.add_photos(mei_files[:1], engine))
    (record,) = person.records()
    reason = Reason("of_another_version", Message("covered", share=0.42))
    judged = replace(record.verdict, usable=False, reasons=(reason,))
    for language, end in (("en", "whole face."), ("zh", "整张脸的照片。")):
        (why,) = photos._why([replace(record, verdict=judged)], language)
        assert f"{why}{end[-1]}".endswith(end)
