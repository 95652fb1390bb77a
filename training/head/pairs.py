"""Two pictures of one person laid on each other, off by a shift that is known.

Where every point of the skin lies is known of renders (`truth.py`). A portrait is read over its
face as the network of `realism/head/shift_network.py` sees it, and a photo of the same person at
the places of the same skin, moved by a smooth field of the size of what fitted heads are off by.
"""

from pathlib import Path

import cv2
import numpy as np

from realism.head.raycast import Hits, ProjectedSurface, vertex_normals
from realism.head.shift_field import BIAS
from realism.head.shift_network import SIZE, STEP, describe
from realism.images import open_photo

LEAST_FACING = 0.25  # cosine below which skin is not compared
FACE = (-125, 75)  # mm below and above the eyes of the skin whose middle is the picture's
IN_FRONT = 6.0  # mm by which what hides a point lies before it
WAVES = 24  # of which a random field is made
SMALL, FULL = 0.4, 1.0  # of `BIAS`: as a second look has it, and a first
ACROSS, DOWN = SIZE[0] // STEP, SIZE[1] // STEP


class Pictures:
    """Renders and the skin under the nodes of each.

    Parameters
    ----------
    truth : Path
        Of `truth.py`.
    """

    def __init__(self, truth: Path):
        known = np.load(truth)
        self.triangles, self.points = known["triangles"], known["points"]
        self.people = known["people"].astype(str)
        self.pixels = [open_photo(Path(str(file))).pixels for file in known["files"]]
        height = known["template"][:, 1]
        face = (height > FACE[0]) & (height < FACE[1])
        middle = int(known["size"]) / 2 - 0.5
        self.seen = middle + known["focals"][:, None, None] * (
            self.points[..., :2] / self.points[..., 2:]
        )
        self.facing = np.stack([_facing(points, self.triangles) for points in self.points])
        self.px, self.corner, self.surfaces, self.hits = [], [], [], []
        for picture, focal in enumerate(known["focals"]):
            towards = self.facing[picture] > LEAST_FACING
            depth = self.points[picture][:, 2]
            px = focal / np.median(depth[towards])  # of the picture in one that is seen
            outline = self.seen[picture][towards & face]
            self.px.append(px)
            self.corner.append((outline.min(0) + outline.max(0)) / 2 - np.array(SIZE) / 2 * px)
            surface = ProjectedSurface(
                self.seen[picture].astype(np.float64), depth.astype(np.float64), self.triangles
            )
            self.surfaces.append(surface)
            self.hits.append(surface.raycast(self.nodes(picture).reshape(-1, 2)))
        self.by_person = {
            person: np.flatnonzero(self.people == person) for person in np.unique(self.people)
        }

    def nodes(self, picture: int) -> np.ndarray:
        """Where a picture's nodes lie, (h, w, 2) px."""
        steps = np.stack(np.meshgrid(np.arange(ACROSS), np.arange(DOWN)), -1) * STEP
        return steps * self.px[picture] + self.corner[picture]

    def transferred(self, portrait: int, photo: int) -> tuple[np.ndarray, np.ndarray]:
        """Where the photo has what lies at the portrait's nodes, (h, w, 2) px, and whether."""
        hits = self.hits[portrait]
        at, depth, facing = self._shown(hits, portrait, photo)
        steps = (at - self.corner[photo]) / self.px[photo] / STEP
        front = _remap(
            self.hits[photo].depth.reshape(DOWN, ACROSS),
            steps.reshape(DOWN, ACROSS, 2),
            cv2.INTER_NEAREST,
        )
        visible = hits.found & facing & _in_front(depth, front.ravel())
        return at.reshape(DOWN, ACROSS, 2), visible.reshape(DOWN, ACROSS)

    def carried(
        self, photo: int, portrait: int, source: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where a portrait has what lies at places (h, w, 2) px of a photo: likewise; and whether.

        (h, w) bool.
        """
        hits = self.surfaces[photo].raycast(source.reshape(-1, 2))
        at, depth, facing = self._shown(hits, photo, portrait)
        front = self.surfaces[portrait].raycast(at).depth
        visible = hits.found & facing & _in_front(depth, front)
        return at.reshape(source.shape), visible.reshape(source.shape[:2])

    def _shown(self, hits: Hits, here: int, there: int) -> tuple[np.ndarray, ...]:
        """Where another picture shows what was hit (px), how deep, and whether it faces both."""
        corners, weights = self.triangles[hits.triangle], hits.weights
        at = (self.seen[there][corners] * weights[..., None]).sum(1)
        depth = (self.points[there][:, 2][corners] * weights).sum(1)
        facing = np.minimum(*((self.facing[n][corners] * weights).sum(1) for n in (here, there)))
        return at, depth, facing > LEAST_FACING

    def read(self, picture: int, nodes: np.ndarray, blur: float = 0.0) -> np.ndarray:
        """A picture at nodes and between them, (h, w, 3) uint8."""
        pixels = self.pixels[picture]
        if self.px[picture] > 1.25:
            pixels = cv2.GaussianBlur(pixels, (0, 0), 0.45 * self.px[picture])
        if blur:
            pixels = cv2.GaussianBlur(pixels, (0, 0), blur)
        return _remap(pixels, _between(nodes), cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)


def _in_front(depth: np.ndarray, front: np.ndarray) -> np.ndarray:
    """Whether what lies so deep is what is frontmost there; where nothing is, not."""
    return (depth - front <= IN_FRONT) & np.isfinite(front)


def _facing(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Cosines between the skin and the line of sight, (v,)."""
    normals = vertex_normals(points.astype(np.float64), triangles)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9
    cosines = -(normals * points).sum(1) / np.linalg.norm(points, axis=1)
    near = points[:, 2] < np.quantile(points[:, 2], 0.3)
    return cosines * np.sign(np.median(cosines[near]))


def _remap(image: np.ndarray, at: np.ndarray, flags: int, border: int = cv2.BORDER_CONSTANT):
    x, y = (np.ascontiguousarray(at[..., axis], np.float32) for axis in (0, 1))
    image = image.astype(np.float32) if image.dtype == np.float64 else image
    return cv2.remap(image, x, y, flags, borderMode=border, borderValue=(np.inf,) * 4)


def _between(nodes: np.ndarray) -> np.ndarray:
    """Values on nodes (DOWN, ACROSS, c) at every px, (h, w, c)."""
    at = np.stack(np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1])), -1) / STEP
    return _remap(nodes.astype(np.float32), at, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)


