"""Bases from ModelScope and Hugging Face: what is on disk first, then one hub, then the other.

A hub that cannot be reached is found out by us within seconds: their own libraries wait up to a
minute (modelscope 1.40). Only safetensors, configurations and tokenizers are downloaded; both
libraries show progress and take up a broken download where it stopped.
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

from realism.errors import InputError, Message

HUBS = ("modelscope", "huggingface")
REACH_TIMEOUT = 2.0  # seconds for one hub to answer; two hubs stay under five
TITLE = {"modelscope": "ModelScope", "huggingface": "Hugging Face"}
# The variable that each library reads, and the host it talks to without one.
ENDPOINT = {
    "modelscope": ("MODELSCOPE_ENDPOINT", "https://modelscope.cn"),
    "huggingface": ("HF_ENDPOINT", "https://huggingface.co"),
}
PARTS = (
    "unet",
    "vae",
    "text_encoder",
    "text_encoder_2",
    "tokenizer",
    "tokenizer_2",
    "scheduler",
)

ID = re.compile(
    r"(?P<owner>[\w.-]+)/(?P<name>[\w.-]+)(?:@(?P<revision>[\w./-]+))?(?::(?P<folder>[\w./-]+))?"
)


@dataclass(frozen=True)
class HubId:
    """ "owner/name@revision:folder" in parts; revision "" is the hub's own default."""

    repo: str
    revision: str
    folder: str


def is_hub_id(where: str) -> bool:
    """Whether `where` reads like a hub's id."""
    match = ID.fullmatch(where)
    return bool(match) and ".." not in where


def parse(where: str) -> HubId:
    """The parts of a hub's id; raises InputError where it is none."""
    match = ID.fullmatch(where)
    if not match or ".." in where:
        raise InputError("hub_id_malformed", base=where)
    return HubId(
        f"{match['owner']}/{match['name']}",
        match["revision"] or "",
        (match["folder"] or "").strip("/"),
    )


def fetch(
    where: str,
    check: Callable[[Path], object],
    progress: Callable[[float, str], None] | None = None,
) -> Path:
    """The folder or file of a hub's id: from the cache of either hub, else downloaded.

    where       "owner/name@revision:folder"
    check       raises InputError where a copy on disk is not whole or not a base
    progress    told 0..1 and what is being downloaded
    Raises InputError: no hub can be reached, none has it, or what it has is not a base.
    """
    wanted = parse(where)
    reasons = []
    for hub in _order():
        cached = _cached(hub, wanted)
        if cached and cached.exists():
            try:
                check(cached)
            except InputError as error:  # perhaps half of it was downloaded: go on where it stopped
                reasons.append(error.message)
            else:
                return cached
    for hub in _order():
        if not _reachable(hub):
            reasons.append(Message("hub_unreachable", hub=TITLE[hub]))
            continue
        try:
            found = _download(hub, wanted, progress)
        except _refusals() as error:
            reasons.append(Message("hub_refused", hub=TITLE[hub], reason=_reason_of(error)))
            continue
        check(found)
        return found
    raise InputError("base_cannot_be_fetched", base=where, reasons=reasons)


def _order() -> tuple[str, ...]:
    """The hub of $REALISM_HUB first, the other as fall-back."""
    first = os.environ.get("REALISM_HUB", HUBS[0]).lower()
    if first not in HUBS:
        raise InputError("hub_not_known", hub=first, choices=HUBS)
    return (first, *(hub for hub in HUBS if hub != first))


def _reachable(hub: str) -> bool:
    """Whether the hub answers on its port, found out in REACH_TIMEOUT at most."""
    if hub == "huggingface" and os.environ.get("HF_HUB_OFFLINE", "").upper() in (
        "1",
        "TRUE",
        "YES",
    ):
        return False
    variable, usual = ENDPOINT[hub]
    address = os.environ.get(variable) or usual
    proxy = os.environ.get("https_proxy") or os.environ.get("HTTPS_PROXY")
    parts = urlsplit(proxy or (address if "//" in address else f"https://{address}"))
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 443)
    reached = threading.Event()

    def knock() -> None:
        with contextlib.suppress(OSError):
            socket.create_connection((parts.hostname, port), REACH_TIMEOUT).close()
            reached.set()

    # In a thread of its own: looking up a name has no time limit where the network is half dead.
    waiting = threading.Thread(target=knock, daemon=True)
    waiting.start()
    waiting.join(REACH_TIMEOUT)
    return reached.is_set()


def _cached(hub: str, wanted: HubId) -> Path | None:
    """Where an earlier download lies, whole or not; None where there is none. No network."""
    if hub == "huggingface":
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import IncompleteSnapshotError, LocalEntryNotFoundError

        try:
            root = snapshot_download(
                wanted.repo, revision=wanted.revision or None, local_files_only=True
            )
        except IncompleteSnapshotError as error:  # we never take all files of a repository
            root = error.snapshot_path
        except LocalEntryNotFoundError:
            return None
    else:
        # Its library takes seconds to import and makes an empty cache when asked for nothing.
        if (
            not Path(os.environ.get("MODELSCOPE_CACHE", "~/.cache/modelscope"))
            .expanduser()
            .is_dir()
        ):
            return None
        from modelscope import snapshot_download
        from modelscope_hub.errors import CacheNotFound

        try:
            root = snapshot_download(
                wanted.repo, revision=wanted.revision or None, local_files_only=True
            )
        except CacheNotFound:
            return None
    return Path(root, wanted.folder)


