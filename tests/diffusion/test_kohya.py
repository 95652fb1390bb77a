"""A LoRA of ours in kohya's names: read again it predicts the same, and other programs know it."""

import copy
import re

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_lora import CPU, predicted, train_lora

from benchmarks.lora_forms.networks import build
from realism.diffusion.base import load_base
from realism.diffusion.lora import Adapter, applied_loras, save_kohya
from realism.diffusion.lora_file.kohya import BLOCKS, kohya_tensors
from realism.diffusion.lora_file.merge import put_on
from realism.diffusion.lora_file.read import read_lora
from realism.errors import InputError

FAMILIES = {
    "flux1": ("FLUX.1", r"transformer\..*attn\.(to_|add_).*|transformer\..*ff\..*"),
    "flux2-klein": ("FLUX.2", r"transformer\..*attn\.(to_|add_).*|transformer\.norm_out\.linear"),
    "z-image": ("Z-Image", r"transformer\..*attention\.to_.*"),
    "qwen-image": ("Qwen-Image", r"transformer\..*attn\.to_.*"),
}


@pytest.mark.parametrize("fixture", ["tiny_sd", "tiny_sdxl"])
@pytest.mark.parametrize("targets", [None, ("to_q", "proj_in", "conv1")])
def test_the_twin_predicts_what_ours_predicts(fixture, targets, request, tmp_path):
    base = load_base(str(request.getfixturevalue(fixture)), CPU)
    _, with_it = train_lora(base, tmp_path / "person", targets)
    twin = save_kohya(tmp_path / "person", tmp_path / "mei.safetensors")
    names = load_file(twin)
    assert all(re.fullmatch(r"lora_unet_\w+\.(lora_(up|down)\.weight|alpha)", n) for n in names)
    with applied_loras(base, [Adapter(twin)]):
        assert torch.allclose(predicted(base), with_it, atol=1e-5)


def test_diffusers_own_loader_takes_the_twin_as_it_is(tiny_sd, tmp_path):
    base = load_base(str(tiny_sd), CPU)
    _, with_it = train_lora(base, tmp_path / "person")
    twin = save_kohya(tmp_path / "person", tmp_path / "mei.safetensors")
    base.pipeline.load_lora_weights(str(twin.parent), weight_name=twin.name, local_files_only=True)
    given = predicted(base)
    base.pipeline.unload_lora_weights()
    assert torch.allclose(given, with_it, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_transformer_s_twin_has_the_layers_of_the_first_release(family, tmp_path):
    name, pattern = FAMILIES[family]
    model = build(name)
    torch.manual_seed(0)
    tensors = {}
    for layer, module in model.parts["transformer"].named_modules():
        full = f"transformer.{layer}"
        if isinstance(module, torch.nn.Linear) and re.fullmatch(pattern, full):
            tensors[f"{full}.lora_A.weight"] = torch.randn(4, module.in_features)
            tensors[f"{full}.lora_B.weight"] = torch.randn(module.out_features, 4)
    save_file(tensors, tmp_path / "ours.safetensors")
    save_file(kohya_tensors(tmp_path / "ours.safetensors", family), tmp_path / "twin.safetensors")
    answers = []
    for file in ("ours", "twin"):
        parts = copy.deepcopy(model.parts)
        held = read_lora(tmp_path / f"{file}.safetensors", parts, "transformer", name)
        put_on(parts, held.changes, "lora", 1.0, file, {})
        with torch.no_grad():
            answers.append(model.answer(parts)[0])
    assert torch.allclose(*answers, atol=1e-4)
    twins = {key.partition(".")[0] for key in load_file(tmp_path / "twin.safetensors")}
    fused = {twin for twin in twins if twin.endswith(("qkv", "linear1"))}
    assert bool(fused) == (family in BLOCKS)
    assert not (fused and any("to_q" in twin for twin in twins))


def test_what_is_more_than_a_lora_has_no_twin(tmp_path):
    save_file({"unet.conv_in.diff": torch.zeros(2, 2)}, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="no twin in kohya's names"):
        save_kohya(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
