"""The strip of the marks found: cut-outs of the photos, why one was not put back, a switch each.

A click switches a mark for good where the photos are a person's: on all their portraits, in the
shell as on the page. What the hand switches goes before how many photos show it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np

from realism.errors import Message
from realism.marks.mark import Mark
from realism.marks.observation import LEAST_OBSERVATIONS
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


@dataclass(frozen=True, eq=False)
class Card:
    """A mark as the strip shows it.

    Attributes
    ----------
    id : str
        Of `mark_id`.
    photo : str
        The one that shows it best, by name.
    mark : RoundMark or Wrinkle
        In px of that photo.
    seen, of : int
        Photos that show it, of those that show its place.
    there : bool
        Whether it can be seen on the portrait once it is on.
    on : bool
    why : Message or None
        Why it is not there, or not on.
    """

    id: str
    photo: str
    mark: Mark
    seen: int
    of: int
    there: bool
    on: bool
    why: Message | None


# Handlers -------------------------------------------------------------------------------------


def on_strip(
    placed: PlacedPortrait | None, off: list[MarkKey], cutouts: str | None, least_sightings: int,
    language: str,
) -> Any:  # fmt: skip
    """All marks as cards, those on the portrait first; a kept strip stays until they are placed."""
    if placed is None or cutouts is None:
        return gr.skip()
    if not placed.placements:
        return paragraph(text(language, "marks.no_marks"), "note")
    return strip(cards_of(placed, off, least_sightings), cutouts, language)


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


def cards_of(
    placed: PlacedPortrait, off: Collection[MarkKey], least_sightings: int = LEAST_OBSERVATIONS
) -> list[Card]:
    """The marks of a portrait, in the order of the strip, which does not tell off from on."""
    indices_off, rare = placed.indices(off), placed.rare(least_sightings)
    of_photos, cards = len(placed.embeddings), []
    for index, placement in enumerate(placed.placements):
        why, seen = placement.reason, placement.photo_count
        if why is None and index in indices_off:
            few = Message("seen_on_few", seen=seen, photos=of_photos)
            why = few if index in rare else Message("switched_off")
        cards.append(
            Card(
                placed.ids[index], placement.photo, placement.mark, seen,
                max(placement.visible_in or of_photos, seen), placement.visible,
                index not in indices_off, why,
            )
        )  # fmt: skip
    return in_order(cards)


def in_order(cards: list[Card]) -> list[Card]:
    """First what can be seen on the portrait, then the rest; in both what most photos show."""
    return sorted(cards, key=lambda card: (not card.there, -card.seen))


def cut_out_marks(cards: list[Card], photos: Mapping[str, tuple[np.ndarray, float]]) -> str:
    """A PNG of every mark in its best photo, below one another, SIDE px each.

    Parameters
    ----------
    cards : list of Card
        In the order of the strip.
    photos : mapping of str to (pixels, face's width)
        By name.
    """
    squares = [_cut_out(*photos[card.photo], card.mark) for card in cards]
    return quick_png(np.concatenate(squares) if squares else np.zeros((1, 1, 3), np.uint8))


def strip(cards: list[Card], cutouts: str, language: str) -> str:
    """The cards as HTML."""
    url = file_url(cutouts)
    shown = [
        _card(card, f"background-image: url('{url}'); --row: {row}", language)
        for row, card in enumerate(cards)
    ]
    return f"<div>{''.join(shown)}</div>"


def _cut_out(pixels: np.ndarray, face_width: float, mark: Mark) -> np.ndarray:
    """The square of a photo around a mark, (SIDE, SIDE, 3) uint8 sRGB."""
    points = np.concatenate([mark.xy[None], mark.points])
    low, high = points.min(0), points.max(0)
    reach = max(REACH * mark.radius, LEAST_REACH * face_width)
    if mark.is_traced:  # its radius is half its width
        reach = max(0.6 * float((high - low).max()), reach)
    scale = SIDE / (2 * reach)
    matrix = np.array([[scale, 0, SIDE / 2], [0, scale, SIDE / 2]])
    matrix[:, 2] -= scale * (low + high) / 2
    if scale < 0.5:  # shrunk by much: averaged first, or single pixels would be picked
        small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        matrix[:, :2], pixels = np.eye(2), small
    return cv2.warpAffine(
        pixels, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def _card(card: Card, style: str, language: str) -> str:
    kind = escape(words(language)["marks.kinds"][card.mark.kind])
    seen = escape(text(language, "marks.seen_of", seen=card.seen, of=card.of))
    why = f"<em>{escape(sentence(card.why, language))}</em>" if card.why else ""
    state = f'aria-pressed="{str(card.on).lower()}"' + ("" if card.there else ' class="absent"')
    return (
        f'<button data-mark="{escape(card.id)}" {state}>'
        f'<i class="cut-out" style="{style}"></i>'
        f'<span><b><i class="{card.mark.kind}"></i>{kind}</b><small>{seen}</small>{why}'
        '</span><i class="switch"></i></button>'
    )
