"""Very small networks of the real classes, one of each family, and what they answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

SIDE = 8  # of latents
LENGTH = 6  # tokens of a caption


@dataclass(frozen=True)
class Model:
    """A base's parts that a LoRA may change.

    Attributes
    ----------
    network : str
        Which of them denoises.
    parts : dict of str to module
        By name in the pipeline.
    answer : callable
        What parts make of always the same input: tensors.
    """

    network: str
    parts: dict[str, Any]
    answer: Callable[[dict[str, Any]], list[torch.Tensor]]


@cache
def build(family: str) -> Model:
    """The model of a family, its weights random and always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = _BUILDERS[family]()
    for part in model.parts.values():
        part.eval().requires_grad_(False)
        # Zero biases and unit norms would hide what is added to them.
        for name, value in part.named_parameters():
            if value.ndim == 1:
                value.data += 0.1 * torch.rand(value.shape, generator=_dice(len(name)))
    return model


def _dice(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _unet(width: int, **more: Any) -> Any:
    from diffusers import UNet2DConditionModel

    given = {
        "sample_size": SIDE,
        "block_out_channels": (8, 16),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "attention_head_dim": 4,
        "cross_attention_dim": width,
    }
    return UNet2DConditionModel(**{**given, **more})


def _clip(projection: bool = False) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=LENGTH, projection_dim=12, eos_token_id=49,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config)


_WORDS = torch.tensor([[0, 7, 11, 23, 42, 49]])


def _sd() -> Model:
    def answer(parts: dict[str, Any]) -> list[torch.Tensor]:
        text = parts["text_encoder"](_WORDS).last_hidden_state
        noisy = torch.randn(1, 4, SIDE, SIDE, generator=_dice(1))
        return [text, parts["unet"](noisy, torch.tensor([500]), text).sample]

    return Model("unet", {"unet": _unet(16), "text_encoder": _clip()}, answer)


def _sdxl() -> Model:
    def answer(parts: dict[str, Any]) -> list[torch.Tensor]:
        first = parts["text_encoder"](_WORDS).last_hidden_state
        second = parts["text_encoder_2"](_WORDS)
        added = {"text_embeds": second.text_embeds, "time_ids": torch.ones(1, 6)}
        text = torch.cat([first, second.last_hidden_state], -1)
        noisy = torch.randn(1, 4, SIDE, SIDE, generator=_dice(1))
        step = torch.tensor([500])
        return [first, parts["unet"](noisy, step, text, added_cond_kwargs=added).sample]

    unet = _unet(
        32,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=6 * 4 + 12,
        use_linear_projection=True,
    )
    parts = {"unet": unet, "text_encoder": _clip(), "text_encoder_2": _clip(projection=True)}
    return Model("unet", parts, answer)


def _ids(length: int, axes: int) -> torch.Tensor:
    places = torch.zeros(length, axes)
    places[:, -1] = torch.arange(length)
    return places


def _flux() -> Model:
    from diffusers import FluxTransformer2DModel

    network = FluxTransformer2DModel(
        in_channels=8, num_layers=1, num_single_layers=2, attention_head_dim=8,
        num_attention_heads=2, joint_attention_dim=16, pooled_projection_dim=12,
        guidance_embeds=True, axes_dims_rope=(2, 2, 4),
    )  # fmt: skip

    def answer(parts: dict[str, Any]) -> list[torch.Tensor]:
        return [
            parts["transformer"](
                hidden_states=torch.randn(1, 16, 8, generator=_dice(1)),
                encoder_hidden_states=torch.randn(1, LENGTH, 16, generator=_dice(2)),
                pooled_projections=torch.randn(1, 12, generator=_dice(3)),
                timestep=torch.tensor([0.5]),
                img_ids=_ids(16, 3),
                txt_ids=_ids(LENGTH, 3),
                guidance=torch.tensor([3.5]),
            ).sample
        ]

    return Model("transformer", {"transformer": network}, answer)


def _flux2() -> Model:
    from diffusers import Flux2Transformer2DModel

    network = Flux2Transformer2DModel(
        in_channels=8, num_layers=1, num_single_layers=2, attention_head_dim=8,
        num_attention_heads=2, joint_attention_dim=16, axes_dims_rope=(2, 2, 2, 2),
        guidance_embeds=False,
    )  # fmt: skip

    def answer(parts: dict[str, Any]) -> list[torch.Tensor]:
        return [
            parts["transformer"](
                hidden_states=torch.randn(1, 16, 8, generator=_dice(1)),
                encoder_hidden_states=torch.randn(1, LENGTH, 16, generator=_dice(2)),
                timestep=torch.tensor([0.5]),
                img_ids=_ids(16, 4),
                txt_ids=_ids(LENGTH, 4),
            ).sample
        ]

    return Model("transformer", {"transformer": network}, answer)


def _z_image() -> Model:
    from diffusers import ZImageTransformer2DModel

    network = ZImageTransformer2DModel(
        in_channels=4, dim=16, n_layers=2, n_refiner_layers=1, n_heads=2, n_kv_heads=2,
        cap_feat_dim=16, axes_dims=[2, 2, 4], axes_lens=[64, 64, 64],
    )  # fmt: skip

    def answer(parts: dict[str, Any]) -> list[torch.Tensor]:
        noisy = [torch.randn(4, 1, SIDE, SIDE, generator=_dice(1))]
        text = [torch.randn(LENGTH, 16, generator=_dice(2))]
        return list(parts["transformer"](noisy, torch.tensor([0.5]), text).sample)

    return Model("transformer", {"transformer": network}, answer)


def _qwen() -> Model:
    from diffusers import QwenImageTransformer2DModel

    network = QwenImageTransformer2DModel(
        in_channels=8, out_channels=2, num_layers=2, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=16, axes_dims_rope=(2, 2, 4),
    )  # fmt: skip

    def answer(parts: dict[str, Any]) -> list[torch.Tensor]:
        return [
            parts["transformer"](
                hidden_states=torch.randn(1, 16, 8, generator=_dice(1)),
                encoder_hidden_states=torch.randn(1, LENGTH, 16, generator=_dice(2)),
                encoder_hidden_states_mask=torch.ones(1, LENGTH, dtype=torch.long),
                timestep=torch.tensor([0.5]),
                img_shapes=[[(1, 4, 4)]],
            ).sample
        ]

    return Model("transformer", {"transformer": network}, answer)


_BUILDERS = {
    "SD 1.5": _sd,
    "SDXL": _sdxl,
    "FLUX.1": _flux,
    "FLUX.2": _flux2,
    "Z-Image": _z_image,
    "Qwen-Image": _qwen,
}
FAMILIES = tuple(_BUILDERS)
