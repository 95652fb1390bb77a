"""Cut photo-like pictures and renders into aligned heads, and say in words what each shows.

Every head sits as `realism.faces.align` puts it, turned by 37 degrees at most, with a margin of
16 px so that training can shift it. With each go its 68 landmarks and dlib's numbers of the face,
which training uses as things to know (`teachers.py`). People of renders, and single photos, are
held out: no model trains on them.

Photos come without words for whom they show: `seen.json` holds what a reader of this project saw in
their aligned heads (numbers of the files). Small children among them are left out.

    python -m training.pocket.crops --renders ../shared/data/synthetic-faces \
        --photos ../shared/data/photo-faces --out work/crops
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from realism.faces.align import aligned_crop, seen_share
from realism.faces.dlib import DlibEngine
from training.pocket.words import TURNS, photo_words, render_words

SIDE = 256  # px, what the models see
MARGIN = 16  # px around it
MOST_YAW = 37.0  # degrees
LEAST_SEEN = 0.88  # of the crop inside the picture
LEAST_EXTENT = 150  # px of the picture across the crop: less is a blur
SEEN = Path(__file__).with_name("seen.json")


def read(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]


def turn_of(yaw: float) -> str:
    """What a caption calls a turn; yaw in degrees, > 0 towards the image's right."""
    return TURNS[0] if abs(yaw) < 8.5 else TURNS[2] if yaw > 0 else TURNS[1]


def head(engine: DlibEngine, picture: Path) -> dict | None:
    """The aligned head of a picture's only face, or None where there is no such face."""
    image = cv2.imread(str(picture))
    if image is None:
        return None
    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    faces = engine.find(image)
    if len(faces) != 1 or abs(faces[0].pose.yaw) > MOST_YAW:
        return None
    crop, matrix = aligned_crop(image, faces[0], SIDE, MARGIN)
    extent = SIDE / np.hypot(*matrix[0, :2])
    if extent < LEAST_EXTENT or seen_share(image.shape, matrix, len(crop)) < LEAST_SEEN:
        return None
    landmarks = faces[0].landmarks @ matrix[:, :2].T + matrix[:, 2]
    return {
        "crop": crop,
        "file": picture.name,
        "turn": turn_of(faces[0].pose.yaw),
        "grey": float(crop.mean()),
        "landmarks68": landmarks.round(1).tolist(),  # px of the crop
        "embedding": faces[0].embedding.round(4).tolist(),
    }


def seen(file: str) -> dict:
    """What was seen in a photo: sex "female", "male", "child" or "", and words as plain."""
    lists, number = json.loads(SEEN.read_text()), int(Path(file).stem[1:])
    sex = [
        k
        for k, v in (("female", "woman"), ("male", "man"), ("child", "child"))
        if number in lists[v]
    ]
    plain = [word for word in ("smile", "old", "african", "east asian") if number in lists[word]]
    return {"sex": sex[0] if sex else "", "plain": plain, "person": file}


def cut(renders: Path, photos: Path, out: Path, held_renders: int, held_photos: int) -> None:
    """Writes crops.npy (N, 288, 288, 3) uint8 and crops.json, what is known of each."""
    engine = DlibEngine()
    found = {"render": [], "photo": []}
    for kind, folder, name in (("render", renders, "file_name"), ("photo", photos, "image")):
        for row in read(folder):
            if made := head(engine, folder / row[name]):
                found[kind].append(row | made | {"kind": kind})
        print(f"{len(found[kind])} heads of {kind}s", flush=True)
    for row in found["photo"]:
        row.update(seen(row["file"]))
    unseen = set()
    for kind, count in (("render", held_renders), ("photo", held_photos)):
        people = sorted({row["person"] for row in found[kind]})
        unseen |= set(np.random.default_rng(0).permutation(people)[:count].tolist())
    kept = [row for row in [*found["render"], *found["photo"]] if row["sex"] != "child"]
    rows = []
    for row in kept:
        words = render_words if row["kind"] == "render" else photo_words
        told = {k: row[k] for k in ("kind", "person", "file", "grey", "landmarks68", "embedding")}
        told["held_out"] = row["person"] in unseen
        rows.append(told | {"words": words(row, False), "mirrored": words(row, True)})
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "crops.npy", np.stack([row["crop"] for row in kept]))
    (out / "crops.json").write_text(json.dumps(rows))
    greys = np.quantile([r["grey"] for r in rows], [0.15, 0.5, 0.85]).round()
    print(f"{len(rows)} heads, {len(unseen)} people held out, grey level 15/50/85 %: {greys}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--renders", type=Path, default=Path("../shared/data/synthetic-faces"))
    parser.add_argument("--photos", type=Path, default=Path("../shared/data/photo-faces"))
    parser.add_argument("--held-renders", type=int, default=20, help="people of renders")
    parser.add_argument("--held-photos", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path("work/crops"))
    o = parser.parse_args()
    if (o.out / "crops.json").exists():
        print(f"{o.out} is there already")
        return
    cut(o.renders, o.photos, o.out, o.held_renders, o.held_photos)


if __name__ == "__main__":
    main()
