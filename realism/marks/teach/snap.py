"""Move a person's click to the mark that was meant.

whale-anno shows a picture 400 px wide, so a click is off by up to 1/400 of its width, and a
hand adds about a millimetre. Near the click the darkest round blob in the light is looked for
(the weaker curvature of the log-light over several scales, as the finder does), nearer ones
first; its scale gives the radius that a click lacks. Where there is none the click stays.
Wrinkles stay as well: a click is one place on a line.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from realism.marks.find.blobs import MARK_GREY, MARK_SIZE, round_curvature
from realism.marks.find.crop import BLACK, FACE_SPAN_MM
from realism.marks.mark import Wrinkle

PX_PER_MM = 4.0  # at which blobs are looked for: a mole of 1 mm is 8 px wide
SIGMAS = (1.5, 2.1, 3.0, 4.2, 6.0, 8.5)  # px there; radii of 0.5 to 3 mm
HAND_MISS = 1.5  # mm; how far a hand misses
DISPLAY_WIDTH = 400  # px; at which whale-anno shows a picture
LEAST_RESPONSE = 0.006  # log units; a shallower dip is skin, not a mark
USUAL_RADIUS = 1.2  # mm; of a mark whose size is not known


@dataclass(frozen=True, eq=False)
class Click:
    """One annotated mark: where the person clicked, and where the mark is.

    Attributes
    ----------
    kind : str
        One of KINDS.
    clicked_xy : (2,) float32 ndarray, px
        As annotated.
    xy : (2,) float32 ndarray, px
        Of the dark blob nearby; `clicked_xy` where there is none.
    radius : float, px
        Estimated from the blob.
    is_snapped : bool
        Whether a blob was found.
    """

    kind: str
    clicked_xy: np.ndarray
    xy: np.ndarray
    radius: float
    is_snapped: bool

    @property
    def is_wrinkle(self) -> bool:
        """Whether a wrinkle was annotated: then the click is a point of its course."""
        return self.kind == Wrinkle.kind

    @property
    def offset(self) -> float:
        """How far the mark lies from the click, px."""
        return float(np.hypot(*(self.xy - self.clicked_xy)))


def snap_click(pixels: np.ndarray, kind: str, clicked_xy: np.ndarray, span: float) -> Click:
    """The mark that a click means.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 ndarray, sRGB
        The whole picture, since its width says how coarse clicks are.
    kind : str
        One of KINDS.
    clicked_xy : (2,) ndarray, px
    span : float, px
        From ear to ear.
    """
    clicked_xy = np.asarray(clicked_xy, np.float32)
    px_per_mm = span / FACE_SPAN_MM
    unmoved = Click(kind, clicked_xy, clicked_xy, USUAL_RADIUS * px_per_mm, False)
    if unmoved.is_wrinkle:
        return unmoved
    reach = HAND_MISS * px_per_mm + 0.5 * pixels.shape[1] / DISPLAY_WIDTH
    light, origin, scale = _light_around(pixels, clicked_xy, reach, PX_PER_MM / px_per_mm)
    if min(light.shape) < 8:
        return unmoved
    response, sigma = round_curvature(light, SIGMAS)
    ys, xs = np.mgrid[: light.shape[0], : light.shape[1]]
    places = np.stack([xs, ys], -1) / scale + origin
    away = np.linalg.norm(places - clicked_xy, axis=-1)
    peak = (response >= cv2.dilate(response, np.ones((5, 5)))) & (away <= reach)
    # A blob at the end of the reach must be twice as deep as one under the click.
    nearness = np.exp2(-((away / reach) ** 2))
    row, column = np.unravel_index(np.where(peak, response * nearness, -1).argmax(), peak.shape)
    if not peak[row, column] or response[row, column] < LEAST_RESPONSE:
        return unmoved
    radius = MARK_SIZE * float(sigma[row, column]) / scale
    return Click(kind, clicked_xy, places[row, column].astype(np.float32), radius, True)


def _light_around(
    pixels: np.ndarray, middle: np.ndarray, reach: float, scale: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Log-light around a place, enlarged by `scale`; px of its (0, 0); the scale."""
    height, width = pixels.shape[:2]
    # Beyond the reach, so that a blob at its end is seen whole.
    half = reach + 2 * SIGMAS[-1] / scale
    x0, y0 = np.clip(np.floor(middle - half), 0, [width - 1, height - 1]).astype(int)
    x1, y1 = np.clip(np.ceil(middle + half) + 1, [x0 + 1, y0 + 1], [width, height]).astype(int)
    cut = pixels[y0:y1, x0:x1].astype(np.float32) @ MARK_GREY
    size = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    cut = cv2.resize(np.log(np.clip(cut, 0, 255) + BLACK), size, interpolation=how)
    # Resizing keeps the corners in place, not the pixels' centres.
    return cut, np.array([x0, y0]) + 0.5 / scale - 0.5, scale
