"""Tab 4's result: near on the marks at first, and a ring where each of them is."""

from dataclasses import replace

import numpy as np
import pytest

from realism.page import blocks
from realism.page.i18n import words
from realism.page.marks import editor, handlers, kept, strip, viewer

FULL = (1.0,) * 5 + (1.0, 0.25, 0.5)


@pytest.fixture
def blended(found):
    """What the page shows of the portrait with some keys off."""
    return lambda off=(): handlers.on_blend(found.placed, found.before, list(off), "en", *FULL)


def test_near_is_a_square_inside_the_portrait_that_holds_every_ring(found, blended):
    view = blended()
    height, width = found.placed.portrait.pixels.shape[:2]
    assert (view["width"], view["height"]) == (width, height)
    assert 0 <= view["left"] <= width - view["side"] and 0 <= view["top"] <= height - view["side"]
    assert view["side"] < min(width, height), "nearer than the whole portrait"
    for ring in view["rings"]:
        assert view["left"] < ring["x"] < view["left"] + view["side"]
        assert view["top"] < ring["y"] < view["top"] + view["side"]


def test_every_mark_that_can_be_seen_has_a_ring_around_it_and_no_other(found, blended):
    visible = editor.visible_placements(found.placed)
    rings = {ring["mark"]: ring for ring in blended()["rings"]}
    assert len(rings) == len(visible) and set(rings) <= set(found.placed.ids)
    for index, placement in enumerate(found.placed.placements):
        if not placement.visible or len(placement.polyline):
            continue
        ring = rings[found.placed.ids[index]]
        assert (ring["x"], ring["y"]) == pytest.approx(placement.to.tolist(), abs=0.1)
        assert ring["rx"] == ring["ry"] > editor.placed_mark(placement).radius


def test_the_ring_of_a_wrinkle_lies_along_it(found):
    shown = next(each for each in editor.visible_placements(found.placed))
    line = np.linspace([100, 100], [160, 160], 12).astype(np.float32)
    wrinkle = replace(shown, polyline=line, to=line.mean(0))
    ring = viewer._ring(wrinkle, "wrinkle-1", 300.0)
    assert ring["turn"] % 180 == pytest.approx(45, abs=0.5) and ring["rx"] > 2 * ring["ry"]
    assert (ring["x"], ring["y"]) == (130, 130) and ring["left"] < 100


def test_what_is_switched_off_keeps_its_ring_and_moves_nothing(found, blended):
    visible = [i for i, each in enumerate(found.placed.placements) if each.visible]
    off = [found.placed.keys[visible[0]]]
    before, after = blended(), blended(off)
    square = ("left", "top", "side")
    assert [before[name] for name in square] == [after[name] for name in square]
    kinds = {ring["mark"]: ring["kind"] for ring in after["rings"]}
    assert kinds[found.placed.ids[visible[0]]] == "off"
    assert list(kinds.values()).count("off") == 1


def test_without_a_mark_the_whole_portrait_is_shown(found):
    bare = replace(found.placed, prepared=replace(found.placed.prepared, placements=()))
    view = viewer.placed_view(bare, found.before, found.before, [], "en")
    assert view["side"] == min(view["width"], view["height"]) and view["rings"] == []


def test_what_stands_on_the_picture_is_in_the_page_s_language(found):
    shown = [
        handlers.on_blend(found.placed, found.before, [], language, *FULL)["words"]
        for language in ("en", "zh")
    ]
    assert shown[0]["whole"] == "Whole portrait" and "肖像" in shown[1]["whole"]


def test_the_picture_says_that_it_waits_and_no_failure_leaves_that_there(blended):
    page = blocks.build_page()
    assert "words.laying" in viewer.TEMPLATE and blended()["words"]["laying"]
    assert {words(language)["marks.view"]["laying"] for language in ("en", "zh")} == {
        "Putting the marks on …", "正在放置标记……",
    }  # fmt: skip
    freed = [each for each in page.fns.values() if each.js == viewer.LAID["js"]]
    after = {page.fns[each.trigger_after].fn for each in freed if each.trigger_after is not None}
    assert after >= {strip.on_click, kept.on_switch, kept.on_open, handlers.on_place}
