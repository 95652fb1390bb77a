"""Above the tabs: creating and deleting a person, and how far they are."""

import gradio as gr
import pytest

from realism.page import header, session
from realism.person.person import create_person


def test_nobody_is_created_without_consent_and_the_notice_says_what_to_do(home):
    with pytest.raises(gr.Error, match="Confirm first"):
        header.on_create("Ada", "woman", False, None, "en")
    choice, *_ = header.on_create("Ada", "woman", True, None, "en")
    assert choice["value"] == "Ada" and (home / "ada" / "person.json").exists()


def test_deleting_asks_first_and_then_says_what_went(home, engine, mei_files, monkeypatch):
    list(create_person("Ada", True).add_photos(mei_files[:2], engine))
    assert "Ada" in header.on_ask_delete("Ada", None, "en")[1] and (home / "ada").exists()
    notices = []
    monkeypatch.setattr(gr, "Info", lambda notice, **_: notices.append(notice))
    choice, _ = header.on_delete("Ada", None, "en")
    assert "2 photos" in notices[0] and choice["choices"] == [] and not (home / "ada").exists()


def test_copies_of_pictures_go_with_the_person(home, engine, mei_files, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(home / ".page"))
    list(create_person("Ada", True).add_photos(mei_files[:1], engine))
    copy = session.new_temp_dir() / "portrait.png"
    copy.write_bytes(b"a picture")
    monkeypatch.setattr(gr, "Info", lambda *_, **__: None)
    header.on_delete("Ada", None, "en")
    assert not copy.exists() and list((home / ".page").iterdir()) == []


def test_the_status_names_the_engine_the_base_and_how_far_the_person_is(root_of_mei):
    engine = header.on_engine("en")
    status = header.on_show("mei", root_of_mei, "pocket", engine, "en")
    assert "8 of 8 accepted" in status and "no LoRA yet" in status
    assert "dlib" in status and "commercial" in status
    assert "not a portrait model" in status


def test_the_status_does_not_wait_until_the_engine_is_loaded(root_of_mei):
    status = header.on_show("mei", root_of_mei, "pocket", None, "en")
    assert "8 of 8 accepted" in status and "dlib" not in status
