"""Of the marks that a portrait of a person should show, how many does it show after restoring?

    python -m benchmarks.kept ../shared/data/marked-people
    python -m benchmarks.kept DATA --given --people q01 --sheet OUT.png

DATA holds made-up people in the form of ../shared/data/marked-people. Each clean view is a portrait
once, and the person's other views, marks and all, are the photos. The program finds the marks, all
photos together; with `--given` it gets those of the truth, which leaves finding out.

- counted: a round mark that faces the camera (cosine over 0.3), whose loss can be seen (mean 1.5
  and peak 4 in CIE76 over twice its radius) and that two photos could show. One that was not put
  there counts as lost, whatever the reason.
- back: 1 - sum dE(restored, truth) / sum dE(clean, truth) over twice its radius, best within
  1.5 mm. Kept: 0.3 and more.
- wrong: places away from every mark that changed by over 4 in CIE76 over 2 mm.
- contrast: of moles and spots, log of light in the core against the skin around, restored over
  truth's, where the truth's is 0.2 at least; right from 0.75 to 1.33. One that is not put is not
  right.
- skin: groups of the individual typology angle, median over the skin of the person's clean views
  (Chardon, Cretois and Hourseau, "Skin colour typology and suntanning pathways", 1991).

The definition is that of ../shared/tools/score_kept.py, which calls the program as a user does.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.kept.measures import RIGHT_CONTRAST, KeptMark, count_wrong_places, measure_kept
from benchmarks.kept.portraits import Restoration, restore_all, skin_tone
from data_sets.marked_people import read_views
from realism.marks.restore.placement import PLACEMENTS
from realism.marks.restore.prepare import METHODS


def main() -> None:
    """Print the figures of one folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--given", action="store_true", help="the truth's marks, none looked for")
    parser.add_argument("--method", default=METHODS[0], choices=METHODS)
    parser.add_argument("--placement", default=PLACEMENTS[0], choices=PLACEMENTS)
    parser.add_argument("--people", nargs="*", help="only these")
    parser.add_argument("--sheet", type=Path, help="picture to write: clean, restored, truth")
    options = parser.parse_args()
    people = {
        person: views
        for person, views in read_views(options.data).items()
        if not options.people or person in options.people
    }
    tones = {person: skin_tone(views) for person, views in people.items()}
    marks, wrong, why, strips = [], 0, Counter(), []
    for restoration in restore_all(people, options.given, options.method, options.placement):
        marks += measure_kept(restoration)
        wrong += count_wrong_places(restoration)
        why.update(restoration.reasons())
        if options.sheet:
            strips.append(_strip(restoration))
        kept = np.mean([mark.kept for mark in marks] or [0])
        print(f"{restoration.view.name} {len(marks)} marks, kept {kept:.2f}", flush=True)
    print_table("kind", marks, lambda mark: mark.kind)
    print_table("person", marks, lambda mark: mark.person)
    print_table("skin", marks, lambda mark: tones[mark.person])
    print_losses(marks)
    print("all placements that were not put:", dict(why.most_common()))
    print_contrast(marks)
    print(
        f"kept {np.mean([mark.kept for mark in marks]):.2f} of {len(marks)} visible marks, "
        f"median back {np.median([mark.back for mark in marks]):.2f}, "
        f"{wrong / max(sum(map(len, people.values())), 1):.2f} wrong places a portrait"
    )
    if options.sheet:
        cv2.imwrite(str(options.sheet), np.vstack(strips)[..., ::-1])


def print_table(title: str, marks: Sequence[KeptMark], group: Callable[[KeptMark], str]) -> None:
    """One line a group of marks: kept, median back, contrast right."""
    groups = defaultdict(list)
    for mark in marks:
        groups[group(mark)].append(mark)
    for name, members in sorted(groups.items()):
        back = [mark.back for mark in members]
        print(
            f"{title} {name}: kept {np.mean([mark.kept for mark in members]):.2f} of "
            f"{len(members)}, median back {np.median(back):.2f}, {_right(members)}"
        )


def print_losses(marks: Iterable[KeptMark]) -> None:
    """Why visible marks are not kept."""
    lost = Counter(mark.fate for mark in marks if not mark.kept)
    print("visible marks that are not kept:")
    for fate, count in lost.most_common():
        print(f"  {count:3d} {fate}")


def print_contrast(marks: Sequence[KeptMark]) -> None:
    """Contrast right over all visible moles and spots, and over those that were put."""
    telling = [mark for mark in marks if np.isfinite(mark.contrast)]
    put = [mark for mark in telling if mark.put]
    print(f"contrast of all visible moles and spots: {_right(telling)}")
    print(f"of those that were put alone: {_right(put)}")


def _right(marks: Sequence[KeptMark]) -> str:
    contrasts = np.array([mark.contrast for mark in marks if np.isfinite(mark.contrast)])
    if not len(contrasts):
        return "no contrast to tell"
    low, high = RIGHT_CONTRAST
    right = np.mean((contrasts >= low) & (contrasts <= high))
    return f"contrast right {right:.2f} of {len(contrasts)}, median {np.median(contrasts):.2f}"


def _strip(restoration: Restoration) -> np.ndarray:
    return np.hstack([restoration.clean, restoration.restored, restoration.truth])


if __name__ == "__main__":
    main()
