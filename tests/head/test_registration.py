"""What photo and portrait both show brings a mark nearer to its place; light and smile are read."""

from dataclasses import replace

import numpy as np
import pytest
from marked import round_marks, truth_of

from realism.faces.skin import skin_mask
from realism.head.fit import fit_head, fit_person, steady_mesh
from realism.head.registration import build_grid, register
from realism.marks.restore.relight import estimate_light, estimate_relighting
from realism.marks.restore.wrinkle import measure_wrinkle, relight


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
            for (name, _), sight in zip(
                both.items(),
                head.transfer_points([m.xy for m in both.values()], portrait),
                strict=True,
            ):
                off = sight.xy - wanted[name].xy
                before.append(np.hypot(*off) * truth_there["mm_per_px"])
                after.append(np.hypot(*(off + shift(sight.xy[None])[0])) * truth_there["mm_per_px"])
    assert len(before) > 10
    assert np.median(after) < 0.8 * np.median(before)


def test_the_side_that_the_light_comes_from_is_read_off_the_skin(views):
    pixels, face, _, _ = views[0]
    head = fit_head(face.mesh, pixels.shape[:2])
    wanted = np.array([0.8, -0.3, -0.5])  # from the image's right, above, the front
    lit = np.zeros(pixels.shape[:2], np.float32)
    at = np.round(head.pixels).astype(int)
    front = np.argsort(-head.vertices[:, 2])  # what is nearer is painted last
    lit[at[front, 1], at[front, 0]] = head.normals[front] @ wanted - 2
    found = estimate_light(lit, skin_mask(pixels, face), head)
    assert found @ wanted > 0.95 * np.linalg.norm(found) * np.linalg.norm(wanted)


def test_a_fold_keeps_its_depth_on_its_own_face_and_loses_it_where_the_skin_is_stretched(views):
    pixels, face, _, _ = views[0]
    head = fit_head(face.mesh, pixels.shape[:2])
    corner, wing = face.mesh[61, :2].astype(float), face.mesh[129, :2].astype(float)
    line = np.linspace(wing, corner, 20) - [6, 0]
    light = np.array([1.0, 0.0, 0.0])
    assert estimate_relighting(line, (head, head), (light, light)) == pytest.approx((1, 1))
    bared = [replace(head, expression=e) for e in np.eye(len(head.expression))[::4]]
    left = [estimate_relighting(line, (photo, head), (light, light))[0] for photo in bared]
    assert min(left) < 0.9 and max(left) == 1


def test_light_from_the_other_side_turns_a_folds_sides_round():
    across = np.arange(-40, 41)
    light = np.tile(np.sin(across / 3) * np.exp(-((across / 5) ** 2)) * 0.1, (60, 1))
    line = np.stack([np.full(60, 40.0), np.arange(60.0)], 1)
    light, skin = np.repeat(light[..., None], 3, 2), np.ones(light.shape)
    fold = measure_wrinkle(light.astype(np.float32), skin, line, 12)
    turned = relight(fold, 1.0, -1.0)
    assert np.allclose(turned.profile, fold.profile[:, ::-1], atol=0.01)
    assert np.allclose(relight(fold, 0.5, 1.0).profile, fold.profile / 2)


def test_what_is_no_skin_beside_a_fold_is_left_in_the_photo():
    light, skin = np.zeros((60, 80, 3), np.float32), np.ones((60, 80))
    light[:, 39:42] = -0.4
    line = np.stack([np.full(60, 40.0), np.arange(60.0)], 1)
    alone = measure_wrinkle(light, skin, line, 12)
    light[:, 46:], skin[:, 46:] = -3, 0  # lashes
    beside = measure_wrinkle(light, skin, line, 12)
    assert np.abs(beside.profile - alone.profile).max() < 0.05
    assert alone.profile[30, 12] == pytest.approx(-0.4, abs=0.03)


def test_light_that_leaves_a_fold_keeps_its_colour():
    light = np.zeros((60, 80, 3), np.float32)
    light[:, 39:42] = [-0.3, -0.5, -0.6]
    line = np.stack([np.full(60, 40.0), np.arange(60.0)], 1)
    red, green, blue = measure_wrinkle(light, np.ones((60, 80)), line, 12).tint
    assert red / green == pytest.approx(0.6, abs=0.02) and blue / green == pytest.approx(
        1.2, abs=0.02
    )
