"""The parts of the pocket base, of Stable Diffusion's shape, so that diffusers opens them.

A picture of 256 px becomes 16 x 16 x 12 latents, a quarter of the places that the first edition
had: the UNet's time goes into what a head is, and the autoencoder draws the hairs.
"""

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from data_sets.captions import LENGTH

SIDE = 256  # px
LATENTS = 12
GRID = 16  # cells, side of the latents
VAE_WIDTHS = (16, 32, 64, 128, 128)
WIDTHS = (160, 208)  # at 16 x 16 and 8 x 8
TEXT = 192


def new_vae() -> AutoencoderKL:
    blocks = len(VAE_WIDTHS)
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        block_out_channels=VAE_WIDTHS,
        layers_per_block=1,
        latent_channels=LATENTS,
        norm_num_groups=8,
        mid_block_add_attention=False,
        sample_size=SIDE,
    )


@torch.no_grad()
def deepened(shallow: AutoencoderKL) -> AutoencoderKL:
    """An autoencoder with one more halving, whose outer blocks are a first edition's.

    What draws hairs and lids from features of 32 x 32 is kept; the way to 16 x 16 and back is new.
    """
    vae, known = new_vae(), shallow.state_dict()
    last = len(shallow.config.block_out_channels) - 1
    for name, value in vae.state_dict().items():
        old = name
        if name.startswith("decoder.up_blocks."):  # counted from the inside
            number = int(name.split(".")[2]) - 1
            old = name.replace(f"up_blocks.{number + 1}.", f"up_blocks.{number}.", 1)
        elif name.startswith("encoder.down_blocks."):
            number = int(name.split(".")[2])
        elif name.split(".")[1] not in ("conv_in", "conv_out", "conv_norm_out"):
            continue  # the middle, and what makes latents
        else:
            number = 0
        if 0 <= number <= last and old in known and known[old].shape == value.shape:
            value.copy_(known[old])
    return vae


def new_unet() -> UNet2DConditionModel:
    """Attention to words and places at both sizes; attention_head_dim is the number of heads."""
    return UNet2DConditionModel(
        sample_size=GRID,
        in_channels=LATENTS,
        out_channels=LATENTS,
        layers_per_block=1,
        block_out_channels=WIDTHS,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        cross_attention_dim=TEXT,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def new_text_encoder(words: int) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=words,
            hidden_size=TEXT,
            intermediate_size=2 * TEXT,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=LENGTH,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
            projection_dim=TEXT,
        )
    )


def new_scheduler() -> DDIMScheduler:
    """Stable Diffusion's, but with an end that is noise indeed.

    At its .012 the last step still shows a seventh of the latents, and a sample that starts from
    plain noise takes the noise's own chance blobs for a head: Lin et al., "Common diffusion noise
    schedules and sample steps are flawed", 2024.
    """
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.0225,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        steps_offset=1,
        clip_sample=False,
        set_alpha_to_one=False,
    )
