"""What every tab shares: copies of pictures, events that wait for the device."""

import gradio as gr
import pytest

from realism.errors import InputError, Message
from realism.page import session


def test_copies_have_a_folder_of_their_own_that_may_be_emptied():
    # Another program's files in the folder that was given must not go.
    beside = session.temp_dir().parent / "of-another-program.png"
    beside.write_bytes(b"a picture")
    session.new_temp_dir()
    session.delete_temp_files()
    assert beside.exists() and not list(session.temp_dir().iterdir())


def test_an_event_waits_for_the_device_when_its_handler_says_that_it_uses_it():
    def measures():
        """Uses the engine."""

    assert "concurrency_id" not in session.listener(measures)
    measures = session.uses_device(measures)
    assert session.listener(measures)["concurrency_id"] == "device"
    assert session.listener(measures)["concurrency_limit"] == 1
    public = session.listener(measures, api_name="measure", api_visibility="public")
    assert public["api_visibility"] == "public" and public["show_progress"] == "hidden"


def test_a_notice_says_names_of_files_and_no_folder_of_this_machine(home, monkeypatch):
    file = home / "mei" / "person.json"
    inner = Message("weights_not_found", path=file)
    cases = [
        (Message("file_not_json", path=file, what="a person", detail="line 1"), "person.json is"),
        (Message("of_picture", name="a.jpg", reason=inner), "no file person.json"),
        (Message("base_not_found", base="owner/name"), "no base owner/name"),
        (Message("base_not_found", base="/models/mine"), "no base mine"),
        (Message("as_written", text="[Errno 13] denied: '/srv/a/b.png' (1/2)"), "'b.png' (1/2)"),
        (Message("as_written", text="see https://example.org/a/b"), "https://example.org/a/b"),
    ]  # fmt: skip
    for message, expected in cases:
        for language in ("en", "zh"):
            said = session.sentence(message, language)
            assert str(home) not in said and "/srv" not in said
        assert expected in session.sentence(message, "en")
    with pytest.raises(gr.Error) as notice, session.user_errors("en"):
        raise InputError("weights_not_found", path=file)
    assert str(home) not in str(notice.value)
