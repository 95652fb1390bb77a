"""The picture of a whole run: few pictures, large, and the marks from near."""

import numpy as np

from realism.draw.overview import GAP, MARGIN, WIDTH, Tile, View, overview

GREY, RED, BLUE = (
    np.full((64, 64, 3), c, np.uint8) for c in ((128,) * 3, (200, 0, 0), (0, 0, 200))
)


def share(sheet: np.ndarray, colour: np.ndarray) -> float:
    """How much of the sheet has the colour of a picture."""
    return float((np.abs(sheet.astype(int) - colour[0, 0]).max(2) < 8).mean())


def test_the_photo_is_largest_and_four_portraits_stand_beside_it():
    sheet = overview("Mei", "", Tile(RED), [Tile(BLUE)] * 9, None, "")
    assert sheet.shape[1] == WIDTH and sheet.shape[0] < WIDTH
    photo, portraits = share(sheet, RED), share(sheet, BLUE)
    assert portraits < photo < 1.5 * portraits
    ends = np.flatnonzero((np.abs(sheet.astype(int) - BLUE[0, 0]).max(2) < 8).any(0))
    assert WIDTH - MARGIN - 8 <= ends[-1] < WIDTH - MARGIN  # to the margin, not past it
    fewer = overview("Mei", "", Tile(RED), [Tile(BLUE)], None, "")
    assert share(fewer, BLUE) * 3.5 < portraits and share(fewer, RED) == photo


def test_each_column_shows_the_same_place_from_near():
    spotted = GREY.copy()
    spotted[8:24, 40:56] = RED[0, 0]
    views = [View(picture, np.array([48.0, 16.0]), 16, "") for picture in (spotted, GREY, GREY)]
    sheet = overview("Mei", "", Tile(GREY), [], ("Marks", views), "")
    side = (WIDTH - 2 * MARGIN - 2 * GAP) // 3
    zoom = sheet[-84 - side // 2, MARGIN : MARGIN + side]
    assert (zoom == RED[0, 0]).all()
    assert (sheet[-84 - side // 2, MARGIN + side + GAP + 4] == 128).all()


def test_a_place_at_the_edge_is_shown_from_inside_the_picture():
    views = [View(RED, np.array([63.0, -3.0]), 16, "")] * 3
    sheet = overview("Mei", "", Tile(GREY), [], ("Marks", views), "a line " * 60)
    side = (WIDTH - 2 * MARGIN - 2 * GAP) // 3
    assert (sheet[-84 - side, MARGIN] == RED[0, 0]).all()
