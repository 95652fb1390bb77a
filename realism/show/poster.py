"""The same story on one sheet of A3: to hang up, or to hold in the hand.

Blocks of the sheet's width stand one above the other; photos and portraits are as large as lets all
of them fit. Ten pixels are a millimetre.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin

from realism.disk import whole_file
from realism.draw.lettering import font_for
from realism.draw.palette import ACCENT, BAD, INK, KIND_COLOURS, PAPER, QUIET, RULE, Colour
from realism.draw.turntable import draw_turning_head
from realism.errors import Message
from realism.portraits.provenance import LABELS, restored_entries
from realism.show.document import KINDS
from realism.show.story import Learning, Story

WIDTH, HEIGHT = 2970, 4200  # px: 297 x 420 mm
DPI = 254.0
MARGIN, GAP = 130, 22
HEADING, LABEL = 84, 46  # px of letters
HEADING_LINE, LABEL_LINE = 130, 66  # px that a line takes
CHART = 370
TALLEST = 1500  # px, of a large picture
ABOVE = 0.3  # of what is cut off a picture's height, this share above: heads are there
HEADS, BAND = 590, 650
NIGHT: Colour = (11, 12, 14)  # behind the heads, as on the stage
YAWS = (-50.0, 0.0, 50.0)  # degrees
LEAST_GAP, MOST_GAP = 52, 150  # px between two blocks
COLUMNS = range(14, 3, -1)


@dataclass(frozen=True)
class _Words:
    """Writes the poster's sentences in one language."""

    language: str

    def __call__(self, code: str) -> str:
        return Message(code).text(self.language)


def write_poster(story: Story, out: Path, language: str = "en") -> Path:
    """Write the poster as .png or .pdf, whole or not at all; returns `out`.

    Parameters
    ----------
    story : Story
    out : Path
        A .pdf file, else a PNG.
    language : {"en", "zh"}
    """
    out = Path(out)
    pixels = draw_poster(story, language)
    sheet = Image.fromarray(pixels)
    with whole_file(out) as temporary:
        if out.suffix.lower() == ".pdf":
            title = f"{story.name} · Realism"
            sheet.save(temporary, "PDF", resolution=DPI, quality=92, title=title)
        else:
            text = PngImagePlugin.PngInfo()
            drawn = story.portraits or story.restored
            for key, value in (restored_entries({}, pixels) if drawn else {}).items():
                text.add_itxt(key, value)
            sheet.save(temporary, "PNG", pnginfo=text, dpi=(DPI, DPI), compress_level=6)
    return out