def random_shift(rng: np.random.Generator) -> np.ndarray:
    """A smooth field of the size of what heads are off by, or are after a first look: px."""
    ys, xs = np.mgrid[:DOWN, :ACROSS] * float(STEP)
    field = np.zeros((DOWN, ACROSS, 2))
    for axis in (0, 1):
        for size, reach in BIAS:
            if not np.isfinite(reach):
                field[..., axis] += rng.normal(0, size)
                continue
            waves, phases = rng.normal(0, 1 / reach, (WAVES, 2)), rng.uniform(0, 2 * np.pi, WAVES)
            angle = xs[..., None] * waves[:, 0] + ys[..., None] * waves[:, 1] + phases
            field[..., axis] += size * np.sqrt(2 / WAVES) * np.cos(angle).sum(-1)
    return (field * rng.choice([FULL, FULL, SMALL])).astype(np.float32)


def make_pair(
    rng: np.random.Generator, pictures: Pictures, portrait: int, photo: int, vary: bool = True
) -> tuple[np.ndarray, ...]:
    """A photo laid on a portrait, off by a random shift.

    Returns
    -------
    ours, theirs : (4, h, w) float32
        Of `describe`, of photo and portrait.
    shift : (2, h / STEP, w / STEP) float32, px
        From what lies at each node of the photo to where it belongs.
    visible, seen : (h / STEP, w / STEP) bool
        Where the heads show the same skin, and where that is to be told: both the same here.
    """
    at, visible = pictures.transferred(portrait, photo)
    shift = random_shift(rng)
    steps = np.stack(np.meshgrid(np.arange(ACROSS), np.arange(DOWN)), -1) + shift / STEP
    moved = _remap(at, steps, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    there = np.nan_to_num(_remap(visible.astype(np.float32), steps, cv2.INTER_NEAREST), posinf=0.0)
    whole = cv2.erode(visible.astype(np.uint8), np.ones((3, 3))) > 0
    seen = (there > 0.5) & whole
    softer = rng.uniform(0, 0.8) if rng.random() < 0.4 else 0.0
    theirs, ours = (
        pictures.read(portrait, pictures.nodes(portrait), softer),
        pictures.read(photo, moved),
    )
    if vary:
        theirs, ours = another_light(rng, theirs), another_light(rng, ours)
    both = np.concatenate([describe(ours), describe(theirs)], -1)
    if vary and rng.random() < 0.5:
        both, shift, seen, _ = mirrored(both, shift, seen, seen)
    if vary:
        across, down = rng.integers(-4, 5), rng.integers(-5, 3)
        both = np.roll(both, (STEP * down, STEP * across), (0, 1))
        shift, seen = (np.roll(value, (down, across), (0, 1)) for value in (shift, seen))
    both = np.ascontiguousarray(both.transpose(2, 0, 1))
    shift = np.ascontiguousarray(shift.transpose(2, 0, 1))
    return both[:4], both[4:], shift, seen.copy(), seen.copy()


def mirrored(
    both: np.ndarray, shift: np.ndarray, visible: np.ndarray, seen: np.ndarray
) -> tuple[np.ndarray, ...]:
    """A pair (h, w, c), its shift and where that is seen, as in a mirror."""
    # Nodes lie at the left of their cells: mirrored, the last column comes first.
    both, shift, visible, seen = (
        np.roll(value[:, ::-1], 1, 1) for value in (both, shift, visible, seen)
    )
    seen[:, 0] = False
    return both, shift * np.float32([-1, 1]), visible, seen


def another_light(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """The picture brighter or darker, of another tint, noisy or soft."""
    gain = np.exp(rng.normal(0, 0.12) + rng.normal(0, 0.05, 3))
    varied = pixels * gain + rng.normal(0, rng.uniform(0, 4), pixels.shape)
    if rng.random() < 0.4:
        varied = cv2.GaussianBlur(varied, (0, 0), rng.uniform(0.3, 1.1))
    return np.clip(varied, 0, 255).astype(np.uint8)
