"""LoRA: read back exactly, added up by weight, and never put on a base they are not for."""

import pytest
import torch
from safetensors.torch import save_file
from tiny import make_sd
from tiny_lora import CPU, predicted, train_lora

from realism.diffusion.base import encode_text, load_base
from realism.diffusion.lora import (
    Adapter,
    add_lora,
    applied_loras,
    describe_lora,
    halve_lora,
    load_lora,
)
from realism.diffusion.weights import read_tensor_headers
from realism.errors import InputError


@pytest.fixture(params=["tiny_sd", "tiny_sdxl"])
def base(request):
    return load_base(str(request.getfixturevalue(request.param)), CPU)


def test_a_lora_read_again_predicts_what_it_predicted_when_trained(base, tmp_path):
    plain = predicted(base)
    file, with_it = train_lora(base, tmp_path / "lora", steps=4)
    assert torch.equal(predicted(base), plain)
    with applied_loras(base, [Adapter(tmp_path / "lora")]) as (about,):
        assert about["trigger"] == "ohwx" and about["fingerprint"] == base.fingerprint
        assert torch.equal(predicted(base), with_it)
        assert not torch.allclose(with_it, plain, atol=1e-3)
    assert torch.equal(predicted(base), plain)
    names = read_tensor_headers(file)
    assert all(name.startswith("unet.") for name in names)


def test_a_lora_in_half_precision_takes_half_the_bytes_and_does_the_same(base, tmp_path):
    file, with_it = train_lora(base, tmp_path)
    size = file.stat().st_size
    halve_lora(tmp_path)
    assert file.stat().st_size < 0.8 * size  # the header stays
    with applied_loras(base, [Adapter(tmp_path)]):
        assert torch.allclose(predicted(base), with_it, atol=5e-3)


def test_convolutions_in_a_lora_are_not_lost_on_the_way(base, tmp_path):
    _, with_it = train_lora(
        base, tmp_path, ("to_q", "to_k", "to_v", "to_out.0", "proj_in", "conv1")
    )
    with applied_loras(base, [Adapter(tmp_path)]):
        assert torch.equal(predicted(base), with_it)


def test_weights_of_person_and_style_add_up_and_zero_is_the_base(base, tmp_path):
    plain = predicted(base)
    train_lora(base, tmp_path / "person")
    train_lora(base, tmp_path / "style")
    with applied_loras(base, [Adapter(tmp_path / "person", 0.0), Adapter(tmp_path / "style", 0.0)]):
        assert torch.equal(predicted(base), plain)
    with applied_loras(base, [Adapter(tmp_path / "person", 0.5)]):
        half = predicted(base)
    with applied_loras(base, [Adapter(tmp_path / "person", 0.5), Adapter(tmp_path / "style", 0.7)]):
        both = predicted(base)
    assert not torch.allclose(half, plain, atol=1e-3)
    assert not torch.allclose(both, half, atol=1e-3)


def test_a_lora_of_another_base_is_refused_by_its_fingerprint(base, tmp_path):
    other = load_base(str(make_sd(tmp_path / "other", seed=5)), CPU)
    train_lora(other, tmp_path / "lora")
    here = load_base(str(base.path), CPU)
    with pytest.raises(InputError, match="was made on the base"):
        load_lora(here, tmp_path / "lora")
    assert torch.equal(predicted(here), predicted(base))


def test_a_lora_without_description_is_held_against_the_layers(tiny_sd, tiny_sdxl, tmp_path):
    wide = load_base(str(make_sd(tmp_path / "wide", block_out_channels=(16, 48))), CPU)
    train_lora(wide, tmp_path / "wide-lora")
    xl = load_base(str(tiny_sdxl), CPU)
    train_lora(xl, tmp_path / "xl-lora")
    base = load_base(str(tiny_sd), CPU)
    plain = predicted(base)
    for name in ("wide-lora", "xl-lora"):
        (tmp_path / name / "adapter.json").unlink()
        with pytest.raises(InputError, match="was made for another base"):
            load_lora(base, tmp_path / name)
        assert torch.equal(predicted(base), plain)


def test_a_lora_in_kohya_form_made_elsewhere_is_brought_in(tiny_sd, tmp_path):
    from diffusers.utils import convert_state_dict_to_kohya
    from peft import get_peft_model_state_dict

    base = load_base(str(tiny_sd), CPU)
    parameters = add_lora(base, 4)
    for parameter in parameters:
        torch.nn.init.normal_(parameter.data, std=0.1)
    with_it = predicted(base)
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
        assert torch.allclose(predicted(base), with_it, atol=1e-5)


