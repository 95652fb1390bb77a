"""Bases from ModelScope and Hugging Face: what is on disk first, then one hub, then the other.

A model moves: it may have several places, which are tried in their order.

A hub that cannot be reached is found out by us within seconds: their own libraries wait up to a
minute (modelscope 1.40). Which files of a repository are downloaded is decided in `hub_files.py`,
how each hub is asked in `hub_clients.py`.
"""

import contextlib
import os
import re
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from realism.diffusion.hub_clients import Hub, HuggingFace, ModelScope, Report
from realism.diffusion.hub_files import choose_files
from realism.diffusion.pickles import Progress
from realism.errors import InputError, Message

HUBS: dict[str, Hub] = {hub.name: hub for hub in (ModelScope(), HuggingFace())}
REACH_TIMEOUT = 2.0  # seconds for one hub to answer; two hubs stay under five
ID = re.compile(
    r"(?P<owner>[\w.-]+)/(?P<name>[\w.-]+)(?:@(?P<revision>[\w./-]+))?(?::(?P<folder>[\w./-]+))?"
)


@dataclass(frozen=True)
class HubId:
    """ "owner/name@revision:folder" in parts; revision None is the hub's own default."""

    repo: str
    revision: str | None
    folder: str


def is_hub_id(where: str) -> bool:
    """Whether `where` reads like a hub's id."""
    match = ID.fullmatch(where)
    return bool(match) and ".." not in where


def parse_hub_id(where: str) -> HubId:
    """The parts of a hub's id; raises InputError where it is none."""
    match = ID.fullmatch(where)
    if not match or ".." in where:
        raise InputError("hub_id_malformed", base=where)
    return HubId(
        f"{match['owner']}/{match['name']}", match["revision"], (match["folder"] or "").strip("/")
    )


@dataclass(frozen=True)
class Fetched:
    """What a hub gave.

    Attributes
    ----------
    path : Path
        Its folder or file in the cache.
    place : str
        The id under which it was found.
    notes : tuple of Message
        Which places it was not to be had from, before.
    """

    path: Path
    place: str
    notes: tuple[Message, ...] = ()


def fetch(
    places: str | Sequence[str],
    check: Callable[[Path], object],
    progress: Progress | None = None,
) -> Fetched:
    """Fetch from the first place that has it: from the cache of either hub, else downloaded.

    Parameters
    ----------
    places : str or sequence of str
        "owner/name@revision:folder"; several of the same model in the order to be tried.
    check : callable
        Raises InputError where a copy on disk is not whole or not a base.
    progress : callable, optional
        Called with 0..1 and what is being downloaded.

    Raises
    ------
    InputError
        No hub can be reached, none has it, or what it has is not a base.
    """
    places = [places] if isinstance(places, str) else places
    wanted = [parse_hub_id(place) for place in places]
    reasons: list[Message] = []
    for place, parts in zip(places, wanted, strict=True):
        for hub in hubs_in_order():
            if path := _from_cache(hub, parts, check, reasons):
                return Fetched(path, place)
    reached = [hub for hub in hubs_in_order() if reachable(hub)]
    away = [hub for hub in hubs_in_order() if hub not in reached]
    reasons += [Message("hub_unreachable", hub=hub.title) for hub in away]
    gone: list[str] = []
    for place, parts in zip(places, wanted, strict=True):
        everywhere = bool(reached)
        for hub in reached:
            try:
                found = _download(hub, parts, progress)
            except refusals() as error:
                reasons.append(Message("hub_refused", hub=hub.title, reason=reason_of(error)))
                everywhere &= isinstance(error, _absences())
                continue
            check(found)
            notes = (Message("base_place_gone", gone=gone, place=place),) if gone else ()
            return Fetched(found, place, notes)
        if not everywhere:  # a broken line: the next try goes on where this one stopped
            break
        gone.append(place)
        if progress and place != places[-1]:
            progress(0, Message("base_place_next", gone=place, place=places[len(gone)]))
    raise InputError("base_cannot_be_fetched", base=places[0], reasons=reasons)


