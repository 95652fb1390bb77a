"""Correct the heads' map between two pictures by what both of them show.

The fitted heads transfer a point of skin to within a millimetre or two, and what they are off by
changes slowly over the face. The photo, laid on the portrait by the heads, is compared with it
twice. A network sees how far its parts lie off wherever there is form to be seen, however smooth
the skin (`shift_network.py`); then patches are compared for whatever structure brows, lids, lips,
folds and the skin itself have (`patches.py`), which is closer. A smooth field is put through both
(`shift_field.py`).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from realism.head.geometry import Head
from realism.head.model import load_model
from realism.head.patches import WORKING_PX, band_pass, match_patches
from realism.head.shift_field import ShiftField, fit_field
from realism.head.shift_network import PX, SIZE, STEP, SeenFace, see_face, see_shifts

LEAST_FACING = 0.25  # cosine below which skin is not compared
NODE_STEP = 8  # working px between the nodes of the patches
LOWER = 10.7  # mm by which the network's picture lies below the middle of the head
APART = 4  # answers of the network, of which one is taken: neighbours say the same
# Standard deviations over the mean error that the network tells: 1.4 of one answer, and answers
# err together. Set on eight newly rendered people.
DOUBT = 4.2
PASSES = ((12.0, 4.0, 7.0), (8.0, 2.0, 7.0))  # mm: patch, search, from one to the next


@dataclass(frozen=True, eq=False)
class NodeGrid:
    """Nodes over a portrait's face, and what of its head lies under them.

    Parameters
    ----------
    nodes : np.ndarray, (h, w, 2) px
    triangle : np.ndarray, (h w,) int
        Of the head, under each node.
    weights : np.ndarray, (h w, 3)
        Of the triangle's corners.
    on_face : np.ndarray, (h w,) bool
        Whether the head is there.
    """

    nodes: np.ndarray
    triangle: np.ndarray
    weights: np.ndarray
    on_face: np.ndarray


@dataclass(frozen=True, eq=False)
class PortraitGrid:
    """A portrait as photos are compared with it, made once for all of them.

    Parameters
    ----------
    head : Head
        Fitted to it.
    mm : float
        In a px of it.
    wide : NodeGrid
        Of what the network sees.
    seen : SeenFace
        By the network.
    fine : NodeGrid
        Of the patches.
    features : np.ndarray, (H, W, 2) float32
        What patches are compared by.
    """

    head: Head
    mm: float
    wide: NodeGrid
    seen: SeenFace
    fine: NodeGrid
    features: np.ndarray


def build_grid(portrait: np.ndarray, head: Head) -> PortraitGrid:
    """The grid of a portrait.

    Parameters
    ----------
    portrait : np.ndarray, (H, W, 3) uint8 sRGB
    head : Head
        Fitted to it.
    """
    mm, wide = head.mm_per_px, network_nodes(head)
    low, high = _outline(head)
    low = np.maximum(np.floor(low), 0)
    high = np.minimum(np.ceil(high), [portrait.shape[1] - 1, portrait.shape[0] - 1])
    step = NODE_STEP * WORKING_PX / mm
    xs, ys = (np.arange(a, b + step, step) for a, b in zip(low, high, strict=True))
    fine = _cast(head, xs, ys)
    return PortraitGrid(
        head,
        mm,
        wide,
        see_face(read_for_network(portrait, head, wide.nodes)),
        fine,
        band_pass(_resample(portrait, fine.nodes, NODE_STEP, WORKING_PX / mm)),
    )


def network_nodes(head: Head) -> NodeGrid:
    """The nodes of what the network sees of a picture, by the head fitted to it."""
    mm = head.mm_per_px
    middle = np.mean(_outline(head), axis=0) + np.array([0, LOWER / mm])
    corner = middle - np.array(SIZE) * PX / mm / 2
    return _cast(
        head,
        *(a + np.arange(s // STEP) * STEP * PX / mm for a, s in zip(corner, SIZE, strict=True)),
    )


def read_for_network(pixels: np.ndarray, head: Head, nodes: np.ndarray) -> np.ndarray:
    """A picture, (H, W, 3) uint8 sRGB, at nodes (h, w, 2) px and between: likewise, of `SIZE`."""
    return _resample(pixels, nodes, STEP, PX / head.mm_per_px, SIZE)


def _outline(head: Head) -> tuple[np.ndarray, np.ndarray]:
    """The box of what of a head is compared: least and most x and y, px."""
    outline = head.pixels[head.facings > LEAST_FACING]
    return outline.min(0), outline.max(0)


def _cast(head: Head, xs: np.ndarray, ys: np.ndarray) -> NodeGrid:
    """The grid of nodes at columns and rows (px)."""
    nodes = np.stack(np.meshgrid(xs, ys), -1)
    triangle, weights, depth = head.raycast(nodes.reshape(-1, 2))
    return NodeGrid(nodes, triangle, weights, np.isfinite(depth))


def register(photo: np.ndarray, photo_head: Head, portrait: PortraitGrid) -> ShiftField:
    """What the heads' map from a photo to a portrait of the same person lacks.

    Parameters
    ----------
    photo : np.ndarray, (H, W, 3) uint8 sRGB
    photo_head : Head
        Fitted to it, best together with the portrait's: they then share the identity.
    portrait : PortraitGrid

    Returns
    -------
    ShiftField
    """
    mm = portrait.mm
    told = _shifts_by_network(photo, photo_head, portrait)
    shift = fit_field(*told, mm)
    source, visible = transfer_back(photo_head, portrait.head, portrait.fine)
    whole = _upsample(visible[..., None].astype(np.float32), NODE_STEP)[..., 0] > 0.99
    nodes = portrait.fine.nodes
    for window, search, apart in PASSES:
        # What is known by now is taken off before the next, closer comparison.
        moved = _moved(source, portrait.fine, shift)
        ours = band_pass(_resample(photo, moved, NODE_STEP, WORKING_PX / photo_head.mm_per_px))
        found = match_patches(ours, portrait.features, whole, window, search, apart)
        at = nodes[0, 0] * mm + found[0] * WORKING_PX
        found = at, found[1] + shift(at / mm) * mm, found[2]
        shift = fit_field(*(np.concatenate(both) for both in zip(told, found, strict=True)), mm)
    return shift


def _shifts_by_network(
    photo: np.ndarray, photo_head: Head, portrait: PortraitGrid
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the network compared, (n, 2) mm, how far that lies off, and (n, 2, 2) its precision."""
    mm, nodes = portrait.mm, portrait.wide.nodes
    source, visible = transfer_back(photo_head, portrait.head, portrait.wide)
    visible = cv2.erode(visible.astype(np.uint8), np.ones((3, 3))) > 0
    rows, columns = np.indices(visible.shape)
    asked = visible & (rows % APART == 0) & (columns % APART == 0)
    ours = see_face(read_for_network(photo, photo_head, source))
    shifts, deviations = see_shifts(ours, portrait.seen, visible)
    precision = (DOUBT * deviations[asked])[..., None] ** -2.0 * np.eye(2)
    return nodes[asked] * mm, shifts[asked], precision


