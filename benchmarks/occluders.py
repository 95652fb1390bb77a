"""How much is found on what lies over the skin: glasses, hair, hats, jewellery, hands.

    python -m benchmarks.occluders                         counts a face, of each group of pictures
    python -m benchmarks.occluders --sheet sheet.png       and the faces with what was found on them
    python -m benchmarks.occluders --add "p0019 151 246 hair"      what a reader saw there

`occluders.json` names pictures of ../shared/data/photo-faces in groups (60 with glasses, 60 with
hats or loose hair, 51 with jewellery) and what a reader saw, enlarged, at each place where
something was found: "skin" (a mark or nothing), what lies over it, or "lid" and "wing", the creases
of lids and of the nose's wings. A finding takes the verdict of the nearest such place within
`NEAR`; one without is counted as not looked at, and is yellow on the sheet.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from data_sets.marked_people import analyse_picture
from data_sets.scoring import SHARED
from realism.disk import whole_file
from realism.marks.find.finders import find_marks
from realism.marks.mark import Mark

VERDICTS = Path(__file__).parent / "occluders.json"
PHOTOS = SHARED / "data" / "photo-faces"
SEEN = ("skin", "glasses", "hair", "beard", "hat", "jewellery", "hand", "lid", "wing")
OVER_SKIN = ("glasses", "hair", "hat", "jewellery", "hand")
NEAR = 5.0  # px from a finding's course
UNSEEN = "not looked at"
COLOURS = {"skin": (0, 200, 0), UNSEEN: (0, 255, 255)}  # B G R; all else is red
TILE, COLUMNS = 360, 6  # px of a face on the sheet; faces in a row


def verdict_of(mark: Mark, places: list[list]) -> str:
    """What a reader saw where a mark was found."""
    at = [np.array(place[:2], np.float32) for place in places]
    away = [np.linalg.norm(mark.points - place, axis=1).min() for place in at]
    nearest = int(np.argmin(away)) if away else -1
    return places[nearest][2] if away and away[nearest] <= NEAR else UNSEEN


def draw_findings(
    pixels: np.ndarray, mesh: np.ndarray, found: list[tuple[Mark, str]]
) -> np.ndarray:
    """The face enlarged, bare and with what was found: (TILE, 2 TILE, 3) uint8, B G R."""
    low, high = mesh[:, :2].min(0), mesh[:, :2].max(0)
    side = 1.3 * float((high - low).max())
    zoom, middle = TILE / side, (low + high) / 2 - [0, 0.1 * side]
    matrix = np.hstack([zoom * np.eye(2), (TILE / 2 - zoom * middle)[:, None]])
    bare = cv2.warpAffine(pixels[..., ::-1], matrix, (TILE, TILE), flags=cv2.INTER_CUBIC)
    drawn = bare.copy()
    for mark, verdict in found:
        colour = COLOURS.get(verdict, (0, 0, 255))
        points = np.rint(mark.points @ matrix[:, :2].T + matrix[:, 2]).astype(np.int32)
        if mark.is_traced:
            cv2.polylines(drawn, [points], False, colour, 1)
        else:
            cv2.circle(drawn, points[0].tolist(), round(mark.radius * zoom) + 4, colour, 1)
        x, y = np.rint(mark.points[len(mark.points) // 2]).astype(int)
        at = (points[len(points) // 2] + [5, -5]).tolist()
        cv2.putText(drawn, f"{x} {y}", at, cv2.FONT_HERSHEY_PLAIN, 0.8, colour, 1)
    return np.hstack([bare, drawn])


def count(data: Path, sheet: Path | None) -> None:
    """Print what was found a face on each thing, by group; draw the faces if asked."""
    tiles = []
    for group, pictures in json.loads(VERDICTS.read_text()).items():
        total: Counter[str] = Counter()
        for name, places in sorted(pictures.items()):
            picture = analyse_picture(data / f"{name}.jpg")
            marks = find_marks(picture.pixels, picture.face, picture.skin)
            found = [(mark, verdict_of(mark, places)) for mark in marks]
            total.update(verdict for _, verdict in found)
            if sheet and found:
                tiles.append(draw_findings(picture.pixels, picture.face.mesh, found))
                cv2.putText(tiles[-1], name, (4, 14), cv2.FONT_HERSHEY_PLAIN, 1, (255,) * 3, 1)
        over = sum(total[what] for what in OVER_SKIN) / len(pictures)
        print(
            f"{group}, {len(pictures)} faces: {over:.3f} findings a face on what lies over skin; "
            + ", ".join(f"{what} {total[what]}" for what in (*SEEN, UNSEEN) if total[what]),
            flush=True,
        )
    if sheet:
        while len(tiles) % (COLUMNS // 2):
            tiles.append(np.zeros_like(tiles[0]))
        rows = range(0, len(tiles), COLUMNS // 2)
        cv2.imwrite(str(sheet), np.vstack([np.hstack(tiles[i : i + COLUMNS // 2]) for i in rows]))


def add(seen: list[str]) -> None:
    """Write down what a reader saw: "picture x y what" each."""
    groups = json.loads(VERDICTS.read_text())
    for line in seen:
        name, x, y, what = line.split()
        if what not in SEEN:
            raise SystemExit(f"{what}: one of {', '.join(SEEN)}")
        for pictures in groups.values():
            if name in pictures:
                pictures[name].append([int(x), int(y), what])
    # A line a picture.
    texts = [
        f" {json.dumps(group)}: {{\n"
        + ",\n".join(f"  {json.dumps(name)}: {json.dumps(at)}" for name, at in pictures.items())
        + "\n }"
        for group, pictures in groups.items()
    ]
    with whole_file(VERDICTS) as temporary:
        temporary.write_text("{\n" + ",\n".join(texts) + "\n}\n")


def main() -> None:
    """Count, or write down what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=PHOTOS)
    parser.add_argument("--sheet", type=Path, help="PNG of the faces to write")
    parser.add_argument("--add", action="append", help='"picture x y what", may be repeated')
    options = parser.parse_args()
    if options.add:
        add(options.add)
    else:
        count(options.data, options.sheet)


if __name__ == "__main__":
    main()