def _download(hub: str, wanted: HubId, progress: Callable[[float, str], None] | None) -> Path:
    """Download what a base needs, and no more, and return its folder or file."""
    sizes = _listing(hub, wanted)
    names = choose(list(sizes), wanted.folder)
    total = sum(sizes[name] for name in names)
    report = _Report(progress, total, f"{wanted.repo} from {TITLE[hub]}")
    revision = wanted.revision or None
    if hub == "huggingface":
        from huggingface_hub import snapshot_download

        root = snapshot_download(
            wanted.repo, revision=revision, allow_patterns=names, tqdm_class=report.tqdm()
        )
    else:
        from modelscope import snapshot_download

        root = snapshot_download(
            wanted.repo,
            revision=revision,
            allow_patterns=names,
            progress_callbacks=[report.callback()],
        )
    folder = Path(root, wanted.folder)
    # A repository that is one checkpoint, not a folder in diffusers layout.
    return folder if folder.is_file() or len(names) > 1 else Path(root, names[0])


class _Report:
    """Counts bytes for whoever watches; the libraries print their own bars on the terminal.

    progress    told 0..1 and `text`; None: nobody watches
    total       bytes of all files
    """

    def __init__(self, progress: Callable[[float, str], None] | None, total: int, text: str):
        self.progress, self.total, self.text = progress, max(total, 1), text
        self.done = 0

    def show(self, done: int) -> None:
        """Tell the watcher that `done` bytes are here."""
        self.done = max(self.done, done)
        if self.progress:
            size = f"{self.done / 1e9:.2f} of {self.total / 1e9:.2f} GB"
            self.progress(min(self.done / self.total, 1.0), f"Downloading {self.text}, {size}")

    def tqdm(self) -> type:
        """The bar that huggingface_hub makes, which also tells the watcher."""
        from huggingface_hub.utils import tqdm

        report = self

        class Bar(tqdm):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                # Our own count: without a terminal the bar is off and keeps none.
                self.bytes = 0 if kwargs.get("unit") == "B" else None

            def update(self, n: float | None = 1) -> bool | None:
                if self.bytes is not None:
                    self.bytes += n or 0
                    report.show(int(self.bytes))
                return super().update(n)

        return Bar

    def callback(self) -> type:
        """The class that modelscope makes for each file, which also tells the watcher."""
        from modelscope_hub import TqdmCallback

        report = self

        class Bar(TqdmCallback):
            def update(self, size: int) -> None:
                super().update(size)
                report.show(report.done + size)

        return Bar


def _listing(hub: str, wanted: HubId) -> dict[str, int]:
    """Name -> bytes of every file of the repository."""
    if hub == "huggingface":
        from huggingface_hub import HfApi
        from huggingface_hub.hf_api import RepoFile

        entries = HfApi().list_repo_tree(
            wanted.repo, recursive=True, revision=wanted.revision or None
        )
        return {entry.path: entry.size for entry in entries if isinstance(entry, RepoFile)}
    from modelscope_hub import HubApi

    entries = HubApi().list_repo_files(wanted.repo, "model", revision=wanted.revision or None)
    return {entry.path: entry.size or 0 for entry in entries if entry.type != "tree"}


def choose(names: list[str], folder: str) -> list[str]:
    """The files that a base needs, of all files of its repository.

    names     of files, folders before them with /
    folder    the part of the repository to look in; "" for all of it; or the one file wanted
    ->        configurations, tokenizers and one set of safetensors weights, half precision where
              it is offered: half the download, and the difference is rounding
    Raises InputError where there is no base, or only pickles.
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
            candidates=_bases_in(names) or [Message("none_found")],
        )
    chosen = [f"{root}model_index.json"]
    for part in PARTS:
        inside = [name for name in names if name.startswith(f"{root}{part}/")]
        chosen += [name for name in inside if name.endswith((".json", ".txt"))]
        weights = [name for name in inside if name.endswith(".safetensors")]
        half = [name for name in weights if ".fp16" in name]
        plain = [name for name in weights if Path(name).name.count(".") == 1]
        if (
            part in ("unet", "vae", "text_encoder", "text_encoder_2")
            and inside
            and not (half or plain)
        ):
            raise InputError("hub_pickle_only", part=part)
        chosen += half or plain
    return chosen


def _bases_in(names: list[str]) -> list[str]:
    """What could be named after the colon."""
    folders = [
        n.removesuffix("/model_index.json") for n in names if n.endswith("/model_index.json")
    ]
    return (folders + [n for n in names if n.endswith(".safetensors") and "/" not in n])[:8]


def _refusals() -> tuple[type[Exception], ...]:
    """What the hubs' libraries raise when a hub refuses, lacks the model or falls silent."""
    import httpx2
    import requests
    from modelscope_hub.errors import HubError

    return (InputError, OSError, httpx2.HTTPError, requests.RequestException, HubError)


def _reason_of(error: Exception) -> Message | str:
    """What a hub's library says in its first line; a refusal of ours as it is."""
    if isinstance(error, InputError):
        return error.message
    if not str(error).strip():
        return type(error).__name__
    return str(error).strip().splitlines()[0].rstrip(".")
