"""Finders' networks on disk: one form for all, and each reads its own only."""

from pathlib import Path

import pytest
import torch

from realism.errors import InputError
from realism.marks.find.compact_rcnn import (
    CompactFinder,
    CompactSettings,
    build_compact,
    read_compact,
    save_compact,
)
from realism.marks.find.keypoint_rcnn import read_keypoints
from realism.marks.find.network import read_heatmap
from realism.marks.find.weights_io import read_about, read_network, save_network


class Two(torch.nn.Module):
    """Two weights, one of which files of earlier versions lack."""

    def __init__(self):
        super().__init__()
        self.old = torch.nn.Parameter(torch.zeros(2))
        self.new = torch.nn.Parameter(torch.full((1,), 7.0))


def saved(folder: Path, weights: dict) -> Path:
    """A file of form "two 1" with some weights."""
    save_network(folder / "net.safetensors", weights, "two 1", side=5, kinds=["mole"])
    return folder / "net.safetensors"


def read(path: Path, **optional) -> Two:
    """The network of a file of form "two 1"."""
    return read_network(path, "two 1", "finder_compact", lambda _: Two(), **optional)


def test_a_network_comes_back_with_what_was_said_of_it(tmp_path):
    path = saved(tmp_path, {"old": torch.tensor([1.0, 2.0]), "new": torch.ones(1)})
    assert read_about(path, "two 1", "finder_compact") == {"side": 5, "kinds": ["mole"]}
    network = read(path)
    assert network.old.tolist() == [1, 2] and network.new.item() == 1 and not network.training


def test_weights_that_an_earlier_version_lacks_keep_what_they_are_built_with(tmp_path):
    path = saved(tmp_path, {"old": torch.tensor([1.0, 2.0])})
    network = read(path, optional=("new",))
    assert network.old.tolist() == [1, 2] and network.new.item() == 7
    with pytest.raises(InputError, match="damaged"):
        read(path)


def test_weights_of_another_shape_and_a_file_that_is_cut_off_are_refused(tmp_path):
    with pytest.raises(InputError, match="damaged"):
        read(saved(tmp_path, {"old": torch.zeros(3), "new": torch.ones(1)}))
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(saved(tmp_path, {"old": torch.zeros(2)}).read_bytes()[:40])
    with pytest.raises(InputError, match="damaged"):
        read(cut)


def test_each_finder_reads_its_own_files_only(tmp_path):
    path, settings = tmp_path / "compact.safetensors", CompactSettings(240, 16)
    save_compact(path, CompactFinder(build_compact(settings), settings))
    assert read_compact(path).settings == settings
    for reader in (read_heatmap, read_keypoints):
        with pytest.raises(InputError) as refusal:
            reader(path)
        assert refusal.value.code == "finder_of_another_program"
        with pytest.raises(InputError) as refusal:
            reader(tmp_path / "none.safetensors")
        assert refusal.value.code == "finder_weights_not_found"
        with pytest.raises(InputError) as refusal:
            reader(tmp_path / "net.pth")
        assert refusal.value.code == "finder_not_safetensors"
