"""What lies over the skin of a face: glasses, hair or what is worn on it, and what covers it.

A small network sees the face upright by its eyes, a pixel a millimetre, as the logarithm of its
light less the skin's own, with where the mesh has the face and its features. It answers how likely
each pixel is glasses (rims, bridge, pads, dark lenses, reflections; not what a clear lens shows),
and how likely hair, hat or beard. It learned from glasses, strands and wrinkles painted on
photo-like faces, see `training/faces/occluders.py`.

A face wears glasses when they are seen at both eyes: one dark stroke at an eye may be a lash. What
covers it for the moment, a mask or a hand, is found in the same view by `covers.py`; where the
picture shows nobody is told by `head_mask.py`: a grey wall can be as brown as skin.

Network: Ronneberger et al., "U-Net", MICCAI 2015, with sums for its joins.
"""

import threading
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import cv2
import numpy as np

from realism.faces.covers import find_covers
from realism.faces.face import Face, eye_centres, mm_per_px_from_eyes
from realism.faces.features import BROWS, CORE, EYES, LIPS, NOSTRILS, disc, fill_outlines
from realism.faces.head_mask import person_mask
from realism.faces.mesh import FACE_OVAL

WEIGHTS = Path(__file__).parent / "weights" / "occluders.onnx"
SIZE = (160, 176)  # px, width and height of what the network sees, a mm each
MIDDLE = (80.0, 76.0)  # px, between the eyes
BLACK = 4.0  # of 255, added before the logarithm of sRGB values
CONTRAST = 0.5  # log units that light is measured in
MOST = 5.0  # of them
LEAST_CORE = 50  # px of the cheeks, nose and forehead that tell the skin's usual light
LEAST_CHANCE = 0.5  # from which a pixel is taken for glasses or hair
LEAST_AT_EYE = 25.0  # mm² of glasses at each eye of who wears some
LEAST_WORN = 300.0  # mm² of them altogether
BRIDGE, MID_NOSE = 168, 197  # mesh points
SPREAD = 2.0  # mm around them: shadow, blur, and fine hair at a hairline

_ONE_AT_A_TIME = threading.Lock()  # the network keeps state between calls


@dataclass(frozen=True, eq=False)
class Occluders:
    """What lies over a face, in one picture.

    Attributes
    ----------
    glasses, hair : np.ndarray, (H, W) float32, 0..1
        How likely each pixel shows them. Glasses are 0 where the face wears none.
    strands : np.ndarray, (H, W) float32, 0..1
        `hair` above the middle of the nose, 0 below: there it may be a beard or, beside a turned
        face, backdrop, which colour tells better.
    covered, lettered : np.ndarray, (H, W) float32, 0..1
        How likely something is held before it, and how likely words are written over it.
    backdrop : np.ndarray, (H, W) bool
        Where nobody is seen.
    mm_per_px : float
    """

    glasses: np.ndarray
    hair: np.ndarray
    strands: np.ndarray
    covered: np.ndarray
    lettered: np.ndarray
    backdrop: np.ndarray
    mm_per_px: float

    @property
    def has_glasses(self) -> bool:
        """Whether the face wears some."""
        return bool(self.glasses.any())

    def mask(self) -> np.ndarray:
        """Where no skin can be seen for them, with their rims, or beside it: (H, W) bool."""
        worn = np.maximum(self.glasses, self.strands)
        return self._with_rims(worn) | self._rimmed_cover | self.backdrop

    def hidden_by(self, x: int, y: int) -> str:
        """The code of what hides a px that shows no skin: "hidden_by_glasses", say, or ""."""
        if self._rimmed_cover[y, x]:
            return "hidden_by_cover"
        if self._rimmed_glasses[y, x]:
            return "hidden_by_glasses"
        # A beard, too: where colour told already that there is no skin.
        return "hidden_by_hair" if self._rimmed_hair[y, x] else ""

    # Once, not for each mark that is asked for: together they were two fifths of placing.
    @cached_property
    def _rimmed_glasses(self) -> np.ndarray:
        return self._with_rims(self.glasses)

    @cached_property
    def _rimmed_hair(self) -> np.ndarray:
        return self._with_rims(self.hair)

    @cached_property
    def _rimmed_cover(self) -> np.ndarray:
        return self._with_rims(np.maximum(self.covered, self.lettered))

    def _with_rims(self, chance: np.ndarray) -> np.ndarray:
        seen = (chance > LEAST_CHANCE).astype(np.uint8)
        return cv2.dilate(seen, disc(SPREAD / self.mm_per_px)) > 0


