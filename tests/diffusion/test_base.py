"""Bases: told apart by reading them, loaded whole or refused with a sentence."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import make_sd
from tiny_lora import CPU, picture, predicted

from benchmarks import cards
from benchmarks.base_forms.makers import adding, averaged, eight_bits
from benchmarks.base_forms.table import FORMS
from benchmarks.tiny_bases import first_release_tensors
from realism.diffusion.base import decode_latents, encode_images, encode_text, load_base
from realism.diffusion.families import FAMILIES
from realism.diffusion.identify import CONFIGS, BaseFiles, read_base
from realism.diffusion.pipeline import _empty_part, require_all_tensors
from realism.diffusion.recommended import recommended_bases
from realism.diffusion.single_file import SingleFile
from realism.diffusion.weights import TensorHeader
from realism.errors import InputError
from realism.portraits.portrait import Portrait
from realism.portraits.sample import sample_portraits


@pytest.fixture(params=["tiny_sd", "tiny_sdxl"])
def base(request):
    return load_base(str(request.getfixturevalue(request.param)), CPU)


# Reading and loading --------------------------------------------------------------------------


def test_families_are_told_by_the_unet_not_by_the_name(tiny_sd, tiny_sdxl, tmp_path):
    shutil.copytree(tiny_sdxl, tmp_path / "stable-diffusion-v1-5")
    assert read_base(tmp_path / "stable-diffusion-v1-5").family.name == "sdxl"
    assert read_base(tiny_sd).family.name == "sd15"
    assert read_base(tiny_sd).resolution == 64


def test_a_base_encodes_decodes_and_predicts(base):
    mean, std = encode_images(base, np.concatenate([picture(), picture()]))
    assert mean.shape == std.shape == (2, 4, 16, 16) and mean.dtype == torch.float32
    assert decode_latents(base, mean).shape == (2, 64, 64, 3)
    conditioning = encode_text(base, ["photo of ohwx woman", "a face", "left"])
    assert all(len(value) == 3 for value in conditioning.values())
    assert predicted(base).shape == (1, 4, 16, 16)


def test_half_precision_files_are_loaded_in_the_precision_of_the_device(base):
    assert base.pipeline.vae.dtype == torch.float32
    assert base.pipeline.unet.dtype == base.pipeline.text_encoder.dtype == CPU.dtype


def test_latents_carry_the_scaling_factor_of_the_vae(base):
    mean, _ = encode_images(base, picture())
    pixels = torch.from_numpy(picture().copy()).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        plain = base.pipeline.vae.encode(pixels.float()).latent_dist.mean
    assert torch.allclose(mean, plain * base.pipeline.vae.config.scaling_factor, atol=1e-6)


def test_a_base_that_takes_more_memory_than_is_free_is_refused_with_both_figures(
    tiny_sd, monkeypatch
):
    monkeypatch.setattr("realism.diffusion.base.free_memory", lambda device: 1000)
    fresh = replace(CPU, dtype=torch.float64)  # not the one that may be loaded already
    with pytest.raises(InputError, match=r"takes .* GB of memory and 0.0 GB are free"):
        load_base(str(tiny_sd), fresh)


def test_recommended_bases_name_licence_size_and_memory():
    rows = recommended_bases()
    assert rows[0].name == "pocket" and rows[0].size_gb is None
    ids = [where for row in rows for where in row.where]
    assert "ly261666/cv_portrait_model@v2.0:film/film" in ids
    assert "YorickHe/majicmixRealistic_v6@v1.0.0:realistic" in ids
    assert all(row.licence and row.note and row.gpu_memory_gb for row in rows)


def test_the_table_of_the_docs_is_the_programs():
    docs = (Path(__file__).parents[2] / "docs" / "bases.md").read_text(encoding="utf-8")
    for row in recommended_bases():
        places = ", ".join(f"`{place}`" for place in row.where)
        size = f"{row.size_gb:g} GB" if row.size_gb else "ships"
        facts = f"{places} | {row.licence} | {size} | {row.gpu_memory_gb:g} GB |"
        assert f"| {row.name} | {facts}" in docs
    assert f"makes {len(FORMS)} such forms" in docs
    for cells in cards.rows().values():
        assert " | ".join(cells) in docs  # as benchmarks.cards prints it


def test_a_single_file_is_the_base_it_was_made_from(single_file):
    folder, file = single_file
    assert read_base(file).family == read_base(folder).family
    assert read_base(file).fingerprint == read_base(folder).fingerprint
    whole = load_base(str(folder), CPU)
    expected = predicted(whole)
    loaded = load_base(str(file), CPU)
    assert loaded.name == "base.safetensors"
    assert torch.allclose(predicted(loaded), expected, atol=1e-6)


def test_whatever_is_said_of_its_noise_a_single_file_has_the_fingerprint_of_its_network(
    single_file,
):
    folder, file = single_file
    expected, held = read_base(folder).fingerprint, load_file(file)
    for change in (averaged, eight_bits(True), adding(v_pred=torch.zeros(0))):
        save_file(change(held), file)
        assert read_base(file).fingerprint == expected


@pytest.mark.parametrize(("name", "tensors"), [("sd15", 1130), ("sdxl", 2513)])
def test_our_configurations_are_those_of_whole_checkpoints(name, tensors):
    def without_numbers(folder: Path, part: str) -> dict[str, torch.Tensor]:
        wanted = _empty_part(folder, part).state_dict()
        return {name: torch.empty(value.shape, device="meta") for name, value in wanted.items()}

    held = first_release_tensors(CONFIGS / name, without_numbers)
    headers = {name: TensorHeader(tuple(value.shape), "F16", 0) for name, value in held.items()}
    single = SingleFile(Path("base.safetensors"), {name: name for name in headers}, headers)
    family = FAMILIES[name]
    assert len(headers) == tensors and family.recognises_file("base.safetensors", headers)
    require_all_tensors(
        BaseFiles(single.file, family, CONFIGS / name, 512, {}, (), (), None, {}, single=single)
    )


def test_noise_that_ends_without_signal_is_drawn_from_without_karras_levels(single_file):
    _, file = single_file
    save_file(load_file(file) | {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}, file)
    base = load_base(str(file), CPU)
    assert base.noise_scheduler.config.prediction_type == "v_prediction"
    assert base.noise_scheduler.alphas_cumprod[-1] == 0
    assert not base.pipeline.scheduler.config.use_karras_sigmas
    for event in sample_portraits(base, "photo of ohwx woman", "", [1], steps=6):
        if isinstance(event, Portrait):
            assert event.pixels.std() > 1


def test_a_vae_that_states_mean_and_deviation_of_its_latents_has_them_used(tiny_sd, tmp_path):
    copy = shutil.copytree(tiny_sd, tmp_path / "copy")
    file = copy / "vae" / "config.json"
    stated = {"latents_mean": [0.1, -0.2, 0.3, 0.0], "latents_std": [0.5, 0.6, 0.7, 0.8]}
    plain, _ = encode_images(load_base(str(tiny_sd), CPU), picture())
    file.write_text(json.dumps(json.loads(file.read_text()) | stated))
    base = load_base(str(copy), CPU)
    latents, _ = encode_images(base, picture())
    mean, std = (
        torch.tensor(stated[f"latents_{side}"]).view(1, 4, 1, 1) for side in ("mean", "std")
    )
    factor = base.pipeline.vae.config.scaling_factor
    # As StableDiffusionXLPipeline of diffusers has it, the other way round.
    assert torch.allclose(latents * std / factor + mean, plain / factor, atol=1e-5)


# Refusing -------------------------------------------------------------------------------------


def refusal(where) -> str:
    with pytest.raises(InputError) as caught:
        load_base(str(where), CPU)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_that_is_no_diffusion_model_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    assert "language model" in refusal(tmp_path)
    assert "is not a base: a base's folder has" in refusal(tmp_path)


def test_cut_off_weights_are_refused_before_anything_is_loaded(tiny_sd, tmp_path):
    copy = shutil.copytree(tiny_sd, tmp_path / "copy")
    weights = copy / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "cut off" in refusal(copy)
    weights.write_bytes(b"")
    assert "cut off" in refusal(copy)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "text_encoder_2"])
@pytest.mark.parametrize("how", ["lacks", "has another shape of"])
def test_a_part_that_lacks_a_tensor_is_refused_not_filled_with_noise(
    tiny_sdxl, tmp_path, part, how
):
    copy = shutil.copytree(tiny_sdxl, tmp_path / "copy")
    weights = next((copy / part).glob("*.safetensors"))
    held = load_file(weights)
    name = sorted(held)[-1]
    value = held.pop(name)
    if how != "lacks":
        held[name] = torch.cat([value, value])
    save_file(held, weights, metadata={"format": "pt"})
    message = refusal(copy)
    assert name in message and f"its {part} do not fit" in message and "(1 of " in message


@pytest.mark.parametrize(
    ("prefixes", "part"),
    [
        ("model.diffusion_model.", "unet"),
        ("first_stage_model.", "vae"),
        (("cond_stage_model.", "conditioner.embedders.0."), "text_encoder"),
    ],
)
def test_a_single_file_that_lacks_a_tensor_is_refused_by_its_part(single_file, prefixes, part):
    _, file = single_file
    held = load_file(file)
    held.pop(sorted(name for name in held if name.startswith(prefixes))[-1])
    save_file(held, file)
    assert f"its {part} do not fit" in refusal(file)


def test_an_inpainting_base_is_refused(tmp_path):
    folder = make_sd(tmp_path)
    config = json.loads((folder / "unet" / "config.json").read_text())
    (folder / "unet" / "config.json").write_text(json.dumps({**config, "in_channels": 9}))
    assert "inpainting" in refusal(folder)


def test_a_lora_given_as_base_is_refused_by_what_it_is(tmp_path):
    save_file({"lora_unet_x.lora_down.weight": torch.zeros(2, 2)}, tmp_path / "a.safetensors")
    assert "is a LoRA" in refusal(tmp_path / "a.safetensors")


def test_other_safetensors_and_missing_paths_are_refused(tmp_path):
    save_file({"model.layers.0.weight": torch.zeros(2, 2)}, tmp_path / "llm.safetensors")
    assert "not a checkpoint" in refusal(tmp_path / "llm.safetensors")
    assert "There is no base" in refusal(tmp_path / "nothing-here")
    assert "There is no base" in refusal("just a sentence")


def test_a_hub_id_fails_within_seconds_where_no_hub_can_be_reached(monkeypatch, tmp_path):
    for name in ("MODELSCOPE_ENDPOINT", "HF_ENDPOINT"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # discard: nothing listens
    for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    start = time.monotonic()
    message = refusal("stable-diffusion-v1-5/stable-diffusion-v1-5")
    assert time.monotonic() - start < 15  # of it the libraries' own import
    assert "ModelScope cannot be reached; Hugging Face cannot be reached" in message
    assert "pocket" in message
