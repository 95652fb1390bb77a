"""Judge a photo alone: is there one face, whole, large, sharp, well lit, turned to the camera?"""

import cv2
import numpy as np

from realism.checks.hidden import find_hidden
from realism.checks.sharpness import sharpness
from realism.checks.traces import find_traces
from realism.checks.verdict import Reason, Verdict
from realism.config import CHECK
from realism.errors import Message
from realism.faces.engine import Engine
from realism.faces.face import Face
from realism.faces.mesh import FACE_OVAL
from realism.faces.occluders import find_occluders
from realism.faces.skin import skin_mask
from realism.images import LUMINANCE, Photo, to_linear


def check_photo(photo: Photo, engine: Engine, faces: list[Face] | None = None) -> Verdict:
    """Judge one photo by itself.

    Parameters
    ----------
    photo : Photo
    engine : Engine
    faces : list of Face, optional
        All of it, largest first; None looks for them.

    Returns
    -------
    Verdict
    """
    if faces is None:
        faces = engine.find(photo.pixels)
    if not faces:
        reason = Reason("no_face", Message("no_face"), 0.0, 1.0)
        return Verdict(photo.name, False, (reason,), (), None, {})
    face = faces[0]
    measures = measure(photo.pixels, face) | {"faces": float(len(faces))}
    if len(faces) > 1:
        measures["times_larger"] = faces[0].area / faces[1].area
    occluders = find_occluders(photo.pixels, face)
    hidden, partly_hidden, shares = find_hidden(photo.pixels, face, occluders)
    skin = skin_mask(photo.pixels, face, occluders)
    traces, changes = find_traces(photo.pixels, face, skin)
    measures |= shares | changes
    reasons = [*_reasons(measures), *hidden]
    notes = [*_notes(measures), *partly_hidden, *traces]
    return Verdict(photo.name, not reasons, tuple(reasons), tuple(notes), face, measures)


def measure(pixels: np.ndarray, face: Face) -> dict[str, float]:
    """The `Verdict.measures` of one face.

    Parameters
    ----------
    pixels : np.ndarray, (H, W, 3) uint8 sRGB
    face : Face

    Returns
    -------
    dict of str to float
        face_width px, sharpness (a ratio), light L* of the brighter tenth, blown 0..1, yaw degrees.
    """
    skin = _in_oval(pixels, face)
    luminance = to_linear(skin) @ LUMINANCE
    # The brighter tenth, not the middle: dark skin in good light has bright parts, too.
    bright = np.percentile(luminance, 90)
    light = 116 * np.cbrt(bright) - 16 if bright > 0.0089 else 903.3 * bright
    # Two channels at their end: the colour of the skin is lost there.
    blown = float((np.sort(skin, axis=1)[:, 1] >= 250).mean())
    return {
        "face_width": face.width,
        "sharpness": sharpness(pixels, face),
        "light": float(light),
        "blown": blown,
        "yaw": face.pose.yaw,
    }


def _in_oval(pixels: np.ndarray, face: Face) -> np.ndarray:
    """The pixels inside the face's outline, (n, 3) uint8."""
    mask = np.zeros(pixels.shape[:2], np.uint8)
    cv2.fillPoly(mask, [face.mesh[FACE_OVAL, :2].round().astype(np.int32)], 1)
    inside = pixels[mask > 0]
    return inside if len(inside) else np.zeros((1, 3), np.uint8)


def _reasons(measures: dict[str, float]) -> list[Reason]:
    found = []
    larger = measures.get("times_larger", np.inf)
    if larger < CHECK.clearly_largest:
        message = Message("several_faces", faces=measures["faces"])
        found.append(Reason("several_faces", message, measures["faces"], 1.0))
    if measures["face_width"] < CHECK.min_face_width:
        width, least = measures["face_width"], CHECK.min_face_width
        message = Message("small_face", width=width, least=least)
        found.append(Reason("small_face", message, width, float(least)))
    if measures["light"] < CHECK.min_light:
        message = Message("too_dark", light=measures["light"], least=CHECK.min_light)
        found.append(Reason("too_dark", message, measures["light"], CHECK.min_light))
    if measures["blown"] > CHECK.max_blown:
        message = Message("blown_out", blown=measures["blown"], most=CHECK.max_blown)
        found.append(Reason("blown_out", message, measures["blown"], CHECK.max_blown))
    if measures["sharpness"] < CHECK.min_sharpness:
        sharp, least = measures["sharpness"], CHECK.min_sharpness
        message = Message("blurred", sharpness=sharp, least=least)
        found.append(Reason("blurred", message, sharp, least))
    if abs(measures["yaw"]) > CHECK.max_turn:
        turn = abs(measures["yaw"])
        message = Message("turned", turn=turn, most=CHECK.max_turn)
        found.append(Reason("turned", message, turn, CHECK.max_turn))
    return found


def _notes(measures: dict[str, float]) -> list[Reason]:
    found = []
    larger = measures.get("times_larger", 0.0)
    if larger >= CHECK.clearly_largest:
        message = Message("bystanders", faces=measures["faces"], larger=larger)
        found.append(Reason("bystanders", message, larger, CHECK.clearly_largest))
    if CHECK.min_sharpness <= measures["sharpness"] < CHECK.good_sharpness:
        message = Message("soft", sharpness=measures["sharpness"])
        found.append(Reason("soft", message, measures["sharpness"], CHECK.good_sharpness))
    if CHECK.min_light <= measures["light"] < CHECK.good_light:
        message = Message("dim", light=measures["light"])
        found.append(Reason("dim", message, measures["light"], CHECK.good_light))
    if CHECK.strong_turn < abs(measures["yaw"]) <= CHECK.max_turn:
        turn = abs(measures["yaw"])
        message = Message("strong_turn", turn=turn)
        found.append(Reason("strong_turn", message, turn, CHECK.strong_turn))
    return found
