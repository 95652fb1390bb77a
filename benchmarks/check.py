"""What the photo check says of whole folders: how its limits are seen to fit.

Each folder is judged as one person's photos where `--set` is given, else photo by photo.

    python -m benchmarks.check FOLDER... [--set]
"""

import argparse
from collections import Counter
from pathlib import Path

from realism.checks import check_photo, check_set
from realism.errors import InputError
from realism.faces.engine import load_engine
from realism.images import SUFFIXES, open_photo


def check_folder(folder: Path, engine, as_set: bool) -> list:
    """The verdicts on a folder's pictures."""
    photos = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES:
            try:
                photos.append(open_photo(path))
            except InputError as error:
                print(f"  {error}")
    verdicts = [check_photo(photo, engine) for photo in photos]
    if as_set:
        shown = [(p, v) for p, v in zip(photos, verdicts, strict=True) if v.face]
        verdicts = [v for v in verdicts if not v.face]
        verdicts += check_set([p for p, _ in shown], [v for _, v in shown], engine)
    return verdicts


def main() -> None:
    """Print a line for each picture and the refusals of each folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--set", action="store_true", help="judge each folder as one person")
    options = parser.parse_args()
    engine = load_engine()
    print(f"{engine.name}: {engine.note}")
    for folder in options.folders:
        verdicts = check_folder(folder, engine, options.set)
        print(folder)
        for verdict in verdicts:
            numbers = " ".join(f"{key} {value:.2f}" for key, value in verdict.measures.items())
            codes = [reason.code for reason in verdict.reasons]
            advice = [note.code for note in verdict.notes]
            state = "good" if verdict.usable else "REFUSED"
            print(f"  {state:8}{verdict.name}: {' '.join(codes)} ({' '.join(advice)}) {numbers}")
        counts = Counter(reason.code for verdict in verdicts for reason in verdict.reasons)
        refused = sum(not verdict.usable for verdict in verdicts)
        print(f"  {refused} of {len(verdicts)} refused: {dict(counts)}")


if __name__ == "__main__":
    main()
