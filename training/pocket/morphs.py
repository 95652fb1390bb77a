"""Faces between two photo-like faces, so that the base sees four times as many people.

Both heads are bent to landmarks between theirs, and the one's inner face is mixed into the other's
head. The two are turned alike, of one sex, and alike in brightness; nobody held out takes part.
What `teachers.py` asks of a morph lies between its parents too: their landmarks, dlib's numbers.

    python -m training.pocket.morphs --crops work/crops --out work/morphed
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial import Delaunay

EACH = 4  # morphs that begin from one photo
SHARES = (0.3, 0.6)  # of the other face
CLAUSES_OF_THE_HEAD = ("hair", "more", "light", "level", "background", "turn")
BRIGHTNESS = 25  # grey levels that the two may lie apart


def anchors(landmarks: np.ndarray, side: int) -> np.ndarray:
    """Landmarks (68, 2) px with a forehead, and a border that stays: (98, 2)."""
    jaw, brows = landmarks[0:17], landmarks[17:27]
    up = brows.mean(0) - landmarks[6:11].mean(0)
    forehead = brows[[0, 2, 4, 5, 7, 9]] + 0.45 * up
    ends = np.linspace(0, side - 1, 7)
    border = [(x, y) for x in ends for y in ends if x in (0, side - 1) or y in (0, side - 1)]
    return np.concatenate([jaw, landmarks[17:], forehead, np.array(border)])


def bent(image: np.ndarray, points: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The image (S, S, 3) uint8 with its points (P, 2) moved to wanted, linear in each triangle."""
    side = len(image)
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2)
    mesh = Delaunay(wanted)
    triangle = mesh.find_simplex(grid)
    affine = mesh.transform[triangle]  # (S S, 3, 2)
    part = np.einsum("nij,nj->ni", affine[:, :2], grid - affine[:, 2])
    weights = np.concatenate([part, 1 - part.sum(1, keepdims=True)], 1)
    source = np.einsum("nk,nkd->nd", weights, points[mesh.simplices[triangle]])
    source = np.where(triangle[:, None] < 0, grid, source).reshape(side, side, 2)
    x, y = source.astype(np.float32).transpose(2, 0, 1)
    return cv2.remap(image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def inner_face(points: np.ndarray, side: int) -> np.ndarray:
    """1 within brows, cheeks and chin, soft towards 0 outside: (S, S, 1) of landmarks (68, 2)."""
    hull = cv2.convexHull(np.concatenate([points[2:15], points[17:27]]).astype(np.int32))
    mask = cv2.fillConvexPoly(np.zeros((side, side), np.float32), hull, 1.0)
    eroded = cv2.erode(mask, np.ones((15, 15), np.uint8))
    return cv2.GaussianBlur(eroded, (0, 0), 7)[..., None]


def morph(one: np.ndarray, other: np.ndarray, from_: np.ndarray, to: np.ndarray, share: float):
    """-> the morph (S, S, 3) uint8 and its landmarks (68, 2); share is the other's, 0..1."""
    side = len(one)
    between = (1 - share) * from_ + share * to
    wanted = anchors(between, side)
    head = bent(one, anchors(from_, side), wanted).astype(np.float32)
    face = bent(other, anchors(to, side), wanted).astype(np.float32)
    mask = inner_face(between, side)
    weight = mask.sum()
    # the other's face in this head's light: mean and spread of each channel within the face
    for c in range(3):
        means = [(mask[..., 0] * x[..., c]).sum() / weight for x in (head, face)]
        spreads = [
            np.sqrt((mask[..., 0] * (x[..., c] - m) ** 2).sum() / weight)
            for x, m in zip((head, face), means, strict=True)
        ]
        gain = np.clip(spreads[0] / max(spreads[1], 1e-3), 0.7, 1.4)
        face[..., c] = (face[..., c] - means[1]) * gain + means[0]
    mixed = head + mask * share * 1.3 * (face - head)
    return mixed.clip(0, 255).round().astype(np.uint8), between


def partners(rows: list[dict], seed: int = 0) -> list[tuple[int, int, float]]:
    """(photo, other, share) of all morphs."""
    rng, pairs = np.random.default_rng(seed), []
    photos = [i for i, r in enumerate(rows) if r["kind"] == "photo" and not r["held_out"]]
    photos = [i for i in photos if rows[i]["words"]["more"] not in ("sunglasses",)]
    for i in photos:
        mine = rows[i]
        fits = [
            j
            for j in photos
            if j != i
            and rows[j]["words"]["turn"] == mine["words"]["turn"]
            and rows[j]["words"]["noun"] == mine["words"]["noun"]
            and abs(rows[j]["grey"] - mine["grey"]) < BRIGHTNESS
            and "glasses" not in rows[j]["words"]["more"]  # half of them is a ghost
        ]
        for j in rng.permutation(fits)[:EACH]:
            pairs.append((i, int(j), float(rng.uniform(*SHARES))))
    return pairs


def row_of(one: dict, other: dict, landmarks: np.ndarray, share: float) -> dict:
    embedding = (1 - share) * np.array(one["embedding"]) + share * np.array(other["embedding"])
    made = dict(one, morph=True, landmarks68=landmarks.round(1).tolist())
    made["embedding"] = (embedding / np.linalg.norm(embedding)).round(4).tolist()
    made["file"] = f"{one['file']} {other['file']}"
    for side in ("words", "mirrored"):  # what only one parent shows of its face is not said
        made[side] = {
            k: v if k in CLAUSES_OF_THE_HEAD or v == other[side][k] or k in ("kind", "noun") else ""
            for k, v in one[side].items()
        }
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--crops", type=Path, default=Path("work/crops"))
    parser.add_argument("--out", type=Path, default=Path("work/morphed"))
    o = parser.parse_args()
    crops = np.load(o.crops / "crops.npy")
    rows = json.loads((o.crops / "crops.json").read_text())
    points = np.array([r["landmarks68"] for r in rows])
    made = []
    for i, j, share in partners(rows):
        picture, landmarks = morph(crops[i], crops[j], points[i], points[j], share)
        made.append((picture, row_of(rows[i], rows[j], landmarks, share)))
    o.out.mkdir(parents=True, exist_ok=True)
    np.save(o.out / "crops.npy", np.concatenate([crops, np.stack([m[0] for m in made])]))
    (o.out / "crops.json").write_text(json.dumps(rows + [m[1] for m in made]))
    print(f"{len(made)} morphs beside {len(rows)} heads")


if __name__ == "__main__":
    main()
