"""A LoRA from the hubs: one file of a repository, by its name or as the only one there.

As with bases: what is on disk first, then one hub, then the other (`hub.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from realism.config import expanded
from realism.diffusion.hub import hubs_in_order, reachable, reason_of, refusals
from realism.diffusion.hub_clients import Hub, Report
from realism.diffusion.pickles import Progress, is_pickle
from realism.diffusion.weights import read_tensor_headers
from realism.errors import InputError, Message

REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
# People name LoRA files with spaces and in any script.
ID = re.compile(
    r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?(?::(?P<file>[^:*?\[\]\\]+))?"
)
USUAL = ("pytorch_lora_weights.safetensors", "adapter_model.safetensors")
MOST_NAMED = 8  # files in a refusal


@dataclass(frozen=True)
class HubLora:
    """ "owner/name@revision:file" in parts.

    Attributes
    ----------
    repo : str
        "owner/name".
    revision : str or None
        None is the hub's own default.
    file : str
        Its name or its path in the repository; "" for the only one.
    """

    repo: str
    revision: str | None = None
    file: str = ""

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"{self.repo}{revision}{f':{self.file}' if self.file else ''}"


def is_repository(text: str) -> bool:
    """Whether a text reads like "owner/name" of a hub."""
    return bool(REPOSITORY.fullmatch(text)) and ".." not in text


def is_lora_name(text: str) -> bool:
    """Whether a text can be the name of a LoRA's file in a repository."""
    path = Path(text)
    allowed = not (path.is_absolute() or ".." in path.parts or re.search(r"[:*?\[\]\\]", text))
    return allowed and (path.suffix.lower() == ".safetensors" or is_pickle(path))


def parse_hub_lora(where: str) -> HubLora | None:
    """The parts of a LoRA's id on a hub, "owner/name@revision:file"; None where it is none."""
    match = ID.fullmatch(where.strip())
    is_file = ":" not in where and Path(where).suffix.lower() == ".safetensors"
    if not match or ".." in where or is_file:
        return None
    return HubLora(match["repo"], match["revision"], (match["file"] or "").strip())


def find_lora(where: str, progress: Progress | None = None) -> Path:
    """The file or folder that `where` names, downloaded where it is a hub's.

    Parameters
    ----------
    where : str
        A file, a folder, or "owner/name", with "@revision" and ":file" where it needs them.
    progress : callable, optional
        Called with how far a download is.

    Raises
    ------
    InputError
        Where there is no such thing.
    """
    path = expanded(where)
    wanted = None if path.exists() else parse_hub_lora(where)
    if wanted is None:
        if not path.exists():
            raise InputError("lora_not_found", path=where)
        return path
    return fetch_lora(wanted, progress)


def find_hub_lora(where: str, progress: Progress | None = None) -> Path:
    """As `find_lora`, of a hub alone: for whoever may not name this machine's files.

    Raises
    ------
    InputError
        It is no id, or not to be had now.
    """
    wanted = parse_hub_lora(where)
    if wanted is None:
        raise InputError("lora_id_malformed", id=where)
    return fetch_lora(wanted, progress)


def fetch_lora(wanted: HubLora, progress: Progress | None = None) -> Path:
    """The file of a LoRA on a hub: from the cache of either hub, else downloaded.

    Raises
    ------
    InputError
        No hub can be reached, none has it, or the repository holds several and none is named.
    """
    kept = _from_caches(wanted)
    # Which is the only one of a repository, only the hub knows.
    if kept and wanted.file:
        return kept
    reasons: list[Message] = []
    for hub in hubs_in_order():
        if not reachable(hub):
            reasons.append(Message("hub_unreachable", hub=hub.title))
            continue
        try:
            return _download(hub, wanted, progress)
        except refusals() as error:
            reasons.append(Message("hub_refused", hub=hub.title, reason=reason_of(error)))
    unreachable = all(reason.code == "hub_unreachable" for reason in reasons)
    if kept and unreachable:
        return kept
    raise InputError("lora_cannot_be_fetched", lora=str(wanted), reasons=reasons)


def _from_caches(wanted: HubLora) -> Path | None:
    """The file where an earlier download of it is whole."""
    for hub in hubs_in_order():
        root = hub.cached(wanted.repo, wanted.revision)
        if root is None:
            continue
        names = [file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()]
        try:
            file = root / choose_lora(names, wanted.file)
            _check_whole(file)
        except InputError:  # not all of it was downloaded: go on where it stopped
            continue
        return file
    return None


def choose_lora(names: list[str], file: str) -> str:
    """The LoRA's file among a repository's files.

    Parameters
    ----------
    names : list of str
        Of files, folders before them with /.
    file : str
        The one wanted, with or without its folders; "" for the only one.

    Raises
    ------
    InputError
        It is not there; or none is named and there are several, or none.
    """
    weights = [name for name in names if name.endswith(".safetensors") or is_pickle(Path(name))]
    if file:
        found = [name for name in weights if name == file] or [
            name for name in weights if Path(name).name == Path(file).name
        ]
    else:
        usual = [name for name in weights if Path(name).name in USUAL]
        safe = [name for name in weights if name.endswith(".safetensors")]
        found = usual or safe or weights
    if len(found) != 1:
        raise InputError(
            "hub_no_lora",
            file=file or Message("the_lora_alone"),
            candidates=weights[:MOST_NAMED] or [Message("none_found")],
        )
    return found[0]


def _check_whole(file: Path) -> None:
    if not is_pickle(file):
        read_tensor_headers(file)


def _download(hub: Hub, wanted: HubLora, progress: Progress | None) -> Path:
    sizes = hub.file_sizes(wanted.repo, wanted.revision)
    name = choose_lora(list(sizes), wanted.file)
    report = Report(progress, sizes[name], wanted.repo, hub.title)
    file = hub.download(wanted.repo, wanted.revision, [name], report) / name
    _check_whole(file)
    return file
