"""Pickles: their tensors are read, nothing in them is run, and who would have been called is said.

The pickles are real ones, made by torch in each of its formats; the harmful ones create a file.
"""

import os
import pickle
import shutil
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from hub_server import Hub, fetch
from safetensors.torch import load_file
from tiny_lora import CPU, predicted

from realism.config import cache_folder
from realism.diffusion.base import load_base
from realism.diffusion.identify import read_base
from realism.diffusion.pickles import names_called_for, read_tensors, safetensors_of
from realism.errors import InputError

WEIGHTS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model"}
FORMATS = pytest.mark.parametrize("new", [True, False], ids=["zip", "before 1.6"])


class Harm:
    """Unpickled, creates a file: what a harmful checkpoint does, only smaller."""

    def __init__(self, file: Path):
        self.file = file

    def __reduce__(self):
        return os.system, (f"touch {self.file}",)


def pickle_part(folder: Path, part: str, new: bool = True) -> Path:
    """Put a pickle in the place of a part's safetensors file."""
    name = WEIGHTS.get(part, "model")
    file = folder / part / f"{name}.safetensors"
    target = file.with_name(f"{'pytorch_model' if name == 'model' else name}.bin")
    torch.save(OrderedDict(load_file(file)), target, _use_new_zipfile_serialization=new)
    file.unlink()
    return target


def refused(call, *arguments) -> InputError:
    with pytest.raises(InputError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value) and caught.value.message.text("zh")
    return caught.value


# Reading --------------------------------------------------------------------------------------


@FORMATS
def test_tensors_alone_are_kept_whatever_lies_beside_them(tmp_path, new):
    shared = torch.arange(6.0).reshape(2, 3)
    held = {"a": shared, "b": shared, "c": shared.T, "half": shared.half()}
    wrapped = {"state_dict": held, "global_step": 7, "optimizer_states": [{"m": shared}]}
    torch.save(wrapped, tmp_path / "a.ckpt", _use_new_zipfile_serialization=new)
    copy = safetensors_of(tmp_path / "a.ckpt")
    assert copy.is_relative_to(cache_folder())
    kept = load_file(copy)
    assert kept.keys() == held.keys()
    assert all(torch.equal(kept[name], held[name]) for name in held)


@FORMATS
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_would_run_a_program_is_refused_by_its_name_and_not_run(
    tmp_path, new, protocol
):
    trap = tmp_path / "harmed"
    held = {"a": torch.zeros(3), "b": Harm(trap)}
    file = tmp_path / "model.bin"
    torch.save(held, file, pickle_protocol=protocol, _use_new_zipfile_serialization=new)
    before = set(cache_folder().rglob("*.safetensors*"))
    error = refused(safetensors_of, file)
    assert error.code == "pickle_runs_code" and "would call os.system" in str(error)
    assert not trap.exists()
    assert set(cache_folder().rglob("*.safetensors*")) == before
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the protocol
        torch.load(file, weights_only=False)  # it is a real one
    assert trap.exists()


def test_a_pickle_that_torch_never_wrote_is_refused_likewise(tmp_path):
    file = tmp_path / "model.pt"
    file.write_bytes(pickle.dumps(Harm(tmp_path / "harmed")))
    assert "os.system" in str(refused(safetensors_of, file))
    assert not (tmp_path / "harmed").exists()


def test_names_are_found_however_they_are_put_into_the_pickle(tmp_path):
    told = b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93."  # two strings made a name
    again = b"\x80\x04\x8c\x02os\x94\x8c\x06system\x940h\x00h\x01\x93."  # taken up from memory
    old = b"ibuiltins\neval\n."
    for number, content in enumerate((told, again, old)):
        file = tmp_path / f"{number}.bin"
        file.write_bytes(content)
        assert names_called_for(file) == [("os.system", "os.system", "builtins.eval")[number]]


def test_what_trainers_leave_in_a_checkpoint_is_named(tmp_path):
    # A training run's own classes are harmless, but nothing shows it: the file is refused.
    torch.save({"a": torch.zeros(2), "place": tmp_path}, tmp_path / "run.ckpt")
    assert "pathlib" in str(refused(read_tensors, tmp_path / "run.ckpt"))


@pytest.mark.parametrize("kept", [0, 10, 300, -200])
def test_a_pickle_that_is_cut_off_or_none_is_refused_as_damaged(tmp_path, kept):
    file = tmp_path / "model.bin"
    for new in (True, False):
        torch.save({"a": torch.randn(50)}, file, _use_new_zipfile_serialization=new)
        file.write_bytes(file.read_bytes()[:kept])
        assert refused(read_tensors, file).code == "pickle_damaged"


