"""Traces of what was done to a picture before it came here, and what each of them costs.

None of them is a reason against a photo: what it still shows is learned. Each is said, since it
explains marks that are not found, or colours and proportions that are not the person's.
"""

import cv2
import numpy as np

from realism.checks.sharpness import edge_ratio, upright_grey
from realism.checks.verdict import Reason
from realism.errors import Message
from realism.faces.face import Face, eye_centres
from realism.faces.mesh import (
    POSE_POINTS,
    canonical_head,
    roll_angle,
    upright_crop,
    upright_extent,
)
from realism.images import luma

# Limits set on 28 renders and 60 generated photographs, and on copies of them that were changed.
# Spread of a and b (CIELAB) that the lightness does not explain: 4.1 and more in colour, 1.0 to
# 1.7 in sepia, up to 0.03 in black and white.
LEAST_COLOUR = 2.5
COLOUR_SIDE = 128  # px
# Step at every eighth column and row over that between: up to 2.9, at quality 20 from 4.2.
MOST_BLOCKY = 4.0
# `edge_ratio` in the picture's own size: 1.54 and more, of pictures enlarged five times to 1.46.
LEAST_DETAIL = 1.5
DETAIL_WIDTH = (400, 768)  # px of the face: in smaller ones the check's own sharpness says it
# Median fine contrast of the skin, log units: 0.003 and more, after smoothing down to 0.001.
LEAST_TEXTURE = 0.002
TEXTURE_SIDE = 384  # px of the face's crop
TEXTURE_SIGMAS = 0.8, 2.4  # px; of pores and down
LEAST_SKIN_PIXELS = 500
BLACK = 8.0  # of 255, added before the logarithm
# Width over height of the head against the mean head's: 0.84 to 1.18 in faces up to 30 degrees.
MOST_STRETCHED = 1.22
STRAIGHT = 30.0  # degrees of yaw up to which it is judged


