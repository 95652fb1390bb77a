"""FLUX.1: two streams of text and picture, then one; CLIP and T5 read, 16 latent channels.

Dev and Krea read the guidance scale themselves and are trained at 1; schnell is distilled to four
steps and reads none. Only schnell is under Apache-2.0, dev and Krea are non-commercial.

Black Forest Labs, "FLUX.1", 2024.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from realism.diffusion.families.family import Conditioning
from realism.diffusion.families.flow import (
    ATTENTION,
    TIMESTEPS,
    TOKENS,
    FlowFamily,
    flow_preset,
    pack_latents,
    unpack_latents,
)

if TYPE_CHECKING:
    import torch

TARGETS = (
    *(f"attn.{layer}" for layer in ATTENTION),
    *(f"attn.{layer}" for layer in ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")),
    *(f"{part}.net.{layer}" for part in ("ff", "ff_context") for layer in ("0.proj", "2")),
)
TRAINING_GUIDANCE = 1.0  # of a base that reads it: diffusers' README_flux trains so


class Flux1(FlowFamily):
    """FLUX.1 dev, Krea dev and schnell."""

    name = "flux1"
    preset = flow_preset(28, 3.5, TARGETS)
    distilled_preset = flow_preset(4, 1.0, TARGETS)
    weight_parts = ("transformer", "vae", "text_encoder", "text_encoder_2")
    other_parts = ("tokenizer", "tokenizer_2", "scheduler")
    lora_parts = ("transformer", "text_encoder")
    attention = TARGETS
    pipeline_name = "FluxPipeline"
    transformer_name = "FluxTransformer2DModel"
    first_layers = (
        ("double_blocks.0.img_attn.proj.weight", "vector_in.in_layer.weight"),
        (
            "transformer_blocks.0.norm1_context.linear.weight",
            "time_text_embed.text_embedder.linear_1.weight",
        ),
    )
    undistilled = "black-forest-labs/FLUX.1-dev"

    def is_distilled(self, index: dict, network: dict, scheduler: dict) -> bool:
        return not network.get("guidance_embeds")

    def left_out(self) -> dict[str, Any]:
        return {"feature_extractor": None, "image_encoder": None}

    def encode_text(self, pipeline: Any, captions: list[str], resolution: int) -> Conditioning:
        text, pooled, _ = pipeline.encode_prompt(
            captions, device=pipeline.text_encoder.device, max_sequence_length=TOKENS
        )
        return {"text": text, "pooled": pooled}

    def text_reader(self, pipeline: Any) -> tuple[Any, int]:
        return pipeline.tokenizer_2, TOKENS - 1  # its end is a token, too

    def predict(
        self, network: Any, noisy: torch.Tensor, timesteps: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        import torch

        b, _, h, w = noisy.shape
        text, guidance = conditioning["text"], conditioning.get("guidance")
        # Several processes wrap the network: what it is made of is then one level deeper.
        reads_guidance = getattr(network, "module", network).config.guidance_embeds
        if guidance is None and reads_guidance:
            guidance = torch.full((b,), TRAINING_GUIDANCE, device=noisy.device)
        places = self.pipeline_class()._prepare_latent_image_ids
        answer = network(
            hidden_states=pack_latents(noisy),
            timestep=timesteps.expand(b) / TIMESTEPS,
            guidance=guidance,
            pooled_projections=conditioning["pooled"],
            encoder_hidden_states=text,
            txt_ids=text.new_zeros(text.shape[1], 3),
            img_ids=places(b, h // 2, w // 2, noisy.device, text.dtype),
            return_dict=False,
        )[0]
        return unpack_latents(answer, h, w)

    def uses_negative_prompt(self, pipeline: Any, guidance_scale: float) -> bool:
        return False

    def with_guidance(
        self, pipeline: Any, conditioning: Conditioning, guidance_scale: float
    ) -> Conditioning:
        import torch

        if not pipeline.transformer.config.guidance_embeds:
            return conditioning
        text = conditioning["text"]
        return {
            **conditioning,
            "guidance": torch.full((len(text),), guidance_scale, device=text.device),
        }

    def rehearse(self, network: Any, batch: int, side: int) -> torch.Tensor:
        import torch

        config = network.config
        conditioning = {
            "text": torch.empty(batch, TOKENS, config.joint_attention_dim),
            "pooled": torch.empty(batch, config.pooled_projection_dim),
        }
        latents = torch.empty(batch, config.in_channels // 4, side, side)
        return self.predict(network, latents, torch.zeros(batch), conditioning)
