"""Choose a small varied set of renders for the demo's stage 1, captioned as the pocket base reads captions.

Greedy: the next picture is the one whose light, backdrop, turn, expression, group, sex and age
have been chosen least so far; one picture a person, nobody who is held out.

    python -m training.pocket.faces --data ../shared/data/synthetic-faces --out examples/faces
"""

# ruff: noqa: E501

import argparse
import json
import shutil
from collections import Counter
from pathlib import Path

import cv2

from data_sets.captions import full_caption
from training.pocket.crops import held_out, read, words

KINDS = ("light", "backdrop", "turn", "expression", "group", "sex", "age_group", "hair")


def varied(rows: list[dict], count: int) -> list[dict]:
    """`count` rows of `count` people, each kind of each property about equally often."""
    used, people, chosen = Counter(), set(), []
    for _ in range(count):
        left = [r for r in rows if r["person"] not in people and abs(r["pose"]["yaw"]) < 35]
        best = min(left, key=lambda r: (sum(used[k, r[k]] for k in KINDS), r["file_name"]))
        chosen.append(best)
        people.add(best["person"])
        used.update((k, best[k]) for k in KINDS)
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/synthetic-faces"))
    parser.add_argument("--out", type=Path, default=Path("examples/faces"))
    parser.add_argument("--count", type=int, default=32)
    options = parser.parse_args()
    unseen = held_out(options.data, 20)  # as in the commands of training/README.md
    rows = [row for _, row in read(options.data) if row["person"] not in unseen]
    options.out.mkdir(parents=True, exist_ok=True)
    lines = []
    for row in varied(rows, options.count):
        source = options.data / row["file_name"]
        name = source.name
        shutil.copyfile(source, options.out / name)
        grey = float(cv2.imread(str(source)).mean())
        lines.append(
            json.dumps(
                {
                    "file_name": name,
                    "text": full_caption(words(row, "head and shoulders", grey, False)),
                }
            )
        )
    (options.out / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    print(f"{len(lines)} pictures in {options.out}")


if __name__ == "__main__":
    main()
