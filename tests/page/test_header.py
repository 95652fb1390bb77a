"""Above the tabs: who is chosen, and deleting a person."""

from types import SimpleNamespace

import gradio as gr

from realism.page import header, session
from realism.person.person import create_person


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


def test_a_new_visit_begins_with_nobody_and_a_reload_goes_on_with_the_person(home):
    create_person("Ada", True)
    request = SimpleNamespace(headers={"accept-language": "zh-CN"})
    *language, root, choice = header.on_load(None, request)
    assert language == ["zh", "zh"] and root is None
    assert choice["choices"] == ["Ada"] and choice["value"] is None
    assert header.on_load("Ada", request)[-1]["value"] == "Ada"
    assert header.on_load("Eve", request)[-1]["value"] is None  # deleted meanwhile
