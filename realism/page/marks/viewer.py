"""The result of tab 4, before and after under one grip, as large as the screen allows.

It opens near, on the square in which the marks lie, and shows the whole portrait at a click. A
ring shows where the mark is whose card in the strip is pointed at, or was clicked last; the edge
makes way for it. All of that is the browser's: nothing of it waits for the program.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from realism.images import open_photo
from realism.marks.restore.placement import Placement
from realism.page.compare import changed_area, file_url, square_around
from realism.page.i18n import Localizer, words
from realism.page.marks import editor
from realism.page.session import PRIVATE
from realism.workflow.place import MarkKey, PlacedPortrait

# Of the square that is shown near.
REACH = 1.5  # sides over the longer side of what the marks span
LEAST = 0.35  # of the portrait's shorter side: a single mole still has a face around it
LEAST_RING = 0.035  # radius over the face's width
LEAST_PLAIN_RING = 0.02  # over the portrait's shorter side, where the face is not known

TEMPLATE = """
{{#if value}}
<div class="frame">
<figure class="compare" style="--w: {{value.width}}; --h: {{value.height}}; --x: {{value.left}};
  --y: {{value.top}}; --side: {{value.side}}">
<div class="pane"><img src="{{value.before}}" alt="{{value.words.before}}"></div>
<div class="pane after"><img src="{{value.after}}" alt="{{value.words.after}}"></div>
<div class="pane"><svg viewBox="0 0 {{value.width}} {{value.height}}">
{{#each value.rings}}<g class="{{this.kind}}" data-mark="{{this.mark}}" data-left="{{this.left}}"
  transform="translate({{this.x}} {{this.y}}) rotate({{this.turn}})"><ellipse rx="{{this.rx}}"
  ry="{{this.ry}}"></ellipse><ellipse rx="{{this.rx}}" ry="{{this.ry}}"></ellipse></g>{{/each}}
</svg></div>
<i></i><b>{{value.words.before}}</b><b>{{value.words.after}}</b>
<input type="range" min="0" max="100" step="0.5" value="50" aria-label="{{value.words.label}}">
<nav><button data-view="near">{{value.words.near}}</button><button
  data-view="whole">{{value.words.whole}}</button></nav>
<div class="waiting" role="status"><div class="bar"><span></span></div>{{value.words.laying}}</div>
<button class="large" title="{{value.words.large}}" aria-label="{{value.words.large}}">⤢</button>
</figure>
</div>
{{/if}}
"""
# What the template says anew when the value changes loses what a script did to it: the edge and
# the view are kept by the element around it, the ring is lit again.
SCRIPT = """
let pointed = null, chosen = null, at = 50;
const show = to => element.style.setProperty('--at', to + '%');
const rings = () => [...element.querySelectorAll('[data-mark]')];
const ring = mark => rings().find(each => each.dataset.mark === mark);
// The edge at which a mark is on the side of the picture that has the marks.
const edge = mark => {
  const left = ring(mark)?.dataset.left;
  if (left === undefined) return at;
  const style = element.querySelector('.compare').style;
  const number = name => +style.getPropertyValue(name);
  const share = element.dataset.view === 'near' ? (left - number('--x')) / number('--side')
    : left / number('--w');
  return Math.min(at, Math.max(0, 100 * share - 3));
};
const light = () => {
  rings().forEach(each => each.classList.toggle('lit', each.dataset.mark === (pointed ?? chosen)));
  show(edge(pointed));
};
// From the click on a card until the picture shows it: seconds, a minute where photos are opened.
const wait = on => { element.dataset.waiting = on ? 'yes' : 'no'; };
element.dataset.view = 'near';
if (!document.fullscreenEnabled) element.dataset.large = 'no';
element.addEventListener('input', event => { at = +event.target.value; show(at); });
element.addEventListener('click', event => {
  const view = event.target.closest('[data-view]');
  if (view && view !== element) element.dataset.view = view.dataset.view;
  if (!event.target.closest('.large')) return;
  if (document.fullscreenElement) document.exitFullscreen();
  else element.querySelector('.frame').requestFullscreen();
});
document.addEventListener('realism-mark', event => {
  pointed = event.detail.mark;
  if (event.detail.clicked && pointed) {
    wait(true);
    chosen = pointed;
    at = edge(chosen);
    const grip = element.querySelector('input');
    if (grip) grip.value = at;
  }
  element.classList.toggle('pointing', pointed !== null);
  if (element.querySelector('.compare')) light();
});
document.addEventListener('realism-laid', () => wait(false));
watch('value', () => { wait(false); light(); });
"""
# Nothing is being laid any more: of an event after which no other picture comes.
LAID: dict = {
    "fn": None, "js": "() => document.dispatchEvent(new CustomEvent('realism-laid'))", **PRIVATE,
}  # fmt: skip


def layout(localized: Localizer) -> gr.HTML:
    """The component; its value is of `pair_view` or `placed_view`, None before there is any."""
    localized(gr.HTML, "marks.empty", elem_classes="no-result")
    return gr.HTML(
        html_template=TEMPLATE, js_on_load=SCRIPT, apply_default_css=False,
        elem_id="marks-result", min_width=0,
    )  # fmt: skip


def pair_view(
    plain: Path, restored: Path,
    places: Mapping[str, tuple[str, Sequence[tuple[float, float]]]], language: str,
) -> dict[str, Any]:  # fmt: skip
    """A portrait and the same with its marks, as their files lie on disk.

    Parameters
    ----------
    plain, restored : Path
    places : mapping of str to (str, sequence of (x, y))
        By the mark's id its kind and where on the portrait it is, px, then the course of a
        wrinkle; its size is not known.
    language : str
    """
    before, after = (open_photo(file).pixels for file in (plain, restored))
    low, high = changed_area(before, after)
    files, size = (str(plain.resolve()), str(restored.resolve())), before.shape[:2]
    radius = LEAST_PLAIN_RING * min(size)
    rings = [
        _ellipse(np.array(points[1:] or points), radius * (0.6 if points[1:] else 1))
        | {"mark": mark, "kind": kind}
        for mark, (kind, points) in places.items()
    ]
    return _view(files, low, high, size, rings, language)


def placed_view(
    placed: PlacedPortrait, before: str, after: str, off: list[MarkKey], language: str
) -> dict[str, Any]:
    """A portrait whose marks are known: what is near does not change with what is switched off.

    Parameters
    ----------
    placed : PlacedPortrait
    before, after : str
        Files of its picture and of the blend.
    off : list of MarkKey
        Their rings are dashed.
    """
    size, keys_off = placed.portrait.pixels.shape[:2], set(map(tuple, off))
    visible = [index for index, each in enumerate(placed.placements) if each.visible]
    points = [_points(placed.placements[index]) for index in visible]
    spread = np.concatenate(points) if points else np.array([[0, 0], size[::-1]])
    rings = [
        _ring(placed.placements[index], placed.ids[index], placed.face.width)
        | {"kind": "off" if placed.keys[index] in keys_off else placed.placements[index].mark.kind}
        for index in visible
    ]
    return _view((before, after), spread.min(0), spread.max(0), size, rings, language)


def _view(
    files: tuple[str, str], low: np.ndarray, high: np.ndarray, size: tuple[int, int],
    rings: list[dict], language: str,
) -> dict[str, Any]:  # fmt: skip
    top, left, side = square_around(low, high, size, REACH, LEAST)
    return {
        "before": file_url(files[0]), "after": file_url(files[1]), "width": size[1],
        "height": size[0], "left": left, "top": top, "side": side, "rings": rings,
        "words": words(language)["marks.view"],
    }  # fmt: skip


def _points(placement: Placement) -> np.ndarray:
    """Where a mark is on the portrait, (n, 2) px."""
    return np.concatenate([placement.to[None], placement.polyline])


def _ring(placement: Placement, mark: str, face_width: float) -> dict[str, Any]:
    """An ellipse around a mark, which stays free inside; of a wrinkle, along it."""
    if len(placement.polyline):
        ring = _ellipse(placement.polyline, 0.6 * LEAST_RING * face_width)
    else:
        radius = editor.placed_mark(placement).radius
        ring = _ellipse(placement.to[None], max(LEAST_RING * face_width, 1.7 * radius))
    return ring | {"mark": mark}


def _ellipse(points: np.ndarray, gap: float) -> dict[str, float]:
    """An ellipse along points, (n, 2) px, that stands off them by a gap, px."""
    centre, along, across, turn = (points.min(0) + points.max(0)) / 2, 0.0, 0.0, 0.0
    if len(points) > 1:
        axes = np.linalg.svd(points - centre)[2]
        along, across = np.abs((points - centre) @ axes.T).max(0)
        turn = np.degrees(np.arctan2(axes[0, 1], axes[0, 0]))
    values = {
        "x": centre[0], "y": centre[1], "rx": along + gap, "ry": across + gap, "turn": turn,
        "left": points[:, 0].min() - gap,
    }  # fmt: skip
    return {name: round(float(value), 1) for name, value in values.items()}
