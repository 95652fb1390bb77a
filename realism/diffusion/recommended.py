"""What is known of bases: a table of those worth knowing, and what a base's own folder states."""

import json
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from realism.config import ASSETS, Preset, expanded
from realism.diffusion.families import find_preset
from realism.diffusion.identify import read_kind
from realism.disk import read_json
from realism.errors import InputError, Message

TABLE = ASSETS / "bases.json"


@dataclass(frozen=True)
class RecommendedBase:
    """A base worth knowing.

    Attributes
    ----------
    name : str
        What people call it.
    where : tuple of str
        What `load_base` takes: its places, in the order in which they are tried.
    licence : Message
        Name of its licence, in words.
    size_gb : float or None
        GB to download, None where it ships with the program.
    gpu_memory_gb : float
        GB to make portraits; what a fine-tune takes is told by `finetune.memory`.
    family : str
        A key of `families.FAMILIES`.
    resolution : int
        px, side of its pictures.
    note : Message
        What it is good for, and what to know before.
    distilled : bool
        Made to draw in few steps, not to be trained.
    """

    name: str
    where: tuple[str, ...]
    licence: Message
    size_gb: float | None
    gpu_memory_gb: float
    family: str
    resolution: int
    note: Message
    distilled: bool = False


@lru_cache
def recommended_bases() -> tuple[RecommendedBase, ...]:
    """The table of recommended bases, the embedded one first."""
    rows = json.loads(TABLE.read_text(encoding="utf-8"))
    return tuple(
        RecommendedBase(
            **row
            | {
                "where": tuple(row["where"]),
                "licence": Message(row["licence"]),
                "note": Message(row["note"]),
            }
        )
        for row in rows
    )


def preset_for(where: str) -> Preset:
    """Stages, steps and guidance for a base that is not loaded yet.

    As its row of the table says, or its files where they are on disk; else SD 1.5's.
    """
    if row := find_row(where):
        return find_preset(where, row.family, row.distilled)
    path = expanded(where)
    if path.exists():
        with suppress(InputError):  # said when it is to be used
            family, distilled = read_kind(path)
            return find_preset(where, family.name, distilled)
    return find_preset(where)


def find_row(where: str) -> RecommendedBase | None:
    """The row of a base, by any of its places; None where it is not in the table."""
    return next((row for row in recommended_bases() if where in row.where), None)


def places_of(where: str) -> tuple[str, ...]:
    """A place, and after it the others where the same base of the table is to be had."""
    row = find_row(where)
    return (where, *(place for place in row.where if place != where)) if row else (where,)


def known_facts(where: str, path: Path) -> dict[str, str]:
    """Licence and provenance: from our table, and from realism.json in the base's own folder."""
    known = {"licence": "not known here: ask its maker", "provenance": ""}
    for row in recommended_bases():
        if where in row.where:
            known = {"licence": str(row.licence), "provenance": f"{row.name}, from {where}."}
    file = path / "realism.json"
    stated = read_json(file, "file_base_facts") if file.exists() else {}
    return {key: str(stated.get(key) or known[key]) for key in known}
