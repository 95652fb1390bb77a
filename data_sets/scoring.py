"""The scorer of found marks, `../shared/tools/score_marks.py`, and the truth in the form it reads.

It stands outside the repository, beside the measuring sets, and is loaded from its file.
"""

import importlib.util
from pathlib import Path
from types import ModuleType

from data_sets.face_marks import is_annotated, read_annotations
from data_sets.marked_people import LEAST_CONTRAST, LEAST_FACING, mark_from_truth, read_views
from realism.marks.mark import Wrinkle

SHARED = Path(__file__).resolve().parents[2] / "shared"
SCORER = SHARED / "tools" / "score_marks.py"


def load_scorer() -> ModuleType:
    """The scorer, with `evaluate(truth, found)` and `show(figures)`."""
    spec = importlib.util.spec_from_file_location("score_marks", SCORER)
    scorer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(scorer)
    return scorer


def read_truth_to_score(data: Path) -> list[tuple[Path, dict]]:
    """Pictures of a set and what the scorer should know of them.

    Parameters
    ----------
    data : Path
        A folder of the form of marked-people, whose pictures without marks are given too, or of
        face-marks.
    """
    if is_annotated(data):
        return read_annotations(data)
    entries = []
    for view in (view for group in read_views(data).values() for view in group):
        marks = []
        for value in view.truth["marks"]:
            mark = mark_from_truth(value, view.truth)
            plain = value.get("contrast", 0) >= LEAST_CONTRAST and value["facing"] > LEAST_FACING
            marks.append(
                {
                    "kind": mark.kind,
                    "xy": mark.xy.tolist(),
                    "radius": mark.radius,
                    "line": mark.polyline.tolist() if isinstance(mark, Wrinkle) else [],
                    "certain": bool(value["visible"] and plain),
                }
            )
        for path, there in ((view.marked, marks), (view.clean, [])):
            size = view.truth["size"]
            about = {"size": size, "face_box": [0, 0, *size], "marks": there, "ignore": []}
            entries.append((path, {"image": f"{path.parent.name}-{path.name}", **about}))
    return entries
