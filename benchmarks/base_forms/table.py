"""The forms in which bases lie about, and what must happen to each."""

from __future__ import annotations

import torch

from benchmarks.base_forms.form import Form
from benchmarks.base_forms.makers import (
    adding,
    averaged,
    cast,
    config_of,
    cut,
    diffusers_vae_beside,
    each,
    eight_bits,
    files_renamed,
    harmful,
    named,
    only,
    pickled,
    removed,
    sharded,
    single,
    tensors_of,
    vae_beside,
    without,
)

PARTS = ("unet", "vae", "text_encoder")
CLIP = "cond_stage_model.transformer."
VAE_OLD = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
VELOCITY = config_of("scheduler", prediction_type="v_prediction")
POSITION_IDS = {"embeddings.position_ids": torch.arange(16)[None]}
ZERO_SNR = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
VELOCITY_ZERO_SNR = config_of("scheduler", prediction_type="v_prediction", **ZERO_SNR)


def _old_attention(name: str) -> str:
    for new, old in VAE_OLD.items():
        if "attentions" in name:
            name = name.replace(f".{new}.", f".{old}.")
    return name


def _half_name(name: str) -> str:
    return name.replace(".safetensors", ".fp16.safetensors")


def _trained(held):
    return {"state_dict": held, "epoch": 3, "optimizer_states": [{"state": {0: torch.zeros(2)}}]}


def _damage(value: float):
    def change(held):
        return {n: torch.full_like(v, value) if "conv_out" in n else v for n, v in held.items()}

    return change


