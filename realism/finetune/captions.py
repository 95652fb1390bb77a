"""What a crop shows, as its caption: turn, expression, light, colour, framing, backdrop.

What a caption names is not learned as the person, so it names what varies between photos. The
clauses and their order are those of the embedded base's captions (`data_sets/captions.py`),
plain enough for any base.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from realism.checks.traces import LEAST_COLOUR, colour_spread
from realism.faces.face import Face
from realism.images import to_linear


@dataclass(frozen=True)
class Cropping:
    """How photos are cut and described for the fine-tune.

    The limits on light and expression were set on assets/people against the renderer's truth.
    """

    # name in captions; height of the face over the frame's side; how far the frame's centre lies
    # below the face's, over the side. As a portrait is framed.
    framings: tuple[tuple[str, float, float], ...] = (
        ("head and shoulders", 0.50, 0.06),
        ("close-up", 0.70, -0.03),
    )
    skin: float = 0.6  # of the face's height: less than that is skin, not a face
    skin_from: int = 512  # px of the base; smaller ones made portraits of skin alone
    repeats: int = 3  # framings for each time that skin from near comes by
    distinct: float = 0.9  # a crop whose side is nearer to the last one's is left out
    backdrop: float = 0.15  # loss weight off the head; 0 leaves seams round the hair
    face: float = 1.3  # loss weight on the face; hair and neck have 1
    front: float = 8.5  # degrees of yaw below which a face is called front
    open_mouth: float = 0.1  # opening over width of the mouth
    smile: float = 0.565  # width and lift of the mouth over the eyes' distance
    neutral: float = 0.545  # below it no smile; between the two nothing is stated
    cheek: float = 0.05  # of the face's width: reach of the patch measured there
    soft_light: float = 0.6  # stops between the cheeks
    hard_light: float = 1.35  # stops
    dim: float = 104  # mean grey level, 0-255: the darkest 15 % of the renders
    bright: float = 168  # the brightest 15 %
    backdrop_side: int = 256  # px, width at which the backdrop is looked at
    least_backdrop: float = 0.03  # of the photo: less tells nothing
    plain: float = 6.0  # deviation of 8-bit L, a, b, summed
    shapes: float = 0.7  # 8-bit L per px, 90th percentile of the slope


CROPPING = Cropping()
# Of heads that `faces.align` cut: darkest and brightest as `training/pocket/words.py` calls them.
ALIGNED = Cropping(dim=85, bright=150)


def cropping_key(cropping: Cropping = CROPPING) -> str:
    """A name for these settings, part of what tells an unfinished run from another.

    In the names of the first release: a run that it began goes on.
    """
    return repr(cropping).replace("Cropping(", "Crops(", 1).replace("repeats=", "often=", 1)


# Mesh points of MediaPipe's canonical head.
CHEEKS = (50, 280)  # middle of the person's right and left cheek
LIPS = (13, 14)  # middle of the upper and lower lip, inside
MOUTH_CORNERS = (61, 291)
EYE_CORNERS = (33, 263)  # outer
MIDLINE = (10, 152)  # top of the forehead, chin


def describe_crop(
    photo: np.ndarray,
    crop: np.ndarray,
    head: np.ndarray,
    face: Face,
    framing: str,
    cropping: Cropping,
) -> str:
    """What a crop shows, clauses parted by commas.

    Parameters
    ----------
    photo, crop : (H, W, 3) uint8 sRGB
        The whole photo and the square cut from it.
    head : (H, W) float32, 0..1
        The photo's head mask.
    face : Face
        In the photo.
    framing : str
        Name of the crop's framing.
    cropping : Cropping
        Where the limits lie.
    """
    clauses = (
        describe_expression(face, cropping),
        describe_turn(face, cropping),
        describe_light(photo, face, cropping),
        describe_exposure(crop, cropping),
        describe_colour(photo, face),
        framing,
        describe_backdrop(photo, head, cropping),
    )
    return ", ".join(clause for clause in clauses if clause)


def describe_colour(photo: np.ndarray, face: Face) -> str:
    """That a photo has no colour or one tint, so that it is not learned as the person's."""
    return "black and white" if colour_spread(photo, face) < LEAST_COLOUR else ""


