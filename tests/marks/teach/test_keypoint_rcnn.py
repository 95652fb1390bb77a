"""The original's network learns one mark of each kind, and loads again."""

import itertools
from dataclasses import replace

import numpy as np
import torch
from safetensors.torch import load_file
from tiny_finders import SMALL, TRAINING, keypoint_finder

from realism.marks.find.keypoint_rcnn import (
    KeypointFinder,
    build_keypoints,
    find_with_keypoints,
    four_points,
    load_keypoints,
    save_keypoints,
    view_face,
)
from realism.marks.mark import KINDS
from realism.marks.teach.keypoint_rcnn import (
    choose_levels,
    keypoint_target,
    load_trainable_keypoints,
)
from realism.marks.teach.train import (
    checkpoint_path,
    train,
)


def test_absent_kinds_lie_at_zero_with_visibility_zero_and_the_first_of_a_kind_counts(faces):
    view = view_face(SMALL, faces[0].pixels, faces[0].face, faces[0].skin)
    points = keypoint_target(faces[0], view)["keypoints"][0].numpy()
    assert np.allclose(points[0], [*(faces[0].clicks[0].xy - view.origin), 1])
    assert points[KINDS.index("spot"), 2] == 1
    assert not points[KINDS.index("acne")].any() and not points[KINDS.index("wrinkle")].any()


def test_the_original_learns_and_its_weights_load(faces, tmp_path):
    out = tmp_path / "f.safetensors"
    step, score, ended = train(faces, keypoint_finder(), out, replace(TRAINING, steps=1))
    assert np.isfinite(step.loss) and score.is_best and ended.best == (1, score.mean_ap)
    assert load_keypoints(out).settings.min_size == 64
    # The optimiser's moments are in the checkpoint: a resumed step does not start without them.
    kept = load_file(str(checkpoint_path(out)))
    assert sum(k.startswith("optimizer.exp_avg.") for k in kept) > 100


def test_presence_levels_part_faces_with_a_kind_from_faces_without():
    peaks = [np.array([h, h, h, h], float) for h in (1, 2, 3, 4)]
    there = [[False, True, False, True], [False, True, False, False]]
    there += [[True, True, False, True], [True, True, False, True]]
    mole, spot, acne, wrinkle = choose_levels(peaks, there, [True] * 4)
    assert mole == 3 and spot < 1 and acne > 4 and wrinkle in (1, 3)
    assert choose_levels(peaks, there, [False] * 4) == (0, 0, 0, 0)


def test_saved_keypoints_load_and_answer_the_same(faces, tmp_path):
    torch.manual_seed(0)
    network = build_keypoints(SMALL)
    network.roi_heads.score_thresh = 0.0
    path = tmp_path / "finder.safetensors"
    save_keypoints(path, KeypointFinder(network, SMALL))
    loaded = load_keypoints(path)
    loaded.network.roi_heads.score_thresh = 0.0
    image = view_face(SMALL, faces[0].pixels, faces[0].face, faces[0].skin).image
    before, after = four_points(network, image), four_points(loaded.network, image)
    assert before[0] is not None
    assert np.allclose(before[0], after[0])
    assert np.allclose(before[1], after[1])
    # What is trained on from a file is a copy: whoever finds with the file keeps the file's.
    again = load_trainable_keypoints(weights=path)
    assert again.network is not loaded.network and "finder.safetensors" in again.initial_weights


def test_it_finds_at_most_one_mark_of_each_kind(mei, engine):
    torch.manual_seed(0)
    network = build_keypoints(SMALL)
    network.roi_heads.score_thresh = 0.0
    face = engine.find(mei[0].pixels)[0]
    skin = np.ones(mei[0].pixels.shape[:2], np.float32)
    marks = find_with_keypoints(KeypointFinder(network, SMALL), mei[0].pixels, face, skin)
    assert sorted(m.kind for m in marks) == sorted(KINDS)
    assert all(a.score >= b.score for a, b in itertools.pairwise(marks))