def kohya_style(base, file):
    """A style of the common form: UNet and text encoders, names of kohya's trainer."""
    state = {}
    attention = {"q": (32, 32), "k": (32, 32), "v": (32, 32), "out": (32, 32)}
    layers = {f"self_attn_{name}_proj": sides for name, sides in attention.items()}
    layers |= {"mlp_fc1": (64, 32), "mlp_fc2": (32, 64)}
    for encoder in ("te1", "te2") if base.family.name == "sdxl" else ("te",):
        for name, sides in layers.items():
            state[f"lora_{encoder}_text_model_encoder_layers_0_{name}"] = sides
    state["lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"] = (32, 32)
    tensors = {}
    for name, (out, into) in state.items():
        tensors[f"{name}.lora_down.weight"] = torch.randn(4, into) * 0.3
        tensors[f"{name}.lora_up.weight"] = torch.randn(out, 4) * 0.3
        tensors[f"{name}.alpha"] = torch.tensor(2.0)
    save_file(tensors, file)


def test_a_style_that_changes_the_text_encoder_too_goes_with_a_person(base, tmp_path):
    def text():
        return encode_text(base, ["photo of ohwx woman"])["encoder_hidden_states"]

    plain, plain_text = predicted(base), text()
    train_lora(base, tmp_path / "person")
    kohya_style(base, tmp_path / "style.safetensors")
    person, style = Adapter(tmp_path / "person"), Adapter(tmp_path / "style.safetensors", 0.5)
    with applied_loras(base, [person]):
        alone = predicted(base)
        assert torch.equal(text(), plain_text)
    with applied_loras(base, [person, style]):
        assert not torch.allclose(text(), plain_text, atol=1e-2)
        assert not torch.allclose(predicted(base), alone, atol=1e-3)
    with applied_loras(base, [style, person]):
        assert not torch.allclose(text(), plain_text, atol=1e-2)
    with applied_loras(base, [Adapter(style.path, 0.0), person]):
        assert torch.equal(text(), plain_text)
        assert torch.allclose(predicted(base), alone, atol=1e-5)
    assert torch.equal(predicted(base), plain) and torch.equal(text(), plain_text)


def test_a_style_that_changes_whole_weights_goes_with_a_person_and_leaves_no_trace(base, tmp_path):
    plain = predicted(base)
    train_lora(base, tmp_path / "person")
    layer = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
    factors = {
        f"{layer}.hada_w{n}_{side}": torch.randn(32, 32)[:, :32] for n in "12" for side in "ab"
    }
    embedding = {"bundle_emb.sitter.clip_l": torch.zeros(1, 32)}
    save_file(factors | embedding, tmp_path / "style.safetensors")
    person, style = Adapter(tmp_path / "person"), Adapter(tmp_path / "style.safetensors", 0.5)
    with applied_loras(base, [person]):
        alone = predicted(base)
    answers = []
    for order in ([person, style], [style, person]):
        with applied_loras(base, order) as about:
            answers.append(predicted(base))
            assert [named["left_out"] for named in about if named["left_out"]] == [("sitter",)]
        assert torch.equal(predicted(base), plain)
    assert torch.allclose(*answers, atol=1e-5)
    assert not torch.allclose(answers[0], alone, atol=1e-3)
    with applied_loras(base, [Adapter(style.path, 0.0), person]):
        assert torch.allclose(predicted(base), alone, atol=1e-5)
    load_lora(base, style.path)  # somebody forgets to take it off
    assert torch.equal(predicted(load_base(str(base.path), CPU)), plain)


def test_pickled_damaged_and_other_files_are_refused_as_lora(tiny_sd, tmp_path):
    base = load_base(str(tiny_sd), CPU)
    (tmp_path / "a.pt").write_bytes(b"\x80\x02")
    (tmp_path / "b.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{}")
    save_file({"weight": torch.zeros(2)}, tmp_path / "c.safetensors")
    for name, pattern in (
        ("a.pt", "torch.save"),
        ("b.safetensors", "cut off"),
        ("c.safetensors", "LoRA"),
    ):
        with pytest.raises(InputError, match=pattern):
            load_lora(base, tmp_path / name)
    with pytest.raises(InputError, match="There is no LoRA"):
        load_lora(base, tmp_path / "nowhere")
