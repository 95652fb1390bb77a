"""Z-Image and Z-Image-Turbo: one stream of text and picture, Qwen3-4B reads, 16 latent channels.

The network answers picture minus noise at a time that runs from noise to picture: both are turned
round here. Turbo has the same configuration; its scheduler tells it (shift 3, the undistilled 6).

Z-Image Team, "Z-Image: an efficient image generation foundation model with single-stream diffusion
transformer", 2025.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from realism.diffusion.families.family import Conditioning
from realism.diffusion.families.flow import (
    TEXT,
    TIMESTEPS,
    TOKENS,
    FlowFamily,
    chat_room,
    flow_preset,
    pad_texts,
)

if TYPE_CHECKING:
    import torch

TURBO_SHIFT = 3.0  # of Turbo's scheduler; up to it a base counts as distilled


class ZImage(FlowFamily):
    """Z-Image is trained, Turbo drawn with."""

    name = "z-image"
    preset = flow_preset(30, 4.0)
    distilled_preset = flow_preset(8, 1.0)
    pipeline_name = "ZImagePipeline"
    transformer_name = "ZImageTransformer2DModel"
    first_layers = (("cap_embedder.1.weight", "noise_refiner.0.attention_norm1.weight"),)
    undistilled = "Tongyi-MAI/Z-Image"

    def is_distilled(self, index: dict, network: dict, scheduler: dict) -> bool:
        return scheduler.get("shift", 1.0) <= TURBO_SHIFT

    def encode_text(self, pipeline: Any, captions: list[str], resolution: int) -> Conditioning:
        texts, _ = pipeline.encode_prompt(
            list(captions), device=pipeline.text_encoder.device, do_classifier_free_guidance=False
        )
        return pad_texts(texts)

    def text_reader(self, pipeline: Any) -> tuple[Any, int]:
        return pipeline.tokenizer, chat_room(pipeline.tokenizer, TOKENS, enable_thinking=True)

    def predict(
        self, network: Any, noisy: torch.Tensor, timesteps: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        import torch

        read = conditioning["mask"] > 0
        texts = [text[mask] for text, mask in zip(conditioning["text"], read, strict=True)]
        time = (TIMESTEPS - timesteps.expand(len(noisy))) / TIMESTEPS
        answers = network(list(noisy[:, :, None]), time, texts, return_dict=False)[0]
        return -torch.stack(answers)[:, :, 0]

    def guide(
        self, without: torch.Tensor, with_prompt: torch.Tensor, guidance_scale: float
    ) -> torch.Tensor:
        # diffusers counts from the prompt's answer on: its 3 is 4 here, as in every other family.
        return with_prompt + (guidance_scale - 1) * (with_prompt - without)

    def rehearse(self, network: Any, batch: int, side: int) -> torch.Tensor:
        import torch

        config = network.config
        texts = list(torch.empty(batch, TEXT, config.cap_feat_dim))
        latents = list(torch.empty(batch, config.in_channels, 1, side, side))
        return torch.stack(network(latents, torch.zeros(batch), texts, return_dict=False)[0])
