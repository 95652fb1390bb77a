"""The default finder: its network learns, is kept, sees large pictures in parts, finds marks."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from marked import BLOOD, MELANIN, painted, round_marks, truth_of

from realism.errors import InputError
from realism.faces.face import mm_per_px_from_eyes
from realism.faces.features import feature_at
from realism.faces.paintable import close_holes, paintable_mask
from realism.faces.skin import skin_mask
from realism.marks.find.crop import crop_face
from realism.marks.find.finders import HEATMAP_WEIGHTS, find_marks
from realism.marks.find.network import (
    HeatmapNet,
    load_heatmap,
    normalise,
    read_about,
    run_network,
    save_heatmap,
)
from realism.marks.mark import Mark, RoundMark, Wrinkle
from realism.marks.teach.targets import heatmap_loss, stack, targets

SMALL = (8, 8, 8, 8, 8)


@pytest.fixture(scope="module")
def frontal(mei, engine):
    """mei's first photo, its face and skin."""
    pixels = mei[0].pixels
    face = engine.find(pixels)[0]
    return pixels, face, skin_mask(pixels, face)


@pytest.fixture(scope="module")
def dotted(mei, frontal):
    """The photo with fifteen more marks, and where they are."""
    pixels, face, skin = frontal
    rng, places = np.random.default_rng(4), []
    own = [m.xy for m in round_marks(truth_of(mei[0]), facing=0).values()]
    solid = cv2.erode((skin > 0.5).astype(np.uint8), np.ones((17, 17), np.uint8))
    rows, columns = np.nonzero(solid)
    while len(places) < 15:
        index = rng.integers(len(rows))
        xy = np.array([columns[index], rows[index]], np.float32)
        if all(np.hypot(*(xy - other)) > 14 for other in [*own, *places]):
            places.append(xy)
            density = (1.8 * MELANIN, 0.7 * MELANIN, 0.8 * BLOOD)[len(places) % 3]
            pixels = painted(pixels, tuple(xy), rng.uniform(2.0, 3.0), density)
    return pixels, face, skin, np.array(places)


def found_of(places: np.ndarray, marks: list[Mark], reach: float = 3.0) -> float:
    """Share of the places that a round mark lies within `reach` px of."""
    at = np.array([m.xy for m in marks if isinstance(m, RoundMark)])
    return float((np.linalg.norm(places[:, None] - at[None], axis=2).min(1) < reach).mean())


def test_marks_painted_on_a_face_are_found(dotted):
    pixels, face, skin, places = dotted
    marks = find_marks(pixels, face, skin)
    assert found_of(places, marks) >= 0.85
    assert all(0.5 <= m.score <= 1 for m in marks)
    assert all(0.8 < m.radius < 8 for m in marks)


def test_round_marks_lie_on_skin_only(dotted):
    pixels, face, skin, _ = dotted
    marks = [m for m in find_marks(pixels, face, skin, threshold=0.0) if isinstance(m, RoundMark)]
    assert len(marks) > 20
    # Shade and folds that the strict mask leaves out may carry marks; brows, eyes and lips never.
    wide = close_holes(paintable_mask(pixels, skin, face), face)
    for mark in marks:
        x, y = np.rint(mark.xy).astype(int)
        assert wide[y, x] > 0.5 and feature_at(mark.xy, face, slack=0) == ""


@pytest.mark.parametrize("place", [346, 369, 428])  # by the edge of the strict mask
def test_a_mole_so_dark_that_it_is_no_skin_by_its_colour_is_found(frontal, place):
    pixels, face, _ = frontal
    at = face.mesh[place, :2]
    marked = painted(pixels, tuple(at), 3.0 / mm_per_px_from_eyes(face), 2.7 * MELANIN)
    skin = skin_mask(marked, face)
    x, y = np.rint(at).astype(int)
    assert (
        paintable_mask(marked, skin, face)[y, x]
        < 0.5
        < close_holes(paintable_mask(marked, skin, face), face)[y, x]
    )
    assert found_of(at[None], find_marks(marked, face, skin)) == 1


def test_the_example_people_have_few_findings_off_their_marks(mei, engine):
    wrong = 0
    for photo in mei[:2]:
        face = engine.find(photo.pixels)[0]
        true = np.array([m.xy for m in round_marks(truth_of(photo), facing=-1).values()])
        for mark in find_marks(photo.pixels, face, skin_mask(photo.pixels, face)):
            if isinstance(mark, RoundMark):
                wrong += np.hypot(*(true - mark.xy).T).min() > 6
    assert wrong <= 2


