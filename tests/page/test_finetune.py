"""Tab 2: a fine-tune shows what it learns, and its LoRA can be downloaded."""

from pathlib import Path

import gradio as gr
import pytest

from realism.diffusion.weights import read_tensor_headers
from realism.errors import InputError
from realism.finetune.run_log import read_log, read_preview
from realism.page import finetune
from realism.page.portraits import handlers as portraits
from realism.person.person import open_person


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ((2, 1e-4, None, 1e-4, 4, 2), "步数：请填一个数字"),
        ((2, 1e-4, 0, 1e-4, 4, 2), "步数 的值是 0"),
        ((2, 1e-4, 3, None, 4, 2), "学习率 None"),
        ((2, 1e-4, 3, -1, 4, 2), "学习率 -1"),
        ((2, 1e-4, 3, 100, 4, 2), "学习率 100"),
        ((2, 1e-4, 3, 1e-4, 0, 2), "rank"),
        ((2, 1e-4, 3, 1e-4, 4, None), "每步裁剪数"),
    ],
)
def test_a_number_that_is_missing_or_out_of_range_is_said_before_anything_begins(
    root_of_mei, settings, says
):
    with pytest.raises(gr.Error, match=says):
        next(
            finetune.on_finetune(
                "mei", root_of_mei, "zh", "pocket", True, "", *settings, False, True
            )
        )


def test_a_fine_tune_shows_its_steps_its_curves_and_previews(learned):
    assert any("step 1 of 3" in str(message) for message, _, _ in learned.shown)
    message, curves, _ = learned.shown[-1]
    assert "is done" in message and "<svg" in curves
    galleries = [previews for _, _, previews in learned.shown if isinstance(previews, list)]
    assert any(len(previews) == 4 for previews in galleries)


def test_the_lora_can_be_downloaded_and_the_tabs_know_of_it(learned, root_of_mei):
    file = Path(finetune.on_download("last", "mei", learned.root, "en", learned.base))
    twin = Path(finetune.on_download("last", "mei", learned.root, "en", learned.base, True))
    assert all(name.startswith("lora_unet_") for name in read_tensor_headers(twin))
    assert all(name.startswith("unet.") for name in read_tensor_headers(file))
    assert file.name == "mei-last.safetensors" and file.stat().st_size > 1000
    assert "has a LoRA" in finetune.on_show("mei", learned.root, "en", learned.base)
    assert portraits.on_show("mei", learned.root, "en", learned.base) == ""
    assert "no LoRA" in portraits.on_show("mei", root_of_mei, "en", learned.base)


def test_the_settings_offered_are_those_of_the_base_chosen():
    pocket, of_a_hub = finetune.on_settings("pocket"), finetune.on_settings("owner/of-a-hub")
    assert pocket != of_a_hub and len(pocket) == len(of_a_hub) == 7


def test_the_list_of_bases_says_their_licences_in_the_language_shown():
    labels = [label for label, _ in finetune.on_language("zh")["choices"]]
    assert any(("MajicMix" in label and "许可" in label) or "见其" in label for label in labels)
    assert not any("see its page" in label for label in labels)


def test_a_new_family_is_offered_with_its_licence_its_settings_and_its_sampler():
    choices = dict(finetune._bases("en"))
    shown = {where: label for label, where in choices.items()}
    assert shown["Tongyi-MAI/Z-Image"] == "Z-Image (1024 px, 16 GB, Apache-2.0)"
    assert "Non-Commercial" in shown["black-forest-labs/FLUX.1-dev"]
    *_, batch, frugal = finetune.on_settings("Tongyi-MAI/Z-Image")
    assert (batch, frugal) == (1, True)
    assert portraits.on_base_chosen("Tongyi-MAI/Z-Image") == (4.0, 30)
    assert portraits.on_base_chosen("Tongyi-MAI/Z-Image-Turbo") == (1.0, 8)
    assert portraits.on_base_chosen("black-forest-labs/FLUX.2-klein-4B") == (1.0, 4)


def test_what_was_learned_some_time_ago_is_shown_from_disk(finished):
    message, curves, previews = finetune.on_kept("Mei", finished, "en", "pocket")
    log = read_log(open_person("Mei", finished).adapter_folder("pocket"))
    assert log is not None
    assert f"in {len(log.losses)} steps" in message and curves.count("<svg") == 2
    newest = log.previews[-1].step
    assert previews[0][1] == f"step {newest}" and len(previews) % 4 == 0
    assert {image.shape[:2] for image, _ in previews} == {(128, 128)}
    assert finetune.on_kept("Mei", finished, "en", "owner/other") == ("", "", [])
    (shown,) = finetune.on_follow("Mei", finished, "zh", "pocket")
    assert "步" in shown[0] and len(shown[2]) == len(previews)


def test_a_damaged_log_is_told_of_in_a_sentence(finished, tmp_path):
    (tmp_path / "log.json").write_text('{"losses": "many"}')
    with pytest.raises(InputError, match="log of a fine-tune"):
        read_log(tmp_path)
    assert read_log(tmp_path / "nothing") is None
    assert read_preview(tmp_path, 100) == []
