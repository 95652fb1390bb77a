"""Pictures of how a finder does: precision against recall, and faces with hits and misses.

Drawn with Pillow and its built-in font, so that they look the same on every machine.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from realism.disk import whole_file
from realism.draw.palette import (
    ALL_ROUND,
    FAINT,
    FALSE_ALARM,
    HIT,
    INK,
    KIND_COLOURS,
    MISS,
    PAPER,
    QUIET,
    RULE,
)
from realism.marks.mark import KINDS
from realism.marks.teach.evaluate import Judged, kind_curve, round_curve

SIDE, MOST, COLUMNS = 460, 12, 4  # px of a face; faces on a sheet; in a row


def save_plot(path: Path, judged: list[Judged]) -> None:
    """Precision against recall for each annotated kind, and for all round marks together."""
    picture = Image.new("RGB", (900, 720), PAPER)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(18)
    left, top, side = 90, 60, 580

    def at(recall: float, precision: float) -> tuple[float, float]:
        return left + side * recall, top + side * (1 - precision)

    for tenth in range(0, 11, 2):
        share = tenth / 10
        draw.line([at(share, 0), at(share, 1)], RULE)
        draw.line([at(0, share), at(1, share)], RULE)
        draw.text((at(share, 0)[0], top + side + 8), f"{share:.1f}", QUIET, font, anchor="ma")
        draw.text((left - 10, at(0, share)[1]), f"{share:.1f}", QUIET, font, anchor="rm")
    draw.text((left + side / 2, top + side + 36), "recall", INK, font, anchor="ma")
    draw.text((left, top - 34), "precision", INK, font)
    # All round marks first, as a broad line: a kind's own may run along it.
    curves = {"round": round_curve(judged)[0], **{k: kind_curve(judged, k) for k in KINDS}}
    row = top
    for name, one in curves.items():
        if not one.marks:
            continue
        colour = KIND_COLOURS.get(name, ALL_ROUND)
        if len(one.recall):
            points = [at(r, p) for r, p in zip(one.recall, one.precision, strict=True)]
            draw.line([at(0, one.precision[0]), *points], colour, 6 if name == "round" else 3)
        draw.line([(700, row + 11), (730, row + 11)], colour, 4)
        draw.text((740, row), f"{name}, AP {one.ap:.2f}", INK, font)
        draw.text((740, row + 22), f"{one.marks} marks", QUIET, ImageFont.load_default(15))
        row += 56
    _save(path, picture)


def save_sheet(path: Path, judged: list[Judged], threshold: float) -> None:
    """The faces with the most misses and false alarms, down to some without; at most MOST."""
    wrong = sorted(judged, key=lambda one: -_wrong(one, threshold))
    # Evenly from worst to best: the worst alone would say nothing of how it usually goes.
    picked = np.unique(np.linspace(0, len(wrong) - 1, min(MOST, len(wrong))).round().astype(int))
    columns = min(COLUMNS, len(picked))
    rows, line, head = -(-len(picked) // columns), 30, 60
    picture = Image.new(
        "RGB", (20 + columns * (SIDE + 12), head + rows * (SIDE + line + 12)), PAPER
    )
    draw = ImageDraw.Draw(picture)
    _legend(draw, threshold)
    font = ImageFont.load_default(16)
    for number, place in enumerate(picked):
        one = wrong[place]
        x = 16 + number % columns * (SIDE + 12)
        y = head + number // columns * (SIDE + line + 12)
        picture.paste(_face(one, threshold), (x, y))
        hit, missed, false = _counts(one, threshold)
        label = f"{one.face.name}: {hit} hit, {missed} missed, {false} false"
        draw.text((x, y + SIDE + 5), label, QUIET, font)
    _save(path, picture)


def _legend(draw: ImageDraw.ImageDraw, threshold: float) -> None:
    font = ImageFont.load_default(20)
    draw.ellipse((18, 20, 38, 40), outline=HIT, width=3)
    draw.text((46, 18), f"hit (from {threshold:.2f})", INK, font)
    draw.rectangle((226, 20, 246, 40), outline=MISS, width=3)
    draw.text((254, 18), "missed", INK, font)
    _cross(draw, (366, 30), 10, FALSE_ALARM)
    draw.text((384, 18), "false alarm; both: found as another kind", INK, font)
    draw.line((820, 30, 850, 30), FAINT, 1)
    draw.text((860, 18), "white: from the click to the mark it means", INK, font)


def _face(one: Judged, threshold: float) -> Image.Image:
    """The face, SIDE px high and wide, with what was found, missed and made up."""
    mesh = one.face.face.mesh[:, :2]
    low, high = mesh.min(0), mesh.max(0)
    middle, half = (low + high) / 2, 0.6 * float((high - low).max())
    middle[1] -= 0.1 * half  # the mesh ends below the hair
    box = tuple(float(v) for v in (*(middle - half), *(middle + half)))
    picture = Image.fromarray(one.face.pixels).transform(
        (SIDE, SIDE), Image.Transform.EXTENT, box, Image.Resampling.BICUBIC
    )
    draw, scale = ImageDraw.Draw(picture), SIDE / (2 * half)

    def placed(xy: np.ndarray) -> tuple[float, float]:
        return tuple((xy + 0.5 - middle + half) * scale)

    taken = set()
    for mark, hits in zip(one.found, one.hits, strict=True):
        if mark.score < threshold:
            continue
        colour = FALSE_ALARM if hits == () else HIT
        taken |= set(hits or ())
        if mark.is_traced:
            draw.line([placed(p) for p in mark.points], colour, 2)
        elif hits == ():
            _cross(draw, placed(mark.xy), 7, colour)
        else:
            _ring(draw, placed(mark.xy), max(mark.radius * scale, 3) + 5, colour)
    for i, click in enumerate(one.face.clicks):
        x, y = placed(click.xy)
        if click.moved * scale > 2:
            draw.line([placed(click.clicked), (x, y)], "white", 1)
        if i not in taken:
            draw.rectangle((x - 9, y - 9, x + 9, y + 9), outline=MISS, width=2)
        elif click.is_wrinkle:
            _ring(draw, (x, y), 4, HIT)
    return picture


def _ring(draw: ImageDraw.ImageDraw, xy: tuple[float, float], radius: float, colour: str) -> None:
    x, y = xy
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=2)


def _cross(draw: ImageDraw.ImageDraw, xy: tuple[float, float], half: float, colour: str) -> None:
    x, y = xy
    draw.line((x - half, y - half, x + half, y + half), colour, 3)
    draw.line((x - half, y + half, x + half, y - half), colour, 3)


def _counts(one: Judged, threshold: float) -> tuple[int, int, int]:
    """Hit and missed marks, and false alarms."""
    sure = [h for m, h in zip(one.found, one.hits, strict=True) if m.score >= threshold]
    hit = len({i for some in sure for i in some or ()})
    return hit, len(one.face.clicks) - hit, sum(some == () for some in sure)


def _wrong(one: Judged, threshold: float) -> int:
    return sum(_counts(one, threshold)[1:])


def _save(path: Path, picture: Image.Image) -> None:
    with whole_file(path) as temporary:
        picture.save(temporary, "PNG")
