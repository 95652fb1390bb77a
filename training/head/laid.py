"""Renders laid on each other by the heads that the program fits to them, and how far that is off.

What fitted heads are off by is no smooth field alone: a nose of another depth shifts by more than
the cheek beside it, and an expression by more than either. Where each point of the skin lies is
known of renders (`truth.py`); the pairs are what the network of `shift_network.py` meets in use.

    python -m training.head.laid --truth work/head/truth.npz --out work/head/laid.npz
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from realism.faces.engine import Engine, load_engine, primary_face
from realism.head.fit import fit_person, steady_mesh
from realism.head.geometry import Head
from realism.head.registration import network_nodes, read_for_network, transfer_back
from realism.head.shift_network import PX, describe
from training.head.pairs import Pictures, another_light, mirrored

PAIRS = 14  # of each person at most


class LaidPairs:
    """Pairs that `main` wrote.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path):
        known = np.load(path)
        self.ours, self.theirs = known["ours"], known["theirs"]
        self.shift, self.visible, self.seen = known["shift"], known["visible"], known["seen"]

    def __len__(self) -> int:
        return len(self.ours)

    def pair(self, index: int, rng: np.random.Generator | None = None) -> tuple[np.ndarray, ...]:
        """A pair as of `pairs.make_pair`; `rng` varies light and side."""
        pictures = [self.ours[index], self.theirs[index]]
        shift, visible, seen = (
            self.shift[index].astype(np.float32),
            self.visible[index],
            self.seen[index],
        )
        if rng is not None:
            pictures = [another_light(rng, pixels) for pixels in pictures]
        both = np.concatenate([describe(pixels) for pixels in pictures], -1)
        if rng is not None and rng.random() < 0.5:
            both, shift, visible, seen = mirrored(both, shift, visible, seen)
        both = np.ascontiguousarray(both.transpose(2, 0, 1))
        return both[:4], both[4:], np.ascontiguousarray(shift.transpose(2, 0, 1)), visible, seen


def lay(pictures: Pictures, heads: dict[int, Head], portrait: int, photo: int) -> dict:
    """A photo laid on a portrait, as `LaidPairs` reads it."""
    head, other = heads[portrait], heads[photo]
    grid = network_nodes(head)
    source, visible = transfer_back(other, head, grid)
    visible = cv2.erode(visible.astype(np.uint8), np.ones((3, 3))) > 0
    belongs, seen = pictures.carried(photo, portrait, source)
    shift = np.where(seen[..., None], belongs - grid.nodes, 0) * head.mm_per_px / PX
    return {
        "ours": read_for_network(pictures.pixels[photo], other, source),
        "theirs": read_for_network(pictures.pixels[portrait], head, grid.nodes),
        "shift": shift.astype(np.float16),
        "visible": visible,
        "seen": seen & visible,
    }


def fit_heads(pictures: Pictures, views: np.ndarray, engine: Engine) -> dict[int, Head]:
    """The heads of a person's pictures, by number; of those in which a face is found."""
    evidence = {}
    for view in views:
        pixels = pictures.pixels[view]
        if faces := engine.find(pixels):
            evidence[view] = steady_mesh(pixels, primary_face(faces).mesh), pixels.shape[:2]
    return dict(zip(evidence, fit_person([*evidence.values()]), strict=True)) if evidence else {}


def main() -> None:
    """Lay pairs of each person's pictures and write them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--truth", type=Path, required=True, help="of truth.py")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    pictures, engine, rng = Pictures(given.truth), load_engine("dlib"), np.random.default_rng(3)
    rows = []
    for person, views in pictures.by_person.items():
        heads = fit_heads(pictures, views, engine)
        pairs = [(a, b) for a in heads for b in heads if a != b]
        rows += [lay(pictures, heads, *pairs[k]) for k in rng.permutation(len(pairs))[:PAIRS]]
        print(person, len(rows), flush=True)
    np.savez(given.out, **{name: np.stack([row[name] for row in rows]) for name in rows[0]})


if __name__ == "__main__":
    main()
