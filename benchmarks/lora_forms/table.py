"""The forms of LoRA files that tools write.

Names and formulas by reading kohya's sd-scripts (Feb 2026), LyCORIS (Oct 2025), OneTrainer and
ai-toolkit (Aug 2026), ComfyUI, diffusers 0.42 and PEFT 0.21: none of their files was at hand.
"""

from __future__ import annotations

import math
import os

import torch

from benchmarks.lora_forms import spelling as names
from benchmarks.lora_forms.form import (
    LETTERS,
    LINEAR_LAYER,
    NAMED,
    NESTED,
    PROCESSOR,
    Form,
    layers,
    plus,
    spoiled,
    stacked,
    together,
    with_bias,
    without,
)
from benchmarks.lora_forms.makers import dora, loha, lokr, lora, norm, old_scalar, tucker, whole

SD, XL = "SD 1.5", "SDXL"
LINEAR = (*names.ATTENTION, *names.FEED_FORWARD)
CONVOLUTION = (names.ATTENTION[0], *names.CONVOLUTIONS)
TEXT = names.TEXT_LAYERS
PLAIN = layers(LINEAR, names.kohya, lora())  # of kohya, for what is then spoiled
FIRST = layers(names.ATTENTION[:1], names.kohya, lora())
NO_ALPHA = {"alpha": ""}
XLABS = {"lora_down.weight": "down.weight", "lora_up.weight": "up.weight"} | NO_ALPHA
LENGTHS = LETTERS | NO_ALPHA | {"row_lengths": "lora_magnitude_vector"}
ONE = torch.ones(1)

