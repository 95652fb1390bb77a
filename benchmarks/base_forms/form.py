"""One form of a base, and what happens to it: loaded as what it was made from, or refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from benchmarks.tiny_bases import make_sd, make_sdxl, make_thin_sd15, make_thin_sdxl
from realism.diffusion.base import decode_latents, encode_images, encode_text, load_base, predict
from realism.diffusion.device import choose_device
from realism.diffusion.families import FAMILIES
from realism.errors import InputError

if TYPE_CHECKING:
    import torch

MAKERS = {"folder": make_sd, "sdxl": make_sdxl, "file": make_thin_sd15, "sdxl file": make_thin_sdxl}
CAPTION = "photo of ohwx woman"


@dataclass(frozen=True)
class Form:
    """A form in which people have a base.

    Attributes
    ----------
    kind : str
        What it is made from: a key of MAKERS.
    name : str
        What is special about it.
    make : callable
        Takes the folder of a plain base, which it may change, and gives what to load.
    refused : str
        The code with which it must be refused; "" where it must load.
    said : str
        The code of what must be said of it once it is loaded; "" for nothing.
    off : float
        How far its answer may be from the plain base's.
    like : callable or None
        What makes of the plain base's folder the one whose answer it must have.
    drawn : bool
        Whether a picture is made besides.
    """

    kind: str
    name: str
    make: Callable[[Path], Path]
    refused: str = ""
    said: str = ""
    off: float = 1e-6
    like: Callable[[Path], Path] | None = None
    drawn: bool = False


@dataclass(frozen=True)
class Result:
    """What happened to a form.

    Attributes
    ----------
    off : float or None
        Largest difference from the plain base's answer; None where it was refused.
    codes : tuple of str
        Of the refusal, or of what was said.
    sentence : str
        The refusal, or what was said.
    """

    off: float | None
    codes: tuple[str, ...]
    sentence: str

    def verdict(self, form: Form) -> tuple[bool, str]:
        """Whether it went as it must, and what happened in words."""
        if self.off is None:
            return self.codes == (form.refused,), f"refused: {self.sentence}"
        right = not form.refused and self.codes == ((form.said,) if form.said else ())
        right &= self.off <= form.off
        loaded = "exact" if self.off <= 1e-6 else f"loaded, off by {self.off:.2g}"
        return right, f"{loaded}; {self.sentence}" if self.sentence else loaded


class PlainBases:
    """One plain base of each kind, made on first use; forms are made from copies of them."""

    def __init__(self, root: Path):
        self.root = root
        self.answers: dict[str, Any] = {}

    def folder(self, kind: str) -> Path:
        """The folder of a plain base."""
        place = self.root / kind.replace(" ", "-")
        if not place.exists():
            MAKERS[kind](place)
        return place / "base"

    @contextmanager
    def as_family(self, kind: str) -> Iterator[None]:
        """While it runs, single files are read as being as small as the plain base."""
        family = "sdxl" if "sdxl" in kind else "sd15"
        place = self.folder(kind).parent
        configs = place / "configs"
        if not configs.exists():
            only = shutil.ignore_patterns("*.safetensors")
            shutil.copytree(place / "base", configs / family, ignore=only)
        with (
            patch("realism.diffusion.identify.CONFIGS", configs),
            patch("realism.diffusion.families.unet.CLIP", place / "words"),
            patch("realism.diffusion.families.unet.TOKENS", 16),
            patch.object(type(FAMILIES[family]), "file_resolution", 64),
        ):
            yield

    def answer(self, kind: str) -> torch.Tensor:
        """What the plain base answers."""
        if kind not in self.answers:
            self.answers[kind] = _answer(load_base(str(self.folder(kind)), _device()))
        return self.answers[kind]


def try_form(form: Form, plain: PlainBases, folder: Path) -> Result:
    """Make a form in an empty folder, load it, and hold its answer against the plain base's."""
    import torch

    copy = folder / "base"
    folder.mkdir(exist_ok=True)
    shutil.copytree(plain.folder(form.kind), copy)
    with plain.as_family(form.kind):
        expected = plain.answer(form.kind)
        if form.like:
            other = shutil.copytree(plain.folder(form.kind), folder / "like" / "base")
            plainly, expected = expected, _answer(load_base(str(form.like(other)), _device()))
            assert not torch.allclose(plainly, expected, atol=1e-3)  # it makes a difference
        made = form.make(copy)
        try:
            base = load_base(str(made), _device())
            answer = _answer(base)
            if form.drawn:
                decode_latents(base, expected)
        except InputError as error:
            return Result(None, (error.code,), str(error))
    codes = tuple(note.code for note in base.notes)
    off = float((answer - expected).abs().max())
    return Result(off, codes, " ".join(map(str, base.notes)))


def _device():
    import torch

    return replace(choose_device(), name="cpu", dtype=torch.float32, autocast=None)


def _answer(base: Any) -> torch.Tensor:
    """What a base makes of a picture with noise, as a guess of the picture's latents."""
    import numpy as np
    import torch

    ramp = np.linspace(0, 255, 64, dtype=np.uint8)
    picture = np.stack([np.tile(ramp, (64, 1)), np.tile(ramp[:, None], (1, 64))] * 2, axis=-1)
    latents, _ = encode_images(base, picture[None, ..., :3])
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0))
    time = torch.tensor([900])
    with torch.no_grad():
        noisy = base.noise_scheduler.add_noise(latents, noise, time)
        answer = predict(base, noisy, time, encode_text(base, [CAPTION])).float()
        sampler = base.family.sampler(base.pipeline.scheduler.config)
        sampler.set_timesteps(10)
        return sampler.step(answer, sampler.timesteps[0], noisy, return_dict=False)[0]
