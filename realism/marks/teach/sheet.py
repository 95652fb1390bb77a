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
    Colour,
)
from realism.marks.mark import KINDS
from realism.marks.teach.evaluate import (
    FaceEvaluation,
    count_outcomes,
    kind_curve,
    round_curve,
)

SIDE = 460  # px of a face, high and wide
MAX_FACES, COLUMNS = 12, 4  # on a sheet


def save_plot(path: Path, evaluations: list[FaceEvaluation]) -> None:
    """Precision against recall for each annotated kind, and for all round marks together.

    Parameters
    ----------
    path : Path
        The PNG to write.
    evaluations : list of FaceEvaluation
    """
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
    curves = {"round": round_curve(evaluations)[0]}
    curves |= {kind: kind_curve(evaluations, kind) for kind in KINDS}
    row = top
    for name, curve in curves.items():
        if not curve.marks:
            continue
        colour = KIND_COLOURS.get(name, ALL_ROUND)
        if len(curve.recall):
            points = [at(r, p) for r, p in zip(curve.recall, curve.precision, strict=True)]
            draw.line([at(0, curve.precision[0]), *points], colour, 6 if name == "round" else 3)
        draw.line([(700, row + 11), (730, row + 11)], colour, 4)
        draw.text((740, row), f"{name}, AP {curve.ap:.2f}", INK, font)
        draw.text((740, row + 22), f"{curve.marks} marks", QUIET, ImageFont.load_default(15))
        row += 56
    _save(path, picture)


def save_sheet(path: Path, evaluations: list[FaceEvaluation], threshold: float) -> None:
    """The faces with the most misses and false alarms, down to some without.

    Parameters
    ----------
    path : Path
        The PNG to write.
    evaluations : list of FaceEvaluation
        At most MAX_FACES of them are shown.
    threshold : float, 0..1
        Least score of what is drawn.
    """
    ordered = sorted(evaluations, key=lambda evaluation: -_count_errors(evaluation, threshold))
    # Evenly from worst to best: the worst alone would say nothing of how it usually goes.
    picked = np.linspace(0, len(ordered) - 1, min(MAX_FACES, len(ordered))).round().astype(int)
    picked = np.unique(picked)
    columns = min(COLUMNS, len(picked))
    rows, line, head = -(-len(picked) // columns), 30, 60
    picture = Image.new(
        "RGB", (20 + columns * (SIDE + 12), head + rows * (SIDE + line + 12)), PAPER
    )
    draw = ImageDraw.Draw(picture)
    _draw_legend(draw, threshold)
    font = ImageFont.load_default(16)
    for number, place in enumerate(picked):
        evaluation = ordered[place]
        x = 16 + number % columns * (SIDE + 12)
        y = head + number // columns * (SIDE + line + 12)
        picture.paste(_draw_face(evaluation, threshold), (x, y))
        hit, missed, false_alarms = count_outcomes(evaluation, threshold)
        counts = f"{len(hit)} hit, {len(missed)} missed, {false_alarms} false"
        label = f"{evaluation.face.name}: {counts}"
        draw.text((x, y + SIDE + 5), label, QUIET, font)
    _save(path, picture)


def _draw_legend(draw: ImageDraw.ImageDraw, threshold: float) -> None:
    font = ImageFont.load_default(20)
    draw.ellipse((18, 20, 38, 40), outline=HIT, width=3)
    draw.text((46, 18), f"hit (from {threshold:.2f})", INK, font)
    draw.rectangle((226, 20, 246, 40), outline=MISS, width=3)
    draw.text((254, 18), "missed", INK, font)
    _cross(draw, (366, 30), 10, FALSE_ALARM)
    draw.text((384, 18), "false alarm; both: found as another kind", INK, font)
    draw.line((820, 30, 850, 30), FAINT, 1)
    draw.text((860, 18), "white: from the click to the mark it means", INK, font)


def _draw_face(evaluation: FaceEvaluation, threshold: float) -> Image.Image:
    """The face, SIDE px high and wide, with what was found, missed and made up."""
    face = evaluation.face
    mesh = face.face.mesh[:, :2]
    low, high = mesh.min(0), mesh.max(0)
    middle, half = (low + high) / 2, 0.6 * float((high - low).max())
    middle[1] -= 0.1 * half  # the mesh ends below the hair
    box = tuple(float(v) for v in (*(middle - half), *(middle + half)))
    picture = Image.fromarray(face.pixels).transform(
        (SIDE, SIDE), Image.Transform.EXTENT, box, Image.Resampling.BICUBIC
    )
    draw, scale = ImageDraw.Draw(picture), SIDE / (2 * half)

    def to_tile(xy: np.ndarray) -> tuple[float, float]:
        x, y = (xy + 0.5 - middle + half) * scale
        return float(x), float(y)

    hit, _, _ = count_outcomes(evaluation, threshold)
    for mark, hits in zip(evaluation.found, evaluation.hits, strict=True):
        if mark.score < threshold:
            continue
        colour = FALSE_ALARM if hits == () else HIT
        if mark.is_traced:
            draw.line([to_tile(p) for p in mark.points], colour, 2)
        elif hits == ():
            _cross(draw, to_tile(mark.xy), 7, colour)
        else:
            _ring(draw, to_tile(mark.xy), max(mark.radius * scale, 3) + 5, colour)
    for number, click in enumerate(face.clicks):
        x, y = to_tile(click.xy)
        if click.offset * scale > 2:
            draw.line([to_tile(click.clicked_xy), (x, y)], "white", 1)
        if number not in hit:
            draw.rectangle((x - 9, y - 9, x + 9, y + 9), outline=MISS, width=2)
        elif click.is_wrinkle:
            _ring(draw, (x, y), 4, HIT)
    return picture


def _ring(
    draw: ImageDraw.ImageDraw, xy: tuple[float, float], radius: float, colour: Colour
) -> None:
    x, y = xy
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=2)


def _cross(draw: ImageDraw.ImageDraw, xy: tuple[float, float], half: float, colour: Colour) -> None:
    x, y = xy
    draw.line((x - half, y - half, x + half, y + half), colour, 3)
    draw.line((x - half, y + half, x + half, y - half), colour, 3)


def _count_errors(evaluation: FaceEvaluation, threshold: float) -> int:
    _, missed, false_alarms = count_outcomes(evaluation, threshold)
    return len(missed) + false_alarms


def _save(path: Path, picture: Image.Image) -> None:
    with whole_file(path) as temporary:
        picture.save(temporary, "PNG")
