"""`realism show`: a file for a stage, of a person or of the example."""

import webbrowser

import numpy as np
import pytest

from realism.draw import turntable
from realism.person.person import create_person
from realism.show import poster as sheets


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


def test_a_person_is_presented_in_their_folder_and_missing_steps_are_said(run, tmp_path, opened):
    run("example", "open", "mei")
    (tmp_path / "people" / "mei" / "marks" / "passport.json").unlink()
    code, written, said = run("show", "mei", "--no-open")
    file = tmp_path / "people" / "mei" / "presentation.html"
    assert code == 0 and written == f"{file}\n" and opened == []
    assert "mark passport" in said and len(said.splitlines()) == 1  # no head


def test_a_poster_is_written_instead_of_the_presentation_or_with_it(
    run, tmp_path, opened, monkeypatch
):
    monkeypatch.setattr(sheets, "draw_poster", lambda *_: np.zeros((42, 30, 3), np.uint8))
    sheet, out = tmp_path / "mei.pdf", tmp_path / "mei.html"
    assert run("show", "example", "--poster", sheet)[:2] == (0, f"{sheet}\n")
    assert sheet.read_bytes().startswith(b"%PDF") and opened == []
    code, _, said = run("show", "example", "--poster", tmp_path / "mei.gif")
    assert code == 2 and ".pdf" in said
    words = ("--poster", sheet, "--out", out, "--no-open")
    assert run("show", "example", *words)[1] == f"{sheet}\n{out}\n" and out.exists()


def test_whoever_has_nothing_is_told_what_to_do(run, tmp_path):
    create_person("Ada", True, root=tmp_path / "people")
    code, _, said = run("show", "Ada")
    assert code == 2 and "add about a dozen photos" in said and len(said.splitlines()) == 1
    code, _, said = run("show", "example", "--out", tmp_path / "stage.txt")
    assert code == 2 and ".html" in said
