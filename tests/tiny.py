"""Very small Stable Diffusion pipelines with random weights, run through the real path.

`tiny_sd` has the parts of SD 1.5, `tiny_sdxl` those of SDXL, both as folders in diffusers layout,
64 px, three VAE levels, an own tokenizer of a few dozen words. Put in conftest.py as fixtures.
"""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

SENTENCE = "a photo of ohwx person woman man face studio light soft smile turned to the left right"
WORDS = SENTENCE.split()


def make_tokenizer(folder: Path) -> CLIPTokenizer:
    """A tokenizer of whole words and single letters, in `folder`."""
    letters = list("abcdefghijklmnopqrstuvwxyz0123456789,.-'")
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
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16
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


def make_sdxl(folder: Path, seed: int = 0) -> Path:
    """A pipeline shaped like SDXL, in float16, at `folder`."""
    torch.manual_seed(seed)
    tokenizer = make_tokenizer(folder / "words")
    unet = make_unet(
        64,  # two text encoders of 32, side by side
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 32,
        transformer_layers_per_block=(1, 2),
        use_linear_projection=True,
    )
    StableDiffusionXLPipeline(
        make_vae(),
        CLIPTextModel(make_text_config(tokenizer, 32)),
        CLIPTextModelWithProjection(make_text_config(tokenizer, 32)),
        tokenizer,
        tokenizer,
        unet,
        make_scheduler(),
    ).to(torch.float16).save_pretrained(folder / "base")
    return folder / "base"


@pytest.fixture(scope="session")
def tiny_sd(tmp_path_factory) -> Path:
    """Folder of a tiny base of the SD 1.5 family."""
    return make_sd(tmp_path_factory.mktemp("sd"))


@pytest.fixture(scope="session")
def tiny_sdxl(tmp_path_factory) -> Path:
    """Folder of a tiny base of the SDXL family."""
    return make_sdxl(tmp_path_factory.mktemp("sdxl"))


@pytest.fixture
def single_file(tmp_path, monkeypatch) -> tuple[Path, Path]:
    """A thin base of the four levels of SD 1.5, as folder and as checkpoint in one file."""
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
    monkeypatch.setattr("realism.diffusion.families.unet.CLIP", tmp_path / "words")
    return folder, make_single_file(folder, tmp_path / "base.safetensors")


def make_single_file(folder: Path, file: Path) -> Path:
    """The pipeline in `folder` (SD 1.5's parts, any number of levels) as one checkpoint.

    The names are those of the first release of Stable Diffusion, which single files still use.
    """
    pipeline = StableDiffusionPipeline.from_pretrained(
        folder, safety_checker=None, feature_extractor=None, dtype=torch.float16
    )
    levels = len(pipeline.unet.config.block_out_channels)
    layers = pipeline.unet.config.layers_per_block
    tensors = {}
    for name, value in pipeline.unet.state_dict().items():
        tensors[f"model.diffusion_model.{_old_unet_name(name, levels, layers)}"] = value
    levels = len(pipeline.vae.config.block_out_channels)
    for name, value in pipeline.vae.state_dict().items():
        old = _old_vae_name(name, levels)
        if "attentions" in name and value.ndim == 2:
            value = value[:, :, None, None]
        tensors[f"first_stage_model.{old}"] = value
    for name, value in pipeline.text_encoder.state_dict().items():
        name = name.removeprefix("text_model.")
        tensors[f"cond_stage_model.transformer.text_model.{name}"] = value
    save_file({name: value.contiguous() for name, value in tensors.items()}, file)
    return file


def _renamed(name: str, pairs) -> str:
    for new, old in pairs:
        name = re.sub(new, old, name)
    return name


def _old_unet_name(name: str, levels: int, layers: int) -> str:
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
            return f"output_blocks.{(layers + 1) * int(level) + layers}.{'UP'}.{rest}"
        return f"output_blocks.{number}.{int(kind == 'attentions')}.{rest}"

    name = _renamed(
        name,
        [
            (r"^time_embedding\.linear_1", "time_embed.0"),
            (r"^time_embedding\.linear_2", "time_embed.2"),
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
    name = name.replace(".UP.", ".1." if name.startswith(f"output_blocks.{layers}.") else ".2.")
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
