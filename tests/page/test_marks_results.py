"""Tab 4: what is made of the marks found, to keep: PNG, card, whole run, passport, whale-anno."""

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from realism.errors import InputError
from realism.images import open_photo, read_info, save_png
from realism.marks.restore.blend import Sliders
from realism.marks.teach.whale_anno import read_whale
from realism.page.marks import handlers, results
from realism.person.person import create_person
from realism.workflow.marks import with_least_score
from realism.workflow.place import blend_portrait

FULL = (1.0,) * 5 + (1.0, 0.25, 0.5)
WAYS = ("ratio", "head")


def test_the_saved_portrait_says_that_marks_of_photographs_are_in_it(found, mei_files):
    file = Path(results.on_save(found.placed, [], None, None, None, None, "en", *FULL))
    assert file.name == f"{mei_files[7].stem}-marks.png"
    info = read_info(file)
    assert "compositeWithTrainedAlgorithmicMedia" in json.dumps(info) and "AIGC" in info


def test_before_anything_is_restored_the_page_says_so_instead_of_saving(home):
    for event in (
        lambda: results.on_save(None, [], None, None, None, None, "en", *FULL),
        lambda: results.on_card(None, [], 0.5, 2, *WAYS, None, None, None, "en", *FULL),
        lambda: results.on_export({}, 0.5, "en"),
    ):
        with pytest.raises(gr.Error, match="Restore"):
            event()


def test_findings_go_to_whale_anno_and_come_back(found, tmp_path):
    with zipfile.ZipFile(results.on_export(found.photos, 0.5, "en")) as pack:
        pack.extractall(tmp_path)
    (project,) = tmp_path.iterdir()
    back = read_whale(project)
    assert {each.file_name for each in back.annotations} == {
        f"{Path(name).stem}.png" for name in found.photos
    }
    count = sum(len(photo.marks) for photo in with_least_score(found.photos.values(), 0.5))
    assert sum(len(each.kinds) for each in back.annotations) == count > 0


def test_the_passport_shows_the_head_and_says_what_to_photograph_next(found):
    head, table, atlas, _ = results.on_passport(found.photos, 0.5, ["dropped"], None, None, "en")
    assert head.ndim == 3 and "of 2 photos" in table
    assert "Take the next photo" in table or "seen well in at least two" in table
    file = Path(results.on_passport_file(atlas, "en"))
    assert len(json.loads(file.read_text())["marks"]) == len(atlas.entries) > 0
    with pytest.raises(gr.Error, match="Make the passport first"):
        results.on_passport_file(None, "en")


def test_another_language_changes_what_was_said_of_portrait_and_passport_too(found):
    *_, atlas, _ = results.on_passport(found.photos, 0.5, ["dropped"], None, None, "en")
    message, passport = handlers.on_language(found.placed, atlas, "zh")
    assert "照片" in message and "marks" not in message
    assert "张照片" in passport and "photos" not in passport
    assert handlers.on_language(found.placed, None, "en")[0] == found.message
    assert handlers.on_language(None, None, "zh") == (gr.skip(), gr.skip())


def test_a_mirrored_photo_is_flipped_with_its_marks_when_its_owner_agrees(found):
    photos, name = found.photos, found.photo_name
    _, _, atlas, button = results.on_passport(photos, 0.5, ["dropped"], None, None, "en")
    assert not button["visible"], "none of these is mirrored"
    mirrored = replace(atlas, mirrored=(name,))
    turned, thumbs = results.on_flip(mirrored, photos, ["dropped"], None, None, "en")
    assert len(thumbs) == len(photos)
    before, after = photos[name], turned[name]
    assert (after.pixels == before.pixels[:, ::-1]).all()
    last = before.pixels.shape[1] - 1
    assert [mark.xy[0] for mark in after.marks] == [last - mark.xy[0] for mark in before.marks]
    assert [mark.kind for mark in after.marks] == [mark.kind for mark in before.marks]
    assert all(turned[other] is photo for other, photo in photos.items() if other != name)


def test_the_run_of_a_portrait_is_found_from_the_copy_that_the_page_has(home, tmp_path, mei_files):
    person = create_person("Ada", True)
    (run := person.new_run()).mkdir(parents=True)
    copy = tmp_path / "01-seed1.png"
    shutil.copy(mei_files[0], run / copy.name)
    shutil.copy(mei_files[0], copy)
    assert results.run_of_portrait(person, copy) == run
    shutil.copy(mei_files[1], copy)
    with pytest.raises(InputError) as error:
        results.run_of_portrait(person, copy)
    assert error.value.code == "portrait_of_no_run"


def test_a_whole_run_is_restored_and_says_which_portrait_shows_no_face(
    found, home, tmp_path, mei_files
):
    run = create_person("Ada", True).new_run()
    save_png(run / "01-seed1.png", open_photo(mei_files[7]).pixels)
    save_png(run / "02-seed2.png", np.full((256, 256, 3), 120, np.uint8))
    copy = tmp_path / "01-seed1.png"  # as the page has it
    shutil.copy(run / copy.name, copy)
    placed, *_ = handlers.on_place(str(copy), found.photos, 0.5, "ratio", "head", {}, "en")
    first = placed.keys[0]
    *_, (message, zip_file) = results.on_whole_run(
        placed, found.photos, 0.5, 2, [first], *WAYS, {}, None, None, "Ada", None, "en", *FULL
    )
    assert "1 of 2 portraits" in message
    assert "02-seed2.png: " in message and "no face" in message
    with zipfile.ZipFile(zip_file) as restored:
        assert restored.namelist() == ["01-seed1.png"]
        own = open_photo(restored.read("01-seed1.png"), "own").pixels
    # What was switched off here is off there, and the rest is put back.
    assert (own == blend_portrait(placed, Sliders(*FULL), [first])).all()
    assert (own != placed.portrait.pixels).any()
