"""Step 2: one loop that trains a LoRA, for both stages of `stages.py`.

The loss counts the head and leaves the backdrop
nearly out, and counts each noise level by what it teaches. Walk the generator to train, stop
walking to cancel: what was learned so far is kept, and the next walk goes on from there.

LoRA: Hu et al., ICLR 2022. Loss weights: Hang et al., "Efficient diffusion training via Min-SNR
weighting strategy", ICCV 2023.
"""

import math
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realism.config import PORTRAITS, Stage
from realism.diffusion.base import Base, decode_latents, predict, target
from realism.diffusion.lora import add_lora, load_lora, save_lora
from realism.disk import write_json
from realism.errors import InputError, Message
from realism.faces.engine import Engine
from realism.faces.face import similarity
from realism.finetune.captions import cropping_key
from realism.finetune.checkpoint import State, read_state, run_key, save_state
from realism.finetune.crops import PictureSkipped, TrainingCrop
from realism.finetune.latents import CropEncoded, draw_batch, encode_crops, read_latents
from realism.finetune.memory import require_memory
from realism.images import save_png


@dataclass(frozen=True)
class StageBegun:
    """A stage has begun: 1 (faces) or 2 (the person), of so many photos or pictures."""

    stage: int
    pictures: int


@dataclass(frozen=True)
class TrainingStep:
    """A step is done.

    number, of           which, from 1
    loss                 weighted, of this batch
    images_per_second    crops learned from, over all processes
    seconds_left         to the last step, without previews
    """

    number: int
    of: int
    loss: float
    images_per_second: float
    seconds_left: float


@dataclass(frozen=True, eq=False)
class Preview:
    """What the LoRA makes now, at seeds that stay the same.

    step          after which step
    images        (H, W, 3) uint8 sRGB, one for each seed
    similarity    mean cosine with the held-out photo, a picture without a face counting 0;
                  None where no photo is held out
    """

    step: int
    images: list[np.ndarray]
    similarity: float | None


@dataclass(frozen=True)
class LoraSaved:
    """The LoRA was written to folder `path`; `best`: the one nearest to the held-out photo."""

    path: Path
    step: int
    best: bool
    similarity: float | None


@dataclass(frozen=True)
class Note:
    """Something to know, one sentence."""

    message: Message


@dataclass(frozen=True, eq=False)
class HeldOut:
    """A photo that is never learned from: its name and embedding (D,)."""

    name: str
    embedding: np.ndarray


Event = StageBegun | CropEncoded | PictureSkipped | Note | TrainingStep | Preview | LoraSaved


