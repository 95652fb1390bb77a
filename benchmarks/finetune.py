"""How like the person the portraits are: two stages against one, over seeds.

For each seed the person of examples/people is learned anew, with stage 1's LoRA as the start and
without it, in the same number of steps. Twenty portraits are then made with the default style
and compared, by the face engine, with the person's photos, with the other example person's, and
with strangers'. The ceiling: the photos among themselves, and their reconstructions by the base's
VAE, which no fine-tune can pass.

    python -m benchmarks.finetune --data ../shared/data [--person mei] [--seeds 3] [--sheet PNG]
    python -m benchmarks.finetune --of outputs/demo/portraits      portraits that are there
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from realism.checks import photo_to_photo
from realism.config import ASSETS
from realism.diffusion.base import decode_latents, encode_images, load_base
from realism.diffusion.lora import Adapter
from realism.errors import InputError
from realism.faces.engine import load_engine, primary_face
from realism.finetune.crops import crop_photo
from realism.finetune.events import LoraSaved, Preview, TrainingStep
from realism.finetune.pictures import list_pictures
from realism.finetune.stages import (
    FACES,
    default_stages,
    find_stage1,
    finetune_faces,
    finetune_person,
)
from realism.images import open_photo, save_png
from realism.portraits.portrait import Portrait
from realism.portraits.sample import sample_portraits
from realism.portraits.styles import find_style, prompt_for

OTHER = {"mei": "ravi", "ravi": "mei"}
CLASS_WORDS = {"mei": "woman", "ravi": "man"}
TOP = 6  # portraits looked at: what a person would choose from


def find_faces(engine, files: list[Path]) -> list[tuple]:
    """(photo, face) of every file that has one clear face."""
    found = []
    for file in files:
        photo = open_photo(file)
        try:
            found.append((photo, primary_face(engine.find(photo.pixels))))
        except InputError:
            continue
    return found


def embed_strangers(engine, data: Path, count: int) -> dict[str, np.ndarray]:
    """Embeddings (n, D) of people, by name, two pictures each; the shipped faces without data."""
    files = sorted((data / "synthetic-faces" / "images").glob("*.jpg"))
    files = files or [file for file, _ in list_pictures(FACES)]
    by_person: dict[str, list[Path]] = {}
    for file in files:
        by_person.setdefault(file.stem.split("-")[0], []).append(file)
    step = max(1, len(by_person) // count)
    chosen = list(by_person)[::step][:count]
    embedded = {}
    for name in chosen:
        seen = find_faces(engine, by_person[name][:2])
        if seen:
            embedded[name] = np.stack([face.embedding for _, face in seen])
    return embedded


def embed_pictures(engine, images: list[np.ndarray]) -> list[np.ndarray | None]:
    """Of the face of each picture; None where there is not exactly one."""
    found = [engine.find(image) for image in images]
    return [faces[0].embedding if len(faces) == 1 else None for faces in found]


def measure(seen: list, own: np.ndarray, other: np.ndarray, crowd: dict) -> dict[str, float]:
    """Figures of one set of pictures.

    Parameters
    ----------
    seen : list of (D,) ndarray or None
        Embeddings, one a picture.
    own, other : (n, D) ndarray
        Of the person's photos, of the other person's.
    crowd
        Of strangers.
    """
    found = [embedding for embedding in seen if embedding is not None]
    near = sorted(found, key=lambda embedding: -(own @ embedding).max())[:TOP]
    if not near:
        return {"faces": 0.0}
    ahead = [
        np.mean([(own @ e).max() > (stranger @ e).max() for stranger in crowd.values()])
        for e in near
    ]
    return {
        "faces": len(found) / len(seen),
        "all": float(np.mean([(own @ e).max() for e in found])),
        "top": float(np.mean([(own @ e).max() for e in near])),
        "other": float(np.mean([(other @ e).max() for e in near])),
        "nearer than other": float(np.mean([(own @ p).max() > (other @ p).max() for p in near])),
        "nearer than strangers": float(np.mean(ahead)),
        "worst": float(min(ahead)),
    }


def show(name: str, figures: dict[str, float]) -> None:
    """One line."""
    line = "  ".join(f"{key} {value:.2f}" for key, value in figures.items())
    print(f"{name:32} {line}", flush=True)


@dataclass(frozen=True, eq=False)
class References:
    """Whom portraits are compared with: embeddings (n, D) each.

    Attributes
    ----------
    photos
        Of the person, (photo, face) each.
    own
        Of these.
    other
        Of the other example person.
    crowd
        Of strangers, by name.
    """

    photos: list[tuple]
    own: np.ndarray
    other: np.ndarray
    crowd: dict[str, np.ndarray]

    def figures(self, engine, images: list[np.ndarray]) -> dict[str, float]:
        """`measure` of pictures (H, W, 3) uint8."""
        return measure(embed_pictures(engine, images), self.own, self.other, self.crowd)


def read_references(engine, person: str, data: Path) -> References:
    """The photos of an example person, the other one's, and fifty strangers."""
    own, other = (
        find_faces(engine, sorted((ASSETS / "people" / name).glob("*.jpg")))
        for name in (person, OTHER[person])
    )
    own_e, other_e = (np.stack([face.embedding for _, face in seen]) for seen in (own, other))
    return References(own, own_e, other_e, embed_strangers(engine, data, 50))


