"""A face cut out of its picture and brought to the size at which finders look."""

from dataclasses import dataclass

import cv2
import numpy as np

from realism.faces.face import Face


@dataclass(frozen=True)
class Finder:
    """The embedded finder of marks; set on ../shared/data/marked-people (`benchmarks.marks`)."""

    span: int = 600  # px from ear to ear: a mole of 1 mm is then 8 px wide
    sigmas: tuple[float, ...] = (1.5, 2.1, 3.0, 4.2, 6.0, 8.5)  # px there: radii of 0.5-3 mm
    margin: int = 8  # px there, about 2 mm: no mark so close to the skin's edge
    around: float = 25.0  # px there: how far the usual strength of skin is averaged
    noise: float = 0.004  # log units; keeps flat renders from making noise a mark
    candidates: int = 80  # strongest dips looked at closely
    even_odds: float = 25.0  # strength of a dip that is as likely a mark as not
    brown: float = 0.6  # red and blue dip over green's; below it blood, not melanin
    deep: float = 0.145  # log units; a mole darkens red by more, a spot by less
    threshold: float = 0.5  # least score of a mark


FINDER = Finder()


@dataclass(frozen=True, eq=False)
class View:
    """A face cut out and brought to the finder's size.

    log_light   (h, w, 3) float32, log of the picture's values, R G B
    skin        (h, w) float32, 0..1
    origin      (2,) px of the picture at the view's (0, 0)
    scale       view px per picture px
    """

    log_light: np.ndarray
    skin: np.ndarray
    origin: np.ndarray
    scale: float

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """(n, 2) view px to picture px."""
        # Pixel centres: resizing keeps the corners, not the centres, in place.
        return (np.asarray(points) + 0.5) / self.scale - 0.5 + self.origin


def face_span(face: Face) -> float:
    """Width of the face from ear to ear, px, whatever its turn."""
    return float(np.linalg.norm(face.mesh[454] - face.mesh[234]))


def view_of(pixels: np.ndarray, face: Face, skin: np.ndarray, finder: Finder = FINDER) -> View:
    """The face cut out with its forehead and brought to `finder.span` px from ear to ear."""
    span = face_span(face)
    scale = finder.span / span
    low = face.mesh[:, :2].min(0) - span * np.array([0.08, 0.25])
    high = face.mesh[:, :2].max(0) + span * 0.08
    height, width = pixels.shape[:2]
    x0, y0 = np.clip(np.floor(low), 0, [width - 2, height - 2]).astype(int)
    x1, y1 = np.clip(np.ceil(high), [x0 + 2, y0 + 2], [width, height]).astype(int)
    size = (round((x1 - x0) * scale), round((y1 - y0) * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    cut = cv2.resize(pixels[y0:y1, x0:x1].astype(np.float32), size, interpolation=how)
    # +6: below it 8-bit steps and sensor noise would count as deep dips.
    log_light = np.log(np.clip(cut, 0, 255) + 6).astype(np.float32)
    own_skin = cv2.resize(skin[y0:y1, x0:x1].astype(np.float32), size)
    return View(log_light, own_skin, np.array([x0, y0]), size[0] / (x1 - x0))


FACE = 150.0  # mm from ear to ear, as the finder has it