def _moved(source: np.ndarray, grid: NodeGrid, shift: ShiftField) -> np.ndarray:
    """Where a grid's nodes are seen in the photo (h, w, 2) px, less what is known to lie off."""
    nodes = grid.nodes
    apart = nodes[0, 1, 0] - nodes[0, 0, 0]
    back = nodes - shift(nodes.reshape(-1, 2)).reshape(nodes.shape)
    return _sample(source, (back - nodes[0, 0]) / apart)


def transfer_back(photo: Head, portrait: Head, grid: NodeGrid) -> tuple[np.ndarray, np.ndarray]:
    """Where the heads see a grid's nodes in the photo, (h, w, 2) px, and whether, (h, w) bool."""
    corners, weights = load_model().triangles[grid.triangle], grid.weights
    source = (photo.pixels[corners] * weights[..., None]).sum(1)
    facing = np.minimum(*((head.facings[corners] * weights).sum(1) for head in (photo, portrait)))
    own = (photo.vertices[corners, 2] * weights).sum(1)
    visible = grid.on_face & (facing > LEAST_FACING) & ~photo.hides(source, own)
    return source.reshape(grid.nodes.shape), visible.reshape(grid.nodes.shape[:2])


def _sample(image: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Channels of (h, w, c) read bilinearly at (H, W, 2) px."""
    read = _remap(image.astype(np.float32), at)
    return read.reshape(*at.shape[:2], -1)


def _upsample(nodes: np.ndarray, step: int, size: tuple[int, int] | None = None) -> np.ndarray:
    """Values on nodes (h, w, c) at every working pixel, of `size` (width, height) or up to them."""
    width, height = size or tuple((n - 1) * step + 1 for n in nodes.shape[1::-1])
    at = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1) / step
    return _sample(nodes, at)


def _resample(
    pixels: np.ndarray,
    nodes: np.ndarray,
    step: int,
    scale: float,
    size: tuple[int, int] | None = None,
) -> np.ndarray:
    """A picture read at nodes (h, w, 2) px and between them: (H, W, 3) uint8.

    scale    px of the picture in a working px
    """
    if scale > 1.25:
        pixels = cv2.GaussianBlur(pixels, (0, 0), 0.45 * scale)
    return _remap(pixels, _upsample(nodes, step, size))


def _remap(image: np.ndarray, at: np.ndarray) -> np.ndarray:
    """An image read bilinearly at (H, W, 2) px, x and y; its border goes on outside it."""
    x, y = (np.ascontiguousarray(at[..., axis], np.float32) for axis in (0, 1))
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
