"""Light is read off a picture's skin, and what a fold loses where its skin is stretched."""

from dataclasses import replace

import numpy as np
import pytest

from realism.faces.skin import skin_mask
from realism.head.fit import fit_head
from realism.marks.restore.relight import estimate_light, estimate_relighting


@pytest.fixture(scope="module")
def frontal(mei, engine):
    """A photo from the front: pixels and face."""
    return mei[0].pixels, engine.find(mei[0].pixels)[0]


def test_the_side_that_the_light_comes_from_is_read_off_the_skin(frontal):
    pixels, face = frontal
    head = fit_head(face.mesh, pixels.shape[:2])
    wanted = np.array([0.8, -0.3, -0.5])  # from the image's right, above, the front
    lit = np.zeros(pixels.shape[:2], np.float32)
    at = np.round(head.pixels).astype(int)
    front = np.argsort(-head.vertices[:, 2])  # what is nearer is painted last
    lit[at[front, 1], at[front, 0]] = head.normals[front] @ wanted - 2
    found = estimate_light(lit, skin_mask(pixels, face), head)
    assert found @ wanted > 0.95 * np.linalg.norm(found) * np.linalg.norm(wanted)


def test_a_fold_keeps_its_depth_on_its_own_face_and_loses_it_where_the_skin_is_stretched(frontal):
    pixels, face = frontal
    head = fit_head(face.mesh, pixels.shape[:2])
    corner, wing = face.mesh[61, :2].astype(float), face.mesh[129, :2].astype(float)
    line = np.linspace(wing, corner, 20) - [6, 0]
    light = np.array([1.0, 0.0, 0.0])
    assert estimate_relighting(line, (head, head), (light, light)) == pytest.approx((1, 1))
    bared = [replace(head, expression=e) for e in np.eye(len(head.expression))[::4]]
    left = [estimate_relighting(line, (photo, head), (light, light))[0] for photo in bared]
    assert min(left) < 0.9 and max(left) == 1
