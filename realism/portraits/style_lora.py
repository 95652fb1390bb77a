"""The LoRA of a style, on the base that it was made for: brought from the hub when first used."""

from __future__ import annotations

from realism.diffusion.base import Base
from realism.diffusion.hub_lora import HubLora, fetch_lora
from realism.diffusion.lora import Adapter
from realism.diffusion.pickles import Progress
from realism.errors import InputError
from realism.portraits.styles import Style


def style_adapter(
    style: Style, base: Base, weight: float | None = None, progress: Progress | None = None
) -> Adapter | None:
    """The LoRA of a style, ready to be put on.

    Parameters
    ----------
    style : Style
        From `find_style`.
    base : Base
        What it will be put on.
    weight : float, optional
        None: as the style has it.
    progress : callable, optional
        Called with how far a download is.

    Returns
    -------
    Adapter or None
        None where the style is words alone.

    Raises
    ------
    InputError
        The base is of another family, or the LoRA is not to be had now.
    """
    if style.lora is None:
        return None
    if not fits_base(style, base.family.name, base.name):
        raise InputError(
            "style_other_family",
            style=style.note,  # its name in both languages
            family=style.lora.family,
            base=base.name,
        )
    wanted = HubLora(style.lora.repo or "", style.lora.revision, style.lora.file)
    file = style.lora_file or fetch_lora(wanted, progress)
    return Adapter(file, style.style_weight if weight is None else weight)


def fits_base(style: Style, family: str, base: str) -> bool:
    """Whether a style's LoRA may go on a base, as far as names tell; the LoRA's layers decide.

    Parameters
    ----------
    family, base : str
        The base's; the embedded one is of a family whose LoRA are all larger than it.
    """
    return style.lora is None or (style.lora.family == family and base != "pocket")
