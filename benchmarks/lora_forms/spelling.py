"""Our layers' names as tools write them."""

from __future__ import annotations

import re

TEXT = "encoder.layers.0."
# Layers of the tiny UNet, by our names.
ATTENTION = (
    "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
    "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k",
    "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0",
    "unet.up_blocks.0.attentions.1.transformer_blocks.0.attn2.to_v",
)
FEED_FORWARD = (
    "unet.down_blocks.1.attentions.0.transformer_blocks.0.ff.net.0.proj",
    "unet.mid_block.attentions.0.transformer_blocks.0.ff.net.2",
)
CONVOLUTIONS = (
    "unet.down_blocks.0.resnets.0.conv1",
    "unet.down_blocks.0.downsamplers.0.conv",
    "unet.up_blocks.0.upsamplers.0.conv",
    "unet.up_blocks.1.resnets.1.conv2",
)
POINTWISE = ("unet.mid_block.attentions.0.proj_in", "unet.up_blocks.0.resnets.0.conv_shortcut")
NORMS = ("unet.mid_block.attentions.0.norm", "unet.mid_block.resnets.0.norm1")
TEXT_LAYERS = (
    "text_encoder.encoder.layers.0.self_attn.q_proj",
    "text_encoder.encoder.layers.1.self_attn.out_proj",
    "text_encoder.encoder.layers.0.mlp.fc1",
)
SECOND_TEXT_LAYERS = tuple(
    name.replace("text_encoder.", "text_encoder_2.text_model.") for name in TEXT_LAYERS
)
# The tiny UNet's layers in the names of Stable Diffusion's first release, worked out by hand.
FIRST_RELEASE = {
    "unet.conv_in": "input_blocks.0.0",
    "unet.down_blocks.0.resnets.0.conv1": "input_blocks.1.0.in_layers.2",
    "unet.down_blocks.0.downsamplers.0.conv": "input_blocks.2.0.op",
    ATTENTION[0]: "input_blocks.3.1.transformer_blocks.0.attn1.to_q",
    ATTENTION[1]: "input_blocks.3.1.transformer_blocks.0.attn2.to_k",
    ATTENTION[2]: "middle_block.1.transformer_blocks.0.attn1.to_out.0",
    "unet.mid_block.resnets.1.time_emb_proj": "middle_block.2.emb_layers.1",
    ATTENTION[3]: "output_blocks.1.1.transformer_blocks.0.attn2.to_v",
    "unet.up_blocks.0.upsamplers.0.conv": "output_blocks.1.2.conv",
    "unet.up_blocks.0.resnets.0.conv_shortcut": "output_blocks.0.0.skip_connection",
    "unet.up_blocks.1.resnets.1.conv2": "output_blocks.3.0.out_layers.3",
    "unet.time_embedding.linear_1": "time_embed.0",
    "unet.conv_out": "out.2",
    "unet.add_embedding.linear_2": "label_emb.0.2",
}


def kohya(ours: str) -> str:
    """sd-scripts, LyCORIS and OneTrainer: dots become _."""
    part, _, name = ours.partition(".")
    name = name.removeprefix("text_model.")
    prefix = {
        "unet": "lora_unet_",
        "transformer": "lora_unet_",
        "text_encoder": "lora_te_text_model_",
        "text_encoder_2": "lora_te2_text_model_",
    }[part]
    return prefix + name.replace(".", "_")


def kohya_xl(ours: str) -> str:
    """sd-scripts for SDXL: the first release's names, the first text encoder numbered."""
    if ours in FIRST_RELEASE:
        return "lora_unet_" + FIRST_RELEASE[ours].replace(".", "_")
    return kohya(ours).replace("lora_te_", "lora_te1_")


def one_trainer_xl(ours: str) -> str:
    """OneTrainer's older files for SDXL: diffusers' names under kohya's prefixes."""
    if ours.endswith(".text_projection"):
        return "lora_te2_text_projection"
    return kohya(ours).replace("lora_te_", "lora_te1_")


def one_trainer(ours: str) -> str:
    """OneTrainer's older files for transformers."""
    return "lora_transformer_" + ours.partition(".")[2].replace(".", "_")


def lycoris(ours: str) -> str:
    """LyCORIS around any network; ai-toolkit's older LoKr, SimpleTuner."""
    return "lycoris_" + ours.partition(".")[2].replace(".", "_")


def diffusers(ours: str) -> str:
    """diffusers since 2023, its training scripts: the pipeline's own names."""
    part, _, name = ours.partition(".")
    if part.startswith("text_encoder"):
        return f"{part}.text_model.{name.removeprefix('text_model.')}"
    return ours


def without_prefix(ours: str) -> str:
    """The network's own names."""
    return ours.partition(".")[2]


def peft(ours: str) -> str:
    """PEFT's wrapper around the network."""
    return "base_model.model." + ours.partition(".")[2]


def comfy(ours: str) -> str:
    """ComfyUI and ai-toolkit: "diffusion_model." before the network's names."""
    part, _, name = ours.partition(".")
    if part == "text_encoder":
        return f"text_encoders.clip_l.transformer.text_model.{name}"
    return "diffusion_model." + FIRST_RELEASE.get(ours, name)


def old_diffusers(ours: str) -> str:
    """diffusers before the summer of 2023: attention processors."""
    ours = re.sub(r"\.(attn[12])\.", r".\1.processor.", diffusers(ours))
    return re.sub(r"\.to_out\.0$", ".to_out", ours)


def old_diffusers_text(ours: str) -> str:
    """Its text encoders: attention under the UNet's words."""
    ours = diffusers(ours)
    for new, old in (("q_proj", "to_q"), ("k_proj", "to_k"), ("v_proj", "to_v")):
        ours = ours.replace(f".{new}", f".{old}")
    return ours.replace(".out_proj", ".to_out")
