"""Marks come back into a portrait: as dark, as large, once, and nothing else changes."""

import time

import cv2
import numpy as np
import pytest
from marked import MELANIN, painted

from realism.errors import InputError
from realism.faces.skin import skin_mask
from realism.images import from_scene_light, to_scene_light
from realism.marks.mark import Mark, RoundMark, Wrinkle
from realism.marks.photo import MarkedPhoto
from realism.marks.restore.blend import Sliders, blend
from realism.marks.restore.prepare import prepare_restore

DENSITY = 1.3 * MELANIN
NO_BLUR = Sliders(denoise=0.0)


@pytest.fixture(scope="module")
def bare(ravi, engine):
    """Two views of ravi to paint on: pixels, face and skin of a photo and of a portrait."""
    result = []
    for photo in (ravi[0], ravi[7]):  # turned by -4 and 11 degrees
        face = engine.find(photo.pixels)[0]
        result.append((photo.pixels, face, skin_mask(photo.pixels, face)))
    return result


def place_on(face) -> np.ndarray:
    """Two places where ravi's skin is bare, on cheek and chin side, (2, 2) px."""
    return np.stack([face.mesh[[50, 205], :2].mean(0), face.mesh[[280, 425], :2].mean(0)])


@pytest.fixture(scope="module")
def source(bare):
    """The photo with two moles painted on it."""
    pixels, face, skin = bare[0]
    marks = [RoundMark("mole", xy.astype(np.float32), 3.0) for xy in place_on(face)]
    for mark in marks:
        pixels = painted(pixels, tuple(mark.xy), mark.radius, DENSITY)
    return MarkedPhoto("photo.jpg", pixels, face, skin, marks)


@pytest.fixture(scope="module", params=["ratio", "paste"])
def prepared(request, bare, source):
    pixels, face, skin = bare[1]
    return prepare_restore(pixels, face, skin, [source], method=request.param)


def darkness(after, before, xy, radius=1.5):
    """Mean log of light lost within `radius` px of a place, (3,)."""
    ys, xs = np.mgrid[: before.shape[0], : before.shape[1]]
    near = np.hypot(xs - xy[0], ys - xy[1]) <= radius
    return np.log(
        (to_scene_light(before)[near] + 1e-3) / (to_scene_light(after)[near] + 1e-3)
    ).mean(0)


def test_a_restored_mole_is_as_dark_and_of_the_colour_it_was_in_the_photo(bare, source):
    pixels, face, skin = bare[1]
    ready = prepare_restore(pixels, face, skin, [source])
    after = blend(ready, NO_BLUR)
    for spot in ready.placements:
        assert spot.visible
        assert darkness(after, pixels, spot.to) == pytest.approx(DENSITY, rel=0.3)


def test_a_mole_of_dim_light_is_brown_and_not_grey_on_skin_that_is_nearly_white(bare, source):
    pixels, face, skin = bare[1]
    lit = np.rint(from_scene_light(2.5 * to_scene_light(pixels))).astype(np.uint8)
    ready = prepare_restore(lit, face, skin, [source])
    after = blend(ready, NO_BLUR)
    for spot in ready.placements:
        wanted = painted(lit, tuple(spot.to), 3.0, DENSITY)
        y, x = np.rint(spot.to[::-1]).astype(int)
        assert after[y, x].astype(int) == pytest.approx(wanted[y, x].astype(int), abs=30)


def test_it_is_put_where_the_skin_of_that_place_is(bare, source):
    pixels, face, skin = bare[1]
    for spot, xy in zip(
        prepare_restore(pixels, face, skin, [source]).placements, place_on(face), strict=True
    ):
        assert np.hypot(*(spot.to - xy)) < 4


def test_strength_zero_gives_the_portrait_back_bit_for_bit(bare, prepared):
    assert np.array_equal(blend(prepared, Sliders(overall=0.0)), bare[1][0])
    assert np.array_equal(blend(prepared, Sliders(mole=0.0)), bare[1][0])
    assert np.array_equal(blend(prepared, off=frozenset(range(9))), bare[1][0])
    assert not np.array_equal(blend(prepared), bare[1][0])


@pytest.mark.parametrize("sliders", [Sliders(), Sliders(1.5, denoise=1.0, edge_softness=1.0)])
def test_outside_the_marks_patches_no_pixel_changes(bare, prepared, sliders):
    changed = (blend(prepared, sliders) != bare[1][0]).any(2)
    near = np.zeros_like(changed)
    for spot in prepared.placements:
        cv2_circle(near, spot.to, 12)
    assert changed.any()
    assert not (changed & ~near).any()


def cv2_circle(mask, xy, radius):
    ys, xs = np.mgrid[: mask.shape[0], : mask.shape[1]]
    mask |= np.hypot(xs - xy[0], ys - xy[1]) <= radius


def test_a_mark_that_the_portrait_shows_already_is_not_doubled(bare, source):
    pixels, face, skin = bare[1]
    spot = prepare_restore(pixels, face, skin, [source]).placements[0]
    # Drawn by the generator, 1.5 px off the place that we would choose.
    xy = spot.to + np.float32([1.2, -0.9])
    shown = painted(pixels, tuple(xy), 3.0 * np.sqrt(abs(np.linalg.det(spot.matrix))), DENSITY)
    after = blend(prepare_restore(shown, face, skin, [source]), NO_BLUR)
    assert darkness(after, pixels, xy).mean() < 1.3 * darkness(shown, pixels, xy).mean()