FOLDERS = [
    Form("folder", "half precision", lambda folder: folder, drawn=True),
    Form("folder", "float32", each(*(tensors_of(p, cast(torch.float32)) for p in PARTS))),
    Form("folder", "bfloat16", each(*(tensors_of(p, cast(torch.bfloat16)) for p in PARTS)),
         off=0.1),
    Form("folder", "files named .fp16 only", files_renamed(_half_name)),
    Form("folder", "the network's file alone named .fp16",
         files_renamed(lambda name: _half_name(name) if "diffusion" in name else name)),
    Form("folder", "network in two pieces", sharded("unet")),
    Form("folder", "text encoder with text_model. (before transformers 5)",
         tensors_of("text_encoder", named(lambda name: f"text_model.{name}"))),
    Form("folder", "text encoder with position_ids (2022)",
         tensors_of("text_encoder", adding(**POSITION_IDS))),
    Form("folder", "VAE with the attention's names of 2022",
         tensors_of("vae", named(_old_attention))),
    Form("folder", "tensors that nobody wants", tensors_of("unet", adding(x=torch.zeros(3)))),
    Form("folder", ".bin, a zip", pickled(*PARTS), said="base_was_pickled"),
    Form("folder", ".bin of torch before 1.6", pickled(*PARTS, new=False), said="base_was_pickled"),
    Form("folder", ".bin in three pieces", pickled("unet", pieces=3), said="base_was_pickled"),
    Form("folder", ".bin of the text encoder alone", pickled("text_encoder"),
         said="base_was_pickled"),
    Form("folder", ".bin beside .safetensors", pickled("unet", beside=True)),
    Form("folder", ".bin that would run a program", harmful("unet"), refused="pickle_runs_code"),
    Form("folder", "predicts velocity", VELOCITY, like=VELOCITY),
    Form("folder", "velocity, noise without signal at its end", VELOCITY_ZERO_SNR,
         like=VELOCITY_ZERO_SNR),
    Form("folder", "predicts epsilon, noise without signal", config_of("scheduler", **ZERO_SNR),
         refused="base_noise_without_signal"),
    Form("folder", "predicts the picture", config_of("scheduler", prediction_type="sample"),
         refused="base_other_prediction"),
    Form("folder", "predicts a flow", config_of("scheduler", prediction_type="flow_prediction"),
         refused="base_other_prediction"),
    Form("folder", "EDM's noise", config_of("scheduler", _class_name="EDMEulerScheduler"),
         refused="base_other_noise"),
    Form("folder", "a flow's scheduler",
         config_of("scheduler", _class_name="FlowMatchEulerDiscreteScheduler"),
         refused="base_other_noise"),
    Form("folder", "noise of an unknown schedule", config_of("scheduler", beta_schedule="laplace"),
         refused="base_other_noise"),
    Form("folder", "VAE with mean and deviation of its latents",
         config_of("vae", latents_mean=[0.1] * 4, latents_std=[0.8] * 4),
         like=config_of("vae", shift_factor=0.1, scaling_factor=0.18215 / 0.8), off=1e-5),
    Form("folder", "network lacks a tensor", tensors_of("unet", without("conv_out.weight")),
         refused="base_part_incomplete"),
    Form("folder", "VAE lacks a tensor", tensors_of("vae", without("quant_conv.bias")),
         refused="base_part_incomplete"),
    Form("folder", "text encoder lacks a tensor",
         tensors_of("text_encoder", without("layers.1.mlp.fc2.weight")),
         refused="base_part_incomplete"),
    Form("folder", "a tensor of another shape",
         tensors_of("text_encoder", adding(**{"final_layer_norm.bias": torch.zeros(5)})),
         refused="base_part_incomplete"),
    Form("folder", "text encoder's weights missing", removed("text_encoder"),
         refused="base_weights_missing"),
    Form("folder", "download broke off", cut("vae"), refused="weights_damaged"),
    Form("folder", "inpainting", config_of("unet", in_channels=9), refused="base_inpainting"),
    Form("folder", "not text alone", config_of("unet", in_channels=5),
         refused="base_not_text_to_image"),
    Form("folder", "in 4 bits of bitsandbytes",
         config_of("unet", quantization_config={"quant_method": "bitsandbytes"}),
         refused="base_quantised"),
    Form("folder", "text encoder of a kind nobody knows",
         config_of("", text_encoder=["somewhere", "OwnTextModel"]), refused="base_part_unknown"),
    Form("folder", "VAE draws one colour", tensors_of("vae", _damage(0.0)),
         refused="picture_of_one_colour", drawn=True),
    Form("folder", "VAE with numbers that are not finite", tensors_of("vae", _damage(float("nan"))),
         refused="latents_not_finite", drawn=True),
    Form("sdxl", "half precision", lambda folder: folder, drawn=True),
    Form("sdxl", ".bin", pickled("text_encoder_2", "unet"), said="base_was_pickled"),
    Form("sdxl", "second text encoder lacks its projection",
         tensors_of("text_encoder_2", without("text_projection")), refused="base_part_incomplete"),
    Form("sdxl", "refiner", config_of("", text_encoder=[None, None]), refused="base_sdxl_refiner"),
]  # fmt: skip

