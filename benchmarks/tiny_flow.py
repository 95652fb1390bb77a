"""Very small bases of rectified flow with random weights, of the real classes.

One function a family; each makes a folder in diffusers layout, 64 px, with a text encoder and a
tokenizer of its own: language models, T5 and CLIP of a few dimensions.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    FluxPipeline,
    FluxTransformer2DModel,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPTextModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from benchmarks.tiny_bases import WORDS, _renamed, make_text_config, make_tokenizer

CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if not enable_thinking %}<think>{% endif %}{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def make_chat_tokenizer() -> Qwen2Tokenizer:
    """Single bytes as tokens, and a chat's own."""
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate((*SPECIAL, *letters))}
    tokenizer = Qwen2Tokenizer(vocab=vocabulary, merges=[], model_max_length=2048)
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL[1:])})
    tokenizer.chat_template = CHAT
    return tokenizer


def make_language_config(tokenizer: Qwen2Tokenizer, layers: int) -> dict:
    """A language model of 32 dimensions."""
    return {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 32,
        "num_hidden_layers": layers, "num_attention_heads": 2, "num_key_value_heads": 1,
        "head_dim": 16, "max_position_embeddings": 2048, "pad_token_id": 0, "bos_token_id": None,
        "eos_token_id": 0,
    }  # fmt: skip


def make_flow_vae(kind: type = AutoencoderKL, **more):
    """A VAE that makes a latent of each 8×8 px, scaled and shifted."""
    return kind(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
        layers_per_block=1,
        sample_size=64,
        **more,
    )


def make_z_image(folder: Path, distilled: bool = False) -> Path:
    """Z-Image; Turbo differs by its scheduler's shift."""
    tokenizer = make_chat_tokenizer()
    return _save(folder, lambda: ZImagePipeline(
        FlowMatchEulerDiscreteScheduler(shift=3.0 if distilled else 6.0),
        make_flow_vae(latent_channels=16, scaling_factor=0.36, shift_factor=0.12),
        Qwen3Model(Qwen3Config(**make_language_config(tokenizer, 3))),
        tokenizer,
        ZImageTransformer2DModel(
            dim=32, n_layers=2, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=32,
            axes_dims=[4, 6, 6], axes_lens=[1024, 64, 64],
        ),
    ))  # fmt: skip


def make_flux2_klein(folder: Path, distilled: bool = False) -> Path:
    """FLUX.2 klein, with as many layers of text as the pipeline takes from."""
    tokenizer = make_chat_tokenizer()

    def build() -> Flux2KleinPipeline:
        vae = make_flow_vae(AutoencoderKLFlux2, latent_channels=8)
        vae.bn.running_mean.normal_()
        vae.bn.running_var.uniform_(0.5, 2.0)
        return Flux2KleinPipeline(
            FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
            vae,
            Qwen3ForCausalLM(Qwen3Config(**make_language_config(tokenizer, 28))),
            tokenizer,
            Flux2Transformer2DModel(
                in_channels=32, num_layers=1, num_single_layers=1, attention_head_dim=16,
                num_attention_heads=2, joint_attention_dim=96, axes_dims_rope=(4, 4, 4, 4),
                guidance_embeds=False,
            ),
            is_distilled=distilled,
        )  # fmt: skip

    return _save(folder, build)


def make_qwen_image(folder: Path) -> Path:
    """Qwen-Image, with a vision model that is never asked."""
    tokenizer = make_chat_tokenizer()
    language = make_language_config(tokenizer, 2) | {
        "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3]}
    }
    vision = {
        "depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2,
        "out_hidden_size": 32, "fullatt_block_indexes": [0],
    }  # fmt: skip
    return _save(folder, lambda: QwenImagePipeline(
        FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True, shift_terminal=0.02, max_shift=0.9, max_image_seq_len=8192
        ),
        AutoencoderKLQwenImage(
            base_dim=8, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1,
            latents_mean=[0.1, -0.2, 0.3, 0.0], latents_std=[1.5, 2.0, 0.7, 1.0],
        ),
        Qwen2_5_VLForConditionalGeneration(
            Qwen2_5_VLConfig(text_config=language, vision_config=vision)
        ),
        tokenizer,
        QwenImageTransformer2DModel(
            in_channels=16, out_channels=4, num_layers=2, attention_head_dim=16,
            num_attention_heads=2, joint_attention_dim=32, axes_dims_rope=(4, 6, 6),
        ),
    ))  # fmt: skip


def make_flux1(folder: Path, distilled: bool = False) -> Path:
    """FLUX.1 dev, which reads guidance, or schnell, which does not."""
    words = make_tokenizer(folder / "words")
    letters = "abcdefghijklmnopqrstuvwxyz0123456789,.-'"
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -9.0), ("▁", -2.0)]
    pieces += [(f"▁{word}", -1.0) for word in dict.fromkeys(WORDS)] + [(c, -3.0) for c in letters]
    sentences = T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=512)
    reader = T5Config(
        vocab_size=len(sentences), d_model=32, d_kv=16, d_ff=32, num_layers=1, num_heads=2
    )
    return _save(folder, lambda: FluxPipeline(
        FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=not distilled),
        make_flow_vae(latent_channels=16, scaling_factor=0.36, shift_factor=0.12),
        CLIPTextModel(make_text_config(words, 32)),
        words,
        T5EncoderModel(reader),
        sentences,
        FluxTransformer2DModel(
            num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
            joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 6, 6),
            guidance_embeds=not distilled,
        ),
    ))  # fmt: skip


