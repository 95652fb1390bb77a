"""Styles of FaceChain: brought in whole, drawn with their own weights, refused in one sentence."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from hub_server import Hub, hub_environment
from PIL import Image
from safetensors.torch import save_file
from tiny_lora import CPU

from realism.diffusion.base import load_base
from realism.diffusion.hub_lora import choose_lora, find_lora, parse_hub_lora
from realism.errors import InputError
from realism.images import open_photo
from realism.portraits.imported_styles import (
    StyleImported,
    StyleRefused,
    import_styles,
    remove_style,
)
from realism.portraits.style_lora import style_adapter
from realism.portraits.styles import find_style, load_presets, load_styles, prompt_for
from realism.workflow import run_through

DEAD = "http://127.0.0.1:9"
WITCH = {
    "name": "女巫风(Witch style)",
    "img": "./style_image/Witch.jpg",
    "model_id": "someone/witch",
    "revision": "v1.0.0",
    "bin_file": "Moon Witch.safetensors",
    "multiplier_style": 0.3,
    "multiplier_human": 0.9,
    "add_prompt_style": "(black robes:1.2), ((lace clothing)), (long hair)",
}
SHIRT = WITCH | {
    "name": "T恤衫(T-shirt)", "img": "./style_image/T-shirt.jpg",
    "model_id": None, "revision": None, "bin_file": None,
    "multiplier_style": 0.35, "multiplier_human": 0.95,
    "add_prompt_style": "wearing T-shirt, simple background",
}  # fmt: skip
LAYER = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"


def write_style(folder, stem, style):
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{stem}.json"
    file.write_text(json.dumps(style, ensure_ascii=False), encoding="utf-8")
    return file


@pytest.fixture
def facechain(tmp_path):
    """A checkout of FaceChain: two styles for two bases, their pictures beside the styles."""
    folder = tmp_path / "facechain"
    write_style(folder / "styles" / "MajicmixRealistic_v6", "Witch", WITCH)
    write_style(folder / "styles" / "leosamsMoonfilm_filmGrain20", "T-shirt", SHIRT)
    (folder / "style_image").mkdir()
    for number, name in enumerate(("Witch", "T-shirt")):
        pixels = np.full((700, 600, 3), 60 + 90 * number, np.uint8)
        Image.fromarray(pixels).save(folder / "style_image" / f"{name}.jpg")
    return folder


def lora_of(file, width=32):
    """A LoRA in kohya's form for the tiny base."""
    file.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{LAYER}.lora_down.weight": torch.randn(4, width),
        f"{LAYER}.lora_up.weight": torch.randn(width, 4),
        f"{LAYER}.alpha": torch.tensor(4.0),
    }
    save_file(tensors, file)
    return file


def refused(call, *arguments):
    with pytest.raises(InputError) as caught:
        call(*arguments)
    said = [caught.value.message.text(language) for language in ("en", "zh")]
    assert all(sentence and "\n" not in sentence for sentence in said)
    return caught.value


def test_a_folder_of_styles_stands_among_the_presets_with_names_pictures_and_weights(
    facechain, tmp_path
):
    events = list(import_styles([facechain / "styles"], tmp_path / "home"))
    assert [type(event) for event in events] == [StyleImported] * 2
    assert load_styles(tmp_path / "home")[: len(load_presets())] == load_presets()
    witch = find_style("witch", tmp_path / "home")
    assert (witch.name, witch.name_zh) == ("Witch style", "女巫风")
    assert (witch.style_weight, witch.person_weight) == (0.3, 0.9)
    assert open_photo(witch.picture).pixels.shape == (512, 439, 3)
    assert (witch.lora.repo, witch.lora.revision) == ("someone/witch", "v1.0.0")
    assert witch.lora.file == "Moon Witch.safetensors" and witch.lora_file is None
    words = "photo portrait of ohwx woman, black robes, lace clothing, long hair"
    assert prompt_for(witch.prompt, "ohwx woman") == words
    shirt = find_style("t-shirt", tmp_path / "home")
    assert shirt.lora is None and shirt.picture.exists() and shirt.person_weight == 0.95
    assert load_styles(tmp_path / "another") == load_presets()


def test_a_style_brought_in_again_takes_the_place_of_the_earlier_and_goes_when_told(
    facechain, tmp_path
):
    file = facechain / "styles" / "MajicmixRealistic_v6" / "Witch.json"
    run_through(import_styles([file], tmp_path))
    write_style(file.parent, "Witch", WITCH | {"multiplier_style": 0.5})
    (again,) = import_styles([file], tmp_path)
    assert again.replaced and find_style("witch", tmp_path).style_weight == 0.5
    remove_style("witch", tmp_path)
    assert load_styles(tmp_path) == load_presets()
    assert [*(tmp_path / ".styles").iterdir()] == []
    assert refused(remove_style, "studio", tmp_path).code == "style_not_imported"


