"""Letters for pictures: Pillow's own font, and for Chinese a small one that ships with the program.

Names may be of any script; what neither font can write is looked for among the system's fonts.
"""

from functools import cache

from PIL import ImageFont

from realism.config import ASSETS

CHINESE = ASSETS / "fonts" / "poster-zh.otf"  # the words of the presentation and the poster
# By the names under which systems have them: Linux, Windows, macOS.
SYSTEM_FONTS = (
    "NotoSansCJK-Regular.ttc", "SourceHanSansSC-Regular.otf", "wqy-microhei.ttc", "msyh.ttc",
    "simhei.ttf", "PingFang.ttc", "Hiragino Sans GB.ttc", "Arial Unicode.ttf", "DejaVuSans.ttf",
)  # fmt: skip
NO_CHARACTER = "\uffff"  # what a font draws for it stands for all that it cannot write

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def font_for(text: str, size: int) -> Font | None:
    """A font that can write all of `text` in letters of `size` px; None where there is none."""
    for name in ("", str(CHINESE), *SYSTEM_FONTS):
        probe = _font(name, 32)
        if probe is not None and all(_writes(name, letter) for letter in set(text)):
            return _font(name, size)
    return None


@cache
def _font(name: str, size: int) -> Font | None:
    """A font by its file's name, "" for Pillow's own; None where it is not here."""
    if not name:
        return ImageFont.load_default(size)
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


@cache
def _writes(name: str, letter: str) -> bool:
    font = _font(name, 32)
    assert font is not None
    return letter.isspace() or bytes(font.getmask(letter)) != bytes(font.getmask(NO_CHARACTER))
