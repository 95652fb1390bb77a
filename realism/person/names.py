"""Names of people, bases and photos as names of folders and files: safe anywhere, and stable."""

import hashlib
import re
import unicodedata
from pathlib import Path

from realism.errors import InputError
from realism.filenames import FORBIDDEN, is_device

MAX_NAME = 60  # characters of a person's name; a slug stays a file name
MAX_STEM = 40  # characters of a photo's name that its file keeps


def slug_of(name: str) -> str:
    """A folder's name for a person's or base's name; never a path, equal for equal names.

    Letters and digits of any script, and emoji beside them, are welcome; what ASCII cannot
    carry is told apart by a short hash.

    Parameters
    ----------
    name : str
        As its owner wrote it.

    Raises
    ------
    InputError
        No letter or digit in it, too long, or with characters that no folder may have.
    """
    name = unicodedata.normalize("NFC", name).strip()
    if not any(character.isalnum() for character in name):
        raise InputError("name_without_letters")
    if len(name) > MAX_NAME:
        raise InputError("name_too_long", characters=len(name), most=MAX_NAME)
    if FORBIDDEN.search(name) or ".." in name or name.startswith("."):
        raise InputError("name_not_allowed")
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if slug == re.sub(r"[ _-]+", "-", name.lower()).strip("-") and not is_device(slug):
        return slug
    # The hash is of the folded name, so that a name opens again however its capitals are typed.
    digest = hashlib.sha1(name.casefold().encode()).hexdigest()[:8]
    return f"{slug or 'name'}-{digest}"


def person_folder(root: Path, name: str) -> Path:
    """The folder of a person of that name in a folder of people; it may not exist yet.

    Raises InputError as of `slug_of`.
    """
    slug = slug_of(name)
    if not (root / slug).exists() and (root / name.strip().lower() / "person.json").exists():
        return root / name.strip().lower()  # "con", from before names of devices were told apart
    return root / slug


def file_stem(name: str) -> str:
    """A file's name without suffix for a photo's name; another name has another."""
    digest = hashlib.sha1(name.encode()).hexdigest()[:8]
    plain = re.sub(r"[^A-Za-z0-9]+", "-", Path(name).stem).strip("-")[:MAX_STEM]
    return f"{plain or 'photo'}-{digest}"
