"""Bases and LoRAs: told apart by reading them, loaded whole or refused with a sentence."""

import json
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import make_sd, make_single_file

from realism.diffusion.base import (
    decode_latents,
    encode_images,
    encode_text,
    load_base,
    predict,
    recommended_bases,
    target,
)
from realism.diffusion.device import Device, choose_device, measure_bf16_gain
from realism.diffusion.identify import read_base
from realism.diffusion.lora import (
    Adapter,
    add_lora,
    applied_loras,
    describe_lora,
    load_lora,
    save_lora,
)
from realism.diffusion.weights import fingerprint, read_tensor_headers
from realism.errors import InputError

CPU = replace(choose_device(), name="cpu", dtype=torch.float32)


@pytest.fixture(params=["tiny_sd", "tiny_sdxl"])
def base(request):
    return load_base(str(request.getfixturevalue(request.param)), CPU)


def shot(size: int = 64) -> np.ndarray:
    from skimage.data import astronaut

    return astronaut()[None, 0:128, 160:288][:, :: 128 // size, :: 128 // size]


def said(base, seed: int = 0):
    """What the base predicts for one noisy picture."""
    latents, _ = encode_images(base, shot())
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(seed))
    t = torch.tensor([500])
    with torch.no_grad():
        noisy = base.noise_scheduler.add_noise(latents, noise, t)
        return predict(base, noisy, t, encode_text(base, ["photo of ohwx woman"]))


def trained(base, folder, targets=("to_q", "to_k", "to_v", "to_out.0"), **about):
    """A LoRA of a few real steps, saved; and what the base predicted with it on."""
    parameters = add_lora(base, 4, "default", targets)
    optimizer = torch.optim.AdamW(parameters, 1e-2)
    latents, _ = encode_images(base, shot())
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1))
    t = torch.tensor([300])
    words = encode_text(base, ["photo of ohwx woman"])
    losses = []
    for _ in range(4):
        noisy = base.noise_scheduler.add_noise(latents, noise, t)
        loss = torch.nn.functional.mse_loss(
            predict(base, noisy, t, words), target(base, latents, noise, t)
        )
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    with_it = said(base)
    file = save_lora(base, folder, {"kind": "person", "trigger": "ohwx", **about})
    base.pipeline.unload_lora_weights()
    return file, with_it


# Reading and loading --------------------------------------------------------------------------


def test_families_are_told_by_the_unet_not_by_the_name(tiny_sd, tiny_sdxl, tmp_path):
    shutil.copytree(tiny_sdxl, tmp_path / "stable-diffusion-v1-5")
    assert read_base(tmp_path / "stable-diffusion-v1-5").family == "sdxl"
    assert read_base(tiny_sd).family == "sd15"
    assert read_base(tiny_sd).resolution == 64


def test_a_base_encodes_decodes_and_predicts(base):
    mean, std = encode_images(base, np.concatenate([shot(), shot()]))
    assert mean.shape == std.shape == (2, 4, 16, 16) and mean.dtype == torch.float32
    assert decode_latents(base, mean).shape == (2, 64, 64, 3)
    words = encode_text(base, ["photo of ohwx woman", "a face", "left"])
    assert all(len(value) == 3 for value in words.values())
    assert said(base).shape == (1, 4, 16, 16)


def test_half_precision_files_are_loaded_in_the_precision_of_the_device(base):
    assert base.pipeline.vae.dtype == torch.float32
    assert base.pipeline.unet.dtype == base.pipeline.text_encoder.dtype == CPU.dtype


def test_latents_carry_the_scaling_factor_of_the_vae(base):
    mean, _ = encode_images(base, shot())
    pixels = torch.from_numpy(shot().copy()).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        plain = base.pipeline.vae.encode(pixels.float()).latent_dist.mean
    assert torch.allclose(mean, plain * base.pipeline.vae.config.scaling_factor, atol=1e-6)


def test_a_velocity_base_is_trained_towards_velocity(tmp_path):
    base = load_base(str(make_sd(tmp_path, prediction_type="v_prediction")), CPU)
    latents, noise, t = torch.randn(1, 4, 16, 16), torch.randn(1, 4, 16, 16), torch.tensor([500])
    share = base.noise_scheduler.alphas_cumprod[500]
    expected = share.sqrt() * noise - (1 - share).sqrt() * latents
    assert torch.allclose(target(base, latents, noise, t), expected, atol=1e-5)


def test_copies_share_a_fingerprint_whatever_their_precision(tiny_sd, tmp_path):
    other = make_sd(tmp_path / "other", seed=1)
    source = tiny_sd / "unet" / "diffusion_pytorch_model.safetensors"
    held = load_file(source)
    for name, dtype in (("full", torch.float32), ("brain", torch.bfloat16)):
        save_file({key: value.to(dtype) for key, value in held.items()}, tmp_path / name)
        assert fingerprint([tmp_path / name]) == read_base(tiny_sd).fingerprint
    assert read_base(other).fingerprint != read_base(tiny_sd).fingerprint
    key = "mid_block.resnets.0.conv1.weight"
    held[key] = held[key] + 0.02 * torch.randn_like(held[key])
    save_file(held, tmp_path / "tuned")
    assert fingerprint([tmp_path / "tuned"]) != read_base(tiny_sd).fingerprint


