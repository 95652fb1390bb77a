"""What a person is told: every code has both languages, and no sentence is known to a program."""

import ast
import json
import pickle
from pathlib import Path

import pytest

import realism
from realism.errors import (
    LANGUAGES,
    InputError,
    Message,
    as_written,
    catalogue,
    message_from_json,
    message_to_json,
    template_fields,
)

PACKAGE = Path(realism.__file__).parent
CODES = set(catalogue("en"))


def calls_in(source: str) -> list[tuple[str, set[str] | None]]:
    """(code, names of its fields) of each InputError("...") and Message("...") of a source."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id in ("InputError", "Message") and isinstance(node.args[0], ast.Constant):
            found.append((node.args[0].value, {keyword.arg for keyword in node.keywords}))
    return found


def wrong_in(source: str) -> list[str]:
    """Codes of a source that no catalogue has, or whose fields are others."""
    return [
        code
        for code, fields in calls_in(source)
        if code not in CODES or fields != template_fields(code)
    ]


def sources() -> list[str]:
    return [file.read_text(encoding="utf-8") for file in sorted(PACKAGE.rglob("*.py"))]


def test_both_languages_have_the_same_codes_with_the_same_fields():
    for language in LANGUAGES:
        assert set(catalogue(language)) == CODES
    for code in CODES:
        assert template_fields(code, "zh") == template_fields(code, "en"), code


def test_every_sentence_has_chinese_words():
    names = {
        "as_written",
        "of_picture",
        "hub_refused",
        "licence_openrail",
        "licence_openrail_plus",
        "licence_apache",
    }
    english = {code for code, sentence in catalogue("zh").items() if sentence.isascii()}
    assert english <= names


def test_every_code_of_the_program_is_in_the_catalogues_with_its_fields():
    assert sum(len(calls_in(source)) for source in sources()) > 150
    assert [code for source in sources() for code in wrong_in(source)] == []


def test_a_code_or_a_field_that_is_missing_would_be_noticed():
    assert wrong_in('raise InputError("no_such_code")') == ["no_such_code"]
    assert wrong_in('raise InputError("base_not_found", name=name)') == ["base_not_found"]
    assert wrong_in('raise InputError("base_not_found", base=where)') == []


def test_every_code_of_the_catalogues_is_used():
    texts = {
        node.value
        for source in sources()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    bases = json.loads(next(PACKAGE.rglob("bases.json")).read_text(encoding="utf-8"))
    texts |= {text for row in bases for text in (row["note"], row["licence"])}
    assert sorted(CODES - texts) == []


def test_codes_are_tested_and_sentences_are_said():
    error = InputError("base_out_of_memory", base="pocket", needed_gb=2.04, free_gb=1)
    assert error.code == "base_out_of_memory" and error.values["needed_gb"] == 2.04
    assert str(error).startswith("pocket takes 2.0 GB of memory and 1.0 GB are free.")
    assert error.message.text("zh").startswith("pocket 需要 2.0 GB 内存")
    assert pickle.loads(pickle.dumps(error)).message == error.message


def test_an_unknown_code_and_other_fields_are_faults_of_the_program():
    with pytest.raises(KeyError):
        InputError("no_such_code")
    with pytest.raises(TypeError, match="base_not_found"):
        Message("base_not_found")


def test_a_sentence_in_a_sentence_is_said_in_the_same_language():
    reason = InputError("not_a_picture", name="a.jpg")
    outer = Message("every_picture_skipped", reasons=[reason, Message("face_not_found")])
    assert "a.jpg: this is not a picture" in outer.text() and "; No face" in outer.text()
    assert "a.jpg：这不是能读取的图片" in outer.text("zh") and "；没有找到人脸" in outer.text("zh")


def test_lists_are_joined_as_their_template_says():
    message = Message("hub_not_known", hub="x", choices=("modelscope", "huggingface"))
    assert "modelscope or huggingface" in message.text()
    assert "modelscope 或 huggingface" in message.text("zh")


def test_messages_compare_by_code_and_values_and_come_back_from_json():
    nested = Message("of_picture", name=Path("a.jpg"), reason=Message("face_not_found"))
    assert nested == Message("of_picture", name="a.jpg", reason=InputError("face_not_found"))
    assert nested != Message("of_picture", name="b.jpg", reason=Message("face_not_found"))
    listed = Message("every_photo_refused", photos=1, name="Mei", reasons=[nested])
    for message in (nested, listed, as_written("Any text, {braces} too.")):
        stored = json.loads(json.dumps(message_to_json(message)))
        assert message_from_json(stored) == message
        assert len({message, message_from_json(stored)}) == 1
    assert as_written("Any text, {braces} too.").text("zh") == "Any text, {braces} too."
