"""What the check says of faces behind a mask, a hand, a phone or words, and of bare ones.

Such things are painted, as `training/faces/covers.py` paints them, on the portraits of photo-faces
that no training saw; bare are those, views of marked-people, face-marks and the example people.

    python -m training.faces.score_covers [--data ../shared/data] [--sheet OUT.png]
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from data_sets.scoring import SHARED
from realism.checks.hidden import LEAST_COVERED, LEAST_LETTERED, MOST_COVERED, share_of_face
from realism.errors import InputError
from realism.faces.covers import find_covers
from realism.faces.engine import load_engine, primary_face
from realism.faces.features import fill_outlines
from realism.faces.mesh import FACE_OVAL
from realism.faces.occluders import describe_view, find_occluders, upright_view
from realism.images import open_photo
from training.faces.occluders import LISTS, smaller
from training.faces.paint import SCALE
from training.faces.paint_covers import paint_hand, paint_lettering, paint_mask, paint_thing

PAINTED = 0.05  # of the face, from which what was painted counts
MUCH = 0.2  # of it, from which it should be refused


def paint_on(kind: str, rng: np.random.Generator, pixels: np.ndarray, points: np.ndarray,
             other: np.ndarray) -> np.ndarray:  # fmt: skip
    """Paint on a view, in place, and say where: (h, w) 0..1."""
    if kind == "mask":
        return paint_mask(rng, pixels, points)
    if kind == "hand":
        return paint_hand(rng, pixels, points)
    if kind == "phone or other thing":
        return paint_thing(rng, pixels, points, other)
    return paint_lettering(rng, pixels)


def main() -> None:
    """Print what is seen of what was painted, and what of bare faces is taken for it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=SHARED / "data")
    parser.add_argument("--sheet", type=Path, help="PNG of the painted faces to write")
    options = parser.parse_args()
    engine, rng = load_engine("dlib"), np.random.default_rng(11)
    held_out = sorted(json.loads(LISTS.read_text())["held_out"])
    portraits = [options.data / "photo-faces" / f"{name}.jpg" for name in held_out]
    others = [
        *sorted((options.data / "marked-people" / "marked").glob("*.jpg")),
        *sorted((options.data / "face-marks").glob("*.jpg")),
        *sorted((options.data / "example-people").glob("*/*.jpg")),
    ]
    bare, views = [], []
    for file in (*portraits, *others):
        pixels = open_photo(file).pixels
        try:
            face = primary_face(engine.find(pixels))
        except InputError:
            continue
        over = find_occluders(pixels, face)
        bare.append([share_of_face(layer, face) for layer in (over.covered, over.lettered)])
        if file in portraits:
            views.append(upright_view(pixels, face, SCALE)[:2])
    covered, lettered = np.array(bare).T
    refused, told, words = (
        np.mean(values > least)
        for values, least in (
            (covered, MOST_COVERED),
            (covered, LEAST_COVERED),
            (lettered, LEAST_LETTERED),
        )
    )
    print(
        f"{len(bare)} bare faces: refused {refused:.3f}, told of something before them {told:.3f}"
    )
    print(f"    and of words {words:.3f}")
    found, tiles = defaultdict(list), []
    for view, points in views:
        for kind in ("mask", "hand", "phone or other thing", "words"):
            pixels = view.astype(np.float32)
            where = paint_on(kind, rng, pixels, points, views[rng.integers(len(views))][0])
            small, at = smaller(pixels), points / SCALE
            oval = fill_outlines([FACE_OVAL], at, small.shape[:2]) > 0
            true = float((smaller(where)[oval] > 0.5).mean())
            if true < PAINTED:
                continue
            layer = find_covers(describe_view(small, at), at)[kind == "words"]
            seen = float((layer[oval] > 0.5).mean())
            found[kind].append((true, seen))
            if len(tiles) < 32 and rng.random() < 0.2:
                shown = np.where((layer > 0.5)[..., None], small * 0.5 + [127, 0, 0], small)
                tiles.append(np.uint8(np.hstack([small, shown]).clip(0, 255))[..., ::-1])
    for kind, pairs in found.items():
        true, seen = np.array(pairs).T
        least = LEAST_LETTERED if kind == "words" else LEAST_COVERED
        print(f"{kind}: told {np.mean(seen > least):.2f} of {len(true)}")
        if kind != "words":
            much = true >= MUCH
            print(
                f"    that hide {MUCH} and more: refused {np.mean(seen[much] > MOST_COVERED):.2f}"
            )
    if options.sheet:
        while len(tiles) % 4:
            tiles.append(np.zeros_like(tiles[0]))
        rows = [np.hstack(tiles[i : i + 4]) for i in range(0, len(tiles), 4)]
        cv2.imwrite(str(options.sheet), np.vstack(rows))


if __name__ == "__main__":
    main()
