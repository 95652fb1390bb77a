"""Judge the photos of a set against each other: copies, other people, stretched ones.

Who the person is the set says itself: the centre of the embeddings of most photos, found from its
densest half, so that a third of strangers does not move it.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from realism.checks.sharpness import upright_grey
from realism.checks.traces import STRAIGHT
from realism.checks.verdict import Reason, Verdict
from realism.errors import Message
from realism.faces.engine import OTHER_PERSON, Engine
from realism.faces.face import Face, similarity
from realism.images import Photo

# Set on renders and photographs (`python -m benchmarks.check`).
SAME_SHAPE = 0.008  # mesh difference over the face's width; copies to 0.006
SAME_FACE = 0.995  # correlation of face crops; copies from 0.997
SAME_PICTURE = 0.92  # correlation round the face; copies from 0.93
# Of the person's own median cosine to their centre; own photos from 0.54, strangers' to 0.1 on
# renders, 0.59 on photographs.
OWN_SHARE = 0.5
MIXED = 0.4  # share of others from which the set counts as of two people
SET_CODES = (
    "duplicate",
    "other_person",
    "two_people",
    "shape_unlike_others",
    "smoother_than_others",
)
LEAST_OTHERS = 3  # photos that say what is usual for the person
MOST_UNLIKE = 1.12  # width over height of the head against the usual; a person's own to 1.06
# Texture of the skin against the usual of as sharp photos: a person's own from 0.75, of the same
# face made younger 0.54 and 0.64; after a bilateral filter of middle strength 0.28 to 0.64.
LEAST_TEXTURE_SHARE = 0.6
AS_SHARP = 0.85  # of the usual sharpness: softer photos have less texture for that reason
COPY_SIDE = 64  # px of the crops that are compared for copies
AROUND = 3.5  # face sizes; the reach of the wider of the two


def check_set(photos: list[Photo], verdicts: list[Verdict], engine: Engine) -> list[Verdict]:
    """Judge photos against each other: adds near-duplicates and another person.

    Parameters
    ----------
    photos : list of Photo
        In the owner's order.
    verdicts : list of Verdict
        Of `check_photo`, one a photo.
    engine : Engine

    Returns
    -------
    list of Verdict
        In the same order; of copies the first usable one is kept.
    """
    judged = _refuse_strangers(_refuse_copies(photos, verdicts), engine)
    return _note_smoother(_note_unlike_shapes(judged))


def _refuse_copies(photos: list[Photo], verdicts: list[Verdict]) -> list[Verdict]:
    kept: list[_Crops] = []
    judged = []
    for photo, verdict in zip(photos, verdicts, strict=True):
        if verdict.face is None or not verdict.usable:
            judged.append(verdict)
            continue
        crops = _Crops.cut(photo, verdict.face)
        for first in kept:
            correlation = _copy_correlation(crops, first)
            if correlation is not None:
                message = Message("duplicate", other=first.name, alike=correlation)
                reason = Reason("duplicate", message, correlation, SAME_FACE)
                verdict = _refuse(verdict, reason)
                break
        else:
            kept.append(crops)
        judged.append(verdict)
    return judged


@dataclass(frozen=True, eq=False)
class _Crops:
    """What two photos are compared by: the mesh, and `upright_grey` of the face and round it."""

    name: str
    mesh: np.ndarray
    near: tuple[np.ndarray, np.ndarray]
    around: tuple[np.ndarray, np.ndarray]

    @classmethod
    def cut(cls, photo: Photo, face: Face) -> "_Crops":
        near, around = (
            upright_grey(photo.pixels, face, reach, COPY_SIDE) for reach in (1.0, AROUND)
        )
        return cls(photo.name, face.mesh, near, around)


def _copy_correlation(crops: _Crops, other: _Crops) -> float | None:
    """Correlation of two pictures' faces, 0..1, when one is a copy of the other; else None.

    A copy may be saved again, resized, slightly cropped, lighter or darker. Another moment of
    a burst differs in the face, another crop of life in what is round it.
    """
    if shape_difference(crops.mesh, other.mesh) > SAME_SHAPE:
        return None
    near = _correlation(crops.near, other.near)
    copied = near >= SAME_FACE and _correlation(crops.around, other.around) >= SAME_PICTURE
    return near if copied else None


def shape_difference(mesh: np.ndarray, other: np.ndarray) -> float:
    """How differently two meshes are shaped, after shift, turn and scaling.

    Parameters
    ----------
    mesh, other : np.ndarray, (468, 2 or more) px

    Returns
    -------
    float
        RMS distance of their points over the face's width.
    """
    # As complex numbers, turn and scaling are one factor, and least squares gives it.
    shape, second = (
        points[:, 0] + 1j * points[:, 1] for points in (mesh - mesh.mean(0), other - other.mean(0))
    )
    factor = np.vdot(second, shape) / np.vdot(second, second)
    return float(np.sqrt(np.mean(np.abs(shape - factor * second) ** 2)) / np.ptp(shape.real))


def _correlation(
    crop: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]
) -> float:
    """Correlation of two crops of `upright_grey` where both show picture, after a slight blur."""
    both = crop[1] & other[1]
    if both.sum() < 2:
        return 0.0
    values, second = (cv2.GaussianBlur(grey, (0, 0), 1.0)[both] for grey in (crop[0], other[0]))
    values, second = values - values.mean(), second - second.mean()
    norms = np.linalg.norm(values) * np.linalg.norm(second)
    return float(values @ second / max(float(norms), 1e-6))


def _refuse_strangers(verdicts: list[Verdict], engine: Engine) -> list[Verdict]:
    faces = {
        index: verdict.face
        for index, verdict in enumerate(verdicts)
        if verdict.usable and verdict.face is not None
    }
    if len(faces) < 2:
        return verdicts
    at = list(faces)
    embeddings = [face.embedding for face in faces.values()]
    cosines, limit = similarity_to_others(embeddings, engine.same_person)
    strangers = [i for i, cosine in zip(at, cosines, strict=True) if cosine < limit]
    mixed = len(strangers) >= MIXED * len(at)
    judged = list(verdicts)
    for index, cosine in zip(at, cosines, strict=True):
        if cosine < limit:
            message = Message("other_person", likeness=cosine, least=limit)
            if mixed:
                others, of = len(strangers), len(at)
                message = Message(
                    "one_of_many_others", likeness=cosine, least=limit, others=others, photos=of
                )
            judged[index] = _refuse(judged[index], Reason("other_person", message, cosine, limit))
        elif mixed:
            message = Message("two_people", others=len(strangers), photos=len(at))
            advice = Reason("two_people", message, float(len(strangers)), float(len(at)))
            judged[index] = replace(judged[index], notes=(*judged[index].notes, advice))
    return judged


def _note_unlike_shapes(verdicts: list[Verdict]) -> list[Verdict]:
    """Advice on photos that were stretched, which the person's others tell best."""
    straight = [
        "width_over_height" in verdict.measures and abs(verdict.measures["yaw"]) <= STRAIGHT
        for verdict in verdicts
    ]
    shapes = [
        verdict.measures["width_over_height"]
        for verdict, judged in zip(verdicts, straight, strict=True)
        if judged and verdict.usable
    ]
    if len(shapes) <= LEAST_OTHERS:
        return verdicts
    usual, noted = float(np.median(shapes)), []
    for verdict, judged in zip(verdicts, straight, strict=True):
        if judged and not any(note.code == "stretched" for note in verdict.notes):
            ratio = verdict.measures["width_over_height"] / usual
            unlike = max(ratio, 1 / max(ratio, 1e-6))
            if unlike > MOST_UNLIKE:
                message = Message("shape_unlike_others", more=unlike - 1)
                advice = Reason("shape_unlike_others", message, unlike, MOST_UNLIKE)
                verdict = replace(verdict, notes=(*verdict.notes, advice))
        noted.append(verdict)
    return noted