def compare_stages(base, engine, references: References, options: argparse.Namespace) -> None:
    """Learn the person anew for every seed, with stage 1 and without, and print the figures."""
    subject = f"ohwx {CLASS_WORDS[options.person]}"
    crops = [
        crop_photo(photo, face, subject, base.resolution, aligned=base.preset.aligned)[0].pixels
        for photo, face in references.photos
    ]
    rebuilt = decode_latents(base, encode_images(base, np.stack(crops))[0])
    show("VAE of the photos", references.figures(engine, list(rebuilt)))
    first, second = default_stages(base)
    for name, value in (entry.split("=") for entry in options.set):
        kind = type(getattr(second, name))
        value = tuple(value.split(",")) if kind is tuple else kind(value)
        second = replace(second, **{name: value})
    start = find_stage1(base, first)
    if start is None:
        for _ in finetune_faces(base, engine, FACES, first):
            pass
        start = find_stage1(base, first)
    asked = find_style(options.style)
    rows = []
    for seed in range(options.seeds):
        for name, lora in (("two stages", start), ("one stage", None))[: 1 + options.one_stage]:
            with TemporaryDirectory() as folder:
                stage = replace(second, seed=seed)
                print(
                    finetune_once(
                        base, engine, references.photos, subject, Path(folder), lora, stage
                    )
                )
                for kept in ("best", "last"):
                    if not (Path(folder) / kept).exists():
                        continue
                    walk = sample_portraits(
                        base, prompt_for(asked.prompt, subject), asked.negative_prompt,
                        range(1000, 1000 + options.portraits), adapter=Adapter(Path(folder) / kept),
                    )  # fmt: skip
                    images = [event.pixels for event in walk if isinstance(event, Portrait)]
                    show(f"{name}, seed {seed}, {kept}", references.figures(engine, images))
                    rows.append(np.hstack([cv2.resize(image, (128, 128)) for image in images]))
    if options.sheet:
        save_png(options.sheet, np.vstack(rows))


def finetune_once(base, engine, photos, subject, out: Path, lora, stage) -> str:
    """Fine-tune on the person; says how it went."""
    began, losses, previews, best = time.monotonic(), [], [], None
    for event in finetune_person(base, engine, photos, subject, out, lora, stage):
        if isinstance(event, TrainingStep):
            losses.append(event.loss)
        if isinstance(event, Preview):
            previews.append(round(event.similarity, 2) if event.similarity is not None else None)
        if isinstance(event, LoraSaved) and event.best:
            best = event.step
    return (
        f"    {time.monotonic() - began:.0f} s, loss {np.mean(losses[:20]):.3f} to "
        f"{np.mean(losses[-20:]):.3f}, previews {previews}, best after step {best}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--base", default="pocket")
    parser.add_argument("--person", default="mei", choices=tuple(OTHER))
    parser.add_argument(
        "--of", type=Path, metavar="DIR", help="judge these portraits, learn nothing"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--portraits", type=int, default=20)
    parser.add_argument("--style", default="studio")
    parser.add_argument("--one-stage", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="of stage 2")
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()

    engine = load_engine()
    references = read_references(engine, options.person, options.data)
    print(f"{len(references.own)} photos, {len(references.crowd)} strangers; engine {engine.name}")
    scale = photo_to_photo(list(references.own))
    print(f"photo to photo                   lowest {min(scale):.2f}  mean {np.mean(scale):.2f}")
    if options.of:
        images = [open_photo(file).pixels for file, _ in list_pictures(options.of)]
        show(f"{len(images)} portraits", references.figures(engine, images))
        return
    compare_stages(load_base(options.base), engine, references, options)


if __name__ == "__main__":
    main()
