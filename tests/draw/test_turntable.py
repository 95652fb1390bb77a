"""The turning head: marks lie where they are on the head, and turn with it."""

import numpy as np
import pytest

from realism.draw.palette import KIND_COLOURS
from realism.draw.turntable import ASPECT, draw_turning_head
from realism.head.geometry import SurfacePoint
from realism.head.model import load_model, mesh_points_on_head
from realism.marks.atlas import Atlas, AtlasMark
from realism.marks.mark import RoundMark

HEIGHT = 200
NOSE_TIP, LEFT_CHEEK, RIGHT_CHEEK = 4, 425, 205  # MediaPipe's points


def atlas_with(*marks: AtlasMark) -> Atlas:
    return Atlas(np.zeros(load_model().people), marks, ("a.jpg",), (), {})


def mark_at(mesh_point: int, kind: str, on: bool = True, course: tuple[int, ...] = ()) -> AtlasMark:
    """A large mark where a point of the face's mesh lies on the head."""
    places = tuple(map(surface_point, course))
    mark = RoundMark(kind, np.zeros(2, np.float32), 5)
    place = surface_point(mesh_point)
    return AtlasMark(mark, "a.jpg", place, places, 5.0, ("a.jpg",), 1, on)


def surface_point(mesh_point: int) -> SurfacePoint:
    corners, weights = mesh_points_on_head()
    (triangle,) = np.flatnonzero((load_model().triangles == corners[mesh_point]).all(1))
    return SurfacePoint(int(triangle), weights[mesh_point])


def pixels_of(picture: np.ndarray, kind: str) -> np.ndarray:
    """(n, 2) rows and columns whose hue is that of a kind of mark."""
    colour = np.array(KIND_COLOURS[kind], float)
    seen = picture[..., :3].astype(float)
    alike = (seen @ colour) / np.maximum(np.linalg.norm(seen, axis=2) * np.linalg.norm(colour), 1)
    return np.argwhere((alike > 0.985) & (picture[..., 3] > 200))


def test_a_mark_turns_with_the_skin_and_is_hidden_behind_the_head():
    atlas = atlas_with(mark_at(LEFT_CHEEK, "mole"))
    right, front, left = draw_turning_head(atlas, (-60, 0, 60), HEIGHT)
    assert front.shape == (HEIGHT, round(HEIGHT * ASPECT), 4) and front.dtype == np.uint8
    assert len(pixels_of(left, "mole")) > 10 and len(pixels_of(front, "mole")) > 10
    assert len(pixels_of(right, "mole")) == 0
    # The person's left is at the right of the picture.
    assert pixels_of(front, "mole")[:, 1].mean() > front.shape[1] * 0.55


def test_the_mean_head_is_its_own_mirror_image_but_for_the_light():
    one, other = draw_turning_head(atlas_with(), (-30, 30), HEIGHT)
    assert np.abs(one[:, ::-1, 3].astype(int) - other[..., 3]).mean() < 3
    assert (one[..., 3] > 200).mean() > 0.3
    assert one[0, 0, 3] == one[-1, 0, 3] == 0


def test_a_mark_that_is_off_is_not_drawn_and_two_kinds_are_told_apart():
    marks = (mark_at(LEFT_CHEEK, "mole", on=False), mark_at(RIGHT_CHEEK, "wrinkle"))
    (front,) = draw_turning_head(atlas_with(*marks), (0,), HEIGHT)
    assert len(pixels_of(front, "mole")) == 0
    assert pixels_of(front, "wrinkle")[:, 1].mean() < front.shape[1] * 0.45


@pytest.mark.parametrize("yaw", [-40, 40])
def test_a_course_is_drawn_from_end_to_end(yaw):
    course = (RIGHT_CHEEK, NOSE_TIP, LEFT_CHEEK)
    (side,) = draw_turning_head(
        atlas_with(mark_at(NOSE_TIP, "mole", course=course)), (yaw,), HEIGHT
    )
    (front,) = draw_turning_head(atlas_with(mark_at(NOSE_TIP, "mole")), (yaw,), HEIGHT)
    assert np.ptp(pixels_of(side, "mole")[:, 1]) > 1.5 * np.ptp(pixels_of(front, "mole")[:, 1])