def _note_smoother(verdicts: list[Verdict]) -> list[Verdict]:
    """Advice on photos whose skin is smoother than the person's is, though edges are as sharp.

    A mild beauty filter stays above the limit of one photo alone.
    """
    measured = [v.measures for v in verdicts if v.usable and "texture" in v.measures]
    if len(measured) <= LEAST_OTHERS:
        return verdicts
    usual, sharp = (
        float(np.median([m[name] for m in measured])) for name in ("texture", "sharpness")
    )
    noted = []
    for verdict in verdicts:
        measures, codes = verdict.measures, {note.code for note in verdict.notes}
        share = measures.get("texture", usual) / max(usual, 1e-6)
        as_sharp = measures.get("sharpness", 0.0) > AS_SHARP * sharp
        if share < LEAST_TEXTURE_SHARE and as_sharp and "smoothed" not in codes:
            message = Message("smoother_than_others", share=share)
            advice = Reason("smoother_than_others", message, share, LEAST_TEXTURE_SHARE)
            verdict = replace(verdict, notes=(*verdict.notes, advice))
        noted.append(verdict)
    return noted


def similarity_to_others(
    embeddings: list[np.ndarray], same_person: float
) -> tuple[list[float], float]:
    """How like the person of a set each of its photos is.

    Parameters
    ----------
    embeddings : list of np.ndarray
        n unit vectors, n >= 2.
    same_person : float
        The engine's cosine for pairs, the yardstick where the set has none of its own.

    Returns
    -------
    cosines : list of float
        Of each photo to the centre of the others that belong together.
    limit : float
        From which a photo counts as the person's: a share of what is usual in this set.
    """
    vectors = np.stack(embeddings)
    similarities = vectors @ vectors.T
    # Start from the photo whose nearest half is closest, and that half: as long as most photos
    # are of one person, all of it is.
    half = len(vectors) // 2 + 1
    nearest = np.argsort(-similarities, axis=1)[:, :half]
    start = np.argmax(np.take_along_axis(similarities, nearest, 1).mean(1))
    members = np.zeros(len(vectors), bool)
    members[nearest[start]] = True
    lowest = OTHER_PERSON * same_person  # below it even the start is no set of one person
    cosines, limit = np.zeros(len(vectors)), lowest
    for _ in range(3):
        total = vectors[members].sum(0)
        centres = total - vectors * members[:, None]
        norms = np.maximum(np.linalg.norm(centres, axis=1), 1e-6)
        cosines = (vectors * centres).sum(1) / norms
        limit = max(OWN_SHARE * float(np.median(cosines[members])), lowest)
        if not (cosines >= limit).any():
            break
        members = cosines >= limit
    return [float(cosine) for cosine in cosines], limit


def _refuse(verdict: Verdict, reason: Reason) -> Verdict:
    return replace(verdict, usable=False, reasons=(*verdict.reasons, reason))


def photo_to_photo(embeddings: list[np.ndarray]) -> list[float]:
    """Each photo's cosine with the best of the others: the scale portraits are read on.

    Parameters
    ----------
    embeddings : list of np.ndarray
        Of the accepted photos.

    Returns
    -------
    list of float
        One a photo; 1 for a photo that is alone, its cosine to itself.
    """
    return [
        max(
            (similarity(own, other) for n, other in enumerate(embeddings) if n != number),
            default=1.0,
        )
        for number, own in enumerate(embeddings)
    ]
