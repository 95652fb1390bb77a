"""The original's network comes with weights, small and quick to load, that find marks."""

import time

import cv2
import numpy as np
import pytest
import torch
from marked import MELANIN, painted, round_marks, truth_of

from realism.faces.skin import skin_mask
from realism.marks.find.finders import KEYPOINT_RCNN, find_marks
from realism.marks.find.keypoint_heatmap import CELLS, FINE, build_on_heatmap, start_from_heatmap
from realism.marks.find.keypoint_rcnn import four_points, read_keypoints, view_face
from realism.marks.find.network import load_heatmap
from realism.marks.mark import KINDS

PLACE = 425  # of the mesh: on a cheek


@pytest.fixture(scope="module")
def frontal(mei, engine):
    """mei's first photo, its face and skin."""
    pixels = mei[0].pixels
    face = engine.find(pixels)[0]
    return pixels, face, skin_mask(pixels, face)


@pytest.mark.parametrize("name", ["mei", "ravi"])
def test_its_weights_find_one_mark_of_each_kind_and_the_mole_is_one(name, engine, request):
    photo = request.getfixturevalue(name)[0]
    face = engine.find(photo.pixels)[0]
    skin = skin_mask(photo.pixels, face)
    marks = find_marks(photo.pixels, face, skin, method=KEYPOINT_RCNN.name, threshold=0.0)
    assert sorted(mark.kind for mark in marks) == sorted(KINDS)
    found = next(mark for mark in marks if mark.kind == "mole")
    true = [mark for mark in round_marks(truth_of(photo)).values() if mark.kind == "mole"]
    assert min(np.hypot(*(found.xy - mole.xy)) for mole in true) < 3
    assert found.score > 0.5


def test_a_mole_painted_on_wiped_skin_is_where_it_looks_and_it_is_surer_than_without(frontal):
    pixels, face, skin = frontal
    bare = cv2.medianBlur(pixels, 15)
    xy = face.mesh[PLACE, :2]
    marked = painted(bare, tuple(xy), 3.0, 1.8 * MELANIN)
    with_it, without = (
        next(
            mark
            for mark in find_marks(shown, face, skin, method=KEYPOINT_RCNN.name, threshold=0.0)
            if mark.kind == "mole"
        )
        for shown in (marked, bare)
    )
    assert np.hypot(*(with_it.xy - xy)) < 3 and with_it.score > 3 * without.score


def test_its_weights_are_small_and_load_at_once():
    assert KEYPOINT_RCNN.weights.stat().st_size < 20e6
    read_keypoints(KEYPOINT_RCNN.weights)  # what is imported takes longer than what is read
    began = time.perf_counter()
    finder = read_keypoints(KEYPOINT_RCNN.weights)
    assert time.perf_counter() - began < 2
    assert finder.settings.backbone == "heatmap"
    assert not any(value.requires_grad for value in finder.network.backbone.net.parameters())


def test_the_box_it_finds_is_the_face(frontal):
    finder = read_keypoints(KEYPOINT_RCNN.weights)
    view = view_face(finder.settings, *frontal)
    with torch.inference_mode():
        found = finder.network([view.image])[0]["boxes"][0].numpy()
    low, high = np.maximum(found[:2], view.box[:2]), np.minimum(found[2:], view.box[2:])
    shared = np.prod(np.maximum(high - low, 0))
    areas = [np.prod(box[2:] - box[:2]) for box in (found, view.box)]
    assert shared / (sum(areas) - shared) > 0.8
    points, _ = four_points(finder.network, view.image)
    assert np.abs(view.from_picture(view.to_picture(points)) - points).max() < 1e-3


def test_before_it_learns_its_maps_are_the_heat_map_networks_own():
    heatmap = load_heatmap(KEYPOINT_RCNN.weights.with_name("heatmap.safetensors"))
    network = build_on_heatmap().eval()
    start_from_heatmap(network, heatmap)
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.normal(0, 1, (1, 3, 2 * CELLS, 2 * CELLS)).astype(np.float32))
    with torch.inference_mode():
        fine = network.backbone(torch.cat([image, torch.ones_like(image[:, :1])], 1))[FINE]
        heads = network.roi_heads
        maps = heads.keypoint_predictor(heads.keypoint_head(fine))[0]
        heat = heatmap(image)[0]
        off_skin = network.backbone(torch.cat([image, torch.zeros_like(image[:, :1])], 1))[FINE]
    assert torch.allclose(maps[: len(KINDS) - 1].mean(0), heat[0], atol=1e-3)
    assert torch.allclose(maps[KINDS.index("wrinkle")], heat[5], atol=1e-3)
    assert not off_skin.any()
