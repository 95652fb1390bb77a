"""The compact network learns every mark, and loads again."""

from dataclasses import replace

import numpy as np
from tiny_finders import TINY, compact_finder

from realism.marks.find.compact_rcnn import (
    CompactFinder,
    find_with_compact,
    load_compact,
    save_compact,
)
from realism.marks.find.crop import crop_face
from realism.marks.teach.compact_rcnn import mark_boxes
from realism.marks.teach.settings import DEFAULT_SETTINGS


def test_every_mark_is_a_box_of_its_own_around_its_centre(faces):
    face = faces[0]
    view = crop_face(face.pixels, face.face, face.skin, 240)
    boxes, points, labels = mark_boxes(face, view)
    assert labels.tolist() == [1, 2, 1]
    assert np.allclose((boxes[:, :2] + boxes[:, 2:]) / 2, points)
    assert np.allclose(view.to_picture(points - 0.5), [c.xy for c in face.clicks], atol=0.05)
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
    face, loaded = replace(faces[0], skin=np.ones_like(faces[0].skin)), load_compact(path)
    for network in (finder.network, loaded.network):
        network.roi_heads.score_thresh = 0.0  # random weights are sure of nothing
    (before,) = finder.find_all([face])
    after = find_with_compact(loaded, face.pixels, face.face, face.skin)
    assert before and len(before) == len(after)
    assert all(np.allclose(a.xy, b.xy) for a, b in zip(before, after, strict=True))
    assert find_with_compact(loaded, face.pixels, face.face, np.zeros_like(face.skin)) == []
