"""Open any picture safely, the same way everywhere: upright, sRGB, nothing but pixels.

An image in this program is always `(H, W, 3) uint8 sRGB`, upright. Everything that a camera,
a phone or a scanner may put around that (orientation, colour profile, 16 bits, palette, alpha,
position, device) is resolved or dropped here, once.

Linear light: the sRGB transfer curve of IEC 61966-2-1. Luminance: ITU-R BT.709; luma: BT.601.
"""

import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError

from realism.config import INTAKE, Intake
from realism.disk import printable_name, whole_file
from realism.errors import InputError, Message

SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".avif", ".heic", ".heif")
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF")
NAMED = ("GIF", "BMP", "TIFF")  # read only to name them when they are refused
# Added to linear light before the logarithm: below it a camera's noise is larger than light.
DARKEST = 0.002
SHOULDER = 0.6  # linear light from which a camera compresses it
WHITEST = 0.9965  # linear light: white, which still rounds to 255, may be anything above
# Grey as a weighted sum of red, green and blue.
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)  # of linear light (Rec. 709)
GREY = np.array([0.25, 0.55, 0.2], np.float32)  # of log light; blue is mostly noise


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture as it is seen.

    Parameters
    ----------
    name : str
        Its file name, without a folder.
    pixels : np.ndarray, (H, W, 3) uint8 sRGB
        Upright.
    """

    name: str
    pixels: np.ndarray


# Codes of what `open_photo` raises for a picture that would be taken were it smaller.
TOO_LARGE = ("photo_too_large", "photo_too_many_pixels", "photo_decompression_bomb")


def open_photo(source: str | Path | bytes, name: str = "", limits: Intake = INTAKE) -> Photo:
    """Open a JPEG, PNG, WebP, AVIF or HEIC of any mode and bit depth.

    Parameters
    ----------
    source : str, Path or bytes
        A path, or the file's bytes.
    name : str
        The photo's name, also in messages; of a path, its last part by default.
    limits : Intake

    Returns
    -------
    Photo
        EXIF orientation applied, embedded profile converted to sRGB, alpha over white, first
        frame of an animation, 16 bits reduced to 8.

    Raises
    ------
    InputError
        The file is missing, too large in bytes or pixels, no picture, broken, of another format.
    """
    if not isinstance(source, bytes):
        name = name or printable_name(Path(source))
        source = _read_bytes(Path(source), name, limits)
    if not source:  # what a cloud has not brought to this machine yet looks so, too
        raise InputError("photo_empty", name=name)
    if len(source) > limits.max_bytes:
        raise _too_many_bytes(name, len(source), limits)
    with warnings.catch_warnings():
        # Of pictures that are large before our own limit refuses them, of EXIF with faults.
        warnings.filterwarnings("ignore", module="PIL")
        picture = _decode(source, name, limits)
        upright = ImageOps.exif_transpose(picture)
    return Photo(name, np.asarray(_to_srgb(upright, picture)))


def _read_bytes(path: Path, name: str, limits: Intake) -> bytes:
    try:
        if not path.is_file():  # nothing, a folder, a loop of links, a pipe that never ends
            raise InputError("photo_file_not_found", name=name)
        size = path.stat().st_size
        if size > limits.max_bytes:
            raise _too_many_bytes(name, size, limits)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError("photo_file_not_found", name=name) from error
    except PermissionError as error:
        raise InputError("photo_not_permitted", name=name) from error


def _too_many_bytes(name: str, size: int, limits: Intake) -> InputError:
    limit = limits.max_bytes / 2**20
    return InputError("photo_too_large", name=name, megabytes=size / 2**20, limit=limit)


def _decode(data: bytes, name: str, limits: Intake) -> Image.Image:
    import pillow_heif

    pillow_heif.register_heif_opener()
    try:
        picture = Image.open(io.BytesIO(data), formats=(*FORMATS, *NAMED))
    except Image.DecompressionBombError as error:
        raise InputError(
            "photo_decompression_bomb", name=name, limit=limits.max_pixels / 1e6
        ) from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise InputError("not_a_picture", name=name) from error
    if picture.format in NAMED:
        raise InputError("photo_format_not_accepted", name=name, format=picture.format)
    width, height = picture.size
    if width * height > limits.max_pixels:
        raise InputError(
            "photo_too_many_pixels",
            name=name,
            width=width,
            height=height,
            megapixels=width * height / 1e6,
            limit=limits.max_pixels / 1e6,
        )
    if min(width, height) < limits.min_side:
        raise InputError("photo_too_few_pixels", name=name, width=width, height=height)
    try:
        picture.load()
    except (OSError, ValueError, SyntaxError, MemoryError) as error:
        raise InputError("photo_damaged", name=name, detail=Message("data_broken")) from error
    return picture


def _to_srgb(upright: Image.Image, original: Image.Image) -> Image.Image:
    """Any mode and profile to 8-bit sRGB without alpha."""
    profile = original.info.get("icc_profile")
    if upright.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        values = np.asarray(upright, np.float64)
        # Pillow opens 16-bit grey as I;16 or I; its range is 0..65535 in both.
        upright = Image.fromarray((values / 257).round().clip(0, 255).astype(np.uint8), "L")
        profile = None  # a grey profile of 16 bits: the curve is close to sRGB's
    if upright.mode in ("P", "PA", "LA", "La", "RGBa") or "transparency" in upright.info:
        upright = upright.convert("RGBA")
    if upright.mode == "RGBA":
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright).convert("RGB")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(upright, source, srgb, outputMode="RGB")
            if converted is not None:  # as it is only where the picture is changed in place
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            # A profile that littlecms refuses, or one that does not fit the mode (an RGB profile
            # in a grey file): the numbers are then taken as sRGB, as every viewer does.
            pass
    return upright.convert("RGB")


def to_linear(pixels: np.ndarray) -> np.ndarray:
    """sRGB to linear light.

    Parameters
    ----------
    pixels : np.ndarray, (..., 3) uint8, or float in 0..255

    Returns
    -------
    np.ndarray, (..., 3) float32 in 0..1
    """
    if pixels.dtype == np.uint8:
        return look_up(_LINEAR_BY_BYTE, pixels)
    value = np.asarray(pixels, np.float32) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(
        np.float32
    )


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light to sRGB, not rounded.

    Parameters
    ----------
    linear : np.ndarray, (..., 3) float
        Clipped to 0..1.

    Returns
    -------
    np.ndarray, (..., 3) float32 in 0..255
    """
    value = np.clip(np.asarray(linear, np.float32), 0, 1)
    curve = np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)
    return (curve * 255).astype(np.float32)


