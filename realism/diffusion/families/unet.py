"""What the families of Stable Diffusion share: a UNet with cross attention that predicts noise.

Latent diffusion: Rombach et al., CVPR 2022. v-prediction: Salimans and Ho, ICLR 2022. Sampler:
UniPC, Zhao et al., NeurIPS 2023, on the noise levels of Karras et al., NeurIPS 2022. Loss weights:
Hang et al., "Efficient diffusion training via Min-SNR weighting strategy", ICCV 2023.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from realism.config import ASSETS
from realism.diffusion.families.family import Conditioning, Family, Headers
from realism.errors import InputError

if TYPE_CHECKING:
    import torch

CLIP = ASSETS / "configs" / "clip"  # the tokenizer's vocabulary and merges, for single files
TOKENS = 77  # that CLIP's text encoder reads, its start and end among them


class UNetFamily(Family):
    """A UNet, a VAE, and one or two of CLIP's text encoders."""

    network = "unet"
    attention = ("to_q", "to_k", "to_v", "to_out.0")
    added_inputs: ClassVar[tuple[str, ...]] = ()  # of conditioning, beside the captions' tokens
    file_prefixes: ClassVar = {
        "network": ("model.diffusion_model.",),
        "vae": ("first_stage_model.",),
        "text": ("cond_stage_model.", "conditioner."),
    }
    # Layers of a single file by which it is known; the second is the first to read the caption.
    first_layer = "model.diffusion_model.input_blocks.0.0.weight"
    text_layer = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"

    def _refuse_other_unets(self, name: str, network: dict, vae: dict) -> None:
        """Raise InputError for a UNet that does not make pictures from text."""
        channels, latent = network.get("in_channels"), vae.get("latent_channels")
        if not isinstance(vae.get("block_out_channels"), list) or not isinstance(channels, int):
            raise InputError("base_configuration_incomplete", name=name)
        if channels == 2 * (latent or 0) + 1:
            raise InputError("base_inpainting", name=name)
        if channels != latent:
            raise InputError(
                "base_not_text_to_image", name=name, unet_channels=channels, vae_channels=latent
            )
        kind = network.get("addition_embed_type")
        if network.get("class_embed_type") or kind not in (None, "text_time"):
            raise InputError("base_other_conditioning", name=name)

    def _has_unet(self, name: str, tensors: Headers) -> bool:
        """Whether a single file holds a UNet; raises InputError for one of inpainting."""
        first = tensors.get(self.first_layer)
        if first is not None and first.shape[1] != 4:
            raise InputError("checkpoint_inpainting", name=name, channels=first.shape[1])
        return first is not None

    def resolution(self, network: dict, vae: dict) -> int:
        size = network.get("sample_size")
        return (size if isinstance(size, int) else 64) * 2 ** (len(vae["block_out_channels"]) - 1)

    def network_class(self) -> type[Any]:
        from diffusers import UNet2DConditionModel

        return UNet2DConditionModel

    def left_out(self) -> dict[str, Any]:
        # Given as None they are neither looked for nor downloaded.
        return {"feature_extractor": None, "image_encoder": None}

    def tokenizers(self) -> dict[str, Any]:
        return {"tokenizer": self._tokenizer()}

    def _tokenizer(self, **more: str) -> Any:
        from transformers import CLIPTokenizer

        vocabulary, merges = str(CLIP / "vocab.json"), str(CLIP / "merges.txt")
        return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TOKENS, **more)

    def noise_scheduler(self, config: dict[str, Any]) -> Any:
        from diffusers import DDPMScheduler

        return DDPMScheduler.from_config(config)

    def sampler(self, config: dict[str, Any]) -> Any:
        from diffusers import UniPCMultistepScheduler

        return UniPCMultistepScheduler.from_config(config, use_karras_sigmas=True)

    def latent_shape(self, pipeline: Any, resolution: int) -> tuple[int, int, int]:
        side = resolution // pipeline.vae_scale_factor
        return pipeline.vae.config.latent_channels, side, side

    def encode_picture(self, vae: Any, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        latent = vae.encode(picture).latent_dist
        return latent.mean * vae.config.scaling_factor, latent.std * vae.config.scaling_factor

    def decode_latents(self, vae: Any, latents: torch.Tensor) -> torch.Tensor:
        return vae.decode(latents / vae.config.scaling_factor).sample

    def text_reader(self, pipeline: Any) -> tuple[Any, int]:
        return pipeline.tokenizer, pipeline.tokenizer.model_max_length - 2  # its start and end

    def draw_timesteps(self, scheduler: Any, shares: torch.Tensor) -> torch.Tensor:
        steps = scheduler.config.num_train_timesteps
        return (shares * steps).long().clamp(max=steps - 1)

    def add_noise(
        self, scheduler: Any, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        return scheduler.add_noise(latents, noise, timesteps)

    def predict(
        self, network: Any, noisy: torch.Tensor, timesteps: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        added = {name: value for name, value in conditioning.items() if name in self.added_inputs}
        return network(
            noisy,
            timesteps,
            conditioning["encoder_hidden_states"],
            added_cond_kwargs=added or None,
        ).sample

    def target(
        self, scheduler: Any, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor | None:
        kind = scheduler.config.prediction_type
        if kind == "epsilon":
            return noise
        return scheduler.get_velocity(latents, noise, timesteps) if kind == "v_prediction" else None

    def loss_weight(
        self, scheduler: Any, timesteps: torch.Tensor, min_snr: float
    ) -> torch.Tensor | None:
        from diffusers.training_utils import compute_snr

        if not min_snr:
            return None
        snr = compute_snr(scheduler, timesteps)
        velocity = scheduler.config.prediction_type == "v_prediction"
        return snr.clamp(max=min_snr) / (snr + 1 if velocity else snr)

    def rehearse(self, network: Any, batch: int, side: int) -> Any:
        import torch

        config = network.config
        added = {name: torch.empty(batch, n) for name, n in self._added_widths(config).items()}
        return network(
            torch.empty(batch, config.in_channels, side, side),
            torch.zeros(batch, dtype=torch.long),
            torch.empty(batch, TOKENS, config.cross_attention_dim),
            added_cond_kwargs=added or None,
        )

    def sampling_timesteps(
        self, sampler: Any, steps: int, shape: tuple[int, int, int], device: str
    ) -> torch.Tensor:
        sampler.set_timesteps(steps, device=device)
        return sampler.timesteps

    def _added_widths(self, config: Any) -> dict[str, int]:
        """Numbers for each picture in each of `added_inputs`."""
        return {}

    def lora_layers(self, pipeline: Any, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
        return pipeline.lora_state_dict(tensors, unet_config=pipeline.unet.config)[0]