@pytest.mark.parametrize("gain, autocast", [(0.6, None), (1.2, None), (3.0, torch.bfloat16)])
def test_bf16_trains_only_where_this_processor_multiplies_it_faster(monkeypatch, gain, autocast):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    monkeypatch.setattr("realism.diffusion.device.measure_bf16_gain", lambda: gain)
    assert choose_device() == Device("cpu", torch.float32, autocast)


def test_the_gain_of_bf16_is_measured_not_believed():
    assert 0 < measure_bf16_gain() < 100
    assert measure_bf16_gain() == measure_bf16_gain()  # measured once a process


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


@pytest.fixture
def single_file(tmp_path, monkeypatch):
    """A checkpoint in one file of the four levels of SD 1.5, thin, beside its folder."""
    folder = make_sd(
        tmp_path,
        width=768,  # by which SD 1.5 is known
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        layers_per_block=2,
    )
    configs = tmp_path / "configs"
    shutil.copytree(folder, configs / "sd15", ignore=shutil.ignore_patterns("*.safetensors"))
    monkeypatch.setattr("realism.diffusion.identify.CONFIGS", configs)
    monkeypatch.setattr("realism.diffusion.base.CLIP", tmp_path / "words")
    return folder, make_single_file(folder, tmp_path / "base.safetensors")


def test_a_single_file_is_the_base_it_was_made_from(single_file):
    folder, file = single_file
    assert read_base(file).family == "sd15"
    assert read_base(file).fingerprint == read_base(folder).fingerprint
    whole = load_base(str(folder), CPU)
    expected = said(whole)
    loaded = load_base(str(file), CPU)
    assert loaded.name == "base.safetensors"
    loaded.pipeline.tokenizer.model_max_length = 16  # the thin text encoder's
    assert torch.allclose(said(loaded), expected, atol=1e-6)


# Refusing -------------------------------------------------------------------------------------


def refusal(where) -> str:
    with pytest.raises(InputError) as caught:
        load_base(str(where), CPU)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_that_is_no_diffusion_model_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    assert "language model" in refusal(tmp_path)
    assert "is not a Stable Diffusion base" in refusal(tmp_path)


def test_pickles_are_refused_as_file_and_inside_a_folder(tiny_sd, tmp_path):
    (tmp_path / "model.ckpt").write_bytes(b"\x80\x02")
    assert "pickle" in refusal(tmp_path / "model.ckpt")
    copy = shutil.copytree(tiny_sd, tmp_path / "copy")
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    assert "pickle" in refusal(copy)


def test_cut_off_weights_are_refused_before_anything_is_loaded(tiny_sd, tmp_path):
    copy = shutil.copytree(tiny_sd, tmp_path / "copy")
    weights = copy / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "cut off" in refusal(copy)
    weights.write_bytes(b"")
    assert "cut off" in refusal(copy)


def test_a_unet_that_lacks_a_tensor_is_refused_not_filled_with_noise(tiny_sd, tmp_path):
    copy = shutil.copytree(tiny_sd, tmp_path / "copy")
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    held = load_file(weights)
    held.pop("conv_out.weight")
    save_file(held, weights)
    assert "conv_out.weight" in refusal(copy)


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


# LoRA -----------------------------------------------------------------------------------------


def test_a_lora_read_again_predicts_what_it_predicted_when_trained(base, tmp_path):
    plain = said(base)
    file, with_it = trained(base, tmp_path / "lora", steps=4)
    assert torch.equal(said(base), plain)
    with applied_loras(base, [Adapter(tmp_path / "lora")]) as (about,):
        assert about["trigger"] == "ohwx" and about["fingerprint"] == base.fingerprint
        assert torch.equal(said(base), with_it)
        assert not torch.allclose(with_it, plain, atol=1e-3)
    assert torch.equal(said(base), plain)
    names = read_tensor_headers(file)
    assert all(name.startswith("unet.") for name in names)


def test_convolutions_in_a_lora_are_not_lost_on_the_way(base, tmp_path):
    _, with_it = trained(base, tmp_path, ("to_q", "to_k", "to_v", "to_out.0", "proj_in", "conv1"))
    with applied_loras(base, [Adapter(tmp_path)]):
        assert torch.equal(said(base), with_it)


def test_weights_of_person_and_style_add_up_and_zero_is_the_base(base, tmp_path):
    plain = said(base)
    trained(base, tmp_path / "person")
    trained(base, tmp_path / "style")
    with applied_loras(base, [Adapter(tmp_path / "person", 0.0), Adapter(tmp_path / "style", 0.0)]):
        assert torch.equal(said(base), plain)
    with applied_loras(base, [Adapter(tmp_path / "person", 0.5)]):
        half = said(base)
    with applied_loras(base, [Adapter(tmp_path / "person", 0.5), Adapter(tmp_path / "style", 0.7)]):
        both = said(base)
    assert not torch.allclose(half, plain, atol=1e-3)
    assert not torch.allclose(both, half, atol=1e-3)


