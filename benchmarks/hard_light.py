"""How many strongly turned, unevenly lit faces are found, at the first look and at the second.

    python -m benchmarks.hard_light --data ../shared/data

Portraits of photo-faces turned by 35 degrees and more and renders of synthetic-faces by 36
and more: as they are, with either side dark (4 % of its light), dim all over (3 %), and so near
that the picture cuts them, in even light and with a dark side.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from data_sets.scoring import SHARED
from realism.faces import dlib
from realism.faces.detect import overlap
from realism.images import open_photo, to_linear

LEAST_YAW = {"photo-faces": 35, "synthetic-faces": 36}  # degrees
SAME = 0.35  # intersection over union with the true box from which it is found
DARKEST, REACH = 3.2, 1.3  # log units off the light at the dark edge of the face; how it falls
DIM = 0.03  # of the light
CLOSE = 0.05  # of the face's box, left around it


def read_turned(data: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pixels, and the box of the face, of each picture that is turned far enough."""
    for name, least in LEAST_YAW.items():
        for line in (data / name / "metadata.jsonl").read_text().splitlines():
            entry = json.loads(line)
            yaw = entry["yaw"] if "yaw" in entry else entry["pose"]["yaw"]
            if abs(yaw) >= least:
                path = data / name / (entry.get("image") or entry["file_name"])
                box = entry.get("box") or entry["face_box"]
                yield open_photo(path).pixels, np.float32(box)


def to_srgb(light: np.ndarray) -> np.ndarray:
    """Linear light to uint8, nearly sRGB."""
    return np.rint(255 * np.clip(light, 0, 1) ** (1 / 2.2)).astype(np.uint8)


def relit(pixels: np.ndarray, box: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """What is done to the light, the picture so, and the box in it."""
    light = to_linear(pixels)
    across = (np.arange(pixels.shape[1]) - box[0]) / (box[2] - box[0])
    left, right = (
        light * np.exp(-DARKEST * np.clip(1 - REACH * at, 0, 1)).astype(np.float32)[None, :, None]
        for at in (across, 1 - across)
    )
    room = CLOSE * (box[2:] - box[:2])
    x0, y0 = np.maximum(box[:2] + room * [-1, 1], 0).astype(int)
    x1, y1 = np.minimum(box[2:] + room, pixels.shape[1::-1]).astype(int)
    for name, picture in (
        ("as they are", pixels),
        ("left side dark", to_srgb(left)),
        ("right side dark", to_srgb(right)),
        ("dim", to_srgb(light * DIM)),
    ):
        yield name, picture, box
    for name, picture in (("close", pixels), ("close, left side dark", to_srgb(left))):
        cut = cv2.resize(picture[y0:y1, x0:x1], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        yield name, cut, 2 * (box - [x0, y0, x0, y0])


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=SHARED / "data")
    options = parser.parse_args()
    engine, again = dlib.DlibEngine(), dlib.look_again
    pictures = list(read_turned(options.data))
    shares = []
    for look in (lambda *_: None, again):
        dlib.look_again = look  # without it, then with it
        found: dict[str, list[bool]] = {}
        for pixels, box in pictures:
            for name, picture, there in relit(pixels, box):
                seen = any(overlap(b, there) > SAME for b, _, _ in engine.meshes(picture))
                found.setdefault(name, []).append(seen)
        shares.append({name: np.mean(seen) for name, seen in found.items()})
    print(f"{len(pictures)} faces turned by 35 degrees and more; found at the first look, and so:")
    for name, share in shares[0].items():
        print(f"{name}: {share:.1%}, {shares[1][name]:.1%}")
    first, second = (np.mean(list(share.values())) for share in shares)
    print(f"altogether: {first:.1%}, {second:.1%}", flush=True)


if __name__ == "__main__":
    main()
