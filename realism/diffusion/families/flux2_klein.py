"""FLUX.2 klein: 32 latent channels, four latents a token, three layers of Qwen3 as text.

The 4B is under Apache-2.0, the 9B is not. The undistilled "base" is trained, the distilled one
drawn with, in four steps without guidance; the pipeline's own index says which one it is.

Black Forest Labs, "FLUX.2 [klein]", 2026.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from realism.diffusion.families.family import Conditioning
from realism.diffusion.families.flow import (
    ATTENTION,
    TIMESTEPS,
    TOKENS,
    FlowFamily,
    chat_room,
    flow_preset,
)

if TYPE_CHECKING:
    import torch

# The blocks of one stream keep attention and feed-forward in one matrix each way.
TARGETS = (
    *ATTENTION,
    "to_qkv_mlp_proj",
    *(f"single_transformer_blocks.{number}.attn.to_out" for number in range(24)),
)


class Flux2Klein(FlowFamily):
    """FLUX.2 klein, 4B and 9B."""

    name = "flux2-klein"
    preset = flow_preset(50, 4.0, TARGETS)
    distilled_preset = flow_preset(4, 1.0, TARGETS)
    attention = TARGETS
    pipeline_name = "Flux2KleinPipeline"
    transformer_name = "Flux2Transformer2DModel"
    first_layers = (
        ("double_stream_modulation_img.lin.weight", "double_blocks.0.img_mlp.0.weight"),
        ("double_stream_modulation_img.linear.weight", "transformer_blocks.0.ff.linear_in.weight"),
    )
    undistilled = "black-forest-labs/FLUX.2-klein-base-4B"

    def is_distilled(self, index: dict, network: dict, scheduler: dict) -> bool:
        return bool(index.get("is_distilled"))

    def latent_shape(self, pipeline: Any, resolution: int) -> tuple[int, int, int]:
        side = resolution // (2 * pipeline.vae_scale_factor)
        return 4 * pipeline.vae.config.latent_channels, side, side

    def encode_picture(self, vae: Any, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        latent, (mean, deviation) = vae.encode(picture).latent_dist, self._statistics(vae)
        pack = self.pipeline_class()._patchify_latents
        return (pack(latent.mean) - mean) / deviation, pack(latent.std) / deviation

    def decode_latents(self, vae: Any, latents: torch.Tensor) -> torch.Tensor:
        mean, deviation = self._statistics(vae)
        return vae.decode(self.pipeline_class()._unpatchify_latents(latents * deviation + mean))[0]

    def _statistics(self, vae: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and deviation (1, c, 1, 1) that the VAE keeps of its packed latents."""
        variance = vae.bn.running_var.view(1, -1, 1, 1) + vae.config.batch_norm_eps
        return vae.bn.running_mean.view(1, -1, 1, 1), variance.sqrt()

    def encode_text(self, pipeline: Any, captions: list[str], resolution: int) -> Conditioning:
        text, _ = pipeline.encode_prompt(captions, device=pipeline.text_encoder.device)
        return {"text": text}  # padded to 512: the network reads the padding as well

    def text_reader(self, pipeline: Any) -> tuple[Any, int]:
        return pipeline.tokenizer, chat_room(pipeline.tokenizer, TOKENS, enable_thinking=False)

    def predict(
        self, network: Any, noisy: torch.Tensor, timesteps: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        pipeline, text = self.pipeline_class(), conditioning["text"]
        b, c, h, w = noisy.shape
        answer = network(
            hidden_states=pipeline._pack_latents(noisy),
            timestep=timesteps.expand(b) / TIMESTEPS,
            guidance=None,
            encoder_hidden_states=text,
            txt_ids=pipeline._prepare_text_ids(text).to(noisy.device),
            img_ids=pipeline._prepare_latent_ids(noisy).to(noisy.device),
            return_dict=False,
        )[0]
        return answer.transpose(1, 2).reshape(b, c, h, w)

    def tokens(self, shape: tuple[int, int, int]) -> int:
        return shape[1] * shape[2]

    def schedule_shift(self, config: Any, tokens: int, steps: int) -> float:
        from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu

        return compute_empirical_mu(image_seq_len=tokens, num_steps=steps)

    def uses_negative_prompt(self, pipeline: Any, guidance_scale: float) -> bool:
        return guidance_scale > 1 and not pipeline.config.is_distilled

    def rehearse(self, network: Any, batch: int, side: int) -> torch.Tensor:
        import torch

        config = network.config
        latents = torch.empty(batch, config.in_channels, side, side)
        text = torch.empty(batch, TOKENS, config.joint_attention_dim)
        return self.predict(network, latents, torch.zeros(batch), {"text": text})
