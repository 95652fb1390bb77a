"""Pictures that the page draws: framed thumbnails, marks on a photo, curves, a progress bar."""

from collections.abc import Sequence
from html import escape

import cv2
import numpy as np

from realism.draw.palette import BAD, GOOD, KIND_COLOURS, SWITCHED_OFF
from realism.faces.face import Face
from realism.marks.mark import Mark

SIDE = 320  # px, of a thumbnail


def thumbnail(pixels: np.ndarray, face: Face | None) -> np.ndarray:
    """A square around the face, or the middle of the picture.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 sRGB
        The picture.
    face : Face or None
        What is in the middle.

    Returns
    -------
    (SIDE, SIDE, 3) uint8 sRGB
    """
    height, width = pixels.shape[:2]
    side = min(height, width)
    centre = np.array([width, height]) / 2
    if face is not None:
        side = min(side, round(2.2 * face.width))
        centre = (face.box[:2] + face.box[2:]) / 2
    x, y = np.clip(centre - side / 2, 0, [width - side, height - side]).astype(int)
    crop = pixels[y : y + side, x : x + side]
    return cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def with_badge(thumb: np.ndarray, accepted: bool) -> np.ndarray:
    """The thumbnail with a frame and a tick or a cross."""
    out = thumb.copy()
    colour = GOOD if accepted else BAD
    cv2.rectangle(out, (0, 0), (SIDE - 1, SIDE - 1), colour, 14)
    cv2.circle(out, (SIDE - 38, 38), 24, colour, -1, cv2.LINE_AA)
    tick, cross = [[(-11, 0), (-3, 9), (12, -9)]], [[(-9, -9), (9, 9)], [(-9, 9), (9, -9)]]
    for stroke in tick if accepted else cross:
        points = np.array(stroke, np.int32) + np.array((SIDE - 38, 38))
        cv2.polylines(out, [points.astype(np.int32)], False, (255, 255, 255), 5, cv2.LINE_AA)
    return out


def unreadable_thumbnail() -> np.ndarray:
    """What stands for a file that is no picture."""
    out = np.full((SIDE, SIDE, 3), 225, np.uint8)
    cv2.putText(out, "?", (112, 210), cv2.FONT_HERSHEY_SIMPLEX, 5, (150, 150, 150), 12, cv2.LINE_AA)
    return out


def with_marks(pixels: np.ndarray, marks: Sequence[Mark], on: Sequence[bool]) -> np.ndarray:
    """A picture with a ring around each mark in its kind's colour; grey where switched off.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 sRGB
        The picture.
    marks : sequence of Mark
        In its px.
    on : sequence of bool
        For each mark, whether it is on.

    Returns
    -------
    (H, W, 3) uint8 sRGB
    """
    out = pixels.copy()
    thickness = max(1, round(max(pixels.shape[:2]) / 500))
    for mark, is_on in zip(marks, on, strict=True):
        colour = KIND_COLOURS[mark.kind] if is_on else SWITCHED_OFF
        if mark.is_traced:
            points = np.round(mark.points * 16).astype(np.int32)
            cv2.polylines(out, [points], False, colour, thickness, cv2.LINE_AA, shift=4)
            continue
        # The ring stands off the mark, so that the mark itself stays to be seen.
        radius = mark.radius + 3 * thickness
        x, y = np.round(mark.xy * 16).astype(int).tolist()
        cv2.circle(out, (x, y), round(radius * 16), colour, thickness, cv2.LINE_AA, shift=4)
    return out


def curve_svg(values: Sequence[float] | np.ndarray, colour: str, label: str) -> str:
    """A curve of values from left to right as SVG, its last value written beside the label."""
    if len(values) < 2:
        last = "".join(f" <b>{value:.3f}</b>" for value in values)
        return f'<figure class="curve"><figcaption>{escape(label)}{last}</figcaption></figure>'
    y = np.asarray(values, float)
    kept = np.linspace(0, len(y) - 1, min(len(y), 300)).round().astype(int)
    low, high = float(y.min()), float(y.max())
    across = kept / (len(y) - 1) * 300
    down = 96 - (y[kept] - low) / max(high - low, 1e-9) * 92
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, down, strict=True))
    return (
        f'<figure class="curve"><figcaption>{escape(label)} <b>{y[-1]:.3f}</b></figcaption>'
        f'<svg viewBox="0 0 300 100" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)} {y[-1]:.3f}">'
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" '
        f'vector-effect="non-scaling-stroke"/></svg>'
        f"<span>{high:.3f}</span><span>{low:.3f}</span></figure>"
    )


def progress_bar(done: float) -> str:
    """How much is done, 0..1, as HTML."""
    percent = f"{100 * min(max(done, 0), 1):.1f}%"
    return (
        f'<div class="bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{percent[:-1]}"><i style="width:{percent}"></i></div>'
    )
