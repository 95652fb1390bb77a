"""Qwen-Image: a large transformer of two streams, Qwen2.5-VL reads, the VAE is one of video.

Qwen Team, "Qwen-Image technical report", 2025.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from realism.diffusion.families.family import Conditioning
from realism.diffusion.families.flow import (
    TEXT,
    TIMESTEPS,
    TOKENS,
    FlowFamily,
    flow_preset,
    pack_latents,
    unpack_latents,
)

if TYPE_CHECKING:
    import torch


class QwenImage(FlowFamily):
    """Qwen-Image and Qwen-Image-2512; the editing ones want a picture as well."""

    name = "qwen-image"
    preset = flow_preset(50, 4.0)
    pipeline_name = "QwenImagePipeline"
    transformer_name = "QwenImageTransformer2DModel"
    first_layers = (("txt_norm.weight", "transformer_blocks.0.img_mod.1.weight"),)

    def latent_shape(self, pipeline: Any, resolution: int) -> tuple[int, int, int]:
        side = 2 * (resolution // (2 * pipeline.vae_scale_factor))
        return pipeline.vae.config.z_dim, side, side

    def encode_picture(self, vae: Any, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        latent = vae.encode(picture[:, :, None]).latent_dist  # a film of one picture
        mean, deviation = self._statistics(vae, picture)
        return (latent.mean[:, :, 0] - mean) / deviation, latent.std[:, :, 0] / deviation

    def decode_latents(self, vae: Any, latents: torch.Tensor) -> torch.Tensor:
        mean, deviation = self._statistics(vae, latents)
        return vae.decode((latents * deviation + mean)[:, :, None]).sample[:, :, 0]

    def _statistics(self, vae: Any, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and deviation (1, c, 1, 1) of the VAE's latents."""
        mean = like.new_tensor(vae.config.latents_mean).view(1, -1, 1, 1)
        return mean, like.new_tensor(vae.config.latents_std).view(1, -1, 1, 1)

    def encode_text(self, pipeline: Any, captions: list[str], resolution: int) -> Conditioning:
        text, mask = pipeline.encode_prompt(
            captions, device=pipeline.text_encoder.device, max_sequence_length=TOKENS
        )
        read = text.new_ones(text.shape[:2]) if mask is None else mask.to(text.dtype)
        return {"text": text, "mask": read}

    def text_reader(self, pipeline: Any) -> tuple[Any, int]:
        end = pipeline.prompt_template_encode.partition("{}")[2]
        tokens = pipeline.tokenizer(end, add_special_tokens=False).input_ids
        return pipeline.tokenizer, TOKENS - len(tokens)

    def predict(
        self, network: Any, noisy: torch.Tensor, timesteps: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        b, _, h, w = noisy.shape
        # A mask costs the fast attention: it is given only where captions differ in length.
        mask = conditioning["mask"] > 0
        answer = network(
            hidden_states=pack_latents(noisy),
            timestep=timesteps.expand(b) / TIMESTEPS,
            encoder_hidden_states=conditioning["text"],
            encoder_hidden_states_mask=None if mask.all() else mask,
            img_shapes=[(1, h // 2, w // 2)] * b,
            return_dict=False,
        )[0]
        return unpack_latents(answer, h, w)

    def guide(
        self, without: torch.Tensor, with_prompt: torch.Tensor, guidance_scale: float
    ) -> torch.Tensor:
        # As the pipeline: a token's answer keeps the length that it has with the prompt.
        first, second = pack_latents(without), pack_latents(with_prompt)
        guided = first + guidance_scale * (second - first)
        length = second.norm(dim=-1, keepdim=True) / guided.norm(dim=-1, keepdim=True)
        return unpack_latents(guided * length, *with_prompt.shape[-2:])

    def rehearse(self, network: Any, batch: int, side: int) -> torch.Tensor:
        import torch

        config = network.config
        return network(
            hidden_states=torch.empty(batch, side * side // 4, config.in_channels),
            timestep=torch.zeros(batch),
            encoder_hidden_states=torch.empty(batch, TEXT, config.joint_attention_dim),
            img_shapes=[(1, side // 2, side // 2)] * batch,
            return_dict=False,
        )[0]