def test_names_that_are_taken_keep_apart(tmp_path):
    for folder in ("one", "two"):
        write_style(tmp_path / folder, "Studio", SHIRT)
    run_through(import_styles([tmp_path / "one", tmp_path / "two"], tmp_path / "home"))
    slugs = {style.slug for style in load_styles(tmp_path / "home") if style.imported}
    assert slugs == {"facechain-studio", "facechain-studio-2"}
    assert find_style("studio", tmp_path / "home") == load_presets()[0]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"add_prompt_style": None}, "file_does_not_fit"),
        ({"multiplier_style": "much"}, "file_does_not_fit"),
        ({"multiplier_human": 1e9}, "style_weight_out_of_range"),
        ({"multiplier_style": float("nan")}, "style_weight_out_of_range"),
        ({"model_id": "../../etc"}, "style_lora_id_malformed"),
        ({"bin_file": "../secret.safetensors"}, "style_lora_name_malformed"),
        ({"bin_file": "run.py"}, "style_lora_name_malformed"),
        ({"model_id": None}, "style_lora_not_there"),
    ],
)
def test_a_bad_style_is_refused_in_one_sentence_and_the_others_are_taken(changed, code, tmp_path):
    file = write_style(tmp_path, "Bad", WITCH | changed)
    assert refused(run_through, import_styles([file], tmp_path / "home")).code == code
    write_style(tmp_path, "Good", SHIRT)
    bad, good = import_styles([tmp_path], tmp_path / "home")
    assert isinstance(bad, StyleRefused) and bad.reason.code == code
    assert isinstance(good, StyleImported)
    assert [s.slug for s in load_styles(tmp_path / "home") if s.imported] == ["good"]


def test_what_is_no_style_at_all_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text('{"name": "b"}')
    (tmp_path / "c.txt").write_text("")
    for name, code in (
        ("a.json", "file_not_json"), ("b.json", "style_not_facechain"),
        ("c.txt", "styles_not_found"), ("nowhere", "styles_not_found"),
    ):  # fmt: skip
        assert refused(run_through, import_styles([tmp_path / name], tmp_path)).code == code


def test_a_lora_and_a_picture_given_beside_the_style_are_taken_along(tmp_path, tiny_sd, tiny_sdxl):
    given = tmp_path / "given"
    file = write_style(given, "Witch", WITCH | {"model_id": None})
    lora_of(given / "Moon Witch.safetensors")
    Image.new("RGB", (200, 100), "red").save(given / "Witch.jpg")
    run_through(import_styles([*given.iterdir()], tmp_path / "home"))
    shutil.rmtree(given)
    assert not file.exists()
    style = find_style("witch", tmp_path / "home")
    assert open_photo(style.picture).pixels.shape == (100, 200, 3)
    base = load_base(str(tiny_sd), CPU)
    adapter = style_adapter(style, base)
    assert adapter.weight == 0.3 and adapter.file.is_relative_to(tmp_path / "home")
    assert style_adapter(style, base, 0.7).weight == 0.7
    other = load_base(str(tiny_sdxl), CPU)
    error = refused(style_adapter, style, other)
    assert error.code == "style_other_family" and "女巫风(Witch style)" in str(error)


FETCH = """
import json, sys
from pathlib import Path
from realism.diffusion.hub_lora import find_lora
from realism.errors import InputError
reports = []
try:
    file = find_lora(sys.argv[1], lambda share, what: reports.append((share, str(what))))
    print(json.dumps({"file": str(file), "reports": reports}))
except InputError as error:
    print(json.dumps({"refused": str(error)}))
"""


def fetch(cache, hub, modelscope, huggingface, where):
    environment = hub_environment(cache, hub, modelscope, huggingface)
    done = subprocess.run(
        [sys.executable, "-c", FETCH, where],
        env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("hub", ["modelscope", "huggingface"])
def test_a_lora_is_brought_from_its_hub_once_with_progress(hub, tmp_path):
    repository = tmp_path / "hub" / "someone" / "witch"
    lora_of(repository / "Moon Witch.safetensors")
    lora_of(repository / "other.safetensors")
    (repository / "large.ckpt").write_bytes(b"\x80" * 5000)
    where = "someone/witch:Moon Witch.safetensors"
    with Hub(tmp_path / "hub") as server:
        done = fetch(tmp_path / "cache", hub, server.address, server.address, where)
        several = fetch(tmp_path / "cache", hub, server.address, server.address, "someone/witch")
    assert done["file"].endswith("Moon Witch.safetensors") and done["reports"][-1][0] > 0.99
    assert "someone/witch" in done["reports"][-1][1]
    assert {name for name, _ in server.asked} == {"someone/witch/Moon Witch.safetensors"}
    assert "Moon Witch.safetensors" in several["refused"] and "other" in several["refused"]
    assert fetch(tmp_path / "cache", hub, DEAD, DEAD, where)["file"] == done["file"]


def test_which_file_of_a_repository_is_its_lora():
    assert choose_lora(["a/x.safetensors", "y.safetensors"], "x.safetensors") == "a/x.safetensors"
    assert choose_lora(["README.md", "one.safetensors"], "") == "one.safetensors"
    usual = ["pytorch_lora_weights.safetensors", "checkpoint-500.safetensors"]
    assert choose_lora(usual, "") == usual[0]
    assert choose_lora(["only.bin", "b.md"], "") == "only.bin"
    assert refused(choose_lora, ["a.safetensors", "b.safetensors"], "").code == "hub_no_lora"
    assert refused(choose_lora, ["a.md"], "x.safetensors").code == "hub_no_lora"


def test_a_file_is_told_from_an_id(tmp_path):
    file = lora_of(tmp_path / "mine.safetensors")
    assert find_lora(str(file)) == file
    assert parse_hub_lora("someone/witch@v1.0.0:Moon Witch.safetensors").revision == "v1.0.0"
    assert parse_hub_lora("folder/missing.safetensors") is None
    for where in ("folder/missing.safetensors", "../x/y", "/no/where", "C:\\x\\y"):
        assert refused(find_lora, where).code == "lora_not_found"