def test_a_lora_of_another_base_is_refused_by_its_fingerprint(base, tmp_path):
    other = load_base(str(make_sd(tmp_path / "other", seed=5)), CPU)
    trained(other, tmp_path / "lora")
    here = load_base(str(base.path), CPU)
    with pytest.raises(InputError, match="was made on the base"):
        load_lora(here, tmp_path / "lora")
    assert torch.equal(said(here), said(base))


def test_a_lora_without_description_is_held_against_the_layers(tiny_sd, tiny_sdxl, tmp_path):
    wide = load_base(str(make_sd(tmp_path / "wide", block_out_channels=(16, 48))), CPU)
    trained(wide, tmp_path / "wide-lora")
    xl = load_base(str(tiny_sdxl), CPU)
    trained(xl, tmp_path / "xl-lora")
    base = load_base(str(tiny_sd), CPU)
    plain = said(base)
    for name in ("wide-lora", "xl-lora"):
        (tmp_path / name / "adapter.json").unlink()
        with pytest.raises(InputError, match="was made for another base"):
            load_lora(base, tmp_path / name)
        assert torch.equal(said(base), plain)


def test_a_lora_in_kohya_form_made_elsewhere_is_brought_in(tiny_sd, tmp_path):
    from diffusers.utils import convert_state_dict_to_kohya
    from peft import get_peft_model_state_dict

    base = load_base(str(tiny_sd), CPU)
    parameters = add_lora(base, 4)
    for parameter in parameters:
        torch.nn.init.normal_(parameter.data, std=0.1)
    with_it = said(base)
    state = {
        f"unet.{key}": value for key, value in get_peft_model_state_dict(base.pipeline.unet).items()
    }
    kohya = convert_state_dict_to_kohya(state)
    assert all(key.startswith("lora_unet_") for key in kohya)
    save_file(
        {key: value.contiguous() for key, value in kohya.items()}, tmp_path / "style.safetensors"
    )
    base.pipeline.unload_lora_weights()
    assert describe_lora(tmp_path / "style.safetensors") == {}
    with applied_loras(base, [Adapter(tmp_path / "style.safetensors")]):
        assert torch.allclose(said(base), with_it, atol=1e-5)


def kohya_style(base, file):
    """A style of the common form: UNet and text encoders, names of kohya's trainer."""
    state = {}
    words = {"q": (32, 32), "k": (32, 32), "v": (32, 32), "out": (32, 32)}
    layers = {f"self_attn_{name}_proj": sides for name, sides in words.items()}
    layers |= {"mlp_fc1": (64, 32), "mlp_fc2": (32, 64)}
    for encoder in ("te1", "te2") if base.family == "sdxl" else ("te",):
        for name, sides in layers.items():
            state[f"lora_{encoder}_text_model_encoder_layers_0_{name}"] = sides
    state["lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"] = (32, 32)
    tensors = {}
    for name, (out, into) in state.items():
        tensors[f"{name}.lora_down.weight"] = torch.randn(4, into) * 0.3
        tensors[f"{name}.lora_up.weight"] = torch.randn(out, 4) * 0.3
        tensors[f"{name}.alpha"] = torch.tensor(2.0)
    save_file(tensors, file)


def test_a_style_that_changes_the_words_too_goes_with_a_person(base, tmp_path):
    def words():
        return encode_text(base, ["photo of ohwx woman"])["encoder_hidden_states"]

    plain, plain_words = said(base), words()
    trained(base, tmp_path / "person")
    kohya_style(base, tmp_path / "style.safetensors")
    person, style = Adapter(tmp_path / "person"), Adapter(tmp_path / "style.safetensors", 0.5)
    with applied_loras(base, [person]):
        alone = said(base)
        assert torch.equal(words(), plain_words)
    with applied_loras(base, [person, style]):
        assert not torch.allclose(words(), plain_words, atol=1e-2)
        assert not torch.allclose(said(base), alone, atol=1e-3)
    with applied_loras(base, [style, person]):
        assert not torch.allclose(words(), plain_words, atol=1e-2)
    with applied_loras(base, [Adapter(style.path, 0.0), person]):
        assert torch.equal(words(), plain_words)
        assert torch.allclose(said(base), alone, atol=1e-5)
    assert torch.equal(said(base), plain) and torch.equal(words(), plain_words)


def test_pickled_damaged_and_other_files_are_refused_as_lora(tiny_sd, tmp_path):
    base = load_base(str(tiny_sd), CPU)
    (tmp_path / "a.pt").write_bytes(b"\x80\x02")
    (tmp_path / "b.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{}")
    save_file({"weight": torch.zeros(2)}, tmp_path / "c.safetensors")
    for name, words in (
        ("a.pt", "pickle"),
        ("b.safetensors", "cut off"),
        ("c.safetensors", "LoRA"),
    ):
        with pytest.raises(InputError, match=words):
            load_lora(base, tmp_path / name)
    with pytest.raises(InputError, match="There is no LoRA"):
        load_lora(base, tmp_path / "nowhere")
