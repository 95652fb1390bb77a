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
from typing import cast
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from realism import __version__
from realism.config import ASSETS

# The visible notice on a portrait, where it is asked for.
LABEL_HEIGHT = 0.055  # of the shorter side; GB 45438-2025 asks for 0.05 at least
PLATE_DARKNESS = 0.55  # darkness behind the letters: readable on white and black

XMP = "XML:com.adobe.xmp"
PARAMETERS_KEY = "Realism"
SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
GENERATED = SOURCES + "trainedAlgorithmicMedia"
COMPOSITE = SOURCES + "compositeWithTrainedAlgorithmicMedia"
NOTICE = "AI-generated image"

LABELS = {False: "AI-generated", True: "AI生成"}  # by whether it is Chinese
# Pillow's own font has no Chinese: a subset of Noto Sans CJK of just these characters.
CHINESE_FONT = ASSETS / "fonts" / "label-zh.otf"


def provenance_entries(
    parameters: Mapping, pixels: np.ndarray, source: str = GENERATED
) -> dict[str, str]:
    """The text entries of a PNG that shows what a machine made.

    Parameters
    ----------
    parameters : mapping
        How it was made, plain JSON values; its "seed", "prompt", "base" and so on are also written
        one by one, so that any program shows them.
    pixels : (H, W, 3) uint8 sRGB
        What the number of this production is taken from.
    source : str
        GENERATED, or COMPOSITE where pixels of photographs were put in.

    Returns
    -------
    dict of str to str
        Keyword of the PNG's text entry to its text.
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

    Parameters
    ----------
    info : mapping
        The entries of the portrait before, {} for one of another generator.
    pixels : (H, W, 3) uint8 sRGB
        The restored portrait.
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

    Parameters
    ----------
    pixels : (H, W, 3) uint8 sRGB
        Not changed.
    chinese : bool
        In which language.

    Returns
    -------
    (H, W, 3) uint8 sRGB
        Capitals are LABEL_HEIGHT of the shorter side high.
    """
    height = int(np.ceil(LABEL_HEIGHT * min(pixels.shape[:2])))
    label = _label_mask(height, chinese)
    pad = height // 3
    picture = Image.fromarray(pixels)
    right, bottom = picture.width - pad, picture.height - pad
    left, top = right - label.width - 2 * pad, bottom - label.height - 2 * pad
    plate = Image.new("L", picture.size, 0)
    ImageDraw.Draw(plate).rounded_rectangle(
        (left, top, right, bottom), pad, int(255 * PLATE_DARKNESS)
    )
    picture.paste((0, 0, 0), mask=plate)
    picture.paste((255, 255, 255), (left + pad, top + pad), label)
    return np.asarray(picture)


def _label_mask(height: int, chinese: bool) -> Image.Image:
    """The notice as a mask as large as its ink, its capitals `height` px high."""

    def font(size: float) -> ImageFont.FreeTypeFont:
        if chinese:
            return ImageFont.truetype(str(CHINESE_FONT), size)
        return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))  # as it is with a size

    # How much of a font's size its capitals take differs from font to font: found by drawing.
    _, top, _, foot = font(100).getbbox("A")
    sized = font(100 * height / (foot - top))
    left, top, right, foot = map(int, sized.getbbox(LABELS[chinese], anchor="ls"))
    mask = Image.new("L", (right - left, foot - top))
    ImageDraw.Draw(mask).text((-left, -top), LABELS[chinese], 255, sized, anchor="ls")
    return mask
