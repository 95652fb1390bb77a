"""Above the tabs: who is chosen, and deleting a person."""

from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from gradio.context import LocalContext
from gradio.processing_utils import save_file_to_cache, save_img_array_to_cache

from realism.page import header, session, steps
from realism.page.components import PersonChooser
from realism.page.marks import handlers
from realism.person.person import create_person, open_person


def test_deleting_asks_first_and_then_says_what_went(home, engine, mei_files, monkeypatch):
    list(create_person("Ada", True).add_photos(mei_files[:2], engine))
    assert "Ada" in header.on_ask_delete("Ada", None, "en")[1] and (home / "ada").exists()
    notices = []
    monkeypatch.setattr(gr, "Info", lambda notice, **_: notices.append(notice))
    choice, _ = header.on_delete("Ada", None, "en")
    assert "2 photos" in notices[0] and choice["choices"] == [] and not (home / "ada").exists()


@pytest.fixture
def window(home, monkeypatch):
    """Shows a person in the window of a name: what is made from then on is made for it."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(home / ".page"))
    monkeypatch.setattr(gr, "Info", lambda *_, **__: None)

    def show(window: str, name: str | None) -> None:
        LocalContext.request.set(SimpleNamespace(session_hash=window))
        assert header.on_person(name, None) == name

    before = LocalContext.request.set(None)
    yield show
    LocalContext.request.reset(before)


def test_copies_go_with_the_person_and_those_of_other_windows_stay(home, engine, mei_files, window):
    made, blank = {}, np.zeros((8, 8, 3), np.uint8)
    for number, name in enumerate(["Ada", "Eve", None]):
        window(f"window of {name}", name := name and create_person(name, True).name)
        made[name] = [session.new_temp_dir() / "portrait.zip", Path(session.quick_png(blank))]
        made[name][0].write_bytes(b"a portrait")
        if name:
            list(open_person(name).add_photos([mei_files[number]], engine))
            (photo,) = (record.path for record in open_person(name).records())
            made[name].append(Path(save_file_to_cache(photo, str(home / ".page"))))
    upload = Path(save_file_to_cache(mei_files[5], str(home / ".page")))
    drawn = Path(save_img_array_to_cache(blank, str(home / ".page"), format="png"))
    window("window of Ada", "Ada")
    assert header.on_delete("Ada", None, "en")[0]["value"] is None
    assert not any(copy.exists() for copy in made["Ada"]) and not drawn.exists()
    assert all(copy.exists() for copy in (*made["Eve"], *made[None], upload))
    window("another window of Eve", "Eve")
    header.on_delete("Eve", None, "en")
    assert not any(copy.exists() for copy in made["Eve"])
    assert all(copy.exists() for copy in made[None])


def test_what_was_dropped_in_tab_4_goes_with_the_person_whom_its_window_showed(
    home, window, mei_files
):
    uploads = {}
    for number, name in enumerate(["Ada", "Eve", None]):
        window(f"window of {name}", name := name and create_person(name, True).name)
        files = mei_files[3 * number : 3 * number + 3]
        uploads[name] = [save_file_to_cache(file, str(home / ".page")) for file in files]
        portrait, *photos = uploads[name]
        handlers.on_given(portrait, photos)
        handlers.on_given(str(mei_files[0]), None)  # a picture that is no upload stays where it is
    window("window of Ada", "Ada")
    header.on_delete("Ada", None, "en")
    left = {name: [Path(file).exists() for file in files] for name, files in uploads.items()}
    assert left == {"Ada": [False] * 3, "Eve": [True] * 3, None: [True] * 3}
    assert mei_files[0].exists()


def test_what_was_asked_before_a_deletion_and_is_reached_after_it_says_nothing(home, window):
    create_person("Ada", True)
    window("this window", "Ada")
    header.on_delete("Ada", None, "en")
    with pytest.raises(gr.Error) as late:
        steps.on_show("Ada", None, "pocket", "en")
    assert not late.value.visible
    window("another window", None)
    with pytest.raises(gr.Error, match="no person called Ada") as told:
        steps.on_show("Ada", None, "pocket", "en")
    assert told.value.visible


def test_a_name_that_the_chooser_does_not_show_is_looked_up_where_it_is_used():
    chooser = PersonChooser(choices=["Ada"])
    anew = chooser.__class__(**{**chooser.constructor_args, "choices": []})  # as Gradio does it
    assert anew.preprocess("Ada") == "Ada" and anew.preprocess("") is None
    assert anew.get_block_name() == "dropdown"


def test_a_new_visit_begins_with_nobody_and_a_reload_goes_on_with_the_person(home):
    create_person("Ada", True)
    request = SimpleNamespace(headers={"accept-language": "zh-CN"})
    *language, root, choice = header.on_load(None, request)
    assert language == ["zh", "zh"] and root is None
    assert choice["choices"] == ["Ada"] and choice["value"] is None
    assert header.on_load("Ada", request)[-1]["value"] == "Ada"
    assert header.on_load("Eve", request)[-1]["value"] is None  # deleted meanwhile
