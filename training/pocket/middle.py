"""Teach the autoencoder's new middle between known outer blocks, without drawing a pixel.

A first edition's autoencoder makes features of 32 x 32 on its way in and again on its way out.
The deeper autoencoder (`networks.deepened`) keeps those outer blocks; its middle, from 32 x 32 to
the latents of 16 x 16 and back, is new. Here it learns to give the outer decoder the features
that it is used to. That is no goal in itself, but a step costs a sixth of one on pixels; `vae.py`
goes on from what this writes.

    python -m training.pocket.middle --crops work/crops --outer examples/pocket \
        --out work/middle --minutes 8
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

from training.pocket.networks import deepened
from training.pocket.sitting import Clock, add_options, learning_rate, save_whole
from training.pocket.vae import KL, NOISE, PHOTOS, Heads

BATCH = 16
SAVE_EVERY = 60  # s


@torch.no_grad()
def features(outer: AutoencoderKL, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """On the way in, before its middle, and on the way out, after it: (N, 128, 32, 32) each."""
    inward = outer.encoder.conv_in(x)
    for block in outer.encoder.down_blocks:
        inward = block(inward)
    latents = outer.quant_conv(
        outer.encoder.conv_out(F.silu(outer.encoder.conv_norm_out(outer.encoder.mid_block(inward))))
    )
    mode = latents.chunk(2, 1)[0]
    outward = outer.decoder.mid_block(outer.decoder.conv_in(outer.post_quant_conv(mode)))
    return inward.half(), outward.half()


def all_features(outer: AutoencoderKL, heads: Heads, kept: Path) -> tuple[torch.Tensor, ...]:
    """Of all photos, then all renders, plain and mirrored: (N, 2, 128, 32, 32) half, twice."""
    if not kept.exists():
        made = []
        for i in [*heads.photos, *heads.renders]:
            x = heads.whole([i])
            with torch.autocast("cpu", torch.bfloat16):
                made.append(features(outer, torch.cat([x, x.flip(-1)])))
        save_whole([torch.stack([m[k] for m in made]) for k in (0, 1)], kept)
    return torch.load(kept)


def through(
    vae: AutoencoderKL, inward: torch.Tensor
) -> tuple[torch.Tensor, DiagonalGaussianDistribution]:
    """The deeper middle: features in; features out, and what the latents are drawn from."""
    encoder, decoder = vae.encoder, vae.decoder
    x = encoder.down_blocks[-1](encoder.down_blocks[-2].downsamplers[0](inward))
    x = encoder.conv_out(F.silu(encoder.conv_norm_out(encoder.mid_block(x))))
    posterior = DiagonalGaussianDistribution(vae.quant_conv(x).float())
    latents = posterior.sample()
    strength = 2 * NOISE * latents.detach().std() * torch.rand(len(latents), 1, 1, 1)
    strength[: len(latents) * 3 // 8] = 0
    latents = latents + strength * torch.randn_like(latents)
    x = decoder.mid_block(decoder.conv_in(vae.post_quant_conv(latents)))
    return decoder.up_blocks[0](x), posterior


def unlike(made: torch.Tensor, wanted: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Difference of features at two scales, each channel over its own deviation."""
    d = (made.float() - wanted) / scale
    return d.abs().mean() + d.square().mean() + F.avg_pool2d(d, 2).abs().mean()


def train(options: argparse.Namespace) -> None:
    heads = Heads(options.crops)
    outer = AutoencoderKL.from_pretrained(options.outer, subfolder="vae").float().eval()
    torch.manual_seed(options.seed)
    vae, state = deepened(outer), {"number": 0, "used": 0.0}
    new = [
        vae.encoder.down_blocks[-2].downsamplers,
        vae.encoder.down_blocks[-1],
        vae.encoder.mid_block,
    ]
    new += [vae.encoder.conv_norm_out, vae.encoder.conv_out, vae.quant_conv, vae.post_quant_conv]
    new += [vae.decoder.conv_in, vae.decoder.mid_block, vae.decoder.up_blocks[0]]
    parameters = [p for part in new for p in part.parameters()]
    optimizer = torch.optim.AdamW(parameters, options.learning_rate, (0.9, 0.99), weight_decay=1e-4)
    path = options.out / "state.pt"
    if path.exists():
        state = torch.load(path)
        vae.load_state_dict(state["vae"])
        optimizer.load_state_dict(state["optimizer"])
    inward, outward = all_features(outer, heads, options.out / "features.pt")
    scale = outward[::7].float().std((0, 1, 3, 4)).view(-1, 1, 1)
    print(f"{len(inward)} heads, features of {2 * inward.nbytes / 1e9:.1f} GB", flush=True)
    clock = Clock(options.minutes, state["used"])
    torch.manual_seed(options.seed + state["number"])

    def keep() -> None:
        state.update(vae=vae.state_dict(), optimizer=optimizer.state_dict(), used=clock.used)
        save_whole(state, path)
        vae.save_pretrained(options.out / "vae")
        print(f"{clock.used / 60:6.1f} min, step {state['number']}, {told}", flush=True)

    told = ""
    while clock.part < 1:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(options.learning_rate, state["number"], clock.part, warm=50)
        photo = torch.rand(BATCH) < PHOTOS
        which = torch.randint(len(heads.photos), (BATCH,))
        which[~photo] = len(heads.photos) + torch.randint(
            len(heads.renders), (int((~photo).sum()),)
        )
        side = torch.randint(2, (BATCH,))
        with torch.autocast("cpu", torch.bfloat16, enabled=not options.float32):
            got, posterior = through(vae, inward[which, side].float())
        loss = unlike(got, outward[which, side].float(), scale)
        kl = posterior.kl().mean() / (256**2 * 3)
        (loss + KL * kl).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        state["number"] += 1
        told = f"{state['number'] * BATCH} pictures, loss {loss.item():.4f}, kl {kl.item():.4f}"
        if clock.due(SAVE_EVERY):
            keep()
    keep()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--crops", type=Path, default=Path("work/crops"))
    parser.add_argument("--outer", type=Path, default=Path("examples/pocket"))
    parser.add_argument("--out", type=Path, default=Path("work/middle"))
    add_options(parser, minutes=8, rate=1.5e-3)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
