"""What a run leaves in its folder while it trains: previews/, best/, last/, log.json, the state.

previews/step-000100.png    what the LoRA made after a step, at seeds that stay the same
best/                       the LoRA nearest to the held-out photo, the latest of those alike near
last/                       the LoRA after the last step
log.json                    losses and similarities
running/                    encoded crops and the state to go on from; gone when all is done
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from realism.config import Stage
from realism.diffusion.base import Base, decode_latents
from realism.diffusion.denoise import denoise, encode_prompts
from realism.diffusion.lora import save_lora
from realism.disk import write_json
from realism.faces.engine import Engine
from realism.faces.face import similarity
from realism.finetune.checkpoint import State, save_state
from realism.finetune.events import LoraSaved, Preview
from realism.images import save_png

if TYPE_CHECKING:
    import torch

# Cosine: what four previews say of one LoRA varies by as much. Of steps within it the latest is
# taken, for it has learned most.
ALIKE = 0.02


@dataclass(frozen=True, eq=False)
class HeldOut:
    """A photo that is never learned from: its name and embedding (D,) float32."""

    name: str
    embedding: np.ndarray


class RunProgress:
    """What a run has done so far: all that changes from step to step."""

    def __init__(
        self,
        key: str,
        parameters: list[torch.nn.Parameter],
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
    ):
        self.key, self.parameters, self.optimizer = key, parameters, optimizer
        self.scaler = scaler
        self.number = 0
        self.losses: list[float] = []
        self.previews: list[tuple[int, float | None]] = []
        self.new = True  # nothing of this run is in its folder yet

    def restore(self, state: State) -> None:
        """Go on from a state."""
        import torch

        with torch.no_grad():
            for parameter, value in zip(self.parameters, state.lora, strict=True):
                parameter.copy_(value)
        self.optimizer.load_state_dict(state.moments)
        if state.scaler:
            self.scaler.load_state_dict(state.scaler)
        self.number, self.new = state.number, False
        self.losses, self.previews = list(state.losses), list(state.previews)

    def state(self) -> State:
        """All that the next step depends on."""
        lora = [parameter.detach().cpu() for parameter in self.parameters]
        moments, scaler = self.optimizer.state_dict(), self.scaler.state_dict()
        return State(self.number, lora, moments, self.losses, self.previews, scaler)


@dataclass(frozen=True, eq=False)
class RunFolder:
    """Where a run writes, and with what it judges its previews.

    Attributes
    ----------
    path : Path
        The folder.
    base : Base
        With the LoRA on it.
    stage : Stage
        Settings of the run.
    description : dict
        What the LoRA is for; kept beside it, see `lora.save_lora`.
    prompt : str
        Of the previews.
    held_out : HeldOut or None
        With `engine`, what previews are compared with.
    engine : Engine or None
        What finds the faces of previews.
    """

    path: Path
    base: Base
    stage: Stage
    description: dict[str, Any]
    prompt: str
    held_out: HeldOut | None = None
    engine: Engine | None = None

    @property
    def latents(self) -> Path:
        """The encoded crops."""
        return self.path / "running" / "latents.safetensors"

    @property
    def state(self) -> Path:
        """What a killed run goes on from."""
        return self.path / "running" / "state.pt"

    def forget_unfinished(self) -> None:
        """Delete what an unfinished run would go on from."""
        shutil.rmtree(self.path / "running", ignore_errors=True)

    def save_preview(self, done: RunProgress) -> Iterator[Preview | LoraSaved]:
        """A preview; and the LoRA to best/ where `is_best` says so."""
        images = preview_images(self.base, self.stage, self.prompt)
        nearness = None
        if self.held_out is not None and self.engine is not None:
            nearness = float(
                np.mean([_nearness(self.engine, image, self.held_out) for image in images])
            )
        self._clear_earlier_run(done)
        save_png(self.path / "previews" / f"step-{done.number:06d}.png", np.hstack(images))
        best = is_best(nearness, [value for _, value in done.previews if value is not None])
        done.previews.append((done.number, nearness))
        yield Preview(done.number, images, nearness)
        if best:
            self._save_lora("best", done.number, nearness)
            yield LoraSaved(self.path / "best", done.number, True, nearness)

    def save_last(self, done: RunProgress) -> LoraSaved:
        """The LoRA to last/, the log, and the state to go on from."""
        self._clear_earlier_run(done)
        nearness = next((value for step, value in done.previews if step == done.number), None)
        self._save_lora("last", done.number, nearness)
        previews = [{"step": step, "similarity": value} for step, value in done.previews]
        log = {"schema": 1, "losses": done.losses, "previews": previews}
        write_json(self.path / "log.json", log)
        save_state(self.state, done.key, done.state())
        return LoraSaved(self.path / "last", done.number, False, nearness)

    def _save_lora(self, name: str, steps: int, nearness: float | None) -> None:
        description = {**self.description, "steps": steps, "similarity": nearness}
        save_lora(self.base, self.path / name, description)

    def _clear_earlier_run(self, done: RunProgress) -> None:
        """Before the first thing of a new run is written: what an earlier run showed goes."""
        if done.new:
            for folder in ("best", "previews"):
                shutil.rmtree(self.path / folder, ignore_errors=True)
            done.new = False


def is_best(nearness: float | None, earlier: list[float]) -> bool:
    """Whether a step is as near to the held-out photo as any before it, or nearly so."""
    return bool(nearness) and nearness > max(earlier, default=0) - ALIKE


def preview_images(base: Base, stage: Stage, prompt: str) -> list[np.ndarray]:
    """A picture (R, R, 3) uint8 sRGB for each preview seed, by the base as it is now."""
    import torch

    guidance, latents = base.preset.guidance_scale, []
    conditioning = encode_prompts(base, "", prompt)
    for seed in stage.preview_seeds:
        *_, last = denoise(base, conditioning, seed, stage.preview_steps, guidance)
        latents.append(last)
    return list(decode_latents(base, torch.cat(latents)))


def _nearness(engine: Engine, image: np.ndarray, held_out: HeldOut) -> float:
    """Largest cosine of a face on the preview with the held-out photo; 0 without a face."""
    cosines = [similarity(face.embedding, held_out.embedding) for face in engine.find(image)]
    return max(cosines, default=0.0)
