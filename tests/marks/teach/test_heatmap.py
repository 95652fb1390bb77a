"""The default finder is adjusted to annotations, and keeps what it knew."""

from dataclasses import replace

import cv2
import numpy as np
import torch
from tiny_finders import TRAINING, click

from realism.marks.find.candidates import BlobCandidates
from realism.marks.find.network import HeatmapNet
from realism.marks.mark import RoundMark, Wrinkle
from realism.marks.teach import heatmap as teach_heatmap
from realism.marks.teach.calibrate import fit_near_prior, label_blobs
from realism.marks.teach.heatmap import (
    TrainableHeatmap,
    has_one_click_a_kind,
    ignore_unclicked,
    load_trainable_heatmap,
    training_window,
)
from realism.marks.teach.train import (
    TrainingEnd,
    TrainStep,
    ValidationScore,
    train,
)


def wrinkle_and_blob(face):
    """A fold under the second click, another far from it, a faint blob, a dark one."""
    x, y = face.clicks[1].xy
    fold = np.float32([[x - 6, y], [x, y + 0.5], [x + 6, y]])
    return [
        Wrinkle(fold[1], 1.0, 0.7, fold),
        Wrinkle(fold[1] + 40, 1.0, 0.3, fold + 40),
        RoundMark("spot", np.float32([10, 10]), 2.0, 0.3),
        RoundMark("mole", np.float32([30, 10]), 2.0, 0.9),
    ]


def test_only_faint_places_are_ignored_and_a_fold_is_the_polyline_of_its_click(faces, monkeypatch):
    mole, fold, other = faces[0].clicks[:3]
    face = replace(faces[0], clicks=(mole, click("wrinkle", *fold.xy), click("mole", *other.xy)))
    monkeypatch.setattr(teach_heatmap, "find_marks", lambda *_, **__: wrinkle_and_blob(faces[0]))
    (annotated,) = ignore_unclicked([face])
    assert not has_one_click_a_kind([face])
    assert [(m.kind, m.score) for m in annotated.ignored] == [
        ("wrinkle", 0.7), ("wrinkle", 0.3), ("spot", 0.3)
    ]  # fmt: skip
    torch.manual_seed(0)
    seen, wanted = training_window(annotated)
    assert seen.shape == (3, 256, 256) and wanted.line.shape == (128, 128)
    once = replace(face, clicks=face.clicks[:2])
    assert has_one_click_a_kind([once]) and not has_one_click_a_kind([replace(face, clicks=())])
    (many,) = ignore_unclicked([once])
    assert len(many.ignored) == 4  # one of a kind was clicked: the dark blob may be a mark, too


def test_the_crop_wants_marks_where_they_are_seen(faces):
    face = faces[0]
    for seed in range(40):
        torch.manual_seed(seed)
        _, wanted = training_window(face)
        places = np.argwhere(wanted.heat.numpy() == 1)
        if len(places):
            break
    assert len(places)
    marked = replace(face, pixels=face.pixels.copy())
    for mark in face.clicks:
        cv2.circle(marked.pixels, np.rint(mark.xy).astype(int).tolist(), 2, (0, 0, 0), -1)
    torch.manual_seed(seed)
    dark = training_window(marked)[0].numpy().sum(0)
    for row, column in places:
        if 4 < row < 124 and 4 < column < 124:
            at = dark[2 * row - 4 : 2 * row + 6, 2 * column - 4 : 2 * column + 6]
            assert at.min() < dark.mean() - 3


def test_the_heat_map_finder_learns_saves_and_starts_from_what_it_saved(faces, tmp_path):
    torch.manual_seed(0)
    finder, out = TrainableHeatmap(HeatmapNet((4, 4, 8, 8, 8)), "random weights", False), tmp_path
    settings = TRAINING
    events = list(train(faces, finder, out / "f.safetensors", settings))
    assert [type(e) for e in events] == [TrainStep, TrainStep, ValidationScore, TrainingEnd]
    again = load_trainable_heatmap(out / "f.safetensors")
    assert again.pretrained and all(p.requires_grad for p in again.network.parameters())
    # What was known counts as a result: it is evaluated first, and kept if nothing gets better.
    events = list(train(faces, again, out / "g.safetensors", settings))
    assert [e.step for e in events[:2]] == [0, 0] and events[0].is_best
    assert (out / "g.safetensors").is_file()


def test_candidates_are_marks_where_clicked_unknown_where_ignored_and_bare_elsewhere(faces):
    ignored = RoundMark("spot", np.float32([10, 10]), 2.0, 0.3)
    face = replace(faces[0], ignored=(ignored,))
    mole, spot = face.clicks[0].xy, face.clicks[1].xy
    places = np.float32([mole, mole + np.float32([0.7, 0]), spot, ignored.xy, [60, 10]])
    sure = np.stack([np.ones(5), [1, 3, 0, 0, 2]], 1)
    found = BlobCandidates(places, np.ones(5), sure, np.zeros((5, 6)))
    # Of two on the mole the surer one is it, and the other neither it nor bare skin.
    assert label_blobs(found, face).tolist() == [-2, 0, 1, -2, -1]


def test_weights_move_with_many_annotations_and_stay_with_few():
    rng, before = np.random.default_rng(0), torch.tensor([0.0, 1.0])
    evidence = np.stack([np.ones(400), rng.normal(0, 2, 400)], 1)
    truth = rng.random(400) < 1 / (1 + np.exp(2 - evidence[:, 1]))
    many = fit_near_prior(evidence, truth, before).numpy()
    few = fit_near_prior(evidence[:6], truth[:6], before).numpy()
    assert np.allclose(many, [-2, 1], atol=0.5)
    assert np.linalg.norm(few - before.numpy()) < np.linalg.norm(many - before.numpy())
    assert fit_near_prior(evidence[:0], truth[:0], before) is before
    kinds = fit_near_prior(evidence, truth.astype(np.int64), torch.zeros(3, 2))
    assert (evidence @ kinds.numpy().T).argmax(1)[truth & (evidence[:, 1] > 3)].mean() > 0.9
