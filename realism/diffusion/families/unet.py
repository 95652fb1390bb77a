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
OPEN_CLIP = "conditioner.embedders.1.model."  # SDXL's second text encoder, in single files
PREDICTIONS = ("epsilon", "v_prediction")
# Their networks are asked at other noise levels, or scale what they are given: not by `predict`.
OTHER_NOISE = ("EDM", "FlowMatch", "CMStochastic", "IPNDM", "ScoreSde", "VQDiffusion")
BETAS = ("linear", "scaled_linear", "squaredcos_cap_v2")  # known to the sampler and in training
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

    def noise_refusal(self, name: str, scheduler: dict) -> InputError | None:
        kind = str(scheduler.get("_class_name", ""))
        prediction = scheduler.get("prediction_type", "epsilon")
        known = scheduler.get("beta_schedule", "linear") in BETAS
        if kind.startswith(OTHER_NOISE) or scheduler.get("use_flow_sigmas") or not known:
            return InputError("base_other_noise", name=name, scheduler=kind)
        if prediction not in PREDICTIONS:
            return InputError("base_other_prediction", name=name, prediction=prediction)
        if scheduler.get("rescale_betas_zero_snr") and prediction == "epsilon":
            return InputError("base_noise_without_signal", name=name)
        return None

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

    def convert_file(
        self, part: str, model: Any, tensors: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        from diffusers.loaders.single_file_utils import (
            convert_ldm_clip_checkpoint,
            convert_open_clip_checkpoint,
        )

        if part in (self.network, "vae"):
            diffusers_names = part == "vae" and any("down_blocks." in name for name in tensors)
            return tensors if diffusers_names else super().convert_file(part, model, tensors)
        if part == "text_encoder_2":
            held = convert_open_clip_checkpoint(model, tensors, prefix=OPEN_CLIP)
        else:
            first = {n: t for n, t in tensors.items() if not n.startswith(OPEN_CLIP)}
            held = convert_ldm_clip_checkpoint(first)
        wrapped = hasattr(model, "text_model")
        return {n if wrapped else n.removeprefix("text_model."): t for n, t in held.items()}

    def noise_scheduler(self, config: dict[str, Any]) -> Any:
        from diffusers import DDPMScheduler

        return DDPMScheduler.from_config(config)

    def sampler(self, config: dict[str, Any]) -> Any:
        from diffusers import UniPCMultistepScheduler

        # Where the noise ends without any signal, Karras' levels would all lie at that end.
        karras = not config.get("rescale_betas_zero_snr")
        return UniPCMultistepScheduler.from_config(config, use_karras_sigmas=karras)

    def latent_shape(self, pipeline: Any, resolution: int) -> tuple[int, int, int]:
        side = resolution // pipeline.vae_scale_factor
        return pipeline.vae.config.latent_channels, side, side

    def encode_picture(self, vae: Any, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        latent, (shift, scale) = vae.encode(picture).latent_dist, _latent_scale(vae)
        return (latent.mean - shift) * scale, latent.std * scale

    def decode_latents(self, vae: Any, latents: torch.Tensor) -> torch.Tensor:
        shift, scale = _latent_scale(vae)
        return vae.decode(latents / scale + shift).sample

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
    ) -> torch.Tensor:
        if scheduler.config.prediction_type == "epsilon":
            return noise
        return scheduler.get_velocity(latents, noise, timesteps)

    def loss_weight(
        self, scheduler: Any, timesteps: torch.Tensor, min_snr: float
    ) -> torch.Tensor | None:
        from diffusers.training_utils import compute_snr

        if not min_snr:
            return None
        snr = compute_snr(scheduler, timesteps)
        velocity = scheduler.config.prediction_type == "v_prediction"
        return snr.clamp(max=min_snr) / (snr + 1 if velocity else snr)

    def rehearse(self, network: Any, batch: int, side: int) -> torch.Tensor:
        import torch

        config = network.config
        added = {name: torch.empty(batch, n) for name, n in self._added_widths(config).items()}
        return network(
            torch.empty(batch, config.in_channels, side, side),
            torch.zeros(batch, dtype=torch.long),
            torch.empty(batch, TOKENS, config.cross_attention_dim),
            added_cond_kwargs=added or None,
        ).sample

    def sampling_timesteps(
        self, sampler: Any, steps: int, shape: tuple[int, int, int], device: str
    ) -> torch.Tensor:
        sampler.set_timesteps(steps, device=device)
        return sampler.timesteps

    def _added_widths(self, config: Any) -> dict[str, int]:
        """Numbers for each picture in each of `added_inputs`."""
        return {}


def _latent_scale(vae: Any) -> tuple[Any, Any]:
    """What is taken off a VAE's latents, and what they are then multiplied with."""
    import torch

    config = vae.config
    mean, std = config.get("latents_mean"), config.get("latents_std")
    if mean is None or std is None:
        return config.get("shift_factor") or 0, config.scaling_factor
    mean, std = (torch.tensor(side, device=vae.device).view(1, -1, 1, 1) for side in (mean, std))
    return mean, config.scaling_factor / std
