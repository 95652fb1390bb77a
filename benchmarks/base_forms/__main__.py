"""What happens to bases of every form that people have.

    python -m benchmarks.base_forms [--only WORDS]

Each form is made of very small bases of the real classes, loaded by the real path, and what it
answers to a picture with noise is held against the base it was made of: exact is a largest
difference of 1e-6. What cannot be used must be refused, with the reason that is true. No network
is asked.
"""

import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.base_forms.form import PlainBases, try_form
from benchmarks.base_forms.table import FORMS


def main() -> None:
    """Print a line a form and how many went as they must."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", default="", help="Forms whose name has these words.")
    only = parser.parse_args().only.lower()
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["MODELSCOPE_ENDPOINT"] = "http://127.0.0.1:9"  # discard: nothing listens
    counts = {"loaded": 0, "refused as it must be": 0, "not as it must be": 0}
    with TemporaryDirectory() as root:
        os.environ["REALISM_CACHE"] = f"{root}/cache"
        plain = PlainBases(Path(root))
        for form in FORMS:
            if only not in f"{form.kind} {form.name}".lower():
                continue
            with TemporaryDirectory() as folder:
                right, said = try_form(form, plain, Path(folder)).verdict(form)
                said = said.replace(folder, "").replace(root, "")
            kind = "refused as it must be" if form.refused else "loaded"
            counts[kind if right else "not as it must be"] += 1
            print(f"{'' if right else '!! '}{form.kind}, {form.name} | {said}", flush=True)
    print("; ".join(f"{count} {kind}" for kind, count in counts.items()))


if __name__ == "__main__":
    main()
