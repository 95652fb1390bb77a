"""The default finder's network: it learns, and is kept."""

import math

import numpy as np
import pytest
import torch

from realism.errors import InputError
from realism.marks.find.finders import HEATMAP_WEIGHTS
from realism.marks.find.network import (
    HeatmapNet,
    load_heatmap,
    read_about,
    save_heatmap,
)
from realism.marks.mark import Mark, RoundMark, Wrinkle
from realism.marks.teach.targets import heatmap_loss, make_targets, stack_targets

SMALL = (8, 8, 8, 8, 8)


def dot(shape=(64, 64)) -> tuple[torch.Tensor, Mark]:
    """A flat picture with a dark dot, as the network sees it."""
    rows, columns = np.indices(shape, np.float32)
    picture = -2 * np.exp(-((columns - 40) ** 2 + (rows - 24) ** 2) / 18)
    mark = RoundMark("spot", np.float32([40, 24]), 4.0)
    return torch.from_numpy(np.stack([picture] * 3))[None], mark


def test_training_lowers_the_loss_and_finds_the_mark():
    torch.manual_seed(0)
    net, (picture, mark) = HeatmapNet(SMALL), dot()
    wanted = stack_targets([make_targets([mark], (64, 64))])
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
    given = make_targets([point], (64, 64), ignored=[faint], has_radii=False)
    assert given.line[10, 10] == 1
    assert given.line_weight[10, 18] == 0  # where the wrinkle runs was not said
    assert given.line_weight[10, 30] == 1
    assert given.heat_weight[22, 22] == 0 and given.heat_weight[5, 5] == 1
    assert (given.heat == 0).all() and (given.kind == -1).all()
    guessed = make_targets([faint], (64, 64), has_radii=False)
    assert guessed.heat[22, 22] == 1
    assert not torch.isfinite(guessed.log_radius).any()
    output = torch.zeros(1, 6, 32, 32)
    moles = output + torch.eye(6)[1][None, :, None, None] * 4
    sure, doubted = (
        heatmap_loss(moles, stack_targets([guessed]), smoothing) for smoothing in (0.0, 0.3)
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
