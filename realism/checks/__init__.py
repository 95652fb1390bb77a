"""Step 1: find out of every photo whether a person can be learned from it, and why not.

A picture that lies on its side is turned (`upright.py`). Then a photo alone is judged (`photo.py`):
what of the face it hides (`hidden.py`), what was done to it (`traces.py`); then the set (`set.py`).
Every refusal has a sentence (`verdict.py`), and the owner may overrule it where there is a face.
"""

from realism.checks.photo import check_photo
from realism.checks.set import SET_CODES, check_set, photo_to_photo, similarity_to_others
from realism.checks.upright import find_upright
from realism.checks.verdict import Reason, Verdict, reason_from_json, reason_to_json

__all__ = [
    "SET_CODES",
    "Reason",
    "Verdict",
    "check_photo",
    "check_set",
    "find_upright",
    "photo_to_photo",
    "reason_from_json",
    "reason_to_json",
    "similarity_to_others",
]