def test_a_mark_that_the_portrait_shows_faintly_is_strengthened_to_the_photo(bare, source):
    pixels, face, skin = bare[1]
    spot = prepare_restore(pixels, face, skin, [source]).placements[0]
    radius = 3.0 * np.sqrt(abs(np.linalg.det(spot.matrix)))
    shown = painted(pixels, tuple(spot.to), radius, 0.4 * DENSITY)
    after = blend(prepare_restore(shown, face, skin, [source]), NO_BLUR)
    assert darkness(after, pixels, spot.to).mean() == pytest.approx(DENSITY.mean(), rel=0.35)


def test_half_strength_is_half_the_density_and_the_kinds_have_their_own(bare, source):
    pixels, face, skin = bare[1]
    ready = prepare_restore(pixels, face, skin, [source])
    whole = darkness(blend(ready, NO_BLUR), pixels, ready.placements[0].to).mean()
    half = blend(ready, Sliders(overall=0.5, denoise=0.0))
    assert darkness(half, pixels, ready.placements[0].to).mean() == pytest.approx(
        whole / 2, rel=0.1
    )
    assert np.array_equal(
        blend(ready, Sliders(acne=0.0, spot=0.0, denoise=0.0)), blend(ready, NO_BLUR)
    )


def test_a_mark_twice_as_near_the_camera_is_restored_at_the_portraits_size(bare, source):
    pixels, face, skin = bare[1]
    large = MarkedPhoto(
        "large.jpg",
        cv2.resize(source.pixels, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC),
        _doubled(source.face),
        cv2.resize(source.skin, None, fx=2, fy=2),
        [RoundMark(m.kind, (m.xy + 0.5) * 2 - 0.5, m.radius * 2) for m in source.marks],
    )
    small = blend(prepare_restore(pixels, face, skin, [source]), NO_BLUR).astype(int) - pixels
    again = blend(prepare_restore(pixels, face, skin, [large]), NO_BLUR).astype(int) - pixels
    assert again.sum() == pytest.approx(small.sum(), rel=0.25)


def _doubled(face):
    from dataclasses import replace

    half = np.float32([0.5, 0.5, 0])
    return replace(
        face, box=face.box * 2, landmarks=(face.landmarks + 0.5) * 2 - 0.5,
        mesh=(face.mesh + half) * 2 - half,
    )  # fmt: skip


def test_a_wrinkle_darkens_along_its_line_in_the_portrait(mei, engine):
    views = []
    for photo in (mei[0], mei[8]):  # turned by 0 and -5 degrees
        face = engine.find(photo.pixels)[0]
        views.append((photo.pixels, face, skin_mask(photo.pixels, face)))
    pixels, face, skin = views[0]
    left, right = face.mesh[[67, 297], :2] * 0.6 + face.mesh[[66, 296], :2] * 0.4
    line = np.stack([left + t * (right - left) for t in np.linspace(0, 1, 60)]).astype(np.float32)
    folded = pixels
    for point in line:
        folded = painted(folded, tuple(point), 0.8, np.full(3, 0.15, np.float32))
    source = MarkedPhoto("p", folded, face, skin, [Wrinkle(line[30], 1.0, 1.0, line)])
    painted_dark = np.median([darkness(folded, pixels, xy, 1.0).mean() for xy in line])
    portrait = views[1][0]
    # The original's patch brings the photo's own shading along, which may be lighter.
    for method, least in (("ratio", 0.5), ("paste", 0.3)):
        ready = prepare_restore(*views[1], [source], method)
        after = blend(ready, NO_BLUR)
        course = ready.placements[0].polyline[ready.placements[0].polyline_visible]
        dark = [darkness(after, portrait, xy, 1.0).mean() for xy in course]
        assert least * painted_dark < np.median(dark) < 1.5 * painted_dark, method


def test_a_fold_found_twice_side_by_side_is_no_deeper_than_once(bare, engine):
    pixels, face, skin = bare[1]
    left, right = face.mesh[[67, 297], :2] * 0.6 + face.mesh[[66, 296], :2] * 0.4
    line = np.linspace(left, right, 60).astype(np.float32)
    folded = pixels
    for point in line:
        folded = painted(folded, tuple(point), 0.8, np.full(3, 0.15, np.float32))
    once = Wrinkle(line[30], 1.0, 1.0, line)
    twice = Wrinkle(line[30] + [0, 1], 1.0, 1.0, line + np.float32([0, 1]))

    def depth(marks: list[Mark], off: frozenset[int] = frozenset()) -> float:
        ready = prepare_restore(pixels, face, skin, [MarkedPhoto("p", folded, face, skin, marks)])
        after = blend(ready, NO_BLUR, off)
        return float(np.median([darkness(after, pixels, xy, 1.0).mean() for xy in line[15:45]]))

    assert depth([once, twice]) == pytest.approx(depth([once]), rel=0.25)
    # One that is switched off takes nothing from the other.
    assert depth([once, twice], frozenset({1})) == depth([once])


def test_a_slider_moves_in_well_under_a_second_with_thirty_marks(bare, source):
    pixels, face, skin = bare[1]
    marks = [
        RoundMark("mole", m.xy + np.float32([i, -i]), m.radius)
        for m in source.marks
        for i in range(15)
    ]
    many = MarkedPhoto("many.jpg", source.pixels, source.face, source.skin, marks)
    ready = prepare_restore(pixels, face, skin, [many])
    start = time.perf_counter()
    blend(ready)
    # 150 ms at 1024 px is the aim (benchmarks.restore time); a busy machine may take longer.
    assert time.perf_counter() - start < 0.6


def test_an_unknown_method_is_refused_in_words(bare, source):
    with pytest.raises(InputError, match="ratio"):
        prepare_restore(*bare[1], [source], method="glue")