def finetune(
    base: Base,
    crops: Iterable[TrainingCrop | PictureSkipped],
    source: str,
    stage: Stage,
    out: Path,
    about: dict,
    prompt: str,
    start_from: Path | None = None,
    held_out: HeldOut | None = None,
    engine: Engine | None = None,
    resume: bool = True,
) -> Iterator[Event]:
    """Train one stage; `out` then holds last/, best/, previews/ and log.json.

    crops         walked only where running/ does not hold them encoded already
    source        names what the crops were made from; another source is another run
    about         what the LoRA is for; kept beside it, see lora.save_lora
    prompt        of the previews
    start_from    the LoRA whose weights this one continues; None: a new one
    held_out      with `engine`, what previews are compared with
    resume        go on with an unfinished run of the same settings, base and crops

    Under `accelerate launch` every process walks its own; the first one writes.
    Raises InputError before the first step: nothing to learn from, or too little memory.
    """
    import torch

    require_memory(base, stage)
    accelerator = _accelerator(base)
    source = f"{base.fingerprint} {cropping_key()} {source}"
    about = {**about, "rank": stage.rank, "targets": sorted(stage.targets)}
    first, processes = accelerator.is_main_process, accelerator.num_processes
    running = Path(out) / "running"
    if first and not resume:
        shutil.rmtree(running, ignore_errors=True)
    if first and read_latents(running / "latents.safetensors", source) is None:
        yield from encode_crops(base, crops, running / "latents.safetensors", source)
    accelerator.wait_for_everyone()
    latents = read_latents(running / "latents.safetensors", source)
    key = run_key(base, stage, source, start_from, processes)
    state = read_state(running / "state.pt", key)
    if state is None and (running / "state.pt").exists():
        yield Note(Message("run_begun_anew"))

    try:
        parameters = _attach_lora(base, stage, start_from)
        optimizer = torch.optim.AdamW(
            parameters, stage.learning_rate, betas=(0.9, 0.99), weight_decay=stage.weight_decay
        )
        done = _Done(key, parameters, optimizer)
        if state is not None:
            done.restore(state)
        unet, optimizer = accelerator.prepare(base.pipeline.unet, optimizer)
        began_at, spent = done.number, 0.0

        for number in range(done.number + 1, stage.steps + 1):
            started = time.monotonic()
            batch = draw_batch(latents, stage, number, base, accelerator.process_index, processes)
            noisy = base.noise_scheduler.add_noise(batch.latents, batch.noise, batch.timesteps)
            with base.device.training_context():
                said = predict(base, noisy, batch.timesteps, batch.words, unet)
            wanted = target(base, batch.latents, batch.noise, batch.timesteps)
            loss = weighted_loss(base, said, wanted, batch, stage.min_snr)
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(parameters, stage.max_grad_norm)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(stage, number)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

            done.number = number
            done.losses.append(accelerator.reduce(loss.detach(), "mean").item())
            spent += time.monotonic() - started
            rate = (number - began_at) / spent
            yield TrainingStep(
                number, stage.steps, done.losses[-1],
                rate * stage.batch * processes, (stage.steps - number) / rate,
            )  # fmt: skip
            last = number == stage.steps
            if first and (last or number % stage.preview_every == 0):
                yield from _show(base, stage, Path(out), about, prompt, held_out, engine, done)
            if first and (last or number % stage.save_every == 0):
                yield _save(base, Path(out), about, done)
            accelerator.wait_for_everyone()
        if first:
            shutil.rmtree(running)
        accelerator.wait_for_everyone()
    except GeneratorExit:
        # Whoever walked us stopped between two steps: the weights are whole.
        if first and done.number > began_at:
            _save(base, Path(out), about, done)
        raise
    finally:
        base.pipeline.unload_lora_weights()


def weighted_loss(base: Base, said, wanted, batch, min_snr: float):
    """Squared error, counted by place and by noise level.

    said, wanted    (b, c, h, w), of the UNet and as it should be
    batch           its weight (b, 1, h, w) and timesteps (b,)
    min_snr         gamma: from this signal-to-noise ratio on, cleaner latents count no more;
                    0: every level as the base's own target weighs it
    """
    error = batch.weight * (said.float() - wanted.float()).square()
    error = error.mean((1, 2, 3)) / batch.weight.mean((1, 2, 3))
    if not min_snr:
        return error.mean()
    alphas = base.noise_scheduler.alphas_cumprod.to(said.device)[batch.timesteps]
    snr = alphas / (1 - alphas)
    velocity = base.noise_scheduler.config.prediction_type == "v_prediction"
    level = snr.clamp(max=min_snr) / (snr + 1 if velocity else snr)
    return (level * error).mean()


def learning_rate(stage: Stage, number: int) -> float:
    """Of step `number`, from 1: up in a line, then down along a cosine."""
    if number < stage.warm_up:
        return stage.learning_rate * number / stage.warm_up
    part = (number - stage.warm_up) / max(stage.steps - stage.warm_up, 1)
    falling = (1 + math.cos(math.pi * part)) / 2
    return stage.learning_rate * (stage.last_rate + (1 - stage.last_rate) * falling)


class _Done:
    """What a run has done so far: all that changes from step to step."""

    def __init__(self, key: str, parameters: list, optimizer):
        self.key, self.parameters, self.optimizer = key, parameters, optimizer
        self.number = 0
        self.losses: list[float] = []
        self.previews: list[tuple[int, float | None]] = []
        self.anew = True  # nothing of this run is in its folder yet

    def restore(self, state: State) -> None:
        import torch

        with torch.no_grad():
            for parameter, value in zip(self.parameters, state.lora, strict=True):
                parameter.copy_(value)
        self.optimizer.load_state_dict(state.moments)
        self.number, self.anew = state.number, False
        self.losses, self.previews = list(state.losses), list(state.previews)

    def state(self) -> State:
        lora = [parameter.detach().cpu() for parameter in self.parameters]
        return State(self.number, lora, self.optimizer.state_dict(), self.losses, self.previews)


