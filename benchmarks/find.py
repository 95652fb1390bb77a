"""How well marks are found, on pictures whose marks are known.

    python -m benchmarks.find                      both sets, the default finder and the Hessian's
    python -m benchmarks.find --method heatmap --weights W.safetensors --data DIR --found OUT.json

DIR has the form of ../shared/data/marked-people (truth/, marked/, clean/) or of
../shared/data/face-marks (annotations.json). Both are scored by ../shared/tools/score_marks.py, and
again as the original's keypoint R-CNN can, which finds one mark of each kind a face; of rendered
people, too, how many moles of a millimetre's radius are found that face the camera, and how much is
found where nothing is; and the same of each person's photos together, which is how they are looked
at in use. Times are for a face of the first folder, in one thread and in two.
"""

import argparse
import resource
import time
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from data_sets.marked_people import LEAST_CONTRAST, analyse_picture, read_views
from data_sets.one_of_each_kind import format_one_of_each_kind, score_one_of_each_kind
from data_sets.scoring import SHARED, load_scorer, read_truth_to_score
from realism.disk import write_json
from realism.marks.find.finders import AS_LIKELY_AS_NOT, find_marks
from realism.marks.find.multiview import find_marks_multiview
from realism.marks.mark import ROUND_KINDS, Mark, RoundMark, marks_to_json
from realism.marks.photo import MarkedPhoto
from realism.workflow import run_through

DATA = (SHARED / "data" / "face-marks", SHARED / "data" / "marked-people")
FACES_CAMERA = 0.5  # cosine: within 60 degrees
TRIES = 6  # findings timed: the first loads the network, the least of the others counts
WANTED = 0.9  # precision at which recall is printed
# Log units of green, a third of what the painter's usual mole has; other sets say no contrast so.
PALE = 0.15


def print_people(data: Path, found: dict[str, list[Mark]], threshold: float) -> None:
    """Print recall of moles at the wanted precision, and false alarms on faces without marks."""
    outcomes, wanted, radii = [], 0, []
    for view in (v for group in read_views(data).values() for v in group):
        truth = view.truth
        round_ones = [m for m in truth["marks"] if m["kind"] != "wrinkle"]
        moles = [
            m
            for m in round_ones
            if m["kind"] == "mole" and m["visible"] and m["radius_mm"] >= 1
            and m["facing"] > FACES_CAMERA and m["contrast"] >= LEAST_CONTRAST
        ]  # fmt: skip
        wanted += len(moles)
        left = list(moles)
        marks = [m for m in found[f"marked-{view.marked.name}"] if isinstance(m, RoundMark)]
        for mark in sorted(marks, key=lambda m: -m.score):
            # A finding on any mark, seen or hidden, is no false alarm.
            on = [m for m in round_ones if _near(mark, m, truth)]
            hit = next((m for m in left if m in on), None)
            if hit is not None:
                left.remove(hit)
                outcomes.append((mark.score, True))
                radii.append(mark.radius / hit["radius_px"])
            elif not on:
                outcomes.append((mark.score, False))
    outcomes.sort(key=lambda o: -o[0])
    hits = np.cumsum([hit for _, hit in outcomes])
    precision = hits / np.arange(1, len(hits) + 1)
    enough = np.flatnonzero(precision >= WANTED)
    recall, level = (hits[enough[-1]] / wanted, outcomes[enough[-1]][0]) if len(enough) else (0, 1)
    print(
        f"moles of 1 mm and more that face the camera: {wanted}; "
        f"recall {recall:.3f} at precision {WANTED} (threshold {level:.3f}), "
        f"found radius over true one {np.median(radii):.2f}"
    )
    clean = [marks for name, marks in found.items() if name.startswith("clean-")]
    for least in (threshold, level):
        alarms = [
            sum(isinstance(m, RoundMark) and m.score >= least for m in marks) for marks in clean
        ]
        print(f"round false alarms a clean view: {np.mean(alarms):.3f} at threshold {least:.3f}")


def _near(mark: Mark, value: dict, truth: dict) -> bool:
    reach = max(8 * max(truth["size"]) / 1024, value["radius_px"])
    return bool(np.hypot(*(mark.xy - np.float32(value["xy"]) + 0.5)) <= reach)


def find_alone(data: Path, method: str, weights: Path | None) -> dict[str, list[Mark]]:
    """All findings in each picture of a folder, by itself."""
    found = {}
    for path, entry in read_truth_to_score(data):
        picture = analyse_picture(path)
        found[entry["image"]] = find_marks(
            picture.pixels, picture.face, picture.skin, method, weights, threshold=0.0
        )
    return found


def find_in_views(data: Path, weights: Path | None) -> dict[str, list[Mark]]:
    """All findings in the views of each person with marks, then in those without, together."""
    found = {}
    for group in read_views(data).values():
        for folder in ("marked", "clean"):
            sources = []
            for path in (getattr(view, folder) for view in group):
                picture = analyse_picture(path)
                name = f"{folder}-{path.name}"
                sources.append(MarkedPhoto(name, picture.pixels, picture.face, picture.skin, []))
            ready = run_through(find_marks_multiview(sources, (), weights, threshold=0.0))
            found |= {source.name: source.marks for source in ready}
    return found