def draw_poster(story: Story, language: str = "en") -> np.ndarray:
    """The poster, (4200, 2970, 3) uint8 sRGB, of what there is of the story."""
    say = _Words(language)
    header = _header(story, say)
    learning = [_learning(story.learning, say)] if story.learning else []
    band = [_passport(story, say)] if story.marks else []
    foot = HEIGHT - (band[0].height if band else MARGIN)
    room = foot - 5 * LEAST_GAP - sum(block.height for block in [header, *learning])
    least = _photos_height(story, COLUMNS[0]) + _portraits_height(story, COLUMNS[0])
    best = _best(story, room - least, say)
    photos, portraits = _largest_columns(story, room - best.height)
    blocks = [header, best, _photos(story, photos, say), *learning]
    blocks += [_portraits(story, portraits, say)] if story.portraits else []
    sheet = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    free = max(0, foot - sum(block.height for block in blocks))
    gap = min(MOST_GAP, free // len(blocks))
    top = 0
    for block in blocks:
        sheet.paste(block, (0, top))
        top += block.height + gap
    for block in band:
        sheet.paste(block, (0, foot))
    return np.asarray(sheet)


# Blocks -------------------------------------------------------------------------------------------


def _header(story: Story, say: _Words) -> Image.Image:
    block, draw = _block(500)
    size, room = 220, WIDTH - 2 * MARGIN
    font = font_for(story.name, size)
    _write(draw, (MARGIN, 100), "Realism", 56, ACCENT)
    while font is not None and size > 60 and font.getlength(story.name) > room:
        size = int(size * 0.9)
        font = font_for(story.name, size)
    if font is not None:  # else a script that no font here can write
        draw.text((MARGIN - 10, 350), story.name, INK, font, anchor="ls")
    _write(draw, (MARGIN, 402), say("show_end"), 70, QUIET)
    if story.portraits or story.restored:
        label = LABELS[say.language == "zh"]
        wide = round(_length(label, LABEL))
        box = (WIDTH - MARGIN - wide - 60, 94, WIDTH - MARGIN, 170)
        draw.rounded_rectangle(box, 40, outline=QUIET, width=3)
        _write(draw, (box[0] + 30, box[1] + 14), label, LABEL, QUIET)
    return block


def _best(story: Story, room: int, say: _Words) -> Image.Image:
    """A photo, a portrait, and the same with the marks, as far as there are: large."""
    pictures: list[tuple[np.ndarray, str, float | None]]
    pictures = [(story.best_photo.pixels, say("show_photo"), None)]
    if story.restored:
        pair = story.restored[0]
        pictures.append((pair.before, say("show_before"), pair.likeness[0]))
        pictures.append((pair.after, say("show_after"), pair.likeness[1]))
    elif story.portraits:
        portrait = (story.ranked or story.portraits)[0]
        pictures.append((portrait.pixels, say("show_before"), portrait.similarity))
    wide = (WIDTH - 2 * MARGIN - (len(pictures) - 1) * GAP) // len(pictures)
    high = min(wide, TALLEST, room - LABEL_LINE)
    block, draw = _block(high + LABEL_LINE)
    for number, (pixels, label, likeness) in enumerate(pictures):
        x = MARGIN + number * (wide + GAP)
        block.paste(_covering(pixels, wide, high), (x, 0))
        alike = "" if likeness is None else f"   {say('show_likeness')} {likeness:.2f}"
        _write(draw, (x, high + 8), label + alike, LABEL, QUIET)
    return block


def _photos(story: Story, columns: int, say: _Words) -> Image.Image:
    block, draw = _block(_photos_height(story, columns))
    accepted = sum(photo.accepted for photo in story.photos)
    _heading(draw, say("show_photos"), f"{accepted} / {len(story.photos)}")
    for photo, (x, y, side) in zip(story.photos, _cells(len(story.photos), columns), strict=True):
        block.paste(_square(photo.pixels, side), (x, HEADING_LINE + y))
        if not photo.accepted:
            corner = (x, HEADING_LINE + y)
            draw.rectangle(
                (*corner, corner[0] + side - 1, corner[1] + side - 1), outline=BAD, width=10
            )
    return block


def _learning(learning: Learning, say: _Words) -> Image.Image:
    """The curve of the loss, beside it how the same prompt was drawn meanwhile."""
    previews = learning.previews
    kept = np.linspace(0, len(previews) - 1, min(4, len(previews))).round().astype(int)
    block, draw = _block(HEADING_LINE + CHART + LABEL_LINE)
    _heading(draw, say("show_learning"))
    right = WIDTH - MARGIN
    for number in reversed(kept.tolist()):
        step, _, pictures = previews[number]
        right -= CHART
        block.paste(_square(pictures[0], CHART), (right, HEADING_LINE))
        _write(draw, (right, HEADING_LINE + CHART + 8), f"{say('show_step')} {step}", LABEL, QUIET)
        right -= GAP
    wide = max(right - MARGIN - GAP, CHART)
    block.paste(_curve(learning.losses, wide, CHART), (MARGIN, HEADING_LINE))
    _write(draw, (MARGIN, HEADING_LINE + CHART + 8), say("show_loss"), LABEL, QUIET)
    return block


def _portraits(story: Story, columns: int, say: _Words) -> Image.Image:
    rows = story.ranked or story.portraits
    block, draw = _block(_portraits_height(story, columns))
    _heading(draw, say("show_sorted" if story.ranked else "show_portraits"), str(len(rows)))
    under = LABEL_LINE if story.ranked else 0
    for row, (x, y, side) in zip(rows, _cells(len(rows), columns, under), strict=True):
        block.paste(_square(row.pixels, side), (x, HEADING_LINE + y))
        if row.similarity is not None:
            _write(draw, (x, HEADING_LINE + y + side + 4), f"{row.similarity:.2f}", LABEL, QUIET)
    return block


def _passport(story: Story, say: _Words) -> Image.Image:
    """The head from three sides with its marks, on the dark of the stage."""
    assert story.passport is not None
    block, draw = _block(BAND, NIGHT)
    heads = [Image.fromarray(head) for head in draw_turning_head(story.passport, YAWS, HEADS)]
    for number, head in enumerate(heads):
        block.paste(head, (MARGIN - 60 + number * (head.width + 40), (BAND - HEADS) // 2), head)
    x = MARGIN + len(heads) * (heads[0].width + 40) + 20
    lines = _wrapped(say("show_passport"), HEADING, WIDTH - MARGIN - x)
    y = (BAND - len(lines) * 104 - 50 - len(story.marks) * 86) // 2
    for line in lines:
        _write(draw, (x, y), line, HEADING, PAPER)
        y += 104
    y += 50
    for kind, count in story.marks.items():
        draw.ellipse((x, y + 14, x + 38, y + 52), KIND_COLOURS[kind])
        _write(draw, (x + 68, y), f"{say(KINDS[kind])}  {count}", 58, PAPER)
        y += 86
    return block


# Their parts --------------------------------------------------------------------------------------


def _largest_columns(story: Story, height: int) -> tuple[int, int]:
    """In how many columns photos and portraits fill a height best without being higher."""
    fitting = [
        (_photos_height(story, one) + _portraits_height(story, other), one, other)
        for one, other in product(_columns(story.photos), _columns(story.portraits))
    ]
    fitting = [row for row in fitting if row[0] <= height] or [(0, COLUMNS[0], COLUMNS[0])]
    return max(fitting)[1:]


def _columns(pictures: Sequence) -> Sequence[int]:
    """The numbers of columns whose last row is at least half full."""
    return [n for n in COLUMNS if -len(pictures) % n <= n // 2] or COLUMNS


def _photos_height(story: Story, columns: int) -> int:
    return HEADING_LINE + _cells_height(len(story.photos), columns)


def _portraits_height(story: Story, columns: int) -> int:
    under = LABEL_LINE if story.ranked else 0
    count = len(story.ranked or story.portraits)
    return HEADING_LINE + _cells_height(count, columns, under) if count else 0


def _cells(count: int, columns: int, under: int = 0) -> list[tuple[int, int, int]]:
    """Left, top and side of each square of a grid; below each are `under` px."""
    side = (WIDTH - 2 * MARGIN - (columns - 1) * GAP) // columns
    return [
        (MARGIN + n % columns * (side + GAP), n // columns * (side + GAP + under), side)
        for n in range(count)
    ]


def _cells_height(count: int, columns: int, under: int = 0) -> int:
    _, top, side = _cells(count, columns, under)[-1]
    return top + side + under


def _curve(losses: list[float], wide: int, high: int) -> Image.Image:
    """The loss, smoothed, over its values step by step."""
    values = np.array(losses)
    reach = max(2, len(values) // 16)
    smooth = np.convolve(np.pad(values, reach, mode="edge"), np.ones(2 * reach + 1), "valid")
    smooth /= 2 * reach + 1
    low, high_value = np.percentile(values, [4, 94])
    picture = np.full((high, wide, 3), PAPER, np.uint8)
    cv2.line(picture, (0, high - 2), (wide, high - 2), RULE, 4)
    x = np.linspace(4, wide - 12, len(values))
    for curve, colour, width in ((values, RULE, 2), (smooth, ACCENT, 9)):
        y = high - 12 - (curve - low) / max(high_value - low, 1e-9) * (high - 24)
        points = np.stack([x, np.clip(y, -9, high - 4)], 1)
        points = np.round(points * 16).astype(np.int32)
        cv2.polylines(picture, [points], False, colour, width, cv2.LINE_AA, 4)
    return Image.fromarray(picture)


def _block(height: int, colour: Colour = PAPER) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    block = Image.new("RGB", (WIDTH, height), colour)
    return block, ImageDraw.Draw(block)


def _heading(draw: ImageDraw.ImageDraw, text: str, beside: str = "") -> None:
    _write(draw, (MARGIN, 0), text, HEADING, INK)
    _write(draw, (MARGIN + _length(text, HEADING) + 40, 0), beside, HEADING, QUIET)


def _write(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: int, colour: Colour
) -> None:
    font = font_for(text, size)
    assert font is not None  # all words of the poster are in the fonts that ship
    # Fonts differ in how far above their letters a line begins: on one baseline they agree.
    draw.text((at[0], at[1] + 0.86 * size), text, colour, font, anchor="ls")


def _length(text: str, size: int) -> float:
    font = font_for(text, size)
    assert font is not None
    return font.getlength(text)


def _wrapped(text: str, size: int, width: float) -> list[str]:
    """The text in lines no longer than `width` px, broken at spaces, Chinese after commas."""
    lines = [""]
    for part in text.replace("，", "， ").split():
        joined = f"{lines[-1]} {part}".strip().replace("， ", "，")
        if _length(joined, size) <= width:
            lines[-1] = joined
        else:
            lines.append(part)
    return list(filter(None, lines))


def _square(pixels: np.ndarray, side: int) -> Image.Image:
    return _covering(pixels, side, side)


def _covering(pixels: np.ndarray, wide: int, high: int) -> Image.Image:
    """The picture at that size, cut to its form; of a tall one less is cut off above."""
    height, width = pixels.shape[:2]
    scale = max(wide / width, high / height)
    part = wide / scale, high / scale
    left, top = (width - part[0]) / 2, (height - part[1]) * ABOVE
    box = (left, top, min(width, left + part[0]), min(height, top + part[1]))
    return Image.fromarray(pixels).resize((wide, high), Image.Resampling.LANCZOS, box)
