"""Before and after on top of each other, under one grip: a real result for the page's front.

A range input over two pictures: it works with a mouse, a finger and the arrow keys, and needs no
script but the one that moves the edge. The pictures lie in the page itself, so that they are there
with the first words.
"""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import gradio as gr
import numpy as np

from realism.images import open_photo

# Of the square that is cut out: the marks fill about a third of it, the face the rest.
REACH = 2.6  # sides over the longer side of what the marks span
LEAST = 0.6  # of the picture's shorter side: a single mole is no portrait

TEMPLATE = """
<figure class="compare" style="--at: 50%">
<img src="{{before}}" alt="{{value.before}}">
<img class="after" src="{{after}}" alt="{{value.after}}">
<i></i><b>{{value.before}}</b><b>{{value.after}}</b>
<input type="range" min="0" max="100" step="0.5" value="50" aria-label="{{value.label}}">
</figure>
"""
# The edge follows the grip. Once, when the page is new, it sweeps by itself: nobody has to guess
# that it can be moved.
SCRIPT = """
const put = at => element.querySelector('.compare').style.setProperty('--at', at + '%');
let swept = matchMedia('(prefers-reduced-motion: reduce)').matches;
element.addEventListener('input', event => { swept = true; put(event.target.value); });
element.addEventListener('pointerdown', () => { swept = true; });
const began = performance.now();
const sweep = now => {
  const done = (now - began - 900) / 3600;
  if (swept || done >= 1) return;
  if (done > 0) put(50 - 38 * Math.sin(2 * Math.PI * done));
  requestAnimationFrame(sweep);
};
requestAnimationFrame(sweep);
"""


def compare_slider(
    make: Callable[..., gr.HTML], key: str, plain: Path, restored: Path, **settings: Any
) -> gr.HTML:
    """A slider between a portrait and the same with its marks.

    Parameters
    ----------
    make : callable
        A Localizer: makes the component with the words "before", "after" and "label".
    key : str
        Of these words.
    plain, restored : Path
        Pictures of one size.
    settings
        Other arguments of the component.
    """
    before, after = (open_photo(file).pixels for file in (plain, restored))
    window = marks_window(before, after)
    return make(
        gr.HTML, key, html_template=TEMPLATE, js_on_load=SCRIPT, apply_default_css=False,
        before=data_uri(before[window]), after=data_uri(after[window]), **settings,
    )  # fmt: skip


def marks_window(before: np.ndarray, after: np.ndarray) -> tuple[slice, slice]:
    """The square of a portrait around what its marks changed.

    Parameters
    ----------
    before, after : (H, W, 3) uint8 sRGB
        Without and with the marks.

    Returns
    -------
    rows, columns : slice, px
        The largest square in the middle where nothing differs.
    """
    low, high = changed_area(before, after)
    top, left, side = square_around(low, high, before.shape[:2], REACH, LEAST)
    return slice(top, top + side), slice(left, left + side)


def changed_area(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last point, (x, y) px, of what differs in two pictures; all where nothing does."""
    rows, columns = np.nonzero((before != after).any(2))
    if not len(rows):
        return np.zeros(2, int), np.array(before.shape[1::-1])
    return np.array([columns.min(), rows.min()]), np.array([columns.max(), rows.max()])


def square_around(
    low: np.ndarray, high: np.ndarray, size: tuple[int, ...], reach: float, least: float
) -> tuple[int, int, int]:
    """A square of a picture around a part of it.

    Parameters
    ----------
    low, high : (2,) array
        First and last point of the part, (x, y) px.
    size : (height, width) px
        Of the picture.
    reach : float
        Sides of the square over the longer side of the part.
    least : float
        Its least side over the shorter side of the picture, which is its largest.

    Returns
    -------
    top, left, side : int, px
    """
    height, width = size
    most = min(height, width)
    side = int(np.clip(reach * (high - low).max(), least * most, most))
    middle = (low + high - side) / 2
    left, top = np.clip(np.floor(middle), 0, [width - side, height - side]).astype(int).tolist()
    return top, left, side


def file_url(path: str) -> str:
    """Where the browser finds a picture that lies in a folder which the page serves."""
    return f"gradio_api/file={quote(path)}"


def data_uri(pixels: np.ndarray) -> str:
    """A picture, (H, W, 3) uint8 sRGB, as a PNG that lies in the page itself."""
    encoded = cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]))[1]
    return "data:image/png;base64," + base64.b64encode(encoded.tobytes()).decode()
