"""Is bf16 faster than float32 for fine-tuning on this processor? `device.py` follows the answer.

    python -m benchmarks.bf16 [--base pocket] [--batch 4] [--steps 5]

Times the same LoRA step (forward, backward, AdamW) on a base, with and without autocast to bf16.
"""

import argparse
import statistics
import time
from dataclasses import replace


def seconds_a_step(base, dtype, batch: int, steps: int) -> list[float]:
    """Seconds of each of `steps` LoRA steps, after one that is not counted.

    Parameters
    ----------
    dtype : torch.dtype or None
        Of autocast; None for float32 throughout.
    """
    import torch

    from realism.diffusion.base import encode_text, predict, target
    from realism.diffusion.lora import add_lora

    device = replace(base.device, autocast=dtype)
    optimizer = torch.optim.AdamW(add_lora(base, 16))
    side = base.resolution // base.pipeline.vae_scale_factor
    latents = torch.randn(batch, base.pipeline.unet.config.in_channels, side, side)
    words = encode_text(base, ["photo portrait of ohwx woman"] * batch)
    taken = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        noise = torch.randn_like(latents)
        timesteps = torch.randint(1000, (batch,))
        noisy = base.noise_scheduler.add_noise(latents, noise, timesteps)
        with device.training_context():
            predicted = predict(base, noisy, timesteps, words)
        loss = torch.nn.functional.mse_loss(
            predicted.float(), target(base, latents, noise, timesteps)
        )
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        taken.append(time.perf_counter() - start)
    base.pipeline.unload_lora_weights()
    return taken[1:]


def main() -> None:
    """Print the median of each way and which one `device.py` should choose."""
    import torch

    from realism.diffusion.base import load_base
    from realism.diffusion.device import BF16_GAIN, Device, measure_bf16_gain

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--base", default="pocket")
    options.add_argument("--batch", type=int, default=4)
    options.add_argument("--steps", type=int, default=5)
    given = options.parse_args()
    base = load_base(given.base, Device("cpu", torch.float32, None))
    print(
        f"{base.name}, {base.resolution} px, batch {given.batch}, {torch.get_num_threads()} threads"
    )
    median = {}
    for name, dtype in (("float32", None), ("bf16", torch.bfloat16)):
        taken = seconds_a_step(base, dtype, given.batch, given.steps)
        median[name] = statistics.median(taken)
        print(f"  {name:8} {median[name]:.3f} s a step ({min(taken):.3f}-{max(taken):.3f})")
    print(f"bf16 takes {median['bf16'] / median['float32']:.2f} of the time of float32;")
    print(
        f"plain products: {measure_bf16_gain():.2f} times as fast in bf16;"
        f" device.py takes it from {BF16_GAIN} on"
    )


if __name__ == "__main__":
    main()
