"""Finders learn from annotated faces, go on where they were killed, and load again."""

import itertools
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from realism.errors import InputError
from realism.faces.skin import skin_mask
from realism.marks.find.candidates import BlobCandidates
from realism.marks.find.compact_rcnn import (
    CompactFinder,
    CompactSettings,
    build_compact,
    find_with_compact,
    load_compact,
    save_compact,
)
from realism.marks.find.crop import crop_face, face_span
from realism.marks.find.keypoint_rcnn import (
    KeypointFinder,
    KeypointSettings,
    build_keypoints,
    face_crop,
    find_with_keypoints,
    four_points,
    load_keypoints,
    save_keypoints,
)
from realism.marks.find.network import HeatmapNet, load_heatmap
from realism.marks.mark import KINDS, RoundMark, Wrinkle
from realism.marks.teach import heatmap as teach_heatmap
from realism.marks.teach.calibrate import fit_near_prior, label_blobs
from realism.marks.teach.compact_rcnn import TrainableCompactRcnn, mark_boxes
from realism.marks.teach.dataset import cut_out_face
from realism.marks.teach.heatmap import (
    TrainableHeatmap,
    has_one_click_a_kind,
    ignore_unclicked,
    load_trainable_heatmap,
    training_window,
)
from realism.marks.teach.keypoint_rcnn import (
    TrainableKeypointRcnn,
    choose_levels,
    keypoint_target,
    load_trainable_keypoints,
)
from realism.marks.teach.snap import Click
from realism.marks.teach.train import (
    DEFAULT_SETTINGS,
    TrainingEnd,
    TrainingSettings,
    TrainStep,
    ValidationScore,
    augment,
    checkpoint_path,
    split_faces,
    train,
)

SMALL = KeypointSettings("scratch", min_size=64)
TINY = CompactSettings(span=100, channels=16)
TRAINING = TrainingSettings(steps=2, batch=1, judge_every=2, learning_rate=1e-3)


def click(kind: str, x: float, y: float) -> Click:
    return Click(kind, np.float32([x, y]), np.float32([x, y]), 3.0, False)


@pytest.fixture(scope="module")
def faces(mei, engine):
    """Three small faces with two moles and a spot each."""
    result = []
    for photo in mei[:3]:
        face = engine.find(photo.pixels)[0]
        skin = skin_mask(photo.pixels, face)
        at = face.mesh[[205, 425, 151], :2]  # the cheeks and the forehead
        clicks = [click(k, *xy) for k, xy in zip(("mole", "spot", "mole"), at, strict=True)]
        result.append(cut_out_face(photo.name, photo.pixels, face, skin, clicks, max_span=120))
    return result


def compact_finder() -> TrainableCompactRcnn:
    torch.manual_seed(0)
    return TrainableCompactRcnn(TINY, build_compact(TINY), "random weights")


def keypoint_finder() -> TrainableKeypointRcnn:
    torch.manual_seed(0)
    return TrainableKeypointRcnn(SMALL, build_keypoints(SMALL), "random weights")


# The loop --------------------------------------------------------------------------------


def test_a_cut_face_keeps_its_marks_where_they_are(faces, mei, engine):
    one, whole = faces[0], engine.find(mei[0].pixels)[0]
    assert face_span(one.face) == pytest.approx(120, rel=0.02)
    assert np.allclose(one.clicks[0].xy, one.face.mesh[205, :2], atol=0.01)
    scale = face_span(one.face) / face_span(whole)
    assert one.clicks[0].radius == pytest.approx(3 * scale, rel=0.02)
    assert np.allclose(one.to_picture(one.clicks[0].xy), whole.mesh[205, :2], atol=0.1)


def test_every_image_is_on_one_side_and_stays_there_when_others_come(faces):
    many = [replace(faces[0], name=f"{n}.jpg") for n in range(40)]
    learned_from, held_out = ({f.name for f in side} for side in split_faces(many, 5))
    assert len(held_out) == 8 and not learned_from & held_out
    assert len(learned_from | held_out) == 40
    later = {f.name for f in split_faces([*many, replace(faces[0], name="new.jpg")], 5)[1]}
    assert len(held_out & later) >= 7


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_faces_are_refused(faces, tmp_path, count):
    with pytest.raises(InputError, match="at least two"):
        next(train(faces[:count], compact_finder(), tmp_path / "f.safetensors", TRAINING))


def test_a_mirrored_face_has_its_marks_and_outline_where_they_are_seen(faces):
    marked = replace(faces[0], pixels=faces[0].pixels.copy())
    x, y = np.rint(marked.clicks[0].xy).astype(int)
    marked.pixels[y - 1 : y + 2, x - 1 : x + 2] = 0
    seen = [augment(marked, np.random.default_rng(seed)) for seed in range(8)]
    mirrored = [one.clicks[0].xy[0] != marked.clicks[0].xy[0] for one in seen]
    assert True in mirrored and False in mirrored
    for one in seen:
        x, y = np.rint(one.clicks[0].xy).astype(int)
        assert one.pixels[y, x].max() < 30
        assert one.face.box[0] < one.face.mesh[205, 0] < one.face.box[2]


