"""What happens to LoRA files of every form that tools write.

    python -m benchmarks.lora_forms [--only WORDS]

Each file is written as its tool writes it, put on very small networks of the real classes, and what
these answer is held against weights into which the changes were added by hand: exact is a largest
difference under 1e-5, at full and at half strength, and the networks as they were, bit for bit,
once it is taken off. What cannot be applied must be refused, with the reason that is true.
"""

import argparse
import logging
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.lora_forms.form import Form, Result, try_form
from benchmarks.lora_forms.table import FORMS

EXACT = 1e-5


def verdict(form: Form, result: Result) -> tuple[bool, str]:
    """Whether it went as it must, and what happened in words."""
    if result.difference is None:
        return result.code == form.refused, f"refused: {result.sentence}"
    exact = result.difference < EXACT and result.clean
    said_so = (result.left_out, result.strength_said) == (form.left_out, form.strength_said)
    right = exact and not form.refused and said_so
    said = f"exact ({result.difference:.0e})" if exact else f"WRONG by {result.difference:.2g}"
    said += "".join(f"; left out by name: {name}" for name in result.left_out)
    return right, said + "; said that its alpha is not known" * (not result.strength_said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="Forms whose name has these words.")
    only = parser.parse_args().only.lower()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    counts = {"exact": 0, "refused as it must be": 0, "not as it must be": 0}
    for form in FORMS:
        if only not in f"{form.family} {form.name}".lower():
            continue
        with TemporaryDirectory() as folder:
            os.environ["REALISM_CACHE"] = folder  # copies of pickles
            right, said = verdict(form, try_form(form, Path(folder)))
        kind = "refused as it must be" if form.refused else "exact"
        counts[kind if right else "not as it must be"] += 1
        print(f"{'' if right else '!! '}{form.family}, {form.name} | {said}")
    print("; ".join(f"{count} {kind}" for kind, count in counts.items()))


if __name__ == "__main__":
    main()