STABLE_DIFFUSION = (
    Form("kohya: linear layers", SD, PLAIN),
    Form("kohya: text encoder as well", SD, layers((*LINEAR, *TEXT), names.kohya, lora())),
    Form("kohya: without alpha", SD, layers(LINEAR, names.kohya, lora(alpha=None))),
    Form("kohya: alpha of zero", SD, layers(LINEAR, names.kohya, lora(alpha=0.0, scaled=1.0))),
    Form("kohya: float16", SD, PLAIN, dtype=torch.float16),
    Form("kohya: bfloat16", SD, PLAIN, dtype=torch.bfloat16),
    Form("kohya: float8", SD, PLAIN, dtype=torch.float8_e4m3fn),
    Form("kohya: another rank and alpha a layer", SD, together(
        layers(LINEAR[:2], names.kohya, lora(2, 1.0)),
        layers(LINEAR[2:], names.kohya, lora(5, 3.0)),
    )),
    Form("kohya: the first release's names", SD, layers(
        (*names.ATTENTION, *names.CONVOLUTIONS), names.kohya_xl, lora()
    )),
    Form("LoCon: 3×3 convolutions", SD, layers(CONVOLUTION, names.kohya, lora())),
    Form("LoCon: 1×1 convolutions", SD, layers(names.POINTWISE, names.kohya, lora())),
    Form("LoCon: Tucker (lora_mid)", SD, layers(names.CONVOLUTIONS, names.kohya, tucker)),
    Form("LyCORIS: rank-stabilised", SD, layers(
        LINEAR, names.kohya, lora(4, 3.0 * 2, scaled=3.0 / math.sqrt(4))
    )),
    Form("LyCORIS 2023: a scalar beside", SD, layers(LINEAR, names.kohya, old_scalar)),
    Form("DoRA (dora_scale), rows", SD, layers(LINEAR, names.kohya, dora(lora(), True))),
    Form("DoRA, columns", SD, layers(LINEAR, names.kohya, dora(lora(), False))),
    Form("DoRA of convolutions, rows", SD, layers(CONVOLUTION, names.kohya, dora(lora(), True))),
    Form("DoRA of convolutions, columns", SD, layers(
        CONVOLUTION, names.kohya, dora(lora(), False)
    )),
    Form("DoRA, Tucker", SD, layers(names.CONVOLUTIONS, names.kohya, dora(tucker, True))),
    Form("LoHa", SD, layers((*LINEAR, *TEXT), names.kohya, loha())),
    Form("LoHa: convolutions", SD, layers(CONVOLUTION, names.kohya, loha())),
    Form("LoHa: Tucker", SD, layers(names.CONVOLUTIONS, names.kohya, loha(with_core=True))),
    Form("LoHa with DoRA", SD, layers(CONVOLUTION, names.kohya, dora(loha(), True))),
    Form("LoKr: second side split", SD, layers((*LINEAR, *TEXT), names.kohya, lokr())),
    Form("LoKr: both sides split", SD, layers(LINEAR, names.kohya, lokr("12"))),
    Form("LoKr: both sides whole", SD, layers(LINEAR, names.kohya, lokr(""))),
    Form("LoKr: both sides whole, rank-stabilised", SD, layers(
        LINEAR, names.kohya, lokr("", alpha=8.0, scaled=2.0)
    ), metadata={"ss_network_args": {"algo": "lokr", "rs_lora": "True"}}),
    Form("LoKr: both sides whole, alpha infinite in float16 (ai-toolkit)", SD, layers(
        LINEAR, names.kohya, lokr("", alpha=9999999999.0)
    ), dtype=torch.float16),
    Form("LoKr: first side split", SD, layers(CONVOLUTION, names.kohya, lokr("1"))),
    Form("LoKr: convolutions", SD, layers(CONVOLUTION, names.kohya, lokr())),
    Form("LoKr: Tucker", SD, layers(names.CONVOLUTIONS, names.kohya, lokr(core=True))),
    Form("LoKr with DoRA", SD, layers(LINEAR, names.kohya, dora(lokr(), True))),
    Form("LyCORIS: prefix lycoris_", SD, layers(LINEAR, names.lycoris, lokr())),
    Form("LyCORIS full: diff and diff_b", SD, with_bias(
        layers(CONVOLUTION, names.kohya, whole), CONVOLUTION[1],
        f"{names.kohya(CONVOLUTION[1])}.diff_b",
    )),
    Form("LyCORIS full: diff_b of a layer without bias", SD, with_bias(
        layers(LINEAR, names.kohya, whole), LINEAR[0], f"{names.kohya(LINEAR[0])}.diff_b"
    )),
    Form("LyCORIS: norms (w_norm, b_norm)", SD, with_bias(
        layers(names.NORMS, names.kohya, norm), names.NORMS[0],
        f"{names.kohya(names.NORMS[0])}.b_norm",
    )),
    Form("LoRA with diff_b", SD, with_bias(
        PLAIN, LINEAR[2], f"{names.kohya(LINEAR[2])}.diff_b"
    )),
    Form("PEFT: base_model.model., adapter_config.json", SD, layers(
        LINEAR, names.peft, lora(4, 6.0), LETTERS | NO_ALPHA
    ), config={"peft_type": "LORA", "r": 4, "lora_alpha": 6}),
    Form("PEFT: rank_pattern and alpha_pattern", SD, together(
        layers(LINEAR[:2], names.peft, lora(2, 1.0), LETTERS | NO_ALPHA),
        layers(LINEAR[2:], names.peft, lora(4, 6.0), LETTERS | NO_ALPHA),
    ), config={"peft_type": "LORA", "r": 4, "lora_alpha": 6,
               "rank_pattern": {r"down_blocks\..*attn\d\.to_[qk]": 2},
               "alpha_pattern": {r"down_blocks\..*attn\d\.to_[qk]": 1}}),
    Form("PEFT: rank-stabilised", SD, layers(
        LINEAR, names.peft, lora(4, 6.0, scaled=6 / 2), LETTERS | NO_ALPHA
    ), config={"peft_type": "LORA", "r": 4, "lora_alpha": 6, "use_rslora": True}),
    Form("PEFT: lora_A.default.weight", SD, layers(
        LINEAR, names.peft, lora(4, 4.0), NAMED | NO_ALPHA
    ), config={"peft_type": "LORA", "r": 4, "lora_alpha": 4}),
    Form("PEFT: without adapter_config.json", SD, layers(
        LINEAR, names.peft, lora(4, 4.0), LETTERS | NO_ALPHA
    ), strength_said=False),
    Form("PEFT: DoRA (lora_magnitude_vector)", SD, layers(
        LINEAR, names.peft, dora(lora(4, 4.0), True, "row_lengths", flat=True), LENGTHS
    ), config={"peft_type": "LORA", "r": 4, "lora_alpha": 4}),
    Form("PEFT: DoRA of convolutions", SD, layers(
        CONVOLUTION, names.peft, dora(lora(4, 4.0), True, "row_lengths", flat=True), LENGTHS
    ), config={"peft_type": "LORA", "r": 4, "lora_alpha": 4}),
    Form("PEFT: lora_bias", SD, with_bias(
        layers(LINEAR, names.peft, lora(4, 4.0), LETTERS | NO_ALPHA), LINEAR[0],
        f"{names.peft(LINEAR[0])}.lora_B.bias",
    ), config={"peft_type": "LORA", "r": 4, "lora_alpha": 4}),
    Form("PEFT: LoHa", SD, layers(LINEAR, names.peft, loha(6.0), NO_ALPHA),
         config={"peft_type": "LOHA", "r": 3, "alpha": 6}),
    Form("PEFT: LoKr, whole sides scaled", SD, layers(
        LINEAR, names.peft, lokr("", scaled=6 / 4), NO_ALPHA
    ), config={"peft_type": "LOKR", "r": 4, "alpha": 6}),
    Form("diffusers: training script, unet. and text_encoder.", SD, layers(
        (*LINEAR, *TEXT), names.diffusers, lora(4, 4.0), LETTERS | NO_ALPHA
    )),
    Form("diffusers: alpha in the metadata", SD, layers(
        (*LINEAR, *CONVOLUTION[1:]), names.diffusers, lora(4, 8.0), LETTERS | NO_ALPHA
    ), metadata={"lora_adapter_metadata": {"unet.r": 4, "unet.lora_alpha": 8}}),
    Form("diffusers: .lora.down.weight", SD, layers(
        LINEAR, names.diffusers, lora(4, 4.0), NESTED | NO_ALPHA
    )),
    Form("diffusers before 2023's summer: unet.….processor.to_q_lora", SD, together(
        layers(names.ATTENTION, names.old_diffusers, lora(4, 4.0), PROCESSOR | NO_ALPHA),
        layers(TEXT[:2], names.old_diffusers_text, lora(4, 4.0), PROCESSOR | NO_ALPHA),
        layers(TEXT[2:], names.diffusers, lora(4, 4.0), LINEAR_LAYER | NO_ALPHA),
    )),
    Form("diffusers: save_attn_procs, no prefix", SD, layers(
        names.ATTENTION, lambda ours: names.without_prefix(names.old_diffusers(ours)),
        lora(4, 4.0), PROCESSOR | NO_ALPHA,
    )),
    Form("no prefix, alpha beside lora_A", SD, layers(
        LINEAR, names.without_prefix, lora(), LETTERS
    )),
    Form("ComfyUI: diffusion_model. and the first release's names", SD, layers(
        (*names.ATTENTION, *CONVOLUTION[1:]), names.comfy, lora()
    )),
    Form("ComfyUI: extracted differences", SD, layers(
        (*names.ATTENTION, *CONVOLUTION[1:]), names.comfy, whole
    )),
    Form("OneTrainer for ComfyUI: text_encoders.clip_l.", SD, layers(
        (*names.ATTENTION, *TEXT), names.comfy, dora(lora(), False), LETTERS
    )),
    Form("OneTrainer: the only text encoder numbered", SD, layers(
        (*LINEAR, *TEXT), names.one_trainer_xl, lora()
    )),
    Form("OneTrainer: embeddings bundled", SD, plus(
        PLAIN, bundle_emb__mei__clip_l=ONE, bundle_emb__mei__clip_l_out=ONE
    ), left_out=("mei",)),
    Form("kohya: a pickle (.pt)", SD, PLAIN, suffix=".pt"),
    Form("diffusers before 2023's summer: pytorch_lora_weights.bin", SD, layers(
        names.ATTENTION, lambda ours: names.without_prefix(names.old_diffusers(ours)),
        lora(4, 4.0), PROCESSOR | NO_ALPHA,
    ), suffix=".bin"),
    Form("PEFT: adapter_model.bin, its alpha beside it", SD, layers(
        LINEAR, names.peft, lora(4, 6.0), LETTERS | NO_ALPHA
    ), config={"peft_type": "LORA", "r": 4, "lora_alpha": 6}, suffix=".bin"),
    Form("a slider's notes beside", SD, plus(PLAIN, _aux__c0ffee=ONE)),
)  # fmt: skip

