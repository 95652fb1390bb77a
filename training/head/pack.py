"""Make `realism/head/weights/ict-head.npz` from the ICT head and synthetic-faces.

1. Read the mesh of every picture, in several crops and mirrored.
2. Where on the renderer's skin each of the 468 points usually lies (its place).
3. Where on the ICT head that place is: the head is fitted to the places in 3D, and the closest
   points of its surface are averaged over people, back and forth (iterated closest point).
4. How far a point lies from its place, foretold from turn and face shape by ridge regression, and
   what is left: the noise. Held-out people measure it.

    python -m training.head.pack --truth work/head/truth.npz --data ../shared/data/synthetic-faces \
        --model ../shared/data/face-model/ict-facekit-light.npz \
        --out realism/head/weights/ict-head.npz
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from realism.faces.dlib import DlibEngine
from realism.faces.face import eye_centres
from realism.faces.mesh import REACH, FaceMesh, roll_angle, upright_extent
from realism.head.fit import BIAS_REACH, mirror_points, unit_mesh
from realism.images import open_photo

CROPS = ((1.0, 0.0, 0.0), (0.9, 0.05, 0.02))  # size, lean (radians), shift, as `steady_mesh`
AVERAGED = (1, 2, 4)  # the slide is learned for one reading and for means of two and four
IDENTITY, SHAPES = 50, 100  # modes packed; modes of mesh shape that foretell the slide
RIDGE = 0.1


def read_meshes(data: Path, names: list[str]) -> np.ndarray:
    """(n, 4, 468, 3) px: each picture's mesh upright, mirrored, and both in a second crop."""
    engine, net, twin_of = DlibEngine(), FaceMesh(), mirror_points()
    result = []
    for name in names:
        pixels = open_photo(data / "images" / f"{name}.jpg").pixels
        mesh = engine.find(pixels)[0].mesh
        mirrored, last = np.ascontiguousarray(pixels[:, ::-1]), pixels.shape[1] - 1
        roll = roll_angle(eye_centres(mesh))
        centre, extent = upright_extent(mesh, roll)
        four = []
        for size, lean, shift in CROPS:
            at, side = centre + extent * shift, extent * REACH * size
            four.append(net.read_crop(pixels, at, side, roll + lean)[0])
            twin = net.read_crop(mirrored, np.array([last - at[0], at[1]]), side, -roll - lean)[0]
            twin = twin[twin_of]
            twin[:, 0] = last - twin[:, 0]
            four.append(twin)
        result.append(four)
    return np.array(result)


def cross(a, b):
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def find_triangles_under(pixels, points, triangles, spots):
    """The front triangle (-1: none), corner weights and facing under each of `spots` (n, 2)."""
    a, b, c = (pixels[triangles[:, k]] for k in range(3))
    area = cross(b - a, c - a)
    fronts = np.flatnonzero(area < 0)
    a, b, c, area = a[fronts], b[fronts], c[fronts], area[fronts]
    _, near = cKDTree((a + b + c) / 3).query(spots, k=10)
    a, b, c, area = a[near], b[near], c[near], area[near]
    second, third = cross(spots[:, None] - a, c - a) / area, cross(b - a, spots[:, None] - a) / area
    weights = np.stack([1 - second - third, second, third], 2)
    inside = (weights >= 0).all(2)
    depth = (weights * points[triangles[fronts]][near][..., 2]).sum(2)
    first, row = np.where(inside, depth, np.inf).argmin(1), np.arange(len(spots))
    hit = fronts[near[row, first]]
    corners = points[triangles[hit]]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    to_camera = -corners[:, 0]
    facing = (normal * to_camera).sum(1)
    facing /= np.linalg.norm(normal, axis=1) * np.linalg.norm(to_camera, axis=1)
    return hit, weights[row, first], np.where(inside.any(1), facing, -1)


def find_closest_points(points, vertices, triangles, k=16):
    """The nearest point of a surface: corners (n, 3) and weights (n, 3)."""
    _, near = cKDTree(vertices[triangles].mean(1)).query(points, k=k)
    a, b, c = (vertices[triangles[near]][:, :, j] for j in range(3))
    ab, ac, ap = b - a, c - a, points[:, None] - a
    d00, d01, d11 = (ab * ab).sum(2), (ab * ac).sum(2), (ac * ac).sum(2)
    d20, d21 = (ap * ab).sum(2), (ap * ac).sum(2)
    whole = np.maximum(d00 * d11 - d01**2, 1e-12)
    v, w = (d11 * d20 - d01 * d21) / whole, (d00 * d21 - d01 * d20) / whole
    v, w = np.clip(v, 0, 1), np.clip(w, 0, 1)
    over = np.maximum(v + w, 1)
    weights = np.stack([1 - (v + w) / over, v / over, w / over], 2)
    found = (vertices[triangles[near]] * weights[..., None]).sum(2)
    best, row = np.linalg.norm(found - points[:, None], axis=2).argmin(1), np.arange(len(points))
    return triangles[near[row, best]], weights[row, best]


