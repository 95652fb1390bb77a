"""The page as a whole: what it asks of the internet, and what waits for the device."""

import inspect
import os
import socket
import types
from collections.abc import Callable
from pathlib import Path

import gradio as gr
import pytest

from realism.diffusion.base import load_base
from realism.errors import InputError
from realism.faces.engine import load_engine
from realism.page import (
    blocks,
    draw,
    finetune,
    front,
    header,
    installation,
    photos,
    session,
    steps,
)
from realism.page.components import PortraitImage
from realism.page.marks import begin, kept, results
from realism.page.marks import handlers as marks
from realism.page.portraits import handlers as portraits
from realism.page.portraits import making


@pytest.fixture(scope="module")
def page() -> gr.Blocks:
    """The page, not served."""
    return blocks.build_page()


def test_the_page_asks_nothing_of_the_internet_and_keeps_its_pictures_lossless(page):
    pictures = [block for block in page.blocks.values() if hasattr(block, "format")]
    assert len(pictures) >= 9
    assert {picture.format for picture in pictures} == {"png"}
    assert "http" not in blocks.STYLE.read_text()
    assert not page.analytics_enabled


def test_gradio_keeps_its_copies_in_the_folder_that_is_emptied():
    assert Path(os.environ["GRADIO_TEMP_DIR"]) == session.temp_dir()


# The device's queue ---------------------------------------------------------------------------


def names_used(code: types.CodeType) -> set[str]:
    """All names that a function's code reads, those of functions inside it too."""
    inner = [const for const in code.co_consts if isinstance(const, types.CodeType)]
    return set(code.co_names).union(*map(names_used, inner))


def reaches_device(function: Callable, passed: set | None = None) -> bool:
    """Whether a function can load the face engine or a base, by whatever of ours it calls."""
    passed = set() if passed is None else passed
    function = inspect.unwrap(function)
    if function in (load_engine, load_base):
        return True
    if inspect.ismethod(function):
        function = function.__func__
    if not inspect.isfunction(function) or function in passed:
        return False
    passed.add(function)
    names, namespace = names_used(function.__code__), function.__globals__
    used = [namespace[name] for name in names if name in namespace]
    # Of a module that is named, what else is named is taken from it.
    used += [
        vars(module)[name]
        for module in used
        if inspect.ismodule(module)
        for name in names
        if name in vars(module)
    ]
    used += [member for cls in used if inspect.isclass(cls) for member in vars(cls).values()]
    ours = [each for each in used if (getattr(each, "__module__", "") or "").startswith("realism")]
    return any(reaches_device(each, passed) for each in ours if callable(each))


def test_whoever_can_reach_the_engine_or_a_base_waits_in_the_device_queue(page):
    reaching = [fn for fn in page.fns.values() if fn.fn is not None and reaches_device(fn.fn)]
    jobs = [fn for fn in reaching if getattr(fn.fn, "never_waits", False)]
    assert {fn.fn for fn in jobs} == {
        header.on_engine, finetune.on_finetune, making.on_make, making.on_resume,
    }  # fmt: skip
    assert {fn.concurrency_limit for fn in jobs} == {None}  # the work waits, not who follows it
    reaching = [fn for fn in reaching if fn not in jobs]
    astray = {fn.fn.__name__ for fn in reaching if fn.concurrency_id != "device"}
    assert astray == set(), "mark these with uses_device"
    assert {fn.concurrency_limit for fn in reaching} == {1}
    assert {fn.fn for fn in reaching} >= {
        photos.on_add, photos.on_begin, photos.on_choose, photos.on_remove,
        portraits.on_rank, kept.on_open, kept.on_open_sent, begin.on_restore,
        marks.on_place, marks.on_move, marks.on_measure, results.on_card, results.on_whole_run,
        results.on_flip,
    }  # fmt: skip


def test_what_needs_no_engine_does_not_wait_for_the_device(page):
    waiting = {fn.fn for fn in page.fns.values() if fn.concurrency_id == "device"}
    assert not waiting & {
        steps.on_show, installation.on_show, front.on_create, front.on_example, front.on_person,
        kept.on_fill, kept.on_sent, kept.on_look, finetune.on_kept, photos.on_show,
        portraits.on_show, portraits.on_arrive,
        portraits.on_open, marks.on_show, marks.on_blend, marks.on_draw, results.on_save,
    }  # fmt: skip


def test_a_handler_that_would_use_the_engine_by_a_detour_is_seen():
    def detour():
        return photos.on_choose

    assert reaches_device(photos.on_add) and reaches_device(detour)
    assert not reaches_device(photos.on_show) and not reaches_device(draw.thumbnail)


# Wiring ---------------------------------------------------------------------------------------


def test_restoring_from_tab_3_sends_the_portrait_to_tab_4_and_begins_there(page):
    after = {event["id"]: event["trigger_after"] for event in page.config["dependencies"]}
    (begins,) = (fn._id for fn in page.fns.values() if fn.fn is kept.on_open_sent)
    shown = after[begins]
    assert page.fns[shown].fn is kept.on_sent
    sent = [page.fns[after[shown]].outputs]
    assert [[type(output) for output in outputs] for outputs in sent] == [[PortraitImage, gr.Tabs]]


def test_a_click_begins_the_work_itself_so_that_a_page_closed_meanwhile_changes_nothing(page):
    # A chain of events goes on only while its page is there to call the next one.
    events = {event["id"]: event for event in page.config["dependencies"]}
    works = {finetune.on_finetune, making.on_make, making.on_resume}
    begun = [events[fn._id] for fn in page.fns.values() if fn.fn in works]
    assert len(begun) == len(works)
    for event in begun:
        assert event["trigger_after"] is None and event["targets"][0][1] == "click"


def test_an_address_that_cannot_be_listened_at_is_not_taken_for_a_port_in_use():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError) as refused:
            blocks.refuse_taken_port("127.0.0.1", port)
        assert refused.value.code == "port_taken" and refused.value.values["next"] > port
    for host in ("999.1.1.1", "192.0.2.1"):
        with pytest.raises(InputError) as refused:
            blocks.refuse_taken_port(host, port)
        assert refused.value.code == "page_not_served" and host in str(refused.value)
    for port in (-1, 0, 70_000):
        with pytest.raises(InputError) as refused:
            blocks.refuse_taken_port("127.0.0.1", port)
        assert refused.value.code == "port_out_of_range"


def test_a_hosted_page_offers_no_folder_of_its_machine_as_a_base(monkeypatch):
    assert base_dropdown().allow_custom_value
    monkeypatch.setenv("SPACE_ID", "someone/realism")
    assert not base_dropdown().allow_custom_value


def base_dropdown() -> gr.Dropdown:
    """The chooser of bases of a new page."""
    every = blocks.build_page().blocks.values()
    (dropdown,) = (block for block in every if getattr(block, "value", None) == "pocket")
    return dropdown
