"""What a network's layers were called by those who first released the model.

Trainers without diffusers train these, and write LoRA for them: CompVis' and Stability's names (SD,
SDXL), Black Forest Labs' (FLUX.1, FLUX.2), Tongyi's (Z-Image). One of their layers may be several
of ours one under the other: queries, keys and values. Qwen-Image's are diffusers' own.

As diffusers' conversions of single files read them, single_file_utils.py, 0.42.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

SWAPPED = "~"  # before one of our layers: scale and shift, its halves, are the other way round

Renamed = Iterator[tuple[str, tuple[str, ...]]]  # their layer, and ours under one another in it
Blocks = dict[str, tuple[str, dict[str, str]]]  # their block: ours, and the layers within

_ATTENTION = {
    "img_attn.qkv": "attn.to_q attn.to_k attn.to_v",
    "img_attn.proj": "attn.to_out.0",
    "img_attn.norm.query_norm": "attn.norm_q",
    "img_attn.norm.key_norm": "attn.norm_k",
    "txt_attn.qkv": "attn.add_q_proj attn.add_k_proj attn.add_v_proj",
    "txt_attn.proj": "attn.to_add_out",
    "txt_attn.norm.query_norm": "attn.norm_added_q",
    "txt_attn.norm.key_norm": "attn.norm_added_k",
}
_ENDS = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "final_layer.linear": "proj_out",
    "final_layer.adaLN_modulation.1": f"{SWAPPED}norm_out.linear",
}
FLUX: Blocks = {
    "double_blocks.": (
        "transformer_blocks.",
        _ATTENTION
        | {
            "img_mlp.0": "ff.net.0.proj",
            "img_mlp.2": "ff.net.2",
            "img_mod.lin": "norm1.linear",
            "txt_mlp.0": "ff_context.net.0.proj",
            "txt_mlp.2": "ff_context.net.2",
            "txt_mod.lin": "norm1_context.linear",
        },
    ),
    "single_blocks.": (
        "single_transformer_blocks.",
        {
            "linear1": "attn.to_q attn.to_k attn.to_v proj_mlp",
            "linear2": "proj_out",
            "modulation.lin": "norm.linear",
            "norm.query_norm": "attn.norm_q",
            "norm.key_norm": "attn.norm_k",
        },
    ),
    "": (
        "",
        _ENDS
        | {
            f"{theirs}_in.{place}_layer": f"time_text_embed.{ours}_embedder.linear_{number}"
            for theirs, ours in (("time", "timestep"), ("vector", "text"), ("guidance", "guidance"))
            for number, place in enumerate(("in", "out"), 1)
        },
    ),
}
# XLabs' trainer counts: 1 of the picture, 2 of the text.
FLUX_XLABS: Blocks = {
    "double_blocks.": (
        "transformer_blocks.",
        {
            "qkv_lora1": _ATTENTION["img_attn.qkv"],
            "qkv_lora2": _ATTENTION["txt_attn.qkv"],
            "proj_lora1": _ATTENTION["img_attn.proj"],
            "proj_lora2": _ATTENTION["txt_attn.proj"],
        },
    ),
    "single_blocks.": (
        "single_transformer_blocks.",
        {"qkv": "attn.to_q attn.to_k attn.to_v", "proj": "proj_out"},
    ),
}
FLUX2: Blocks = {
    "double_blocks.": (
        "transformer_blocks.",
        _ATTENTION
        | {
            "img_mlp.0": "ff.linear_in",
            "img_mlp.2": "ff.linear_out",
            "txt_mlp.0": "ff_context.linear_in",
            "txt_mlp.2": "ff_context.linear_out",
        },
    ),
    "single_blocks.": (
        "single_transformer_blocks.",
        {
            "linear1": "attn.to_qkv_mlp_proj",
            "linear2": "attn.to_out",
            "norm.query_norm": "attn.norm_q",
            "norm.key_norm": "attn.norm_k",
        },
    ),
    "": (
        "",
        _ENDS
        | {
            f"{theirs}_in.{place}_layer": f"time_guidance_embed.{ours}_embedder.linear_{number}"
            for theirs, ours in (("time", "timestep"), ("guidance", "guidance"))
            for number, place in enumerate(("in", "out"), 1)
        }
        | {
            f"{name}.lin": f"{name}.linear"
            for name in (
                "double_stream_modulation_img",
                "double_stream_modulation_txt",
                "single_stream_modulation",
            )
        },
    ),
}
_Z_IMAGE_BLOCK = {
    "attention.qkv": "attention.to_q attention.to_k attention.to_v",
    "attention.out": "attention.to_out.0",
    "attention.q_norm": "attention.norm_q",
    "attention.k_norm": "attention.norm_k",
}
Z_IMAGE: Blocks = {
    **{name: (name, _Z_IMAGE_BLOCK) for name in ("layers.", "noise_refiner.", "context_refiner.")},
    "": (
        "",
        {
            "x_embedder": "all_x_embedder.2-1",
            "final_layer.linear": "all_final_layer.2-1.linear",
            "final_layer.adaLN_modulation.1": "all_final_layer.2-1.adaLN_modulation.1",
        },
    ),
}


def first_release_names(network: Any) -> Renamed:
    """The layers of a network under the names of its first release.

    Parameters
    ----------
    network : torch.nn.Module
        Of diffusers.

    Yields
    ------
    (str, tuple of str)
        A layer of theirs, and those of ours that lie one under the other in it. SWAPPED before one
        of ours: its two halves are exchanged.
    """
    names = {re.sub(r"\.base_layer$", "", name) for name, _ in network.named_modules()}
    for theirs, ours in NAMES.get(type(network).__name__, lambda *_: iter(()))(network, names):
        if all(name.removeprefix(SWAPPED) in names for name in ours):
            yield theirs, ours


def _from_blocks(*tables: Blocks) -> Callable[[Any, set[str]], Renamed]:
    def renamed(network: Any, names: set[str]) -> Renamed:
        for their_block, (our_block, layers) in (row for table in tables for row in table.items()):
            starts = [("", "")]
            if our_block:
                numbered = re.compile(re.escape(our_block) + r"(\d+)")
                numbers = {match[1] for name in names if (match := numbered.fullmatch(name))}
                starts = [(f"{their_block}{n}.", f"{our_block}{n}.") for n in sorted(numbers)]
            for theirs, ours in starts:
                for layer, inside in layers.items():
                    yield f"{theirs}{layer}", tuple(_placed(ours, name) for name in inside.split())

    return renamed


def _placed(block: str, name: str) -> str:
    """The name of a layer in a block; what says that its halves are swapped stays in front."""
    swapped = SWAPPED * name.startswith(SWAPPED)
    return f"{swapped}{block}{name.removeprefix(SWAPPED)}"


# --- SD and SDXL -------------------------------------------------------------------------------

_UNET_ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_BLOCK = re.compile(
    r"(?P<side>down|mid|up)_blocks?(?:\.(?P<level>\d+))?"
    r"\.(?P<kind>resnets|attentions|downsamplers|upsamplers)\.(?P<number>\d+)\.(?P<rest>.+)"
)


def _unet(network: Any, names: set[str]) -> Renamed:
    depth = network.config.layers_per_block
    if not isinstance(depth, int):  # an SSD-1B or its like: nobody's first release
        return
    for ours, theirs in _UNET_ENDS.items():
        yield theirs, (ours,)
    for name in names:
        if match := _BLOCK.fullmatch(name):
            yield _unet_block(match, depth, names), (name,)


def _unet_block(match: re.Match[str], depth: int, names: set[str]) -> str:
    """Their name of a layer in a block; `depth` residual blocks lie in a level going down."""
    kind, rest = match["kind"], match["rest"]
    level, number = int(match["level"] or 0), int(match["number"])
    inside = 1 if kind == "attentions" else 0
    rest = rest if inside else _RESNET.get(rest, rest)
    if match["side"] == "mid":
        return f"middle_block.{1 if inside else 2 * number}.{rest}"
    first = level * (depth + 1)
    if kind == "downsamplers":
        return f"input_blocks.{first + depth + 1}.0.op"
    if kind == "upsamplers":
        # The last of a block's parts, after the attention where there is one.
        last = 2 if f"up_blocks.{level}.attentions.0" in names else 1
        return f"output_blocks.{first + depth}.{last}.{rest}"
    if match["side"] == "down":
        return f"input_blocks.{first + number + 1}.{inside}.{rest}"
    return f"output_blocks.{first + number}.{inside}.{rest}"


NAMES: dict[str, Callable[[Any, set[str]], Renamed]] = {
    "UNet2DConditionModel": _unet,
    "FluxTransformer2DModel": _from_blocks(FLUX, FLUX_XLABS),
    "Flux2Transformer2DModel": _from_blocks(FLUX2),
    "ZImageTransformer2DModel": _from_blocks(Z_IMAGE),
}
