"""Step 1: find out of every photo whether a person can be learned from it, and why not.

First a photo alone (`photo.py`), then the set (`set.py`). Nothing is mended; every refusal has a
sentence and a number (`verdict.py`), and the owner may overrule it where there is a face.
"""

from realism.checks.photo import check_photo
from realism.checks.set import SET_CODES, check_set, photo_to_photo, similarity_to_others
from realism.checks.verdict import Reason, Verdict, reason_from_json, reason_to_json

__all__ = [
    "SET_CODES",
    "Reason",
    "Verdict",
    "check_photo",
    "check_set",
    "photo_to_photo",
    "reason_from_json",
    "reason_to_json",
    "similarity_to_others",
]
