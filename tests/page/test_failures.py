"""A full disk and events that fail: one sentence, no half file, nothing lost that was whole."""

import errno
import socket

import gradio as gr
import numpy as np
import pytest
import requests
from gradio.route_utils import GradioUploadFile

from realism.errors import InputError
from realism.page import blocks, failures, photos, session
from realism.person import photo_record
from realism.person.person import create_person, open_person

NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def served(home):
    """A page of nothing on a free port: its address for uploads."""
    session.delete_temp_files()
    with gr.Blocks() as page:
        gr.HTML("nothing")
    with socket.socket() as free:  # Gradio's own search leaves a socket open where one is taken
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    blocks.serve(page, "127.0.0.1", port, block=False)
    yield f"{page.local_url}gradio_api/upload"
    page.close()


def upload(address: str, language: str, *names: str) -> requests.Response:
    files = [("files", (name, b"x" * 300_000)) for name in names]
    return requests.post(address, files=files, headers={"Accept-Language": language}, timeout=20)


@pytest.mark.parametrize(("language", "says"), [("en", "The disk is full"), ("zh-CN", "磁盘已满")])
def test_an_upload_for_which_there_is_no_room_is_said_and_leaves_nothing(
    served, monkeypatch, language, says
):
    write, written = GradioUploadFile.write, []

    async def full(self, data):
        written.append(len(data))
        if sum(written) > 400_000:  # the first file is whole by then, the second is half
            raise NO_SPACE
        await write(self, data)

    with monkeypatch.context() as patch:
        patch.setattr(GradioUploadFile, "write", full)
        answer = upload(served, language, "a.jpg", "b.jpg", "c.jpg")
    assert answer.status_code == failures.NO_ROOM and says in answer.text
    assert [path for path in session.temp_dir().rglob("*") if path.is_file()] == []
    assert upload(served, language, "a.jpg").status_code == 200


def test_another_fault_of_the_system_is_no_full_disk(served, monkeypatch):
    async def broken(self, data):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(GradioUploadFile, "write", broken)
    answer = upload(served, "en", "a.jpg")
    assert answer.status_code == 500 and "full" not in answer.text


def test_a_photo_for_which_there_is_no_room_is_said_and_the_others_stay(
    home, mei_files, monkeypatch
):
    save, calls = np.savez_compressed, []

    def full(*given, **named):
        calls.append(given)
        if len(calls) == 2:
            raise NO_SPACE
        return save(*given, **named)

    create_person("Ada", True)
    files = [*map(str, mei_files[:3])]
    with monkeypatch.context() as patch, pytest.raises(gr.Error, match="disk is full") as said:
        patch.setattr(photo_record.np, "savez_compressed", full)
        list(photos.on_add(files, "Ada", None, "en"))
    assert str(said.value).count("disk is full") == 1
    ada = open_person("Ada")
    assert [record.name for record in ada.records()] == ["mei-01.jpg"]
    left = sorted(file.suffix for file in (ada.folder / "photos").iterdir())
    assert left == [".json", ".npz", ".png"], "the first, whole; of the second nothing"
    *_, last = photos.on_add(files, "Ada", None, "en")
    assert "1 of them were there already" in last and len(ada.records()) == 3


def test_without_room_for_their_pictures_the_photos_are_listed_all_the_same(
    home, engine, mei_files, monkeypatch
):
    list(create_person("Ada", True).add_photos(mei_files[:2], engine))
    with monkeypatch.context() as patch:
        patch.setattr(session.Path, "write_bytes", lambda *_: (_ for _ in ()).throw(NO_SPACE))
        summary, gallery, table, _ = photos.on_show("Ada", None, "en", {})
        assert "2 of 2" in summary and "no room to show" in summary and gallery == []
        assert "mei-02.jpg" in table and list(session.temp_dir().iterdir()) == []
        with pytest.raises(InputError) as refused:
            session.quick_png(np.zeros((9, 9, 3), np.uint8))
        assert refused.value.code == "disk_full"
    summary, gallery, *_ = photos.on_show("Ada", None, "en", {})
    assert len(gallery) == 2 and "no room" not in summary


def test_after_work_that_failed_no_bar_stands_as_if_it_went_on(home):
    wired = blocks.build_page().config["dependencies"]
    named = {each["api_name"]: each["id"] for each in wired if each["api_visibility"] == "public"}
    for verb in ("add_photos", "finetune", "make_portraits", "find_marks"):
        assert any(
            each["trigger_after"] == named[verb] and each["trigger_only_on_failure"]
            for each in wired
        ), verb
    assert "<p" in failures.on_failure("en") != failures.on_failure("zh")