def colour_spread(pixels: np.ndarray, face: Face) -> float:
    """How much of the colour about the face its lightness does not explain.

    Parameters
    ----------
    pixels : np.ndarray, (H, W, 3) uint8 sRGB
    face : Face

    Returns
    -------
    float, CIELAB units
        Near 0 for black and white or one tint.
    """
    height, width = pixels.shape[:2]
    margin = 0.2 * face.width
    low = np.clip(face.box[:2] - margin, 0, [width - 1, height - 1]).astype(int)
    high = np.clip(face.box[2:] + margin, low + 1, [width, height]).astype(int)
    crop = pixels[low[1] : high[1], low[0] : high[0]]
    small = cv2.resize(crop, (COLOUR_SIDE, COLOUR_SIDE), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    terms = np.vander(lab[:, 0] / 100, 4)
    tint, *_ = np.linalg.lstsq(terms, lab[:, 1:], rcond=None)
    return float(np.hypot(*(lab[:, 1:] - terms @ tint).std(0)))


def blockiness(pixels: np.ndarray) -> float:
    """How much larger the steps between JPEG's blocks of 8 px are than those inside.

    Parameters
    ----------
    pixels : np.ndarray, (H, W, 3) uint8 sRGB
        Cut anywhere, but not scaled since.

    Returns
    -------
    float
        About 1.5 for a good picture; the smaller of both directions.
    """
    grey = luma(pixels).astype(np.float32)
    ratios = []
    for lines in (grey, grey.T):
        step = np.abs(np.diff(lines, axis=1))
        if step.shape[1] < 3 * 8:
            return 1.0
        rise = np.maximum(step[:, 1:-1] - (step[:, :-2] + step[:, 2:]) / 2, 0).mean(0)
        phases = rise[: len(rise) // 8 * 8].reshape(-1, 8).mean(0)
        ratios.append(phases.max() / max(float(np.median(phases)), 1e-6))
    return float(min(ratios))


def own_detail(pixels: np.ndarray, face: Face) -> float | None:
    """`edge_ratio` of the face in the picture's own size; None where it is too small to tell."""
    if face.width < DETAIL_WIDTH[0]:
        return None
    grey, _ = upright_grey(pixels, face, 1.0, round(min(face.width, DETAIL_WIDTH[1])))
    return edge_ratio(grey)


def skin_texture(pixels: np.ndarray, face: Face, skin: np.ndarray) -> float | None:
    """Median fine contrast of the skin.

    Parameters
    ----------
    pixels : np.ndarray, (H, W, 3) uint8 sRGB
    face : Face
    skin : np.ndarray, (H, W) float32, 0..1

    Returns
    -------
    float, log units of luma, or None
        The same for every face size; None where little skin is seen.
    """
    roll = roll_angle(eye_centres(face.mesh))
    centre, extent = upright_extent(face.mesh, roll)
    layers = np.dstack([luma(pixels), (skin * 255).astype(np.uint8)])
    crop, _ = upright_crop(np.dstack([layers, layers[..., :1]]), centre, extent, roll, TEXTURE_SIDE)
    seen = crop[..., 1] > 0.9 * 255
    if seen.sum() < LEAST_SKIN_PIXELS:
        return None
    light = np.log(crop[..., 0].astype(np.float32) + BLACK)
    fine, coarse = (cv2.GaussianBlur(light, (0, 0), sigma) for sigma in TEXTURE_SIGMAS)
    return float(np.median(np.abs(fine - coarse)[seen]))


def width_over_height(face: Face) -> float:
    """How much wider the head is than the mean head of that height, under the same turn.

    An affine camera sees a rigid head at the same scale across and down; the stretch of a picture
    is what is left. Shapes of heads differ by 10 % of it.
    """
    head = canonical_head()[POSE_POINTS].astype(np.float64) * [1, -1, -1]
    seen = face.mesh[POSE_POINTS, :2].astype(np.float64)
    camera, *_ = np.linalg.lstsq(head - head.mean(0), seen - seen.mean(0), rcond=None)
    across, down = np.linalg.norm(camera, axis=0)
    return float(across / max(down, 1e-9))


def find_traces(
    pixels: np.ndarray, face: Face, skin: np.ndarray
) -> tuple[list[Reason], dict[str, float]]:
    """What was done to a picture, as advice.

    Parameters
    ----------
    pixels : np.ndarray, (H, W, 3) uint8 sRGB
    face : Face
    skin : np.ndarray, (H, W) float32, 0..1

    Returns
    -------
    notes : list of Reason
        no_colour, compressed, enlarged, smoothed, stretched.
    measures : dict of str to float
        colour_spread, blockiness, width_over_height; texture and detail where they can be told.
    """
    spread, blocks, shape = colour_spread(pixels, face), blockiness(pixels), width_over_height(face)
    measures = {"colour_spread": spread, "blockiness": blocks, "width_over_height": shape}
    notes = []
    if spread < LEAST_COLOUR:
        notes.append(Reason("no_colour", Message("no_colour"), spread, LEAST_COLOUR))
    if blocks > MOST_BLOCKY:
        notes.append(Reason("compressed", Message("compressed"), blocks, MOST_BLOCKY))
    detail = own_detail(pixels, face)
    if detail is not None:
        measures["detail"] = detail
        if detail < LEAST_DETAIL:
            notes.append(Reason("enlarged", Message("enlarged"), detail, LEAST_DETAIL))
    texture = skin_texture(pixels, face, skin)
    if texture is not None:
        measures["texture"] = texture
        if texture < LEAST_TEXTURE:
            notes.append(Reason("smoothed", Message("smoothed"), texture, LEAST_TEXTURE))
    stretched = max(shape, 1 / max(shape, 1e-6))
    if abs(face.pose.yaw) <= STRAIGHT and stretched > MOST_STRETCHED:
        message = Message("stretched", more=stretched - 1)
        notes.append(Reason("stretched", message, stretched, MOST_STRETCHED))
    return notes, measures
