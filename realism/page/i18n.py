"""The page's words: one file a language, and a switch that changes every label at once.

`words/en.json` and `words/zh.json` hold the same keys. A dict is what a component shows, under
the names that Gradio gives its properties ("label", "info", "value", ...); a string is a
sentence with places to fill. `words/messages.zh.json` has the program's own sentences, which are
English: "{}" stands for what varies.
"""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import gradio as gr

FOLDER = Path(__file__).parent / "words"
LANGUAGES = {"en": "EN", "zh": "中文"}


@cache
def words(language: str) -> dict:
    """All words of one language, "tab.name" to a sentence or a component's properties."""
    tabs = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return {f"{tab}.{name}": value for tab, names in tabs.items() for name, value in names.items()}


def text(language: str, key: str, **values: object) -> str:
    """One sentence, its places filled."""
    return words(language)[key].format(**values)


@cache
def _messages(language: str) -> list[tuple[re.Pattern, str]]:
    """The program's sentences as patterns, each with what it says in another language."""
    file = FOLDER / f"messages.{language}.json"
    told = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    # The longest first: a short one may be the beginning of a longer one.
    return [
        (re.compile(re.escape(english).replace(re.escape("{}"), "(.+?)"), re.DOTALL), other)
        for english, other in sorted(told.items(), key=lambda pair: -len(pair[0]))
    ]


def translated(sentence: str, language: str) -> str:
    """A sentence of the program in the page's language; as it is where no words are known."""
    for pattern, other in _messages(language):
        if found := pattern.fullmatch(sentence):
            # What fills a place may be a sentence, too.
            parts = [translated(part, language) for part in found.groups()]
            # Places are numbered where the order differs; JSON's braces are no places.
            for number, part in enumerate(parts):
                other = other.replace(f"{{{number}}}", part).replace("{}", part, 1)
            return other
    return sentence


def language_of(accepted: str | None) -> str:
    """The language to begin with, from a browser's Accept-Language header."""
    return "zh" if (accepted or "").strip().lower().startswith("zh") else "en"


class Spoken:
    """Makes components with their words, and remembers them for the switch."""

    def __init__(self, language: str = "en"):
        self.language = language
        self.components: list[gr.blocks.Block] = []
        self._keys: list[str] = []

    def __call__(self, kind: Callable, key: str, **settings: object):
        """A component of `kind` with the words of `key` and its other settings."""
        component = kind(**words(self.language)[key], **settings)
        self.components.append(component)
        self._keys.append(key)
        return component

    def switched(self, language: str) -> list:
        """An update for each of `components`, in their order."""
        return [gr.update(**words(language)[key]) for key in self._keys]
