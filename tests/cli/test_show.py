"""`realism show`: a file for a stage, of a person or of the example."""

import webbrowser

import pytest

from realism.draw import turntable
from realism.person.person import create_person


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """Addresses that a browser was asked to open."""
    asked = []
    monkeypatch.setattr(webbrowser, "open", lambda address: not asked.append(address))
    return asked


@pytest.fixture(autouse=True)
def small_heads(monkeypatch):
    """Two small sides of a head: all of them take seconds."""
    draw = turntable.draw_turning_head
    monkeypatch.setattr(turntable, "draw_turning_head", lambda atlas: draw(atlas, (-60, 60), 90))


def test_the_example_is_presented_without_joining_your_people(run, tmp_path, opened):
    out = tmp_path / "stage.html"
    assert run("show", "example", "--out", out, "--language", "zh")[:2] == (0, f"{out}\n")
    assert 'lang="zh-Hans"' in out.read_text(encoding="utf-8") and opened == [out.as_uri()]
    assert out.read_text(encoding="utf-8").count("data:image/webp") == 2
    assert not (tmp_path / "people").exists()


def test_a_person_is_written_to_a_place_of_its_own_and_missing_steps_are_said(
    run, tmp_path, opened
):
    run("example", "open", "mei")
    (tmp_path / "people" / "mei" / "marks" / "passport.json").unlink()
    code, written, said = run("show", "mei", "--no-open")
    assert code == 0 and written.endswith("mei.html\n") and opened == []
    assert "mark passport" in said and len(said.splitlines()) == 1  # no head


def test_whoever_has_nothing_is_told_what_to_do(run, tmp_path):
    create_person("Ada", True, root=tmp_path / "people")
    code, _, said = run("show", "Ada")
    assert code == 2 and "add about a dozen photos" in said and len(said.splitlines()) == 1
    code, _, said = run("show", "example", "--out", tmp_path / "stage.txt")
    assert code == 2 and ".html" in said