def describe_turn(face: Face, cropping: Cropping = CROPPING) -> str:
    """Where the head turns, as seen in the picture."""
    if abs(face.pose.yaw) < cropping.front:
        return "front"
    return f"turned to image {'right' if face.pose.yaw > 0 else 'left'}"


def describe_expression(face: Face, cropping: Cropping = CROPPING) -> str:
    """Mouth open, a smile, neither, or "" between: the mesh does not tell finer ones safely."""
    mesh = face.mesh
    mouth = float(np.linalg.norm(mesh[MOUTH_CORNERS[0]] - mesh[MOUTH_CORNERS[1]]))
    eyes = float(np.linalg.norm(mesh[EYE_CORNERS[0]] - mesh[EYE_CORNERS[1]]))
    opening = float(np.linalg.norm(mesh[LIPS[0]] - mesh[LIPS[1]])) / mouth
    up = mesh[MIDLINE[0]] - mesh[MIDLINE[1]]
    raised = (mesh[list(MOUTH_CORNERS)] - mesh[list(LIPS)]).mean(0) @ up / np.linalg.norm(up)
    shape = (mouth + 2 * raised) / eyes
    smiling = shape > cropping.smile
    if opening > cropping.open_mouth:
        return "open smile" if smiling else "surprise"
    if smiling:
        return "smile"
    return "neutral expression" if shape < cropping.neutral else ""


def describe_light(pixels: np.ndarray, face: Face, cropping: Cropping = CROPPING) -> str:
    """How unevenly the two cheeks are lit, in the whole photo (H, W, 3) uint8 sRGB."""
    linear = []
    for cheek in CHEEKS:
        x, y = face.mesh[cheek, :2].astype(int)
        reach = max(1, round(face.width * cropping.cheek))
        patch = pixels[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
        linear.append(float(to_linear(patch).mean()) + 1e-3 if patch.size else np.nan)
    stops = abs(np.log2(linear[0] / linear[1]))
    if np.isnan(stops):
        return ""
    if stops > cropping.hard_light:
        return "hard side light"
    return "soft window light" if stops > cropping.soft_light else "overcast light"


def describe_exposure(pixels: np.ndarray, cropping: Cropping = CROPPING) -> str:
    """Whether the crop (H, W, 3) uint8 sRGB as a whole is dim or bright."""
    grey = float(pixels.mean())
    return "dim" if grey < cropping.dim else "bright" if grey > cropping.bright else ""


def describe_backdrop(pixels: np.ndarray, head: np.ndarray, cropping: Cropping = CROPPING) -> str:
    """Plain, a gradient, or something with shapes in it; "" where too little is seen of it.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 sRGB
        The whole photo.
    head : (H, W) float32, 0..1
        Its head mask.
    """
    # At one size, so that the slopes of a large photo and a small one compare.
    width = cropping.backdrop_side
    height = round(width * len(pixels) / len(pixels[0]))
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    behind = cv2.resize(head, (width, height), interpolation=cv2.INTER_AREA) < 0.05
    behind = cv2.erode(behind.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    behind[height // 2 :] = False  # clothes
    if behind.mean() < cropping.least_backdrop:
        return ""
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    smooth = cv2.GaussianBlur(lab, (0, 0), 1.5)
    if float(smooth[behind].std(0).sum()) < cropping.plain:
        return "plain background"
    across, down = (cv2.Sobel(smooth[..., 0], -1, *way) / 8 for way in ((1, 0), (0, 1)))
    busy = float(np.percentile(np.hypot(across, down)[behind], 90)) > cropping.shapes
    return "shapes background" if busy else "gradient background"
