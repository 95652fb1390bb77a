"""One picture of a whole run: the best photo, the best portraits, the marks before and after.

Few pictures and large ones, since it is shown at 830 px beside a text and at 390 px on a phone.
Drawn with Pillow and its built-in font, so that it looks the same on every machine.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from realism.draw.palette import ACCENT, GOOD, INK, PAPER, QUIET

WIDTH = 1280  # px
MARGIN = 40
GAP = 16
MOST_PORTRAITS = 4
LABEL, NOTE = 32, 26  # px of letters; the first is 10 px high on a phone
FRAME = 6


@dataclass(frozen=True, eq=False)
class Tile:
    """A picture with a line under it.

    Attributes
    ----------
    pixels : ndarray, (H, W, 3) uint8 sRGB
    label : str
        A few words.
    """

    pixels: np.ndarray
    label: str = ""


@dataclass(frozen=True, eq=False)
class View:
    """A picture and the square of it to look at closely.

    Attributes
    ----------
    pixels : ndarray, (H, W, 3) uint8 sRGB
    centre : ndarray, (2,) px
        Of the square.
    side : float, px
        Of the square.
    label : str
        A few words above.
    """

    pixels: np.ndarray
    centre: np.ndarray
    side: float
    label: str


def overview(
    title: str,
    subtitle: str,
    photo: Tile,
    portraits: list[Tile],
    marks: tuple[str, list[View]] | None,
    note: str,
) -> np.ndarray:
    """Compose the sheet.

    Parameters
    ----------
    title, subtitle : str
        Above all.
    photo : Tile
        Of the person, shown largest.
    portraits : list of Tile
        The best first; four are shown beside the photo.
    marks : (str, list of View), optional
        Heading, and the same place of the skin on a photo, the portrait and the portrait with its
        marks; each is shown whole and from near.
    note : str
        Below all, small.

    Returns
    -------
    ndarray, (H, 1280, 3) uint8 sRGB
    """
    blocks = [_header(title, subtitle), _gallery(photo, portraits[:MOST_PORTRAITS])]
    if marks is not None:
        blocks += [_heading(marks[0]), _columns(marks[1])]
    blocks.append(_footer(note))
    sheet = Image.new("RGB", (WIDTH, sum(block.height for block in blocks)), PAPER)
    top = 0
    for block in blocks:
        sheet.paste(block, (0, top))
        top += block.height
    return np.asarray(sheet)


def _header(title: str, subtitle: str) -> Image.Image:
    block = Image.new("RGB", (WIDTH, 168), PAPER)
    draw = ImageDraw.Draw(block)
    draw.text((MARGIN, 32), title, INK, ImageFont.load_default(58))
    draw.text((MARGIN, 108), _fitting(subtitle, LABEL), QUIET, ImageFont.load_default(LABEL))
    return block


def _heading(text: str) -> Image.Image:
    block = Image.new("RGB", (WIDTH, 92), PAPER)
    draw = ImageDraw.Draw(block)
    draw.text((MARGIN, 30), _fitting(text, 40), INK, ImageFont.load_default(40))
    return block


def _footer(note: str) -> Image.Image:
    block = Image.new("RGB", (WIDTH, 84), PAPER)
    draw = ImageDraw.Draw(block)
    draw.text((MARGIN, 22), _fitting(note, NOTE), QUIET, ImageFont.load_default(NOTE))
    return block


def _gallery(photo: Tile, portraits: list[Tile]) -> Image.Image:
    """The photo at the left, as large as the two rows of portraits beside it."""
    line = LABEL + 18
    small = (WIDTH - 2 * MARGIN - line - 3 * GAP) // 4
    large = 2 * small + line + GAP
    block = Image.new("RGB", (WIDTH, large + line), PAPER)
    draw, font = ImageDraw.Draw(block), ImageFont.load_default(LABEL)
    block.paste(_square(photo.pixels, large), (MARGIN, 0))
    _frame(draw, (MARGIN, 0), large, GOOD)
    draw.text((MARGIN, large + 6), _fitting(photo.label, LABEL, large), INK, font)
    for number, tile in enumerate(portraits):
        x = MARGIN + large + GAP + number % 2 * (small + GAP)
        y = number // 2 * (small + line + GAP)
        block.paste(_square(tile.pixels, small), (x, y))
        draw.text((x, y + small + 6), _fitting(tile.label, LABEL, small), INK, font)
    return block


def _columns(views: list[View]) -> Image.Image:
    """Each picture whole, and under it the place to look at."""
    line = LABEL + 20
    side = (WIDTH - 2 * MARGIN - 2 * GAP) // 3
    block = Image.new("RGB", (WIDTH, line + 2 * side + GAP), PAPER)
    draw, font = ImageDraw.Draw(block), ImageFont.load_default(LABEL)
    for number, view in enumerate(views):
        x = MARGIN + number * (side + GAP)
        draw.text((x, 0), _fitting(view.label, LABEL, side), INK, font)
        block.paste(_square(view.pixels, side), (x, line))
        corner, near = _inside(view)
        _outline(draw, view, corner, near, (x, line), side)
        zoom = Image.fromarray(view.pixels).crop((*corner, corner[0] + near, corner[1] + near))
        zoom = zoom.resize((side, side), Image.Resampling.LANCZOS)
        block.paste(zoom, (x, line + side + GAP))
    return block


def _inside(view: View) -> tuple[tuple[int, int], int]:
    """Upper left corner and side of the view's square, moved inside the picture."""
    height, width = view.pixels.shape[:2]
    side = int(min(view.side, height, width))
    x = int(np.clip(view.centre[0] - side / 2, 0, width - side))
    y = int(np.clip(view.centre[1] - side / 2, 0, height - side))
    return (x, y), side


def _outline(
    draw: ImageDraw.ImageDraw, view: View, corner: tuple[int, int], near: int,
    at: tuple[int, int], side: int,
) -> None:  # fmt: skip
    """Draw on a whole picture, pasted `at` with that side, where its close-up lies."""
    height, width = view.pixels.shape[:2]
    short = min(height, width)
    scale = side / short
    x = at[0] + (corner[0] - (width - short) // 2) * scale
    y = at[1] + (corner[1] - (height - short) // 2) * scale
    draw.rectangle((x, y, x + near * scale, y + near * scale), outline=ACCENT, width=3)


def _frame(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], side: int, colour: tuple[int, int, int]
) -> None:
    x, y = at
    draw.rectangle((x, y, x + side - 1, y + side - 1), outline=colour, width=FRAME)


def _square(pixels: np.ndarray, side: int) -> Image.Image:
    """The picture's middle square at `side` px."""
    height, width = pixels.shape[:2]
    short = min(height, width)
    x, y = (width - short) // 2, (height - short) // 2
    square = Image.fromarray(pixels[y : y + short, x : x + short])
    return square.resize((side, side), Image.Resampling.LANCZOS)


def _fitting(text: str, size: int, width: int = WIDTH - 2 * MARGIN) -> str:
    """As much of the text as `width` px hold in letters of `size` px."""
    font = ImageFont.load_default(size)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text.rstrip() + "..."
