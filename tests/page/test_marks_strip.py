"""Tab 4's strip: every mark as it is in its best photo, why it was not put back, a switch."""

import re
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest

from realism.errors import Message
from realism.images import open_photo
from realism.page.marks import handlers, strip
from realism.person.person import create_person
from realism.workflow.place import RestoreOptions
from realism.workflow.restore import restore_portrait


@pytest.fixture
def cards(found):
    """What the strip shows with some keys off, in a language."""
    return lambda off=(), language="en": strip.on_strip(
        found.placed, list(off), found.cutouts, 2, language
    )


@pytest.fixture
def click(found):
    """A click on the card of a mark, by its id: `click(id, off, name)`."""

    def answer(mark: str, off=(), name=None, files=None):
        event = SimpleNamespace(mark=mark)
        return strip.on_click(found.placed, list(off), files, name, None, "en", event)

    return answer


def test_every_mark_has_a_card_with_its_kind_and_how_many_photos_show_it(found, cards):
    shown = re.findall(r'data-mark="([^"]+)"', cards())
    assert set(shown) == set(found.placed.ids) and len(shown) == len(found.placed.placements)
    first = strip.cards_of(found.placed, [])[0]
    assert f"seen in {first.seen} of" in cards() and first.mark.kind in cards()
    assert "of 2<" in cards() and "2 张中见于" in cards(language="zh")


def test_the_number_of_marks_that_is_said_is_that_of_the_cards_switched_or_not(found, cards):
    said = handlers.on_language(found.placed, None, "en")[0]
    (of,) = re.findall(r"(\d+) marks were found on 2 photos", said)
    for off in ((), found.placed.keys[:1]):
        assert cards(off).count("data-mark") == int(of)
    there = sum(card.there for card in strip.cards_of(found.placed, []))
    assert f"{there} of them can be seen" in said


def test_a_cut_out_shows_the_mark_in_the_middle_and_the_skin_around_it(found):
    sheet = open_photo(found.cutouts).pixels
    placements = found.placed.placements
    assert sheet.shape == (strip.SIDE * len(placements), strip.SIDE, 3) and strip.SIDE >= 2 * 96
    rows = strip.cards_of(found.placed, [])
    moles = [row for row, card in enumerate(rows) if card.mark.kind == "mole"]
    assert moles
    middle = slice(strip.SIDE // 2 - 8, strip.SIDE // 2 + 8)
    for row in moles:
        square = sheet[row * strip.SIDE : (row + 1) * strip.SIDE]
        assert square[middle, middle].mean() < np.median(square) - 5  # darker than the skin


def test_why_a_mark_was_not_put_back_stands_on_its_card_as_in_the_report(found, cards):
    placements = list(found.placed.placements)
    placements[0] = replace(
        placements[0], visible=False, reason=Message("hidden_by_turn"), appearances=()
    )
    placed = replace(
        found.placed, prepared=replace(found.placed.prepared, placements=tuple(placements))
    )
    shown = strip.on_strip(placed, [], found.cutouts, 2, "en")
    last = shown.split("<button")[-1]
    assert "hidden by the turn of the head" in last and "absent" in last
    assert shown.count("absent") == sum(not each.visible for each in placements)
    assert "转动" in strip.on_strip(placed, [], found.cutouts, 2, "zh")
    assert "switched off" in cards([found.placed.keys[1]]) and "switched off" not in cards()


def test_a_click_switches_a_mark_and_the_next_one_switches_it_back(found, click, cards):
    mark = found.placed.ids[1]
    off = click(mark)
    assert off == [found.placed.keys[1]]
    assert f'data-mark="{mark}" aria-pressed="false"' in cards(off)
    assert click(mark, off) == []


def test_a_click_from_before_another_portrait_was_placed_changes_nothing(found, click):
    assert click("mole-000000") == gr.skip()
    assert strip.on_strip(None, [], found.cutouts, 2, "en") == gr.skip()


def test_what_a_click_switches_stays_so_with_the_person_on_every_portrait(
    found, click, home, engine, mei_files
):
    person = create_person("Ada", True)
    shown = [index for index, each in enumerate(found.placed.placements) if each.visible]
    off = click(found.placed.ids[shown[0]], name="Ada")
    assert handlers.on_least_sightings(found.placed, 2, None, "Ada", None, "en") == off
    # As the shell does it, on another portrait.
    photos = list(found.photos.values())
    options = RestoreOptions(switched=person.switched())
    report = restore_portrait(mei_files[6], photos, engine, options).report["placements"]
    assert [each["code"] for each in report].count("switched_off") == 1
    assert click(found.placed.ids[shown[0]], off, "Ada") == []
    assert handlers.on_least_sightings(found.placed, 2, None, "Ada", None, "en") == []


def test_photos_that_were_dropped_leave_what_is_switched_of_the_person_alone(found, click, home):
    person = create_person("Ada", True)
    click(found.placed.ids[0], name="Ada", files=["dropped"])
    assert not person.switched()
