"""What a file or folder may be called on every system that it is carried to.

A person's folder, a zip and a download made on Linux are opened on Windows, too, which forbids some
characters, dots and spaces at the end, and the names of devices whatever their suffix, and where,
as on macOS, capitals tell no two files apart.

Microsoft, "Naming Files, Paths, and Namespaces".
"""

import itertools
import re
from collections.abc import Iterable
from pathlib import PurePath

# Half a character, too: so Python writes a byte of a name that is no UTF-8.
FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\ud800-\udfff]')
_NUMBERS = "0123456789¹²³"
DEVICES = {"con", "prn", "aux", "nul", "conin$", "conout$"} | {
    port + number for port in ("com", "lpt") for number in _NUMBERS
}


def is_device(name: str) -> bool:
    """Whether Windows takes a name for a device: `con`, and `CON.png` as well."""
    return name.partition(".")[0].rstrip(" ").lower() in DEVICES


def portable_name(name: str) -> str:
    """A file's name as every system takes it; the same where that needs no change."""
    name = FORBIDDEN.sub("_", name).rstrip(". ") or "_"
    return f"_{name}" if is_device(name) else name


def portable_names(names: Iterable[str]) -> dict[str, str]:
    """Names of files in one folder as every system takes them, no two alike but for capitals.

    Parameters
    ----------
    names : iterable of str
        Of files, each once.

    Returns
    -------
    dict of str to str
        Each name to what it is there: `a.png`, and of `A.png` beside it `A-2.png`.
    """
    given: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = PurePath(portable_name(name))
        numbered = (f"{plain.stem}-{number}{plain.suffix}" for number in itertools.count(2))
        free = itertools.chain([plain.name], numbered)
        given[name] = next(each for each in free if each.casefold() not in taken)
        taken.add(given[name].casefold())
    return given
