"""Tab 4 is as at first for another person, and for nobody."""

from dataclasses import astuple

import gradio as gr
import pytest
from gradio.data_classes import ImageData

from realism.marks.restore.blend import Sliders
from realism.page import blocks
from realism.page.marks import begin, kept, reset


@pytest.fixture(scope="module")
def page() -> gr.Blocks:
    """The page, not served."""
    return blocks.build_page()


@pytest.fixture
def event(page):
    """The event that calls a handler."""
    return lambda handler: next(each for each in page.fns.values() if each.fn is handler)


def as_first(component) -> object:
    """What a component holds when the page is built."""
    return component.value or None


def test_every_widget_of_the_tab_and_of_its_form_holds_what_it_held_at_first(event):
    emptying = event(reset.on_other_person)
    given = reset.on_other_person()
    assert len(given) == len(emptying.outputs)
    for component, value in zip(emptying.outputs, given, strict=True):
        if not isinstance(value, dict) or "__type__" not in value:
            assert (value or None) == as_first(component), component.label
    assert given[-8:] == astuple(Sliders())
    emptied = set(emptying.outputs)
    assert emptied >= set(event(kept.on_fill).outputs)
    # What the button takes, but for the person, the folder, the language and which button it is.
    assert emptied >= set(event(begin.on_restore).inputs[:6])


def test_the_way_back_to_the_front_empties_the_tab_too(page, event):
    targets = [(page.blocks[block], name) for block, name in event(reset.on_other_person).targets]
    assert {(block.elem_id, name) for block, name in targets} == {
        (None, "change"), ("title", "click"),
    }  # fmt: skip


def test_a_portrait_whose_file_went_with_its_person_is_no_portrait_and_no_fault(
    event, tmp_path, mei_files
):
    portrait = event(kept.on_look).inputs[2]
    gone = ImageData(path=str(tmp_path / "q03-01.png"))
    assert isinstance(portrait, gr.Image) and portrait.preprocess(gone) is None
    assert portrait.preprocess(None) is None
    there = ImageData(path=str(mei_files[0]), orig_name="mei.jpg")
    anew = portrait.__class__(**{**portrait.constructor_args, "label": "画像"})  # as Gradio does it
    for component in (portrait, anew):
        assert component.preprocess(there) == str(mei_files[0])  # no copy beside it
        assert component.preprocess(gone) is None and component.get_block_name() == "image"
