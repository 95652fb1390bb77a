"""Which files of a repository a base needs: configurations, tokenizers, one set of safetensors.

By the parts that the families name. A repository often holds the same weights three times, pickles,
and parts that are not wanted here: a download is half as large or less.
"""

from pathlib import Path

from realism.diffusion.families import FAMILIES
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
        Configurations, tokenizers and one set of safetensors weights, half precision where it is
        offered: half the download, and the difference is rounding.

    Raises
    ------
    InputError
        Where there is no base, or only pickles.
    """
    if folder in names:
        return [folder]
    root = f"{folder}/" if folder else ""
    if f"{root}model_index.json" not in names:
        single = [n for n in names if n.endswith(".safetensors") and n.rpartition("/")[0] == folder]
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
        weights = [name for name in inside if name.endswith(".safetensors")]
        half = [name for name in weights if ".fp16" in name]
        plain = [name for name in weights if Path(name).name.count(".") == 1]
        if part in WEIGHT_PARTS and inside and not (half or plain):
            raise InputError("hub_pickle_only", part=part)
        chosen += half or plain
    return chosen


def _candidates(names: list[str]) -> list[str]:
    """What could be named after the colon of an id: folders and single files with a base."""
    folders = [
        n.removesuffix("/model_index.json") for n in names if n.endswith("/model_index.json")
    ]
    files = [n for n in names if n.endswith(".safetensors") and "/" not in n]
    return (folders + files)[:MAX_CANDIDATES]
