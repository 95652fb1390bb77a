"""Marks of other programs in a prompt are taken out and named; so is what a base does not read."""

import time
from dataclasses import replace

import pytest
import torch

from realism.config import ASSETS
from realism.diffusion.base import load_base
from realism.diffusion.device import choose_device
from realism.portraits.prompt import plain_prompt, unread_words
from realism.portraits.styles import load_styles, words_of_styles

CPU = replace(choose_device(), name="cpu", dtype=torch.float32)


def codes(notes) -> list[str]:
    return [note.code for note in notes]


@pytest.mark.parametrize(
    ("prompt", "plain", "code"),
    [
        ("a (smile:1.3), front", "a smile, front", "prompt_weights_not_read"),
        ("((white shirt)) and [[hat]]", "white shirt and hat", "prompt_weights_not_read"),
        ("(a (red:1.2) coat:0.8)", "a red coat", "prompt_weights_not_read"),
        ("front <lora:film:0.8>, office", "front, office", "prompt_lora_not_read"),
        ("front BREAK office", "front, office", "prompt_joints_not_read"),
        ("（smile：1.3）， front", "smile， front", "prompt_weights_not_read"),
        ("(smile：1.3), {{front}}", "smile, front", "prompt_weights_not_read"),
        ("(smile:1.3)(red:.8) coat", "smile red coat", "prompt_weights_not_read"),
        ("(smile:1.), (red:1.2, hat", "smile, red, hat", "prompt_weights_not_read"),
        ("(smile)1.3, (red)++", "smile, red", "prompt_weights_not_read"),
        ("[red:smile:0.5] hat", "smile hat", "prompt_changes_not_read"),
        ("[smile:0.5] [red::5] [hat|cap]", "smile red hat", "prompt_changes_not_read"),
        ("{smile|red|{a|b}} hat __red/coat__", "smile hat red/coat", "prompt_changes_not_read"),
        ("{smile in {person}|x}", "smile in {person}", "prompt_changes_not_read"),
        ("smile, embedding:easynegative", "smile", "prompt_embedding_not_read"),
    ],
)
def test_marks_of_other_programs_are_taken_out_and_named(prompt, plain, code):
    words, notes = plain_prompt(prompt)
    assert words == plain and codes(notes) == [code]
    for language in ("en", "zh"):
        said = notes[0].text(language)
        assert any(
            mark in said for mark in ("smile", "shirt", "red", "<lora:film:0.8>", "BREAK", "easyn")
        )


def test_the_person_is_found_however_the_place_is_written():
    for place in ("{person}", "{ Person }", "｛person｝", "{{person}}"):
        assert plain_prompt(f"photo of {place}")[0] == "photo of {person}"


def test_what_no_file_can_keep_is_no_part_of_a_prompt():
    assert plain_prompt("smile\x00 in\udce9 the sun 😀")[0] == "smile  in  the sun 😀"


def test_a_long_prompt_of_brackets_takes_no_time():
    for prompt in ("(" * 50_000, "[a:" * 20_000, "{a|" * 20_000, "((a" * 10_000, "(a:1.1) " * 2000):
        began = time.process_time()
        plain_prompt(prompt)
        assert time.process_time() - began < 5


def test_plain_words_stay_as_they_are_to_the_letter():
    for prompt in ("photo of {person} (left), 85mm", "a:b 16:9, break and breathe", ""):
        assert plain_prompt(prompt) == (prompt, [])
    for style in load_styles():
        assert plain_prompt(style.prompt) == (style.prompt, [])


def test_chinese_on_a_base_that_reads_english_is_said_with_what_helps(tiny_sd):
    base = load_base(str(tiny_sd), CPU)
    notes = unread_words(base, "photo of ohwx woman, 微笑")
    assert codes(notes) == ["prompt_not_english"]
    assert "微笑" in notes[0].text() and "English" in notes[0].text()
    assert unread_words(base, "photo of ohwx woman, smile") == []


def test_the_embedded_base_names_words_that_it_does_not_know_but_not_the_presets():
    base = load_base(str(ASSETS / "pocket"), CPU)
    usual = words_of_styles()
    assert unread_words(base, load_styles()[0].prompt, usual) == []
    notes = unread_words(base, "photo portrait of a woman, front, xylophones", usual)
    assert codes(notes) == ["prompt_words_unknown"] and "xylophones" in notes[0].text("zh")
    assert codes(unread_words(base, "微笑 front", usual)) == ["prompt_not_english"]
