"""One picture of a whole run: the photos, the ranked portraits, the marks before and after.

Drawn with Pillow and its built-in font, so that it looks the same on every machine.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from realism.draw.palette import BAD, GOOD, INK, PAPER, QUIET

WIDTH = 1920  # px; a full-screen picture on a stage
MARGIN = 40


@dataclass(frozen=True, eq=False)
class Tile:
    """A picture with a line under it.

    Attributes
    ----------
    pixels : ndarray, (H, W, 3) uint8 sRGB
    label : str
        A few words.
    good : bool or None
        Frame in green or red; None for no frame.
    """

    pixels: np.ndarray
    label: str = ""
    good: bool | None = None


@dataclass(frozen=True, eq=False)
class BeforeAfter:
    """A portrait before and after, with the place to look at.

    Attributes
    ----------
    before, after : ndarray, (H, W, 3) uint8 sRGB
        Equal shapes.
    centre : ndarray, (2,) px
        What to zoom in on.
    side : float, px
        Of the square of the portrait that the zoom shows.
    label : str
        A few words.
    """

    before: np.ndarray
    after: np.ndarray
    centre: np.ndarray
    side: float
    label: str


def overview(
    title: str, subtitle: str, sections: list[tuple[str, list[Tile], int]], pairs: list[BeforeAfter]
) -> np.ndarray:
    """Compose the sheet.

    Parameters
    ----------
    title, subtitle : str
    sections : list of (str, list of Tile, int)
        Heading, tiles, and tiles a row, from top to bottom.
    pairs : list of BeforeAfter
        Drawn last, two a row, each with both zooms.

    Returns
    -------
    ndarray, (H, 1920, 3) uint8 sRGB
    """
    blocks = [_header(title, subtitle)]
    for heading, tiles, columns in sections:
        if tiles:
            blocks += [_heading(heading), _grid(tiles, columns)]
    if pairs:
        blocks += [_heading("Marks of the skin: before, after, and a closer look"), _pairs(pairs)]
    blocks.append(Image.new("RGB", (WIDTH, MARGIN), PAPER))
    sheet = Image.new("RGB", (WIDTH, sum(block.height for block in blocks)), PAPER)
    top = 0
    for block in blocks:
        sheet.paste(block, (0, top))
        top += block.height
    return np.asarray(sheet)


def _header(title: str, subtitle: str) -> Image.Image:
    block = Image.new("RGB", (WIDTH, 150), PAPER)
    draw = ImageDraw.Draw(block)
    draw.text((MARGIN, 36), title, INK, ImageFont.load_default(46))
    draw.text((MARGIN, 100), subtitle, QUIET, ImageFont.load_default(22))
    return block


def _heading(text: str) -> Image.Image:
    block = Image.new("RGB", (WIDTH, 64), PAPER)
    ImageDraw.Draw(block).text((MARGIN, 20), text, INK, ImageFont.load_default(28))
    return block


def _grid(tiles: list[Tile], columns: int) -> Image.Image:
    gap, line = 12, 30
    side = (WIDTH - 2 * MARGIN - (columns - 1) * gap) // columns
    rows = -(-len(tiles) // columns)
    block = Image.new("RGB", (WIDTH, rows * (side + line + gap)), PAPER)
    draw = ImageDraw.Draw(block)
    font = ImageFont.load_default(17 if side > 120 else 15)
    for number, tile in enumerate(tiles):
        x = MARGIN + number % columns * (side + gap)
        y = number // columns * (side + line + gap)
        block.paste(_square(tile.pixels, side), (x, y))
        if tile.good is not None:
            colour = GOOD if tile.good else BAD
            draw.rectangle((x, y, x + side - 1, y + side - 1), outline=colour, width=4)
        draw.text((x, y + side + 5), _shortened(tile.label, font, side), QUIET, font)
    return block


def _pairs(pairs: list[BeforeAfter]) -> Image.Image:
    columns, gap, line = 2, 36, 34
    width = (WIDTH - 2 * MARGIN - (columns - 1) * gap) // columns
    side = (width - 3 * 8) // 4
    rows = -(-len(pairs) // columns)
    block = Image.new("RGB", (WIDTH, rows * (side + line + gap // 2)), PAPER)
    draw = ImageDraw.Draw(block)
    font = ImageFont.load_default(18)
    for number, pair in enumerate(pairs):
        x = MARGIN + number % columns * (width + gap)
        y = number // columns * (side + line + gap // 2)
        zooms = [_zoom(pixels, pair.centre, pair.side) for pixels in (pair.before, pair.after)]
        for place, pixels in enumerate([pair.before, pair.after, *zooms]):
            block.paste(_square(pixels, side), (x + place * (side + 8), y))
        draw.text((x, y + side + 6), _shortened(pair.label, font, width), QUIET, font)
    return block


def _zoom(pixels: np.ndarray, centre: np.ndarray, side: float) -> np.ndarray:
    """The square of `side` px around `centre`, moved inside the picture."""
    height, width = pixels.shape[:2]
    side = int(min(side, height, width))
    x = int(np.clip(centre[0] - side / 2, 0, width - side))
    y = int(np.clip(centre[1] - side / 2, 0, height - side))
    return pixels[y : y + side, x : x + side]


def _square(pixels: np.ndarray, side: int) -> Image.Image:
    """The picture's middle square at `side` px."""
    height, width = pixels.shape[:2]
    short = min(height, width)
    x, y = (width - short) // 2, (height - short) // 2
    square = Image.fromarray(pixels[y : y + short, x : x + short])
    return square.resize((side, side), Image.Resampling.LANCZOS)


def _shortened(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """As much of the text as `width` px hold."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text.rstrip() + "..."
