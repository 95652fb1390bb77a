"""What each recommended base takes to draw, and how it would lie on cards of several sizes.

    python -m benchmarks.cards

By the estimate that the program chooses by (`diffusion/placement.py`), from how many numbers the
parts hold: counted from our configurations for Stable Diffusion, as their makers state them for the
rest. A card is taken to have a gigabyte less than it is sold with, and enough memory beside it. No
card was here: the estimate was held against measured memory on the processor only
(`python -m benchmarks.full_size`).
"""

from types import SimpleNamespace
from typing import Any

from realism.diffusion.placement import GB, LADDER, Placement, drawing_memory

CARDS = (8, 12, 16, 24, 32, 48)  # GB as sold
SYSTEM = 1.0  # GB that a card's own screen and libraries take
# Numbers of the parts in thousands of millions, as the makers' model cards and files have them.
STATED = {
    "z-image": {"transformer": 6.15, "text_encoder": 4.02, "vae": 0.084},
    "flux2-klein": {"transformer": 3.88, "text_encoder": 4.02, "vae": 0.084},
    "qwen-image": {"transformer": 20.4, "text_encoder": 8.29, "vae": 0.127},
    "flux1": {"transformer": 11.9, "text_encoder": 0.123, "text_encoder_2": 4.76, "vae": 0.084},
}


def count_parts(family: str, resolution: int) -> Any:
    """How many numbers the parts of a family's bases hold, and px, as `read_base` tells them."""
    if family in STATED:
        stated = {part: int(n * 1e9) for part, n in STATED[family].items()}
        return SimpleNamespace(part_counts=stated, resolution=resolution)
    from realism.diffusion.families import FAMILIES
    from realism.diffusion.identify import CONFIGS
    from realism.diffusion.pipeline import _empty_part

    counts = {
        part: sum(value.numel() for value in _empty_part(CONFIGS / family, part).parameters())
        for part in FAMILIES[family].weight_parts
    }
    return SimpleNamespace(part_counts=counts, resolution=resolution)


def describe(placement: Placement) -> str:
    """A placement in few words."""
    if placement == Placement():
        return "whole"
    return "in turn" + (f", {placement.bits} bits" if placement.bits else "")


def rows() -> dict[str, list[str]]:
    """By family: memory to draw whole and in turn, and how it lies on each of CARDS."""
    import torch

    from realism.diffusion.device import Device
    from realism.diffusion.recommended import recommended_bases

    device = Device("cuda", torch.bfloat16, torch.bfloat16)
    sizes = dict.fromkeys((row.family, row.resolution) for row in recommended_bases()[1:])
    told = {}
    for family, resolution in sizes:
        files = count_parts(family, resolution)
        needed = {place: drawing_memory(files, device, place) / GB for place in LADDER}
        told[family] = [f"{needed[place]:.1f} GB" for place in LADDER[:2]]
        for card in CARDS:
            fits = (place for place in LADDER if needed[place] <= card - SYSTEM)
            chosen = next(fits, None)
            told[family].append("no" if chosen is None else describe(chosen))
    return told


def main() -> None:
    """Print a row for each family, a column for each card."""
    print(" | ".join(["family", "whole", "in turn", *(f"{card} GB" for card in CARDS)]))
    for family, cells in rows().items():
        print(" | ".join([family, *cells]))


if __name__ == "__main__":
    main()
