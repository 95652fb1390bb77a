"""Stable Diffusion XL and its kin: two text encoders, 1024 px, conditioned on the picture's size.

Podell et al., "SDXL: improving latent diffusion models for high-resolution image synthesis",
ICLR 2024.
"""

from __future__ import annotations

from typing import Any

from realism.config import Preset, Stage
from realism.diffusion.families.family import Conditioning, Headers
from realism.diffusion.families.unet import UNetFamily
from realism.errors import InputError

SIZES = 6  # numbers of a picture's size: original, crop's corner, target


class SDXL(UNetFamily):
    """SDXL base and what was trained from it; not the refiner."""

    name = "sdxl"
    preset = Preset(
        (
            Stage(2000, 1e-4, batch=2, gradient_checkpointing=True, preview_every=500),
            Stage(800, 1e-4, batch=2, gradient_checkpointing=True),
        )
    )
    weight_parts = ("unet", "vae", "text_encoder", "text_encoder_2")
    other_parts = ("tokenizer", "tokenizer_2", "scheduler")
    lora_parts = ("unet", "text_encoder", "text_encoder_2")
    added_inputs = ("text_embeds", "time_ids")
    vae_places = ("stabilityai/sdxl-vae:diffusion_pytorch_model.safetensors",)
    file_resolution = 1024

    def recognises_folder(self, name: str, index: dict, network: dict, vae: dict) -> bool:
        self._refuse_other_unets(name, network, vae)
        if network.get("addition_embed_type") is None:
            return False
        if not (index.get("text_encoder") or [None])[0]:
            raise InputError("base_sdxl_refiner", name=name)
        return True

    def recognises_file(self, name: str, tensors: Headers) -> bool:
        second_encoder = "conditioner.embedders.1."
        return self._has_unet(name, tensors) and any(
            tensor.startswith(second_encoder) for tensor in tensors
        )

    def pipeline_class(self) -> type[Any]:
        from diffusers import StableDiffusionXLPipeline

        return StableDiffusionXLPipeline

    def tokenizers(self) -> dict[str, Any]:
        # Its second encoder was trained with "!" after the end.
        return super().tokenizers() | {"tokenizer_2": self._tokenizer(pad_token="!")}

    def encode_text(self, pipeline: Any, captions: list[str], resolution: int) -> Conditioning:
        tokens, _, pooled, _ = pipeline.encode_prompt(
            captions, device=pipeline.text_encoder.device, do_classifier_free_guidance=False
        )
        side = float(resolution)
        sizes = tokens.new_tensor([[side, side, 0, 0, side, side]]).repeat(len(captions), 1)
        return {"encoder_hidden_states": tokens, "text_embeds": pooled, "time_ids": sizes}

    def without_prompt(self, pipeline: Any, conditioning: Conditioning, row: int) -> Conditioning:
        if not getattr(pipeline.config, "force_zeros_for_empty_prompt", False):
            return conditioning
        zeroed = {name: conditioning[name].clone() for name in conditioning}
        for name in ("encoder_hidden_states", "text_embeds"):
            zeroed[name][row] = 0
        return zeroed

    def _added_widths(self, config: Any) -> dict[str, int]:
        both = config.projection_class_embeddings_input_dim
        pooled = both - SIZES * config.addition_time_embed_dim
        return {"text_embeds": pooled, "time_ids": SIZES}
