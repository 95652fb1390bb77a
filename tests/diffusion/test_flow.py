"""Families of rectified flow, on tiny bases of the real classes: the numbers are diffusers' own.

The losses are written here as the scripts of diffusers' examples/dreambooth write them.
"""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from finetune_run import FLOAT32, SUBJECT, painted_crops, tiny_stage
from safetensors.torch import load_file, save_file
from tiny_lora import picture

from benchmarks.tiny_flow import MAKERS, make_network_file
from realism.config import ASSETS
from realism.diffusion.base import encode_images, encode_text, load_base, predict
from realism.diffusion.denoise import unread_prompt_end
from realism.diffusion.families import FAMILIES
from realism.diffusion.identify import read_base
from realism.diffusion.lora import Adapter, describe_lora
from realism.diffusion.recommended import preset_for, recommended_bases
from realism.errors import InputError
from realism.finetune.events import Note, TrainingStep
from realism.finetune.latents import Batch, encode_crops, read_latents
from realism.finetune.loop import _batch_loss, finetune
from realism.person.person import create_person
from realism.portraits.portrait import Portrait
from realism.portraits.sample import sample_portraits
from realism.workflow import finetune as steps
from realism.workflow import run_through
from realism.workflow.marks import find_marks_of_person
from realism.workflow.photos import add_photos
from realism.workflow.portraits import (
    PortraitRequest,
    PortraitSaved,
    PortraitsRanked,
    make_portraits,
)
from realism.workflow.restore import PortraitSkipped, restore_portraits

