"""Tab 4 as it was left: filled from disk at once, its photos opened for what is changed."""

import re
from dataclasses import astuple, replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest

from realism.images import open_photo
from realism.marks.restore.blend import Sliders
from realism.marks.switched import Switched
from realism.page.marks import handlers, kept, results, stored
from realism.person.person import create_person, open_person
from realism.workflow.example import open_example
from realism.workflow.place import RestoreOptions
from realism.workflow.restore import REPORT, restore_portraits

AS_FIRST = ("ratio", "head", *astuple(Sliders()))


@pytest.fixture
def opened(home) -> str:
    """The finished example in a home of its own, and the portrait that fills the tab."""
    open_example("mei")
    return kept.on_fill("Mei", None, "en")[0]


def test_the_example_fills_the_tab_without_an_engine_and_download_is_the_next_button(
    finished, picture
):
    portrait, result, likeness, passport, atlas, filled, opened, restore, save, edit, _ = (
        kept.on_fill("Mei", finished, "en")
    )
    shown = Path(portrait)
    assert (picture(result["before"]) == open_photo(shown).pixels).all()
    restored = open_photo(shown.parent / "restored" / shown.name).pixels
    assert (picture(result["after"]) == restored).all()
    assert "before" in likeness and "in " in passport and atlas.entries
    assert (filled, opened) == ("Mei", None)
    assert (restore["variant"], save["visible"], edit["visible"]) == ("secondary", True, True)


def test_what_is_kept_stands_until_something_is_changed_on_it(opened):
    here = ("Mei", "marks")
    assert kept.on_look(here, "Mei", opened, None, "en", *AS_FIRST) == gr.skip()
    # Of sliders that were moved before, it would be another picture.
    moved = (*AS_FIRST[:2], 0.5, *AS_FIRST[3:])
    assert kept.on_look(here, "Mei", opened, None, "en", *moved) == "Mei"
    assert kept.on_look(here, "Mei", None, None, "en", *moved) == gr.skip()  # not there yet
    assert kept.on_look(("Mei", "photos"), "Mei", opened, None, "en", *moved) == gr.skip()
    assert kept.on_look(here, None, opened, None, "en", *moved) == gr.skip()
    assert list(kept.on_open(None, "portrait.png", None, {}, "Mei", None, "en")) == []
    assert kept.on_touch("Mei", None) == "Mei" and kept.on_touch(None, None) == gr.skip()


def test_a_click_on_a_kept_card_switches_the_mark_for_good_and_opens_the_photos(opened):
    person = open_person("Mei")
    report = stored.read_report(stored.kept_result(person, opened)[1])
    mark = next(each.id for each in report.placements if each.visible)
    click = SimpleNamespace(mark=mark)
    assert kept.on_switch("Mei", None, opened, None, "en", click) == "Mei"
    assert len(person.switched().off) == 1
    # The kept picture still has it: from now on it is made anew.
    here = ("Mei", "marks")
    assert kept.on_look(here, "Mei", opened, None, "en", *AS_FIRST) == "Mei"
    cards = kept.on_language("Mei", None, opened, None, "en")[2]
    assert f'data-mark="{mark}" aria-pressed="false"' in cards
    kept.on_switch("Mei", None, opened, None, "en", click)
    assert kept.on_look(here, "Mei", opened, None, "en", *AS_FIRST) == gr.skip()


def test_a_portrait_that_is_sent_here_is_shown_as_it_is_kept_else_it_is_restored(opened):
    person = open_person("Mei")
    ranked = [each.portrait for each in person.kept_order(person.runs()[0])]
    first, last = (str(person.runs()[0] / name) for name in (ranked[0], ranked[-1]))
    result, *_, filled, _, restore, save, _, _ = kept.on_sent(
        first, {}, "Mei", None, "en", *AS_FIRST
    )
    assert result["after"].endswith(f"restored/{ranked[0]}") and filled == "Mei"
    assert list(kept.on_open_sent(filled, first, None, {}, "Mei", None, "en")) == []
    result, *_, filled, _, restore, save, _, _ = kept.on_sent(
        last, {}, "Mei", None, "en", *AS_FIRST
    )
    assert (result, filled) == (gr.skip(), None)
    assert (restore["variant"], save["visible"]) == ("primary", False)


def test_what_was_restored_with_other_settings_is_not_taken_for_what_is_set_now(opened, found):
    run = open_person("Mei").runs()[0]
    weaker = RestoreOptions(sliders=Sliders(overall=0.5))
    photos, engine = list(found.photos.values()), handlers.load_engine()
    for options, held in ((weaker, {"overall": 0.5}), (RestoreOptions(), {})):
        list(restore_portraits([run / Path(opened).name], photos, engine, run / "out", options))
        assert stored.read_report(run / "out" / Path(opened).name).otherwise == held


