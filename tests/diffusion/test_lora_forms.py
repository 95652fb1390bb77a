"""LoRA files of every tool: put on exactly, or refused with the reason that is true."""

import pytest
import torch
from peft import LoHaConfig, LoKrConfig, LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file

from benchmarks.lora_forms.__main__ import verdict
from benchmarks.lora_forms.form import try_form
from benchmarks.lora_forms.networks import build
from benchmarks.lora_forms.table import FORMS
from realism.diffusion.lora_file.merge import put_on, restore_weights
from realism.diffusion.lora_file.read import read_lora
from realism.errors import InputError


@pytest.mark.parametrize("form", FORMS, ids=[f"{form.family}, {form.name}" for form in FORMS])
def test_a_form_is_put_on_exactly_or_refused_for_what_it_is(form, tmp_path):
    right, said = verdict(form, try_form(form, tmp_path))
    assert right, said


TARGETS = r"down_blocks\.0\.resnets\.0\.conv1|.*mid_block.*(?:to_q|ff\.net\.2)"


@pytest.mark.parametrize(
    "config",
    [
        LoraConfig(r=3, lora_alpha=5, target_modules=TARGETS),
        LoraConfig(r=3, lora_alpha=5, target_modules=TARGETS, use_rslora=True),
        LoraConfig(r=3, lora_alpha=5, target_modules=TARGETS, use_dora=True),
        LoraConfig(r=3, lora_alpha=5, target_modules=TARGETS, rank_pattern={"to_q": 2}),
        LoHaConfig(r=2, alpha=3, target_modules=TARGETS, use_effective_conv2d=True),
        LoKrConfig(r=2, alpha=3, target_modules=TARGETS),
        LoKrConfig(r=2, alpha=3, target_modules=TARGETS, decompose_both=True),
        LoKrConfig(r=9, alpha=3, target_modules=TARGETS),
    ],
    ids=["lora", "rslora", "dora", "ranks", "loha", "lokr", "lokr both", "lokr whole"],
)
def test_what_peft_itself_saves_predicts_here_what_it_predicts_there(config, tmp_path):
    import copy

    model = build("SD 1.5")
    wrapped = get_peft_model(copy.deepcopy(model.parts["unet"]), config)
    torch.manual_seed(3)
    for name, value in wrapped.named_parameters():
        if any(sign in name for sign in ("lora_A", "lora_B", "hada", "lokr", "magnitude")):
            value.data = 0.3 * torch.randn_like(value) + ("magnitude" in name)
    with torch.no_grad():
        wanted = model.answer(model.parts | {"unet": wrapped.eval()})
    state = {name: value.contiguous() for name, value in get_peft_model_state_dict(wrapped).items()}
    save_file(state, tmp_path / "adapter_model.safetensors")
    wrapped.peft_config["default"].save_pretrained(tmp_path)
    parts = copy.deepcopy(model.parts)
    held = read_lora(tmp_path / "adapter_model.safetensors", parts, "unet", "tiny")
    put_on(parts, held.changes, "peft", 1.0, "adapter_model", {})
    with torch.no_grad():
        given = model.answer(parts)
    restore_weights(parts.values())
    assert max(float((a - b).abs().max()) for a, b in zip(given, wanted, strict=True)) < 1e-5


@pytest.mark.parametrize(
    ("role", "shape"),
    [
        ("alpha", (2,)),
        ("scalar", (3, 1)),
        ("lora_down.weight", ()),
        ("lora_up.weight", (0,)),
        ("dora_scale", ()),
        ("lora_mid.weight", (3,)),
    ],
)
def test_tensors_of_no_use_are_refused_and_never_end_in_a_fault(role, shape, tmp_path):
    model = build("SD 1.5")
    layer = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    tensors = {"lora_down.weight": torch.ones(4, 16), "lora_up.weight": torch.ones(16, 4)}
    tensors |= {role: torch.ones(shape)}
    save_file(
        {f"{layer}.{name}": value for name, value in tensors.items()}, tmp_path / "a.safetensors"
    )
    with pytest.raises(InputError, match="does not fit"):
        read_lora(tmp_path / "a.safetensors", model.parts, "unet", "tiny")


def test_three_files_put_on_in_any_order_give_the_same_weights(tmp_path):
    import copy

    chosen = [f for f in FORMS if f.name in ("DoRA (dora_scale), rows", "LoHa with DoRA", "LoKr")]
    model = build("SD 1.5")
    files = []
    for number, form in enumerate(chosen):
        (tmp_path / str(number)).mkdir()
        from benchmarks.lora_forms.form import write_file

        files.append(write_file(form, tmp_path / str(number))[0])
    answers = []
    for order in (files, files[::-1]):
        parts = copy.deepcopy(model.parts)
        for file in order:
            held = read_lora(file, parts, "unet", "tiny")
            put_on(parts, held.changes, file.parent.name, 0.5, file.name, {})
        with torch.no_grad():
            answers.append(model.answer(parts)[-1])
    assert torch.allclose(*answers, atol=1e-5)
