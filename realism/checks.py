"""Step 1: say of every photo whether a person can be learned from it, and why not.

A photo alone: is there one face, large, sharp, well lit and turned to the camera? Then the
set: copies of one picture, and pictures of somebody else. Nothing is mended; every refusal
has a sentence and a number, and the owner may overrule it where there is a face.

Sharpness: gradients at a fine scale over those at a coarse one, which noise and contrast hardly
change (after Elder and Zucker, "Local scale control for edge detection", PAMI 1998).
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from realism.config import CHECK
from realism.errors import Message, as_written, message_from_json, message_to_json
from realism.faces.engine import Engine
from realism.faces.face import Face, eye_centres, similarity
from realism.faces.mesh import FACE_OVAL, roll_angle, upright_crop, upright_extent
from realism.images import Photo, to_linear

SET_CODES = ("duplicate", "other_person", "two_people")
SHARPNESS_SIDE = 192  # px of the face's crop in which sharpness is measured
COPY_SIDE = 64  # px of the crops that are compared for copies
AROUND = 3.5  # face sizes; the reach of the wider of the two


@dataclass(frozen=True)
class Reason:
    """Why a photo was refused, or advice on one that was not.

    code     reasons: unreadable too_large no_face several_faces small_face blurred too_dark
             blown_out turned duplicate other_person; advice: bystanders soft dim strong_turn
             two_people
    message  the sentence for the owner, with the numbers
    value    what was measured, and limit, what was asked for; None where there is no number
    """

    code: str
    message: Message
    value: float | None = None
    limit: float | None = None

    @property
    def text(self) -> str:
        """The sentence in English."""
        return self.message.text()


def reason_to_json(reason: Reason) -> dict:
    """{"code", "text", "message", "value", "limit"}: the English text is for people who look."""
    return {
        "code": reason.code,
        "text": reason.text,
        "message": message_to_json(reason.message),
        "value": reason.value,
        "limit": reason.limit,
    }


def reason_from_json(stored: dict) -> Reason:
    """The Reason of `reason_to_json`; an old file's, which has no message, as it was written."""
    try:
        message = message_from_json(stored["message"])
    except (KeyError, TypeError):
        message = as_written(stored["text"])
    return Reason(stored["code"], message, stored["value"], stored["limit"])


@dataclass(frozen=True, eq=False)
class Verdict:
    """What the check says of one photo.

    name        of the photo
    usable      there is no reason against it
    reasons     against it; notes are advice only
    face        the subject, or None: then it cannot be accepted by hand either
    measures    faces, face_width px, sharpness, light L*, blown 0..1, yaw degrees
    """

    name: str
    usable: bool
    reasons: tuple[Reason, ...]
    notes: tuple[Reason, ...]
    face: Face | None
    measures: dict[str, float]


def check_photo(photo: Photo, engine: Engine) -> Verdict:
    """Judge one photo by itself."""
    faces = engine.find(photo.pixels)
    if not faces:
        reason = Reason("no_face", Message("no_face"), 0.0, 1.0)
        return Verdict(photo.name, False, (reason,), (), None, {})
    face = faces[0]
    measures = measure(photo.pixels, face) | {"faces": float(len(faces))}
    if len(faces) > 1:
        measures["times_larger"] = faces[0].area / faces[1].area
    reasons, notes = _reasons(measures), _notes(measures)
    return Verdict(photo.name, not reasons, tuple(reasons), tuple(notes), face, measures)


def measure(pixels: np.ndarray, face: Face) -> dict[str, float]:
    """Width px, sharpness, light L*, blown share 0..1 and yaw degrees of one face."""
    skin = _in_oval(pixels, face)
    luminance = to_linear(skin) @ np.float32([0.2126, 0.7152, 0.0722])
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


def sharpness(pixels: np.ndarray, face: Face) -> float:
    """How much steeper the steepest edges of the face are at a fine scale than at a coarse one.

    -> a ratio: about 1 when out of focus, 2 and more when sharp; the same for every face size,
       since the face is brought to one size first
    """
    fine, coarse = (_steepest(_look(pixels, face, 1.0, SHARPNESS_SIDE)[0], s) for s in (0.8, 3.2))
    return float(fine / max(coarse, 1e-6))


