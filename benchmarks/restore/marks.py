"""How much of the marks' look comes back, on renders whose marks are known."""

from pathlib import Path

import cv2
import numpy as np

from benchmarks.marks import place_all
from benchmarks.restore.cases import millimetres_off, prepare_case, read_cases
from benchmarks.restore.measures import RecoveredMark, measure_marks, measure_seam
from benchmarks.restore.sheet import case_row
from realism.marks.mark import ROUND_KINDS
from realism.marks.restore.blend import Sliders, blend

WAYS = {
    "ratio, head": ("ratio", "head", False),
    "paste, nearest3": ("paste", "nearest3", False),
    "ratio, true place": ("ratio", "head", True),
    "paste, true place": ("paste", "head", True),
}
RIGHT = 0.75, 1.33  # of a contrast over the truth's


def marks(data: Path, sheet: Path | None) -> None:
    """Print how much of the marks' look comes back; write a picture."""
    place_all(data)
    every = list(read_cases(data))
    names = sorted({case.person for case in every})
    tuned = set(names[::2])
    halves = {
        "tuned " + " ".join(names[::2]): tuned,
        "others " + " ".join(names[1::2]): set(names) - tuned,
        "all": set(names),
    }
    print(
        f"{'way':18s}{'people':20s}{'marks':>6s}  share: median, 10 %   (in place)   contrast right"
        "        wrinkles: correlation (in place)   not put"
    )
    rows, seams, off = [], {}, {}
    for way, (method, placement, true_place) in WAYS.items():
        found, edges = [], []
        for case in every:
            prepared = prepare_case(case, method, placement, true_place)
            after = blend(prepared, Sliders())
            found += measure_marks(case, after)
            edges.append(measure_seam(prepared, after))
            off.setdefault(way, []).extend(millimetres_off(case, prepared))
            if way == "ratio, head":
                rows.append((case, after))
        for name, people in halves.items():
            print_row(way, name, [look for look in found if look.person in people])
        seams[way] = [edge for edge in edges if edge]
    for way in list(WAYS)[:2]:
        print(
            f"placed from two photos, {way}: {np.median(off[way]):.2f} mm in the median, "
            f"{np.percentile(off[way], 95):.1f} in the 95th percentile of {len(off[way])}"
        )
    for way, edges in seams.items():
        ours, clean, beyond = np.array(edges).T
        print(
            f"seam, {way}: slope along the edge over just outside {np.median(ours):.2f} in the "
            f"median portrait, {ours.max():.2f} at most (the same places in the clean portraits "
            f"{np.median(clean):.2f}, {clean.max():.2f}; restored over clean at most "
            f"{(ours / clean).max():.2f}); {beyond.sum():.0f} pixels changed outside the masks"
        )
    if sheet:
        picture = np.vstack([case_row(*row) for row in rows[::2]])
        cv2.imwrite(str(sheet), picture[..., ::-1])


def print_row(way: str, name: str, found: list[RecoveredMark]) -> None:
    """One line of the table."""
    of_round = [look for look in found if look.kind in ROUND_KINDS]
    folds = [look for look in found if look.kind not in ROUND_KINDS]
    shares = np.array([look.share for look in of_round])
    fixed = np.array([look.in_place for look in of_round])
    contrasts = np.array([look.contrast for look in of_round])
    contrasts = contrasts[np.isfinite(contrasts)]
    right = np.mean((contrasts >= RIGHT[0]) & (contrasts <= RIGHT[1]))
    cells = [f"{np.median(shares):5.2f}, {np.percentile(shares, 10):5.2f}"]
    cells.append(f"({np.median(fixed):5.2f}, {np.percentile(fixed, 10):5.2f})")
    cells.append(f"{right:4.0%} of {len(contrasts):3d}, median {np.median(contrasts):.2f}")
    if folds:
        best, there = ([getattr(f, part) for f in folds] for part in ("share", "in_place"))
        cells.append(f"{np.median(best):5.2f} ({np.median(there):5.2f}) of {len(folds)}")
    missing = sum(not look.put for look in found)
    print(f"{way:18s}{name:20s}{len(shares):6d}  {'   '.join(cells)}   {missing}")