FILES = [
    Form("file", "half precision", single(), drawn=True),
    Form("file", "float32", single(cast(torch.float32))),
    Form("file", ".ckpt with state_dict, epoch, optimiser", single(suffix=".ckpt", wrap=_trained),
         said="base_was_pickled"),
    Form("file", ".pt", single(suffix=".pt"), said="base_was_pickled"),
    Form("file", "names that begin with state_dict.", single(named(lambda n: f"state_dict.{n}"))),
    Form("file", "old merge without text_model.",
         single(named(lambda name: name.replace(f"{CLIP}text_model.", CLIP)))),
    Form("file", "position_ids, noise tables, loss", single(adding(**{
         f"{CLIP}text_model.embeddings.position_ids": POSITION_IDS["embeddings.position_ids"],
         "alphas_cumprod": torch.ones(1000), "first_stage_model.loss.logvar": torch.zeros(1)}))),
    Form("file", "average beside the weights", single(lambda held: held | averaged(
         {name: value + 1 for name, value in held.items()}) | held)),
    Form("file", "average alone", single(averaged), said="checkpoint_average"),
    Form("file", "v_pred", single(adding(v_pred=torch.zeros(0))), like=VELOCITY,
         said="checkpoint_velocity"),
    Form("file", "v_pred and ztsnr", single(adding(v_pred=torch.zeros(0), ztsnr=torch.zeros(0))),
         like=VELOCITY_ZERO_SNR, said="checkpoint_velocity_zero_snr"),
    Form("file", "8 bits", single(eight_bits(False)), said="checkpoint_fp8", off=0.3),
    Form("file", "8 bits with scale_weight", single(eight_bits(True)), said="checkpoint_fp8",
         off=0.3),
    Form("file", "8 bits with weight_scale", single(eight_bits(True, True)), said="checkpoint_fp8",
         off=0.3),
    Form("file", "no VAE, one beside it", single(without("first_stage_model."),
         beside=vae_beside(".vae.safetensors")), said="checkpoint_vae"),
    Form("file", "no VAE, a .vae.pt beside it", single(without("first_stage_model."),
         beside=vae_beside(".vae.pt")), said="checkpoint_vae"),
    Form("file", "no VAE, a folder's VAE beside it", single(without("first_stage_model."),
         beside=diffusers_vae_beside), said="checkpoint_vae"),
    Form("file", "no VAE, no network", single(without("first_stage_model.")),
         refused="checkpoint_without_vae"),
    Form("file", "network lacks a tensor", single(without("middle_block.2.out_layers.3.bias")),
         refused="base_part_incomplete"),
    Form("file", "VAE lacks a tensor", single(without("decoder.conv_out.weight")),
         refused="base_part_incomplete"),
    Form("file", "text encoder lacks a tensor", single(without("layers.0.self_attn.k_proj.bias")),
         refused="base_part_incomplete"),
    Form("file", "no text encoder", single(without("cond_stage_model.")),
         refused="checkpoint_incomplete"),
    Form("file", "network alone", single(only("model.diffusion_model.")),
         refused="checkpoint_incomplete"),
    Form("file", "inpainting", single(adding(**{
         "model.diffusion_model.input_blocks.0.0.weight": torch.zeros(8, 9, 3, 3)})),
         refused="checkpoint_inpainting"),
    Form("file", "SD 2", single(adding(**{
         "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight":
         torch.zeros(8, 1024)})), refused="checkpoint_other_family"),
    Form("file", "NF4", single(adding(**{"model.diffusion_model.x.absmax": torch.ones(2)})),
         refused="checkpoint_quantised"),
    Form("file", "a LoRA", single(lambda held: {"lora_unet_x.lora_down.weight": torch.ones(2, 2)}),
         refused="base_is_a_lora"),
    Form("file", "a VAE", single(only("first_stage_model.")), refused="file_is_a_vae"),
    Form("file", "a ControlNet",
         single(lambda held: {"control_model.input_blocks.0.0.weight": torch.ones(2, 4, 3, 3)}),
         refused="file_is_a_controlnet"),
    Form("file", "a textual inversion", single(lambda held: {"emb_params": torch.ones(2, 768)}),
         refused="file_is_an_embedding"),
    Form("file", "the network's file of a folder",
         lambda folder: folder / "unet" / "diffusion_pytorch_model.safetensors",
         refused="file_is_one_network"),
    Form("file", "a language model", single(lambda held: {"model.layers.0.weight": torch.ones(2)}),
         refused="checkpoint_not_sd"),
    Form("sdxl file", "half precision", single(), drawn=True),
    Form("sdxl file", ".ckpt", single(suffix=".ckpt", wrap=lambda held: {"state_dict": held}),
         said="base_was_pickled"),
    Form("sdxl file", "v_pred and ztsnr (NoobAI)",
         single(adding(v_pred=torch.zeros(0), ztsnr=torch.zeros(0))), like=VELOCITY_ZERO_SNR,
         said="checkpoint_velocity_zero_snr"),
    Form("sdxl file", "8 bits with scale_weight", single(eight_bits(True)), said="checkpoint_fp8",
         off=0.3),
    Form("sdxl file", "no VAE, one beside it", single(without("first_stage_model."),
         beside=vae_beside(".vae.safetensors")), said="checkpoint_vae"),
    Form("sdxl file", "second text encoder lacks a tensor",
         single(without("resblocks.1.attn.in_proj_weight")), refused="base_part_incomplete"),
]  # fmt: skip

FORMS = FOLDERS + FILES
