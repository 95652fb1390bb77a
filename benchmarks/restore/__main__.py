"""How much of the marks' look comes back, on pictures whose marks are known.

    python -m benchmarks.restore --data ../shared/data/marked-people --sheet OUT.png
    python -m benchmarks.restore people --data ../shared/data/people-variants --sheet OUT.png
    python -m benchmarks.restore time --data ../shared/data/marked-people

`marks`, which runs when no part is named: each clean portrait gets the marks of the next two
views of the person, as the truth gives them, and is held against the render with marks; `ratio`
on the `head` beside `paste` by `nearest3`, and both with every mark put exactly where it belongs.

- share: 1 - sum dE(restored, truth) / sum dE(clean, truth), CIE76, in a disc of twice the radius,
  best within a shift of 1.5 mm, for placement is another figure. Round marks whose loss can be
  seen (mean 1.5, peak 4 dE) and that face the camera by a cosine of 0.3 in portrait and photo;
  one that was not put there counts as 0.
- contrast: of moles and spots, log of light in the core against the skin around, restored over
  truth's, where the truth's is 0.2 at least; right from 0.75 to 1.33.
- wrinkles: correlation of the band-passed log-light that was put there with the truth's, within
  2 mm of the line, best within the same shift.
- seam: slope of log-light along the edge of what was put there, over the slope just outside.

Before that, millimetres between marks and where they belong (`benchmarks/marks.py`).

Of the people every other was looked at while the method was made ("tuned"). The rest were not,
until reaches and radii of `marks/restore/quotient.py` and `wrinkle.py` were chosen on all: none are
untouched now.

`people`: generated people of which portraits lost marks: likeness to the photos before and after,
as a user gets them (marks seen on one of the four photos are off). One reading of the engine
trembles: noise of a grey level, which nobody sees, moves it by up to 0.005. So it is given for
one reading, and for the mean of several under such noise, the same before and after.

`time`: at 1024 px, from photos not looked at before and from photos that are known (an atlas at
hand); a slider's move; the atlas of many photos.
"""

import argparse
from pathlib import Path

from benchmarks.restore.marks import marks
from benchmarks.restore.people import people
from benchmarks.restore.timing import timing


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("part", nargs="?", default="marks", choices=("marks", "people", "time"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sheet", type=Path, help="picture to write (marks, people)")
    options = parser.parse_args()
    if options.part == "time":
        timing(options.data)
    elif options.part == "people":
        people(options.data, options.sheet)
    else:
        marks(options.data, options.sheet)


if __name__ == "__main__":
    main()