def print_figures(data: Path, found: dict[str, list[Mark]]) -> None:
    """Print the figures of what was found in a folder's pictures."""
    scorer = load_scorer()
    truth = [entry for _, entry in read_truth_to_score(data)]
    scorer.show(scorer.evaluate(truth, marks_to_json(found.items())))
    print(format_one_of_each_kind(score_one_of_each_kind(truth, found)))
    print_at_precision(scorer, truth, found)
    alarms = [
        sum(isinstance(m, RoundMark) and m.score >= AS_LIKELY_AS_NOT for m in found[e["image"]])
        for e in truth
        if not any(m["kind"] != "wrinkle" and m["certain"] for m in e["marks"])
    ]
    print(f"findings a face without marks at threshold {AS_LIKELY_AS_NOT}: {np.mean(alarms):.2f}")
    if (data / "truth").exists():
        print_people(data, found, threshold=AS_LIKELY_AS_NOT)


def print_at_precision(scorer, truth: list[dict], found: dict[str, list[Mark]]) -> None:
    """Print recall at the wanted precision, by kind and of pale moles, and kinds right."""
    rows = []  # score, right or not, the true mark, the kind found
    for entry in truth:
        sure = [m for m in entry["marks"] if m["kind"] != "wrinkle" and m["certain"]]
        # As kinds the numbers of the marks, so that each row says which mark it found.
        numbered = {**entry, "marks": [{**m, "kind": i} for i, m in enumerate(sure)]}
        numbered["marks"] += [m for m in entry["marks"] if m not in sure]
        own = marks_to_json([(entry["image"], found[entry["image"]])])[0]["marks"]
        for score, outcome, _, index, kind in scorer.match_face(numbered, own)[0]:
            if outcome >= 0:
                rows.append((score, outcome == 1, sure[index] if outcome == 1 else None, kind))
    rows.sort(key=lambda row: -row[0])
    precision = np.cumsum([right for _, right, _, _ in rows]) / np.arange(1, len(rows) + 1)
    enough = np.flatnonzero(precision >= WANTED)
    hits = [row for row in rows[: enough[-1] + 1 if len(enough) else 0] if row[1]]
    everything = [m for e in truth for m in e["marks"] if m["kind"] != "wrinkle" and m["certain"]]
    shares = []
    for name, is_one in (
        ("all", lambda m: True),
        *((kind, lambda m, kind=kind: m["kind"] == kind) for kind in ROUND_KINDS),
        ("pale mole", lambda m: m["kind"] == "mole" and m.get("contrast", 1) < PALE),
    ):
        wanted = [m for m in everything if is_one(m)]
        own = [(m, kind) for _, _, m, kind in hits if is_one(m)]
        if wanted:
            right = sum(m["kind"] == kind for m, kind in own) / max(len(own), 1)
            recall = len(own) / len(wanted)
            shares.append(f"{name} {recall:.3f} of {len(wanted)} (kind right {right:.2f})")
    level = hits[-1][0] if hits else 1.0
    print(f"recall at precision {WANTED} (threshold {level:.3f}): " + ", ".join(shares))


def time_finding(method: str, weights: Path | None, path: Path, threads: int, answer) -> None:
    """Seconds of several findings on one picture, and the peak of memory, in a new process."""
    import torch

    cv2.setNumThreads(threads)
    torch.set_num_threads(threads)
    picture = analyse_picture(path)
    spans = []
    for _ in range(TRIES):
        start = time.perf_counter()
        find_marks(picture.pixels, picture.face, picture.skin, method, weights)
        spans.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    answer.put((spans, peak, max(picture.pixels.shape)))


def print_cost(method: str, weights: Path | None, path: Path) -> None:
    """Print what finding on one large face takes."""
    context = get_context("spawn")
    answer = context.Queue()
    for threads in (1, 2):
        given = (method, weights, path, threads, answer)
        process = context.Process(target=time_finding, args=given)
        process.start()
        spans, peak, size = answer.get()
        process.join()
        print(
            f"{method}, one face of {size} px, threads {threads}: {min(spans[1:]):.2f} s "
            f"({spans[0]:.2f} s the first time), peak of the process {peak:.2f} GB"
        )


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, action="append", help="folders; default both")
    parser.add_argument("--method", action="append", help="finders; default heatmap and dog")
    parser.add_argument("--weights", type=Path, help="of the finder, other than its own")
    parser.add_argument("--found", type=Path, help="JSON to write findings to; of people, together")
    options = parser.parse_args()
    for method in options.method or ("heatmap", "dog"):
        for data in options.data or DATA:
            print(f"\n{data.name}, {method}")
            found = find_alone(data, method, options.weights)
            print_figures(data, found)
            if method == "heatmap" and (data / "truth").exists():
                print(f"\n{data.name}, {method}, the photos of a person together")
                found = find_in_views(data, options.weights)
                print_figures(data, found)
            if options.found:
                write_json(options.found, marks_to_json(found.items()))
        first = next(iter(read_truth_to_score((options.data or DATA)[0])))[0]
        print_cost(method, options.weights, first)


if __name__ == "__main__":
    main()
