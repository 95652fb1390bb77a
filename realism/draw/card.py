"""The fidelity card: one picture that says how true a restored portrait is to the person.

Likeness before and after beside the likeness of the person's own photos to each other, by each face
engine that is at hand on a scale of its own; marks kept of all marks, and why the others are not
seen. Drawn with Pillow and its built-in font.
"""

from collections import Counter

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from realism.draw.overview import MARGIN
from realism.draw.palette import ACCENT, BAND, INK, PAPER, QUIET, SHADE
from realism.marks.restore.report import Likeness

WIDTH, SIDE = 1600, 720  # px, of the card and of the portrait on it


def fidelity_card(
    title: str,
    before: np.ndarray,
    after: np.ndarray,
    placements: list[dict],
    likeness: tuple[str, Likeness],
    second: tuple[str, Likeness | None] | None = None,
) -> np.ndarray:
    """Draw the card.

    Parameters
    ----------
    title : str
        Above all, the portrait's name.
    before, after : ndarray, (H, W, 3) uint8 sRGB
        The portrait without and with the marks.
    placements : list of dict
        Of the report of a restoration: "kind", "visible", "reason", "code".
    likeness : (str, Likeness)
        Name of the face engine, and what it says.
    second : (str, Likeness or None), optional
        The same of the other one; None beside its name: it does not find the person.

    Returns
    -------
    ndarray, (h, 1600, 3) uint8 sRGB
    """
    height = MARGIN + SIDE + MARGIN
    card = Image.new("RGB", (WIDTH, height), PAPER)
    card.paste(_whole_in_square(after, SIDE), (MARGIN, MARGIN))
    small = SIDE // 3
    card.paste(
        _whole_in_square(before, small), (MARGIN + SIDE - small - 12, MARGIN + SIDE - small - 12)
    )
    draw = ImageDraw.Draw(card)
    draw.text((MARGIN + SIDE - small - 4, MARGIN + SIDE - small - 8), "before", PAPER, _font(18))
    x, y = 2 * MARGIN + SIDE, MARGIN
    draw.text((x, y), title, INK, _font(34))
    width = WIDTH - x - MARGIN
    y = _likeness(draw, x, y + 70, width, "Likeness", *likeness)
    if second is None:
        alone = f"judged by one face engine, {likeness[0]}; there is no second opinion"
        draw.text((x, y), alone, QUIET, _font(20))
        y += 26
    elif second[1] is None:
        lost = f"second opinion: {second[0]} does not find the person, so it has none"
        draw.text((x, y), lost, QUIET, _font(20))
        y += 26
    else:
        y = _likeness(draw, x, y + 24, width, "Second opinion", second[0], second[1])
    _marks(draw, x, y + 30, placements)
    return np.asarray(card)


def _likeness(
    draw: ImageDraw.ImageDraw, x: int, y: int, width: int, what: str, engine: str,
    likeness: Likeness,
) -> int:  # fmt: skip
    """Draw the scale from 0 to 1 with the photos' own range; returns the row at which it ends."""
    before, after, scale = likeness.before, likeness.after, likeness.photos
    then = "no face is found any more" if after is None else f"{after:.2f}"
    said = f"{what}, by {engine}: {before:.2f} before, {then} after"
    draw.text((x, y), said, INK, _font(26))
    top, bottom = y + 46, y + 70

    def at(value: float) -> float:
        return x + width * float(np.clip(value, 0, 1))

    draw.rectangle((x, top, x + width, bottom), fill=SHADE)
    if scale:
        draw.rectangle((at(min(scale)), top, at(max(scale)), bottom), fill=BAND)
    for value, colour, radius in ((before, QUIET, 7), (after, ACCENT, 10)):
        if value is not None:
            middle = (top + bottom) / 2
            draw.ellipse(
                (at(value) - radius, middle - radius, at(value) + radius, middle + radius), colour
            )
    draw.text((x, bottom + 6), "0", QUIET, _font(17))
    draw.text((x + width - 10, bottom + 6), "1", QUIET, _font(17))
    own = (
        f"shaded: the person's photos among themselves, {min(scale):.2f} to {max(scale):.2f}"
        if scale
        else "one photo only: nothing to compare with"
    )
    draw.text((x, bottom + 30), own, QUIET, _font(20))
    return bottom + 56


def _marks(draw: ImageDraw.ImageDraw, x: int, y: int, placements: list[dict]) -> None:
    """Write how many marks of each kind were kept, and why the others are not seen."""
    kept = Counter(placed["kind"] for placed in placements if placed["visible"])
    every = Counter(placed["kind"] for placed in placements)
    draw.text((x, y), f"Marks kept: {kept.total()} of {every.total()}", INK, _font(26))
    y += 44
    for kind, count in sorted(every.items()):
        draw.text((x, y), f"{kind}: {kept[kind]} of {count}", QUIET, _font(22))
        y += 32
    reasons = Counter(
        (placed["code"], placed["reason"]) for placed in placements if not placed["visible"]
    )
    y += 14
    for (code, reason), count in reasons.most_common(6):
        how = "left out" if code in ("seen_on_few", "switched_off") else "not seen"
        draw.text((x, y), f"{count} {how}: {reason}", QUIET, _font(20))
        y += 28


def _whole_in_square(pixels: np.ndarray, side: int) -> Image.Image:
    """The whole picture in a square of `side` px, on paper where it is narrower."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    if max(image.size) < side:
        scale = side / max(image.size)
        size = (round(image.width * scale), round(image.height * scale))
        image = image.resize(size, Image.Resampling.LANCZOS)
    square = Image.new("RGB", (side, side), SHADE)
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
