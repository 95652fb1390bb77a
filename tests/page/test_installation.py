"""About this installation: the one place that says with what it works and where files lie."""

from realism import __version__
from realism.page import header, installation


def test_it_names_the_engine_the_base_their_licences_and_the_folders(home):
    notes = installation.on_show(None, "pocket", header.on_engine("en"), "en")
    assert "dlib" in notes and "commercial" in notes and "not a portrait model" in notes
    assert str(home) in notes and f"Realism {__version__}" in notes


def test_it_does_not_wait_until_the_engine_is_loaded(home):
    notes = installation.on_show(None, "owner/base", None, "en")
    assert "owner/base" in notes and "dlib" not in notes


def test_a_hosted_page_says_nothing_of_its_machine(home, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/realism")
    assert str(home) not in installation.on_show(None, "pocket", None, "en")
