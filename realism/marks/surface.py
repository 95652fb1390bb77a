"""Carry points of the skin from one picture of a head to another, on the face's surface.

The 3D head (`faces/head.py`), fitted to all pictures of the person together, carries a point
and says whether it can be seen. Beside the head, and where no head was fitted, the mesh of 468
points does: inside it a point rides on its triangle, outside the nearest part of the mesh
carries it on, by moving least squares.

Moving least squares: Schaefer, McPhail and Warren, "Image deformation using moving least
squares", SIGGRAPH 2006.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np

from realism.faces.face import Face
from realism.faces.head import Head, load_model
from realism.faces.mesh import WEIGHTS
from realism.faces.skin import BROWS, EYES, LIPS, NOSTRILS
from realism.marks.dips import disc
from realism.settings import HEAD, PLACING

EYES_APART = 63.0  # mm between the pupils of an adult: Dodgson, SPIE 5291, 2004

# Outlines of what is not skin, for words only: the skin mask decides.
REGIONS = {
    "on the brow": BROWS, "on the eye": EYES, "on the lips": (LIPS,), "on the nostril": NOSTRILS
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Carried:
    """Points carried from a photo to a portrait.

    to            (n, 2) px of the portrait
    matrix        (n, 2, 2) px of the portrait over px of the photo
    facing        (n,) cosine of the skin to the line of sight in the portrait
    photo_facing  (n,) the same in the photo
    hidden        (n,) bool, behind another part of the face in the portrait
    """

    to: np.ndarray
    matrix: np.ndarray
    facing: np.ndarray
    photo_facing: np.ndarray
    hidden: np.ndarray

    def split(self, at: np.ndarray) -> Iterator["Carried"]:
        """Cut into parts before each index of `at`."""
        columns = (self.to, self.matrix, self.facing, self.photo_facing, self.hidden)
        return (
            Carried(*part)
            for part in zip(*(np.split(column, at) for column in columns), strict=True)
        )


@cache
def triangles() -> np.ndarray:
    """Corners of the mesh's triangles, (898, 3)."""
    lines = (WEIGHTS / "canonical_face_model.obj").read_text().splitlines()
    faces = [line.split()[1:4] for line in lines if line.startswith("f ")]
    return np.array([[int(corner.split("/")[0]) - 1 for corner in face] for face in faces])


def carry_on_head(
    points: np.ndarray, photo: Face, portrait: Face, heads: tuple[Head, Head]
) -> Carried:
    """Carry `points` (n, 2) px by the heads fitted to photo and portrait; the mesh beside them."""
    here, there = heads
    triangle, weights, depth = under(here, points)
    corners, on_head = load_model().triangles[triangle], np.isfinite(depth)
    to = (there.pixels[corners] * weights[..., None]).sum(1)
    facing = (there.facings[corners] * weights).sum(1)
    photo_facing = (here.facings[corners] * weights).sum(1)
    own_depth = (there.vertices[corners, 2] * weights).sum(1)
    _, _, front = under(there, to)
    hidden = np.isfinite(front) & (own_depth - front > HEAD.hidden_behind)
    edges, edges_there = (_edges(head.pixels[corners]) for head in (here, there))
    matrix = edges_there @ np.linalg.pinv(edges)
    # Seen edge-on, a triangle's own map grows without bound; the mesh's is tamer. The mesh also
    # takes over where the head ends: with its slide over the skin taken off, as the heads have it.
    edge_on = np.minimum(facing, photo_facing) < PLACING.matrix_facing
    others = np.flatnonzero(~on_head | edge_on)
    if len(others):
        faces = (_with_points(photo, here), _with_points(portrait, there))
        beside, off = carry(points[others], *faces), ~on_head[others]
        matrix[others] = beside.matrix
        for ours, meshs in (
            (to, beside.to), (facing, beside.facing), (photo_facing, beside.photo_facing),
            (hidden, beside.hidden),
        ):  # fmt: skip
            ours[others[off]] = meshs[off]
    return Carried(to, matrix, facing, photo_facing, hidden)


