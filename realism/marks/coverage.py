"""Which parts of a face its photos show well, and which photo to take next."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from realism.errors import Message
from realism.faces.skin import LEAST_SKIN
from realism.head.geometry import Head, SurfacePoint
from realism.head.model import load_model

# The mark passport: when a photo shows skin well.
SEEN_WELL = 0.45  # cosine to the line of sight from which skin is seen well
ENOUGH_PHOTOS = 2  # that should show each part of the face well

# Middle of each region on the mean head, mm: x to the person's left, y up from between the eyes.
REGIONS = {
    "forehead": (0.0, 45.0), "right temple": (-62.0, 20.0), "left temple": (62.0, 20.0),
    "right cheek": (-45.0, -35.0), "left cheek": (45.0, -35.0), "nose": (0.0, -25.0),
    "right jaw": (-58.0, -62.0), "left jaw": (58.0, -62.0), "chin": (0.0, -95.0),
}  # fmt: skip
# Codes of a region's name, and of how to take a photo that shows it.
MESSAGES = {
    "forehead": ("region_forehead", "advice_forehead"),
    "right temple": ("region_right_temple", "advice_right_temple"),
    "left temple": ("region_left_temple", "advice_left_temple"),
    "right cheek": ("region_right_cheek", "advice_right_cheek"),
    "left cheek": ("region_left_cheek", "advice_left_cheek"),
    "nose": ("region_nose", "advice_nose"),
    "right jaw": ("region_right_jaw", "advice_right_jaw"),
    "left jaw": ("region_left_jaw", "advice_left_jaw"),
    "chin": ("region_chin", "advice_chin"),
}


@cache
def _region_places() -> dict[str, SurfacePoint]:
    """The front of the mean head at the middle of each region."""
    model = load_model()
    corners = model.mean[model.triangles]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    fronts = np.flatnonzero(across[:, 2] > 0)
    middles = corners[fronts].mean(1)
    places = {}
    for name, at in REGIONS.items():
        near = np.linalg.norm(middles[:, :2] - at, axis=1)
        # Several layers may lie there (inside of the mouth): the one in front.
        close = np.flatnonzero(near < near.min() + 2)
        chosen = close[middles[close, 2].argmax()]
        places[name] = SurfacePoint(int(fronts[chosen]), np.full(3, 1 / 3))
    return places


def measure_coverage(heads: list[Head], skins: list[np.ndarray]) -> dict[str, int]:
    """In how many photos each of `REGIONS` is seen well.

    Parameters
    ----------
    heads : list of Head
        Fitted to the photos, together.
    skins : list of (H, W) ndarray, 0..1
        Of each photo.
    """
    places = _region_places()
    shown = [
        are_shown(head, skin, list(places.values()))
        for head, skin in zip(heads, skins, strict=True)
    ]
    return {
        name: int(count)
        for name, count in zip(places, sum(shown, np.zeros(len(places), int)), strict=True)
    }


def is_shown(head: Head, skin: np.ndarray, place: SurfacePoint) -> bool:
    """Whether a photo shows the skin at a place well enough to see a mark there.

    Parameters
    ----------
    head : Head
        Fitted to the photo.
    skin : (H, W) ndarray, 0..1
        Of the photo.
    place : SurfacePoint
    """
    return bool(are_shown(head, skin, [place])[0])


def are_shown(head: Head, skin: np.ndarray, places: Sequence[SurfacePoint]) -> np.ndarray:
    """`is_shown` of many places at once, (n,) bool.

    Parameters
    ----------
    head : Head
        Fitted to the photo.
    skin : (H, W) ndarray, 0..1
        Of the photo.
    places : sequence of SurfacePoint
        On the head.
    """
    if not places:
        return np.zeros(0, bool)
    corners = load_model().triangles[[place.triangle for place in places]]
    weights = np.stack([place.weights for place in places])
    points = np.einsum("nk,nkc->nc", weights, head.pixels[corners])
    facing = (weights * head.facings[corners]).sum(1)
    depth = (weights * head.vertices[corners, 2]).sum(1)
    x, y = np.round(points).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < skin.shape[1]) & (y < skin.shape[0])
    on_skin = skin[np.where(inside, y, 0), np.where(inside, x, 0)] > LEAST_SKIN
    return (facing > SEEN_WELL) & inside & on_skin & ~head.hides(points, depth)


def poorly_covered(coverage: dict[str, int]) -> list[str]:
    """The parts that fewer than `ENOUGH_PHOTOS` photos show well, worst first.

    Parameters
    ----------
    coverage : dict of str to int
        Of `measure_coverage`.
    """
    poor = sorted((count, name) for name, count in coverage.items() if count < ENOUGH_PHOTOS)
    return [name for _, name in poor]


def advise_next_photo(coverage: dict[str, int]) -> Message:
    """Which parts of the face few photos show well, and which photo to take next.

    Parameters
    ----------
    coverage : dict of str to int
        Of `measure_coverage`.
    """
    poor = poorly_covered(coverage)
    if not poor:
        return Message("face_covered", photos=ENOUGH_PHOTOS)
    return Message(
        "face_not_covered",
        photos=ENOUGH_PHOTOS,
        regions=[Message(MESSAGES[name][0]) for name in poor],
        advice=Message(MESSAGES[poor[0]][1]),
    )
