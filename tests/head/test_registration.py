"""What photo and portrait both show brings a mark nearer to its place."""

import numpy as np
import pytest
from marked import round_marks, truth_of

from realism.head import registration
from realism.head.fit import fit_person, steady_mesh
from realism.head.registration import build_grid, register


@pytest.fixture(scope="module")
def views(mei, engine):
    """Three photos of one person: pixels, face, truth; and their heads, fitted together."""
    photos = [mei[0], mei[2], mei[5]]
    faces = [engine.find(photo.pixels)[0] for photo in photos]
    meshes = [steady_mesh(p.pixels, f.mesh) for p, f in zip(photos, faces, strict=True)]
    heads = fit_person([(m, p.pixels.shape[:2]) for m, p in zip(meshes, photos, strict=True)])
    return [(p.pixels, f, truth_of(p), h) for p, f, h in zip(photos, faces, heads, strict=True)]


def test_a_portrait_moved_under_its_head_is_found_where_it_was_moved_to(views):
    pixels, face, _, head = views[0]
    moved = np.roll(pixels, (3, -4), (0, 1))
    shift = register(pixels, head, build_grid(moved, head))
    cheeks = face.mesh[[50, 280, 151, 205, 425], :2]
    assert np.abs(shift(cheeks) - [-4, 3]).max() < 1.0


def test_a_picture_registered_on_itself_stays_where_it_is(views):
    pixels, face, _, head = views[0]
    assert np.abs(register(pixels, head, build_grid(pixels, head))(face.mesh[:, :2])).max() < 0.2


def test_registration_brings_true_marks_nearer_to_their_places(views):
    before, after = [], []
    for here, _, truth, head in views:
        for there, _, truth_there, portrait in views:
            if here is there:
                continue
            shift = register(here, head, build_grid(there, portrait))
            wanted = round_marks(truth_there)
            both = {k: m for k, m in round_marks(truth).items() if k in wanted}
            for (name, _), seen in zip(
                both.items(),
                head.transfer_points([m.xy for m in both.values()], portrait),
                strict=True,
            ):
                off = seen.xy - wanted[name].xy
                before.append(np.hypot(*off) * truth_there["mm_per_px"])
                after.append(np.hypot(*(off + shift(seen.xy[None])[0])) * truth_there["mm_per_px"])
    assert len(before) > 10
    assert np.median(after) < 0.8 * np.median(before)


def test_pictures_that_share_no_skin_say_nothing_of_each_other(views, monkeypatch):
    (pixels, face, _, head), (other, _, _, portrait), _ = views
    grid = build_grid(other, portrait)
    monkeypatch.setattr(registration, "LEAST_FACING", 1.1)
    shift = register(pixels, head, grid)
    np.testing.assert_array_equal(shift(face.mesh[:5, :2]), 0)
    assert (shift.deviation(face.mesh[:5, :2]) > 2).all()
