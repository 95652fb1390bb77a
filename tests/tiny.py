"""Very small Stable Diffusion pipelines with random weights, run through the real path.

`tiny_sd` has the parts of SD 1.5, `tiny_sdxl` those of SDXL, both as folders in diffusers layout,
64 px, three VAE levels, an own tokenizer of a few dozen words. Put in conftest.py as fixtures.
"""

import json
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
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

WORDS = (
    "a photo of ohwx person woman man face studio light soft smile turned to the left right".split()
)


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


def make_sd(folder: Path, seed: int = 0, prediction_type: str = "epsilon", **unet) -> Path:
    """A pipeline shaped like SD 1.5, in float16, at `folder`."""
    torch.manual_seed(seed)
    tokenizer = make_tokenizer(folder / "words")
    StableDiffusionPipeline(
        make_vae(),
        CLIPTextModel(make_text_config(tokenizer, 32)),
        tokenizer,
        make_unet(32, **unet),
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
