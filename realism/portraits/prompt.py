"""What of a prompt a base reads, and what it would only take for odd words.

Prompts are passed around with marks that other programs read before the base does: weights
`(smile:1.3)`, `<lora:name:0.8>`, `BREAK`. A base has no token for them and is steered somewhere at
random. They are taken out, the words in them stay, and it is said. So is what a base leaves out by
itself: an end that is too long, words its tokenizer does not know, a language it was not taught.

Syntax: AUTOMATIC1111/stable-diffusion-webui, wiki page "Features".
"""

import re
from collections.abc import Collection

from realism.diffusion.base import Base
from realism.diffusion.denoise import drop_unknown_words, unread_prompt_end
from realism.errors import Message

WEIGHT = re.compile(r"[(\[]([^()\[\]<>]*?):\s*\d*\.?\d+\s*[)\]]")
EMPHASIS = re.compile(r"\({2,}([^()]*)\){2,}|\[{2,}([^\[\]]*)\]{2,}")
NETWORK = re.compile(r"<\s*(?:lora|lyco|hypernet)\s*:[^<>]*>", re.IGNORECASE)
JOINT = re.compile(r"\b(?:BREAK|AND)\b")
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
    networks = NETWORK.findall(prompt)
    if networks:
        prompt = NETWORK.sub(" ", prompt)
        notes.append(Message("prompt_lora_not_read", marks=networks))
    weights = []
    for pattern in (WEIGHT, EMPHASIS):
        while found := pattern.search(prompt):
            weights.append(found.group())
            words = next(group for group in found.groups() if group is not None)
            prompt = prompt[: found.start()] + words + prompt[found.end() :]
    if weights:
        notes.append(Message("prompt_weights_not_read", marks=weights))
    if joints := list(dict.fromkeys(JOINT.findall(prompt))):
        prompt = JOINT.sub(", ", prompt)
        notes.append(Message("prompt_joints_not_read", marks=joints))
    if not notes:
        return prompt, []
    prompt = re.sub(r"\s*,[\s,]*", ", ", " ".join(prompt.split()))
    return prompt.strip(" ,"), notes


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
