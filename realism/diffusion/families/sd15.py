"""Stable Diffusion 1.x and its kin: one text encoder, 512 px, no more conditioning than tokens.

Rombach et al., "High-resolution image synthesis with latent diffusion models", CVPR 2022.
"""

from __future__ import annotations

from typing import Any

from realism.config import Preset, Stage
from realism.diffusion.families.family import Conditioning, Headers
from realism.diffusion.families.unet import UNetFamily

TEXT_WIDTH = 768  # of CLIP ViT-L, by which SD 1.x is told from SD 2.x (1024)


class SD15(UNetFamily):
    """SD 1.5 and what was trained from it; the embedded base is of this family, too."""

    name = "sd15"
    preset = Preset((Stage(2000, 1e-4, preview_every=500), Stage(800, 1e-4)))
    weight_parts = ("unet", "vae", "text_encoder")
    other_parts = ("tokenizer", "scheduler")
    lora_parts = ("unet", "text_encoder")
    vae_places = ("stabilityai/sd-vae-ft-mse:diffusion_pytorch_model.safetensors",)
    file_resolution = 512

    def recognises_folder(self, name: str, index: dict, network: dict, vae: dict) -> bool:
        self._refuse_other_unets(name, network, vae)
        return network.get("addition_embed_type") is None

    def recognises_file(self, name: str, tensors: Headers) -> bool:
        text = tensors.get(self.text_layer)
        return self._has_unet(name, tensors) and text is not None and text.shape[1] == TEXT_WIDTH

    def pipeline_class(self) -> type[Any]:
        from diffusers import StableDiffusionPipeline

        return StableDiffusionPipeline

    def left_out(self) -> dict[str, Any]:
        return super().left_out() | {"safety_checker": None, "requires_safety_checker": False}

    def encode_text(self, pipeline: Any, captions: list[str], resolution: int) -> Conditioning:
        tokens, _ = pipeline.encode_prompt(captions, pipeline.text_encoder.device, 1, False)
        return {"encoder_hidden_states": tokens}
