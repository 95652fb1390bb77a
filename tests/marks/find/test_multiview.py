"""Photos of one person, looked at together: what one hints at others confirm, or do not."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from marked import BLOOD, MELANIN, painted, round_marks, truth_of

from realism.faces.engine import primary_face
from realism.faces.skin import skin_mask
from realism.head.fit import fit_person
from realism.images import Photo
from realism.marks.find.finders import HEATMAP_WEIGHTS, find_marks
from realism.marks.find.multiview import find_marks_multiview
from realism.marks.find.network import HeatmapNet, read_heatmap
from realism.marks.mark import Mark, RoundMark, Wrinkle
from realism.marks.photo import MarkedPhoto, analyse_photo
from realism.workflow import run_through

FAINT = 0.22 * MELANIN


@pytest.fixture(scope="module")
def faces(ravi, engine):
    """Five photos of ravi, turned by less than 30 degrees, and his face in them."""
    found = ((photo, primary_face(engine.find(photo.pixels))) for photo in ravi)
    return [pair for pair in found if abs(pair[1].pose.yaw) < 30][:5]


@pytest.fixture(scope="module")
def hinted(faces):
    """The photos with a faint mole on one cheek in all of them, on the other in the first only.

    -> sources, and the places in the first photo
    """
    sources = [analyse_photo(*pair) for pair in faces]
    heads = fit_person([source.analysis.head_evidence for source in sources])
    first = faces[0][1]
    everywhere, once = first.mesh[[50, 205], :2].mean(0), first.mesh[[280, 425], :2].mean(0)
    place, marked = heads[0].surface_point_at(everywhere), []
    for number, (source, head) in enumerate(zip(sources, heads, strict=True)):
        pixels = painted(source.pixels, tuple(head.project(place).xy), 3.0, FAINT)
        if number == 0:
            pixels = painted(pixels, tuple(once), 3.0, FAINT)
        marked.append(MarkedPhoto(source.name, pixels, source.face, source.skin, []))
    return marked, everywhere, once


def score_at(xy: np.ndarray, marks: list[Mark]) -> float:
    """The best score of a round mark within 5 px."""
    near = (m.score for m in marks if isinstance(m, RoundMark) and np.hypot(*(m.xy - xy)) < 5)
    return max(near, default=0.0)


def test_what_several_photos_show_counts_for_more_and_what_one_shows_for_less(hinted):
    sources, everywhere, once = hinted
    first = sources[0]
    alone = find_marks(first.pixels, first.face, first.skin, threshold=0.0)
    together = run_through(find_marks_multiview(sources, threshold=0.0))[0].marks
    assert 0.05 < score_at(everywhere, alone) < 0.95 and 0.05 < score_at(once, alone) < 0.95
    assert score_at(everywhere, together) > score_at(everywhere, alone) + 0.05
    assert score_at(once, together) < score_at(once, alone) - 0.05


def test_a_wrinkle_counts_for_more_where_another_photo_shows_it_than_where_it_does_not(faces):
    source = analyse_photo(*faces[0])
    again = replace(source, name="again.jpg")
    smooth = replace(source, name="smooth.jpg", pixels=cv2.GaussianBlur(source.pixels, (0, 0), 5))

    def folds(*sources):
        marks = run_through(find_marks_multiview(sources, threshold=0.0))[0].marks
        return {tuple(m.xy): m.score for m in marks if isinstance(m, Wrinkle)}

    alone, seen_again, not_seen = folds(source), folds(source, again), folds(source, smooth)
    sure = [xy for xy, score in alone.items() if score > 0.3]
    assert len(sure) >= 3
    assert all(seen_again[xy] > not_seen[xy] for xy in sure)


def test_a_pimple_beside_a_mole_is_not_taken_for_it(faces):
    # Only the first photo shows the pimple, all show the mole, 5 mm away.
    sources = [analyse_photo(*pair) for pair in faces]
    heads = fit_person([source.analysis.head_evidence for source in sources])
    at = faces[0][1].mesh[[50, 205], :2].mean(0)
    place, marked = heads[0].surface_point_at(at), []
    beside = at + np.array([5.0, 0]) / heads[0].mm_per_px_at(place)
    for number, (source, head) in enumerate(zip(sources, heads, strict=True)):
        pixels = painted(source.pixels, tuple(head.project(place).xy), 3.0, 1.5 * MELANIN)
        if number == 0:
            pixels = painted(pixels, tuple(beside), 2.0, 0.6 * BLOOD)
        marked.append(MarkedPhoto(source.name, pixels, source.face, source.skin, []))
    marks = run_through(find_marks_multiview(marked, threshold=0.0))[0].marks
    pimple, mole = (min(marks, key=lambda m: np.hypot(*(m.xy - xy))) for xy in (beside, at))
    first = marked[0]
    alone = find_marks(first.pixels, first.face, first.skin, threshold=0.0)
    assert (mole.kind, pimple.kind) == ("mole", "acne")
    assert score_at(at, marks) > 0.9
    assert score_at(beside, marks) < score_at(beside, alone)


def test_kinds_are_judged_by_all_photos(mei, engine):
    right = {True: 0, False: 0}
    sources = [analyse_photo(photo, primary_face(engine.find(photo.pixels))) for photo in mei[:5]]
    for together in (False, True):
        for photo, found in zip(mei, run_through(find_marks_multiview(sources)), strict=False):
            marks = found.marks if together else find_marks(found.pixels, found.face, found.skin)
            for true in round_marks(truth_of(photo)).values():
                near = [
                    m for m in marks if isinstance(m, RoundMark) and np.hypot(*(m.xy - true.xy)) < 5
                ]
                right[together] += bool(near) and near[0].kind == true.kind
    assert right[True] > right[False] > 10


def test_a_single_photo_is_found_as_by_itself(hinted):
    source = hinted[0][0]
    (found,) = run_through(find_marks_multiview([source]))
    alone = find_marks(source.pixels, source.face, source.skin)
    assert [(m.kind, *m.xy, m.score) for m in found.marks] == [
        (m.kind, *m.xy, m.score) for m in alone
    ]


def test_marks_that_are_known_are_kept_and_help_is_asked_of_their_photos(hinted):
    sources, everywhere, _ = hinted
    own = [RoundMark("spot", np.float32([200, 200]), 3.0)]
    known = [replace(source, marks=own) for source in sources[1:]]
    looking = find_marks_multiview(
        [sources[0], *known], [source.name for source in known], threshold=0.0
    )
    first, *others = run_through(looking)
    assert all(source.marks == own for source in others)
    assert score_at(everywhere, first.marks) > score_at(
        everywhere, run_through(find_marks_multiview(sources[:1], threshold=0.0))[0].marks
    )
    assert (
        list(find_marks_multiview(known, [source.name for source in known])) == []
    )  # none looked at


def test_a_mirrored_selfie_neither_confirms_nor_needs_to_be_confirmed(mei, engine):
    def ready(photo):
        return analyse_photo(photo, primary_face(engine.find(photo.pixels)))

    upright = [ready(photo) for photo in mei[:3]]
    pixels = np.ascontiguousarray(mei[3].pixels[:, ::-1])
    selfie = ready(Photo("selfie.jpg", pixels))
    with_it = run_through(find_marks_multiview([*upright, selfie], threshold=0.0))
    without = run_through(find_marks_multiview(upright, threshold=0.0))
    face = selfie.face
    alone = find_marks(pixels, face, skin_mask(pixels, face), threshold=0.0)
    assert scores(with_it[3].marks) == pytest.approx(scores(alone))
    assert scores(with_it[0].marks) == pytest.approx(scores(without[0].marks), abs=0.02)


def scores(marks: list[Mark]) -> list[float]:
    return [mark.score for mark in marks if isinstance(mark, RoundMark)]


def test_a_network_from_before_lets_each_photo_speak_for_itself(tmp_path, hinted):
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    weights = load_file(str(HEATMAP_WEIGHTS))
    del weights["mix_several"], weights["mix_several_lines"]
    with safe_open(str(HEATMAP_WEIGHTS), "pt") as file:
        save_file(weights, str(tmp_path / "old.safetensors"), file.metadata())
    net = read_heatmap(tmp_path / "old.safetensors")
    assert net.mix_several.tolist() == HeatmapNet().mix_several.tolist()
    sources = hinted[0][:2]
    found = run_through(find_marks_multiview(sources, (), tmp_path / "old.safetensors"))
    for before, after in zip(sources, found, strict=True):
        alone = find_marks(before.pixels, before.face, before.skin)
        assert scores(after.marks) == pytest.approx(scores(alone))