SDXL = (
    Form("kohya: the first release's names, both text encoders", XL, layers(
        (*names.ATTENTION, *TEXT, *names.SECOND_TEXT_LAYERS), names.kohya_xl, lora()
    )),
    Form("kohya: convolutions and ends", XL, layers(
        tuple(names.FIRST_RELEASE), names.kohya_xl, lora()
    )),
    Form("OneTrainer: diffusers' names", XL, layers(
        (*LINEAR, *TEXT, *names.SECOND_TEXT_LAYERS), names.one_trainer_xl, lora()
    )),
    Form("OneTrainer: full layers (add_embedding, text projection)", XL, layers(
        (*names.FIRST_RELEASE, "unet.add_embedding.linear_1", "text_encoder_2.text_projection"),
        names.one_trainer_xl, lora(),
    )),
    Form("OneTrainer: full layers, DoRA of columns", XL, layers(
        (*names.FIRST_RELEASE, "unet.add_embedding.linear_1", "text_encoder_2.text_projection"),
        names.one_trainer_xl, dora(lora(), False),
    )),
    Form("LyCORIS: LoHa, both text encoders", XL, layers(
        (*names.ATTENTION, *TEXT, *names.SECOND_TEXT_LAYERS), names.kohya_xl, loha()
    )),
    Form("diffusers: training script", XL, layers(
        (*LINEAR, *TEXT, *names.SECOND_TEXT_LAYERS), names.diffusers, lora(4, 4.0),
        LETTERS | NO_ALPHA,
    )),
)  # fmt: skip


