"""The whole job, headless, on the example person and the embedded base, with few steps."""

import json
from dataclasses import replace

import numpy as np
import pytest

from realism.cli.demo_run import run_demo
from realism.config import home
from realism.diffusion.families import find_preset
from realism.errors import InputError
from realism.images import open_photo
from realism.portraits.portrait import read_parameters
from realism.workflow.portraits import PortraitRequest


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A demo of two steps a stage and three portraits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALISM_FACE_ENGINE", "dlib")
        patch.setenv("REALISM_HOME", str(tmp_path_factory.mktemp("home")))
        stages = [
            replace(stage, steps=2, batch=2, preview_seeds=(1,), preview_steps=2)
            for stage in find_preset("pocket").stages
        ]
        out = tmp_path_factory.mktemp("outputs") / "demo"
        request = PortraitRequest(seed=1, count=3, steps=4, run=out / "portraits")
        lines = list(run_demo(out, "mei", (stages[0], stages[1]), request))
        assert not list(home().iterdir())  # it leaves no trace but in its folder
    return out, lines


@pytest.mark.slow
def test_the_report_has_every_step_portrait_and_placement(done):
    out, lines = done
    report = json.loads((out / "report.json").read_text())
    assert list(report["steps"]) == [
        "load", "photos", "finetune, stage 1", "finetune, stage 2", "portraits", "rank", "marks",
        "overview",
    ]  # fmt: skip
    for step in report["steps"].values():
        assert step["seconds"] >= 0 and step["peak_memory_mb"] > 100
    refused = {photo["photo"] for photo in report["photos"] if not photo["accepted"]}
    assert refused == {"mei-blurred.jpg", "mei-too-dark.jpg", "mei-and-ravi.jpg"}
    assert len(report["photo_to_photo"]) == 14
    assert [row["rank"] for row in report["portraits"]] == [1, 2, 3]
    assert set(report["marks"]) <= {row["portrait"] for row in report["portraits"]}
    assert lines[-1].startswith("Done in")


def test_every_image_is_there_and_can_be_made_again(done):
    out, _ = done
    files = sorted((out / "portraits").glob("*.png"))
    assert [read_parameters(file).seed for file in files] == [1, 2, 3]
    assert all(open_photo(file).pixels.shape == (256, 256, 3) for file in files)
    sheet = open_photo(out / "overview.png").pixels
    assert sheet.shape[1] == 1280 and sheet.std() > 20


def test_restored_portraits_differ_from_the_portraits_at_their_marks_only(done):
    out, _ = done
    report = json.loads((out / "report.json").read_text())
    for name, one in report["marks"].items():
        before = open_photo(out / "portraits" / name).pixels
        after = open_photo(out / "restored" / name).pixels
        changed = np.argwhere((before != after).any(2))[:, ::-1]
        places = np.array([place["to"] for place in one["placements"] if place["visible"]])
        if len(changed):
            away = np.linalg.norm(changed[:, None] - places, axis=2).min(1)
            assert away.max() < 60  # px: a long wrinkle's end


def test_a_folder_with_other_things_is_not_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("three years of work")
    with pytest.raises(InputError, match="holds other things"):
        list(run_demo(tmp_path))
    assert (tmp_path / "thesis.txt").exists()
