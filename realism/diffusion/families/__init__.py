"""Families of bases: all that differs between the kinds of model that can be fine-tuned here.

The rest of the program asks the family and never its name. To add one, write `families/<name>.py`
with a subclass of `Family` (`family.py` lists what it answers; `unet.py` holds what the families
of Stable Diffusion share), enter it below, give it stages in `config.PRESETS` and, where single
files of it are to be read, its configurations in `assets/configs/<name>/`.
"""

from realism.diffusion.families.family import Family
from realism.diffusion.families.sd15 import SD15
from realism.diffusion.families.sdxl import SDXL

FAMILIES: dict[str, Family] = {family.name: family for family in (SD15(), SDXL())}
