"""The poster: A3, with as much as there is, nothing cut off."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from realism.draw.palette import INK, PAPER
from realism.images import read_info
from realism.show import poster
from realism.show.poster import HEIGHT, NIGHT, WIDTH, draw_poster, write_poster
from realism.show.story import Story, read_story
from realism.workflow.example import open_example


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Story:
    """Of the finished example."""
    return read_story(open_example("mei", tmp_path_factory.mktemp("people")))


def rows_of(sheet: np.ndarray, colour) -> np.ndarray:
    """Rows at whose left edge the sheet has a colour."""
    return np.flatnonzero((sheet[:, 5] == colour).all(1))


def test_it_is_a3_in_both_forms_and_says_that_a_machine_drew_it(story, tmp_path, monkeypatch):
    blank = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    monkeypatch.setattr(poster, "draw_poster", lambda *_: blank)
    short = replace(story, passport=None)
    png, pdf = (write_poster(short, tmp_path / f"mei.{kind}", "zh") for kind in ("png", "PDF"))
    with Image.open(png) as picture:
        assert picture.size == (WIDTH, HEIGHT)
        millimetres = np.array(picture.size) / np.array(picture.info["dpi"]) * 25.4
        assert millimetres == pytest.approx((297, 420), abs=0.5)
    assert "AIGC" in read_info(png)
    text = pdf.read_bytes()
    assert text.startswith(b"%PDF") and b"/MediaBox [ 0 0 841.8" in text
    photos = replace(short, portraits=[], restored=[])
    assert "AIGC" not in read_info(write_poster(photos, tmp_path / "photos.png"))


def test_all_of_it_fits_above_the_heads(story):
    sheet = draw_poster(story)
    night = rows_of(sheet, NIGHT)
    assert len(night) == poster.BAND and night[-1] == HEIGHT - 1
    # The row above the heads is empty, the margins are, too.
    assert (sheet[night[0] - 6 : night[0]] == PAPER).all()
    assert (sheet[: night[0], -poster.MARGIN // 2 :] == PAPER).all()


def test_pictures_are_larger_where_there_are_fewer(story):
    few = replace(story, learning=None, portraits=[], passport=None, restored=[])
    sheet, full = draw_poster(few), draw_poster(story)
    refused = (sheet == poster.BAD).all(2).sum(), (full == poster.BAD).all(2).sum()
    assert refused[0] > 1.5 * refused[1] > 0
    assert len(rows_of(sheet, NIGHT)) == 0
    assert (sheet[-poster.MARGIN // 2 :] == PAPER).all()


def test_a_tall_portrait_stands_beside_the_photo_where_no_marks_are_back_yet(story):
    tall = np.full((1216, 832, 3), (10, 20, 250), np.uint8)
    ranked = [replace(row, pixels=tall) for row in story.portraits[:8]]
    sheet = draw_poster(replace(story, portraits=ranked, restored=[]))
    blue = (sheet[:2000] == tall[0, 0]).all(2).any(0)
    assert np.flatnonzero(blue)[-1] == WIDTH - poster.MARGIN - 1
    night = rows_of(sheet, NIGHT)
    assert (sheet[night[0] - 6 : night[0]] == PAPER).all()


def test_a_long_name_stays_on_the_sheet_and_one_that_no_font_writes_is_left_out(story):
    few = replace(story, learning=None, portraits=[], passport=None, restored=[])
    long = draw_poster(replace(few, name="Maximiliana Konstantina von und zu Hohenlohe " * 2))
    assert (long[:, -poster.MARGIN // 2 :] == PAPER).all()
    assert (long[:400] == INK).all(2).sum() > 1000
    assert (draw_poster(replace(few, name="𒀀"))[:400] == INK).all(2).sum() == 0


def test_everything_at_its_most_still_fits(story):
    many = replace(
        story,
        photos=(story.photos * 2)[:24],
        portraits=[replace(row, rank=n + 1) for n, row in enumerate((story.portraits * 2)[:24])],
    )
    sheet = draw_poster(many)
    top = rows_of(sheet, NIGHT)[0]
    assert (sheet[top - 6 : top] == PAPER).all()
