"""The line of steps: how far each is, where a person goes on, and one coloured button a tab."""

import re
from types import SimpleNamespace

import pytest

from realism.page import blocks, steps
from realism.page.marks import kept
from realism.page.steps import Progress
from realism.person.person import create_person, open_person


def shown(name, root, base="pocket", language="en") -> SimpleNamespace:
    """What `steps.on_show` says: the marker, how far each step is, and the buttons by name."""
    way, *buttons = steps.on_show(name, root, base, language)
    labels = re.findall(r'content: "(.*?)"', way)
    names = ("files", "to_finetune", "finetune", "first_photos", "to_portraits", "make", "first",
             "restore")  # fmt: skip
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
