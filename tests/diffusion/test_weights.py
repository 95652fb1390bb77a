"""Weights read by their headers alone; fingerprints that stand in files on disk never change."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import make_sd

from realism.diffusion.base import POCKET
from realism.diffusion.identify import read_base
from realism.diffusion.lora import describe_lora
from realism.diffusion.weights import fingerprint, read_tensor_headers
from realism.errors import InputError


@pytest.fixture
def file(tmp_path):
    """Waves of every float, an integer, and nothing at all."""
    wave = torch.sin(torch.arange(-300, 300).float().square())
    tensors = {
        "a.weight": wave.reshape(20, 30),
        "a.bias": wave[:7].half(),
        "b.weight": wave[:81].reshape(9, 9, 1, 1).bfloat16(),
        "c": wave[:10].double(),
        "n": torch.arange(5),
        "zero": torch.zeros(0),
    }
    save_file(tensors, tmp_path / "waves.safetensors")
    return tmp_path / "waves.safetensors"


def test_headers_say_shape_dtype_and_where_the_numbers_lie(file):
    headers = read_tensor_headers(file)
    assert headers["a.weight"].shape == (20, 30) and headers["a.weight"].dtype == "F32"
    assert headers["b.weight"].dtype == "BF16" and headers["b.weight"].elements == 81
    data = file.read_bytes()
    for name, value in load_file(file).items():
        numbers = value.contiguous().flatten().view(torch.uint8).numpy().tobytes()
        assert data[headers[name].start :].startswith(numbers), name


def test_fingerprints_are_those_of_the_first_release(file):
    assert fingerprint([file]) == "874061be38b2c36a931b1dec75a61c67eeece1810c0c302c27c4a42e9dafb2ab"
    of_a = "afd04f69e2bc8537c88d7051fb66631f92d10b25951e1c2ebd908d3b44850198"
    assert fingerprint([file], "a.") == of_a
    # As the LoRA that ships beside the embedded base states it.
    assert read_base(POCKET).fingerprint == describe_lora(POCKET / "stage1")["fingerprint"]


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_a_file_cut_off_anywhere_is_refused_as_damaged(file, kept):
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(InputError) as refused:
        read_tensor_headers(file)
    assert refused.value.code == "weights_damaged"


def test_pickles_folders_and_nothing_are_refused_by_what_they_are(tmp_path):
    (tmp_path / "folder.safetensors").mkdir()
    for name, code in (
        ("model.ckpt", "weights_pickle"),
        ("folder.safetensors", "weights_not_found"),
        ("nothing.safetensors", "weights_not_found"),
    ):
        with pytest.raises(InputError) as refused:
            read_tensor_headers(tmp_path / name)
        assert refused.value.code == code


def test_copies_share_a_fingerprint_whatever_their_precision(tiny_sd, tmp_path):
    other = make_sd(tmp_path / "other", seed=1)
    source = tiny_sd / "unet" / "diffusion_pytorch_model.safetensors"
    held = load_file(source)
    for name, dtype in (("full", torch.float32), ("brain", torch.bfloat16)):
        save_file({key: value.to(dtype) for key, value in held.items()}, tmp_path / name)
        assert fingerprint([tmp_path / name]) == read_base(tiny_sd).fingerprint
    eight = {key: value.to(torch.float8_e4m3fn) for key, value in held.items()}
    save_file(eight, tmp_path / "eight")
    assert fingerprint([tmp_path / "eight"]) == read_base(tiny_sd).fingerprint
    assert read_base(other).fingerprint != read_base(tiny_sd).fingerprint
    key = "mid_block.resnets.0.conv1.weight"
    held[key] = held[key] + 0.02 * torch.randn_like(held[key])
    save_file(held, tmp_path / "tuned")
    assert fingerprint([tmp_path / "tuned"]) != read_base(tiny_sd).fingerprint
