"""Names of tensors in LoRA files: which layer, and what of its change.

Every tool writes a layer's name and after it an ending that says what the tensor is; the endings
are few and listed here, by what the tensor is. What ends otherwise is refused under its own name:
a file of which one tensor is not understood would be another picture than its maker's.

The endings are those of kohya's sd-scripts, LyCORIS, PEFT, diffusers (before and since 2023),
OneTrainer, ai-toolkit and ComfyUI.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from realism.errors import InputError

_WEIGHT = r"(?:\.(?!weight$|bias$)\w+)?(?:\.weight)?"  # PEFT puts an adapter's name before it
# Role of a tensor to how its name ends.
ENDINGS = {
    "down": rf"\.lora_down(?:\.weight)?|\.lora_A{_WEIGHT}|[._]lora\.down\.weight"
    r"|\.lora_linear_layer\.down\.weight|(?<=_lora[12])\.down\.weight",
    "up": rf"\.lora_up(?:\.weight)?|\.lora_B{_WEIGHT}|[._]lora\.up\.weight"
    r"|\.lora_linear_layer\.up\.weight|(?<=_lora[12])\.up\.weight",
    "up_bias": r"\.lora_up\.bias|\.lora_B(?:\.\w+)?\.bias",
    "mid": r"\.lora_mid\.weight",
    "alpha": r"\.alpha",
    "scalar": r"\.scalar",
    "dora_scale": r"\.dora_scale",
    "row_lengths": rf"\.lora_magnitude_vector{_WEIGHT}|\.magnitude",
    **{name: rf"\.{name}(?:\.default)?" for name in (
        "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2",
        "lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2",
    )},
    "weight": r"\.diff|\.w_norm",
    "bias": r"\.diff_b|\.b_norm",
}  # fmt: skip
# Kinds that are not applied here, by how their tensors' names end. The first that fits counts.
REFUSED = {
    "BOFT": r"\.boft_\w+(?:\..+)?",
    "OFT or BOFT": r"\.oft_blocks",
    "OFT": r"\.oft_\w+(?:\..+)?",
    "(IA)³": r"\.on_input|\.ia3_l(?:\..+)?",
    "GLoRA": r"\.(?:a1|a2|b1|b2|bm)\.weight|\.glora_\w+(?:\..+)?",
    "VeRA": r"\.?vera_\w+(?:\..+)?",
    "AdaLoRA": r"\.lora_E(?:\..+)?|\.ranknum(?:\..+)?",
    "HRA": r"\.hra_\w+(?:\..+)?",
    "FourierFT": r"\.fourierft_\w+(?:\..+)?",
    "lora_embedding": r"\.lora_embedding_[AB](?:\..+)?",
    "set_weight": r"\.set_weight",
    "reshape_weight": r"\.reshape_weight",
    "modules_to_save": r"\.modules_to_save\..+",
    "IP-Adapter": r"\.to_[kv]_ip\.weight",
    "ControlNet-LLLite": r"lllite_.+",
    "HyperNetwork": r"\.linear[12]\.\d\.weight",
}
# Written beside the layers, and no change of them.
EMBEDDING = re.compile(r"bundle_emb\.(?P<name>.+?)\.(?:[^.]+|string_to_param\..+)|emb_params")
NOTES = re.compile(r"_aux\..+")  # numbers of a tool about its own file
_ENDING = re.compile(
    r"(?P<layer>.+?)(?:"
    + "|".join(f"(?P<{role}>{ending})" for role, ending in ENDINGS.items())
    + ")"
)
_REFUSED = {kind: re.compile(f".*(?:{ending})") for kind, ending in REFUSED.items()}
_ROOT = re.compile(r"^(?:base_model\.model\.|model\.(?=diffusion_model\.))+")


@dataclass(frozen=True)
class Keys:
    """The names of a file's tensors, understood.

    Attributes
    ----------
    layers : dict of str to dict of str to str
        Layer, as the file calls it -> role -> the tensor's name.
    embeddings : tuple of str
        Textual inversions that it brings along.
    wrapped : bool
        Whether PEFT's wrapper is in the names: then PEFT keeps alpha outside of the file.
    """

    layers: dict[str, dict[str, str]]
    embeddings: tuple[str, ...]
    wrapped: bool


def read_keys(names: Iterable[str], file: str) -> Keys:
    """Sort a file's tensors by layer and role.

    Parameters
    ----------
    names : iterable of str
        Of its tensors.
    file : str
        Its name, for messages.

    Raises
    ------
    InputError
        A kind of change that is not applied here, an ending that is not known, or two tensors for
        one thing.
    """
    names = list(names)
    _refuse_other_kinds(names, file)
    layers: dict[str, dict[str, str]] = {}
    embeddings, unknown = [], []
    for name in names:
        if match := EMBEDDING.fullmatch(name):
            embeddings.append(match["name"] or name)
        elif match := _ENDING.fullmatch(name):
            layer, role = _plain(match["layer"]), str(match.lastgroup)
            roles = layers.setdefault(layer, {})
            if role in roles:
                raise InputError("lora_layer_twice", name=file, layer=layer)
            roles[role] = name
        elif not NOTES.fullmatch(name):
            unknown.append(name)
    if unknown and not layers:
        raise InputError("not_a_lora", name=file)
    if unknown:
        raise InputError("lora_tensor_unknown", name=file, tensor=unknown[0], count=len(unknown))
    wrapped = any(name.startswith("base_model.model.") for name in names)
    return Keys(layers, tuple(dict.fromkeys(embeddings)), wrapped)


def _refuse_other_kinds(names: list[str], file: str) -> None:
    for kind, ending in _REFUSED.items():
        for name in names:
            if ending.fullmatch(name):
                raise InputError("lora_kind_not_applied", name=file, kind=kind, tensor=name)


def _plain(layer: str) -> str:
    """A layer's name without what wraps it in PEFT, and in diffusers before 2023."""
    return _ROOT.sub("", layer).replace(".processor.", ".")