def under(head: Head, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The head's front under each point of its picture.

    points    (n, 2) px
    ->        (n,) triangle, (n, 3) weights of its corners, (n,) depth mm, inf beside the head
    """
    fronts, tree = head.front_middles
    # A point lies in one of the triangles whose middles are nearest; few of 20,000 are tried.
    _, near = tree.query(points, k=min(48, len(fronts)))
    tried = fronts[near]
    weights = barycentric(points[:, None], head.pixels[load_model().triangles[tried]])
    depths = (head.vertices[load_model().triangles[tried], 2] * weights).sum(2)
    depths = np.where((weights >= -1e-6).all(2), depths, np.inf)
    first = depths.argmin(1)
    row = np.arange(len(points))
    return tried[row, first], weights[row, first], depths[row, first]


def _edges(corners: np.ndarray) -> np.ndarray:
    """Two sides of each triangle (n, 3, 2) as columns: (n, 2, 2)."""
    return np.stack([corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]], 2)


def _with_points(face: Face, head: Head) -> Face:
    mesh = np.column_stack([head.points, face.mesh[:, 2]])
    return replace(face, mesh=mesh.astype(np.float32))


def carry(points: np.ndarray, photo: Face, portrait: Face) -> Carried:
    """Carry `points` (n, 2) px from the photo's face to the portrait's by the mesh alone."""
    here, there = photo.mesh.astype(np.float64), portrait.mesh.astype(np.float64)
    triangle, weights, inside = locate(points, here)
    corners = triangles()[triangle]
    guided, matrix = moving_least_squares(points, here[:, :2], there[:, :2])
    ridden = (there[corners, :2] * weights[..., None]).sum(1)
    to = np.where(inside[:, None], ridden, guided)
    return Carried(
        to,
        matrix,
        facing_at(there, corners, weights),
        facing_at(here, corners, weights),
        behind(to, there, corners, weights) & inside,
    )


def locate(points: np.ndarray, mesh: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The nearest-to-the-camera triangle under each point.

    points    (n, 2) px;  mesh    (468, 3) px
    ->        (n,) triangle, (n, 3) weights of its corners, (n,) bool whether it is inside; outside
              the mesh the triangle is the one that comes nearest and the weights are clamped
    """
    corners = mesh[triangles()]
    weights = barycentric(points[:, None], corners[None, :, :, :2])  # (n, t, 3)
    covers = (weights >= -1e-9).all(2)
    depth = np.where(covers, (weights * corners[None, :, :, 2]).sum(2), np.inf)
    inside = covers.any(1)
    clamped = np.clip(weights, 0, None)
    clamped /= clamped.sum(2, keepdims=True)
    gap = np.linalg.norm(
        (clamped[..., None] * corners[None, :, :, :2]).sum(2) - points[:, None], axis=2
    )
    triangle = np.where(inside, depth.argmin(1), gap.argmin(1))
    return triangle, clamped[np.arange(len(points)), triangle], inside


def barycentric(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Weights (..., 3) of the corners (..., 3, 2) that give the points (..., 2)."""
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    area = _cross(b - a, c - a)
    area = np.where(np.abs(area) < 1e-9, 1e-9, area)
    one, two = _cross(points - a, c - a) / area, _cross(b - a, points - a) / area
    return np.stack([1 - one - two, one, two], -1)


def _cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]


def moving_least_squares(
    points: np.ndarray, here: np.ndarray, there: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Affine maps that carry the mesh near each point, and what they make of it.

    points    (n, 2);  here, there    (468, 2) px
    ->        (n, 2) px there, (n, 2, 2)
    """
    span = np.ptp(here, axis=0).max()
    apart = ((points[:, None] - here[None]) ** 2).sum(2)
    # Gaussian near the point so that a cheek is not pulled by the nose; far outside the mesh
    # the nearest points keep the say.
    width = 0.08 * span + np.sqrt(apart.min(1, keepdims=True))
    weight = np.exp(-apart / (2 * width**2))
    weight /= weight.sum(1, keepdims=True)
    middle, middle_there = weight @ here, weight @ there
    off = here[None] - middle[:, None]
    off_there = there[None] - middle_there[:, None]
    spread = np.einsum("nk,nki,nkj->nij", weight, off, off)
    mixed = np.einsum("nk,nki,nkj->nij", weight, off_there, off)
    ridge = 1e-3 * np.trace(spread, axis1=1, axis2=2)[:, None, None] * np.eye(2)
    matrix = mixed @ np.linalg.inv(spread + ridge)
    return middle_there + np.einsum("nij,nj->ni", matrix, points - middle), matrix


def facing_at(mesh: np.ndarray, corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Cosine between surface and line of sight, (n,): 1 faces the camera, < 0 is turned away."""
    sides = mesh[triangles()]
    across = np.cross(sides[:, 1] - sides[:, 0], sides[:, 2] - sides[:, 0])
    normals = np.zeros_like(mesh)
    np.add.at(normals, triangles().ravel(), np.repeat(across, 3, axis=0))
    normal = (normals[corners] * weights[..., None]).sum(1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    # The camera looks along +z; the triangles wind so that normals leave the head.
    return -normal[:, 2]


def behind(
    to: np.ndarray, mesh: np.ndarray, corners: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Whether another part of the mesh lies clearly in front of each carried point, (n,) bool."""
    depth = (mesh[corners, 2] * weights).sum(1)
    all_corners = mesh[triangles()]
    covering = barycentric(to[:, None], all_corners[None, :, :, :2])
    covers = (covering >= 0).all(2)
    front = np.where(covers, (covering * all_corners[None, :, :, 2]).sum(2), np.inf).min(1)
    return front < depth - 0.06 * np.ptp(mesh[:, 0])


def mm_per_px(face: Face) -> float:
    """Millimetres a pixel at the face, from the distance of its eyes."""
    eyes = face.mesh[[33, 133]].mean(0), face.mesh[[362, 263]].mean(0)
    return EYES_APART / max(float(np.linalg.norm(eyes[1] - eyes[0])), 1e-6)


def region_of(point: np.ndarray, face: Face, slack: float = 3.0) -> str:
    """What is not skin within `slack` mm of a point (2,) px, in words, or ""."""
    at = (float(point[0]), float(point[1]))
    reach = slack / mm_per_px(face)
    for name, outlines in REGIONS.items():
        for outline in outlines:
            hull = cv2.convexHull(face.mesh[outline, :2].astype(np.float32))
            if cv2.pointPolygonTest(hull, at, True) > -reach:
                return name
    return ""


def features(
    face: Face, origin: tuple[int, int], shape: tuple[int, int], margin: float
) -> np.ndarray:
    """Brows, eyes, lips and nostrils with a margin in px, (h, w) uint8, 1 where they are.

    origin    row and column of the picture at the result's (0, 0)
    """
    mask = np.zeros(shape, np.uint8)
    for outline in (o for outlines in REGIONS.values() for o in outlines):
        points = face.mesh[outline, :2] - [origin[1], origin[0]]
        cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points).astype(np.int32)), 1)
    return cv2.dilate(mask, disc(max(1, round(margin))))


