"""The original's keypoint R-CNN trains, goes on where it was killed, and loads again."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from realism.errors import Unusable
from realism.marks.keypoint import (
    KeypointFinder,
    KeypointSettings,
    build_keypoints,
    find_with_keypoints,
    four_points,
    load_keypoints,
    save_keypoints,
)  # fmt: skip
from realism.marks.mark import KINDS, Mark
from realism.marks.train import Trained, Training, TrainStep, annotated_face, train

SMALL = KeypointSettings("scratch", min_size=64)
TRAINING = Training(steps=2, batch=1, save_every=2)


@pytest.fixture(scope="module")
def faces(mei):
    """Two small pictures with a mole each."""
    result = []
    for photo in mei[:2]:
        pixels = np.ascontiguousarray(photo.pixels[100:400:2, 100:400:2])
        box = np.float32([30, 20, 120, 130])
        result.append(
            annotated_face(photo.name, pixels, box, [Mark("mole", np.float32([70, 60]), 2)])
        )
    return result


@pytest.fixture(scope="module")
def trained(faces, tmp_path_factory):
    """Two steps without a break."""
    out = tmp_path_factory.mktemp("whole") / "finder.safetensors"
    return list(train(faces, out, TRAINING, SMALL))


def test_absent_kinds_lie_at_zero_with_visibility_zero(faces):
    points = faces[0].points
    assert points[KINDS.index("mole"), 2] == 1
    assert not points[KINDS.index("acne")].any()


def test_training_yields_every_step_and_ends_with_weights(trained):
    assert [type(s) for s in trained] == [TrainStep, TrainStep, Trained]
    assert all(np.isfinite(s.loss) for s in trained[:2])
    assert trained[-1].weights.is_file()
    assert "scratch" in trained[-1].backbone


def test_a_killed_run_goes_on_and_ends_with_the_same_weights(faces, trained, tmp_path):
    out = tmp_path / "finder.safetensors"
    # save_every is not part of the recipe: this run saves after each step, to be killed after one.
    for step in train(faces, out, replace(TRAINING, save_every=1), SMALL):
        if step.number == 1:
            break
    again = list(train(faces, out, TRAINING, SMALL))
    assert [s.number for s in again[:-1]] == [2]
    whole, resumed = load_file(str(trained[-1].weights)), load_file(str(out))
    assert all(torch.allclose(whole[k].float(), resumed[k].float(), atol=1e-5) for k in whole)


def test_a_run_of_other_settings_is_not_mixed_into_a_checkpoint(faces, trained):
    with pytest.raises(Unusable, match="other settings"):
        next(train(faces, trained[-1].weights, replace(TRAINING, learning_rate=1e-3), SMALL))


def test_saved_weights_load_and_answer_the_same(faces, tmp_path):
    torch.manual_seed(0)
    network = build_keypoints(SMALL)
    network.roi_heads.score_thresh = 0.0
    finder = KeypointFinder(network, SMALL)
    path = tmp_path / "finder.safetensors"
    save_keypoints(path, finder)
    loaded = load_keypoints(path)
    loaded.network.roi_heads.score_thresh = 0.0
    before, after = four_points(network, faces[0].crop), four_points(loaded.network, faces[0].crop)
    assert before[0] is not None
    assert np.allclose(before[0], after[0])
    assert np.allclose(before[1], after[1])


def test_it_finds_at_most_one_mark_of_each_kind(mei, engine, tmp_path):
    torch.manual_seed(0)
    network = build_keypoints(SMALL)
    network.roi_heads.score_thresh = 0.0
    face = engine.find(mei[0].pixels)[0]
    marks = find_with_keypoints(KeypointFinder(network, SMALL), mei[0].pixels, face, threshold=0.0)
    assert sorted(m.kind for m in marks) == sorted(KINDS)
    assert all(a.score >= b.score for a, b in itertools.pairwise(marks))


def test_pickles_and_foreign_weights_are_refused(tmp_path):
    with pytest.raises(Unusable, match="run code"):
        load_keypoints(Path("finder.pt"))
    from safetensors.torch import save_file

    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, str(path))
    with pytest.raises(Unusable, match="no keypoint R-CNN"):
        load_keypoints(path)
    (tmp_path / "text.safetensors").write_text("not weights")
    with pytest.raises(Unusable, match="damaged"):
        load_keypoints(tmp_path / "text.safetensors")