_LINEAR_BY_BYTE = to_linear(np.arange(256, dtype=np.float32))


def look_up(by_byte: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Read a table of 256 float32 at every byte; four times as fast as indexing by them."""
    if not pixels.size:
        return by_byte[pixels]
    return cv2.LUT(pixels.reshape(-1, 1), by_byte).reshape(pixels.shape)


def log_light(pixels: np.ndarray, offset: float = DARKEST) -> np.ndarray:
    """Logarithm of linear light: in it skin in more or less light differs by a constant.

    Parameters
    ----------
    pixels : np.ndarray, (..., 3) uint8 sRGB
    offset : float, linear light
        Added before the logarithm: differences far below it are taken for noise.

    Returns
    -------
    np.ndarray, (..., 3) float32
    """
    return look_up(np.log(_LINEAR_BY_BYTE + offset), pixels)


def to_scene_light(pixels: np.ndarray) -> np.ndarray:
    """sRGB to light as it fell on the camera: its compression of highlights undone.

    Cameras, and what is made to look like their pictures, render light in proportion up to
    `SHOULDER` and draw what is brighter ever closer to white. A mark's share of the light holds
    before that.

    Parameters
    ----------
    pixels : np.ndarray, (..., 3) uint8 sRGB

    Returns
    -------
    np.ndarray, (..., 3) float32
        Up to about 2.5: what is white may be brighter.
    """
    return look_up(_SCENE_BY_BYTE, pixels)


def log_scene_light(pixels: np.ndarray) -> np.ndarray:
    """Logarithm of `to_scene_light` of pixels (..., 3) uint8, `DARKEST` added: float32."""
    return look_up(np.log(_SCENE_BY_BYTE + DARKEST), pixels)


def from_scene_light(light: np.ndarray) -> np.ndarray:
    """Light as it fell on the camera to sRGB, not rounded: the inverse of `to_scene_light`.

    Parameters
    ----------
    light : np.ndarray, (..., 3) float

    Returns
    -------
    np.ndarray, (..., 3) float32 in 0..255
    """
    left = 1 - SHOULDER
    above = 1 - left * np.exp(-np.maximum(light - SHOULDER, 0) / left)
    return to_srgb(np.where(light <= SHOULDER, light, above))


def _undo_shoulder(linear: np.ndarray) -> np.ndarray:
    left = 1 - SHOULDER
    above = SHOULDER + left * np.log(left / (1 - np.minimum(linear, WHITEST)))
    return np.where(linear <= SHOULDER, linear, above).astype(np.float32)


_SCENE_BY_BYTE = _undo_shoulder(_LINEAR_BY_BYTE)


def luma(pixels: np.ndarray) -> np.ndarray:
    """The usual grey copy of a picture, (H, W) uint8: Rec. 601 weights of the sRGB values.

    For comparing structure; amounts of light are compared as `to_linear(...) @ LUMINANCE`.
    """
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


def save_png(
    path: str | os.PathLike, pixels: np.ndarray, info: dict[str, str] | None = None
) -> None:
    """Write a PNG, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
    pixels : np.ndarray, (H, W, 3) uint8 sRGB
    info : dict of str to str, optional
        Text entries of the file.
    """
    text = PngImagePlugin.PngInfo()
    for key, value in (info or {}).items():
        text.add_itxt(key, value)
    with whole_file(Path(path)) as temporary:
        Image.fromarray(pixels).save(temporary, "PNG", pnginfo=text, compress_level=6)


def read_info(path: str | os.PathLike) -> dict[str, str]:
    """The text entries of a PNG."""
    with Image.open(path) as picture:
        picture.load()
        return {key: str(value) for key, value in getattr(picture, "text", {}).items()}
