"""Tab 3 presents the person whose portraits are shown, and nobody else."""

import json
import re
from pathlib import Path

import gradio as gr
import pytest

from realism.config import page_copies
from realism.page.portraits import stage
from realism.person.person import create_person, open_person


@pytest.fixture(autouse=True)
def small_heads(monkeypatch):
    """Two small sides of a head: all of them take seconds."""
    draw = stage.draw_turning_head
    monkeypatch.setattr(stage, "draw_turning_head", lambda atlas: draw(atlas, (-60, 60), 90))


def told(file: str) -> dict:
    """What a presentation holds."""
    page = Path(file).read_text(encoding="utf-8")
    return json.loads(
        re.search(r'<script type="application/json" id="story">(.*)</script>', page)[1]
    )


def test_the_presentation_is_of_the_run_that_is_shown_in_the_page_s_language(finished):
    (run,) = open_person("mei", finished).runs()
    file = stage.on_present(run.name, "mei", finished, "zh")
    story = told(file)
    assert len(story["portraits"]) == 20 and len(story["head"]) == 2
    assert story["words"]["likeness"] == "相似度"
    # Among the copies, in a folder that nobody guesses and no other visit has.
    assert Path(file).parent.parent == page_copies()
    assert Path(stage.on_present(run.name, "mei", finished, "en")).parent != Path(file).parent


def test_who_has_nothing_to_show_is_told_so(tmp_path):
    create_person("Ada", True, root=tmp_path)
    for name, says in (("Ada", "photos in step 1"), (None, "Choose a person")):
        with pytest.raises(gr.Error, match=says):
            stage.on_present(None, name, tmp_path, "en")
