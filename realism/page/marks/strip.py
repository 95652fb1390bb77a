"""The strip of the marks found: cut-outs of the photos, why one was not put back, a switch each.

A click switches a mark for good where the photos are a person's: on all their portraits, in the
shell as on the page. What the hand switches goes before how many photos show it.
"""

from collections.abc import Collection
from html import escape
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np

from realism.errors import Message
from realism.marks.observation import LEAST_OBSERVATIONS
from realism.marks.photo import MarkedPhoto
from realism.marks.restore.placement import Placement
from realism.marks.switched import Switched
from realism.page.compare import file_url
from realism.page.i18n import text, words
from realism.page.marks.editor import toggle
from realism.page.session import owner, paragraph, quick_png, sentence, user_errors
from realism.person.person import Person
from realism.workflow.place import MarkKey, PlacedPortrait

SIDE = 208  # px of a cut-out; shown at half that, sharp on a dense screen too
REACH = 5.0  # radii of a mark that its cut-out shows to each side
LEAST_REACH = 0.045  # of the face's width: around the smallest, some skin to know the place by
# A click tells which mark, and the card turns at once: the picture follows a moment later. Who
# shows the result hears which mark is pointed at.
SCRIPT = """
const tell = (event, clicked) => {
  const mark = event.target.closest?.('[data-mark]')?.dataset.mark ?? null;
  document.dispatchEvent(new CustomEvent('realism-mark', {detail: {mark, clicked}}));
  return mark;
};
element.addEventListener('pointerover', event => {
  if (event.pointerType === 'mouse') tell(event, false);
});
element.addEventListener('focusin', event => tell(event, false));
for (const name of ['pointerleave', 'focusout'])
  element.addEventListener(name, () => tell({target: element}, false));
element.addEventListener('click', event => {
  const mark = tell(event, true), card = event.target.closest('[data-mark]');
  if (!mark) return;
  card.setAttribute('aria-pressed', card.getAttribute('aria-pressed') !== 'true');
  trigger('click', {mark});
});
"""


# Handlers -------------------------------------------------------------------------------------


def on_strip(
    placed: PlacedPortrait | None, off: list[MarkKey], cutouts: str | None, least_sightings: int,
    language: str,
) -> str:  # fmt: skip
    """All marks as cards, those on the portrait first; "" before there are any."""
    if placed is None or cutouts is None:
        return ""
    if not placed.placements:
        return paragraph(text(language, "marks.no_marks"), "note")
    indices_off, rare = placed.indices(off), placed.rare(least_sightings)
    of_photos = len(placed.embeddings)
    cards, url = [], file_url(cutouts)
    for row, index in enumerate(in_order(placed.placements)):
        placement, is_off = placed.placements[index], index in indices_off
        reason = placement.reason
        if reason is None and is_off:
            seldom = Message("seen_on_few", seen=placement.photo_count, photos=of_photos)
            reason = seldom if index in rare else Message("switched_off")
        why = sentence(reason, language) if reason else ""
        style = f"background-image: url('{url}'); --row: {row}"
        cards.append(
            _card(placed.ids[index], placement, not is_off, why, of_photos, style, language)
        )
    return f"<div>{''.join(cards)}</div>"


def on_click(
    placed: PlacedPortrait | None, off: list[MarkKey], files: list[str] | None, name: str | None,
    root: Path | None, language: str, event: gr.EventData,
) -> Any:  # fmt: skip
    """Switch the mark whose card was clicked."""
    if placed is None or event.mark not in placed.ids:
        return gr.skip()  # a click that came while another portrait was placed
    with user_errors(language):
        key = placed.keys[placed.ids.index(event.mark)]
        return switch(placed, off, [key], owner(files, name, root))


def switch(
    placed: PlacedPortrait, off: Collection[MarkKey], keys: list[MarkKey], person: Person | None
) -> list[MarkKey]:
    """Switch marks together, and keep it with the person whose they are; the keys that are off."""
    switched_off = toggle(off, keys)
    if person:
        switched, on = person.switched(), keys[0] not in switched_off
        for index in placed.indices(keys):
            switched = switched.with_mark(placed.placements[index].appearances, on)
        person.save_switched(switched)
    return switched_off


def off_at_first(
    placed: PlacedPortrait, person: Person | None, least_sightings: int = LEAST_OBSERVATIONS
) -> list[MarkKey]:
    """The marks that begin off: seen on too few photos, but as the owner switched them."""
    switched = person.switched() if person else Switched()
    return [placed.keys[index] for index in sorted(placed.left_out(switched, least_sightings))]


# What is shown --------------------------------------------------------------------------------


def in_order(placements: tuple[Placement, ...]) -> list[int]:
    """Indices of the placements as the strip shows them, whatever is switched off.

    First what can be seen on the portrait, then the rest; in both what most photos show.
    """
    return sorted(
        range(len(placements)),
        key=lambda index: (not placements[index].visible, -placements[index].photo_count, index),
    )


def cut_out_marks(photos: dict[str, MarkedPhoto], placements: tuple[Placement, ...]) -> str:
    """A PNG of every mark in its best photo, below one another, SIDE px each, `in_order`."""
    squares = [
        _cut_out(photos[placements[index].photo], placements[index])
        for index in in_order(placements)
    ]
    return quick_png(np.concatenate(squares) if squares else np.zeros((1, 1, 3), np.uint8))


def _cut_out(photo: MarkedPhoto, placement: Placement) -> np.ndarray:
    """The square of the photo around the mark, (SIDE, SIDE, 3) uint8 sRGB."""
    points = np.concatenate([placement.mark.xy[None], placement.mark.points])
    low, high = points.min(0), points.max(0)
    reach = max(REACH * placement.mark.radius, LEAST_REACH * photo.face.width)
    if placement.mark.is_traced:  # its radius is half its width
        reach = max(0.6 * float((high - low).max()), reach)
    scale = SIDE / (2 * reach)
    matrix = np.array([[scale, 0, SIDE / 2], [0, scale, SIDE / 2]])
    matrix[:, 2] -= scale * (low + high) / 2
    pixels = photo.pixels
    if scale < 0.5:  # shrunk by much: averaged first, or single pixels would be picked
        small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        matrix[:, :2], pixels = np.eye(2), small
    return cv2.warpAffine(
        pixels, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def _card(
    name: str, placement: Placement, on: bool, why: str, of_photos: int, style: str, language: str
) -> str:
    kind = escape(words(language)["marks.kinds"][placement.mark.kind])
    of = max(placement.visible_in or of_photos, placement.photo_count)
    seen = escape(text(language, "marks.seen_of", seen=placement.photo_count, of=of))
    reason = f"<em>{escape(why)}</em>" if why else ""
    absent = "" if placement.visible else ' class="absent"'
    return (
        f'<button data-mark="{escape(name)}" aria-pressed="{str(on).lower()}"{absent}>'
        f'<i class="cut-out" style="{style}"></i>'
        f'<span><b><i class="{placement.mark.kind}"></i>{kind}</b><small>{seen}</small>{reason}'
        '</span><i class="switch"></i></button>'
    )
