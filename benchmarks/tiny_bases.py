"""Very small Stable Diffusion bases with random weights, of the real classes, in every form.

`make_sd` has the parts of SD 1.5, `make_sdxl` those of SDXL, both as folders in diffusers layout,
64 px, three VAE levels, an own tokenizer of a few dozen words; `first_release_tensors` gives what a
checkpoint in one file holds. Used by the tests, too.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

SENTENCE = "a photo of ohwx person woman man face studio light soft smile turned to the left right"
WORDS = SENTENCE.split()


def make_tokenizer(folder: Path, **more) -> CLIPTokenizer:
    """A tokenizer of whole words and single letters, in `folder`."""
    letters = list("abcdefghijklmnopqrstuvwxyz0123456789,.-'!")
    tokens = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{c}</w>" for c in letters)]
    merges = []
    for word in WORDS:
        parts = [*word[:-1], f"{word[-1]}</w>"]
        while len(parts) > 1:
            merges.append(f"{parts[0]} {parts[1]}")
            parts[:2] = [parts[0] + parts[1]]
            tokens.append(parts[0])
    tokens = list(dict.fromkeys(tokens))
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {token: number for number, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    merges = list(dict.fromkeys(merges))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    return CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16, **more
    )


def make_text_config(tokenizer: CLIPTokenizer, width: int) -> CLIPTextConfig:
    """A text encoder of two layers that knows the tokenizer's ids."""
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=16,
        projection_dim=width,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def make_vae(channels: int = 4) -> AutoencoderKL:
    """A VAE that makes a latent of each 4×4 px."""
    return AutoencoderKL(
        block_out_channels=(8, 8, 16),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=channels,
        norm_num_groups=4,
        layers_per_block=1,
        sample_size=64,
    )


def make_unet(width: int, channels: int = 4, **more) -> UNet2DConditionModel:
    """A UNet of two levels over 16×16 latents."""
    given = {
        "sample_size": 16,
        "in_channels": channels,
        "out_channels": channels,
        "block_out_channels": (16, 32),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "attention_head_dim": 4,
        "cross_attention_dim": width,
    }
    return UNet2DConditionModel(**{**given, **more})


def make_scheduler(prediction_type: str = "epsilon") -> DDIMScheduler:
    """SD 1.5's noise, in its own words."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type=prediction_type,
    )


def make_sd(
    folder: Path, seed: int = 0, prediction_type: str = "epsilon", width: int = 32, **unet
) -> Path:
    """A pipeline shaped like SD 1.5, in float16, at `folder`."""
    torch.manual_seed(seed)
    tokenizer = make_tokenizer(folder / "words")
    StableDiffusionPipeline(
        make_vae(),
        CLIPTextModel(make_text_config(tokenizer, width)),
        tokenizer,
        make_unet(width, **unet),
        make_scheduler(prediction_type),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).to(torch.float16).save_pretrained(folder / "base")
    return folder / "base"


def make_sdxl(folder: Path, seed: int = 0, **unet) -> Path:
    """A pipeline shaped like SDXL, in float16, at `folder`."""
    torch.manual_seed(seed)
    tokenizer = make_tokenizer(folder / "words")
    given = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 6 * 8 + 32,
        "transformer_layers_per_block": (1, 2),
        "use_linear_projection": True,
    }
    network = make_unet(64, **{**given, **unet})  # two text encoders of 32, side by side
    StableDiffusionXLPipeline(
        make_vae(),
        CLIPTextModel(make_text_config(tokenizer, 32)),
        CLIPTextModelWithProjection(make_text_config(tokenizer, 32)),
        tokenizer,
        make_tokenizer(folder / "words", pad_token="!"),
        network,
        make_scheduler(),
    ).to(torch.float16).save_pretrained(folder / "base")
    return folder / "base"


THIN_SD15 = {
    "block_out_channels": (8, 8, 16, 16),
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    "layers_per_block": 2,
}
THIN_SDXL = {
    "block_out_channels": (8, 8, 16),
    "down_block_types": ("DownBlock2D",) + ("CrossAttnDownBlock2D",) * 2,
    "up_block_types": ("CrossAttnUpBlock2D",) * 2 + ("UpBlock2D",),
    "transformer_layers_per_block": (1, 1, 2),
    "layers_per_block": 2,
}


def make_thin_sd15(folder: Path) -> Path:
    """Four levels and text as wide as SD 1.5's, by which a single file of it is known."""
    return make_sd(folder, width=768, **THIN_SD15)


def make_thin_sdxl(folder: Path) -> Path:
    """Three levels as SDXL has them."""
    return make_sdxl(folder, **THIN_SDXL)


def read_part(folder: Path, part: str) -> dict[str, torch.Tensor]:
    """The tensors of a part of a folder."""
    return load_file(next((folder / part).glob("*.safetensors")))


def first_release_tensors(
    folder: Path, read: Callable[[Path, str], dict[str, torch.Tensor]] = read_part
) -> dict[str, torch.Tensor]:
    """The tensors of a base's folder as a checkpoint in one file names and shapes them."""
    is_sdxl = (folder / "text_encoder_2").exists()
    config = json.loads((folder / "unet" / "config.json").read_text())
    levels, layers = len(config["block_out_channels"]), config["layers_per_block"]
    tensors = {}
    for name, value in read(folder, "unet").items():
        old = _old_unet_name(name, levels, layers, config["up_block_types"])
        tensors[f"model.diffusion_model.{old}"] = value
    vae_levels = len(json.loads((folder / "vae" / "config.json").read_text())["block_out_channels"])
    for name, value in read(folder, "vae").items():
        if "attentions" in name and value.ndim == 2:
            value = value[:, :, None, None]
        tensors[f"first_stage_model.{_old_vae_name(name, vae_levels)}"] = value
    prefix = "conditioner.embedders.0" if is_sdxl else "cond_stage_model"
    for name, value in read(folder, "text_encoder").items():
        name = name.removeprefix("text_model.")
        tensors[f"{prefix}.transformer.text_model.{name}"] = value
    if is_sdxl:
        second = _open_clip_tensors(read(folder, "text_encoder_2"))
        tensors |= {
            f"conditioner.embedders.1.model.{name}": value for name, value in second.items()
        }
    return {name: value.contiguous() for name, value in tensors.items()}


