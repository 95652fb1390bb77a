"""What is wrong in a file that a person may have edited, as sentences."""

from typing import TYPE_CHECKING

from realism.errors import Message

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

MOST_FAULTS = 3  # of a file that are named in one message
# Beginning of pydantic's name of a fault -> what should stand there.
KINDS = {
    "int": "kind_number", "float": "kind_number", "string": "kind_text", "bool": "kind_yes",
    "list": "kind_list", "tuple": "kind_list", "dict": "kind_fields", "dataclass": "kind_fields",
    "model": "kind_fields",
}  # fmt: skip


def describe_faults(error: "ValidationError") -> list[Message]:
    """The first faults that pydantic found: where each lies and what is wrong there."""
    return [
        _fault(".".join(map(str, fault["loc"])) or Message("the_whole"), fault)
        for fault in error.errors(include_url=False, include_input=False)[:MOST_FAULTS]
    ]


def _fault(place: str | Message, fault: "ErrorDetails") -> Message:
    if fault["type"] == "missing":
        return Message("fault_missing", place=place)
    what, _, how = fault["type"].partition("_")
    kind = KINDS.get(what) if how in ("type", "parsing") else None
    if kind is None:  # a rule of this one field, which pydantic words well
        return Message("fault_other", place=place, detail=fault["msg"])
    return Message("fault_kind", place=place, kind=Message(kind))