class Scripted(TrainableCompactRcnn):
    """A finder whose finds are known: nothing, then all, then one of two moles."""

    found = 0

    def find_all(self, faces):
        self.found += 1
        right = [face.marks() for face in faces]
        return {1: [[] for _ in faces], 2: right}.get(self.found, [m[:1] for m in right])


def test_the_best_weights_are_kept_not_the_last(faces, tmp_path):
    finder, out = Scripted(TINY, build_compact(TINY), ""), tmp_path / "f.safetensors"
    events = list(train(faces, finder, out, replace(TRAINING, steps=3, judge_every=1)))
    scores = [event for event in events if isinstance(event, ValidationScore)]
    assert [(s.mean_ap, s.is_best) for s in scores] == [(0.0, True), (1.0, True), (0.25, False)]
    assert events[-1].best == (2, 1.0)
    kept, last = load_file(str(out)), finder.network.state_dict()
    assert any(not torch.equal(kept[name], last[name]) for name in kept)


def test_a_killed_run_goes_on_and_ends_with_the_same_weights(faces, tmp_path):
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    events = list(train(faces, compact_finder(), whole, TRAINING))
    assert [type(e) for e in events] == [TrainStep, TrainStep, ValidationScore, TrainingEnd]
    assert all(np.isfinite(e.loss) for e in events if isinstance(e, TrainStep))
    # How often it saves is no part of a run: this one saves before it was ever evaluated.
    often = replace(TRAINING, save_every=1)
    for event in train(faces, compact_finder(), broken, often):
        if event.number == 2:
            break
    again = list(train(faces, compact_finder(), broken, TRAINING))
    assert (again[0].number, again[1].step) == (2, 2) and again[-1].best == events[-1].best
    one, other = (load_file(str(checkpoint_path(path))) for path in (whole, broken))
    assert one.keys() == other.keys()
    assert all(torch.allclose(one[k].float(), other[k].float(), atol=1e-5) for k in one)


def test_fewer_steps_than_were_done_end_with_weights_all_the_same(faces, tmp_path):
    out, often = tmp_path / "f.safetensors", replace(TRAINING, steps=3, judge_every=3, save_every=1)
    for event in train(faces, compact_finder(), out, often):
        if event.number == 3:
            break  # two steps are saved, and none was evaluated
    (ended,) = train(faces, compact_finder(), out, replace(often, steps=1))
    assert ended.best[0] == 2 and out.is_file()


def test_a_run_of_other_settings_or_annotations_is_not_mixed_in(faces, tmp_path):
    out = tmp_path / "f.safetensors"
    list(train(faces, compact_finder(), out, replace(TRAINING, steps=1)))
    with pytest.raises(InputError, match="other settings"):
        next(train(faces, compact_finder(), out, replace(TRAINING, learning_rate=1e-2)))
    moved = [replace(faces[0], clicks=(click("acne", 9, 9),)), *faces[1:]]
    with pytest.raises(InputError, match="annotations"):
        next(train(moved, compact_finder(), out, TRAINING))
    # More steps of the same run are no other run.
    longer = train(faces, compact_finder(), out, replace(TRAINING, steps=3))
    assert next(longer).number == 2
    checkpoint_path(out).write_bytes(b"cut off")
    with pytest.raises(InputError, match="damaged"):
        next(train(faces, compact_finder(), out, TRAINING))


# The original's network --------------------------------------------------------------------


def test_absent_kinds_lie_at_zero_with_visibility_zero_and_the_first_of_a_kind_counts(faces):
    crop, origin = face_crop(faces[0].pixels, faces[0].face.box)
    points = keypoint_target(faces[0], crop, origin)["keypoints"][0].numpy()
    assert np.allclose(points[0], [*(faces[0].clicks[0].xy - origin), 1])
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
    crop, _ = face_crop(faces[0].pixels, faces[0].face.box)
    before, after = four_points(network, crop), four_points(loaded.network, crop)
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
    marks = find_with_keypoints(KeypointFinder(network, SMALL), mei[0].pixels, face)
    assert sorted(m.kind for m in marks) == sorted(KINDS)
    assert all(a.score >= b.score for a, b in itertools.pairwise(marks))


# The compact network -----------------------------------------------------------------------


def test_every_mark_is_a_box_of_its_own_around_its_centre(faces):
    one = faces[0]
    view = crop_face(one.pixels, one.face, one.skin, 240)
    boxes, points, labels = mark_boxes(one, view)
    assert labels.tolist() == [1, 2, 1]
    assert np.allclose((boxes[:, :2] + boxes[:, 2:]) / 2, points)
    assert np.allclose(view.to_picture(points - 0.5), [c.xy for c in one.clicks], atol=0.05)
    assert (boxes[:, 2] - boxes[:, 0] >= 5).all()