def _steepest(grey: np.ndarray, scale: float) -> float:
    blurred = cv2.GaussianBlur(grey, (0, 0), scale)
    across, down = (cv2.Sobel(blurred, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    return float(np.percentile(np.hypot(across, down), 99))


def _in_oval(pixels: np.ndarray, face: Face) -> np.ndarray:
    """The pixels inside the face's outline, (n, 3) uint8."""
    mask = np.zeros(pixels.shape[:2], np.uint8)
    cv2.fillPoly(mask, [face.mesh[FACE_OVAL, :2].round().astype(np.int32)], 1)
    inside = pixels[mask > 0]
    return inside if len(inside) else np.zeros((1, 3), np.uint8)


def _look(pixels, face, reach: float, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The upright face in grey, `reach` face sizes in `side` px, and where there is picture."""
    roll = roll_angle(eye_centres(face.mesh))
    centre, extent = upright_extent(face.mesh, roll)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    # The second channel is turned along, and is 0 outside the picture.
    layers = np.dstack([grey, np.full_like(grey, 255), grey])
    crop, _ = upright_crop(layers, centre, extent * reach, roll, side)
    return crop[..., 0].astype(np.float32), crop[..., 1] > 250


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


def check_set(photos: list[Photo], verdicts: list[Verdict], engine: Engine) -> list[Verdict]:
    """Judge photos against each other: adds near-duplicates and another person.

    photos, verdicts    of photos with a face, in the owner's order; verdicts of `check_photo`
    ->                  verdicts in the same order; of copies the first usable one is kept
    """
    judged = _without_copies(photos, verdicts)
    return _without_strangers(judged, engine)


def _without_copies(photos: list[Photo], verdicts: list[Verdict]) -> list[Verdict]:
    kept: list[tuple[Verdict, list]] = []
    judged = []
    for photo, verdict in zip(photos, verdicts, strict=True):
        if verdict.face is None or not verdict.usable:
            judged.append(verdict)
            continue
        looks = [_look(photo.pixels, verdict.face, reach, COPY_SIDE) for reach in (1.0, AROUND)]
        for first, first_looks in kept:
            alike = _copy_likeness(verdict.face, looks, first.face, first_looks)
            if alike is not None:
                message = Message("duplicate", other=first.name, alike=alike)
                reason = Reason("duplicate", message, alike, CHECK.same_face)
                verdict = _refused(verdict, reason)
                break
        else:
            kept.append((verdict, looks))
        judged.append(verdict)
    return judged


def _copy_likeness(face: Face, looks: list, other: Face, other_looks: list) -> float | None:
    """How alike two pictures' faces are, 0..1, when one is a copy of the other; else None.

    A copy may be saved again, resized, slightly cropped, lighter or darker. Another moment of
    a burst differs in the face, another crop of life in what is round it.
    """
    if shape_difference(face.mesh, other.mesh) > CHECK.same_shape:
        return None
    near, around = (
        _correlation(one, another) for one, another in zip(looks, other_looks, strict=True)
    )
    copied = near >= CHECK.same_face and around >= CHECK.same_picture
    return near if copied else None


def shape_difference(mesh: np.ndarray, other: np.ndarray) -> float:
    """RMS distance of two meshes' points over the face's width, after shift, turn and scaling."""
    # As complex numbers, turn and scaling are one factor, and least squares gives it.
    one, another = (
        points[:, 0] + 1j * points[:, 1] for points in (mesh - mesh.mean(0), other - other.mean(0))
    )
    factor = np.vdot(another, one) / np.vdot(another, another)
    return float(np.sqrt(np.mean(np.abs(one - factor * another) ** 2)) / np.ptp(one.real))


def _correlation(look: tuple, other: tuple) -> float:
    """Correlation of two looks where both show picture, after a slight blur."""
    both = look[1] & other[1]
    if both.sum() < 2:
        return 0.0
    one, another = (cv2.GaussianBlur(grey, (0, 0), 1.0)[both] for grey in (look[0], other[0]))
    one, another = one - one.mean(), another - another.mean()
    return float(one @ another / max(np.linalg.norm(one) * np.linalg.norm(another), 1e-6))


def _without_strangers(verdicts: list[Verdict], engine: Engine) -> list[Verdict]:
    at = [index for index, verdict in enumerate(verdicts) if verdict.usable and verdict.face]
    if len(at) < 2:
        return verdicts
    cosines, limit = similarity_to_others(
        [verdicts[i].face.embedding for i in at], engine.same_person
    )
    strangers = [i for i, cosine in zip(at, cosines, strict=True) if cosine < limit]
    mixed = len(strangers) >= CHECK.two_people * len(at)
    judged = list(verdicts)
    for index, cosine in zip(at, cosines, strict=True):
        if cosine < limit:
            message = Message("other_person", likeness=cosine, least=limit)
            if mixed:
                others, of = len(strangers), len(at)
                message = Message(
                    "one_of_many_others", likeness=cosine, least=limit, others=others, photos=of
                )
            judged[index] = _refused(judged[index], Reason("other_person", message, cosine, limit))
        elif mixed:
            message = Message("two_people", others=len(strangers), photos=len(at))
            advice = Reason("two_people", message, float(len(strangers)), float(len(at)))
            judged[index] = replace(judged[index], notes=(*judged[index].notes, advice))
    return judged


def similarity_to_others(
    embeddings: list[np.ndarray], same_person: float
) -> tuple[list[float], float]:
    """How like the person each photo is, and from where on it counts as the person.

    embeddings     n unit vectors, n >= 2
    same_person    the engine's cosine for pairs, the yardstick where the set has none of its own
    ->             each photo's cosine to the centre of the others that belong together, and the
                   limit: a share of what is usual in this set
    """
    vectors = np.stack(embeddings)
    alike = vectors @ vectors.T
    # Start from the photo whose nearest half is closest, and that half: as long as most photos
    # are of one person, all of it is.
    half = len(vectors) // 2 + 1
    nearest = np.argsort(-alike, axis=1)[:, :half]
    start = np.argmax(np.take_along_axis(alike, nearest, 1).mean(1))
    members = np.zeros(len(vectors), bool)
    members[nearest[start]] = True
    lowest = same_person / 2  # below it even the start is no set of one person
    for _ in range(3):
        total = vectors[members].sum(0)
        centres = total - vectors * members[:, None]
        norms = np.maximum(np.linalg.norm(centres, axis=1), 1e-6)
        cosines = (vectors * centres).sum(1) / norms
        limit = max(CHECK.own_share * float(np.median(cosines[members])), lowest)
        if not (cosines >= limit).any():
            break
        members = cosines >= limit
    return [float(cosine) for cosine in cosines], limit


def _refused(verdict: Verdict, reason: Reason) -> Verdict:
    return replace(verdict, usable=False, reasons=(*verdict.reasons, reason))


def photo_to_photo(embeddings: list[np.ndarray]) -> list[float]:
    """Each photo's cosine with the best of the others: the scale portraits are read on.

    embeddings    of the accepted photos
    ->            as many numbers; 1 for a photo that is alone, its cosine to itself
    """
    return [
        max([similarity(one, other) for j, other in enumerate(embeddings) if j != i] or [1.0])
        for i, one in enumerate(embeddings)
    ]
