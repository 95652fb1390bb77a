"""Tab 4 as it was left: filled from disk at once, its photos opened when it is looked at."""

import re
from dataclasses import replace
from pathlib import Path

import gradio as gr

from realism.images import open_photo
from realism.page.marks import handlers, kept
from realism.person.person import create_person, open_person
from realism.workflow.restore import REPORT


def test_the_example_fills_the_tab_without_an_engine_and_download_is_the_next_button(
    finished, picture
):
    here = ("Mei", "photos")
    portrait, result, likeness, passport, atlas, filled, opened, restore, save, _ = kept.on_here(
        here, None, None, finished, "en"
    )
    shown = Path(portrait)
    assert (picture(result["before"]) == open_photo(shown).pixels).all()
    restored = open_photo(shown.parent / "restored" / shown.name).pixels
    assert (picture(result["after"]) == restored).all()
    assert "before" in likeness and "in " in passport and atlas.entries
    assert (filled, opened) == ("Mei", None)
    assert (restore["variant"], save["variant"]) == ("secondary", "primary")


def test_its_photos_are_opened_once_the_tab_is_looked_at_and_not_before():
    assert kept.on_look(("Mei", "photos"), "Mei", None) == gr.skip()
    assert kept.on_look(("Mei", "marks"), None, None) == gr.skip()
    assert kept.on_look(("Mei", "marks"), "Mei", "Ada") == "Mei"
    # Created here, with photos that are open since.
    assert kept.on_look(("Mei", "marks"), "Mei", "Mei") == gr.skip()
    assert list(kept.on_open(None, "portrait.png", None, {}, "Mei", None, "en")) == []


def test_the_strip_is_there_before_the_photos_are_open_and_cannot_be_switched_yet(finished):
    *_, cards = kept.on_here(("Mei", "marks"), None, None, finished, "en")
    pair = kept.newest_result(open_person("Mei", finished))
    report = kept._report(pair[1])
    ids = re.findall(r'data-mark="([^"]+)"', cards)
    assert set(ids) == {placement.id for placement in report.placements} and len(ids) >= 8
    assert cards.count('aria-disabled="true"') == len(ids) and "being opened" in cards
    assert "seen in 13 of 14" in cards
    result = kept.on_here(("Mei", "marks"), None, None, finished, "en")[1]
    assert {ring["mark"] for ring in result["rings"]} <= set(ids) and result["rings"]


def test_why_a_mark_was_not_put_back_is_read_from_the_report():
    placement = kept._StoredPlacement("mole", False, (1.0, 2.0), "mole-1", "hidden_by_turn")
    assert "转动" in kept._why(placement, 12).text("zh")
    few = replace(placement, code="seen_on_few", sightings=1)
    assert kept._why(few, 12).text("en") == "seen on 1 of 12 photos only"
    assert kept._why(replace(placement, code="of_another_program"), 12) is None


def test_what_is_said_of_the_kept_result_follows_the_language(finished):
    view, said, cards = kept.on_language("Mei", None, finished, "zh")
    assert "相似度" in said and view["words"]["after"] == "之后" and "张中见于" in cards
    assert kept.on_language(None, None, finished, "zh") == (gr.skip(),) * 3


def test_a_portrait_that_was_brought_stays_when_a_person_is_chosen(finished):
    skipped = kept.on_here(("Mei", "marks"), None, "mine.png", finished, "en")
    assert set(map(str, skipped)) == {str(gr.skip())}


def test_another_person_s_result_leaves_the_tab(finished):
    create_person("Zoe", True, root=finished)
    portrait, result, *_, filled, _, restore, save, cards = kept.on_here(
        ("Zoe", "photos"), "Mei", "hers.png", finished, "en"
    )
    assert (portrait, result, filled, cards) == (None, None, None, "")
    assert (restore["variant"], save["variant"]) == ("primary", "secondary")


def test_a_damaged_report_takes_only_its_sentence_along(finished, tmp_path):
    run = open_person("Mei", finished).runs()[0]
    plain, restored = kept.largest_result(run)
    for file, name in ((plain, ""), (restored, "restored/")):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / f"{name}{file.name}").write_bytes(file.read_bytes())
    (tmp_path / "restored" / REPORT).write_text("[]")
    pair = kept.largest_result(tmp_path)
    assert pair is not None and kept._report(pair[1]) is None
    assert kept._likeness(None, "en") == ""


def test_a_slider_that_moves_before_the_photos_are_open_leaves_the_result_on_the_screen():
    assert handlers.on_blend(None, None, [], "en", *[1.0] * 8) == gr.skip()
    assert handlers.on_measure(None, [], "en", *[1.0] * 8) == gr.skip()


def test_every_button_works_on_from_the_kept_result(finished, picture):
    from realism.page.marks import results

    portrait, *_ = kept.on_here(("Mei", "marks"), None, None, finished, "en")
    *_, (photos, _, _, _) = kept.on_open("Mei", portrait, None, {}, "Mei", finished, "en")
    placed, before, *_ = handlers.on_place(portrait, photos, 0.5, "ratio", "head", {}, "en")
    assert len(photos) == 14
    strengths = [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    blended = handlers.on_blend(placed, before, [], "en", *strengths)
    assert (picture(blended["after"]) != picture(blended["before"])).any()
    assert Path(results.on_save(placed, [], "en", *strengths)).exists()
    assert results.run_of_portrait(open_person("Mei", finished), placed.file).exists()
