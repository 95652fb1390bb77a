"""How well faces are found, landmarks and pose placed, and people told apart.

`--fit` also makes the embedded engine's calibration anew: from the renders of
`synthetic-faces` alone (CC0, 204 made-up people, four pictures each). Every other set only
measures. Renders and photos differ: the calibration centres renders, and photos of strangers
read about 0.2 instead of 0.

    python -m benchmarks.faces --data ../shared/data [--fit]
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_sets.marked_people import read_truth
from data_sets.renders import read_metadata
from realism.faces.dlib import CALIBRATION, DlibEngine
from realism.faces.face import Face
from realism.faces.mesh import landmarks68
from realism.images import open_photo

RIDGE = 0.3  # share of the mean variance added before whitening: 816 pictures, 128 numbers
PARTS = {
    "jaw": slice(0, 17),
    "brows": slice(17, 27),
    "nose": slice(27, 36),
    "eyes": slice(36, 48),
    "lips": slice(48, 68),
}


def list_pictures(data: Path) -> dict[str, list[tuple[Path, str]]]:
    """Pictures and whom they show, by set."""
    sets = {
        "example-people": [(p, p.parent.name) for p in data.glob("example-people/*/*-[0-9]*.jpg")],
        "marked-people": [(p, p.name[:3]) for p in data.glob("marked-people/clean/*.jpg")],
        "people-variants": [(p, p.name[:4]) for p in data.glob("people-variants/*.jpg")],
        "faces": [(p, p.name) for p in data.glob("face*s/*.jpg")],
    }
    return {name: sorted(found) for name, found in sets.items()}


def fit(engine: DlibEngine, data: Path) -> None:
    """Write the constants: a mean balanced over groups, and the whitening within people."""
    raw, people, groups = [], [], []
    for entry in read_metadata(data / "synthetic-faces"):
        pixels = open_photo(data / "synthetic-faces" / entry["file_name"]).pixels
        for _, mesh, _ in engine.meshes(pixels)[:1]:
            raw.append(engine.raw_embedding(pixels, mesh))
            people.append(entry["person"])
            groups.append(f"{entry['group']} {entry['sex']}")
    raw, people, groups = np.array(raw), np.array(people), np.array(groups)
    # Half of the renders are East Asian: a plain mean would lie on their side.
    mean = np.mean([raw[groups == group].mean(0) for group in np.unique(groups)], axis=0)
    within = np.concatenate([raw[people == p] - raw[people == p].mean(0) for p in set(people)])
    spread = within.T @ within / (len(raw) - len(set(people)))
    spread += RIDGE * np.trace(spread) / len(spread) * np.eye(len(spread))
    values, vectors = np.linalg.eigh(spread)
    whiten = vectors / np.sqrt(values) @ vectors.T
    np.savez(CALIBRATION, mean=mean.astype(np.float32), whiten=whiten.astype(np.float32))
    print(f"fitted on {len(raw)} pictures of {len(set(people))} people: {CALIBRATION.name}")


def measure_sets(
    engine: DlibEngine, data: Path
) -> Iterator[tuple[str, list, np.ndarray, list[Face]]]:
    """Each set with its people, whether pictures showed one face, and the faces."""
    for name, found in list_pictures(data).items():
        people, faces, counts, seconds = [], [], [], []
        for path, person in found:
            pixels = open_photo(path).pixels
            start = time.perf_counter()
            seen = engine.find(pixels)
            seconds.append(time.perf_counter() - start)
            counts.append(len(seen))
            if seen:
                people.append((path, person))
                faces.append(seen[0])
        wrong = sum(count != 1 for count in counts)
        print(
            f"{name}: {len(found)} pictures, {wrong} without exactly one face, "
            f"{np.median(seconds):.2f} s a picture"
        )
        yield name, people, faces


def print_separation(name: str, people: list[str], embeddings: np.ndarray) -> None:
    """Print how cosines of one person and of two lie, and their AUC."""
    people = np.array(people)
    upper = np.triu_indices(len(people), 1)
    same = (people[:, None] == people)[upper]
    cosines = (embeddings @ embeddings.T)[upper]
    strangers = cosines[~same]
    line = f"  strangers {_spread(strangers)}"
    if same.any():
        ranks = cosines.argsort().argsort()
        auc = (ranks[same].mean() - (same.sum() - 1) / 2) / len(strangers)
        line = f"  same person {_spread(cosines[same])}{line}  AUC {auc:.4f}"
    print(f"{name}:{line}")
    for limit in (0.3, 0.35, 0.4, 0.45, 0.5, 0.55):
        taken = f"{(cosines[same] >= limit).mean():.0%} of a person's pairs, " if same.any() else ""
        print(f"    from {limit:.2f}: {taken}{(strangers >= limit).mean():.1%} of strangers'")


def _spread(values: np.ndarray) -> str:
    low, middle, high = np.percentile(values, (5, 50, 95))
    return f"{middle:.2f} (5-95 %: {low:.2f} to {high:.2f})"


def print_errors(faces: list[Face], truths: list[dict]) -> None:
    """Print the error of landmarks in mm, where they are seen, and of pose in degrees."""
    errors, turns = [], []
    for face, truth in zip(faces, truths, strict=True):
        # The truth counts pixel centres at .5.
        off = landmarks68(face.mesh) + 0.5 - np.array(truth["landmarks68"])
        error = np.linalg.norm(off, axis=1) * truth["mm_per_px"]
        errors.append(np.where(truth["landmarks68_visible"], error, np.nan))
        turns.append([getattr(face.pose, axis) - truth["pose"][axis] for axis in PARTS_OF_POSE])
    errors, turns = np.array(errors), np.array(turns)
    for part, points in PARTS.items():
        print(f"  {part}: {np.nanmedian(errors[:, points]):.1f} mm")
    for axis, off in zip(PARTS_OF_POSE, turns.T, strict=True):
        low, high = np.median(np.abs(off)), np.percentile(np.abs(off), 95)
        print(f"  {axis}: {low:.1f}° (95 %: {high:.1f}°), bias {np.median(off):+.1f}°")


PARTS_OF_POSE = ("yaw", "pitch", "roll")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the measuring sets")
    parser.add_argument("--fit", action="store_true", help="make the calibration anew first")
    options = parser.parse_args()
    if options.fit:
        fit(DlibEngine(), options.data)
    truths, true_faces, photos = [], [], []
    for name, people, faces in measure_sets(DlibEngine(), options.data):
        print_separation(
            name, [person for _, person in people], np.stack([f.embedding for f in faces])
        )
        if name in ("example-people", "marked-people"):
            truths += [read_truth(path) for path, _ in people]
            true_faces += faces
        else:
            photos += [(person, face) for (_, person), face in zip(people, faces, strict=True)]
    people = [person for person, _ in photos]
    print_separation("photos together", people, np.stack([face.embedding for _, face in photos]))
    print("against the truth of renders (medians):")
    print_errors(true_faces, truths)


if __name__ == "__main__":
    main()
