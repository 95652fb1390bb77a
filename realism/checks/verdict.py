"""What the check finds: a verdict on a photo, its reasons, and their form in JSON."""

from dataclasses import dataclass

from realism.errors import Message, as_written, message_from_json, message_to_json
from realism.faces.face import Face

# Codes of advice on photos whose skin says nothing of marks, neither that they are nor are not.
WITHOUT_SKIN = ("no_colour", "smoothed")


@dataclass(frozen=True)
class Reason:
    """Why a photo was refused, or advice on one that was not.

    Parameters
    ----------
    code : str
        Reasons: unreadable too_large no_face several_faces small_face blurred too_dark blown_out
        turned cut_off covered eyes_hidden duplicate other_person record_damaged; advice:
        turned_upright bystanders soft dim strong_turn slightly_cut_off slightly_covered lettered
        glasses no_colour compressed enlarged smoothed stretched shape_unlike_others
        smoother_than_others two_people.
    message : Message
        The sentence for the owner, with the numbers.
    value : float, optional
        What was measured; None where there is no number.
    limit : float, optional
        What was asked for.
    """

    code: str
    message: Message
    value: float | None = None
    limit: float | None = None

    @property
    def text(self) -> str:
        """The sentence in English."""
        return self.message.text()


def reason_to_json(reason: Reason) -> dict:
    """{"code", "text", "message", "value", "limit"}: the English text is for people who look."""
    return {
        "code": reason.code,
        "text": reason.text,
        "message": message_to_json(reason.message),
        "value": reason.value,
        "limit": reason.limit,
    }


def reason_from_json(stored: dict) -> Reason:
    """The Reason of `reason_to_json`; an old file's, which has no message, as it was written."""
    try:
        message = message_from_json(stored["message"])
    except (KeyError, TypeError):
        message = as_written(stored["text"])
    return Reason(stored["code"], message, stored["value"], stored["limit"])


@dataclass(frozen=True, eq=False)
class Verdict:
    """The outcome of the check of one photo.

    Parameters
    ----------
    name : str
        Of the photo.
    usable : bool
        There is no reason against it.
    reasons : tuple of Reason
        Against it.
    notes : tuple of Reason
        Advice only.
    face : Face or None
        The subject. Without one it cannot be accepted by hand either.
    measures : dict of str to float
        faces, face_width px, sharpness, light L*, blown 0..1, yaw degrees, and those of
        `hidden.py` and `traces.py`; times_larger where there are several faces.
    """

    name: str
    usable: bool
    reasons: tuple[Reason, ...]
    notes: tuple[Reason, ...]
    face: Face | None
    measures: dict[str, float]

    @property
    def shows_skin(self) -> bool:
        """Whether marks would show, were there any: the skin is neither colourless nor smoothed."""
        return not any(note.code in WITHOUT_SKIN for note in self.notes)
