"""What of a prompt a base reads, and what it would only take for odd words.

Prompts are passed around with marks that other programs read before the base does: weights
`(smile:1.3)`, `<lora:name:0.8>`, `BREAK`, words that change by the step `[hat:cap:0.5]` or by the
portrait `{hat|cap}`. A base has no token for them and is steered somewhere at random. They are
taken out, the words in them stay, and it is said; typed with the brackets and colons of a Chinese
keyboard, too. So is what a base leaves out by itself: an end that is too long, words its tokenizer
does not know, a language it was not taught.

Syntax: AUTOMATIC1111/stable-diffusion-webui, wiki page "Features"; adieyal/sd-dynamic-prompts.
"""

import re
from collections.abc import Collection

from realism.diffusion.base import Base
from realism.diffusion.denoise import drop_unknown_words, unread_prompt_end
from realism.errors import Message
from realism.portraits.styles import PLACE

NUMBER = r"\s*[-+]?(?:\d+\.?\d*|\.\d+)\s*"
# Closed, or left open up to a comma or the end, as a bracket often is in long prompts.
WEIGHT = re.compile(
    rf"[(\[（【]([^()\[\]<>（）【】]*?)[:：]{NUMBER}[)\]）】]"
    rf"|[(（]([^()\[\]<>（）【】,，:：]*)[:：]{NUMBER}(?=[,，]|$)"
)
# Not from within a row of brackets: a thousand of them would be tried a thousand times.
EMPHASIS = re.compile(
    r"(?<!\()\({2,}([^()]*)\){2,}|(?<!\[)\[{2,}([^\[\]]*)\]{2,}|(?<!\{)\{{2,}([^{}]*)\}{2,}"
    rf"|\(([^()]+)\)(?:\++|-+|(?=[\d.]){NUMBER})(?=[\s,]|$)"
)
NETWORK = re.compile(r"<\s*(?:lora|lyco|hypernet)\s*:[^<>]*>", re.IGNORECASE)
EMBEDDING = re.compile(r"\bembedding:[\w./-]+", re.IGNORECASE)
JOINT = re.compile(r"\b(?:BREAK|AND)\b")
# Each with the words that stay: of steps the last, of alternatives the first.
CHANGES = (
    re.compile(rf"\[[^()\[\]<>:|]*:([^()\[\]<>:|]+):{NUMBER}\]"),
    re.compile(rf"\[([^()\[\]<>:|]+)::?{NUMBER}\]"),
    re.compile(r"\[([^\[\]|]*)\|[^\[\]]*\]"),
    re.compile(r"\{([^{}|]*)\|[^{}]*\}"),
    re.compile(r"\b__([\w/-]+?)__\b"),
)
# Control characters, and half of one: a byte of the shell that is no UTF-8. No PNG can keep them.
NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
PERSON = re.compile(r"[{｛]+\s*person\s*[}｝]+", re.IGNORECASE)
KEPT_PLACE = "\ue000"  # stands for the person meanwhile: private, so in no prompt
# Han, kana, hangul: what CLIP's tokenizer spells out byte by byte and its encoder never learned.
EAST_ASIAN = re.compile(r"[぀-ヿ㐀-鿿가-힯]+")


def plain_prompt(prompt: str) -> tuple[str, list[Message]]:
    """The words of a prompt without the marks that other programs read.

    Parameters
    ----------
    prompt : str

    Returns
    -------
    prompt : str
        The words, a space between them.
    notes : list of Message
        Which marks were taken out.
    """
    notes = []
    prompt = NO_TEXT.sub(" ", prompt)
    prompt = PERSON.sub(KEPT_PLACE, prompt)
    for pattern, code in (
        (NETWORK, "prompt_lora_not_read"), (EMBEDDING, "prompt_embedding_not_read"),
    ):  # fmt: skip
        if marks := pattern.findall(prompt):
            prompt = pattern.sub(" ", prompt)
            notes.append(Message(code, marks=marks))
    prompt, marks, words = _words_of_marks(prompt, CHANGES)
    if marks:
        notes.append(Message("prompt_changes_not_read", marks=marks, words=words))
    prompt, marks, _ = _words_of_marks(prompt, (WEIGHT, EMPHASIS))
    if marks:
        notes.append(Message("prompt_weights_not_read", marks=marks))
    if joints := list(dict.fromkeys(JOINT.findall(prompt))):
        prompt = JOINT.sub(", ", prompt)
        notes.append(Message("prompt_joints_not_read", marks=joints))
    if notes:
        prompt = re.sub(r"\s*,[\s,]*", ", ", " ".join(prompt.split())).strip(" ,")
    return prompt.replace(KEPT_PLACE, PLACE), notes


def _words_of_marks(
    prompt: str, patterns: Collection[re.Pattern[str]]
) -> tuple[str, list[str], list[str]]:
    """A prompt with the words of marks in their place, the marks, and those words."""
    marks, words = [], []
    for pattern in patterns:
        while found := pattern.search(prompt):
            inside = next(group for group in found.groups() if group is not None).strip(" _")
            marks.append(found.group().replace(KEPT_PLACE, PLACE))
            words.append(inside.replace(KEPT_PLACE, PLACE))
            before, after = prompt[: found.start()], prompt[found.end() :]
            # Marks side by side have no space between them; their words need one.
            left = " " if before[-1:].isalnum() or before[-1:] in tuple(")]}") else ""
            right = " " if after[:1].isalnum() or after[:1] in tuple("([{（【") else ""
            prompt = f"{before}{left}{inside}{right}{after}"
    return prompt, marks, words


def unread_words(base: Base, prompt: str, usual: Collection[str] = ()) -> list[Message]:
    """What of a plain prompt a base does not read, and what helps.

    Parameters
    ----------
    base : Base
        As `load_base` gives it.
    prompt : str
        Of `plain_prompt`, or a negative prompt.
    usual : collection of str
        Words that need no mention: those of the presets, which are for every base.
    """
    tokenizer, _ = base.family.text_reader(base.pipeline)
    notes, known = [], drop_unknown_words(base, prompt)
    foreign = EAST_ASIAN.findall(prompt)
    if foreign and type(tokenizer).__name__.startswith("CLIP"):
        notes.append(Message("prompt_not_english", words=foreign, base=base.name))
    elif known != " ".join(prompt.split()):
        kept = set(known.split())
        words = dict.fromkeys(word.strip(",.;") for word in prompt.split() if word not in kept)
        unknown = [word for word in words if word and word not in usual]
        code = "prompt_not_english" if foreign else "prompt_words_unknown"
        if unknown:
            notes.append(Message(code, words=unknown, base=base.name))
    if rest := unread_prompt_end(base, prompt):
        notes.append(Message("prompt_end_not_read", rest=rest, base=base.name))
    return notes
