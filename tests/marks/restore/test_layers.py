"""What a portrait shows of a mark already is read as it is, on light skin and on dark."""

from dataclasses import replace

import numpy as np
import pytest
from marked import MELANIN, painted

from realism.images import to_srgb
from realism.marks.mark import RoundMark
from realism.marks.photo import PhotoAnalysis
from realism.marks.restore.blend import Sliders, blend
from realism.marks.restore.layers import build_round_layer
from realism.marks.restore.placement import Placement
from realism.marks.restore.prepare import LayeredPortrait

DENSITY = 0.6 * MELANIN
RADIUS = 3.0  # px


@pytest.fixture(scope="module")
def face(ravi, engine):
    return engine.find(ravi[0].pixels)[0]


def skin_of_light(light: float, shape: tuple[int, int]) -> np.ndarray:
    """Even skin, (H, W, 3) uint8, of so much linear light."""
    return np.rint(to_srgb(np.full((*shape, 3), light))).astype(np.uint8)


def cheek(face) -> np.ndarray:
    """Where the mark is, (2,) px."""
    return np.round(face.mesh[[50, 205], :2].mean(0))


def mole(face) -> RoundMark:
    return RoundMark("mole", cheek(face), RADIUS)


def analysis(pixels, face) -> PhotoAnalysis:
    """A picture that is skin all over."""
    return PhotoAnalysis(pixels, face, np.ones(pixels.shape[:2], np.float32))


def spot_of(face) -> Placement:
    """The mole at the same pixel of a portrait."""
    line, seen = np.zeros((0, 2), np.float32), np.zeros(0, bool)
    matrix = np.eye(2, dtype=np.float32)
    return Placement(mole(face), "photo", cheek(face), matrix, line, seen, 1.0, 1.0, True)


@pytest.mark.parametrize("light", [0.2, 0.04, 0.02])
def test_of_a_mark_half_shown_half_is_read_on_light_skin_and_on_dark(ravi, face, light):
    bare = skin_of_light(light, ravi[0].pixels.shape[:2])
    none, half, full = (
        analysis(painted(bare, tuple(cheek(face)), RADIUS, share * DENSITY), face)
        for share in (0.0, 0.5, 1.0)
    )
    photos = {"photo": (full, [mole(face)])}
    whole, rest = (
        build_round_layer(0, spot_of(face), photos, portrait).log_ratio for portrait in (none, half)
    )
    assert 1 - rest.sum() / whole.sum() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("light", [0.2, 0.02])
def test_on_skin_as_light_as_the_photos_a_mark_takes_the_same_light_matched_or_not(
    ravi, face, light
):
    shape = ravi[0].pixels.shape[:2]
    bare = skin_of_light(light, shape)
    photo = painted(bare, tuple(cheek(face)), RADIUS, DENSITY)
    photos = {"photo": (analysis(photo, face), [mole(face)])}
    layer = build_round_layer(0, spot_of(face), photos, analysis(bare, face))
    laid = LayeredPortrait(bare, (spot_of(face),), (layer,))
    matched, taken = (blend(laid, Sliders(brightness_match=share)) for share in (1.0, 0.0))
    assert not np.array_equal(matched, bare)
    assert np.array_equal(matched, taken)


@pytest.mark.parametrize("millimetres", [1.5, 2.5, 4.0])
def test_a_mark_that_the_portrait_shows_whole_is_not_laid_again_however_large(
    ravi, face, millimetres
):
    shape = ravi[0].pixels.shape[:2]
    bare = skin_of_light(0.2, shape)
    radius = millimetres / analysis(bare, face).mm_per_px
    marked = analysis(painted(bare, tuple(cheek(face)), radius, DENSITY), face)
    placement = replace(spot_of(face), mark=RoundMark("mole", cheek(face), radius))
    photos = {"photo": (marked, [placement.mark])}
    whole, rest = (
        build_round_layer(0, placement, photos, portrait).log_ratio
        for portrait in (analysis(bare, face), marked)
    )
    assert abs(rest.sum() / whole.sum()) < 0.05
