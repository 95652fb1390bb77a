"""Photos to what the fine-tune sees: square crops, their captions, and what counts in each.

Each photo gives several crops: head and shoulders, a close-up, and skin at the photo's own
resolution where that is finer than both. Skin comes by less often and under another caption, and a
small base gets none: its portraits show no skin from so near, and it takes the one for the other.
A base that knows heads at one place only (`Preset.aligned`) gets them there, shifted by a little.
Nothing is mirrored, since faces and their marks are not symmetric. A caption names what this crop
shows and others do not (framing, turn, expression, light, backdrop): what is named is not learned
as the person. The loss counts the head fully and the backdrop little; beyond the photo's border it
counts nothing.

Captions that vary, soft head masks, no flips: see the reports gathered in kohya-ss/sd-scripts
PR 236 and huggingface/diffusers issue 5160.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from realism.faces.align import aligned_crop
from realism.faces.face import Face
from realism.faces.head_mask import head_mask
from realism.finetune.captions import (
    ALIGNED,
    CHEEKS,
    CROPPING,
    Cropping,
    cropping_key,
    describe_crop,
    describe_exposure,
    describe_light,
)
from realism.images import Photo

# Caption of skin at the photo's own resolution. No word of it names a framing: pocket then mixes
# the two up, and portraits from near became skin.
SKIN = "skin"
# Of aligned heads, x and y in 256ths of the side: as far as `training/pocket/latents.py` shifts.
SHIFTS = ((0, 0), (2, -3), (-2, 3))


def crops_key(aligned: bool) -> str:
    """A name for how photos are cut: a run of other crops is another run."""
    return f"aligned {SHIFTS} {cropping_key(ALIGNED)}" if aligned else cropping_key()


@dataclass(frozen=True, eq=False)
class TrainingCrop:
    """One square crop of a photo, ready for a base.

    Attributes
    ----------
    photo : str
        The photo's name.
    pixels : (R, R, 3) uint8 sRGB
        R the base's resolution.
    weight : (R, R) float32
        How much the loss counts a pixel: 0 beyond the photo's border.
    caption : str
        What it shows.
    repeats : int
        How many times a round through all crops comes by it.
    """

    photo: str
    pixels: np.ndarray
    weight: np.ndarray
    caption: str
    repeats: int = 1


def crop_photo(
    photo: Photo,
    face: Face,
    subject: str,
    resolution: int,
    given_caption: str = "",
    cropping: Cropping = CROPPING,
    aligned: bool = False,
) -> list[TrainingCrop]:
    """The crops of one photo.

    Parameters
    ----------
    photo, face : Photo, Face
        The photo, and the face it shows.
    subject : str
        Who it shows, in the caption: "ohwx woman", "a person".
    resolution : int
        px, side of the crops.
    given_caption : str
        A caption that came with the picture, used instead of what is measured.
    cropping : Cropping
        How to cut and describe.
    aligned : bool
        Only the head, where `faces.align` puts it, and shifted a little: of a base that knows
        heads nowhere else.
    """
    head = head_mask(photo.pixels, face)
    if aligned:
        return [
            _make_aligned_crop(photo, face, head, shift, subject, resolution, given_caption)
            for shift in SHIFTS
        ]
    frames = _frames(photo.pixels.shape, face, resolution, cropping)
    return [
        _make_crop(photo, face, head, frame, subject, resolution, given_caption, cropping)
        for frame in frames
    ]


@dataclass(frozen=True)
class _Frame:
    """A square of a photo: its upper left corner and side, px, and its name in captions."""

    x0: int
    y0: int
    side: int
    name: str


def _frames(shape: tuple, face: Face, resolution: int, cropping: Cropping) -> list[_Frame]:
    """Squares round a face, from wide to narrow, none upscaled where the photo can do without.

    They lie inside the photo, so that no smeared border is learned.
    """
    short = min(shape[:2])
    centre, face_height = face_extent(face)
    frames = []
    for _, share, lower in cropping.framings:
        # Never less of the photo than the base has pixels: that would be upscaling.
        side = round(min(max(face_height / share, resolution), short))
        if not frames or side < frames[-1].side * cropping.distinct:
            # The photo may not allow the share that was wanted: named after what it became.
            name = min(
                cropping.framings, key=lambda framing: abs(np.log(framing[1] * side / face_height))
            )[0]
            frames.append(_frame(shape, centre + np.array([0, lower * side]), side, name))
    # While eyes, nose and mouth are in it, the crop at the photo's own scale is one more close-up.
    name = SKIN if resolution < cropping.skin * face_height else cropping.framings[-1][0]
    distinguishable = name != SKIN or resolution >= cropping.skin_from
    if distinguishable and resolution < frames[-1].side * cropping.distinct:
        frames.append(_frame(shape, _skin_centre(face, resolution), resolution, name))
    return frames


def _frame(shape: tuple, centre: np.ndarray, side: int, name: str) -> _Frame:
    """The square of `side` round `centre`, moved into the photo."""
    room = np.array([shape[1], shape[0]]) - side
    x0, y0 = np.clip(np.round(centre - side / 2), 0, room).astype(int)
    return _Frame(int(x0), int(y0), side, name)


def face_extent(face: Face) -> tuple[np.ndarray, float]:
    """Middle of the face from hairline to chin, and its height.

    Returns
    -------
    centre : (2,) float32
        px.
    height : float
        px.

    Notes
    -----
    The mesh ends below the hairline and, in a turned face, at the seen outline: the constants are
    the medians of what the renderer's truth of assets/people says beside the mesh.
    """
    low, high = face.mesh[:, :2].min(0), face.mesh[:, :2].max(0)
    height = 1.29 * max(high[1] - low[1], 1.1 * (high[0] - low[0]))
    shift = np.array([-0.13 * np.sin(np.radians(face.pose.yaw)), -0.03]) * height
    return (low + high) / 2 + shift, float(height)


def _skin_centre(face: Face, side: int) -> np.ndarray:
    """Where to look at skin from near: the cheek that faces the camera, kept inside the face."""
    # A face that turns to the image's right shows the cheek on the image's left: its right one.
    cheek = face.mesh[CHEEKS[0] if face.pose.yaw > 0 else CHEEKS[1], :2]
    low, high = face.box[:2] + side / 2, face.box[2:] - side / 2
    return np.where(low < high, np.clip(cheek, low, high), (face.box[:2] + face.box[2:]) / 2)


def _make_crop(
    photo: Photo,
    face: Face,
    head: np.ndarray,
    frame: _Frame,
    subject: str,
    resolution: int,
    given_caption: str,
    cropping: Cropping,
) -> TrainingCrop:
    pixels = _cut(photo.pixels, frame, resolution)
    weight = _cut(_photo_weight(face, head, cropping), frame, resolution)
    skin = frame.name == SKIN
    if given_caption:
        caption = f"{SKIN}, {given_caption}" if skin else f"{given_caption}, {frame.name}"
    elif skin:
        light = describe_light(photo.pixels, face, cropping)
        clauses = (f"{SKIN} of {subject}", light, describe_exposure(pixels, cropping))
        caption = ", ".join(filter(None, clauses))
    else:
        clauses = describe_crop(photo.pixels, pixels, head, face, frame.name, cropping)
        caption = f"photo portrait of {subject}, {clauses}"
    repeats = 1 if skin else cropping.repeats
    return TrainingCrop(photo.name, pixels, weight.astype(np.float32), caption, repeats)


def _make_aligned_crop(
    photo: Photo,
    face: Face,
    head: np.ndarray,
    shift: tuple[int, int],
    subject: str,
    resolution: int,
    given_caption: str,
) -> TrainingCrop:
    margin = max(abs(s) for pair in SHIFTS for s in pair) * resolution // 256
    crop, matrix = aligned_crop(photo.pixels, face, resolution, margin)
    x, y = (margin + s * resolution // 256 for s in shift)
    pixels = crop[y : y + resolution, x : x + resolution]
    weight = cv2.warpAffine(
        _photo_weight(face, head, ALIGNED), matrix - np.array([[0, 0, x], [0, 0, y]]),
        (resolution, resolution), flags=cv2.INTER_AREA,
    )  # fmt: skip
    clauses = describe_crop(photo.pixels, pixels, head, face, "", ALIGNED)
    caption = given_caption or f"photo portrait of {subject}, {clauses}"
    return TrainingCrop(photo.name, pixels, weight.astype(np.float32), caption)


def _photo_weight(face: Face, head: np.ndarray, cropping: Cropping) -> np.ndarray:
    """How much the loss counts each pixel of the photo, (H, W) float32."""
    outline = cv2.convexHull(face.mesh[:, :2].round().astype(np.int32))
    oval = cv2.fillConvexPoly(np.zeros_like(head), outline, 1.0)
    return cropping.backdrop + (1 - cropping.backdrop) * head + (cropping.face - 1) * oval


def _cut(pixels: np.ndarray, frame: _Frame, resolution: int) -> np.ndarray:
    """The square at `resolution`; averaged over areas when it shrinks."""
    square = pixels[frame.y0 : frame.y0 + frame.side, frame.x0 : frame.x0 + frame.side]
    way = cv2.INTER_AREA if frame.side >= resolution else cv2.INTER_CUBIC
    return cv2.resize(square, (resolution, resolution), interpolation=way)