ABOUT = {"kind": "person", "trigger": SUBJECT}
MEI = ASSETS / "people/mei"
SIDE = 64
# Names of the pipelines' argument for guidance, and how far their scale is from ours.
GUIDANCE = {
    "z-image": ("guidance_scale", -1),
    "flux2-klein": ("guidance_scale", 0),
    "qwen-image": ("true_cfg_scale", 0),
    "flux1": ("guidance_scale", 0),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {name: make(tmp_path_factory.mktemp(name)) for name, make in MAKERS.items()}


@pytest.fixture(params=MAKERS)
def name(request) -> str:
    return request.param


@pytest.fixture
def base(name, folders):
    return small(load_base(str(folders[name]), FLOAT32))


def small(base):
    """The base at 64 px, whatever its pipeline's default."""
    return replace(base, resolution=SIDE)


def stage(base, number: int = 2):
    return replace(tiny_stage(number, 2), targets=base.family.attention)


def walk(base, out, settings, **more):
    return finetune(base, painted_crops(), "painted", settings, out, ABOUT, "a face", **more)


def plain(folder):
    """The base as diffusers itself loads it."""
    from diffusers import DiffusionPipeline

    pipeline = DiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def drawn_by_diffusers(pipeline, name: str, scale: float) -> np.ndarray:
    """A picture of the pipeline's own walk, (64, 64, 3) 0..255."""
    argument, offset = GUIDANCE[name]
    negative = {} if name in ("flux2-klein", "flux1") else {"negative_prompt": "blurry"}
    picture = pipeline(
        prompt="photo of ohwx woman", num_inference_steps=3, height=SIDE, width=SIDE,
        generator=torch.Generator().manual_seed(5), output_type="np",
        **{argument: scale + offset}, **negative,
    ).images[0]  # fmt: skip
    return picture * 255


def drawn(base, scale: float, adapter: Adapter | None = None) -> np.ndarray:
    # Klein's pipeline has no negative prompt but the empty one.
    negative = "" if base.family.name == "flux2-klein" else "blurry"
    made = sample_portraits(base, "photo of ohwx woman", negative, [5], 3, scale, adapter)
    return next(event for event in list(made) if isinstance(event, Portrait)).pixels


# What it is ------------------------------------------------------------------------------------


def test_each_folder_is_known_by_its_own_family_alone(name, folders):
    files = read_base(folders[name])
    assert (files.family.name, files.distilled) == (name, False)
    assert set(files.part_counts) == set(files.family.weight_parts)
    assert all(files.part_counts.values())
    assert files.family.pipeline_class().__name__ == files.family.pipeline_name


@pytest.mark.parametrize("name", ["z-image", "flux2-klein", "flux1"])
def test_a_distilled_base_is_known_and_drawn_with_in_few_steps(name, tmp_path):
    base = small(load_base(str(MAKERS[name](tmp_path, distilled=True)), FLOAT32))
    assert base.distilled
    assert base.preset.steps <= 8 and base.preset.guidance_scale == 1
    assert base.preset.steps < base.family.preset.steps
    made = list(sample_portraits(base, "a face", "", [1]))
    assert made[-1].parameters.steps == base.preset.steps


def test_a_pipeline_that_wants_a_picture_as_well_is_refused(tmp_path, folders):
    copy = shutil.copytree(folders["qwen-image"], tmp_path / "copy")
    index = json.loads((copy / "model_index.json").read_text())
    (copy / "model_index.json").write_text(
        json.dumps({**index, "_class_name": "QwenImageEditPipeline"})
    )
    with pytest.raises(InputError, match="QwenImageEditPipeline, which does more"):
        read_base(copy)


def test_a_file_of_the_network_alone_is_the_base_beside_which_it_lies(name, folders, tmp_path):
    shutil.copytree(
        folders[name], tmp_path / "parts",
        ignore=lambda where, names: [
            each for each in names if where.endswith("transformer") and each != "config.json"
        ],
    )  # fmt: skip
    file = make_network_file(folders[name], name, tmp_path / f"{name}.safetensors")
    files = read_base(file)
    assert (files.family.name, files.network_files) == (name, (file,))
    loaded = small(load_base(str(file), FLOAT32))
    alone = drawn(loaded, 2.0)
    assert np.array_equal(alone, drawn(small(load_base(str(folders[name]), FLOAT32)), 2.0))
    assert files.parameters == read_base(folders[name]).parameters

    held = load_file(file)
    feed_forward = ("mlp.2.weight", "w1.weight", "net.2.weight")
    held.pop(next(key for key in held if key.endswith(feed_forward)))
    save_file(held, file)
    with pytest.raises(InputError, match="tensors"):
        load_base(str(file), FLOAT32)
    shutil.rmtree(tmp_path / "parts")
    with pytest.raises(InputError, match=r"network of a .* base alone"):
        read_base(file)


def test_a_part_that_lacks_a_tensor_is_refused_before_anything_is_built(name, folders, tmp_path):
    copy = shutil.copytree(folders[name], tmp_path / "copy")
    for part in FAMILIES[name].weight_parts:
        file = next((copy / part).glob("*.safetensors"))
        whole, held = file.read_bytes(), load_file(file)
        held.pop(sorted(held)[len(held) // 2])
        save_file(held, file, metadata={"format": "pt"})
        with pytest.raises(InputError, match=f"its {part} do not fit"):
            load_base(str(copy), FLOAT32)
        file.write_bytes(whole)


def test_pickles_are_opened_safely_and_a_folder_tells_its_settings_unopened(
    name, folders, tmp_path
):
    copy = shutil.copytree(folders[name], tmp_path / "copy")
    for file in list(copy.rglob("*.safetensors")):
        stem = "pytorch_model" if file.stem == "model" else file.stem
        torch.save(load_file(file), file.with_name(f"{stem}.bin"))
        file.unlink()
    assert preset_for(str(copy)) is FAMILIES[name].preset
    files = read_base(copy)
    assert files.fingerprint == read_base(folders[name]).fingerprint
    assert [note.code for note in files.notes] == ["base_was_pickled"]


# The same numbers as diffusers -----------------------------------------------------------------


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_a_portrait_is_what_the_pipeline_of_diffusers_draws(base, name, folders, scale):
    theirs = drawn_by_diffusers(plain(folders[name]), name, scale)
    assert np.abs(drawn(base, scale) - theirs).max() < 1.5
    if scale > 1 and name != "flux1":
        assert np.abs(drawn(base, 1.0).astype(float) - theirs).max() > 2


def script_loss(base, latents, noise, timesteps, text) -> torch.Tensor:
    """The loss of diffusers' train_dreambooth_lora_<family>.py for these numbers."""
    from diffusers import Flux2KleinPipeline, FluxPipeline, QwenImagePipeline

    scheduler, network = base.noise_scheduler, base.network
    indices = [(scheduler.timesteps == t).nonzero().item() for t in timesteps]
    sigmas = scheduler.sigmas[indices].view(-1, 1, 1, 1)
    noisy = (1.0 - sigmas) * latents + sigmas * noise
    b, c, h, w = latents.shape
    if base.family.name == "z-image":
        answer = network(
            list(noisy.unsqueeze(2).unbind(0)), (1000 - timesteps) / 1000, text, return_dict=False
        )[0]
        answer = -torch.stack(answer, dim=0).squeeze(2)
    elif base.family.name == "flux2-klein":
        pipeline, (text, text_ids) = Flux2KleinPipeline, text
        ids = pipeline._prepare_latent_ids(noisy)
        answer = network(
            hidden_states=pipeline._pack_latents(noisy), timestep=timesteps / 1000, guidance=None,
            encoder_hidden_states=text, txt_ids=text_ids, img_ids=ids, return_dict=False,
        )[0]  # fmt: skip
        answer = pipeline._unpack_latents_with_ids(answer, ids)
    elif base.family.name == "qwen-image":
        pipeline, (text, mask) = QwenImagePipeline, text
        answer = network(
            hidden_states=pipeline._pack_latents(noisy[:, None], b, c, h, w),
            encoder_hidden_states=text, encoder_hidden_states_mask=mask,
            timestep=timesteps / 1000, img_shapes=[(1, h // 2, w // 2)] * b, return_dict=False,
        )[0]  # fmt: skip
        answer = pipeline._unpack_latents(answer, h * 8, w * 8, 8)[:, :, 0]
    else:
        pipeline, (text, pooled, text_ids) = FluxPipeline, text
        answer = network(
            hidden_states=pipeline._pack_latents(noisy, b, c, h, w), timestep=timesteps / 1000,
            guidance=torch.tensor([1.0]).expand(b), pooled_projections=pooled,
            encoder_hidden_states=text, txt_ids=text_ids,
            img_ids=pipeline._prepare_latent_image_ids(b, h // 2, w // 2, "cpu", torch.float32),
            return_dict=False,
        )[0]  # fmt: skip
        answer = pipeline._unpack_latents(answer, h * 8, w * 8, 8)
    error = (answer.float() - (noise - latents).float()) ** 2
    return error.reshape(b, -1).mean(1).mean()


def test_the_loss_is_that_of_diffusers_own_script_on_the_same_numbers(base, name):
    captions = ["photo of ohwx woman", "a face"]
    latents, _ = encode_images(base, np.concatenate([picture(), picture()[:, ::-1]]))
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1))
    timesteps = base.family.draw_timesteps(base.noise_scheduler, torch.tensor([0.2, 0.7]))
    conditioning = encode_text(base, captions)
    batch = Batch(latents, noise, timesteps, torch.ones(2, 1, *latents.shape[2:]), conditioning)
    arguments = {"do_classifier_free_guidance": False} if name == "z-image" else {}
    with torch.no_grad():
        ours = _batch_loss(base, base.network, batch, stage(base))
        encoded = base.pipeline.encode_prompt(list(captions), **arguments)
        text = encoded[0] if name == "z-image" else encoded
        theirs = script_loss(base, latents, noise, timesteps, text)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)


def test_latents_are_scaled_and_shifted_as_the_scripts_do(base, name):
    vae = base.pipeline.vae
    pixels = torch.tensor(picture()).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        if name == "qwen-image":
            mean = vae.encode(pixels[:, :, None]).latent_dist.mean
            config = vae.config
            shape = (1, config.z_dim, 1, 1, 1)
            wanted = mean - torch.tensor(config.latents_mean).view(shape)
            wanted = (wanted * (1.0 / torch.tensor(config.latents_std).view(shape)))[:, :, 0]
        elif name == "flux2-klein":
            mean = vae.encode(pixels).latent_dist.mode()
            wanted = base.pipeline._patchify_latents(mean) - vae.bn.running_mean.view(1, -1, 1, 1)
            variance = vae.bn.running_var.view(1, -1, 1, 1) + vae.config.batch_norm_eps
            wanted = wanted / torch.sqrt(variance)
        else:
            mean = vae.encode(pixels).latent_dist.mode()
            wanted = (mean - vae.config.shift_factor) * vae.config.scaling_factor
    latents, std = encode_images(base, picture())
    assert latents.shape[1:] == std.shape[1:] == base.latent_shape
    assert torch.allclose(latents, wanted, atol=1e-5)


def test_captions_of_different_length_are_read_alike_alone_and_together(base):
    noisy = torch.randn((1, *base.latent_shape), generator=torch.Generator().manual_seed(0))
    captions = ["a face", "photo of ohwx woman in a studio"]
    together, t = encode_text(base, captions), torch.tensor([500.0])
    with torch.no_grad():
        for row, caption in enumerate(captions):
            own = {key: value[row : row + 1] for key, value in together.items()}
            alone = predict(base, noisy, t, encode_text(base, [caption]))
            assert torch.allclose(predict(base, noisy, t, own), alone, atol=1e-4)


def test_the_end_of_a_long_prompt_that_is_not_read_is_told(base):
    assert unread_prompt_end(base, "photo of ohwx woman") == ""
    long = "photo of ohwx woman " * 200
    assert unread_prompt_end(base, long + "smile").endswith("woman smile")


# Learning and drawing --------------------------------------------------------------------------


def test_a_fine_tune_goes_on_exactly_and_plain_diffusers_draws_its_lora_alike(
    base, name, folders, tmp_path
):
    list(walk(base, tmp_path / "whole", stage(base, 3)))
    events = walk(base, tmp_path / "cut", stage(base, 3))
    for event in events:
        if isinstance(event, TrainingStep) and event.number == 2:
            break
    events.close()
    again = [e for e in walk(base, tmp_path / "cut", stage(base, 3)) if isinstance(e, TrainingStep)]
    assert [event.number for event in again] == [3]
    whole, cut = (
        load_file(tmp_path / run / "last" / "pytorch_lora_weights.safetensors")
        for run in ("whole", "cut")
    )
    assert whole.keys() == cut.keys() and all(torch.equal(whole[key], cut[key]) for key in whole)
    assert all(key.startswith("transformer.") for key in whole)

    pipeline = plain(folders[name])
    without = drawn_by_diffusers(pipeline, name, 2.0)
    pipeline.load_lora_weights(
        tmp_path / "whole" / "last", weight_name="pytorch_lora_weights.safetensors"
    )
    loaded = {
        f"transformer.{key}".replace(".default", ""): value
        for key, value in pipeline.transformer.state_dict().items()
        if "lora_" in key
    }
    loaded = {key.replace(".default_0", ""): value for key, value in loaded.items()}
    assert {key.replace("_0.weight", ".weight") for key in loaded} == set(whole)
    theirs = drawn_by_diffusers(pipeline, name, 2.0)
    ours = drawn(base, 2.0, Adapter(tmp_path / "whole" / "last"))
    assert np.abs(ours - theirs).max() < 1.5
    assert np.abs(without - theirs).max() > 2  # it has learned something


def test_different_captions_are_kept_with_their_length(base, tmp_path):
    file = tmp_path / "latents.safetensors"
    crops = painted_crops(3)
    crops[1] = replace(crops[1], caption="a face")
    list(encode_crops(base, crops, file, "painted"))
    latents = read_latents(file, "painted")
    assert latents is not None
    row = latents.captions.index("a face")
    alone = encode_text(base, ["a face"])
    length = alone["text"].shape[1]
    assert torch.equal(latents.conditioning["text"][row, :length], alone["text"][0])
    if "mask" in alone:
        assert latents.conditioning["mask"][row].sum() == length
    assert latents.mean.shape[1:] == base.latent_shape


@pytest.fixture(scope="module")
def person(tmp_path_factory, engine):
    mei = create_person("Mei", True, "woman", tmp_path_factory.mktemp("people"))
    run_through(add_photos(mei, [MEI / "mei-01.jpg", MEI / "mei-02.jpg"], engine))
    return mei


@pytest.fixture(scope="module")
def marked(person, engine):
    return run_through(find_marks_of_person(person, engine))


def test_a_person_is_learned_drawn_ranked_and_restored(base, person, marked, engine, tmp_path):
    settings = steps.FinetuneOptions(one_stage=True, second=stage(base))
    out = run_through(steps.finetune(person, base, engine, settings))
    assert describe_lora(out / "last")["family"] == base.family.name
    request = PortraitRequest(count=2, seed=1, steps=2, run=tmp_path / "run")
    events = list(make_portraits(person, base, engine, request))
    saved = [event.file for event in events if isinstance(event, PortraitSaved)]
    assert len(saved) == 2 and isinstance(events[-1], PortraitsRanked)
    assert [row.rank for row in events[-1].ranked] == [1, 2]
    # Noise shows no face: each portrait is told as such, none is lost.
    told = list(restore_portraits(saved, marked, engine, tmp_path / "restored"))
    assert [type(event) for event in told] == [PortraitSkipped] * 2


def told(event) -> bool:
    return isinstance(event, Note)


def test_a_lora_of_the_undistilled_base_is_drawn_with_the_distilled_one(folders, tmp_path):
    base = small(load_base(str(folders["z-image"]), FLOAT32))
    mei = create_person("Mei", True, "woman", tmp_path / "people")
    learned = mei.adapter_folder("z-image")
    events = list(walk(base, learned, stage(base)))
    assert not any("distilled" in str(event.message) for event in events if told(event))
    folder = MAKERS["z-image"](tmp_path, distilled=True)
    turbo = replace(small(load_base(str(folder), FLOAT32)), name="z-image-turbo")
    with pytest.raises(InputError, match="no LoRA"):
        mei.adapter(turbo.name)
    found = mei.adapter(turbo.name, family="z-image")
    assert found == learned / "last"
    assert not np.array_equal(drawn(turbo, 1.0, Adapter(found)), drawn(turbo, 1.0))
    assert FAMILIES["z-image"].shares_loras and not FAMILIES["sdxl"].shares_loras


def test_a_distilled_base_that_is_to_be_trained_is_told_what_to_train(tmp_path):
    folder = MAKERS["z-image"](tmp_path, distilled=True)
    base = small(load_base(str(folder), FLOAT32))
    notes = [event.message for event in walk(base, tmp_path, stage(base)) if told(event)]
    assert any("Learn on Tongyi-MAI/Z-Image" in str(note) for note in notes)


def test_every_row_of_these_families_says_its_licence():
    rows = [row for row in recommended_bases() if row.family in MAKERS]
    assert {row.family for row in rows} == set(MAKERS)
    free = {row.name for row in rows if str(row.licence) == "Apache-2.0"}
    assert {"Z-Image", "FLUX.2 klein base 4B", "Qwen-Image"} <= free
    assert "FLUX.1 dev" not in free
