"""What is said of a LoRA beside its tensors: alpha and the like, as PEFT and diffusers keep it.

kohya, LyCORIS and OneTrainer write alpha beside every layer. PEFT writes it once, in
`adapter_config.json` next to the file; diffusers writes PEFT's settings into the file's own
metadata, for each part of the base. kohya's trainer writes there what it was called with.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realism.disk import read_json
from realism.errors import InputError

if TYPE_CHECKING:
    import torch

METADATA = "lora_adapter_metadata"
CONFIG = "adapter_config.json"
CALLED_WITH = "ss_network_args"  # kohya's


@dataclass(frozen=True)
class Settings:
    """PEFT's settings of a file, by the part of the base that they are for; "" for all.

    Attributes
    ----------
    parts : mapping of str to dict
        "unet" -> {"r": 16, "lora_alpha": 16, ...}.
    rank_stabilised : bool
        Whether kohya's trainer was told to divide by the rank's root.
    """

    parts: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    rank_stabilised: bool = False

    def of(self, part: str) -> dict[str, Any]:
        """Those of a part; {} where nothing is said of it."""
        return self.parts.get(part) or self.parts.get("") or {}

    def complete(
        self, layer: str, ours: str, tensors: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """A layer's tensors with the alpha that is said of it here.

        Parameters
        ----------
        layer, ours : str
            The layer's name in the file, and ours, "unet.down_blocks...".
        tensors : dict of str to tensor
            By role; alpha beside a layer counts more than what is said here.
        """
        said = self.of(ours.partition(".")[0])
        names = (ours.partition(".")[2], layer)
        alpha = _number(
            said, "alpha_pattern", "lora_alpha" if "lora_alpha" in said else "alpha", names
        )
        if {"lokr_w1", "lokr_w2"} <= set(tensors):
            rank = _number(said, "rank_pattern", "r", names)
            return self._whole_sides(tensors, alpha / rank if alpha and rank else None)
        if "alpha" in tensors or alpha is None or "weight" in tensors:
            return tensors
        if said.get("use_rslora") and "down" in tensors:
            alpha *= math.sqrt(tensors["down"].shape[0])  # over the rank's root, not the rank
        return tensors | {"alpha": next(iter(tensors.values())).new_tensor(alpha)}

    def _whole_sides(
        self, tensors: dict[str, torch.Tensor], scale: float | None
    ) -> dict[str, torch.Tensor]:
        """A Kronecker product of two whole matrices: no rank is left in it to divide alpha by.

        PEFT scales it as any other. LyCORIS does not, and writes the rank as alpha, or where it was
        told to be rank-stabilised, rank to the power of 1.5, scaled by its root. ai-toolkit writes
        ten thousand million, infinite in half precision.
        """
        alpha = tensors.get("alpha")
        kept = {role: tensor for role, tensor in tensors.items() if role != "alpha"}
        if scale is None and alpha is not None and self.rank_stabilised:
            scale = float(alpha) ** (1 / 3)
        if scale is None:
            return kept
        own = kept.get("scalar", kept["lokr_w1"].new_tensor(1.0))
        return kept | {"scalar": own * scale}


def _number(
    said: Mapping[str, Any], pattern: str, usual: str, names: tuple[str, str]
) -> float | None:
    """A number of a layer by one of its names: by PEFT's pattern of how names end, or the usual."""
    value = said.get(usual)
    for key, other in (said.get(pattern) or {}).items():
        ending = re.compile(rf"(?:.*\.)?(?:{key})")
        if any(ending.fullmatch(name) for name in names):
            value = other
            break
    return float(value) if isinstance(value, int | float) else None


def read_settings(file: Path, folder: Path) -> Settings:
    """The settings in a file's metadata, else in PEFT's configuration in its folder.

    Raises
    ------
    InputError
        Where one of these is damaged.
    """
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as opened:
        metadata = opened.metadata() or {}
    if METADATA in metadata:
        return Settings(_by_part(metadata[METADATA], file))
    if CALLED_WITH in metadata:
        called = _json_object(metadata[CALLED_WITH], file)
        return Settings(rank_stabilised=str(called.get("rs_lora")).lower() in ("true", "1"))
    beside = folder / CONFIG
    if file.stem == "adapter_model" and beside.exists():
        config = read_json(beside, "file_adapter_description")
        if not isinstance(config, dict):
            raise InputError("lora_description_malformed", file=beside)
        return Settings({"": config})
    return Settings()


def _by_part(text: str, file: Path) -> dict[str, dict[str, Any]]:
    """diffusers' settings, "unet.r" and the like, by part."""
    parts: dict[str, dict[str, Any]] = {}
    for key, value in _json_object(text, file).items():
        part, dot, name = key.partition(".")
        parts.setdefault(part if dot else "", {})[name if dot else key] = value
    return parts


def _json_object(text: str, file: Path) -> dict[str, Any]:
    try:
        read = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError("lora_description_malformed", file=file) from error
    if not isinstance(read, dict):
        raise InputError("lora_description_malformed", file=file)
    return read
