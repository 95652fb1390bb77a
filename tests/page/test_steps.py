"""The line of steps: how far each is, where a person goes on, and one coloured button a tab."""

import re
import time
from types import SimpleNamespace

import gradio as gr
import pytest

from realism.page import blocks, draw, finetune, header, steps
from realism.page.job import start_job
from realism.page.marks import kept
from realism.page.portraits import handlers as portraits
from realism.page.portraits import making
from realism.page.steps import Progress
from realism.person.person import create_person, open_person


def shown(name, root, base="pocket", language="en") -> SimpleNamespace:
    """What `steps.on_show` says: the marker, how far each step is, and the buttons by name."""
    way, *buttons = steps.on_show(name, root, base, language)
    labels = re.findall(r'content: "(.*?)"', way)
    names = ("files", "to_finetune", "finetune", "first_photos", "to_portraits", "make", "first",
             "restore", "cancel_finetune", "best", "last", "cancel_portraits")  # fmt: skip
    return SimpleNamespace(way=way, labels=labels, **dict(zip(names, buttons, strict=True)))


def coloured(of: SimpleNamespace) -> dict[str, list[str]]:
    """The coloured buttons of each of the first three tabs."""
    tabs = {
        "photos": ["to_finetune"],
        "finetune": ["finetune", "first_photos", "to_portraits"],
        "portraits": ["make", "first", "restore"],
    }
    return {
        tab: [name for name in names if vars(of)[name].get("visible", True)
              and vars(of)[name].get("variant", "primary") == "primary"]
        for tab, names in tabs.items()
    }  # fmt: skip


def test_a_person_without_photos_is_led_to_the_drop_zone(home):
    create_person("Ada", True)
    state = shown("Ada", None)
    assert 'data-next="photos"' in state.way and "done-" not in state.way
    assert state.labels[0] == "add about a dozen"
    assert "wanted" in state.files["elem_classes"]
    assert coloured(state) == {"photos": [], "finetune": ["first_photos"], "portraits": ["first"]}


def test_a_person_with_photos_is_led_to_the_fine_tune(root_of_mei):
    state = shown("mei", root_of_mei)
    assert 'data-next="finetune"' in state.way and "done-photos" in state.way
    assert state.labels[:2] == ["8 of 8 good", "not learned yet"]
    assert "wanted" not in state.files["elem_classes"]
    assert coloured(state) == {
        "photos": ["to_finetune"], "finetune": ["finetune"], "portraits": ["first"],
    }  # fmt: skip


def test_a_person_with_a_lora_is_led_to_portraits(learned):
    state = shown("mei", learned.root, learned.base)
    assert "done-finetune" in state.way and state.labels[1] == "LoRA ready"
    if not list((learned.root / "mei").glob("portraits/*/*.png")):
        assert coloured(state)["portraits"] == ["make"]
    assert coloured(state)["finetune"] == ["to_portraits"]


def test_the_finished_example_has_one_coloured_button_a_tab_which_leads_on(finished):
    state = shown("Mei", finished)
    assert all(f"done-{step}" in state.way for step in steps.STEPS)
    assert coloured(state) == {
        "photos": ["to_finetune"], "finetune": ["to_portraits"], "portraits": ["restore"],
    }  # fmt: skip
    assert state.labels[2] == "20 made"


def test_the_line_speaks_chinese_and_without_a_person_says_what_each_step_is_for(finished):
    assert shown("Mei", finished, language="zh").labels[2] == "已有 20 张"
    assert shown(None, None).labels[1] == "learn the face"


@pytest.mark.parametrize(
    ("progress", "step"),
    [
        (Progress(), "photos"),
        (Progress(photos=3), "photos"),
        (Progress(photos=3, accepted=2), "finetune"),
        (Progress(photos=3, accepted=2, running="finetune"), "finetune"),
        (Progress(photos=3, accepted=2, lora=True), "portraits"),
        (Progress(photos=3, accepted=2, lora=True, portraits=20), "marks"),
        (Progress(photos=3, accepted=2, marks=True), "marks"),  # a portrait from elsewhere
        (Progress(9, 9, True, 20, True, running="portraits"), "portraits"),
    ],
)
def test_the_step_to_go_on_with_is_the_one_at_work_or_after_the_last_done(progress, step):
    assert progress.next_step == step