def find_occluders(pixels: np.ndarray, face: Face) -> Occluders:
    """What lies over one face.

    Parameters
    ----------
    pixels : np.ndarray, (H, W, 3) uint8 sRGB
    face : Face
    """
    view, points, to_view = upright_view(pixels, face)
    inputs = describe_view(view.astype(np.float32), points)
    with _ONE_AT_A_TIME:
        network = _network()
        network.setInput(inputs[None])
        logits = network.forward()[0].copy()
    chances = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    if not _worn(chances[0], points):
        chances[0] = 0
    rows = np.arange(len(chances[1]))[:, None]
    strands = np.where(rows < points[MID_NOSE, 1], chances[1], 0)
    size = pixels.shape[1::-1]
    way = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    covered, lettered = find_covers(inputs, points)
    covered[chances[0] > LEAST_CHANCE] = 0  # dark lenses are glasses
    found = (*chances, strands, covered, lettered)
    layers = (cv2.warpAffine(chance, to_view, size, flags=way) for chance in found)
    backdrop = person_mask(pixels, face) < LEAST_CHANCE
    return Occluders(*layers, backdrop, mm_per_px_from_eyes(face))


def upright_view(
    pixels: np.ndarray, face: Face, scale: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The face as the network sees it.

    Parameters
    ----------
    pixels : np.ndarray, (H, W, 3) uint8 sRGB
    face : Face
    scale : float
        px of the view in a mm.

    Returns
    -------
    view : np.ndarray, (h, w, 3) uint8 sRGB
    points : np.ndarray, (468, 2) px of the view
        The mesh.
    to_view : np.ndarray, (2, 3)
        From px of the picture to px of the view.
    """
    eyes = eye_centres(face.mesh)
    across = (eyes[1] - eyes[0]) / max(float(np.linalg.norm(eyes[1] - eyes[0])), 1e-6)
    zoom = scale * mm_per_px_from_eyes(face)
    turn = zoom * np.array([[across[0], across[1]], [-across[1], across[0]]])
    to_view = np.hstack([turn, (np.array(MIDDLE) * scale - turn @ eyes.mean(0))[:, None]])
    if zoom < 1:
        pixels = cv2.GaussianBlur(pixels, (0, 0), 0.4 / zoom)
    size = (round(SIZE[0] * scale), round(SIZE[1] * scale))
    view = cv2.warpAffine(pixels, to_view, size, borderMode=cv2.BORDER_REPLICATE)
    return view, face.mesh[:, :2] @ to_view[:, :2].T + to_view[:, 2], to_view


def describe_view(view: np.ndarray, points: np.ndarray) -> np.ndarray:
    """What the network is given.

    Parameters
    ----------
    view : np.ndarray, (h, w, 3) float32, 0..255 sRGB
    points : np.ndarray, (468, 2) px

    Returns
    -------
    np.ndarray, (7, h, w) float32
        Light in R, G, B against the skin's own; x and y, -1..1; the face; its features.
    """
    shape = view.shape[:2]
    light = np.log(view + BLACK)
    core = light[fill_outlines(CORE, points, shape) > 0]
    usual = np.median(core if len(core) > LEAST_CORE else light.reshape(-1, 3), 0)
    light = np.clip((light - usual) / CONTRAST, -MOST, MOST)
    x, y = np.meshgrid(np.linspace(-1, 1, shape[1]), np.linspace(-1, 1, shape[0]))
    oval = fill_outlines([FACE_OVAL], points, shape)
    features = fill_outlines([*EYES, *BROWS, LIPS, *NOSTRILS], points, shape)
    return np.concatenate([light.transpose(2, 0, 1), [x, y, oval, features]]).astype(np.float32)


def _worn(chance: np.ndarray, points: np.ndarray) -> bool:
    """Whether glasses are seen on both sides of the nose's bridge."""
    middle = float(points[BRIDGE, 0])
    seen = (chance > LEAST_CHANCE).sum(0)
    columns = np.arange(chance.shape[1])
    at_eyes = seen[columns < middle].sum(), seen[columns >= middle].sum()
    return min(at_eyes) > LEAST_AT_EYE and sum(at_eyes) > LEAST_WORN


@cache
def _network() -> cv2.dnn.Net:
    return cv2.dnn.readNetFromONNX(str(WEIGHTS))