def test_the_same_marks_are_found_on_a_turned_picture(dotted):
    pixels, face, skin, places = dotted
    turn = cv2.getRotationMatrix2D((256, 256), 25, 1.0)
    turned = cv2.warpAffine(pixels, turn, (512, 512), flags=cv2.INTER_CUBIC, borderMode=4)
    mesh = face.mesh.copy()
    mesh[:, :2] = mesh[:, :2] @ turn[:, :2].T + turn[:, 2]
    turned_skin = cv2.warpAffine(skin, turn, (512, 512))
    marks = find_marks(turned, replace(face, mesh=mesh), turned_skin)
    assert found_of(places @ turn[:, :2].T + turn[:, 2], marks) >= 0.8


def test_a_picture_seen_in_parts_gives_the_same_marks(dotted):
    pixels, face, skin, _ = dotted
    view = crop_face(pixels, face, skin, 420)
    net, inputs = load_heatmap(HEATMAP_WEIGHTS), normalise(view.log_light, view.skin)
    whole, parts = run_network(net, inputs), run_network(net, inputs, tile=352)
    assert inputs.shape[1] > 352 < inputs.shape[2]
    on_skin = view.skin[::2, ::2] > 0.5
    both = [(m[0] >= cv2.dilate(m[0], np.ones((5, 5)))) & (m[0] > 0) & on_skin
            for m in (whole, parts)]  # fmt: skip
    assert both[0].sum() >= 10
    near = cv2.dilate(both[1].astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert near[both[0]].mean() >= 0.9
    assert abs(int(both[0].sum()) - int(both[1].sum())) <= 2


def dot(shape=(64, 64)) -> tuple[torch.Tensor, Mark]:
    """A flat picture with a dark dot, as the network sees it."""
    rows, columns = np.indices(shape, np.float32)
    picture = -2 * np.exp(-((columns - 40) ** 2 + (rows - 24) ** 2) / 18)
    mark = RoundMark("spot", np.float32([40, 24]), 4.0)
    return torch.from_numpy(np.stack([picture] * 3))[None], mark


def test_training_lowers_the_loss_and_finds_the_mark():
    torch.manual_seed(0)
    net, (picture, mark) = HeatmapNet(SMALL), dot()
    wanted = stack([targets([mark], (64, 64))])
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        parts = heatmap_loss(net(picture), wanted)
        loss = sum(parts.values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    output = net(picture)[0].detach().numpy()
    row, column = np.unravel_index(output[0].argmax(), output[0].shape)
    assert abs(row - 12) <= 1 and abs(column - 20) <= 1
    assert output[1:4, 12, 20].argmax() == 1
    assert abs(math.exp(output[4, 12, 20]) - 4) < 1


def test_what_is_not_known_teaches_nothing():
    point = Wrinkle(np.float32([20, 20]), 2.0)
    faint = RoundMark("mole", np.float32([44, 44]), 3.0)
    given = targets([point], (64, 64), unsure=[faint], radii=False)
    assert given.line[10, 10] == 1
    assert given.line_weight[10, 18] == 0  # where the wrinkle runs was not said
    assert given.line_weight[10, 30] == 1
    assert given.heat_weight[22, 22] == 0 and given.heat_weight[5, 5] == 1
    assert (given.heat == 0).all() and (given.kind == -1).all()
    guessed = targets([faint], (64, 64), radii=False)
    assert guessed.heat[22, 22] == 1
    assert not torch.isfinite(guessed.log_radius).any()
    output = torch.zeros(1, 6, 32, 32)
    sure, doubted = (
        heatmap_loss(output + torch.eye(6)[1][None, :, None, None] * 4, stack([guessed]), smoothing)
        for smoothing in (0.0, 0.3)
    )
    assert doubted["kind"] > sure["kind"]
    assert sure["radius"] == 0


def test_a_saved_network_answers_as_before(tmp_path):
    net, (picture, _) = HeatmapNet(SMALL).eval(), dot()
    net.mix_round[0] = -1.5
    save_heatmap(tmp_path / "net.safetensors", net, {"step": 3})
    again = load_heatmap(tmp_path / "net.safetensors")
    assert torch.allclose(again(picture), net(picture), atol=0.02)
    assert again.mix_round[0] == -1.5
    assert read_about(tmp_path / "net.safetensors") == {"step": 3}


def test_weights_of_something_else_are_refused(tmp_path):
    from safetensors.torch import save_file

    other = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, str(other))
    with pytest.raises(InputError, match="no heat-map finder"):
        load_heatmap(other)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(HEATMAP_WEIGHTS.read_bytes()[:1000])
    with pytest.raises(InputError, match="damaged"):
        load_heatmap(cut)
    with pytest.raises(InputError, match=r"only \.safetensors"):
        load_heatmap(tmp_path / "net.pth")


def test_the_finder_without_a_network_can_still_be_chosen(dotted):
    pixels, face, skin, places = dotted
    plain = find_marks(pixels, face, skin, method="dog")
    assert found_of(places, plain) >= 0.7
    assert {m.score for m in plain} != {m.score for m in find_marks(pixels, face, skin)}
