"""How much of a face's skin the masks cover, on faces whose skin was outlined by hand.

    python -m benchmarks.skin                      shares by what is hard about the faces
    python -m benchmarks.skin --sheet sheet.png    and the faces: both green, skin alone blue

`skin_outlines.json` has, in px of pictures of ../shared/data/photo-faces, the outline of the skin
of 25 faces (12 old or lined, 4 very dark, 2 very pale, 3 in cast shadow, 1 made up, 3 bearded) and
what covers it: polygons, and strokes with their width. Brows, eyes, lips and nostrils with a margin
are left out. Of what is no skin only that counts which lies above the brows or covers the skin.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from data_sets.marked_people import analyse_picture
from data_sets.scoring import SHARED
from realism.faces.features import feature_mask
from realism.faces.skin import LEAST_SKIN
from realism.marks.photo import PhotoAnalysis

OUTLINES = Path(__file__).parent / "skin_outlines.json"
PHOTOS = SHARED / "data" / "photo-faces"
FEATURE_MARGIN = 3.0  # mm around brows, eyes, lips and nostrils, which the masks keep off, too
FOREHEAD = 9  # mesh point between the brows: above it, what is beside the outline is hair or hat
TILE, COLUMNS = 400, 6


def true_skin(outline: dict, picture: PhotoAnalysis) -> tuple[np.ndarray, np.ndarray]:
    """Where skin is, and where something covers it: (H, W) bool each."""
    shape = picture.pixels.shape[:2]
    inside, covered = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    cv2.fillPoly(inside, [np.array(outline["outline"], np.int32)], 1)
    for polygon in outline.get("covered", []):
        cv2.fillPoly(covered, [np.array(polygon, np.int32)], 1)
    for width, points in outline.get("strokes", []):
        cv2.polylines(covered, [np.array(points, np.int32)], False, 1, width)
    features = feature_mask(picture.face, (0, 0), shape, FEATURE_MARGIN / picture.mm_per_px) > 0
    rows = np.arange(shape[0])[:, None]
    hair = (inside == 0) & (rows < picture.face.mesh[FOREHEAD, 1])
    return (inside > 0) & (covered == 0) & ~features, ((covered > 0) | hair) & ~features


def draw(picture: PhotoAnalysis, skin: np.ndarray, name: str) -> np.ndarray:
    """The face bare and with truth and strict mask, (TILE, 2 TILE, 3) uint8, B G R."""
    low, high = picture.face.mesh[:, :2].min(0), picture.face.mesh[:, :2].max(0)
    side = 1.4 * float((high - low).max())
    middle = (low + high) / 2 - [0, 0.1 * side]
    zoom = TILE / side
    matrix = np.hstack([zoom * np.eye(2), (TILE / 2 - zoom * middle)[:, None]])
    mask = picture.skin > LEAST_SKIN
    tint = picture.pixels[..., ::-1] // 2
    for place, channel in ((skin & ~mask, 0), (skin & mask, 1), (mask & ~skin, 2)):
        tint[..., channel] += 127 * place.astype(np.uint8)
    tiles = [cv2.warpAffine(p, matrix, (TILE, TILE)) for p in (picture.pixels[..., ::-1], tint)]
    cv2.putText(tiles[0], name, (4, 14), cv2.FONT_HERSHEY_PLAIN, 1, (0, 255, 255), 1)
    return np.hstack(tiles)


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=PHOTOS)
    parser.add_argument("--sheet", type=Path, help="PNG of the faces to write")
    options = parser.parse_args()
    shares: dict[str, list[tuple[float, ...]]] = {}
    tiles = []
    for name, outline in json.loads(OUTLINES.read_text()).items():
        picture = analyse_picture(options.data / f"{name}.jpg")
        skin, over = true_skin(outline, picture)
        masks = [mask > LEAST_SKIN for mask in (picture.skin, picture.paintable)]
        figures = [(mask & skin).sum() / skin.sum() for mask in masks]
        figures += [(mask & over).sum() / skin.sum() for mask in masks]
        print(f"{name} {outline['kind']}: " + "  ".join(f"{value:.2f}" for value in figures))
        for kind in (outline["kind"], *(["others"] if outline["kind"] != "lined" else [])):
            shares.setdefault(kind, []).append(tuple(figures))
        tiles.append(draw(picture, skin, name))
    print("share of the skin in the strict mask, the wide one; over it what is none in each:")
    for kind, values in shares.items():
        means = "  ".join(f"{value:.3f}" for value in np.mean(values, 0))
        print(f"{kind}, {len(values)}: {means}")
    if options.sheet:
        across = COLUMNS // 2
        while len(tiles) % across:
            tiles.append(np.zeros_like(tiles[0]))
        rows = [np.hstack(tiles[i : i + across]) for i in range(0, len(tiles), across)]
        cv2.imwrite(str(options.sheet), np.vstack(rows))


if __name__ == "__main__":
    main()