MAKERS: dict[str, Callable[[Path], Path]] = {
    "z-image": make_z_image,
    "flux2-klein": make_flux2_klein,
    "qwen-image": make_qwen_image,
    "flux1": make_flux1,
}


def make_network_file(folder: Path, name: str, file: Path) -> Path:
    """The network of the base in `folder` alone, as its maker or ComfyUI names the tensors.

    FLUX.1's keeps the names of diffusers: their converter of its maker's names takes one width.
    """
    tensors = load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors")
    if name == "z-image":
        named = dict(tensors)
        for key in [key for key in tensors if key.endswith(".to_q.weight")]:
            parts = [named.pop(key.replace("to_q", part)) for part in ("to_q", "to_k", "to_v")]
            named[key.replace("to_q", "qkv")] = torch.cat(parts)
        tensors = {_renamed(key, Z_IMAGE_NAMES): value for key, value in named.items()}
    if name == "flux2-klein":
        tensors = _as_flux2(tensors)
    if name in ("z-image", "qwen-image"):
        tensors = {f"model.diffusion_model.{key}": value for key, value in tensors.items()}
    save_file({key: value.contiguous() for key, value in tensors.items()}, file)
    return file


Z_IMAGE_NAMES = [
    (r"^all_final_layer\.2-1\.", "final_layer."),
    (r"^all_x_embedder\.2-1\.", "x_embedder."),
    (r"attention\.to_out\.0\.", "attention.out."),
    (r"attention\.norm_(q|k)\.", r"attention.\1_norm."),
]
FLUX2_NAMES = [
    (r"^x_embedder", "img_in"),
    (r"^context_embedder", "txt_in"),
    (r"^time_guidance_embed\.timestep_embedder\.linear_1", "time_in.in_layer"),
    (r"^time_guidance_embed\.timestep_embedder\.linear_2", "time_in.out_layer"),
    (r"modulation(_img|_txt|)\.linear", r"modulation\1.lin"),
    (r"^proj_out", "final_layer.linear"),
    (r"^single_transformer_blocks\.(\d+)\.attn\.to_qkv_mlp_proj", r"single_blocks.\1.linear1"),
    (r"^single_transformer_blocks\.(\d+)\.attn\.to_out", r"single_blocks.\1.linear2"),
    (
        r"^single_transformer_blocks\.(\d+)\.attn\.norm_(q|k)\.weight",
        lambda m: f"single_blocks.{m[1]}.norm.{'query' if m[2] == 'q' else 'key'}_norm.scale",
    ),
    (r"^transformer_blocks\.", "double_blocks."),
    (r"\.attn\.norm_q\.weight", ".img_attn.norm.query_norm.scale"),
    (r"\.attn\.norm_k\.weight", ".img_attn.norm.key_norm.scale"),
    (r"\.attn\.norm_added_q\.weight", ".txt_attn.norm.query_norm.scale"),
    (r"\.attn\.norm_added_k\.weight", ".txt_attn.norm.key_norm.scale"),
    (r"\.attn\.to_out\.0", ".img_attn.proj"),
    (r"\.attn\.to_add_out", ".txt_attn.proj"),
    (r"\.ff\.linear_in", ".img_mlp.0"),
    (r"\.ff\.linear_out", ".img_mlp.2"),
    (r"\.ff_context\.linear_in", ".txt_mlp.0"),
    (r"\.ff_context\.linear_out", ".txt_mlp.2"),
]


def _as_flux2(tensors: dict) -> dict:
    """FLUX.2's own names: queries, keys and values in one, scale and shift the other way round."""
    named = dict(tensors)
    for key in [
        key for key in tensors if key.endswith((".attn.to_q.weight", ".add_q_proj.weight"))
    ]:
        side, first = ("img", "to_q") if "to_q" in key else ("txt", "add_q_proj")
        parts = [named.pop(key.replace(first, first.replace("q", part))) for part in "qkv"]
        named[key.replace(f"attn.{first}", f"{side}_attn.qkv")] = torch.cat(parts)
    scale, shift = named.pop("norm_out.linear.weight").chunk(2)
    named["final_layer.adaLN_modulation.1.weight"] = torch.cat([shift, scale])
    return {_renamed(key, FLUX2_NAMES): value for key, value in named.items()}


def _save(folder: Path, build: Callable) -> Path:
    torch.manual_seed(0)
    pipeline = build()
    for parameter in pipeline.transformer.parameters():
        # What is zero at first (gates, the last layer) would hide everything before it.
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.2)
    # A picture of strong colours: what changes is then more than the rounding to 8 bits.
    with torch.no_grad():
        pipeline.vae.decoder.conv_out.weight.mul_(6)
    pipeline.save_pretrained(folder / "base")
    return folder / "base"
