"""Whether a mark can be put at a place of the portrait, and what keeps it from there."""

import numpy as np

from realism.errors import Message
from realism.faces.face import Face
from realism.faces.features import feature_at
from realism.faces.occluders import Occluders
from realism.faces.skin import LEAST_SKIN

LEAST_FACING = 0.12  # cosine; skin turned away further shows no mark
LEAST_ON_SKIN = 0.3  # share of a mark that lies on skin where its middle does not
PULLED_IN = 3.0  # mm beside the face's outline: by so much heads are wrong, and marks are moved


def off_backdrop(
    to: np.ndarray, skin: np.ndarray, backdrop: np.ndarray, mm_per_px: float
) -> np.ndarray:
    """A place just beside the face's outline moved onto the skin there.

    Parameters
    ----------
    to : (2,) px
    skin : (H, W), 0..1
        Where marks may be put.
    backdrop : (H, W) bool
        Where nobody is seen.
    mm_per_px : float

    Returns
    -------
    (2,) px
        As it was where it is no backdrop, or no skin is near.
    """
    height, width = skin.shape
    x, y = round(to[0]), round(to[1])
    if not (0 <= x < width and 0 <= y < height) or not backdrop[y, x]:
        return to
    most = PULLED_IN / mm_per_px
    reach = int(most) + 1
    left, top = max(x - reach, 0), max(y - reach, 0)
    rows, columns = np.nonzero(skin[top : y + reach + 1, left : x + reach + 1] >= LEAST_SKIN)
    on_skin = np.stack([columns + left, rows + top], 1)
    away = np.linalg.norm(on_skin - to, axis=1)
    return on_skin[away.argmin()] if away.size and away.min() <= most else to


def find_obstacle(
    to: np.ndarray,
    facing: float,
    hidden: bool,
    face: Face,
    skin: np.ndarray,
    occluders: Occluders | None = None,
    radius: float = 0.0,
) -> Message | None:
    """Why nothing can be put at a point of the portrait.

    Parameters
    ----------
    to : (2,) px
    facing : float
        Cosine between the skin and the line of sight there.
    hidden : bool
        Whether another part of the head lies in front.
    face : Face
    skin : (H, W), 0..1
        Where marks may be put.
    occluders : Occluders, optional
        What lies over the face there.
    radius : float, px
        Of a round mark: it can be put where a part of it lies on skin.

    Returns
    -------
    Message or None
        None when it can.
    """
    height, width = skin.shape
    x, y = round(to[0]), round(to[1])
    if not (0 <= x < width and 0 <= y < height):
        return Message("outside_picture")
    if facing < LEAST_FACING or hidden:
        return Message("hidden_by_turn")
    reach = round(radius)
    under = skin[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
    if skin[y, x] < LEAST_SKIN and (under >= LEAST_SKIN).mean() < LEAST_ON_SKIN:
        over = occluders.hidden_by(x, y) if occluders else ""
        feature = "" if over == "hidden_by_glasses" else feature_at(to, face)
        return Message(feature or over or "off_skin")
    return None
