"""Marks painted on real pixels, so that the answer is known; and the truth of the examples."""

import json

import numpy as np

from realism.config import ASSETS
from realism.images import Photo, from_scene_light, to_scene_light
from realism.marks.mark import Mark, RoundMark

# What a unit of density takes from the log of light: R, G, B.
MELANIN = np.float32([0.42, 0.72, 0.98])
BLOOD = np.float32([0.10, 0.86, 0.66])


def painted(
    pixels: np.ndarray, xy: tuple[float, float], radius: float, density: np.ndarray
) -> np.ndarray:
    """The picture with a round soft mark: pigment multiplies the light before the camera."""
    ys, xs = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    away = np.hypot(xs - xy[0], ys - xy[1])
    cover = np.clip((radius + 0.75 - away) / 1.5, 0, 1)[..., None]
    light = to_scene_light(pixels) * np.exp(-cover * density)
    return np.where(cover > 0, np.rint(from_scene_light(light)), pixels).astype(np.uint8)


def truth_of(photo: Photo) -> dict:
    """What the renderer says of an example photo."""
    name = photo.name.removesuffix(".jpg")
    file = ASSETS / "people" / name.split("-")[0] / "truth" / f"{name}.json"
    return json.loads(file.read_text())


def round_marks(truth: dict, facing: float = 0.4) -> dict[str, Mark]:
    """The round marks that face the camera, by id, in our pixels (centres at whole numbers)."""
    return {
        m["id"]: RoundMark(m["kind"], np.float32(m["xy"]) - 0.5, m["radius_px"])
        for m in truth["marks"]
        if m["kind"] != "wrinkle" and m["visible"] and m["facing"] > facing
    }
