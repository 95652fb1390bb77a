"""What the finder learns from: marks painted on faces, and faces kept for measuring."""

import json
import zlib

import numpy as np
import pytest

from realism.config import ASSETS
from realism.marks.mark import RoundMark
from training.finder.crops import HELD_OUT, crop_photo, is_judged
from training.finder.paint import paint
from training.finder.pigments import Patch, paint_pimple
from training.finder.samples import TRAINING, PreparedFaces, load_faces

RADIUS = 6.0


@pytest.fixture(scope="module")
def crop():
    """One of mei's photos as a photo-like face is prepared."""
    return crop_photo(ASSETS / "people" / "mei" / "mei-01.jpg")


def test_a_sixth_of_the_photos_is_kept_for_measuring_and_none_of_those_chooses_weights():
    names = [f"p{number:04d}.jpg" for number in range(809)]
    judged = [name for name in names if is_judged(name)]
    assert 0.14 < len(judged) / len(names) < 0.19
    assert not any(zlib.crc32(name.encode()) % HELD_OUT == 0 for name in judged)


def test_what_is_kept_for_measuring_is_not_read_with_the_others(tmp_path, crop):
    for folder in ("faces", "held-out", "judged"):
        (tmp_path / folder).mkdir()
        np.savez(tmp_path / folder / f"{folder}.npz", **crop, folder=np.array(folder))
    (tmp_path / "courses.json").write_text("[]")
    for held_out in (False, True):
        (photo,) = load_faces(tmp_path, held_out).photos
        assert str(photo["folder"]) == ("held-out" if held_out else "faces")


def test_what_a_photo_has_of_its_own_counts_neither_way_and_is_not_painted_over(crop):
    own = [m for m in json.loads(str(crop["natural"])) if m["kind"] != "wrinkle"]
    assert len(own) >= 5  # mei has marks, and the finder sees them
    sample = paint(np.random.default_rng(2), PreparedFaces([], [], [[]], [crop]), TRAINING, None)
    ignored = np.array([m.xy for m in sample.ignored if isinstance(m, RoundMark)])
    assert len(ignored) >= len(own)
    for mark in (m for m in sample.marks if isinstance(m, RoundMark)):
        assert np.linalg.norm(ignored - mark.xy, axis=1).min() > mark.radius


def test_pimples_redden_the_skin_and_some_have_a_pale_middle():
    middles, rims = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        patch = Patch.around(rng, (101, 101), np.float32([50, 50]), RADIUS, 0.0)
        dip, kind = paint_pimple(patch, TRAINING)
        away = np.hypot(patch.x, patch.y)
        rim = dip[(away > 0.6 * RADIUS) & (away < 0.9 * RADIUS)].mean(0)
        assert kind == "acne" and rim[1] > rim[0]
        middles.append(dip[away < 1.5].mean())
        rims.append(rim.mean())
    assert 0.1 < np.mean(np.array(middles) < 0) < 0.6
    assert np.mean(np.array(rims) > 0) > 0.9
