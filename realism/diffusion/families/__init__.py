"""Families of bases: all that differs between the kinds of model that can be fine-tuned here.

The rest of the program asks the family and never its name. To add one, write one file,
`families/<name>.py`, with a subclass of `Family` that has a `name`: it is found here by itself.
`family.py` lists what it answers; `unet.py` holds what the families of Stable Diffusion share,
`flow.py` those of rectified flow. Where single files of it hold every part, its configurations go
to `assets/configs/<name>/`; a base worth knowing gets a row in `assets/bases.json`.
"""

import importlib
import pkgutil

from realism.config import PRESETS, Preset
from realism.diffusion.families.family import Family


def _find_families() -> dict[str, Family]:
    """Name to family, of every file of this folder."""
    found = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        for kind in vars(importlib.import_module(f"{__name__}.{module.name}")).values():
            if isinstance(kind, type) and issubclass(kind, Family) and "name" in vars(kind):
                found[kind.name] = kind()
    return found


FAMILIES: dict[str, Family] = _find_families()


def find_preset(base: str, family: str = "sd15", distilled: bool = False) -> Preset:
    """The preset of the base of that name, else of its family."""
    of = FAMILIES[family]
    return PRESETS.get(base) or (distilled and of.distilled_preset) or of.preset
