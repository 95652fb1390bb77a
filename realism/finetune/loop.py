"""Step 2: one loop that trains a LoRA, for both stages of `stages.py`.

The loss counts the head and leaves the backdrop nearly out, and counts each noise level by what it
teaches. Walk the generator to train, stop walking to cancel: what was learned so far is kept, and
the next walk goes on from there.

LoRA: Hu et al., ICLR 2022. Loss weights: Hang et al., "Efficient diffusion training via Min-SNR
weighting strategy", ICCV 2023.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realism.config import Stage
from realism.diffusion.base import Base, predict, target
from realism.diffusion.device import free_memory
from realism.diffusion.lora import add_lora, load_lora, remove_loras
from realism.diffusion.placement import bring, bring_all
from realism.errors import InputError, Message
from realism.faces.engine import Engine
from realism.finetune.checkpoint import State, read_state, run_key
from realism.finetune.crops import TrainingCrop, crops_key
from realism.finetune.events import Event, Note, TrainingStep
from realism.finetune.latents import Batch, Latents, draw_batch, encode_crops, read_latents
from realism.finetune.memory import Plan, apply_plan, plan_training
from realism.finetune.pictures import PictureSkipped
from realism.finetune.run_folder import HeldOut, RunFolder, RunProgress

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator


def finetune(
    base: Base,
    crops: Iterable[TrainingCrop | PictureSkipped],
    source: str,
    stage: Stage,
    out: Path,
    description: dict[str, Any],
    prompt: str,
    start_from: Path | None = None,
    held_out: HeldOut | None = None,
    engine: Engine | None = None,
    resume: bool = True,
) -> Iterator[Event]:
    """Train one stage; `out` then holds last/, best/, previews/ and log.json.

    Under `accelerate launch` every process walks its own; the first one writes.

    Parameters
    ----------
    crops : iterable
        Walked only where running/ does not hold them encoded already.
    source : str
        Names what the crops were made from; another source is another run.
    description : dict
        What the LoRA is for; kept beside it, see `lora.save_lora`.
    prompt : str
        Of the previews.
    start_from : Path, optional
        The LoRA whose weights this one continues; None: a new one.
    held_out, engine : HeldOut, Engine, optional
        What previews are compared with, and by what.
    resume : bool
        Go on with an unfinished run of the same settings, base and crops.

    Raises
    ------
    InputError
        Before the first step: nothing to learn from, or too little memory.
    """
    free = free_memory(base.device)
    plan = plan_training(base, stage, free)
    yield Note(plan.message(free))
    if base.distilled:
        yield Note(Message("base_distilled", name=base.name, undistilled=base.family.undistilled))
    lying, base = base, apply_plan(base, plan)
    try:
        accelerator = _accelerator(base)
        first = accelerator.is_main_process
        source = f"{base.fingerprint} {crops_key(base.preset.aligned)} {source}"
        description = {**description, "rank": stage.rank, "targets": sorted(stage.targets)}
        folder = RunFolder(Path(out), base, stage, description, prompt, held_out, engine)
        if first and not resume:
            folder.forget_unfinished()
        if first and read_latents(folder.latents, source) is None:
            yield from encode_crops(base, crops, folder.latents, source)
        accelerator.wait_for_everyone()
        key = run_key(base, stage, source, start_from, accelerator.num_processes)
        state = read_state(folder.state, key)
        if state is None and folder.state.exists():
            yield Note(Message("run_begun_anew"))
        latents = read_latents(folder.latents, source)
        assert latents is not None, "the first process has just encoded them"
        yield from _train(folder, latents, key, state, start_from, accelerator, plan)
    finally:
        bring_all(lying)  # as it lay before


def _train(
    folder: RunFolder,
    latents: Latents,
    key: str,
    state: State | None,
    start_from: Path | None,
    accelerator: Accelerator,
    plan: Plan,
) -> Iterator[Event]:
    """The loop itself; the base is without a LoRA when it ends, however it ends."""
    import torch

    base, stage = folder.base, folder.stage
    first, processes = accelerator.is_main_process, accelerator.num_processes
    try:
        bring(base, base.family.network)
        parameters = _attach_lora(base, stage, start_from, plan.checkpointing)
        optimizer = _optimizer(parameters, stage, plan.small_moments)
        scaler = torch.amp.GradScaler(base.device.name, enabled=base.device.scales_gradients)
        done = RunProgress(key, parameters, optimizer, scaler)
        if state is not None:
            done.restore(state)
        network = accelerator.prepare(base.network)
        began_at, spent = done.number, 0.0

        for number in range(done.number + 1, stage.steps + 1):
            started = time.monotonic()
            batch = draw_batch(latents, stage, number, base, accelerator.process_index, processes)
            loss = _batch_loss(base, network, batch, stage)
            accelerator.backward(scaler.scale(loss))
            scaler.unscale_(optimizer)
            accelerator.clip_grad_norm_(parameters, stage.max_grad_norm)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(stage, number)
            scaler.step(optimizer)  # none where a scaled gradient was not finite
            scaler.update()
            optimizer.zero_grad(set_to_none=True)

            done.number = number
            mean_loss: Any = accelerator.reduce(loss.detach(), "mean")
            done.losses.append(mean_loss.item())
            spent += time.monotonic() - started
            rate = (number - began_at) / spent
            yield TrainingStep(
                number=number,
                of=stage.steps,
                loss=done.losses[-1],
                images_per_second=rate * stage.batch * processes,
                seconds_left=(stage.steps - number) / rate,
            )
            last = number == stage.steps
            if first and (last or number % stage.preview_every == 0):
                yield from folder.save_preview(done)
                bring(base, base.family.network)
            if first and (last or number % stage.save_every == 0):
                yield folder.save_last(done)
            accelerator.wait_for_everyone()
        if first:
            folder.forget_unfinished()
        accelerator.wait_for_everyone()
    except GeneratorExit:
        # Whoever walked us stopped between two steps: the weights are whole.
        if first and done.number > began_at:
            folder.save_last(done)
        raise
    finally:
        remove_loras(base)


def _batch_loss(base: Base, network: Any, batch: Batch, stage: Stage) -> torch.Tensor:
    """The weighted loss of a batch, a number; `network` as accelerate has wrapped it."""
    scheduler = base.noise_scheduler
    noisy = base.family.add_noise(scheduler, batch.latents, batch.noise, batch.timesteps)
    with base.device.training_context():
        prediction = predict(base, noisy, batch.timesteps, batch.conditioning, network)
    wanted = target(base, batch.latents, batch.noise, batch.timesteps)
    return weighted_loss(base, prediction, wanted, batch, stage.min_snr)


def weighted_loss(
    base: Base, prediction: torch.Tensor, wanted: torch.Tensor, batch: Batch, min_snr: float
) -> torch.Tensor:
    """Squared error, counted by place and by noise level.

    Parameters
    ----------
    prediction, wanted : (b, c, h, w)
        Of the network, and as it should be.
    batch : Batch
        Its weight (b, 1, h, w) and timesteps (b,).
    min_snr : float
        gamma: from this signal-to-noise ratio on, cleaner latents count no more; 0: every level
        as the base's own target weighs it.

    References
    ----------
    Hang et al., "Efficient diffusion training via Min-SNR weighting strategy", ICCV 2023.
    """
    error = batch.weight * (prediction.float() - wanted.float()).square()
    error = error.mean((1, 2, 3)) / batch.weight.mean((1, 2, 3))
    level = base.family.loss_weight(base.noise_scheduler, batch.timesteps, min_snr)
    return error.mean() if level is None else (level * error).mean()


def learning_rate(stage: Stage, number: int) -> float:
    """Of step `number`, from 1: up in a line, then down along a cosine."""
    if number < stage.warm_up:
        return stage.learning_rate * number / stage.warm_up
    part = (number - stage.warm_up) / max(stage.steps - stage.warm_up, 1)
    falling = (1 + math.cos(math.pi * part)) / 2
    return stage.learning_rate * (stage.last_rate + (1 - stage.last_rate) * falling)


def _optimizer(
    parameters: list[torch.nn.Parameter], stage: Stage, small_moments: bool = False
) -> torch.optim.Optimizer:
    """AdamW; with moments in 8 bits by bitsandbytes, which `plan_training` has looked for."""
    if small_moments:
        from bitsandbytes.optim import AdamW8bit as AdamW  # pyright: ignore[reportMissingImports]
    else:
        from torch.optim import AdamW
    return AdamW(
        parameters, stage.learning_rate, betas=(0.9, 0.99), weight_decay=stage.weight_decay
    )


def _accelerator(base: Base) -> Accelerator:
    """Accelerate's handle on the processes; with one process it changes nothing."""
    from datetime import timedelta

    from accelerate import Accelerator, InitProcessGroupKwargs

    # The first process may encode a large folder for hours before the others go on.
    patience = InitProcessGroupKwargs(timeout=timedelta(hours=12))
    return Accelerator(
        cpu=base.device.name == "cpu", mixed_precision="no", kwargs_handlers=[patience]
    )


def _attach_lora(
    base: Base, stage: Stage, start_from: Path | None, checkpointing: bool
) -> list[torch.nn.Parameter]:
    """Put the LoRA on the base, new or stage 1's; its matrices, float32, ready to be trained."""
    import torch
    from diffusers.training_utils import cast_training_params

    network = base.network
    if start_from is None:
        with torch.random.fork_rng():
            torch.manual_seed(stage.seed)
            add_lora(base, stage.rank, targets=stage.targets)
    else:
        network.requires_grad_(False)
        load_lora(base, start_from)
        config = network.peft_config["default"]
        if (config.r, set(config.target_modules)) != (stage.rank, set(stage.targets)):
            raise InputError(
                "lora_other_settings",
                lora=start_from,
                rank=config.r,
                targets=sorted(config.target_modules),
            )
    cast_training_params(network, torch.float32)
    if checkpointing:
        network.enable_gradient_checkpointing()
    else:
        network.disable_gradient_checkpointing()
    return [parameter for parameter in network.parameters() if parameter.requires_grad]
