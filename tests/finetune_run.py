"""Fine-tune a tiny base on painted pictures: run by test_finetune.py in processes of their own.

    python tests/finetune_run.py BASE OUT STEPS BATCH [SECONDS_A_STEP]

Also under `accelerate launch`. Prints every step as it is done.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch

from realism.config import Stage
from realism.diffusion.base import load_base
from realism.diffusion.device import Device
from realism.errors import InputError
from realism.finetune.crops import TrainingCrop
from realism.finetune.events import TrainingStep
from realism.finetune.loop import finetune

# Rounded to bfloat16, one process and two would differ by more than the sums' order.
FLOAT32 = Device("cpu", torch.float32, None)
SUBJECT = "ohwx woman"


def painted_crops(count: int = 6, side: int = 64) -> list[TrainingCrop]:
    """Crops of smooth coloured shapes; always the same."""
    random = np.random.default_rng(0)
    crops = []
    for number in range(count):
        pixels = np.full((side, side, 3), random.integers(40, 200, 3), np.uint8)
        x, y = random.integers(8, side // 2, 2)
        pixels[y : y + 24, x : x + 24] = random.integers(0, 255, 3)
        weight = np.full((side, side), 0.15, np.float32)
        weight[y : y + 24, x : x + 24] = 1
        crops.append(
            TrainingCrop(f"{number}.png", pixels, weight, f"a photo of {SUBJECT} {number % 3}")
        )
    return crops


def tiny_stage(steps: int, batch: int) -> Stage:
    """A stage of a few steps, previews once at the end."""
    return Stage(
        steps, 1e-2, batch=batch, rank=4, warm_up=2, save_every=4, preview_every=100,
        preview_seeds=(1,), preview_steps=2,
    )  # fmt: skip


def main() -> None:
    where, out, steps, batch = sys.argv[1:5]
    pause = float(sys.argv[5]) if len(sys.argv) > 5 else 0.0
    walk = finetune(
        load_base(where, FLOAT32), painted_crops(), "painted", tiny_stage(int(steps), int(batch)),
        Path(out), {"kind": "person", "trigger": SUBJECT}, f"a photo of {SUBJECT}",
    )  # fmt: skip
    try:
        for event in walk:
            if isinstance(event, TrainingStep):
                print("step", event.number, flush=True)
                time.sleep(pause)
    except InputError as error:
        print("unusable", error, flush=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
