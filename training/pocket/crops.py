"""Cut renders into head crops and say in words what each shows: what the pocket base learns from.

Two crops a picture: the face fills about 70 % of the height of a close-up and about 50 % of
"head and shoulders". Each keeps a margin of 16 px, so that training can shift it. People, not
pictures, are held out: a face seen from another side is not unseen.

    python -m training.pocket.crops --data ../shared/data/synthetic-faces --held-out 20 --out work/crops
    python -m training.pocket.crops --data work/renders --out work/more-crops
"""

# ruff: noqa: E501

import argparse
import json
import zlib
from pathlib import Path

import cv2
import numpy as np

SIDE = 256  # px, what the models see
MARGIN = 16  # px around it
SCALES = {
    "close-up": 0.70,
    "head and shoulders": 0.50,
}  # height of the face over height of the frame

GROUPS = {
    "caucasian": "white",
    "east asian": "east asian",
    "south asian": "south asian",
    "african": "african",
}
DIM, BRIGHT = 104, 168  # mean grey level of a crop: the darkest and brightest 15 %


def crop(
    image: np.ndarray, face_box, scale: float, jitter: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The square around a face, and the matrix that took the picture there.

    Parameters
    ----------
    image : (H, W, 3) uint8 sRGB
    face_box : x0, y0, x1, y1 px
        Forehead to chin.
    scale : float
        Height of the face over height of the frame, before a jitter of 8 %.

    Returns
    -------
    (SIDE + 2 MARGIN, SIDE + 2 MARGIN, 3) uint8 sRGB
    (2, 3)
        From px of the picture to px of the crop.
    """
    x0, y0, x1, y1 = face_box
    height = max(y1 - y0, 1.1 * (x1 - x0))  # a face that looks down is short
    side = height / scale * np.exp(jitter.uniform(-0.08, 0.08))
    centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2 + (0.06 if scale < 0.6 else -0.03) * side])
    out = SIDE + 2 * MARGIN
    side = min(
        side, min(image.shape[:2]) * SIDE / out
    )  # the window with its margin stays inside the picture,
    half = side / 2 * out / SIDE  # or smeared borders would be learned as clothes
    centre = np.clip(centre, half, np.array(image.shape[1::-1]) - half)
    zoom = SIDE / side
    matrix = np.hstack([np.eye(2) * zoom, (out / 2 - zoom * centre)[:, None]])
    if zoom < 1:  # prefilter, or the skin's grain turns into false grain
        image = cv2.GaussianBlur(image, (0, 0), 0.35 / zoom)
    square = cv2.warpAffine(
        image, matrix, (out, out), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return square, matrix


def words(row: dict, scale: str, grey: float, mirrored: bool) -> dict:
    """The clauses of a caption; `unet.py` joins them, leaves some out, and adds rare words.

    Parameters
    ----------
    row : dict
        One line of metadata.jsonl.
    grey : float, 0-255
        Mean grey level of the crop.
    """
    hair = row["text"].split(" with ", 1)[1].rsplit(", ", 4)[0]
    turn = row["turn"]
    if mirrored:
        turn = {
            "turned to image left": "turned to image right",
            "turned to image right": "turned to image left",
        }.get(turn, turn)
    expression = row["expression"]
    return {
        "age": row["age_group"],
        "group": GROUPS[row["group"]],
        "noun": {"female": "woman", "male": "man"}[row["sex"]],
        "skin": f"{row['skin_tone']} skin",
        "hair": hair,
        "expression": "neutral expression" if expression == "neutral" else expression,
        "turn": turn,
        "light": f"{row['light']} light",
        "level": "dim" if grey < DIM else "bright" if grey > BRIGHT else "",
        "scale": scale,
        "background": f"{row['backdrop']} background",
    }


def read(data: Path) -> list[tuple[Path, dict]]:
    """All rows of a set, with their folder: a set is a folder with metadata.jsonl, or a folder of such folders."""
    return [
        (metadata.parent, json.loads(line))
        for metadata in sorted([*data.glob("metadata.jsonl"), *data.glob("*/metadata.jsonl")])
        for line in metadata.read_text().splitlines()
    ]


def held_out(data: Path, count: int) -> set[str]:
    people = sorted({row["person"] for _, row in read(data)})
    return set(np.random.default_rng(0).permutation(people)[:count])


def cut(data: Path, out: Path, count_held_out: int) -> None:
    """Writes crops.npy (N, 288, 288, 3) uint8 and crops.json: person, caption clauses, landmarks, held out or not."""
    unseen = held_out(data, count_held_out)
    pictures, rows = [], []
    for folder, row in read(data):
        image = cv2.imread(str(folder / row["file_name"]))
        if image is None:  # still being written by the renderer
            continue
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        jitter = np.random.default_rng(zlib.crc32(row["file_name"].encode()))
        for name, scale in SCALES.items():
            picture, matrix = crop(image, row["face_box"], scale, jitter)
            landmarks = np.array(row["landmarks68"]) @ matrix[:, :2].T + matrix[:, 2]
            grey = float(picture.mean())
            pictures.append(picture)
            rows.append(
                {
                    "person": row["person"],
                    "file": row["file_name"],
                    "held_out": row["person"] in unseen,
                    "scale": name,
                    "yaw": row["pose"]["yaw"],
                    "grey": grey,
                    "landmarks68": landmarks.round(1).tolist(),  # px of the crop
                    "words": words(row, name, grey, False),
                    "mirrored": words(row, name, grey, True),
                }
            )
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "crops.npy", np.stack(pictures))
    (out / "crops.json").write_text(json.dumps(rows))
    greys = np.array([r["grey"] for r in rows])
    print(
        f"{len(rows)} crops of {len({r['person'] for r in rows})} people, {len(unseen)} of them held out; grey level 15/50/85 %: {np.quantile(greys, [0.15, 0.5, 0.85]).round()}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("../shared/data/synthetic-faces"),
        help="a set of renders, or a folder of sets",
    )
    parser.add_argument("--held-out", type=int, default=0, help="people that no model trains on")
    parser.add_argument("--out", type=Path, default=Path("work/crops"))
    options = parser.parse_args()
    cut(options.data, options.out, options.held_out)


if __name__ == "__main__":
    main()
