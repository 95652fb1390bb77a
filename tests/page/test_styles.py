"""Tab 3's styles: FaceChain's are dropped in, chosen by name or picture, and sent away."""

import json
import shutil

import gradio as gr
import pytest
from PIL import Image

from realism.cli.styles import list_styles
from realism.page.portraits import making, styles
from realism.portraits.styles import load_presets

WITCH = {
    "name": "女巫风(Witch)", "img": "./style_image/Witch.jpg", "model_id": "someone/witch",
    "bin_file": "witch.safetensors", "multiplier_style": 0.3, "multiplier_human": 0.9,
    "add_prompt_style": "black robes",
}  # fmt: skip


@pytest.fixture
def root(tmp_path):
    """A home into which two styles were dropped with a picture, beside a file that is none."""
    given = tmp_path / "given"
    given.mkdir()
    shirt = {"name": "T恤(T-shirt)", "add_prompt_style": "t-shirt"}
    for name, value in (("Witch", WITCH), ("T-shirt", shirt), ("bad", [])):
        (given / f"{name}.json").write_text(json.dumps(value))
    Image.new("RGB", (300, 400), "purple").save(given / "Witch.jpg")
    files = [str(file) for file in given.iterdir()]
    style, gallery, said, left = styles.on_bring(files, tmp_path / "home", "en", "studio")
    assert "2 styles are among the others now." in said and "bad.json is not a style" in said
    assert ("Witch", "witch") in style["choices"] and style["value"] == "studio" and left is None
    assert [name for _, name in gallery["value"]] == ["Witch"] and gallery["visible"]
    return tmp_path / "home"


def test_a_style_shows_its_picture_its_weights_and_whether_the_base_is_one_for_it(root):
    prompt, _, weight, look_weight, note, remove = styles.on_style("witch", root, "en", "pocket")
    assert prompt == "photo portrait of {person}, black robes"
    assert (weight, look_weight, remove["visible"]) == (0.9, 0.3, True)
    assert 'src="data:image/jpeg;base64,' in note and "someone/witch" in note
    assert "pocket is none" in note
    fitting = "AI-ModelScope/stable-diffusion-v1-5"
    assert "is none" not in styles.on_note("witch", root, "en", fitting)
    assert "女巫风" in styles.on_note("witch", root, "zh", "pocket")
    words = styles.on_note("t-shirt", root, "en", "pocket")
    assert "Words alone" in words and "<img" not in words
    *_, note, remove = styles.on_style("studio", root, "en", "pocket")
    assert note == "" and remove["visible"] is False


def test_one_style_that_is_damaged_hides_no_other_and_can_be_removed(root, capsys, monkeypatch):
    monkeypatch.setenv("REALISM_HOME", str(root))
    file = next(root.rglob("witch.json"))
    file.write_bytes(file.read_bytes()[:50])
    assert "witch" not in dict(map(reversed, styles.on_arrive("en", root, "studio")["choices"]))
    assert "t-shirt" in styles.on_style("t-shirt", root, "en", "pocket")[0]
    with pytest.raises(gr.Error, match="无法读取"):
        styles.on_style("witch", root, "zh", "pocket")
    list_styles()
    said = capsys.readouterr()
    assert "cannot be read" in said.err and "witch.json" in said.err and "T-shirt" in said.out
    styles.on_remove("witch", root, "en")
    assert not list(root.rglob("witch.*"))


def test_a_style_whose_picture_is_damaged_is_shown_without_it(root):
    next(root.rglob("witch.jpg")).write_bytes(b"")
    note = styles.on_style("witch", root, "en", "pocket")[4]
    assert "<img" not in note and "someone/witch" in note


def test_names_follow_the_language_and_a_style_that_went_leaves_the_first(root, click_at):
    assert ("女巫风", "witch") in styles.on_arrive("zh", root, "witch")["choices"]
    assert styles.on_pick(root, click_at(0)) == "witch"
    choice, gallery, _ = styles.on_remove("witch", root, "en")
    assert choice["value"] == load_presets()[0].slug and gallery["visible"] is False
    assert styles.on_arrive("en", root, "witch")["value"] == load_presets()[0].slug
    with pytest.raises(gr.Error, match="ships with the program"):
        styles.on_remove("studio", root, "en")
    with pytest.raises(gr.Error, match=r"give a \.json file"):
        styles.on_bring([], root, "en", "studio")


def test_a_base_of_another_family_is_said_before_anything_is_downloaded(
    root, root_of_mei, tiny_sdxl
):
    shutil.copytree(root_of_mei / "mei", root / "mei")
    given = (
        "mei", root, "en", str(tiny_sdxl), "a", "", 1, "7", 4, 1, "none", None, 0.9, None, 0.25,
        False,
    )  # fmt: skip
    with pytest.raises(gr.Error, match="brings a LoRA for full-size bases of the family sd15"):
        list(making.on_make(*given, "witch"))
    with pytest.raises(gr.Error, match="is not a LoRA's id on a hub"):
        next(making.on_make(*given, "studio", "nowhere.safetensors"))


def test_portraits_of_the_page_are_in_the_style_chosen(learned, tmp_path):
    shutil.copytree(learned.root / "mei", tmp_path / "mei")
    (tmp_path / "T-shirt.json").write_text(
        json.dumps({"name": "T-shirt", "add_prompt_style": "t-shirt"})
    )
    styles.on_bring([str(tmp_path / "T-shirt.json")], tmp_path, "en", "studio")
    made = list(
        making.on_make(
            "mei", tmp_path, "en", learned.base, "photo of {person}", "", 1, "7", 4, 1, "best",
            None, 0.9, None, 0.25, False, "t-shirt",
        )
    )  # fmt: skip
    assert len(made[-1][0]) == 1
    styles.on_remove("t-shirt", tmp_path, "en")
    with pytest.raises(gr.Error, match="There is no style t-shirt"):
        list(
            making.on_make(
                "mei", tmp_path, "en", learned.base, "a", "", 1, "7", 4, 1, "best",
                None, 0.9, None, 0.25, False, "t-shirt",
            )
        )  # fmt: skip