def test_archives_of_other_kinds_and_pickles_without_tensors_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.pt", "w") as archive:
        archive.writestr("notes.txt", "nothing")
    assert refused(read_tensors, tmp_path / "other.pt").code == "pickle_damaged"
    with pytest.warns(FutureWarning):  # torch writes them no longer, people have them
        torch.jit.save(torch.jit.script(torch.nn.ReLU()), tmp_path / "script.pt")
    assert refused(read_tensors, tmp_path / "script.pt").code in (
        "pickle_damaged",
        "pickle_runs_code",
    )
    torch.save({"step": 3}, tmp_path / "empty.ckpt")
    assert refused(read_tensors, tmp_path / "empty.ckpt").code == "pickle_without_tensors"
    assert refused(safetensors_of, tmp_path / "gone.ckpt").code == "weights_not_found"


def test_the_copy_is_written_once_and_again_when_the_pickle_changes(tmp_path):
    file, said = tmp_path / "a.bin", []
    torch.save({"a": torch.zeros(3)}, file)
    copies = [safetensors_of(file, lambda share, what: said.append(str(what))) for _ in range(2)]
    assert copies[0] == copies[1] and len(said) == 2  # before and after the one time
    assert "written once as safetensors" in said[0]
    torch.save({"a": torch.ones(300)}, file)
    changed = safetensors_of(file)
    assert load_file(changed)["a"].sum() == 300
    assert not copies[0].exists()


# Bases ----------------------------------------------------------------------------------------


@FORMATS
def test_a_folder_of_pickles_is_the_base_it_was_made_from(tiny_sd, tmp_path, new):
    expected = predicted(load_base(str(tiny_sd), CPU))
    copy = shutil.copytree(tiny_sd, tmp_path / "film")
    for part in ("unet", "text_encoder"):  # the VAE stays as it is
        pickle_part(copy, part, new)
    said = []
    base = load_base(str(copy), CPU, lambda share, what: said.append((share, str(what))))
    assert torch.equal(predicted(base), expected)
    assert base.fingerprint == read_base(tiny_sd).fingerprint
    assert base.name == "film" and base.path == copy
    assert any("diffusion_pytorch_model.bin is a pickle" in what for _, what in said)
    assert "unet, text_encoder" in str(base.notes[0])
    assert len(list(copy.rglob("*.safetensors"))) == 1  # the VAE's: nothing was added


def test_a_pickle_in_pieces_is_read_whole(tiny_sd, tmp_path):
    copy = shutil.copytree(tiny_sd, tmp_path / "film")
    file = copy / "unet" / "diffusion_pytorch_model.safetensors"
    held = list(load_file(file).items())
    half = len(held) // 2
    for number, part in enumerate((held[:half], held[half:]), 1):
        torch.save(dict(part), file.with_name(f"diffusion_pytorch_model-0000{number}-of-00002.bin"))
    file.with_name("diffusion_pytorch_model.bin.index.json").write_text("{}")
    file.unlink()
    assert read_base(copy).fingerprint == read_base(tiny_sd).fingerprint
    assert predicted(load_base(str(copy), CPU)).shape == (1, 4, 16, 16)


def test_safetensors_are_taken_where_a_pickle_lies_beside_them(tiny_sd, tmp_path):
    copy = shutil.copytree(tiny_sd, tmp_path / "both")
    torch.save({"x": Harm(tmp_path / "harmed")}, copy / "unet" / "diffusion_pytorch_model.bin")
    assert read_base(copy).config == copy and not read_base(copy).notes


def test_a_harmful_pickle_in_a_folder_is_refused_before_anything_is_built(tiny_sd, tmp_path):
    copy = shutil.copytree(tiny_sd, tmp_path / "film")
    file = pickle_part(copy, "vae")
    torch.save({"x": Harm(tmp_path / "harmed")}, file)
    assert "diffusion_pytorch_model.bin" in str(refused(load_base, str(copy), CPU))
    assert not (tmp_path / "harmed").exists()


def test_a_checkpoint_in_one_pickle_is_the_base_it_was_made_from(single_file, tmp_path):
    folder, file = single_file
    pickled = tmp_path / "base.ckpt"
    torch.save({"state_dict": load_file(file), "epoch": 3}, pickled)
    base = load_base(str(pickled), CPU)
    assert base.name == "base.ckpt" and base.fingerprint == read_base(folder).fingerprint
    assert torch.allclose(predicted(base), predicted(load_base(str(folder), CPU)), atol=1e-6)


@pytest.mark.parametrize("hub", ["modelscope", "huggingface"])
def test_facechains_default_base_comes_from_a_hub_though_its_weights_are_pickles(
    tiny_sd, tmp_path, hub
):
    place = tmp_path / "hub" / "ly261666" / "cv_portrait_model" / "film" / "film"
    shutil.copytree(tiny_sd, place)
    for part in ("unet", "vae", "text_encoder"):
        pickle_part(place, part)
    where = "ly261666/cv_portrait_model@master:film/film"
    with Hub(tmp_path / "hub") as server:
        done = fetch(tmp_path / "cache", hub, server.address, server.address, where)
    assert done["family"] == "sd15", done
    assert {name for name, _ in server.asked if name.endswith(".bin")} == {
        f"ly261666/cv_portrait_model/film/film/{part}.bin"
        for part in (
            "unet/diffusion_pytorch_model",
            "vae/diffusion_pytorch_model",
            "text_encoder/pytorch_model",
        )
    }