def _from_cache(
    hub: Hub, wanted: HubId, check: Callable[[Path], object], reasons: list[Message]
) -> Path | None:
    """An earlier download, where it is whole; why it is not is added to `reasons`."""
    root = hub.cached(wanted.repo, wanted.revision)
    if root is None or not (root / wanted.folder).exists():
        return None
    names = [str(file.relative_to(root).as_posix()) for file in root.rglob("*") if file.is_file()]
    try:
        path = _inside(root, wanted, choose_files(names, wanted.folder))
        check(path)
    except InputError as error:  # perhaps half of it was downloaded: go on where it stopped
        reasons.append(error.message)
        return None
    return path


def _inside(root: Path, wanted: HubId, names: list[str]) -> Path:
    """The folder or file of a base in a repository's folder."""
    folder = root / wanted.folder
    # A repository that is one checkpoint, not a folder in diffusers layout.
    return folder if folder.is_file() or len(names) > 1 else root / names[0]


def hubs_in_order() -> list[Hub]:
    """The hub of $REALISM_HUB first, the other as fall-back."""
    first = os.environ.get("REALISM_HUB", next(iter(HUBS))).lower()
    if first not in HUBS:
        raise InputError("hub_not_known", hub=first, choices=tuple(HUBS))
    return [HUBS[first], *(hub for name, hub in HUBS.items() if name != first)]


def reachable(hub: Hub) -> bool:
    """Whether the hub answers on its port, found out in REACH_TIMEOUT at most."""
    if hub.offline():
        return False
    address = os.environ.get(hub.endpoint_variable) or hub.endpoint
    proxy = os.environ.get("https_proxy") or os.environ.get("HTTPS_PROXY")
    parts = urlsplit(proxy or (address if "//" in address else f"https://{address}"))
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 443)
    reached = threading.Event()

    def knock() -> None:
        with contextlib.suppress(OSError):
            socket.create_connection((parts.hostname or "", port), REACH_TIMEOUT).close()
            reached.set()

    # In a thread of its own: looking up a name has no time limit where the network is half dead.
    waiting = threading.Thread(target=knock, daemon=True)
    waiting.start()
    waiting.join(REACH_TIMEOUT)
    return reached.is_set()


def _download(hub: Hub, wanted: HubId, progress: Progress | None) -> Path:
    """Download what a base needs, and no more, and return its folder or file."""
    sizes = hub.file_sizes(wanted.repo, wanted.revision)
    names = choose_files(list(sizes), wanted.folder)
    total = sum(sizes[name] for name in names)
    report = Report(progress, total, wanted.repo, hub.title)
    root = hub.download(wanted.repo, wanted.revision, names, report)
    return _inside(root, wanted, names)


def refusals() -> tuple[type[Exception], ...]:
    """What the hubs' libraries raise when a hub refuses, lacks the model or falls silent."""
    import httpx2
    import requests
    from modelscope_hub.errors import HubError

    return (InputError, OSError, httpx2.HTTPError, requests.RequestException, HubError)


def _absences() -> tuple[type[Exception], ...]:
    """Of these, what says that a hub has no such model, revision or folder, or not for us."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from modelscope_hub.errors import NotExistError

    of_hugging_face = (RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError)
    return (*of_hugging_face, NotExistError, InputError)


def reason_of(error: Exception) -> Message | str:
    """Why a hub refuses, in few words; the first line of its library's where that is all."""
    from huggingface_hub.errors import GatedRepoError

    if isinstance(error, InputError):
        return error.message
    if isinstance(error, GatedRepoError):
        return Message("hub_gated")
    if isinstance(error, _absences()):
        return Message("hub_lacks_it")
    if not str(error).strip():
        return type(error).__name__
    return str(error).strip().splitlines()[0].rstrip(".")
