"""A sheet of samples of a state of training: the picture to judge by.

One prompt a row, the same noise for a column, so that sheets of two states compare.

    python -m training.pocket.sheet --vae work/vae/vae --unet work/unet/state.pt \
        --out work/sheet.jpg
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import UniPCMultistepScheduler

from training.pocket.export import assembled

PROMPTS = [
    "photo portrait of an east asian woman with long hair, smile, front",
    "photo portrait of a man with short hair, neutral expression, front",
    "photo portrait of an old man, glasses, neutral expression, turned to image left",
    "photo portrait of a young african woman, smile, front, golden light",
    "photo of ohwx person",
    "render portrait of a young white woman with ponytail, smile, front, soft window light",
]
COLUMNS, STEPS, GUIDANCE = 8, 20, 2.0


@torch.no_grad()
def draw(
    vae: Path, unet: Path, out: Path, guidance: float = GUIDANCE, columns: int = COLUMNS
) -> None:
    pipeline = assembled(vae, unet)
    pipeline.scheduler = UniPCMultistepScheduler.from_config(
        pipeline.scheduler.config, use_karras_sigmas=True
    )
    pipeline.set_progress_bar_config(disable=True)
    rows = []
    for prompt in PROMPTS:
        generators = [torch.Generator().manual_seed(seed) for seed in range(columns)]
        made = pipeline(
            [prompt] * columns,
            num_inference_steps=STEPS,
            guidance_scale=guidance,
            generator=generators,
            output_type="np",
        ).images
        rows.append(np.concatenate(list((made * 255).round().astype(np.uint8)), 1))
    sheet = cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(out), sheet, [cv2.IMWRITE_JPEG_QUALITY, 90])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vae", type=Path, default=Path("work/vae/vae"))
    parser.add_argument("--unet", type=Path, default=Path("work/unet/state.pt"))
    parser.add_argument("--out", type=Path, default=Path("work/sheet.jpg"))
    parser.add_argument("--guidance", type=float, default=GUIDANCE)
    o = parser.parse_args()
    draw(o.vae, o.unet, o.out, o.guidance)


if __name__ == "__main__":
    main()