def _flux(inside: tuple[str, ...], block: str = "transformer_blocks.0.") -> tuple[str, ...]:
    return tuple(f"transformer.{block}{name}" for name in inside)


QKV = ("attn.to_q", "attn.to_k", "attn.to_v")
ADDED = ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj")
DOUBLE = _flux((*QKV, *ADDED, "attn.to_out.0", "attn.to_add_out"))
SINGLE = _flux((*QKV, "proj_mlp"), "single_transformer_blocks.1.")
SINGLE2 = ("attn.to_qkv_mlp_proj", "attn.to_out")
LAYER = tuple(f"transformer.layers.1.attention.{n}" for n in ("to_q", "to_k", "to_v"))
Z_LINEAR = (
    *LAYER, "transformer.layers.0.attention.to_out.0", "transformer.noise_refiner.0.feed_forward.w1"
)  # fmt: skip
QWEN = (*DOUBLE, *_flux(("img_mlp.net.0.proj", "txt_mod.1"), "transformer_blocks.1."))

TRANSFORMERS = (
    Form("kohya: queries, keys, values in one", "FLUX.1", together(
        stacked("lora_unet_double_blocks_0_img_attn_qkv", DOUBLE[:3], lora()),
        stacked("lora_unet_double_blocks_0_txt_attn_qkv", DOUBLE[3:6], lora()),
        stacked("lora_unet_double_blocks_0_img_attn_proj", DOUBLE[6:7], lora()),
        stacked("lora_unet_single_blocks_1_linear1", SINGLE, lora()),
    )),
    Form("kohya: the last layer, shift before scale", "FLUX.1", stacked(
        "lora_unet_final_layer_adaLN_modulation_1", ("transformer.norm_out.linear",), lora(),
        swapped=True,
    )),
    Form("the first release's dotted names, DoRA", "FLUX.1", together(
        stacked("diffusion_model.double_blocks.0.img_attn.qkv", DOUBLE[:3], dora(lora(), True)),
        stacked("diffusion_model.single_blocks.1.linear1", SINGLE, dora(lora(), False)),
    )),
    Form("XLabs: processor.qkv_lora1", "FLUX.1", together(
        stacked("double_blocks.0.processor.qkv_lora1", DOUBLE[:3], lora(4, 4.0), XLABS),
        stacked("double_blocks.0.processor.qkv_lora2", DOUBLE[3:6], lora(4, 4.0), XLABS),
        stacked("double_blocks.0.processor.proj_lora2", DOUBLE[7:8], lora(4, 4.0), XLABS),
        stacked("single_blocks.1.processor.qkv_lora", SINGLE[:3], lora(4, 4.0), XLABS),
    )),
    Form("ai-toolkit: transformer.", "FLUX.1", layers(
        (*DOUBLE, *SINGLE), str, lora(4, 4.0), LETTERS | NO_ALPHA
    )),
    Form("OneTrainer: lora_transformer_", "FLUX.1", layers(
        (*DOUBLE, *SINGLE), names.one_trainer, lora()
    )),
    Form("SimpleTuner: lycoris_, LoKr", "FLUX.1", layers(
        (*DOUBLE, *SINGLE), names.lycoris, lokr()
    )),
    Form("ai-toolkit: diffusion_model. and the first release's names", "FLUX.2", together(
        stacked("diffusion_model.double_blocks.0.img_attn.qkv", DOUBLE[:3], lora(4, 4.0),
                LETTERS | NO_ALPHA),
        stacked("diffusion_model.double_blocks.0.txt_attn.qkv", DOUBLE[3:6], lora(4, 4.0),
                LETTERS | NO_ALPHA),
        stacked("diffusion_model.double_blocks.0.img_mlp.0", _flux(("ff.linear_in",)),
                lora(4, 4.0), LETTERS | NO_ALPHA),
        *(stacked(f"diffusion_model.single_blocks.1.linear{number}",
                  _flux((name,), "single_transformer_blocks.1."), lora(4, 4.0), LETTERS | NO_ALPHA)
          for number, name in enumerate(SINGLE2, 1)),
    )),
    Form("ai-toolkit: LoKr", "FLUX.2", together(
        stacked("diffusion_model.double_blocks.0.img_attn.qkv", DOUBLE[:3], lokr("")),
        stacked("diffusion_model.double_blocks.0.txt_attn.proj", DOUBLE[7:8], lokr()),
    )),
    Form("kohya: the last layer, shift before scale", "FLUX.2", stacked(
        "lora_unet_final_layer_adaLN_modulation_1", ("transformer.norm_out.linear",), lora(),
        swapped=True,
    )),
    Form("diffusers: training script", "FLUX.2", layers(
        (*DOUBLE, *_flux(SINGLE2, "single_transformer_blocks.0.")), str, lora(4, 4.0),
        LETTERS | NO_ALPHA,
    )),
    Form("ai-toolkit: diffusion_model.", "Z-Image", layers(
        Z_LINEAR, names.comfy, lora(4, 4.0), LETTERS | NO_ALPHA
    )),
    Form("the first release's names: qkv and out", "Z-Image", together(
        stacked("diffusion_model.layers.1.attention.qkv", LAYER, lora()),
        stacked("diffusion_model.layers.0.attention.out", Z_LINEAR[3:4], lora()),
    )),
    Form("musubi-tuner: lora_unet_", "Z-Image", layers(Z_LINEAR, names.kohya, lora())),
    Form("OneTrainer: LoHa", "Z-Image", layers(Z_LINEAR, str, loha())),
    Form("ai-toolkit: diffusion_model.", "Qwen-Image", layers(
        QWEN, names.comfy, lora(4, 4.0), LETTERS | NO_ALPHA
    )),
    Form("musubi-tuner: lora_unet_", "Qwen-Image", layers(QWEN, names.kohya, lora())),
    Form("DiffSynth: no prefix, lora_A.default", "Qwen-Image", layers(
        QWEN, names.without_prefix, lora(4, 4.0), NAMED | NO_ALPHA
    )),
    Form("Lightning: no prefix, alpha", "Qwen-Image", layers(
        QWEN, names.without_prefix, lora(4, 8.0)
    )),
    Form("ai-toolkit's older LoKr: lycoris_", "Qwen-Image", layers(QWEN, names.lycoris, lokr(""))),
)  # fmt: skip