def test_the_compact_networks_loss_falls_on_the_cpu(faces):
    finder = compact_finder()
    optimizer = finder.optimizer(replace(DEFAULT_SETTINGS["compact"], learning_rate=2e-3))
    losses = []
    for _ in range(10):
        finder.network.train()
        loss = finder.loss(faces[:1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])


def test_saved_compact_weights_load_and_find_the_same_on_skin_only(faces, tmp_path):
    finder, path = compact_finder(), tmp_path / "finder.safetensors"
    save_compact(path, CompactFinder(finder.network, TINY))
    one, loaded = replace(faces[0], skin=np.ones_like(faces[0].skin)), load_compact(path)
    for network in (finder.network, loaded.network):
        network.roi_heads.score_thresh = 0.0  # random weights are sure of nothing
    (before,) = finder.find_all([one])
    after = find_with_compact(loaded, one.pixels, one.face, one.skin)
    assert before and len(before) == len(after)
    assert all(np.allclose(a.xy, b.xy) for a, b in zip(before, after, strict=True))
    assert find_with_compact(loaded, one.pixels, one.face, np.zeros_like(one.skin)) == []


# The default network -----------------------------------------------------------------------


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


def test_only_faint_places_are_left_open_and_a_fold_is_the_polyline_of_its_click(
    faces, monkeypatch
):
    one = replace(faces[0], clicks=(*faces[0].clicks[:1], click("wrinkle", *faces[0].clicks[1].xy)))
    one = replace(one, clicks=(*one.clicks, click("mole", *faces[0].clicks[2].xy)))
    monkeypatch.setattr(teach_heatmap, "find_marks", lambda *_, **__: wrinkle_and_blob(faces[0]))
    (annotated,) = ignore_unclicked([one])
    assert not has_one_click_a_kind([one])
    assert [(m.kind, m.score) for m in annotated.ignored] == [
        ("wrinkle", 0.7), ("wrinkle", 0.3), ("spot", 0.3)
    ]  # fmt: skip
    torch.manual_seed(0)
    seen, wanted = training_window(annotated)
    assert seen.shape == (3, 256, 256) and wanted.line.shape == (128, 128)
    once = replace(one, clicks=one.clicks[:2])
    assert has_one_click_a_kind([once]) and not has_one_click_a_kind([replace(one, clicks=())])
    (many,) = ignore_unclicked([once])
    assert len(many.ignored) == 4  # one of a kind was clicked: the dark blob may be a mark, too


def test_the_crop_wants_marks_where_they_are_seen(faces):
    one = faces[0]
    for seed in range(40):
        torch.manual_seed(seed)
        _, wanted = training_window(one)
        places = np.argwhere(wanted.heat.numpy() == 1)
        if len(places):
            break
    assert len(places)
    marked = replace(one, pixels=one.pixels.copy())
    for mark in one.clicks:
        cv2.circle(marked.pixels, np.rint(mark.xy).astype(int).tolist(), 2, (0, 0, 0), -1)
    torch.manual_seed(seed)
    dark = training_window(marked)[0].numpy().sum(0)
    for row, column in places:
        if 4 < row < 124 and 4 < column < 124:
            at = dark[2 * row - 4 : 2 * row + 6, 2 * column - 4 : 2 * column + 6]
            assert at.min() < dark.mean() - 3


def test_the_heat_map_learner_learns_saves_and_starts_from_what_it_saved(faces, tmp_path):
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
    one = replace(faces[0], ignored=(ignored,))
    mole, spot = one.clicks[0].xy, one.clicks[1].xy
    places = np.float32([mole, mole + np.float32([0.7, 0]), spot, ignored.xy, [60, 10]])
    sure = np.stack([np.ones(5), [1, 3, 0, 0, 2]], 1)
    found = BlobCandidates(places, np.ones(5), sure, np.zeros((5, 6)))
    # Of two on the mole the surer one is it, and the other neither it nor bare skin.
    assert label_blobs(found, one).tolist() == [-2, 0, 1, -2, -1]


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


@pytest.mark.parametrize("load", [load_keypoints, load_compact, load_heatmap])
def test_pickles_and_foreign_weights_are_refused(tmp_path, load):
    with pytest.raises(InputError, match="run code"):
        load(Path("finder.pt"))
    with pytest.raises(InputError, match="no weights at"):
        load(tmp_path / "none.safetensors")
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, str(path))
    with pytest.raises(InputError, match="of this program"):
        load(path)
    (tmp_path / "text.safetensors").write_text("not weights")
    with pytest.raises(InputError, match="damaged"):
        load(tmp_path / "text.safetensors")
