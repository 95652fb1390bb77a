"""Visitors of a page that strangers share: a folder of people each, gone when the visit ends."""

import os
import secrets
import shutil
from pathlib import Path

from realism.config import home
from realism.page.job import stop_jobs


def hosted() -> bool:
    """Whether strangers share this machine: a Space of Hugging Face or a ModelScope studio."""
    return any(os.environ.get(name) for name in ("SPACE_ID", "MODELSCOPE_ENVIRONMENT"))


def default_host() -> str:
    """Where the page listens unless told otherwise: everywhere if hosted, else this machine."""
    return "0.0.0.0" if hosted() else "127.0.0.1"


def visitors_folder() -> Path:
    """Where the people of the visitors of a hosted page are kept, a folder each."""
    return home() / "visitors"


def new_visitor_root() -> Path | None:
    """A visitor's own folder where the page is hosted, None (the common home) elsewhere."""
    # Nobody else's folder can be guessed: 128 random bits.
    return visitors_folder() / secrets.token_hex(16) if hosted() else None


def delete_visitor(root: Path | None) -> None:
    """Delete a visitor's folder once the visit is over; the common home stays."""
    if root is not None and root.exists():
        stop_jobs(root)
        shutil.rmtree(root)
