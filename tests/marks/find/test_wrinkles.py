"""Ridges of dark lines: traced along a skeleton, joined end to end, kept where a face folds."""

import cv2
import numpy as np
from skimage.morphology import skeletonize

from realism.faces.skin import skin_mask
from realism.marks.find.crop import crop_face
from realism.marks.find.folds import fold_zones, is_hairline, is_of_feature, sure_skin
from realism.marks.find.wrinkles import (
    find_ridges,
    join_polylines,
    trace_skeleton,
    valley_response,
)


def drawn(*lines) -> np.ndarray:
    """A skeleton of straight lines, each ((x, y), (x, y))."""
    canvas = np.zeros((60, 120), np.uint8)
    for start, end in lines:
        cv2.line(canvas, start, end, 1)
    return skeletonize(canvas > 0)


def test_a_line_is_traced_from_end_to_end():
    (line,) = trace_skeleton(drawn(((10, 30), (100, 30))))
    assert len(line) == 91 and {10, 100} == {line[0][0], line[-1][0]}
    assert (np.abs(np.diff(line, axis=0)).max(1) == 1).all()


def test_lines_that_go_on_after_a_gap_are_joined_and_others_are_not():
    straight = trace_skeleton(drawn(((10, 30), (50, 30)), ((58, 30), (100, 30))))
    assert [len(line) for line in join_polylines(straight, gap=12)] == [84]
    assert len(join_polylines(straight, gap=5)) == 2
    corner = trace_skeleton(drawn(((10, 30), (50, 30)), ((56, 30), (56, 58))))
    assert len(join_polylines(corner, gap=12)) == 2


def test_a_valley_of_light_answers_and_a_round_dip_hardly_does():
    light = np.zeros((80, 80), np.float32)
    line, dot = light.copy(), light.copy()
    line[40, :] = dot[40, 40] = -1
    line, dot = (
        cv2.GaussianBlur(image, (0, 0), 2) * size for image, size in ((line, 5), (dot, 25))
    )
    answers = [valley_response(image, (2.0,))[40, 40] for image in (line, dot)]
    assert answers[0] > 0.1 and answers[1] < 0.1 * answers[0]


def test_a_ridge_lies_where_a_face_folds(ravi, engine):
    pixels = ravi[0].pixels
    face = engine.find(pixels)[0]
    crop = crop_face(pixels, face, skin_mask(pixels, face))
    folds, _, slack = fold_zones(crop.from_picture(face.mesh[:, :2]), crop.skin.shape)
    ridges = find_ridges(crop, face, crop.skin)
    assert ridges and 0.05 < folds.mean() < 0.5 and slack[folds].max() < 1
    for ridge in ridges:
        assert ridge.strength > 0 and len(ridge.points) >= 28
        # Where two stretches were joined a few pixels may lie between zones.
        core = ridge.points[ridge.core]
        assert folds[core[:, 1], core[:, 0]].mean() > 0.95


def between(mesh: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Points on the way from one to the other."""
    return np.rint(np.linspace(start, end, 40)).astype(int)


def test_a_fold_goes_on_from_where_faces_fold_as_far_as_is_said(ravi, engine):
    pixels = ravi[0].pixels
    face = engine.find(pixels)[0]
    # From the fold beside the mouth down the cheek, where no zone of folds is.
    start = face.mesh[207, :2]
    end = face.mesh[[214, 136], :2].mean(0)
    shade = np.zeros(pixels.shape[:2], np.float32)
    cv2.line(shade, *(tuple(map(int, np.rint(point))) for point in (start, end)), 1.0, 2)
    shade = cv2.GaussianBlur(shade, (0, 0), 1.0)
    pixels = (pixels * (1 - 0.5 * shade[..., None])).astype(np.uint8)
    crop = crop_face(pixels, face, np.ones(pixels.shape[:2], np.float32))
    folds, _, _ = fold_zones(crop.from_picture(face.mesh[:, :2]), crop.skin.shape)
    line = crop.from_picture(np.linspace(start, end, 40))

    def away(ridge):
        return np.linalg.norm(ridge.points[:, None] - line[None], axis=2).min(1).mean()

    ridge = min(find_ridges(crop, face, crop.skin), key=away)
    outside = ~folds[ridge.points[:, 1], ridge.points[:, 0]]
    assert away(ridge) < 5 and outside.sum() > 10
    core = ridge.points[ridge.core]
    assert (ridge.reaching(np.zeros(len(outside), bool)).points == core).all()
    assert (ridge.reaching(np.ones(len(outside), bool)).points == ridge.points).all()
    # What goes on only after a break does not.
    broken = np.ones(len(outside), bool)
    broken[ridge.core.stop + 3 if ridge.core.start == 0 else ridge.core.start - 4] = False
    assert len(ridge.reaching(broken).points) == len(core) + 3


def test_a_line_under_the_hairline_is_a_strand_and_one_further_down_a_fold(mei, engine):
    pixels = mei[0].pixels
    face = engine.find(pixels)[0]
    crop = crop_face(pixels, face, skin_mask(pixels, face))
    mesh, sure = crop.from_picture(face.mesh[:, :2]), sure_skin(crop.skin)
    x = round(float(mesh[9, 0]))
    top = int(np.flatnonzero(sure[: round(float(mesh[9, 1])), x])[0])  # where hair ends
    across = np.array([50, 0])
    for below, strand in ((10, True), (60, False)):
        middle = np.array([x, top + below])
        assert is_hairline(between(mesh, middle - across, middle + across), mesh, sure) is strand
    # On a cheek beside hair there may be folds.
    assert not is_hairline(between(mesh, mesh[205], mesh[187]), mesh, sure)


def test_creases_of_lids_and_nose_wings_are_no_folds_and_those_beside_them_are(mei, engine):
    face = engine.find(mei[0].pixels)[0]
    crop = crop_face(mei[0].pixels, face, np.ones(mei[0].pixels.shape[:2], np.float32))
    mesh = crop.from_picture(face.mesh[:, :2])
    lid = between(mesh, mesh[144] + [0, 14], mesh[153] + [0, 14])
    bag = np.add(lid, [0, 14])
    assert is_of_feature(lid, mesh, glasses=False)
    assert not is_of_feature(bag, mesh, glasses=False)
    assert is_of_feature(bag, mesh, glasses=True)  # a lens draws lines of its own there
    assert not is_of_feature(np.add(bag, [0, 30]), mesh, glasses=True)
    assert is_of_feature(between(mesh, mesh[49], mesh[129]), mesh, glasses=False)
    assert not is_of_feature(between(mesh, mesh[203], mesh[212]), mesh, glasses=False)
