"""What a family of bases answers: the questions that the rest of the program asks of it.

In the order in which they are asked: is this base of yours, how is it loaded, how are pictures
scaled into latents, how are captions encoded, how is a noisy latent made, denoised and judged, what
of it does a LoRA change. Latents are (b, c, h, w) float32 everywhere outside; what a network wants
otherwise (packed, shifted, other timesteps) is done inside these methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from realism.diffusion.weights import TensorHeader

if TYPE_CHECKING:
    import torch

# Name of an input of the network to tensor, captions first.
Conditioning = dict[str, "torch.Tensor"]
Headers = Mapping[str, TensorHeader]


class Family(ABC):
    """One family of bases.

    Attributes
    ----------
    name : str
        As `config.PRESETS`, `assets/bases.json` and a base's description name it.
    network : str
        The denoising network: its folder, and its attribute of the pipeline.
    weight_parts : tuple of str
        Folders of a base with weights, the network among them.
    other_parts : tuple of str
        Folders that are wanted as well: tokenizers, the scheduler.
    lora_parts : tuple of str
        Parts that a LoRA may change.
    attention : tuple of str
        Layers of the network that a LoRA changes where nothing else is said.
    file_prefixes : dict of str to tuple of str
        Part to how its tensors' names begin in a single file; "network", "vae", "text".
    file_resolution : int
        px, of a single file, which does not say it.
    """

    name: ClassVar[str]
    network: ClassVar[str]
    weight_parts: ClassVar[tuple[str, ...]]
    other_parts: ClassVar[tuple[str, ...]]
    lora_parts: ClassVar[tuple[str, ...]]
    attention: ClassVar[tuple[str, ...]]
    file_prefixes: ClassVar[Mapping[str, tuple[str, ...]]]
    file_resolution: ClassVar[int]

    # Recognised by what its files say.

    @abstractmethod
    def recognises_folder(self, name: str, index: dict, network: dict, vae: dict) -> bool:
        """Whether a folder in diffusers layout is a base of this family.

        Parameters
        ----------
        name : str
            Of the folder, for messages.
        index, network, vae : dict
            model_index.json, and the configurations of `self.network` and the VAE.

        Raises
        ------
        InputError
            It is of this kind, but cannot make a picture from text.
        """

    @abstractmethod
    def recognises_file(self, name: str, tensors: Headers) -> bool:
        """Whether a single file is a base of this family; raises as `recognises_folder`."""

    @abstractmethod
    def resolution(self, network: dict, vae: dict) -> int:
        """px, side of the square that a base was trained at, by its configurations."""

    # Loaded.

    @abstractmethod
    def pipeline_class(self) -> type[Any]:
        """The pipeline of diffusers."""

    @abstractmethod
    def network_class(self) -> type[Any]:
        """The network's class in diffusers, to know what tensors it must have."""

    @abstractmethod
    def left_out(self) -> dict[str, Any]:
        """Arguments by which a pipeline is loaded without parts that are not wanted here."""

    @abstractmethod
    def tokenizers(self) -> dict[str, Any]:
        """Tokenizers for a single file, which holds none, by the pipeline's name for them."""

    @abstractmethod
    def noise_scheduler(self, config: dict[str, Any]) -> Any:
        """What adds noise in training, from the configuration of the base's own scheduler."""

    @abstractmethod
    def sampler(self, config: dict[str, Any]) -> Any:
        """What walks from noise to a picture, from the configuration of the base's scheduler."""

    # Pictures and captions.

    @abstractmethod
    def scale_latents(
        self, vae: Any, mean: torch.Tensor, std: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and deviation of a VAE's latents on the scale that the network works on."""

    @abstractmethod
    def unscale_latents(self, vae: Any, latents: torch.Tensor) -> torch.Tensor:
        """Latents of the network's scale as the VAE decodes them."""

    @abstractmethod
    def encode_text(self, pipeline: Any, captions: list[str], resolution: int) -> Conditioning:
        """Captions as the network wants them, for an uncropped picture of `resolution` px."""

    def without_prompt(self, pipeline: Any, conditioning: Conditioning, row: int) -> Conditioning:
        """The conditioning with `row`, an empty prompt, as the base met it in training."""
        return conditioning

    # Training and sampling.

    @abstractmethod
    def add_noise(
        self, scheduler: Any, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        """Latents (b, c, h, w) with noise, at timesteps (b,) of `noise_scheduler`."""

    @abstractmethod
    def predict(
        self, network: Any, noisy: torch.Tensor, timesteps: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        """The network's answer to noisy latents (b, c, h, w) at timesteps (b,), of their shape."""

    @abstractmethod
    def target(
        self, scheduler: Any, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor | None:
        """What `predict` should have answered; None where the base's kind cannot be trained."""

    @abstractmethod
    def loss_weight(
        self, scheduler: Any, timesteps: torch.Tensor, min_snr: float
    ) -> torch.Tensor | None:
        """How much the loss counts each of the timesteps (b,), at `Stage.min_snr`; None: alike."""

    @abstractmethod
    def rehearse(self, network: Any, batch: int, side: int) -> Any:
        """The network's answer to `batch` empty latents of `side`: its shapes, for `memory.py`."""

    # LoRA.

    @abstractmethod
    def lora_layers(self, pipeline: Any, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
        """A LoRA's tensors, in the form of any known trainer, by diffusers' names of the layers."""
