"""The page's words: both languages are complete, and the browser's decides."""

import json
import re

from realism.errors import Message
from realism.page.i18n import preferred_language, words


def test_both_languages_have_the_same_words_with_the_same_places_to_fill():
    english, chinese = words("en"), words("zh")
    assert set(chinese) == set(english)
    for key in english:
        assert type(english[key]) is type(chinese[key]), key
        if isinstance(english[key], str):
            places = [set(re.findall(r"{(\w+)", each[key])) for each in (english, chinese)]
            assert places[0] == places[1], key
        elif isinstance(english[key], dict):
            assert set(english[key]) == set(chinese[key]), key


def test_the_words_of_choices_stand_for_the_same_values():
    for key, properties in words("en").items():
        if isinstance(properties, dict) and "choices" in properties:
            other = words("zh")[key]["choices"]
            assert [value for _, value in properties["choices"]] == [value for _, value in other]


def test_no_word_is_left_in_english_on_the_chinese_page():
    chinese = re.compile(r"[\u4e00-\u9fff]")
    for key, value in words("zh").items():
        assert chinese.search(json.dumps(value, ensure_ascii=False)), key


def test_the_browser_s_language_decides_which_one_the_page_begins_with():
    assert preferred_language("zh-CN,zh;q=0.9,en;q=0.8") == "zh"
    assert preferred_language("de-DE,zh;q=0.5") == "en"
    assert preferred_language(None) == "en"


def test_a_program_that_calls_the_page_may_name_any_language():
    for tag, language in (("zh-CN", "zh"), ("zh_Hans", "zh"), ("fr", "en"), ("../x", "en")):
        assert words(tag) == words(language)
        message = Message("person_not_chosen")
        assert message.text(tag) == message.text(language)
