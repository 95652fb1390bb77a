"""Messages to people: codes with values, and the sentences for them in two languages.

A program raises `InputError("base_not_found", base=where)` and tests `error.code`; the sentences
are in `assets/messages/en.json` and `zh.json`, code to template. What varies is a field of the
template, which also says how a number or a list is written: "{needed_gb:.1f} GB", "{names: or }"
(what stands between the items, ", " without). A field may be another message; it is rendered in
the same language.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter

CATALOGUES = Path(__file__).parent / "assets" / "messages"
LANGUAGES = ("en", "zh")


def known_language(tag: str | None) -> str:
    """The one of `LANGUAGES` for "zh-CN", "en_GB.UTF-8" or whatever else names a language."""
    return "zh" if (tag or "").strip().lower().startswith("zh") else "en"


@cache
def catalogue(language: str) -> dict[str, str]:
    """Code to template in one of `LANGUAGES`."""
    file = CATALOGUES / f"{known_language(language)}.json"
    return json.loads(file.read_text(encoding="utf-8"))


@cache
def template_fields(code: str, language: str = "en") -> frozenset[str]:
    """Names of what varies in a sentence. An unknown code is a KeyError."""
    parsed = Formatter().parse(catalogue(language)[code])
    return frozenset(name for _, name, _, _ in parsed if name is not None)


@dataclass(frozen=True, init=False)
class Message:
    """One sentence, or a part of one, in no language yet.

    Parameters
    ----------
    code : str
        A key of the catalogues.
    **values
        By field: number, text, another Message, or a tuple of these.

    Raises
    ------
    KeyError
        The code is unknown.
    TypeError
        The values are not exactly the fields of the template.
    """

    code: str
    values: dict[str, object]

    def __init__(self, code: str, /, **values: object):
        if set(values) != template_fields(code):
            raise TypeError(
                f"{code} has the fields {sorted(template_fields(code))}: {sorted(values)}"
            )
        object.__setattr__(self, "code", code)
        object.__setattr__(
            self, "values", {name: _storable(value) for name, value in values.items()}
        )

    def __hash__(self) -> int:
        return hash((self.code, *sorted(self.values)))

    def __str__(self) -> str:
        return self.text()

    def text(self, language: str = "en") -> str:
        """The sentence in one of `LANGUAGES`."""
        values = {name: _rendered(value, language) for name, value in self.values.items()}
        return catalogue(language)[self.code].format(**values)


class InputError(Exception):
    """Input that cannot be used: what a person can mend.

    The page shows it as a notice in the person's language, the shell prints it on one line and
    exits with 2. Faults of the program keep their own exceptions and stay loud.

    Parameters
    ----------
    code : str
        What programs test.
    **values
        As of `Message`.
    """

    def __init__(self, code: str, /, **values: object):
        super().__init__(code)
        self.message = Message(code, **values)

    @property
    def code(self) -> str:
        """What programs test."""
        return self.message.code

    @property
    def values(self) -> dict[str, object]:
        """What fills the sentence."""
        return self.message.values

    def __str__(self) -> str:
        return self.message.text()

    def __reduce__(self) -> tuple:
        return _rebuild_error, (self.code, self.values)


def _rebuild_error(code: str, values: dict[str, object]) -> InputError:
    return InputError(code, **values)


def as_written(text: str) -> Message:
    """A sentence from an old file, which has no code: in whatever language it was written."""
    return Message("as_written", text=text)


def message_to_json(message: Message) -> dict:
    """{"code", "values"}, plain JSON; a message among the values likewise."""
    values = {name: _to_json(value) for name, value in message.values.items()}
    return {"code": message.code, "values": values}


def message_from_json(stored: dict) -> Message:
    """The Message of `message_to_json`; a KeyError where this program does not know its code."""
    values = {name: _from_json(value) for name, value in stored["values"].items()}
    return Message(stored["code"], **values)


def _storable(value: object) -> object:
    """What a message keeps of a value: numbers and text, other messages, tuples of these."""
    if isinstance(value, InputError):
        return value.message
    if value is None or isinstance(value, bool | int | float | str | Message):
        return value
    if callable(item := getattr(value, "item", None)):  # a number of NumPy or PyTorch
        return item()
    if isinstance(value, list | tuple):
        return tuple(map(_storable, value))
    return str(value)  # a path, or another program's exception


class _JoinedItems(tuple):
    """Items that a template joins: the format is what stands between them."""

    def __format__(self, between: str) -> str:
        return (between or ", ").join(map(str, self))


def _rendered(value: object, language: str) -> object:
    """A value as a template takes it."""
    if isinstance(value, Message):
        return value.text(language)
    if isinstance(value, tuple):
        return _JoinedItems(_rendered(item, language) for item in value)
    return value


def _to_json(value: object) -> object:
    if isinstance(value, Message):
        return message_to_json(value)
    return [_to_json(item) for item in value] if isinstance(value, tuple) else value


def _from_json(value: object) -> object:
    if isinstance(value, dict):
        return message_from_json(value)
    return [_from_json(item) for item in value] if isinstance(value, list) else value
