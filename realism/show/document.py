"""The presentation as one HTML file: pictures, words and script in it, nothing from elsewhere.

`scenes.js` draws every scene as a function of time, so that keys can go anywhere at once, and
`stage.js` walks through them; what they draw they find in the document as JSON, built here.
"""

import base64
import json
from collections.abc import Iterable
from html import escape
from pathlib import Path

import cv2
import numpy as np

from realism.disk import write_bytes
from realism.draw.palette import KIND_COLOURS
from realism.errors import Message
from realism.portraits.provenance import LABELS
from realism.show.story import Learning, RankedPortrait, RestoredPair, Story, TakenPhoto

STAGE = Path(__file__).parent
# Longest sides, px: as large as a full screen shows them.
PHOTO, PREVIEW, PORTRAIT, LARGE = 640, 512, 720, 1280
QUALITY = 92  # of JPEG; the marks are small
MOST_LOSSES = 800  # points of the curve
WORDS = (
    "show_photos", "show_verdicts", "show_owner", "show_learning", "show_step", "show_loss",
    "show_alike_unseen", "show_portraits", "show_sorted", "show_likeness", "show_closest",
    "show_passport", "show_restored", "show_before", "show_after", "show_photo", "show_end",
    "show_keys",
)  # fmt: skip
KINDS = {
    "mole": "show_kind_mole",
    "spot": "show_kind_spot",
    "acne": "show_kind_acne",
    "wrinkle": "show_kind_wrinkle",
}


def write_document(
    story: Story, out: Path, language: str = "en", head: Iterable[np.ndarray] = ()
) -> Path:
    """Write the presentation, whole or not at all; returns `out`.

    Parameters
    ----------
    story : Story
    out : Path
        An .html file.
    language : {"en", "zh"}
    head : iterable of (H, W, 4) uint8 ndarray
        The mark passport from side to side, of `draw_turning_head`; () leaves it out.
    """
    write_bytes(Path(out), document(story, language, head).encode())
    return Path(out)


def document(story: Story, language: str = "en", head: Iterable[np.ndarray] = ()) -> str:
    """The presentation as HTML; see `write_document`."""
    # A tag in a name would end the script element that holds the data.
    data = json.dumps(_data(story, language, head), ensure_ascii=False).replace("<", "\\u003c")
    page = (STAGE / "stage.html").read_text(encoding="utf-8")
    parts = {
        "language": {"en": "en", "zh": "zh-Hans"}[language],
        "title": escape(f"{story.name} · Realism"),
        "style": (STAGE / "stage.css").read_text(encoding="utf-8"),
        "script": "\n".join(
            (STAGE / name).read_text(encoding="utf-8") for name in ("scenes.js", "stage.js")
        ),
        "data": data,
    }
    for name, text in parts.items():
        page = page.replace(f"<!--{name}-->", text)
    return page


def _data(story: Story, language: str, head: Iterable[np.ndarray]) -> dict:
    """All that the script draws, plain JSON."""

    def say(message: Message) -> str:
        return message.text(language)

    words = {code.removeprefix("show_"): say(Message(code)) for code in WORDS}
    words["generated"] = LABELS[language == "zh"]
    made = {portrait.name: number for number, portrait in enumerate(story.portraits)}
    return {
        "name": story.name,
        "words": words,
        "face": _picture(story.best_photo.pixels, LARGE),
        "generated": bool(story.portraits or story.restored),
        "photos": [_photo(photo, language) for photo in story.photos],
        "best_photo": next(n for n, p in enumerate(story.photos) if p is story.best_photo),
        "learning": _learning(story.learning) if story.learning else None,
        "portraits": [_portrait(portrait) for portrait in story.portraits],
        "order": [made[portrait.name] for portrait in story.ranked],
        "head": [_cut_out(side) for side in head],
        "kinds": [
            {"name": say(Message(KINDS[kind])), "count": count, "colour": _css(KIND_COLOURS[kind])}
            for kind, count in story.marks.items()
        ],
        "restored": [_restored(pair) for pair in story.restored],
        "missing": [say(message) for message in story.missing],
    }


def _photo(photo: TakenPhoto, language: str) -> dict:
    reason = photo.reason or Message("show_owner")
    return {
        "picture": _picture(photo.pixels, PHOTO),
        "accepted": photo.accepted,
        "reason": "" if photo.accepted else reason.text(language),
    }


def _learning(learning: Learning) -> dict:
    steps = len(learning.losses)
    kept = np.linspace(1, steps, min(steps, MOST_LOSSES)).round().astype(int)
    return {
        "steps": kept.tolist(),
        "losses": [round(learning.losses[step - 1], 5) for step in kept.tolist()],
        "previews": [
            {
                "step": step,
                "likeness": similarity,
                "pictures": [_picture(pixels, PREVIEW) for pixels in pictures[:4]],
            }
            for step, similarity, pictures in learning.previews
        ],
    }


def _portrait(portrait: RankedPortrait) -> dict:
    return {"picture": _picture(portrait.pixels, PORTRAIT), "likeness": portrait.similarity}


def _restored(pair: RestoredPair) -> dict:
    height, width = pair.before.shape[:2]
    return {
        "before": _picture(pair.before, LARGE),
        "after": _picture(pair.after, LARGE),
        "width": width,
        "height": height,
        "places": pair.places.round(1).tolist(),
        "likeness": list(pair.likeness),
    }


def _css(colour: tuple[int, int, int]) -> str:
    return "rgb({},{},{})".format(*colour)


def _picture(pixels: np.ndarray, longest: int) -> str:
    """A picture, (H, W, 3) uint8 sRGB, no larger than that, as a JPEG in the document itself."""
    scale = longest / max(pixels.shape[:2])
    if scale < 1:
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    quality = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    encoded = cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]), quality)[1]
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def _cut_out(pixels: np.ndarray) -> str:
    """A picture with opacity, (H, W, 4) uint8, as a WebP in the document itself."""
    bgra = np.ascontiguousarray(pixels[..., [2, 1, 0, 3]])
    encoded = cv2.imencode(".webp", bgra, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])[1]
    return "data:image/webp;base64," + base64.b64encode(encoded.tobytes()).decode()
