"""Put the trained parts together as a Stable Diffusion pipeline folder for plain diffusers.

The latents' mean and deviation go into the two 1 x 1 convolutions at the ends of the autoencoder,
so that latents have unit variance and `scaling_factor` is 1. Weights are saved in float16.

    python -m training.pocket.export --vae work/vae/vae --unet work/unet/best.pt \
        --out examples/pocket
"""

import argparse
import copy
import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline

from data_sets.captions import new_tokenizer
from training.pocket.networks import new_scheduler, new_text_encoder, new_unet


def folded(vae: AutoencoderKL, mean: torch.Tensor, deviation: torch.Tensor) -> AutoencoderKL:
    """The same autoencoder with latents of mean 0 and deviation 1; mean, deviation (C,)."""
    vae = copy.deepcopy(vae)
    channels = len(mean)
    with torch.no_grad():
        # quant_conv gives mean and log-variance of the posterior, one after the other
        vae.quant_conv.weight[:channels] /= deviation.view(-1, 1, 1, 1)
        vae.quant_conv.bias[:channels] = (vae.quant_conv.bias[:channels] - mean) / deviation
        vae.quant_conv.bias[channels:] -= 2 * deviation.log()
        vae.post_quant_conv.bias += (vae.post_quant_conv.weight[..., 0, 0] * mean).sum(1)
        vae.post_quant_conv.weight *= deviation.view(1, -1, 1, 1)
    vae.register_to_config(scaling_factor=1.0)
    return vae


def assembled(vae_folder: Path, unet_state: Path) -> StableDiffusionPipeline:
    """The pipeline of an autoencoder and a state (or the best) of `unet.py`, float32."""
    saved = torch.load(unet_state, map_location="cpu", weights_only=False)
    vae = folded(AutoencoderKL.from_pretrained(vae_folder), saved["mean"], saved["deviation"])
    tokenizer = new_tokenizer()
    unet, text_encoder = new_unet(), new_text_encoder(len(tokenizer))
    unet.load_state_dict(saved["unet_average"])
    text_encoder.load_state_dict(saved["text_average"])
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def export(pipeline: StableDiffusionPipeline, out: Path) -> None:
    pipeline.to(torch.float16).save_pretrained(out)
    for config in out.glob("*/config.json"):  # where it was trained is nobody's business
        values = json.loads(config.read_text())
        values.pop("_name_or_path", None)
        config.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")
    size = sum(f.stat().st_size for f in out.rglob("*.safetensors"))
    print(f"written to {out}, {size / 1e6:.1f} MB of weights")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vae", type=Path, default=Path("work/vae/vae"))
    parser.add_argument("--unet", type=Path, default=Path("work/unet/state.pt"))
    parser.add_argument("--out", type=Path, default=Path("examples/pocket"))
    options = parser.parse_args()
    export(assembled(options.vae, options.unet), options.out)


if __name__ == "__main__":
    main()
