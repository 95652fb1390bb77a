"""ModelScope and Hugging Face asked the same three questions, through their own libraries.

What lies in the cache, how large a repository's files are, and download these. Both libraries show
progress on the terminal and take up a broken download where it stopped.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from realism.diffusion.pickles import Progress
from realism.errors import Message


class Report:
    """Counts bytes for whoever watches; the libraries print their own bars on the terminal.

    Parameters
    ----------
    progress : callable or None
        Called with 0..1 and what is being downloaded; None: nobody watches.
    total : int
        Bytes of all files.
    repo, hub : str
        What is being downloaded, from where.
    """

    def __init__(self, progress: Progress | None, total: int, repo: str, hub: str):
        self.progress, self.total = progress, max(total, 1)
        self.repo, self.hub = repo, hub
        self.done = 0

    def show(self, done: int) -> None:
        """Report that `done` bytes are here."""
        self.done = max(self.done, done)
        if self.progress:
            what = Message(
                "hub_downloading",
                repo=self.repo,
                hub=self.hub,
                done_gb=self.done / 1e9,
                total_gb=self.total / 1e9,
            )
            self.progress(min(self.done / self.total, 1.0), what)


class Hub(ABC):
    """A hub of models.

    Attributes
    ----------
    name : str
        In $REALISM_HUB.
    title : str
        For people.
    endpoint_variable, endpoint : str
        The variable that its library reads, and the host it talks to without one.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    endpoint_variable: ClassVar[str]
    endpoint: ClassVar[str]

    def offline(self) -> bool:
        """Whether its library was told to stay off the network."""
        return False

    @abstractmethod
    def cached(self, repo: str, revision: str | None) -> Path | None:
        """Where an earlier download lies, whole or not; None where there is none. No network."""

    @abstractmethod
    def file_sizes(self, repo: str, revision: str | None) -> dict[str, int]:
        """Name to bytes of every file of a repository."""

    @abstractmethod
    def download(self, repo: str, revision: str | None, names: list[str], report: Report) -> Path:
        """Download these files of a repository; returns its folder in the cache."""


class HuggingFace(Hub):
    """huggingface.co, or a mirror in $HF_ENDPOINT."""

    name = "huggingface"
    title = "Hugging Face"
    endpoint_variable = "HF_ENDPOINT"
    endpoint = "https://huggingface.co"

    def offline(self) -> bool:
        return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES")

    def cached(self, repo: str, revision: str | None) -> Path | None:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import IncompleteSnapshotError, LocalEntryNotFoundError

        try:
            return Path(snapshot_download(repo, revision=revision, local_files_only=True))
        except IncompleteSnapshotError as error:  # we never take all files of a repository
            return Path(error.snapshot_path)
        except LocalEntryNotFoundError:
            return None

    def file_sizes(self, repo: str, revision: str | None) -> dict[str, int]:
        from huggingface_hub import HfApi
        from huggingface_hub.hf_api import RepoFile

        entries = HfApi().list_repo_tree(repo, recursive=True, revision=revision)
        return {entry.path: entry.size for entry in entries if isinstance(entry, RepoFile)}

    def download(self, repo: str, revision: str | None, names: list[str], report: Report) -> Path:
        from huggingface_hub import snapshot_download
        from huggingface_hub.utils import tqdm

        class Bar(tqdm):
            """The library's bar, which also reports."""

            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                # Our own count: without a terminal the bar is off and keeps none.
                self.bytes = 0 if kwargs.get("unit") == "B" else None

            def update(self, n: float | None = 1) -> bool | None:
                if self.bytes is not None:
                    self.bytes += n or 0
                    report.show(int(self.bytes))
                return super().update(n)

        root = snapshot_download(repo, revision=revision, allow_patterns=names, tqdm_class=Bar)
        return Path(root)


class ModelScope(Hub):
    """modelscope.cn, or another host in $MODELSCOPE_ENDPOINT."""

    name = "modelscope"
    title = "ModelScope"
    endpoint_variable = "MODELSCOPE_ENDPOINT"
    endpoint = "https://modelscope.cn"

    def cached(self, repo: str, revision: str | None) -> Path | None:
        # Its library takes seconds to import and makes an empty cache when asked for nothing.
        cache = Path(os.environ.get("MODELSCOPE_CACHE", "~/.cache/modelscope"))
        if not cache.expanduser().is_dir():
            return None
        from modelscope import snapshot_download
        from modelscope_hub.errors import CacheNotFound

        try:
            return Path(snapshot_download(repo, revision=revision, local_files_only=True))
        except CacheNotFound:
            return None

    def file_sizes(self, repo: str, revision: str | None) -> dict[str, int]:
        from modelscope_hub import HubApi

        entries = HubApi().list_repo_files(repo, "model", revision=revision)
        return {entry.path: entry.size or 0 for entry in entries if entry.type != "tree"}

    def download(self, repo: str, revision: str | None, names: list[str], report: Report) -> Path:
        from modelscope import snapshot_download
        from modelscope_hub import TqdmCallback

        class Bar(TqdmCallback):
            """The library's bar for one file, which also reports."""

            def update(self, size: int) -> None:
                super().update(size)
                report.show(report.done + size)

        return Path(
            snapshot_download(
                repo, revision=revision, allow_patterns=names, progress_callbacks=[Bar]
            )
        )
