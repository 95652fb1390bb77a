"""Portraits: reproducible one by one, labelled, and never asked to lose a mark."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageFont
from skimage.data import astronaut

from realism.diffusion.base import load_base
from realism.diffusion.denoise import drop_unknown_words, unread_prompt_end
from realism.diffusion.device import choose_device
from realism.diffusion.families import find_preset
from realism.diffusion.lora import Adapter, add_lora, save_lora
from realism.errors import InputError
from realism.images import open_photo, read_info, save_png
from realism.portraits.portrait import (
    Portrait,
    read_parameters,
    save_portrait,
)
from realism.portraits.provenance import (
    CHINESE_FONT,
    LABELS,
    XMP,
    restored_entries,
    with_visible_label,
)
from realism.portraits.sample import (
    SamplingStep,
    new_seeds,
    sample_portraits,
)
from realism.portraits.styles import find_style, load_styles, prompt_for

CPU = replace(choose_device(), name="cpu", dtype=torch.float32)
MARKS = r"mole|nev|spot|freckle|blemish|acne|pimple|scar|wrinkle|pore|marks|birth|imperfect"
BEAUTY = r"flawless|perfect|smooth|retouch|beaut|airbrush|porcelain|clear skin|clean skin|doll"


@pytest.fixture(params=["tiny_sd", "tiny_sdxl"])
def base(request):
    return load_base(str(request.getfixturevalue(request.param)), CPU)


@pytest.fixture
def lora(base, tmp_path):
    for parameter in add_lora(base, 4):
        torch.nn.init.normal_(parameter.data, std=0.2)
    save_lora(base, tmp_path / "mei", {"kind": "person", "trigger": "ohwx"})
    base.pipeline.unload_lora_weights()
    return Adapter(tmp_path / "mei", 0.8)


def made(base, seeds, **more) -> list[Portrait]:
    walk = sample_portraits(base, "photo of ohwx woman", "blurry", seeds, steps=4, **more)
    return [event for event in walk if isinstance(event, Portrait)]


def test_a_portrait_made_alone_is_the_one_made_among_others_bit_for_bit(base, lora):
    run = made(base, [7, 8, 9], adapter=lora)
    (alone,) = made(base, [8], adapter=lora)
    assert np.array_equal(run[1].pixels, alone.pixels)
    assert [portrait.seed for portrait in run] == [7, 8, 9]
    assert not np.array_equal(run[0].pixels, alone.pixels)
    assert alone.pixels.shape == (64, 64, 3) and alone.pixels.dtype == np.uint8


def test_our_walk_of_the_sampler_is_the_pipelines_own(base):
    from diffusers import UniPCMultistepScheduler

    (ours,) = made(base, [5])
    base.pipeline.scheduler = UniPCMultistepScheduler.from_config(
        base.pipeline.scheduler.config, use_karras_sigmas=True
    )
    theirs = base.pipeline(
        "photo of ohwx woman",
        negative_prompt="blurry",
        num_inference_steps=4,
        guidance_scale=ours.parameters.guidance_scale,
        height=64,
        width=64,
        generator=torch.Generator().manual_seed(5),
        output_type="np",
    ).images[0]
    assert np.abs(ours.pixels / 255 - theirs).max() < 2.5 / 255


def test_guidance_is_what_suits_the_base_unless_it_is_given(base):
    (usual,) = made(base, [5])
    preset = find_preset("another")
    assert usual.parameters.guidance_scale == base.preset.guidance_scale == preset.guidance_scale
    # More burns out the skin of the embedded base.
    assert 1 < find_preset("pocket").guidance_scale < preset.guidance_scale
    (given,) = made(base, [5], guidance_scale=4)
    assert given.parameters.guidance_scale == 4


def test_the_base_is_itself_again_after_a_cancelled_run(base, lora):
    (before,) = made(base, [3])
    walk = sample_portraits(base, "photo of ohwx woman", "blurry", [3, 4], steps=4, adapter=lora)
    seen = [next(walk) for _ in range(6)]
    walk.close()
    assert [type(event) for event in seen] == [SamplingStep] * 4 + [Portrait, SamplingStep]
    assert not np.array_equal(seen[4].pixels, before.pixels)
    (after,) = made(base, [3])
    assert np.array_equal(after.pixels, before.pixels)
    assert torch.is_grad_enabled()


def test_a_portrait_is_made_again_from_its_own_file(base, lora, tmp_path):
    (first,) = made(base, [11], adapter=lora)
    save_portrait(first, tmp_path / "p.png")
    parameters = read_parameters(tmp_path / "p.png")
    assert parameters == first.parameters
    assert parameters.base_fingerprint == base.fingerprint
    assert parameters.adapters[0].name == "person/mei" and parameters.adapters[0].weight == 0.8
    *_, again = sample_portraits(
        base,
        parameters.prompt,
        parameters.negative_prompt,
        [parameters.seed],
        parameters.steps,
        parameters.guidance_scale,
        Adapter(lora.path, parameters.adapters[0].weight),
    )
    assert np.array_equal(again.pixels, open_photo(tmp_path / "p.png").pixels)


def test_numbers_out_of_range_are_refused(base):
    for more in ({"steps": 0}, {"guidance_scale": 0.5}, {"seeds": []}, {"seeds": [-1]}):
        given = {"seeds": [1], **more}
        with pytest.raises(InputError):
            next(sample_portraits(base, "photo", "", **given))
    for count in (0, 65):
        with pytest.raises(InputError):
            new_seeds(count)
    assert new_seeds(3, 40) == [40, 41, 42]
    assert len(set(new_seeds(64))) == 64


def test_a_prompt_that_is_too_long_says_which_end_is_not_read(tiny_sd):
    base = load_base(str(tiny_sd), CPU)
    assert unread_prompt_end(base, "photo of ohwx woman") == ""
    assert unread_prompt_end(base, "photo of ohwx woman " * 5 + "smile").endswith("woman smile")
    assert drop_unknown_words(base, "photo of xylophones") == "photo of xylophones"


# Metadata -------------------------------------------------------------------------------------


def painted() -> np.ndarray:
    return astronaut()[:256, :256]


def portrait() -> Portrait:
    from realism.portraits.portrait import AppliedLora, GenerationParameters

    applied = (AppliedLora("mei", "0123456789abcdef", 1.0),)
    parameters = GenerationParameters(
        5, 'photo of "ohwx" <woman> & 女士', "", "pocket", "ab" * 32, applied, 25, 4.0, 256
    )
    return Portrait(painted(), parameters)


def xmp_values(info: dict) -> dict:
    import xml.etree.ElementTree as ET

    body = re.sub(r"<\?xpacket[^>]*\?>", "", info[XMP]).strip()
    return {node.tag: node.text for node in ET.fromstring(body).iter()}


def test_the_file_says_in_every_form_that_a_machine_made_it(tmp_path):
    save_portrait(portrait(), tmp_path / "p.png")
    info = read_info(tmp_path / "p.png")
    assert info["Description"] == "AI-generated image"
    assert info["Seed"] == "5" and info["Base"] == "pocket"
    assert info["Prompt"] == portrait().parameters.prompt
    xmp = xmp_values(info)
    label = json.loads(xmp["{http://www.tc260.org.cn/ns/AIGC/1.0/}AIGC"])
    assert list(label) == [
        "Label", "ContentProducer", "ProduceID", "ReservedCode1",
        "ContentPropagator", "PropagateID", "ReservedCode2",
    ]  # fmt: skip
    assert label["Label"] == "1" and label["ContentProducer"] and label["ProduceID"]
    source = xmp["{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"]
    assert source.endswith("/trainedAlgorithmicMedia")
    assert np.array_equal(open_photo(tmp_path / "p.png").pixels, painted())


def test_a_restored_portrait_says_that_photographs_are_in_it(tmp_path):
    save_portrait(portrait(), tmp_path / "p.png")
    info = restored_entries(read_info(tmp_path / "p.png"), painted())
    save_png(tmp_path / "r.png", painted(), info)
    xmp = xmp_values(read_info(tmp_path / "r.png"))
    source = xmp["{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"]
    assert source.endswith("/compositeWithTrainedAlgorithmicMedia")
    assert read_parameters(tmp_path / "r.png") == portrait().parameters
    assert "AIGC" in restored_entries({}, painted())
    assert "AIGC" in restored_entries({"Realism": "[1"}, painted())


def test_a_picture_of_another_program_has_no_recipe(tmp_path):
    Image.fromarray(painted()).save(tmp_path / "a.png")
    Image.fromarray(painted()).save(tmp_path / "a.jpg")
    save_png(tmp_path / "b.png", painted(), {"Realism": '{"seed": 3}'})
    for name in ("a.png", "a.jpg", "b.png"):
        assert read_parameters(tmp_path / name) is None


@pytest.mark.parametrize("chinese", [False, True])
@pytest.mark.parametrize("side", [256, 512, 1024])
def test_the_visible_label_is_high_enough_and_in_the_corner(side, chinese):
    grey = np.full((side, side + 100, 3), 128, np.uint8)
    shown = with_visible_label(grey, chinese)
    assert (grey == 128).all()
    rows, columns = np.nonzero((shown > 240).all(-1))
    assert rows.max() - rows.min() + 1 >= 0.05 * side
    assert rows.min() > 0.8 * side and columns.min() > 0.3 * side
    assert np.array_equal(shown[: side // 2], grey[: side // 2])


def test_every_character_of_the_chinese_label_has_a_shape_of_its_own():
    font = ImageFont.truetype(str(CHINESE_FONT), 40)
    shapes = [bytes(font.getmask(character)) for character in (*LABELS[True], "乙")]
    assert len(set(shapes)) == len(LABELS[True]) + 1  # the last is the box of a missing one
    assert all(any(shape) for shape in shapes[:-1])


def test_the_label_is_off_unless_asked_for(tmp_path):
    for name, label in (("off", ""), ("en", "en"), ("zh", "zh")):
        save_portrait(portrait(), tmp_path / f"{name}.png", label)
    off, en, zh = (open_photo(tmp_path / f"{name}.png").pixels for name in ("off", "en", "zh"))
    assert np.array_equal(off, painted())
    assert not np.array_equal(en, painted()) and not np.array_equal(en, zh)


# Styles ---------------------------------------------------------------------------------------


def test_there_are_a_dozen_styles_in_both_languages():
    assert len(load_styles()) >= 12
    assert load_styles()[0].slug == "studio"
    for preset in load_styles():
        assert preset.name and preset.note and re.search("[\u4e00-\u9fff]", preset.name_zh)
        assert "{person}" in preset.prompt
    with pytest.raises(InputError, match="studio, smile"):
        find_style("passport photo")


def test_no_style_asks_for_a_skin_without_marks():
    """The usual negative prompts name moles, acne and age spots, and so remove them."""
    for preset in load_styles():
        assert not re.search(MARKS, f"{preset.prompt} {preset.negative_prompt}".lower()), (
            preset.slug
        )
        assert not re.search(BEAUTY, preset.prompt.lower()), preset.slug


def test_the_person_gets_into_every_prompt():
    assert prompt_for("photo of {person}, smile", "ohwx man") == "photo of ohwx man, smile"
    assert prompt_for("by the  sea", "ohwx man") == "photo portrait of ohwx man, by the sea"
    assert prompt_for("photo of ohwx man", "ohwx man") == "photo of ohwx man"
    assert prompt_for("", "ohwx man") == "photo portrait of ohwx man"
