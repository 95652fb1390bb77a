"""How a wrinkle changes from one picture of a head to another: by expression and by light.

A fold is deep where the skin across it is pressed together, so the heads' expressions say how
much of it is left. What it looks like has two parts: the valley's own shade, which is there in
any light, and a lit and an unlit side, which grow with how far the light falls across the fold
and change sides with it. The light of a picture is read from the shading of its skin over the
normals of its head: log-light is nearly linear in the normal.

Light: the first-order form of Ramamoorthi and Hanrahan, "An efficient representation for
irradiance environment maps", SIGGRAPH 2001.
"""

import numpy as np

from realism.faces.skin import LEAST_SKIN
from realism.head.geometry import Head
from realism.head.model import load_model
from realism.marks.restore.wrinkle import polyline_normals

LIT_FACING = 0.3  # cosine from which skin tells of the light
UNSURE_LIGHT = 0.3  # log units; across slopes of light below it say little
SMOOTHED = 6.0  # share of its depth lost for a stretch of 1
UNSURE_STRETCH = 1.03  # two heads of one expression differ by so much; it smooths nothing
LEAST_LEFT = 0.35  # of its depth, however smooth the expression


def estimate_light(log_light: np.ndarray, skin: np.ndarray, head: Head) -> np.ndarray:
    """How log-light grows with the skin's normal.

    Parameters
    ----------
    log_light : (H, W) float32
        Log of luminance.
    skin : (H, W), 0..1
    head : Head
        Fitted to the picture.

    Returns
    -------
    (3,) float64, camera's frame
        Zero where too little skin is seen.
    """
    facing = head.facings > LIT_FACING
    at = np.round(head.pixels[facing]).astype(int)
    inside = ((at >= 0) & (at < [skin.shape[1], skin.shape[0]])).all(1)
    at, normals = at[inside], head.normals[facing][inside]
    seen = skin[at[:, 1], at[:, 0]] > LEAST_SKIN
    if seen.sum() < 100:
        return np.zeros(3)
    light, design = log_light[at[:, 1], at[:, 0]][seen], normals[seen]
    design = np.column_stack([np.ones(len(design)), design])
    weights, fit = np.ones(len(light)), np.zeros(4)
    for _ in range(5):
        weighted = design * weights[:, None]
        # A little ridge: on a face seen from the front, normals hardly differ.
        ridge = np.diag([0, 1, 1, 1]) * 1e-3 * weights.sum()
        fit = np.linalg.solve(design.T @ weighted + ridge, weighted.T @ light)
        off = np.abs(light - design @ fit)
        weights = 1 / (1 + (off / max(1.4826 * np.median(off), 0.02)) ** 2)
    return fit[1:]


def estimate_relighting(
    polyline: np.ndarray, heads: tuple[Head, Head], lights: tuple[np.ndarray, np.ndarray]
) -> tuple[float, float]:
    """What becomes of a wrinkle from photo to portrait.

    Parameters
    ----------
    polyline : (n, 2) px of the photo
    heads : (Head, Head)
        Fitted to photo and portrait.
    lights : two (3,) ndarray
        Of `estimate_light`, likewise.

    Returns
    -------
    depth_left : float, 0..1
        Of its depth.
    shading_factor : float, -1..1
        Of its lit and unlit sides; negative where they change.
    """
    corners = load_model().triangles[heads[0].raycast(polyline)[0]]
    flat = heads[0].pixels[corners]
    edges = np.stack([flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]], 2)
    steps = np.einsum("nij,nj->ni", np.linalg.pinv(edges), polyline_normals(polyline))
    across = []
    for head in heads:
        place = head.vertices[corners]
        sides = np.stack([place[:, 1] - place[:, 0], place[:, 2] - place[:, 0]], 2)
        across.append(np.einsum("nij,nj->ni", sides, steps))
    lengths = [np.linalg.norm(direction, axis=1) for direction in across]
    stretch = float(np.median(lengths[1] / np.maximum(lengths[0], 1e-6)))
    depth_left = np.clip(1 - SMOOTHED * (stretch - UNSURE_STRETCH), LEAST_LEFT, 1)
    here, there = (
        np.median(direction @ light / np.maximum(length, 1e-6))
        for direction, light, length in zip(across, lights, lengths, strict=True)
    )
    shading_factor = (here * there + UNSURE_LIGHT**2) / (here**2 + UNSURE_LIGHT**2)
    return float(depth_left), float(np.clip(shading_factor, -1, 1))