class Program:
    """Opened by Python itself, its pickle would call a program: here one that does nothing."""

    def __reduce__(self) -> tuple:
        return os.system, ("true",)


K = names.kohya(LINEAR[0])


def _holding(ending: str, shape: tuple[int, ...] = (2, 2), layer: str = K) -> dict:
    return {f"{layer}.{ending}".replace(".", "__"): torch.ones(shape)}


def _refused(name: str, code: str, ending: str, shape: tuple[int, ...] = (2, 2)) -> Form:
    return Form(name, SD, plus(PLAIN, **_holding(ending, shape, f"{K}_more")), code)


REFUSED = (
    _refused("kohya: OFT", "lora_kind_not_applied", "oft_blocks", (2, 4, 4)),
    _refused("LyCORIS: BOFT", "lora_kind_not_applied", "oft_blocks", (3, 2, 4, 4)),
    _refused("PEFT, OneTrainer: OFT", "lora_kind_not_applied", "oft_R.weight"),
    _refused("PEFT: BOFT", "lora_kind_not_applied", "boft_R"),
    _refused("LyCORIS: (IA)³", "lora_kind_not_applied", "on_input", ()),
    _refused("PEFT: (IA)³", "lora_kind_not_applied", "ia3_l", (8, 1)),
    _refused("LyCORIS: GLoRA", "lora_kind_not_applied", "a1.weight"),
    _refused("PEFT: VeRA", "lora_kind_not_applied", "vera_lambda_b", (8,)),
    _refused("PEFT: AdaLoRA", "lora_kind_not_applied", "lora_E", (4, 1)),
    _refused("PEFT: token embeddings", "lora_kind_not_applied", "lora_embedding_A"),
    _refused("PEFT: modules_to_save", "lora_kind_not_applied", "modules_to_save.weight"),
    _refused("ComfyUI: set_weight", "lora_kind_not_applied", "set_weight"),
    _refused("ComfyUI: reshape_weight", "lora_kind_not_applied", "reshape_weight", (2,)),
    _refused("an ending nobody knows", "lora_tensor_unknown", "lora_sideways.weight"),
    Form("not finite: NaN", SD, spoiled(PLAIN, math.nan), "lora_not_finite"),
    Form("not finite: infinite", SD, spoiled(PLAIN, math.inf), "lora_not_finite"),
    Form("half a layer: down without up", SD, without(PLAIN, "lora_up.weight"),
         "lora_layer_incomplete"),
    Form("half a layer: up without down", SD, without(PLAIN, "lora_down.weight"),
         "lora_layer_incomplete"),
    Form("half a layer: alpha alone", SD, plus(PLAIN, **_holding("alpha", (), f"{K}_more")),
         "lora_layer_incomplete"),
    Form("half a layer: DoRA's lengths alone", SD,
         plus(PLAIN, **_holding("dora_scale", (8, 1), f"{K}_more")), "lora_layer_incomplete"),
    Form("half a layer: LoHa", SD,
         without(layers(LINEAR, names.kohya, loha()), "hada_w2_b"), "lora_layer_incomplete"),
    Form("half a layer: LoKr", SD,
         without(layers(LINEAR, names.kohya, lokr()), "lokr_w2_b"), "lora_layer_incomplete"),
    Form("two kinds in one layer", SD, plus(PLAIN, **_holding("diff")), "lora_layer_mixed"),
    Form("a layer twice, under two names", SD, together(
        FIRST, layers(LINEAR[:1], names.diffusers, lora(), LETTERS)), "lora_layer_twice"),
    Form("factors that do not fit each other", SD, together(
        layers(LINEAR[1:], names.kohya, lora()),
        lambda *_: ({f"{K}.lora_down.weight": torch.ones(4, 16),
                     f"{K}.lora_up.weight": torch.ones(16, 3)}, {}),
    ), "lora_factors_do_not_fit"),
    Form("LoRA of SDXL on SD 1.5", SD, lambda _, dice: (
        layers((*LINEAR, *names.SECOND_TEXT_LAYERS), names.kohya_xl, lora())(
            _build_xl(), dice)[0], {}), "lora_layer_mismatch"),
    Form("LoRA of FLUX.1 on SD 1.5", SD, lambda *_: (
        {f"transformer.single_transformer_blocks.0.proj_mlp.lora_{side}.weight": torch.ones(4, 4)
         for side in "AB"}, {}), "lora_layer_not_in_base"),
    Form("an embedding, not a LoRA", SD, lambda *_: ({"emb_params": torch.ones(2, 16)}, {}),
         "lora_without_layers"),
    Form("weights that are no LoRA", SD, lambda *_: ({"conv_in.weight": torch.ones(2)}, {}),
         "not_a_lora"),
    Form("a pickle that would run a program", SD, PLAIN, "pickle_runs_code", suffix=".pt",
         beside=Program()),
)  # fmt: skip


def _build_xl():
    from benchmarks.lora_forms.networks import build

    return build(XL)


FORMS = (*STABLE_DIFFUSION, *SDXL, *TRANSFORMERS, *REFUSED)
