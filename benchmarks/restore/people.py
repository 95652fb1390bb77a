"""Likeness to the photos before and after restoring, on generated people that lost their marks."""

from pathlib import Path

import cv2
import numpy as np

from benchmarks.restore.sheet import cut_face
from realism.faces.engine import Engine, load_engine, primary_face
from realism.faces.face import similarity
from realism.images import open_photo
from realism.marks.find.multiview import find_marks_multiview
from realism.marks.photo import analyse_photo
from realism.workflow import run_through
from realism.workflow.restore import restore_portrait

PHOTOS = ("trustworthy_1", "outgoing_0", "outgoing_2", "weight_0")
PORTRAITS = ("age_0", "attractive_2")
READINGS = 12  # of a portrait's likeness, each under other noise of a grey level


def people(data: Path, sheet: Path | None) -> None:
    """Print likeness to the photos before and after on generated people; write a picture."""
    engine, rows, kept = load_engine(), [], []
    print("portrait               marks put   likeness to the nearest photo: one reading    "
          f"mean of {READINGS}           mean of all photos")  # fmt: skip
    for person in sorted({path.name.split("_")[0] for path in data.glob("*.jpg")}):
        sources = []
        for name in PHOTOS:
            photo = open_photo(data / f"{person}_{name}.jpg")
            sources.append(analyse_photo(photo, primary_face(engine.find(photo.pixels))))
        sources = run_through(find_marks_multiview(sources))
        embeddings = [source.face.embedding for source in sources]
        for name in PORTRAITS:
            portrait = open_photo(data / f"{person}_{name}.jpg")
            restored = restore_portrait(portrait, sources, engine)
            both = portrait.pixels, restored.pixels
            single = [likeness(engine, pixels, embeddings, 1) for pixels in both]
            many = [likeness(engine, pixels, embeddings, READINGS) for pixels in both]
            pairs = (*zip(*single, strict=True), *zip(*many, strict=True))
            kept.append([after >= before for before, after in pairs])
            put = sum(spot["visible"] for spot in restored.report["placements"])
            cells = "      ".join(
                f"{before:.4f} -> {after:.4f}" for before, after in (pairs[0], *pairs[2:])
            )
            print(f"{portrait.name:20s}   {put:6d}      {cells}", flush=True)
            face = primary_face(engine.find(portrait.pixels))
            tiles = [cut_face(source.pixels, source.face) for source in sources[:1]]
            rows.append(np.hstack([*tiles, *(cut_face(pixels, face) for pixels in both)]))
    near, mean, steady_near, steady_mean = np.mean(kept, 0)
    print(
        f"not lower after than before, of {len(kept)}, by {engine.name}: nearest photo {near:.0%}, "
        f"mean of the photos {mean:.0%}; in {READINGS} readings {steady_near:.0%} and "
        f"{steady_mean:.0%}"
    )
    if sheet:
        cv2.imwrite(str(sheet), np.vstack(rows)[..., ::-1])


def likeness(
    engine: Engine, pixels: np.ndarray, photos: list[np.ndarray], readings: int
) -> tuple[float, float]:
    """Cosine with the nearest photo and the mean one, over readings under faint noise.

    Parameters
    ----------
    photos : (D,) unit embeddings
    readings
        1: of the pixels as they are.
    """
    rng, found = np.random.default_rng(5), []
    for _ in range(readings):
        noise = rng.normal(0, 1.0, pixels.shape) if readings > 1 else 0
        seen = np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)
        face = primary_face(engine.find(seen)).embedding
        found.append([similarity(face, photo) for photo in photos])
    cosines = np.mean(found, 0)
    return float(cosines.max()), float(cosines.mean())
