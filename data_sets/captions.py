"""The captions of the pocket base, and the tokenizer that knows their words and no others.

A caption is joined from the clauses of `training/pocket/words.py`; clauses are left out at random
so that a prompt may say as little as "photo of ohwx woman". A word that no caption uses becomes one
<unk>, and captions get <unk>s strewn in, so that prompts written for larger models do no harm.
Commas are not words.

Photos say little of themselves. If "soft window light" stood with renders alone, a prompt with it
would ask for a render; so a photo's caption now and then says, at random, what renders say of
light and backdrop. All heads fill the frame alike: words of framing are strewn over all of them, so
that they mean nothing.

    python -m data_sets.captions         # prints the words and ten captions
"""

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

LENGTH = 48  # tokens, with start and end
STARTS = {
    "photo": ["photo portrait of", "photo of", "portrait of"],
    "render": ["render portrait of", "render of", "render of"],
}
RARE = ["ohwx", "sks", "zwx"]  # for a LoRA to give a meaning to
KEPT = {
    "skin": 0.4,
    "more": 0.9,
    "expression": 0.85,
    "turn": 0.9,
    "light": 0.8,
    "level": 0.5,
    "background": 0.85,
}  # share of captions that a clause is in
BORROWED = {
    "light": [
        "soft window light",
        "overcast light",
        "hard side light",
        "warm indoor light",
        "two lights light",
        "flash light",
        "sun light",
    ],
    "background": [
        "plain background",
        "wall background",
        "gradient background",
        "shapes background",
    ],
}  # clauses that renders have and photos leave open
BORROWS = 0.4  # share of photos' captions that take one
FRAMINGS = ["head and shoulders", "close-up"]
FRAMED = 0.35  # share of captions
WORDS = """
a an and of with to the photo render portrait ohwx sks zwx woman man person
young middle-aged old white east south asian african irish persian native american
light medium tan brown dark skin
grey black blond red orange green blue pink purple yellow hazel
short long straight curly slicked-back high afro bald hair head side fringe ponytail bob
eyes closed looking down glasses sunglasses hat cap beanie bandana scarf
beard mustache stubble makeup lipstick earrings necklace jewelry
neutral expression smile open frown surprise raised brows angry sad tongue out
front turned image left right
soft window overcast hard sun warm indoor two lights flash studio back golden bright dim
close-up shoulders plain wall gradient shapes background
landscape city night peach stone wooden
""".split()  # noqa: SIM905


def new_tokenizer() -> PreTrainedTokenizerFast:
    """Whole words, lower case.

    CLIPTokenizer would rebuild itself as byte pairs and spend a token a letter on unknown words.
    """
    known = ["<|startoftext|>", "<|endoftext|>", "<unk>", *WORDS]
    vocabulary = {word: i for i, word in enumerate(known)}
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


def tokens(tokenizer: PreTrainedTokenizerFast, texts: list[str]):
    """(B, LENGTH) int64."""
    return tokenizer(
        texts, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt"
    ).input_ids


def full_caption(words: dict) -> str:
    """All that is known, in the order that all captions keep."""
    return caption(words, None)


def caption(words: dict, rng: np.random.Generator | None) -> str:
    """One caption for a crop; with rng, clauses are left out and rare and unknown words put in.

    words   the clauses of `training/pocket/words.py`
    """

    def kept(share: float) -> bool:
        return rng is None or rng.random() < share

    if rng is not None and rng.random() < 0.10:
        return ""  # for classifier-free guidance
    if rng is not None and words["kind"] == "photo":
        words = dict(words)
        for name, texts in BORROWED.items():
            if not words[name] and rng.random() < BORROWS:
                words[name] = str(rng.choice(texts))
    subject = [words[name] for name in ("age", "group") if words[name] and kept(0.8)]
    if rng is not None and rng.random() < 0.15:
        subject.append(str(rng.choice(RARE)))
    subject.append(words["noun"] if kept(0.85) else "person")
    article = "an" if subject[0][0] in "aei" or subject[0] == "old" else "a"
    hair = f"with {words['hair']}" if words["hair"] and kept(0.85) else ""
    starts = STARTS[words["kind"]]
    start = starts[0] if rng is None else str(rng.choice(starts, p=[0.6, 0.2, 0.2]))
    first = [start, article if kept(0.7) else "", *subject, hair]
    clauses = [" ".join(word for word in first if word)]
    clauses += [words[name] for name, share in KEPT.items() if words[name] and kept(share)]
    if rng is not None and rng.random() < FRAMED:
        clauses.insert(int(rng.integers(1, len(clauses) + 1)), str(rng.choice(FRAMINGS)))
    text = ", ".join(clauses)
    if rng is not None and rng.random() < 0.5:
        text = " ".join("<unk>" if rng.random() < 0.05 else word for word in text.split())
    if rng is not None and rng.random() < 0.10:
        text += ", " + " ".join(["<unk>"] * rng.integers(1, 6))
    return text


def main() -> None:
    example = {
        "kind": "photo",
        "age": "old",
        "group": "east asian",
        "noun": "woman",
        "hair": "grey short hair",
        "skin": "light skin",
        "more": "glasses",
        "expression": "open smile",
        "turn": "front",
        "light": "soft window light",
        "level": "bright",
        "background": "wall background",
    }
    rng = np.random.default_rng(0)
    print(" ".join(WORDS))
    for _ in range(10):
        print(caption(example, rng))


if __name__ == "__main__":
    main()
