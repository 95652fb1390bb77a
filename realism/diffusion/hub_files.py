"""Which files of a repository a base needs: configurations, tokenizers, one set of weights.

By the parts that the families name. A repository often holds the same weights three times, and
parts that are not wanted here: a download is half as large or less. Pickles are taken where there
is nothing else (`pickles.py` opens them).
"""

from pathlib import Path

from realism.diffusion.families import FAMILIES
from realism.diffusion.pickles import is_pickle
from realism.diffusion.weights import WEIGHTS
from realism.errors import InputError, Message

WEIGHT_PARTS = tuple(
    dict.fromkeys(part for family in FAMILIES.values() for part in family.weight_parts)
)
OTHER_PARTS = tuple(
    dict.fromkeys(part for family in FAMILIES.values() for part in family.other_parts)
)
MAX_CANDIDATES = 8  # bases named in a refusal


def choose_files(names: list[str], folder: str) -> list[str]:
    """The files that a base needs, of all files of its repository.

    Parameters
    ----------
    names : list of str
        Of files, folders before them with /.
    folder : str
        The part of the repository to look in; "" for all of it; or the one file wanted.

    Returns
    -------
    list of str
        Configurations, tokenizers and one set of weights: safetensors where there are any, and
        half precision where it is offered: half the download, and the difference is rounding.

    Raises
    ------
    InputError
        Where there is no base, or a part of it without weights that can be read here.
    """
    if folder in names:
        return [folder]
    root = f"{folder}/" if folder else ""
    if f"{root}model_index.json" not in names:
        here = [name for name in names if name.rpartition("/")[0] == folder]
        single = [name for name in here if name.endswith(".safetensors")]
        if not single and not any(name.endswith("/model_index.json") for name in names):
            single = [name for name in here if is_pickle(Path(name))]
        if len(single) == 1:
            return single
        raise InputError(
            "hub_no_base",
            folder=folder or Message("the_repository"),
            candidates=_candidates(names) or [Message("none_found")],
        )
    chosen = [f"{root}model_index.json"]
    for part in (*WEIGHT_PARTS, *OTHER_PARTS):
        inside = [name for name in names if name.startswith(f"{root}{part}/")]
        chosen += [name for name in inside if name.endswith((".json", ".txt"))]
        weights = {name: match for name in inside if (match := WEIGHTS.fullmatch(Path(name).name))}
        if part in WEIGHT_PARTS and inside and not weights:
            raise InputError("hub_part_without_weights", part=part)
        for kind in ("safetensors", "bin"):
            of_kind = {name: m["variant"] for name, m in weights.items() if m["kind"] == kind}
            half = [name for name, variant in of_kind.items() if variant]
            chosen += half or list(of_kind)
            if of_kind:
                break
    return chosen


def _candidates(names: list[str]) -> list[str]:
    """What could be named after the colon of an id: folders and single files with a base."""
    folders = [
        n.removesuffix("/model_index.json") for n in names if n.endswith("/model_index.json")
    ]
    files = [n for n in names if n.endswith((".safetensors", ".ckpt")) and "/" not in n]
    return (folders + files)[:MAX_CANDIDATES]
