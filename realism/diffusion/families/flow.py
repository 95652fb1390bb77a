"""What the families of rectified flow share: a transformer that tells the way from noise to image.

A noisy latent lies on the straight line between picture and noise, (1 - s) x + s n, and the network
answers n - x. Timesteps are 1000 s; how they are spread is the base's scheduler's.

Liu et al., "Flow straight and fast: learning to generate and transfer data with rectified flow",
ICLR 2023. Esser et al., "Scaling rectified flow transformers for high-resolution image synthesis",
ICML 2024. Formulas as diffusers 0.42 has them in its pipelines and in examples/dreambooth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from realism.config import Preset, Stage
from realism.diffusion.families.family import Conditioning, Family, Headers
from realism.errors import InputError

if TYPE_CHECKING:
    import torch

TIMESTEPS = 1000  # of every scheduler of these families
TOKENS = 512  # of a caption, as the pipelines of diffusers read it
TEXT = 64  # tokens that a caption of ours is about as long as, where it is not padded
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
# Names that a single file's tensors may begin with: ComfyUI's, none.
FILE_PREFIXES = ("model.diffusion_model.", "")


def flow_preset(steps: int, guidance_scale: float, targets: tuple[str, ...] = ATTENTION) -> Preset:
    """A preset of a large transformer: one picture at a time, checkpointed, loss unweighted."""
    first = Stage(
        2000, 1e-4, batch=1, targets=targets, min_snr=0.0, gradient_checkpointing=True,
        preview_every=500, preview_seeds=(1, 2), preview_steps=min(steps, 20),
    )  # fmt: skip
    second = Stage(
        800, 1e-4, batch=1, targets=targets, min_snr=0.0, gradient_checkpointing=True,
        preview_seeds=(1, 2), preview_steps=min(steps, 20),
    )  # fmt: skip
    return Preset((first, second), guidance_scale, steps)


class FlowFamily(Family):
    """A transformer, a VAE, and text encoders that may be language models.

    Attributes
    ----------
    pipeline_name, transformer_name : str
        Classes of diffusers, by which a folder is known.
    first_layers : tuple of tuple of str
        Tensors by which a single file is known, without a prefix: as its maker names them, as
        diffusers does.
    """

    network = "transformer"
    weight_parts = ("transformer", "vae", "text_encoder")
    other_parts = ("tokenizer", "scheduler")
    lora_parts = ("transformer",)
    attention = ATTENTION
    file_prefixes: ClassVar = {"network": FILE_PREFIXES}
    file_resolution = 1024
    shares_loras = True
    peft_names = True
    whole_files = False
    pipeline_name: ClassVar[str]
    transformer_name: ClassVar[str]
    first_layers: ClassVar[tuple[tuple[str, ...], ...]]

    def recognises_folder(self, name: str, index: dict, network: dict, vae: dict) -> bool:
        if network.get("_class_name") != self.transformer_name:
            return False
        if index.get("_class_name") != self.pipeline_name:
            kind = str(index.get("_class_name"))
            raise InputError("base_other_pipeline", name=name, pipeline=kind)
        return True

    def recognises_file(self, name: str, tensors: Headers) -> bool:
        return any(
            all(f"{prefix}{layer}" in tensors for layer in layers)
            for prefix in FILE_PREFIXES
            for layers in self.first_layers
        )

    def resolution(self, network: dict, vae: dict) -> int:
        # The pipelines' own default; a VAE made for less says so.
        size = vae.get("sample_size")
        return size if isinstance(size, int) else 1024

    def noise_refusal(self, name: str, scheduler: dict) -> InputError | None:
        kind = str(scheduler.get("_class_name", "FlowMatchEulerDiscreteScheduler"))
        if kind.startswith("FlowMatch") or scheduler.get("use_flow_sigmas"):
            return None
        return InputError("base_other_noise", name=name, scheduler=kind)

    def convert_file(
        self, part: str, model: Any, tensors: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        for prefix in FILE_PREFIXES:
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
        if set(tensors) <= set(model.state_dict()):
            return tensors  # by diffusers' names already
        try:
            return super().convert_file(part, model, tensors)
        except IndexError as error:  # of a file that lacks every block
            raise KeyError(self.first_layers[0][0]) from error

    def pipeline_class(self) -> type[Any]:
        import diffusers

        return getattr(diffusers, self.pipeline_name)

    def network_class(self) -> type[Any]:
        import diffusers

        return getattr(diffusers, self.transformer_name)

    def left_out(self) -> dict[str, Any]:
        return {}

    def tokenizers(self) -> dict[str, Any]:
        return {}

    def noise_scheduler(self, config: dict[str, Any]) -> Any:
        from diffusers import FlowMatchEulerDiscreteScheduler

        return FlowMatchEulerDiscreteScheduler.from_config(config)

    def sampler(self, config: dict[str, Any]) -> Any:
        return self.noise_scheduler(config)

    def latent_shape(self, pipeline: Any, resolution: int) -> tuple[int, int, int]:
        # Two by two latents are one token: the side must be even.
        side = 2 * (resolution // (2 * pipeline.vae_scale_factor))
        return pipeline.vae.config.latent_channels, side, side

    def encode_picture(self, vae: Any, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        latent, config = vae.encode(picture).latent_dist, vae.config
        mean = (latent.mean - (config.shift_factor or 0)) * config.scaling_factor
        return mean, latent.std * config.scaling_factor

    def decode_latents(self, vae: Any, latents: torch.Tensor) -> torch.Tensor:
        config = vae.config
        return vae.decode(latents / config.scaling_factor + (config.shift_factor or 0)).sample

    def draw_timesteps(self, scheduler: Any, shares: torch.Tensor) -> torch.Tensor:
        steps = scheduler.config.num_train_timesteps
        return scheduler.timesteps[(shares * steps).long().clamp(max=steps - 1)]

    def add_noise(
        self, scheduler: Any, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        share = (timesteps / TIMESTEPS).view(-1, 1, 1, 1)
        return (1 - share) * latents + share * noise

    def target(
        self, scheduler: Any, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor | None:
        return noise - latents

    def loss_weight(
        self, scheduler: Any, timesteps: torch.Tensor, min_snr: float
    ) -> torch.Tensor | None:
        return None  # every level alike, as diffusers' own scripts: weighting_scheme "none"

    def sampling_timesteps(
        self, sampler: Any, steps: int, shape: tuple[int, int, int], device: str
    ) -> torch.Tensor:
        import numpy as np

        sigmas = np.linspace(1.0, 1 / steps, steps)
        shift = self.schedule_shift(sampler.config, self.tokens(shape), steps)
        sampler.set_timesteps(sigmas=sigmas, mu=shift, device=device)
        sampler.set_begin_index(0)
        return sampler.timesteps

    def tokens(self, shape: tuple[int, int, int]) -> int:
        """Tokens of the transformer that latents of `shape` become."""
        return shape[1] * shape[2] // 4

    def schedule_shift(self, config: Any, tokens: int, steps: int) -> float:
        """How far a dynamic schedule is shifted towards noise for so many tokens."""
        first, last = config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096)
        low, high = config.get("base_shift", 0.5), config.get("max_shift", 1.15)
        return low + (high - low) * (tokens - first) / (last - first)

    def uses_negative_prompt(self, pipeline: Any, guidance_scale: float) -> bool:
        return guidance_scale > 1


def pad_texts(texts: list[torch.Tensor]) -> Conditioning:
    """Texts (n, d) of different lengths as one tensor (b, longest, d), and which of it is text."""
    import torch

    mask = [torch.ones(len(text), device=text.device, dtype=text.dtype) for text in texts]
    pad = torch.nn.utils.rnn.pad_sequence
    return {"text": pad(texts, batch_first=True), "mask": pad(mask, batch_first=True)}


def chat_room(tokenizer: Any, most: int, **template: Any) -> int:
    """How many tokens of a prompt are read when a chat's own tokens stand around it."""
    empty = tokenizer.apply_chat_template(
        [{"role": "user", "content": ""}], tokenize=False, add_generation_prompt=True, **template
    )
    return most - len(tokenizer(empty, add_special_tokens=False).input_ids)


def pack_latents(latents: torch.Tensor) -> torch.Tensor:
    """Latents (b, c, h, w) as tokens (b, h/2 * w/2, 4c), two by two."""
    b, c, h, w = latents.shape
    blocks = latents.view(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return blocks.reshape(b, h * w // 4, 4 * c)


def unpack_latents(tokens: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """The other way: tokens as latents (b, c, height, width)."""
    b, _, c = tokens.shape
    blocks = tokens.view(b, height // 2, width // 2, c // 4, 2, 2).permute(0, 3, 1, 4, 2, 5)
    return blocks.reshape(b, c // 4, height, width)
