"""What a fine-tune of each family takes at its real size, and on which cards it fits how.

    python -m benchmarks.training_memory [--only NAME]

Nothing is loaded: the networks are built without numbers, from their published configurations, and
one step is rehearsed as `finetune.memory` does before every run (bfloat16, batch 1, text encoder
and VAE put away, gradient checkpointing, LoRA of rank 16). Whether a rehearsal tells the truth,
`benchmarks.full_size` measures at SD 1.5's size. None of these ran on a card.
"""

import argparse
import json
from dataclasses import replace

CARDS = (8, 12, 16, 24)  # GB
USABLE = 0.94  # of a card: the driver and the screen take the rest
FULL_SIZE = {
    "sd15": (512, None),
    "sdxl": (1024, None),
    "z-image": (1024, {}),
    # As scripts/convert_flux2_to_diffusers.py of diffusers has it.
    "flux2-klein": (
        1024,
        {
            "num_layers": 5, "num_single_layers": 20, "attention_head_dim": 128,
            "num_attention_heads": 24, "joint_attention_dim": 7680, "guidance_embeds": False,
            "axes_dims_rope": [32, 32, 32, 32],
        },
    ),
    "flux1": (1024, {"guidance_embeds": True}),
    "qwen-image": (1024, {}),
}  # fmt: skip
LATENT_SCALE = {"flux2-klein": 16}  # px a latent; 8 for the others


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only")
    given = options.parse_args()
    heads = "  ".join(f"{f'{card} GB':>8}" for card in CARDS)
    print(f"{'family':12} {'px':>5} {'network':>8} {'step':>6}   {heads}")
    for name in FULL_SIZE:
        if given.only in (None, name):
            print(row(name), flush=True)


def row(name: str) -> str:
    """One line: GB of the network in 16 bits, GB of a step, and how it fits each card."""
    import torch
    from accelerate import init_empty_weights

    from realism.diffusion.device import Device
    from realism.diffusion.families import FAMILIES
    from realism.diffusion.identify import CONFIGS
    from realism.diffusion.placement import GB, SHARE
    from realism.finetune.memory import MOMENTS, WORKSPACE, _rehearsed

    family, (side, config) = FAMILIES[name], FULL_SIZE[name]
    kind = family.network_class()
    with init_empty_weights():
        own = kind.load_config(str(CONFIGS / name / family.network)) if config is None else config
        network = kind.from_config(own)
    stage = replace(family.preset.stages[1], batch=1, gradient_checkpointing=True)
    device = Device("cuda", torch.bfloat16, torch.bfloat16)
    peak = _rehearsed(
        name, json.dumps(dict(network.config), sort_keys=True),
        side // LATENT_SCALE.get(name, 8), 1, True, stage.rank, stage.targets, device,
    )  # fmt: skip
    trained = sum(
        stage.rank * (module.weight.shape[0] + module.weight[0].numel())
        for layer, module in network.named_modules()
        if layer.endswith(stage.targets) and hasattr(module, "weight")
    )
    step = peak / GB + WORKSPACE + (4 + MOMENTS) * trained / GB
    weights = 2 * sum(parameter.numel() for parameter in network.parameters()) / GB
    cells = []
    for card in CARDS:
        fits = [bits for bits, share in ((16, 1.0), *SHARE.items())
                if weights * share + step <= USABLE * card]  # fmt: skip
        cells.append(f"{fits[0]} bits" if fits else "no")
    told = "  ".join(f"{cell:>8}" for cell in cells)
    return f"{name:12} {side:5} {weights:7.1f}G {step:5.1f}G   {told}"


if __name__ == "__main__":
    main()
