"""The captions of the pocket base, and the tokenizer that knows their words and no others.

A caption is joined from the clauses of `training/pocket/crops.py`; clauses are left out at random so that a prompt may
say as little as "photo of ohwx woman". A word that no caption uses becomes one <unk>, and captions
get <unk>s strewn in, so that prompts written for larger models do no harm. Commas are not words.

    python -m data_sets.captions         # prints the words and ten captions
"""

# ruff: noqa: E501

import json

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

LENGTH = 48  # tokens, with start and end
STARTS = ["photo portrait of", "portrait of", "photo of"]
RARE = ["ohwx", "sks", "zwx"]  # for a LoRA to give a meaning to
# Their order is that of the tokens.
WORDS = [
    "a", "an", "and", "of", "with", "to", "the", "photo", "portrait", "ohwx", "sks", "zwx",
    "woman", "man", "person", "young", "middle-aged", "old", "white", "east", "south", "asian",
    "african", "light", "medium", "tan", "brown", "dark", "skin", "grey", "short", "long",
    "curly", "slicked-back", "hair", "side", "fringe", "ponytail", "bob", "neutral",
    "expression", "smile", "open", "frown", "surprise", "raised", "brows", "front", "turned",
    "image", "left", "right", "soft", "window", "overcast", "hard", "sun", "warm", "indoor",
    "two", "lights", "flash", "bright", "dim", "close-up", "head", "shoulders", "plain",
    "wall", "gradient", "shapes", "background",
]  # fmt: skip


def new_tokenizer() -> PreTrainedTokenizerFast:
    """Whole words, lower case. CLIPTokenizer would rebuild itself as byte pairs and spend a token a letter on unknown words."""
    vocabulary = {
        word: i for i, word in enumerate(["<|startoftext|>", "<|endoftext|>", "<unk>", *WORDS])
    }
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    backend.pre_tokenizer = pre_tokenizers.Split(
        Regex(r"<unk>|[\p{L}\p{N}][\p{L}\p{N}'\-]*"), behavior="removed", invert=True
    )
    backend.post_processor = processors.RobertaProcessing(
        ("<|endoftext|>", 1), ("<|startoftext|>", 0), False, False
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<|startoftext|>",
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        unk_token="<unk>",
        model_max_length=LENGTH,
    )


def full_caption(words: dict) -> str:
    """All that is known, in the order that all captions keep."""
    return caption(words, None)


def caption(words: dict, rng: np.random.Generator | None) -> str:
    """One caption for a crop; with rng, clauses are left out and rare and unknown words put in.

    Parameters
    ----------
    words
        The clauses of `training.pocket.crops.words`.
    """

    def kept(share: float) -> bool:
        return rng is None or rng.random() < share

    if rng is not None and rng.random() < 0.10:
        return ""  # for classifier-free guidance
    subject = [words["age"]] * kept(0.8) + [words["group"]] * kept(0.8)
    if rng is not None and rng.random() < 0.15:
        subject.append(str(rng.choice(RARE)))
    subject.append(words["noun"] if kept(0.85) else "person")
    article = (
        ("an" if subject[0][0] in "aeo" and subject[0] != "ohwx" else "a") if kept(0.7) else ""
    )
    start = STARTS[0] if rng is None else str(rng.choice(STARTS, p=[0.6, 0.2, 0.2]))
    first = " ".join(
        w for w in [start, article, *subject, *([f"with {words['hair']}"] * kept(0.85))] if w
    )
    clauses = [first]
    for name, share in (
        ("skin", 0.4),
        ("expression", 0.85),
        ("turn", 0.9),
        ("light", 0.8),
        ("level", 0.5),
        ("scale", 0.8),
        ("background", 0.85),
    ):
        if words[name] and kept(share):
            clauses.append(words[name])
    text = ", ".join(clauses)
    if rng is not None and rng.random() < 0.5:
        text = " ".join("<unk>" if rng.random() < 0.05 else word for word in text.split())
    if rng is not None and rng.random() < 0.10:
        text += ", " + " ".join(["<unk>"] * rng.integers(1, 6))
    return text


def main() -> None:
    example = {
        "age": "old",
        "group": "east asian",
        "noun": "woman",
        "skin": "light skin",
        "hair": "grey short hair",
        "expression": "open smile",
        "turn": "front",
        "light": "soft window light",
        "level": "bright",
        "scale": "close-up",
        "background": "wall background",
    }
    rng = np.random.default_rng(0)
    print(json.dumps(WORDS))
    for _ in range(10):
        print(caption(example, rng))


if __name__ == "__main__":
    main()
