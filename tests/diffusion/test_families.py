"""What differs between families: each answers for its own bases, and only for those."""

import json

import pytest
import torch
from tiny import make_sd
from tiny_lora import CPU

from realism.diffusion.base import encode_text, load_base, target
from realism.diffusion.families import FAMILIES
from realism.diffusion.identify import CONFIGS
from realism.diffusion.recommended import recommended_bases

WHOLE = [name for name, family in FAMILIES.items() if family.whole_files]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_has_stages_configurations_and_parts(name):
    family = FAMILIES[name]
    assert family.name == name and len(family.preset.stages) == 2
    for part in family.weight_parts if family.whole_files else ():
        assert (CONFIGS / name / part / "config.json").exists()
    assert family.network in family.weight_parts
    assert all(row.family in FAMILIES for row in recommended_bases())


@pytest.mark.parametrize("name", WHOLE)
def test_each_family_knows_its_own_configurations_and_no_other(name):
    def read(part: str) -> dict:
        return json.loads((CONFIGS / name / part).read_text())

    index, vae = read("model_index.json"), read("vae/config.json")
    network = read(f"{FAMILIES[name].network}/config.json")
    answers = {
        other: family.recognises_folder(name, index, network, vae)
        for other, family in FAMILIES.items()
    }
    assert answers == {other: other == name for other in FAMILIES}
    assert FAMILIES[name].resolution(network, vae) == FAMILIES[name].file_resolution


@pytest.mark.parametrize("name", ["tiny_sd", "tiny_sdxl"])
def test_a_rehearsal_has_the_shapes_of_the_real_conditioning(name, request):
    base = load_base(str(request.getfixturevalue(name)), CPU)
    conditioning = encode_text(base, ["a photo", "a face"])
    widths = base.family._added_widths(base.network.config)
    assert {key: conditioning[key].shape[1] for key in base.family.added_inputs} == widths
    with torch.no_grad():
        assert base.family.rehearse(base.network, 2, 16).shape == (2, 4, 16, 16)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_min_snr_is_that_of_the_paper(tmp_path, prediction):
    base = load_base(str(make_sd(tmp_path, prediction_type=prediction)), CPU)
    t = torch.arange(0, 1000, 7)
    share = base.noise_scheduler.alphas_cumprod[t].double()
    snr = share / (1 - share)
    expected = snr.clamp(max=5) / (snr + (prediction == "v_prediction"))
    weight = base.family.loss_weight(base.noise_scheduler, t, 5.0)
    assert torch.allclose(weight.double(), expected, rtol=2e-5, atol=0)
    assert base.family.loss_weight(base.noise_scheduler, t, 0.0) is None


def test_a_velocity_base_is_trained_towards_velocity(tmp_path):
    base = load_base(str(make_sd(tmp_path, prediction_type="v_prediction")), CPU)
    latents, noise, t = torch.randn(1, 4, 16, 16), torch.randn(1, 4, 16, 16), torch.tensor([500])
    share = base.noise_scheduler.alphas_cumprod[500]
    expected = share.sqrt() * noise - (1 - share).sqrt() * latents
    assert torch.allclose(target(base, latents, noise, t), expected, atol=1e-5)
