"""How well marks are placed, on pictures whose marks are known; and how those are read.

    python -m benchmarks.marks --data ../shared/data/marked-people

Millimetres over all ordered pairs of views. The data are of the form of
../shared/data/marked-people (truth/, marked/, clean/). How well marks are found:
`benchmarks/find.py`; how they look when restored: `benchmarks/restore`.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from data_sets.marked_people import analyse_picture, read_views
from realism.head.fit import fit_person
from realism.head.registration import build_grid, register
from realism.marks.mark import ROUND_KINDS
from realism.marks.restore.placement import place_marks


def place_all(data: Path) -> None:
    """Print the placement's error over all ordered pairs of views.

    The portrait is the clean twin: marks in it would tell where marks go. "Skin smoothed" hides
    the texture that the twins' skin shares and that a generated portrait's may not.
    """
    print(
        "placement            marks   all seen   facing > 0.3   facing > 0.5 (median / 95 %, mm)"
        "   put though hidden   seen ones left out"
    )
    for name, method, look in (
        ("head, registered", "head", lambda pixels: pixels),
        ("same, skin smoothed", "head", lambda pixels: cv2.bilateralFilter(pixels, 9, 40, 4.0)),
        ("head alone", "head", None),
        ("nearest3", "nearest3", None),
    ):
        errors, facing, turned, haired, put, left_out = [], [], 0, 0, 0, 0
        for group in read_views(data).values():
            for photo, portrait in ((a, b) for a in group for b in group if a is not b):
                source, target = analyse_picture(photo.marked), analyse_picture(portrait.clean)
                marks = photo.marks(ROUND_KINDS)
                heads = shift = None
                if method == "head":
                    heads = tuple(fit_person([source.head_evidence, target.head_evidence]))
                if look is not None:
                    shift = register(
                        source.pixels, heads[0], build_grid(look(target.pixels), heads[1])
                    )
                places = place_marks(
                    list(marks.values()), photo.name, source.face, target.face, target.paintable,
                    method, heads, shift,
                )  # fmt: skip
                put += sum(spot.visible for spot in places)
                for mark_id, spot in zip(marks, places, strict=True):
                    there = portrait.mark_truth(mark_id)
                    if not there["visible"]:
                        turned += spot.visible and there["facing"] < 0
                        haired += spot.visible and there["facing"] > 0
                        continue
                    off = np.hypot(*(spot.to - np.float32(there["xy"]) + 0.5))
                    errors.append(off * portrait.truth["mm_per_px"])
                    facing.append(min(photo.mark_truth(mark_id)["facing"], there["facing"]))
                    left_out += not spot.visible and facing[-1] > 0.3
        errors, facing = np.array(errors), np.array(facing)
        parts = [errors, errors[facing > 0.3], errors[facing > 0.5]]
        cells = "   ".join(f"{np.median(e):5.2f} / {np.percentile(e, 95):5.1f}" for e in parts)
        print(
            f"{name:19s}  {len(errors):5d}   {cells}   {turned} turned away, {haired} under hair: "
            f"{(turned + haired) / put:.1%} of {put} put   {left_out} of {(facing > 0.3).sum()}",
            flush=True,
        )


def main() -> None:
    """Print the figures of each folder."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, action="append", required=True)
    for data in parser.parse_args().data:
        place_all(data)


if __name__ == "__main__":
    main()