def test_a_kept_result_is_downloaded_as_it_is_unless_it_is_being_changed(opened):
    file = Path(results.on_save(None, [], "Mei", None, opened, None, "en", *AS_FIRST[2:]))
    restored = Path(opened).parent / "restored" / Path(opened).name
    assert file.read_bytes() == restored.read_bytes() and file.name.endswith("-marks.png")
    with pytest.raises(gr.Error, match="being opened"):
        results.on_save(None, [], "Mei", "Mei", opened, None, "en", *AS_FIRST[2:])


def test_the_kept_strip_has_every_mark_and_each_that_is_seen_a_ring_wrinkles_too(finished):
    _, result, *_, cards = kept.on_fill("Mei", finished, "en")
    pair = stored.newest_result(open_person("Mei", finished))
    report = stored.read_report(pair[1])
    ids = re.findall(r'data-mark="([^"]+)"', cards)
    assert set(ids) == {placement.id for placement in report.placements} and len(ids) >= 8
    assert "aria-disabled" not in cards and "seen in 13 of 14" in cards
    rings = {ring["mark"]: ring for ring in result["rings"]}
    assert set(rings) == {each.id for each in report.placements if each.visible}
    (wrinkle,) = (ring for ring in rings.values() if ring["kind"] == "wrinkle")
    assert wrinkle["rx"] > 2 * wrinkle["ry"]  # along it


def test_why_a_mark_was_not_put_back_is_read_from_the_report():
    placement = stored._StoredPlacement("mole", False, (1.0, 2.0), "mole-1", "hidden_by_turn")
    assert "转动" in stored._why(placement, 12).text("zh")
    few = replace(placement, code="seen_on_few", sightings=1)
    assert stored._why(few, 12).text("en") == "seen on 1 of 12 photos only"
    assert stored._why(replace(placement, code="of_another_program"), 12) is None


def test_what_is_said_of_the_kept_result_follows_the_language(finished):
    portrait = kept.on_fill("Mei", finished, "en")[0]
    view, said, cards = kept.on_language("Mei", None, portrait, finished, "zh")
    assert "相似度" in said and view["words"]["after"] == "之后" and "张中见于" in cards
    assert kept.on_language(None, None, None, finished, "zh") == (gr.skip(),) * 3


def test_nothing_is_filled_in_for_nobody_or_a_person_without_a_result(home):
    create_person("Zoe", True)
    for name in (None, "Zoe"):
        assert set(map(str, kept.on_fill(name, None, "en"))) == {str(gr.skip())}


def test_a_damaged_report_takes_only_its_sentence_along(finished, tmp_path):
    run = open_person("Mei", finished).runs()[0]
    plain, restored = stored.largest_result(run)
    for file, name in ((plain, ""), (restored, "restored/")):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / f"{name}{file.name}").write_bytes(file.read_bytes())
    (tmp_path / "restored" / REPORT).write_text("[]")
    pair = stored.largest_result(tmp_path)
    assert pair is not None and stored.read_report(pair[1]) is None
    assert stored.likeness_sentence(None, "en") == ""


def test_a_slider_that_moves_before_the_photos_are_open_leaves_the_result_on_the_screen():
    assert handlers.on_blend(None, None, [], "en", *[1.0] * 8) == gr.skip()
    assert handlers.on_measure(None, [], "en", *[1.0] * 8) == gr.skip()


def test_every_button_works_on_from_the_kept_result(opened, picture):
    *_, (photos, _, _, _) = kept.on_open("Mei", opened, None, {}, "Mei", None, "en")
    placed, before, *_ = handlers.on_place(opened, photos, 0.5, "ratio", "head", {}, "en")
    assert len(photos) == 14
    strengths = AS_FIRST[2:]
    blended = handlers.on_blend(placed, before, [], "en", *strengths)
    assert (picture(blended["after"]) != picture(blended["before"])).any()
    save = results.on_save(placed, [], "Mei", "Mei", opened, None, "en", *strengths)
    assert Path(save).exists()
    assert results.run_of_portrait(open_person("Mei"), placed.file).exists()


def test_card_and_whole_run_need_no_opened_photos(opened):
    person = open_person("Mei")
    run, strengths = person.runs()[0], AS_FIRST[2:]
    for file in sorted(run.glob("*.png")):
        if file.name != Path(opened).name:
            file.unlink()
    ways = ("ratio", "head")
    card = results.on_card(None, [], 0.5, 2, *ways, "Mei", opened, None, "en", *strengths)
    assert Path(card).exists()
    stored_file = run / "restored" / Path(opened).name
    kept_pixels = open_photo(stored_file).pixels
    *_, (said, pack) = results.on_whole_run(
        None, {}, 0.5, 2, [], *ways, {}, "Mei", opened, "Mei", None, "en", *strengths
    )
    assert "1 of 1" in said and Path(pack).exists()
    # Restored anew, and the last bit of a float depends on what ran before.
    off = np.abs(open_photo(stored_file).pixels.astype(int) - kept_pixels)
    assert off.max() <= 3 and off.mean() < 0.01
    with pytest.raises(gr.Error):
        results.on_card(None, [], 0.5, 2, *ways, None, opened, None, "en", *strengths)
    assert person.switched().off == Switched().off