def canvas(pixels: np.ndarray, skin: np.ndarray, face: Face) -> np.ndarray:
    """Where marks may be put on a portrait: the skin mask, and what beside it looks like skin.

    The mask is strict, as finding needs it: the turned-away side and shaded rims are left out of
    it. Beside the mask a pixel is skin when its colour is near that of the masked skin about a
    centimetre around, darker by shade at most, and no brow, eye, lip or nostril is there.

    pixels    (H, W, 3) uint8 sRGB;  skin    (H, W) float32 0..1
    ->        (H, W) float32 0..1, nowhere below `skin`
    """
    scale = 1 / mm_per_px(face)
    x0, y0 = np.maximum(np.floor(face.mesh[:, :2].min(0) - 30 * scale), 0).astype(int)
    x1, y1 = np.ceil(face.mesh[:, :2].max(0) + 30 * scale).astype(int)
    part = np.s_[y0:y1, x0:x1]
    # Half a millimetre of blur: pores and grain are no colour.
    light = np.log(cv2.GaussianBlur(pixels[part].astype(np.float32), (0, 0), 0.5 * scale + 0.3) + 4)
    sure = (skin[part] > PLACING.least_skin).astype(np.float32)
    reach = PLACING.canvas_reach * scale
    around = _blurred_wide(np.dstack([light * sure[..., None], sure]), reach)
    weight = around[..., 3]
    off = light - around[..., :3] / np.maximum(weight, 1e-4)[..., None]
    shade = off.mean(2)
    hue = np.abs(off - shade[..., None]).max(2)
    alike = (weight > 0.02) & (hue < PLACING.canvas_hue) & (np.abs(shade) < PLACING.canvas_shade)
    alike &= features(face, (y0, x0), sure.shape, PLACING.feature_margin * scale) == 0
    opened = cv2.morphologyEx(alike.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    wide = skin.copy()
    wide[part] = np.maximum(wide[part], cv2.GaussianBlur(opened.astype(np.float32), (0, 0), 0.8))
    return wide


def filled(wide: np.ndarray, face: Face) -> np.ndarray:
    """`canvas` with what a large dark mark leaves of itself there, a hole or a notch, filled.

    Such a mark is so unlike the skin around it that it is no skin by its colour.
    wide    (H, W) float32 0..1    ->    the same
    """
    scale = 1 / mm_per_px(face)
    bare = (wide > PLACING.least_skin).astype(np.uint8)
    largest = disc(max(1, round(PLACING.largest_hole * scale)))
    holes = cv2.morphologyEx(bare, cv2.MORPH_CLOSE, largest) - bare
    holes[features(face, (0, 0), wide.shape, PLACING.feature_margin * scale) > 0] = 0
    _, parts, about, _ = cv2.connectedComponentsWithStats(holes)
    # Gaps between hairs are long; marks are not.
    long = about[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(1)
    compact = about[:, cv2.CC_STAT_AREA] >= PLACING.least_compact * np.pi / 4 * long**2
    compact[0] = False  # all the rest
    return np.maximum(wide, compact[parts].astype(np.float32))


def _blurred_wide(image: np.ndarray, sigma: float) -> np.ndarray:
    """A wide Gaussian blur, made at the size at which it is 6 px wide: a fraction of the time."""
    size = image.shape[1::-1]
    shrink = max(1.0, sigma / 6)
    few = [max(2, round(side / shrink)) for side in size]
    small = cv2.resize(image, few, interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / shrink), size)