def find_usual_places(truth, meshes):
    """Where each mesh point usually lies on the renderer's skin (corners, weights), its spread."""
    spots, facings = [], []
    template, triangles, size = truth["template"], truth["triangles"], truth["size"]
    half = (truth["points"][::2], truth["focals"][::2], meshes[::2])
    for points, focal, mesh in zip(*half, strict=True):
        pixels = size / 2 - 0.5 + focal * points[:, :2] / points[:, 2:]
        hit, weights, facing = find_triangles_under(pixels, points, triangles, mesh[:, :2])
        spots.append((template[triangles[hit]] * weights[..., None]).sum(1))
        facings.append(facing)
    spots, facings = np.array(spots), np.array(facings)
    middle, spread = np.zeros((468, 3)), np.zeros(468)
    for i in range(468):
        least = next((t for t in (0.55, 0.4, 0.25) if (facings[:, i] > t).sum() >= 40), 0.1)
        seen = spots[facings[:, i] > least, i]
        centre = np.median(seen, 0)
        for _ in range(10):  # geometric median (Weiszfeld)
            confidence = 1 / (np.linalg.norm(seen - centre, axis=1) + 1)
            centre = (seen * confidence[:, None]).sum(0) / confidence.sum()
        middle[i], spread[i] = centre, np.median(np.linalg.norm(seen - centre, axis=1))
    return *find_closest_points(middle, template, triangles, 40), spread


def fit_in_3d(mean, modes, prior, corners, weights, wanted, confidence):
    """Weights of the modes, rotation and shift that lay the head's places on `wanted` (n, 3)."""
    usual = (mean[corners] * weights[..., None]).sum(1)
    moves = (modes[:, corners] * weights[..., None]).sum(2)
    root = np.sqrt(confidence)[:, None]
    flat, x = (moves * root).reshape(len(modes), -1), np.zeros(len(modes))
    for _ in range(6):
        shape = usual + np.tensordot(x, moves, 1)
        share = confidence / confidence.sum()
        here, there = share @ shape, share @ wanted
        u, _, vt = np.linalg.svd((wanted - there).T @ ((shape - here) * confidence[:, None]))
        rotation = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
        shift = there - rotation @ here
        residual = ((wanted - shift) @ rotation - usual) * root
        x = np.linalg.solve(flat @ flat.T + np.diag(prior), flat @ residual.ravel())
    return x, rotation, shift


def place_on_head(model, truth, places, spread, people=40):
    """Corners and weights on the ICT head of the 468 places."""
    mean, triangles = model["mean"] * 10.0, model["triangles"].astype(int)
    modes = np.concatenate([model["identity"][:60], model["expression"]]).astype(float) * 10
    prior = 9 * np.concatenate([np.ones(60), np.full(len(modes) - 60, 1 / 0.15**2)])
    chosen = {}
    for i, person in enumerate(truth["people"]):
        if truth["neutral"][i]:
            chosen.setdefault(person, i)
    chosen = list(chosen.values())[:people]
    inner = slice(17, 68)  # the jaw's landmarks lie on a contour, not on a place
    corners = np.repeat(model["landmarks68"][inner].astype(int)[:, None], 3, 1)
    weights = np.tile([1.0, 0, 0], (len(corners), 1))
    flip = np.array([1, -1, -1])  # to x right, y up, z towards the camera
    targets = [truth["landmarks"][i][inner] * flip for i in chosen]
    confidence = np.ones(len(corners))
    for _ in range(4):
        fits = [fit_in_3d(mean, modes, prior, corners, weights, t, confidence) for t in targets]
        targets, on_mean = [places[i] * flip for i in chosen], []
        for (x, rotation, shift), target in zip(fits, targets, strict=True):
            shape = mean + np.tensordot(x, modes, 1)
            found, share = find_closest_points((target - shift) @ rotation, shape, triangles)
            on_mean.append((mean[found] * share[..., None]).sum(1))
        middle = np.median(on_mean, 0)
        middle = (middle + middle[mirror_points()] * [-1, 1, 1]) / 2
        corners, weights = find_closest_points(middle, mean, triangles)
        confidence = np.minimum(1, (3 / spread) ** 2)
    return corners, weights


def fit_bias(shapes, turns, slides):
    """The regression of `realism.head.fit.debiased`: drift_usual, drift_modes, drift."""
    usual = np.linalg.lstsq(turns, shapes, rcond=None)[0]
    rest = shapes - turns @ usual
    modes = np.linalg.svd(rest, full_matrices=False)[2][:SHAPES]
    modes = modes / (rest @ modes.T).std(0)[:, None]
    inputs = np.hstack([turns, np.clip(rest @ modes.T, -BIAS_REACH, BIAS_REACH)])
    ridge = np.full(inputs.shape[1], RIDGE * len(inputs))
    ridge[: turns.shape[1]] *= 1e-3
    return usual, modes, np.linalg.solve(inputs.T @ inputs + np.diag(ridge), inputs.T @ slides)


