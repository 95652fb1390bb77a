"""A finder is evaluated by what a person annotated: figures that can be worked out by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from realism.errors import InputError
from realism.faces.face import Face, Pose
from realism.marks.mark import Mark, make_mark
from realism.marks.teach.dataset import AnnotatedFace
from realism.marks.teach.evaluate import (
    build_report,
    distance_to_polyline,
    evaluate_face,
    format_report,
    mean_ap,
)
from realism.marks.teach.run import write_report
from realism.marks.teach.snap import Click


def face_with(*clicks: tuple, name: str = "a.jpg") -> AnnotatedFace:
    """A face of 150 px from ear to ear, so that a pixel is a millimetre; (kind, x, y) clicked."""
    mesh = np.random.default_rng(0).uniform(40, 110, (468, 3)).astype(np.float32)
    mesh[234], mesh[454] = [0, 75, 0], [150, 75, 0]
    box = np.float32([0, 0, 150, 150])
    face = Face(box, np.zeros((68, 2), np.float32), mesh, Pose(0, 0, 0), np.ones(1), 1.0)
    placed = tuple(
        Click(kind, np.float32([x, y]), np.float32([x, y]), 1.0, False) for kind, x, y in clicks
    )
    pixels = np.full((200, 150, 3), 180, np.uint8)
    return AnnotatedFace(name, pixels, face, np.ones((200, 150), np.float32), placed)


def mark(kind: str, x: float, y: float, score: float, *polyline) -> Mark:
    return make_mark(kind, np.float32([x, y]), 1.0, score, np.float32(polyline).reshape(-1, 2))


THREE = face_with(("mole", 20, 20), ("mole", 60, 60), ("mole", 100, 100))
FOUND = [
    mark("mole", 60, 61.5, 0.7),  # hit, though given first
    mark("mole", 21, 20, 0.9),  # hit
    mark("mole", 20, 21, 0.8),  # on a mark that is taken: false
    mark("mole", 100, 103, 0.6),  # 3 mm off: false
]


def test_average_precision_and_f1_are_those_worked_out_by_hand():
    report = build_report([evaluate_face(THREE, FOUND)])
    mole = report["kinds"]["mole"]
    # Recall 1/3 at precision 1, then 2/3 at precision 2/3.
    assert mole["ap"] == pytest.approx(1 / 3 + 1 / 3 * 2 / 3, abs=1e-4)
    assert mole["best"] == {"threshold": 0.7, "precision": 0.6667, "recall": 0.6667, "f1": 0.6667}
    assert mole["at_threshold"]["precision"] == 0.5
    assert mole["at_threshold"]["f1"] == pytest.approx(4 / 7, abs=1e-4)
    (image,) = report["per_image"]
    assert (image["hit"], image["missed"], image["false_alarms"]) == (2, 1, 2)
    assert [click["hit"] for click in image["clicks"]] == [True, True, False]


def test_the_report_keeps_the_click_and_the_mark_it_was_taken_for():
    far = Click("mole", np.float32([20, 20]), np.float32([23, 24]), 1.0, True)
    face = AnnotatedFace(
        "a", THREE.pixels, THREE.face, THREE.skin, (far,), origin=(100, 50), scale=0.5
    )
    (click,) = build_report([evaluate_face(face, [])])["per_image"][0]["clicks"]
    assert click["clicked"] == [140.5, 90.5] and click["xy"] == [146.5, 98.5]
    assert click["moved_mm"] == 5.0


def test_findings_of_one_score_count_together():
    face = face_with(("mole", 20, 20))
    tied = [mark("mole", 20, 20, 0.5), mark("mole", 90, 90, 0.5)]
    assert mean_ap([evaluate_face(face, tied)]) == mean_ap([evaluate_face(face, tied[::-1])]) == 0.5


def test_a_wrong_kind_is_found_but_not_named():
    report = build_report([evaluate_face(face_with(("mole", 20, 20)), [mark("spot", 20, 20, 0.9)])])
    assert report["kinds"]["mole"]["ap"] == 0
    assert report["kinds"]["round"]["ap"] == 1
    assert report["kind_right"] == 0
    assert report["per_image"][0]["false_alarms"] == 1


def test_a_line_hits_every_click_it_passes_and_its_second_piece_counts_neither_way():
    clicks = [("wrinkle", 20, 50), ("wrinkle", 60, 50), ("wrinkle", 20, 120)]
    lines = [
        mark("wrinkle", 40, 51, 0.9, (10, 51), (70, 51)),
        mark("wrinkle", 40, 49, 0.8, (10, 49), (70, 49)),
        mark("wrinkle", 100, 10, 0.7, (90, 10), (110, 10)),
    ]
    evaluation = evaluate_face(face_with(*clicks), lines)
    assert evaluation.hits == [(0, 1), None, ()]
    wrinkle = build_report([evaluation])["kinds"]["wrinkle"]
    assert wrinkle["ap"] == pytest.approx(2 / 3, abs=1e-4)
    assert wrinkle["at_threshold"]["precision"] == 0.5


def test_the_blob_that_a_click_means_counts_like_the_click():
    far = Click("mole", np.float32([20, 20]), np.float32([24, 20]), 1.0, True)
    face = replace(THREE, clicks=(far,))
    assert evaluate_face(face, [mark("mole", 25.5, 20, 0.9)]).hits == [(0,)]
    assert evaluate_face(face, [mark("mole", 26.5, 20, 0.9)]).hits == [()]


def test_false_alarms_on_faces_without_marks_are_counted_apart():
    bare = face_with(name="bare.jpg")
    evaluations = [
        evaluate_face(bare, [mark("acne", 1, 1, 0.9), mark("acne", 9, 9, 0.2)]),
        evaluate_face(THREE, []),
    ]
    report = build_report(evaluations, 0.5)
    assert report["images_without_marks"] == 1
    assert report["false_alarms_per_image_without_marks"] == 1.0
    assert report["kinds"]["acne"]["ap"] is None
    assert "none annotated" in format_report(report) and "1.00 false alarms" in format_report(
        report
    )


def test_distance_to_a_line_is_to_its_nearest_place():
    polyline = np.float32([[0, 0], [10, 0], [10, 10]])
    assert distance_to_polyline(np.float32([5, 3]), polyline) == pytest.approx(3)
    assert distance_to_polyline(np.float32([14, 13]), polyline) == pytest.approx(5)
    assert distance_to_polyline(np.float32([3, 4]), polyline[:1]) == pytest.approx(5)


def test_the_report_has_figures_a_plot_and_a_sheet_that_shows_hits_and_misses(tmp_path):
    list(write_report([evaluate_face(THREE, FOUND)], tmp_path, {"method": "by hand"}))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["method"] == "by hand" and report["marks"] == 3
    plot = np.asarray(Image.open(tmp_path / "precision-recall.png"), int)
    assert (np.abs(plot - [0, 0x72, 0xB2]).sum(2) < 30).sum() > 200  # the moles' curve
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"), int)[60:]
    for colour in ([0x1D, 0x9E, 0x63], [0x3A, 0x6C, 0xFF], [0xFF, 0x5A, 0x36]):
        assert (np.abs(sheet - colour).sum(2) < 30).sum() > 20


def test_nothing_to_judge_is_said(tmp_path):
    with pytest.raises(InputError, match="None of the annotated"):
        list(write_report([], tmp_path, {}))