def test_the_tab_says_that_marks_are_found_and_no_number_beside_that_of_the_portrait(finished):
    assert steps.read_progress(open_person("Mei", finished), "pocket").marks is True
    assert shown("Mei", finished).labels[3] == "found"
    assert shown("Mei", finished, language="zh").labels[3] == "已找到"


def test_what_cannot_do_anything_yet_cannot_be_pressed(root_of_mei, learned):
    page = blocks.build_page()
    idle = {
        block.value
        for block in page.blocks.values()
        if isinstance(block, gr.Button) and block.interactive is False
    }
    assert idle >= {
        "Cancel", "Delete", "Download the best LoRA", "Download the last LoRA",
        "Download all (zip)",
    }  # fmt: skip
    state = shown("mei", root_of_mei)
    pressed = ("cancel_finetune", "best", "last", "cancel_portraits")
    assert [vars(state)[name]["interactive"] for name in pressed] == [False] * 4
    there = shown("mei", learned.root, learned.base)
    assert [vars(there)[name]["interactive"] for name in pressed] == [False, True, True, False]
    for run, can in ((None, False), ("20261129-120000", True)):
        assert portraits.on_run(run)["interactive"] is can
    assert header.on_chosen("mei")["interactive"] and not header.on_chosen(None)["interactive"]


def test_what_runs_can_be_cancelled_and_nothing_else_is_told_to_have_stopped(root_of_mei):
    def endless(_progress):
        while True:
            time.sleep(0.01)
            yield None

    given = ("mei", root_of_mei, "en")
    assert finetune.on_stop(*given) == making.on_stop(*given) == gr.skip()
    start_job(open_person("mei", root_of_mei).folder, "finetune", endless)
    state, visit = shown("mei", root_of_mei), ("mei", root_of_mei)
    assert state.cancel_finetune["interactive"] and not state.cancel_portraits["interactive"]
    assert steps.on_message("finetune", *visit)["interactive"]
    assert not steps.on_message("portraits", *visit)["interactive"]
    assert making.on_stop(*given) == gr.skip()
    assert "Stopped" in finetune.on_stop(*given)
    assert not shown("mei", root_of_mei).cancel_finetune["interactive"]
    assert not steps.on_message("finetune", *visit)["interactive"]
    assert not steps.on_message("finetune", None, None)["interactive"]


def test_what_was_said_of_ended_work_goes_with_its_language_and_progress_stays():
    assert steps.on_past("<p>8 photos were checked.</p>") == ""
    assert steps.on_past(draw.progress_bar(0.5) + "<p>Photo 4 of 8</p>") == gr.skip()


def test_fields_for_files_speak_the_language_of_the_page(finished):
    for language, says in (("en", "Drop here, or click to choose"), ("zh", "拖到这里，或点击选择")):
        assert f'--upload: "{says}"' in shown("Mei", finished, language=language).way
    assert "content: var(--upload)" in blocks.STYLE.read_text(encoding="utf-8")


def test_the_tabs_are_the_steps_in_their_order():
    page = blocks.build_page()
    tabs = [block for block in page.blocks.values() if type(block).__name__ == "Tab"]
    assert [tab.id for tab in tabs] == list(steps.STEPS)


def test_the_line_about_the_example_base_is_for_that_base_alone(finished):
    assert "with-pocket" in shown("Mei", finished).way
    assert "with-pocket" not in shown("Mei", finished, "stabilityai/sdxl").way


def test_tab_4_has_one_coloured_button_the_one_to_press_next():
    page = blocks.build_page()
    names = {"Restore marks", "Download PNG"}
    primary = [each for each in page.blocks.values() if getattr(each, "variant", "") == "primary"]
    assert {each.value for each in primary} >= names
    for restored in (False, True):
        restore, save, _ = kept.next_button(restored)
        coloured = [restore["variant"] == "primary", save["visible"]]
        assert coloured == [not restored, restored]
