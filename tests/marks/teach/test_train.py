"""Finders learn from annotated faces, and go on where they were killed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_finders import TINY, TRAINING, click, compact_finder

from realism.errors import InputError
from realism.marks.find.compact_rcnn import (
    build_compact,
    load_compact,
)
from realism.marks.find.crop import face_span
from realism.marks.find.keypoint_rcnn import (
    load_keypoints,
)
from realism.marks.find.network import load_heatmap
from realism.marks.teach.compact_rcnn import TrainableCompactRcnn
from realism.marks.teach.train import (
    TrainingEnd,
    TrainStep,
    ValidationScore,
    augment,
    checkpoint_path,
    split_faces,
    train,
)


def test_a_cut_face_keeps_its_marks_where_they_are(faces, mei, engine):
    face, whole = faces[0], engine.find(mei[0].pixels)[0]
    assert face_span(face.face) == pytest.approx(120, rel=0.02)
    assert np.allclose(face.clicks[0].xy, face.face.mesh[205, :2], atol=0.01)
    scale = face_span(face.face) / face_span(whole)
    assert face.clicks[0].radius == pytest.approx(3 * scale, rel=0.02)
    assert np.allclose(face.to_picture(face.clicks[0].xy), whole.mesh[205, :2], atol=0.1)


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
    mirrored = [face.clicks[0].xy[0] != marked.clicks[0].xy[0] for face in seen]
    assert True in mirrored and False in mirrored
    for face in seen:
        x, y = np.rint(face.clicks[0].xy).astype(int)
        assert face.pixels[y, x].max() < 30
        assert face.face.box[0] < face.face.mesh[205, 0] < face.face.box[2]


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
    saving_often = replace(TRAINING, save_every=1)
    for event in train(faces, compact_finder(), broken, saving_often):
        if event.number == 2:
            break
    again = list(train(faces, compact_finder(), broken, TRAINING))
    assert (again[0].number, again[1].step) == (2, 2) and again[-1].best == events[-1].best
    state, resumed = (load_file(str(checkpoint_path(path))) for path in (whole, broken))
    assert state.keys() == resumed.keys()
    assert all(torch.allclose(state[k].float(), resumed[k].float(), atol=1e-5) for k in state)


def test_fewer_steps_than_were_done_end_with_weights_all_the_same(faces, tmp_path):
    out, short = tmp_path / "f.safetensors", replace(TRAINING, steps=3, judge_every=3, save_every=1)
    for event in train(faces, compact_finder(), out, short):
        if event.number == 3:
            break  # two steps are saved, and none was evaluated
    (ended,) = train(faces, compact_finder(), out, replace(short, steps=1))
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
