"""The page's words: one file a language, and a switch that changes every label at once.

`words/en.json` and `words/zh.json` hold the same keys. A dict is what a component shows, under
the names that Gradio gives its properties ("label", "info", "value", ...); a string is a
sentence with places to fill. What the package says of its own, errors and reasons, has its
words in `realism/assets/messages`.
"""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import gradio as gr
from gradio.blocks import Block

from realism.errors import known_language

Language = Literal["en", "zh"]
Widget = TypeVar("Widget", bound=Block)

FOLDER = Path(__file__).parent / "words"
LANGUAGES = {"en": "EN", "zh": "中文"}


@cache
def words(language: str) -> dict[str, Any]:
    """All words of one language, "tab.name" to a sentence or a component's properties."""
    # A program that calls the page may name any language.
    file = FOLDER / f"{known_language(language)}.json"
    tabs = json.loads(file.read_text(encoding="utf-8"))
    return {f"{tab}.{name}": value for tab, names in tabs.items() for name, value in names.items()}


def text(language: str, key: str, **values: object) -> str:
    """One sentence, its places filled."""
    return words(language)[key].format(**values)


def preferred_language(accept_language: str | None) -> str:
    """The language to begin with, from a browser's Accept-Language header."""
    return known_language(accept_language)


class Localizer:
    """Makes components with their words, and remembers them for the switch.

    Attributes
    ----------
    language : str
        In which the components are made, "en" or "zh".
    components : list of Block
        What was made, in order.
    """

    def __init__(self, language: str = "en"):
        self.language = language
        self.components: list[Block] = []
        self._keys: list[str] = []

    def __call__(self, component_class: Callable[..., Widget], key: str, **settings: Any) -> Widget:
        """A component with the words of `key` and its other settings."""
        component = component_class(**words(self.language)[key], **settings)
        self.components.append(component)
        self._keys.append(key)
        return component

    def updates(self, language: str) -> list:
        """An update to that language for each of `components`, in their order."""
        return [gr.update(**words(language)[key]) for key in self._keys]