def make_single_file(folder: Path, file: Path) -> Path:
    """The thin base in `folder` as one checkpoint."""
    save_file(first_release_tensors(folder), file)
    return file


def _open_clip_tensors(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """SDXL's second text encoder in OpenCLIP's words: query, key and value are one matrix there."""
    found: dict[str, torch.Tensor] = {}
    for name, value in tensors.items():
        new = _renamed(
            name.removeprefix("text_model."),
            [
                (r"^embeddings\.token_embedding\.", "token_embedding."),
                (r"^embeddings\.position_embedding\.weight", "positional_embedding"),
                (r"^final_layer_norm\.", "ln_final."),
                (r"^text_projection\.weight", "text_projection"),
                (r"^encoder\.layers\.", "transformer.resblocks."),
                (r"\.layer_norm(\d)\.", r".ln_\1."),
                (r"\.mlp\.fc1\.", ".mlp.c_fc."),
                (r"\.mlp\.fc2\.", ".mlp.c_proj."),
                (r"\.self_attn\.out_proj\.", ".attn.out_proj."),
            ],
        )
        if ".q_proj." in name:
            three = [tensors[name.replace(".q_proj.", f".{kind}_proj.")] for kind in "qkv"]
            end = "in_proj_weight" if name.endswith("weight") else "in_proj_bias"
            found[f"{new.split('.self_attn')[0]}.attn.{end}"] = torch.cat(three)
        elif not re.search(r"\.[kv]_proj\.", name):
            found[new] = value.T if new == "text_projection" else value
    return found


def _renamed(name: str, pairs) -> str:
    for new, old in pairs:
        name = re.sub(new, old, name)
    return name


def _old_unet_name(name: str, levels: int, layers: int, ups: list[str]) -> str:
    def down(match):
        level, kind, layer, rest = match.groups()
        number = (layers + 1) * int(level) + int(layer) + 1
        if kind == "downsamplers":
            return f"input_blocks.{(layers + 1) * (int(level) + 1)}.0.{rest.replace('conv', 'op')}"
        return f"input_blocks.{number}.{int(kind == 'attentions')}.{rest}"

    def up(match):
        level, kind, layer, rest = match.groups()
        number = (layers + 1) * int(level) + int(layer)
        if kind == "upsamplers":
            # After the attention, where the level has one.
            place = 2 if "CrossAttn" in ups[int(level)] else 1
            return f"output_blocks.{(layers + 1) * int(level) + layers}.{place}.{rest}"
        return f"output_blocks.{number}.{int(kind == 'attentions')}.{rest}"

    name = _renamed(
        name,
        [
            (r"^time_embedding\.linear_1", "time_embed.0"),
            (r"^time_embedding\.linear_2", "time_embed.2"),
            (r"^add_embedding\.linear_1", "label_emb.0.0"),
            (r"^add_embedding\.linear_2", "label_emb.0.2"),
            (r"^conv_in", "input_blocks.0.0"),
            (r"^conv_norm_out", "out.0"),
            (r"^conv_out", "out.2"),
            (r"^down_blocks\.(\d)\.(\w+)\.(\d)\.(.+)", down),
            (r"^up_blocks\.(\d)\.(\w+)\.(\d)\.(.+)", up),
            (r"^mid_block\.attentions\.0", "middle_block.1"),
            (r"^mid_block\.resnets\.0", "middle_block.0"),
            (r"^mid_block\.resnets\.1", "middle_block.2"),
        ],
    )
    if "transformer_blocks" in name or "proj_in" in name or "proj_out" in name:
        return name
    return _renamed(
        name,
        [
            (r"norm1", "in_layers.0"),
            (r"conv1", "in_layers.2"),
            (r"norm2", "out_layers.0"),
            (r"conv2", "out_layers.3"),
            (r"time_emb_proj", "emb_layers.1"),
            (r"conv_shortcut", "skip_connection"),
        ],
    )


def _old_vae_name(name: str, levels: int) -> str:
    return _renamed(
        name,
        [
            (r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2"),
            (r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample"),
            (
                r"up_blocks\.(\d)\.resnets\.(\d)",
                lambda m: f"up.{levels - 1 - int(m[1])}.block.{m[2]}",
            ),
            (r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{levels - 1 - int(m[1])}.upsample"),
            (r"mid_block\.attentions\.0", "mid.attn_1"),
            (r"mid_block\.resnets\.0", "mid.block_1"),
            (r"mid_block\.resnets\.1", "mid.block_2"),
            (r"conv_norm_out", "norm_out"),
            (r"conv_shortcut", "nin_shortcut"),
            (r"attn_1\.group_norm", "attn_1.norm"),
            (r"attn_1\.to_(q|k|v)\b", r"attn_1.\1"),
            (r"attn_1\.to_out\.0", "attn_1.proj_out"),
        ],
    )