def _accelerator(base: Base):
    """Accelerate's handle on the processes; with one process it changes nothing."""
    from datetime import timedelta

    from accelerate import Accelerator, InitProcessGroupKwargs

    # The first process may encode a large folder for hours before the others go on.
    patience = InitProcessGroupKwargs(timeout=timedelta(hours=12))
    return Accelerator(
        cpu=base.device.name == "cpu", mixed_precision="no", kwargs_handlers=[patience]
    )


def _attach_lora(base: Base, stage: Stage, start_from: Path | None) -> list:
    """Put the LoRA on the base, new or stage 1's; its matrices, float32, ready to be trained."""
    import torch
    from diffusers.training_utils import cast_training_params

    unet = base.pipeline.unet
    if start_from is None:
        with torch.random.fork_rng():
            torch.manual_seed(stage.seed)
            add_lora(base, stage.rank, targets=stage.targets)
    else:
        unet.requires_grad_(False)
        load_lora(base, start_from)
        config = unet.peft_config["default"]
        if (config.r, set(config.target_modules)) != (stage.rank, set(stage.targets)):
            raise InputError(
                "lora_other_settings",
                lora=start_from,
                rank=config.r,
                targets=sorted(config.target_modules),
            )
    cast_training_params(unet, torch.float32)
    if stage.gradient_checkpointing:
        unet.enable_gradient_checkpointing()
    else:
        unet.disable_gradient_checkpointing()
    return [parameter for parameter in unet.parameters() if parameter.requires_grad]


def _show(base, stage, out: Path, about, prompt, held_out, engine, done: _Done) -> Iterator[Event]:
    """Preview; and the LoRA to best/ where it is nearer to the held-out photo than ever."""
    images = preview_images(base, stage, prompt)
    near = None
    if held_out is not None and engine is not None:
        near = float(np.mean([_nearness(engine, image, held_out) for image in images]))
    _make_room(out, done)
    save_png(out / "previews" / f"step-{done.number:06d}.png", np.hstack(images))
    best = near is not None and near > max((other for _, other in done.previews), default=0)
    done.previews.append((done.number, near))
    yield Preview(done.number, images, near)
    if best:
        save_lora(base, out / "best", {**about, "steps": done.number, "similarity": near})
        yield LoraSaved(out / "best", done.number, True, near)


def preview_images(base: Base, stage: Stage, prompt: str) -> list[np.ndarray]:
    """A picture (R, R, 3) uint8 sRGB for each preview seed, by the base as it is now."""
    import torch

    seeds = [torch.Generator("cpu").manual_seed(seed) for seed in stage.preview_seeds]
    latents = base.pipeline(
        [prompt] * len(seeds),
        num_inference_steps=stage.preview_steps,
        guidance_scale=PORTRAITS.guidance_scale,
        generator=seeds,
        output_type="latent",
    ).images
    return list(decode_latents(base, latents))


def _nearness(engine: Engine, image: np.ndarray, held_out: HeldOut) -> float:
    cosines = [similarity(face.embedding, held_out.embedding) for face in engine.find(image)]
    return max(cosines, default=0.0)


def _save(base: Base, out: Path, about: dict, done: _Done) -> LoraSaved:
    """The LoRA to last/, the log, and the state to go on from."""
    _make_room(out, done)
    near = next((near for step, near in done.previews if step == done.number), None)
    save_lora(base, out / "last", {**about, "steps": done.number, "similarity": near})
    previews = [{"step": step, "similarity": near} for step, near in done.previews]
    write_json(out / "log.json", {"schema": 1, "losses": done.losses, "previews": previews})
    save_state(out / "running" / "state.pt", done.key, done.state())
    return LoraSaved(out / "last", done.number, False, near)


def _make_room(out: Path, done: _Done) -> None:
    """Before the first thing of a new run is written: what an earlier run showed goes."""
    if done.anew:
        for folder in ("best", "previews"):
            shutil.rmtree(out / folder, ignore_errors=True)
        done.anew = False