def predict_bias(bias, shapes, turns):
    usual, modes, drift = bias
    rest = np.clip((shapes - turns @ usual) @ modes.T, -BIAS_REACH, BIAS_REACH)
    return np.hstack([turns, rest]) @ drift


def fit_held_out_bias(four, places_px, people):
    """The learned slide and the noise that is left on people held out, (7, 468) mesh units."""
    shapes, turns, slides, whose = [], [], [], []
    twin_of = mirror_points()
    for count in AVERAGED:
        for meshes, wanted, person in zip(four, places_px, people, strict=True):
            mesh = meshes[:count].mean(0).astype(float)
            slide = wanted - mesh[:, :2]
            # The mirrored twin doubles the set and makes what is learned even.
            for m, s in ((mesh, slide), ((mesh * [-1, 1, 1])[twin_of], (slide * [-1, 1])[twin_of])):
                unit, turn, upright, scale = unit_mesh(m)
                shapes.append(unit.ravel())
                turns.append(turn)
                slides.append((s / scale @ upright.T).ravel())
                whose.append(person)
    shapes, turns, slides = map(np.array, (shapes, turns, slides))
    fold = np.unique(whose, return_inverse=True)[1] % 5
    left = np.zeros_like(slides)
    for f in range(5):
        bias = fit_bias(shapes[fold != f], turns[fold != f], slides[fold != f])
        foretold = predict_bias(bias, shapes[fold == f], turns[fold == f])
        left[fold == f] = slides[fold == f] - foretold
    square = (left.reshape(-1, 468, 2) ** 2).sum(2) / 2
    print(f"held-out slide: median {np.sqrt(np.median(square)):.4f} mesh units")
    square = np.minimum(square, np.percentile(square, 99, axis=0))
    near = np.exp(-0.5 * ((turns[:, 1] * 40 - np.arange(-45, 46, 15.0)[:, None]) / 8) ** 2)
    noise = np.sqrt(near @ square / near.sum(1, keepdims=True))
    return fit_bias(shapes, turns, slides), noise


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    for name in ("--truth", "--data", "--model", "--out"):
        options.add_argument(name, type=Path, required=True)
    given = options.parse_args()
    truth, model = dict(np.load(given.truth)), dict(np.load(given.model))
    four = read_meshes(given.data, truth["names"])
    corners, weights, spread = find_usual_places(truth, four[:, 0].astype(float))
    places = np.array([(p[corners] * weights[..., None]).sum(1) for p in truth["points"]])
    focal = truth["focals"][:, None, None]
    places_px = truth["size"] / 2 - 0.5 + focal * places[..., :2] / places[..., 2:]
    on_head, shares = place_on_head(model, truth, places, spread)
    (usual, shape_modes, drift), noise = fit_held_out_bias(four, places_px, truth["people"])

    eyes = model["mean"][model["landmarks68"][[36, 39, 42, 45]]].mean(0)
    mean = (model["mean"] - eyes) * 10
    # The face and the head about it: the back and the neck carry no mark that a portrait shows.
    kept = np.arange(len(mean)) < model["face_vertices"]
    kept &= (mean[:, 2] > -95) & (mean[:, 1] > -125)
    kept[on_head] = True
    kept = np.flatnonzero(kept)
    new = np.full(len(mean), -1)
    new[kept] = np.arange(len(kept))
    triangles = new[model["triangles"].astype(int)]
    # Where the eyes look moves the lids too little to be read from a mesh.
    names = model["expression_names"]
    moves = np.flatnonzero([not str(name).startswith("eyeLook") for name in names])
    np.savez_compressed(
        given.out,
        mean=mean[kept].astype(np.float32),
        identity=(model["identity"][:IDENTITY, kept].astype(np.float32) * 10).astype(np.float16),
        expression=(model["expression"][moves][:, kept].astype(np.float32) * 10).astype(np.float16),
        expression_names=names[moves],
        triangles=triangles[(triangles >= 0).all(1)].astype(np.uint16),
        mesh_corners=new[on_head].astype(np.uint16),
        mesh_weights=shares.astype(np.float32),
        drift_usual=usual.astype(np.float32),
        drift_modes=shape_modes.astype(np.float32),
        drift=drift.astype(np.float32),
        noise=noise.astype(np.float32),
    )
    print(f"{given.out}: {given.out.stat().st_size / 1e6:.1f} MB, {len(kept)} vertices")


if __name__ == "__main__":
    main()
