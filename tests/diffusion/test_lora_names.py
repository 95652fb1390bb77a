"""Names of layers in the models' first releases: as diffusers' own conversions have them."""

import pytest
import torch
from diffusers import (
    Flux2Transformer2DModel,
    FluxTransformer2DModel,
    UNet2DConditionModel,
    ZImageTransformer2DModel,
)
from diffusers.loaders.single_file_utils import (
    convert_flux2_transformer_checkpoint_to_diffusers,
    convert_flux_transformer_checkpoint_to_diffusers,
    convert_ldm_unet_checkpoint,
    convert_z_image_transformer_checkpoint_to_diffusers,
)

from benchmarks.lora_forms.networks import build
from realism.config import ASSETS
from realism.diffusion.lora_file.first_release import first_release_names
from realism.diffusion.lora_file.keys import ENDINGS, read_keys
from realism.diffusion.lora_file.spellings import base_layers, spell_layers
from realism.errors import InputError

UNETS = {"SD 1.5": "sd15", "SDXL": "sdxl"}
TRANSFORMERS = {
    "FLUX.1": (FluxTransformer2DModel, convert_flux_transformer_checkpoint_to_diffusers),
    "FLUX.2": (Flux2Transformer2DModel, convert_flux2_transformer_checkpoint_to_diffusers),
    "Z-Image": (ZImageTransformer2DModel, convert_z_image_transformer_checkpoint_to_diffusers),
}
FEW = {"num_layers": 1, "num_single_layers": 2}


def first_release_network(family):
    """A network of full width, without its numbers, and the conversion of its first release."""
    with torch.device("meta"):
        if family in UNETS:
            config = UNet2DConditionModel.load_config(ASSETS / "configs" / UNETS[family] / "unet")
            network = UNet2DConditionModel.from_config(config)
            return network, lambda state: convert_ldm_unet_checkpoint(
                {f"model.diffusion_model.{name}": value for name, value in state.items()}, config
            )
        kind, convert = TRANSFORMERS[family]
        more = {"n_layers": 2} if family == "Z-Image" else FEW
        return kind(**more, **({"guidance_embeds": True} if family == "FLUX.1" else {})), convert


@pytest.mark.parametrize("family", [*UNETS, *TRANSFORMERS])
def test_a_checkpoint_of_the_first_release_converts_to_the_rows_that_we_name(family):
    network, convert = first_release_network(family)
    part = "unet" if family in UNETS else "transformer"
    spelled = spell_layers({part: network}, part)
    state, ours = {}, {}
    for theirs, _ in first_release_names(network):
        rows = spelled.get(f"diffusion_model.{theirs}")
        if rows is None:  # a layer without numbers
            continue
        height = max(row.stop for row in rows)
        layers = [network.get_submodule(row.layer.partition(".")[2]) for row in rows]
        for kind in ("weight", "bias"):
            if any(getattr(layer, kind, None) is None for layer in layers):
                continue
            # A row is told by its number, and one column is enough.
            whole = torch.arange(height).float().reshape(-1, *[1] * (layers[0].weight.ndim - 1))
            scale = part == "transformer" and ("query_norm" in theirs or "key_norm" in theirs)
            state[f"{theirs}.{'scale' if scale else kind}"] = whole
            for row in rows:
                count = sum(r.stop - r.start for r in rows if r.layer == row.layer)
                name = f"{row.layer.partition('.')[2]}.{kind}"
                given = ours.setdefault(name, torch.full((count,), -1.0))
                numbers = torch.arange(row.start, row.stop).float()
                given[row.at : row.at + len(numbers)] = numbers
    converted = convert(dict(state))
    assert len(ours) > 20
    for name, value in ours.items():
        assert torch.equal(converted[name].flatten(), value), name


@pytest.mark.parametrize(
    ("family", "theirs", "ours"),
    [
        ("sdxl", "lora_unet_input_blocks_4_1_proj_in", "down_blocks.1.attentions.0.proj_in"),
        ("sdxl", "lora_unet_input_blocks_8_1_transformer_blocks_9_attn2_to_k",
         "down_blocks.2.attentions.1.transformer_blocks.9.attn2.to_k"),
        ("sdxl", "lora_unet_middle_block_1_transformer_blocks_9_ff_net_0_proj",
         "mid_block.attentions.0.transformer_blocks.9.ff.net.0.proj"),
        ("sdxl", "lora_unet_output_blocks_5_1_transformer_blocks_1_attn1_to_out_0",
         "up_blocks.1.attentions.2.transformer_blocks.1.attn1.to_out.0"),
        ("sdxl", "lora_unet_output_blocks_2_2_conv", "up_blocks.0.upsamplers.0.conv"),
        ("sdxl", "lora_unet_input_blocks_3_0_op", "down_blocks.0.downsamplers.0.conv"),
        ("sdxl", "lora_unet_label_emb_0_2", "add_embedding.linear_2"),
        ("sd15", "lora_unet_output_blocks_11_1_proj_out", "up_blocks.3.attentions.2.proj_out"),
        ("sd15", "lora_unet_output_blocks_2_1_conv", "up_blocks.0.upsamplers.0.conv"),
        ("sd15", "lora_unet_up_blocks_3_attentions_2_norm", "up_blocks.3.attentions.2.norm"),
    ],
)  # fmt: skip
def test_layers_of_real_size_have_the_names_of_files_in_use(family, theirs, ours, networks):
    (rows,) = networks(family)[theirs]
    assert rows.layer == f"unet.{ours}" and rows.at == 0


@pytest.fixture(scope="module")
def networks():
    """Spellings of a family's UNet at full size, without its numbers."""
    made = {}

    def spelled(family):
        if family not in made:
            config = UNet2DConditionModel.load_config(ASSETS / "configs" / family / "unet")
            with torch.device("meta"):
                made[family] = spell_layers(
                    {"unet": UNet2DConditionModel.from_config(config)}, "unet"
                )
        return made[family]

    return spelled


def test_every_layer_of_every_family_has_one_name_and_no_two_share_one():
    for family in ("SD 1.5", "SDXL", "FLUX.1", "FLUX.2", "Z-Image", "Qwen-Image"):
        model = build(family)
        layers = base_layers(model.parts)
        flat = [name.replace(".", "_") for name in layers]
        assert len(set(flat)) == len(flat)
        spelled = spell_layers(model.parts, model.network)
        assert {rows[0].layer for rows in spelled.values() if len(rows) == 1} >= set(layers)


def test_every_role_has_an_ending_and_no_name_has_two():
    for role, name in {
        "down": "x.lora_A.default.weight", "up": "x.lora_B", "mid": "x.lora_mid.weight",
        "up_bias": "x.lora_B.bias", "row_lengths": "x.lora_magnitude_vector.default.weight",
        "dora_scale": "x.dora_scale", "weight": "x.w_norm", "bias": "x.diff_b",
        "lokr_w2_a": "x.lokr_w2_a", "hada_t1": "x.hada_t1", "alpha": "x.alpha",
    }.items():  # fmt: skip
        assert read_keys([name], "f").layers == {"x": {role: name}}
        assert role in ENDINGS
    with pytest.raises(InputError, match=r"x\.lora_A\.more\.than\.weight"):
        read_keys(["x.lora_B.weight", "x.lora_A.more.than.weight"], "f")
