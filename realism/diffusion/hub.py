"""Bases from ModelScope and Hugging Face: what is on disk first, then one hub, then the other.

A hub that cannot be reached is found out by us within seconds: their own libraries wait up to a
minute (modelscope 1.40). Which files of a repository are downloaded is decided in `hub_files.py`,
how each hub is asked in `hub_clients.py`.
"""

import contextlib
import os
import re
import socket
import threading
from collections.abc import Callable
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


def fetch(
    where: str,
    check: Callable[[Path], object],
    progress: Progress | None = None,
) -> Path:
    """The folder or file of a hub's id: from the cache of either hub, else downloaded.

    Parameters
    ----------
    where : str
        "owner/name@revision:folder".
    check : callable
        Raises InputError where a copy on disk is not whole or not a base.
    progress : callable, optional
        Called with 0..1 and what is being downloaded.

    Raises
    ------
    InputError
        No hub can be reached, none has it, or what it has is not a base.
    """
    wanted = parse_hub_id(where)
    reasons = []
    for hub in _order():
        root = hub.cached(wanted.repo, wanted.revision)
        if root is None or not (root / wanted.folder).exists():
            continue
        try:
            check(root / wanted.folder)
        except InputError as error:  # perhaps half of it was downloaded: go on where it stopped
            reasons.append(error.message)
        else:
            return root / wanted.folder
    for hub in _order():
        if not _reachable(hub):
            reasons.append(Message("hub_unreachable", hub=hub.title))
            continue
        try:
            found = _download(hub, wanted, progress)
        except _refusals() as error:
            reasons.append(Message("hub_refused", hub=hub.title, reason=_reason(error)))
            continue
        check(found)
        return found
    raise InputError("base_cannot_be_fetched", base=where, reasons=reasons)


def _order() -> list[Hub]:
    """The hub of $REALISM_HUB first, the other as fall-back."""
    first = os.environ.get("REALISM_HUB", next(iter(HUBS))).lower()
    if first not in HUBS:
        raise InputError("hub_not_known", hub=first, choices=tuple(HUBS))
    return [HUBS[first], *(hub for name, hub in HUBS.items() if name != first)]


def _reachable(hub: Hub) -> bool:
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
    folder = root / wanted.folder
    # A repository that is one checkpoint, not a folder in diffusers layout.
    return folder if folder.is_file() or len(names) > 1 else root / names[0]


def _refusals() -> tuple[type[Exception], ...]:
    """What the hubs' libraries raise when a hub refuses, lacks the model or falls silent."""
    import httpx2
    import requests
    from modelscope_hub.errors import HubError

    return (InputError, OSError, httpx2.HTTPError, requests.RequestException, HubError)


def _reason(error: Exception) -> Message | str:
    """The first line of what a hub's library reports; a refusal of ours as it is."""
    if isinstance(error, InputError):
        return error.message
    if not str(error).strip():
        return type(error).__name__
    return str(error).strip().splitlines()[0].rstrip(".")
