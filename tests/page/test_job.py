"""Work belongs to a person: it goes on when a page leaves, and waits for the device."""

import shutil
import threading
import time

import pytest

from realism.errors import InputError, Message
from realism.page import finetune, header, job, session
from realism.person.person import open_person, people

AT_MOST = 120.0  # s that a test waits, where other work fills the processors


def count_to(number: int, closed: list | None = None):
    """Work of so many events; `closed` hears when it is stopped."""

    def work(_progress):
        try:
            for event in range(number):
                time.sleep(0.01)
                yield event
        except GeneratorExit:
            (closed if closed is not None else []).append("kept")
            raise

    return work


def ends(work: job.Job) -> bool:
    """Whether it ends, sooner or later."""
    until = time.monotonic() + AT_MOST
    while work.running and time.monotonic() < until:
        time.sleep(0.01)
    return not work.running


def events_of(work: job.Job) -> list:
    return [event for event in work.follow() if not isinstance(event, job.JobGoesOn)]


def test_who_leaves_does_not_stop_it_and_who_comes_back_sees_all_of_it(tmp_path):
    work = job.start_job(tmp_path, "finetune", count_to(30))
    first = work.follow()
    assert next(first) == 0
    first.close()
    assert job.find_job(tmp_path, "finetune") is work and work.running
    assert events_of(work) == list(range(30))
    assert not work.running and events_of(work) == list(range(30))


def test_it_is_stopped_between_two_steps_and_keeps_what_it_has(tmp_path):
    closed = []
    work = job.start_job(tmp_path, "finetune", count_to(10_000, closed))
    next(work.follow())
    work.stop()
    assert closed == ["kept"] and not work.running
    assert isinstance(events_of(work)[-1], job.JobStopped)


def test_a_second_start_follows_the_first_and_another_kind_is_refused(tmp_path):
    work = job.start_job(tmp_path, "finetune", count_to(10_000))
    assert job.start_job(tmp_path, "finetune", count_to(1)) is work
    with pytest.raises(InputError, match="fine-tune of this person is running"):
        job.start_job(tmp_path, "portraits", count_to(1))
    work.stop()
    assert events_of(job.start_job(tmp_path, "portraits", count_to(1))) == [0]


def test_work_waits_for_the_device_and_says_so(tmp_path):
    first = job.start_job(tmp_path / "a", "finetune", count_to(10_000))
    next(first.follow())
    second = job.start_job(tmp_path / "b", "finetune", count_to(2))
    assert isinstance(next(second.follow()), job.JobWaits)
    time.sleep(0.1)
    assert second.running
    first.stop()
    assert events_of(second) == [job.JobWaits(), 0, 1]


def test_a_download_is_told_of_to_whoever_follows_and_a_stop_ends_it(tmp_path):
    def endless(progress):
        progress(0, Message("base_loading", base="pocket"))
        while True:
            time.sleep(0.01)
            progress(0.5, Message("base_loading", base="pocket"))
        yield

    work = job.start_job(tmp_path, "portraits", endless)
    told = work.follow()
    assert next(told) == job.JobLoads(0, Message("base_loading", base="pocket"))
    work.stop()
    assert not work.running and work.whole and job.JobStopped() in list(told)


def test_handlers_that_use_the_device_wait_for_work_and_may_call_one_another(tmp_path):
    @session.uses_device
    def inner():
        return "inner"

    @session.uses_device
    def outer():
        yield inner()
        yield from walk()

    @session.uses_device
    def walk():
        yield "walk"

    assert list(outer()) == ["inner", "walk"]
    work = job.start_job(tmp_path, "finetune", count_to(10_000))
    next(work.follow())
    heard = []
    waiting = threading.Thread(target=lambda: heard.extend(outer()), daemon=True)
    waiting.start()
    time.sleep(0.1)
    assert heard == []
    work.stop()
    waiting.join(AT_MOST)
    assert heard == ["inner", "walk"]


def test_the_sentence_of_what_went_wrong_is_for_whoever_follows(tmp_path):
    def refused(_progress):
        yield 0
        raise InputError("no_photos_given")

    work = job.start_job(tmp_path, "finetune", refused)
    for _ in range(2):
        with pytest.raises(InputError) as error:
            events_of(work)
        assert error.value.code == "no_photos_given"


def test_a_fault_is_not_taken_for_an_end_and_is_in_the_log_by_then(tmp_path, monkeypatch):
    def faulty(_progress):
        yield 0
        raise ZeroDivisionError

    def log(fault):
        time.sleep(0.3)  # a slow log: whoever is pointed to it finds the fault there
        logged.append(fault.exc_type)

    logged: list = []
    monkeypatch.setattr(threading, "excepthook", log)
    work = job.start_job(tmp_path, "finetune", faulty)
    with pytest.raises(RuntimeError, match="fault"):
        events_of(work)
    assert logged == [ZeroDivisionError]
    assert events_of(job.start_job(tmp_path, "finetune", count_to(1))) == [0]  # the device is free


def test_a_fine_tune_whose_page_was_closed_is_found_done(root_of_mei, tmp_path, tiny_sd):
    shutil.copytree(root_of_mei / "mei", tmp_path / "mei")
    settings = (1, 1e-3, 2, 1e-3, 4, 2, False)
    shown = finetune.on_finetune("mei", tmp_path, "en", str(tiny_sd), True, "", *settings, True)
    next(shown)
    shown.close()  # the browser is gone
    work = job.find_job(open_person("mei", tmp_path).folder, "finetune")
    assert work is not None and ends(work)
    *_, (message, curves, _) = finetune.on_follow("mei", tmp_path, "en", str(tiny_sd))
    assert "is done" in message and "<svg" in curves
    assert "has a LoRA" in finetune.on_show("mei", tmp_path, "en", str(tiny_sd))


def test_a_start_while_the_device_is_used_does_not_hang_but_says_that_it_waits(
    root_of_mei, tmp_path, tiny_sd
):
    shutil.copytree(root_of_mei / "mei", tmp_path / "mei")
    other = job.start_job(tmp_path / "other", "finetune", count_to(10_000))
    next(other.follow())
    settings = (1, 1e-3, 1, 1e-3, 4, 2, False)
    shown = finetune.on_finetune("mei", tmp_path, "en", str(tiny_sd), True, "", *settings, True)
    assert "other work uses the device" in next(shown)[0]


def test_deleting_a_person_stops_the_work_first(root_of_mei, tmp_path):
    shutil.copytree(root_of_mei / "mei", tmp_path / "mei")
    folder = open_person("mei", tmp_path).folder
    work = job.start_job(folder, "portraits", count_to(10_000))
    next(work.follow())
    header.on_delete("mei", tmp_path, "en")
    assert not work.running and people(tmp_path) == [] and job.find_job(folder) is None
