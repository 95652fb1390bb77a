"""What a portrait says of itself: how it was made, and that a machine made it.

Three readers are served: people and `exiftool` by plain PNG entries; this program by one JSON entry
from which the portrait can be made again; and the labelling rules by an XMP packet with the AIGC
field of GB 45438-2025 (keys as in the guide TC260-PG-20258A) and IPTC's digital source type. On
request the notice is also written into a corner of the picture.

XMP in PNG: ISO 16684-1 and the iTXt keyword XML:com.adobe.xmp. IPTC: cv.iptc.org/newscodes.
"""

import hashlib
import json
from collections.abc import Mapping
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from realism import __version__

# The visible notice on a portrait, where it is asked for.
LABEL_HEIGHT = 0.055  # of the shorter side; GB 45438-2025 asks for 0.05 at least
PLATE_DARKNESS = 0.55  # darkness behind the letters: readable on white and black

XMP = "XML:com.adobe.xmp"
PARAMETERS_KEY = "Realism"
SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
GENERATED = SOURCES + "trainedAlgorithmicMedia"
COMPOSITE = SOURCES + "compositeWithTrainedAlgorithmicMedia"
NOTICE = "AI-generated image"

# The strokes of two characters on a square of 100, drawn as lines: Pillow's own font has none.
STROKES = {
    "生": (
        ((30, 8), (22, 30), (10, 46)),
        ((22, 28), (88, 28)),
        ((52, 4), (52, 92)),
        ((20, 58), (84, 58)),
        ((6, 92), (96, 92)),
    ),
    "成": (
        ((18, 24), (92, 24)),
        ((18, 24), (18, 56), (6, 94)),
        ((18, 46), (44, 46), (42, 74), (32, 72)),
        ((56, 4), (60, 44), (74, 76), (92, 94), (95, 74)),
        ((84, 40), (70, 68), (46, 92)),
        ((72, 6), (84, 14)),
    ),
}


def provenance_entries(
    parameters: Mapping, pixels: np.ndarray, source: str = GENERATED
) -> dict[str, str]:
    """The text entries of a PNG that shows what a machine made.

    parameters    how it was made, plain JSON values; its "seed", "prompt", "base" and so on are
                  also written one by one, so that any program shows them
    pixels    (H, W, 3) uint8, what the number of this production is taken from
    source    GENERATED, or COMPOSITE where pixels of photographs were put in
    """
    aigc = json.dumps(
        {
            "Label": "1",  # generated, beyond doubt
            "ContentProducer": f"Realism {__version__}",
            "ProduceID": hashlib.sha256(pixels.tobytes()).hexdigest()[:32],
            "ReservedCode1": "",
            "ContentPropagator": "",
            "PropagateID": "",
            "ReservedCode2": "",
        }
    )
    plain = {
        key.replace("_", " ").capitalize(): value if isinstance(value, str) else json.dumps(value)
        for key, value in parameters.items()
        if value not in (None, "", (), [])
    }
    return {
        "Description": NOTICE,
        "Software": f"Realism {__version__}",
        **plain,
        "AIGC": aigc,
        PARAMETERS_KEY: json.dumps(parameters, ensure_ascii=False),
        XMP: _packet(aigc, source),
    }


def restored_entries(info: Mapping[str, str], pixels: np.ndarray) -> dict[str, str]:
    """The entries of a portrait after marks from photographs were put back into it.

    info    the entries of the portrait before, {} for one of another generator
    """
    try:
        parameters = json.loads(info.get(PARAMETERS_KEY, "{}"))
    except json.JSONDecodeError:
        parameters = {}  # another program's entry of that name
    if not isinstance(parameters, dict):
        parameters = {}
    return {**info, **provenance_entries({**parameters, "restored": True}, pixels, COMPOSITE)}


def _packet(aigc: str, source: str) -> str:
    """An XMP packet with the AIGC field and the digital source type."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about=""'
        ' xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/">'
        f"<TC260:AIGC>{escape(aigc, {chr(34): '&quot;'})}</TC260:AIGC>"
        f"<Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>"
        f"<xmp:CreatorTool>Realism {__version__}</xmp:CreatorTool>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>\n"
        '<?xpacket end="w"?>'
    )


def with_visible_label(pixels: np.ndarray, chinese: bool = False) -> np.ndarray:
    """The picture with "AI-generated" or "AI生成" in its lower right corner.

    pixels    (H, W, 3) uint8, not changed
    ->        (H, W, 3) uint8; the letters are LABEL_HEIGHT of the shorter side high
    """
    height = int(np.ceil(LABEL_HEIGHT * min(pixels.shape[:2])))
    words = _words(height, chinese)
    pad = height // 3
    picture = Image.fromarray(pixels)
    right, bottom = picture.width - pad, picture.height - pad
    left, top = right - words.width - 2 * pad, bottom - words.height - 2 * pad
    plate = Image.new("L", picture.size, 0)
    ImageDraw.Draw(plate).rounded_rectangle(
        (left, top, right, bottom), pad, int(255 * PLATE_DARKNESS)
    )
    picture.paste((0, 0, 0), mask=plate)
    picture.paste((255, 255, 255), (left + pad, top + pad), words)
    return np.asarray(picture)


def _words(height: int, chinese: bool) -> Image.Image:
    """The notice as a mask of exactly `height` px from the top of its letters to their foot."""
    latin = "AI" if chinese else "AI-generated"
    # Capitals of Pillow's own font stand 0.7 of its size; found by drawing, since fonts differ.
    font = ImageFont.load_default(100)
    _, top, _, foot = font.getbbox("A")
    font = ImageFont.load_default(100 * height / (foot - top))
    left, top, right, _ = font.getbbox(latin, anchor="ls")
    below = font.getbbox(latin, anchor="ls")[3]
    gap = height // 8
    width = right - left + (2 * (height + gap) if chinese else 0)
    words = Image.new("L", (int(width), height + int(max(below, 0))))
    draw = ImageDraw.Draw(words)
    draw.text((-left, height), latin, 255, font, anchor="ls")
    x = right - left + gap
    for strokes in STROKES.values() if chinese else ():
        for stroke in strokes:
            points = [(x + px * height / 100, py * (height - 1) / 100) for px, py in stroke]
            draw.line(points, 255, max(1, height // 11), joint="curve")
        x += height + gap
    return words
