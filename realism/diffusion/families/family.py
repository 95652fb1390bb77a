"""What a family of bases answers: the questions that the rest of the program asks of it.

In the order in which they are asked: is this base of yours, how is it loaded, how do pictures
become latents, how are captions encoded, how is a noisy latent made, denoised and judged, how does
a portrait come out of noise, what of it does a LoRA change. Latents are (b, c, h, w) float32
everywhere outside; what a network wants otherwise (packed, shifted, negated, other timesteps) is
done inside these methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from realism.diffusion.weights import TensorHeader
from realism.errors import InputError

if TYPE_CHECKING:
    import torch

    from realism.config import Preset

# Name of an input of the network to tensor, captions first.
Conditioning = dict[str, "torch.Tensor"]
Headers = Mapping[str, TensorHeader]


class Family(ABC):
    """One family of bases.

    Attributes
    ----------
    name : str
        As `assets/bases.json` and a base's description name it.
    preset : Preset
        Stages, steps and guidance that suit its bases.
    distilled_preset : Preset or None
        The same for its distilled bases, which need few steps; None where there are none.
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
    vae_places : tuple of str
        Where a hub has the VAE that a single file without one is meant for.
    file_resolution : int
        px, of a single file, which does not say it.
    shares_loras : bool
        Whether a LoRA of one of its bases is meant for the others, too: learned on the undistilled
        one, drawn with the distilled one.
    peft_names : bool
        Whether its LoRA files name the layers as peft does.
    whole_files : bool
        Whether a single file holds every part, not the network alone.
    undistilled : str
        Id of the base to be trained where another one is distilled.
    """

    name: ClassVar[str]
    preset: ClassVar[Preset]
    distilled_preset: ClassVar[Preset | None] = None
    shares_loras: ClassVar[bool] = False
    peft_names: ClassVar[bool] = False
    whole_files: ClassVar[bool] = True
    undistilled: ClassVar[str] = ""
    network: ClassVar[str]
    weight_parts: ClassVar[tuple[str, ...]]
    other_parts: ClassVar[tuple[str, ...]]
    lora_parts: ClassVar[tuple[str, ...]]
    attention: ClassVar[tuple[str, ...]]
    file_prefixes: ClassVar[Mapping[str, tuple[str, ...]]]
    vae_places: ClassVar[tuple[str, ...]] = ()
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

    def is_distilled(self, index: dict, network: dict, scheduler: dict) -> bool:
        """Whether a base was distilled to few steps: to be drawn with, not to be trained.

        Parameters
        ----------
        index, network, scheduler : dict
            model_index.json, and the configurations of `self.network` and the scheduler.
        """
        return False

    def noise_refusal(self, name: str, scheduler: dict) -> InputError | None:
        """Why a base is refused whose scheduler's configuration means what `predict` cannot."""
        return None

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

    def convert_file(
        self, part: str, model: Any, tensors: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """A part's tensors from a single file by diffusers' names; a KeyError where one is missing.

        Parameters
        ----------
        part : str
            Of `weight_parts`.
        model : torch.nn.Module
            The part, without numbers.
        tensors : dict
            By the names of the family's first release.
        """
        from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES

        convert = SINGLE_FILE_LOADABLE_CLASSES[type(model).__name__]["checkpoint_mapping_fn"]
        return convert(config=dict(model.config), checkpoint=dict(tensors))

    @abstractmethod
    def noise_scheduler(self, config: dict[str, Any]) -> Any:
        """What adds noise in training, from the configuration of the base's own scheduler."""

    @abstractmethod
    def sampler(self, config: dict[str, Any]) -> Any:
        """What walks from noise to a picture, from the configuration of the base's scheduler."""

    # Pictures and captions.

    @abstractmethod
    def latent_shape(self, pipeline: Any, resolution: int) -> tuple[int, int, int]:
        """Channels, height, width of the latents of a picture of `resolution` px."""

    @abstractmethod
    def encode_picture(self, vae: Any, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The Gaussian of a picture's latents, on the scale that the network works on.

        Parameters
        ----------
        picture : (1, 3, H, W) float32, -1..1

        Returns
        -------
        mean, std : (1, c, h, w) float32
        """

    @abstractmethod
    def decode_latents(self, vae: Any, latents: torch.Tensor) -> torch.Tensor:
        """Latents (1, c, h, w) of the network's scale as a picture (1, 3, H, W), -1..1."""

    @abstractmethod
    def encode_text(self, pipeline: Any, captions: list[str], resolution: int) -> Conditioning:
        """Captions as the network wants them, for an uncropped picture of `resolution` px."""

    def without_prompt(self, pipeline: Any, conditioning: Conditioning, row: int) -> Conditioning:
        """The conditioning with `row`, an empty prompt, as the base met it in training."""
        return conditioning

    @abstractmethod
    def text_reader(self, pipeline: Any) -> tuple[Any, int]:
        """The tokenizer that decides what of a prompt is read, and how many tokens of a prompt."""

    # Training.

    @abstractmethod
    def draw_timesteps(self, scheduler: Any, shares: torch.Tensor) -> torch.Tensor:
        """Timesteps to train at, from numbers (b,) spread evenly over 0..1; of the base's units."""

    @abstractmethod
    def add_noise(
        self, scheduler: Any, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        """Latents (b, c, h, w) with noise, at timesteps (b,) of `draw_timesteps`."""

    @abstractmethod
    def predict(
        self, network: Any, noisy: torch.Tensor, timesteps: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        """The network's answer to noisy latents (b, c, h, w) at timesteps (b,), of their shape."""

    @abstractmethod
    def target(
        self, scheduler: Any, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        """What `predict` should have answered."""

    @abstractmethod
    def loss_weight(
        self, scheduler: Any, timesteps: torch.Tensor, min_snr: float
    ) -> torch.Tensor | None:
        """How much the loss counts each of the timesteps (b,), at `Stage.min_snr`; None: alike."""

    @abstractmethod
    def rehearse(self, network: Any, batch: int, side: int) -> torch.Tensor:
        """The network's answer to `batch` empty latents of `side`: its shapes, for `memory.py`."""

    # Sampling.

    @abstractmethod
    def sampling_timesteps(
        self, sampler: Any, steps: int, shape: tuple[int, int, int], device: str
    ) -> torch.Tensor:
        """Sets `sampler` to so many steps for latents of `shape`; the timesteps it then takes."""

    def uses_negative_prompt(self, pipeline: Any, guidance_scale: float) -> bool:
        """Whether guidance needs the network's answer to the negative prompt as well."""
        return True

    def with_guidance(
        self, pipeline: Any, conditioning: Conditioning, guidance_scale: float
    ) -> Conditioning:
        """The conditioning for a network that reads the guidance scale itself."""
        return conditioning

    def guide(
        self, without: torch.Tensor, with_prompt: torch.Tensor, guidance_scale: float
    ) -> torch.Tensor:
        """Answers without and with the prompt as one; 1 is the prompt's alone."""
        return without + guidance_scale * (with_prompt - without)
