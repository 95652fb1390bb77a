"""What of a face a photo does not show: cut off by its edge, behind glasses, a mask or a hand.

The mesh goes on where the picture ends, so that the share of it outside is what was cut off; a
face cut through the middle is squeezed into the picture instead, its outline along the edge.
"""

import cv2
import numpy as np

from realism.checks.verdict import Reason
from realism.errors import Message
from realism.faces.covers import LEAST_CHANCE
from realism.faces.face import Face
from realism.faces.features import CORE, EYES, fill_outlines
from realism.faces.mesh import FACE_OVAL
from realism.faces.occluders import Occluders
from realism.images import LUMINANCE, to_linear

# Set on photographs and renders, whole (0.000 of 60) and cut by 15 to 50 % of the face's box.
MOST_CUT = 0.08  # of the face's outline outside the picture, above which it is refused
LEAST_CUT = 0.005  # from which it is said
AT_EDGE = 0.01  # of the face's width: nearer to the edge a point of the outline lies on it
MOST_AT_EDGE = 12  # of the 36 points of the outline; a face with its chin cut off has 6 to 11
# Light of the eyes' bright tenth over the cheeks' (open eyes from 0.15; behind black glasses up to
# 0.09), and over their own dark tenth (from 2.4; up to 1.4).
DARK_EYE, EVEN_EYE = 0.12, 1.8
LEAST_EYE = 12  # px; a smaller eye is not judged
MOST_COVERED = 0.12  # of the face within its outline, above which it is refused
LEAST_COVERED = 0.02  # from which it is said
LEAST_LETTERED = 0.004  # of it


def cut_share(face: Face, width: int, height: int) -> float:
    """The share of the face's outline that lies outside the picture, 0..1.

    Parameters
    ----------
    face : Face
    width, height : int, px
        Of the picture.
    """
    outline = face.mesh[FACE_OVAL, :2].astype(np.float32)
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    area = cv2.contourArea(cv2.convexHull(outline))
    inside, _ = cv2.intersectConvexConvex(cv2.convexHull(outline), frame)
    return float(1 - inside / max(area, 1e-6))


def points_at_edge(face: Face, width: int, height: int) -> int:
    """How many of the 36 points of the face's outline lie on the picture's edge or outside.

    Parameters
    ----------
    face : Face
    width, height : int, px
        Of the picture.
    """
    outline, near = face.mesh[FACE_OVAL, :2], AT_EDGE * face.width
    beyond = (outline < near) | (outline > np.array([width, height]) - near)
    return int(beyond.any(1).sum())


def eyes_are_dark(pixels: np.ndarray, face: Face) -> bool:
    """Whether both eyes are as black and even as behind sunglasses.

    Parameters
    ----------
    pixels : np.ndarray, (H, W, 3) uint8 sRGB
    face : Face
    """
    points, shape = face.mesh[:, :2], pixels.shape[:2]
    light = to_linear(pixels) @ LUMINANCE
    cheeks = light[fill_outlines(CORE, points, shape) > 0]
    if not len(cheeks):
        return False
    usual = max(float(np.median(cheeks)), 1e-4)
    for outline in EYES:
        eye = light[fill_outlines([outline], points, shape) > 0]
        if len(eye) < LEAST_EYE:
            return False
        dark, bright = np.percentile(eye, [10, 90])
        if bright > DARK_EYE * usual or bright > EVEN_EYE * max(dark, 1e-4):
            return False
    return True


def share_of_face(chance: np.ndarray, face: Face) -> float:
    """The share of the face, inside its outline, where a chance (H, W) is over a half; 0..1."""
    inside = fill_outlines([FACE_OVAL], face.mesh[:, :2], chance.shape) > 0
    return float((chance[inside] > LEAST_CHANCE).mean()) if inside.any() else 0.0


def find_hidden(
    pixels: np.ndarray, face: Face, occluders: Occluders
) -> tuple[list[Reason], list[Reason], dict[str, float]]:
    """Judge whether the photo shows the whole face.

    Parameters
    ----------
    pixels : np.ndarray, (H, W, 3) uint8 sRGB
    face : Face
    occluders : Occluders
        Of that face.

    Returns
    -------
    reasons, notes : list of Reason
        Against the photo, and advice only.
    measures : dict of str to float
        Shares of the face, 0..1: cut, outside the picture; covered, behind something; lettered,
        under words.
    """
    height, width = pixels.shape[:2]
    cut = cut_share(face, width, height)
    reasons, notes = [], []
    if cut > MOST_CUT or points_at_edge(face, width, height) > MOST_AT_EDGE:
        reasons.append(Reason("cut_off", Message("cut_off"), cut, MOST_CUT))
    elif cut > LEAST_CUT:
        notes.append(Reason("slightly_cut_off", Message("slightly_cut_off"), cut, LEAST_CUT))
    covered, lettered = (share_of_face(c, face) for c in (occluders.covered, occluders.lettered))
    if covered > MOST_COVERED:
        message = Message("covered", share=covered)
        reasons.append(Reason("covered", message, covered, MOST_COVERED))
    elif covered > LEAST_COVERED:
        message = Message("slightly_covered", share=covered)
        notes.append(Reason("slightly_covered", message, covered, LEAST_COVERED))
    if lettered > LEAST_LETTERED:
        notes.append(Reason("lettered", Message("lettered"), lettered, LEAST_LETTERED))
    if eyes_are_dark(pixels, face):
        reasons.append(Reason("eyes_hidden", Message("eyes_hidden")))
    elif occluders.glasses.any() and covered <= MOST_COVERED:  # the rim of a mask is no glasses
        notes.append(Reason("glasses", Message("glasses")))
    return reasons, notes, {"cut": cut, "covered": covered, "lettered": lettered}
