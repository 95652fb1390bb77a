"""How well marks are found, placed and restored, on pictures whose marks are known.

    python -m benchmarks.marks find --data DIR [--data DIR ...]     finder's figures
    python -m benchmarks.marks place --data DIR                     millimetres, all pairs of views
    python -m benchmarks.marks restore --data DIR --sheet OUT.png   colour recovered, and a picture
    python -m benchmarks.marks time --data DIR                      seconds at 1024 px

DIR is a folder of the form of ../shared/data/marked-people (truth/, marked/, clean/) or, for
`find`, of ../shared/data/face-marks (annotations.json), which is scored by
../shared/tools/score_marks.py; `--scorer` names that file.
"""

import argparse
import importlib.util
import json
import time
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import cv2
import numpy as np

from realism.faces.face import Face
from realism.faces.find import load_engine, the_face
from realism.faces.head import fit_person, steady_mesh
from realism.faces.skin import skin_mask
from realism.marks.find import find_marks
from realism.marks.mark import KINDS, Mark, marks_to_json
from realism.marks.place import place
from realism.marks.restore import Sliders, Source, blend, prepare
from realism.marks.surface import canvas
from realism.photos import open_photo, to_linear

SCORER = Path(__file__).resolve().parents[2] / "shared" / "tools" / "score_marks.py"
ROUND = KINDS[:3]


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture with its face and skin."""

    pixels: np.ndarray
    face: Face
    skin: np.ndarray

    @cached_property
    def canvas(self) -> np.ndarray:
        """Where marks may be put."""
        return canvas(self.pixels, self.skin, self.face)

    @cached_property
    def steady(self) -> tuple[np.ndarray, tuple[int, int]]:
        """What a head is fitted to: the mesh, read several times, and the picture's size."""
        return steady_mesh(self.pixels, self.face.mesh), self.pixels.shape[:2]


@cache
def seen(path: Path) -> Seen:
    """A picture, its face and its skin, found once."""
    pixels = open_photo(path).pixels
    face = the_face(load_engine().find(pixels))
    return Seen(pixels, face, skin_mask(pixels, face))


@dataclass(frozen=True, eq=False)
class View:
    """One view of a made-up person, with the truth of its marks."""

    name: str
    truth: dict
    marked: Path
    clean: Path

    def marks(self, kinds: tuple[str, ...] = KINDS) -> dict[str, Mark]:
        """The marks that can be seen, by id."""
        return {
            m["id"]: as_mark(m, self.truth)
            for m in self.truth["marks"]
            if m["visible"] and m["kind"] in kinds
        }

    def of(self, mark_id: str) -> dict:
        """The truth of one mark, seen or not."""
        return next(m for m in self.truth["marks"] if m["id"] == mark_id)


def as_mark(value: dict, truth: dict) -> Mark:
    """A mark of the truth, whose pixel centres lie at .5, as ours, at whole numbers."""
    line, radius = np.zeros((0, 2), np.float32), float(value.get("radius_px", 1))
    if value["kind"] == "wrinkle":
        points = [p for p, v in zip(value["polyline"], value["polyline_visible"], strict=True) if v]
        line = np.float32(points) - 0.5
        radius = max(1.0, value["width_mm"] / truth["mm_per_px"])
    return Mark(value["kind"], np.float32(value["xy"]) - 0.5, radius, 1.0, line)


def views(data: Path) -> dict[str, list[View]]:
    """All views of a folder like marked-people, by person."""
    people: dict[str, list[View]] = {}
    for path in sorted((data / "truth").glob("*.json")):
        truth = json.loads(path.read_text())
        name = f"{path.stem}.jpg"
        view = View(path.stem, truth, data / "marked" / name, data / "clean" / name)
        people.setdefault(truth["person"], []).append(view)
    return people


def truth_to_score(data: Path) -> list[tuple[Path, dict]]:
    """Pictures and what the scorer should know of them."""
    annotated = data / "annotations.json"
    if annotated.exists():
        return [(data / entry["image"], entry) for entry in json.loads(annotated.read_text())]
    entries = []
    for view in (v for group in views(data).values() for v in group):
        marks = []
        for value in view.truth["marks"]:
            mark = as_mark(value, view.truth)
            # Below 3 grey levels nobody can see a mark; at a grazing angle hardly.
            sure = value["visible"] and value["contrast"] >= 4 and value["facing"] > 0.3
            marks.append(
                {
                    "kind": mark.kind,
                    "xy": mark.xy.tolist(),
                    "radius": mark.radius,
                    "line": mark.line.tolist(),
                    "certain": bool(sure),
                }
            )
        for path, there in ((view.marked, marks), (view.clean, [])):
            size = view.truth["size"]
            entries.append(
                (
                    path,
                    {
                        "image": f"{path.parent.name}-{path.name}",
                        "size": size,
                        "face_box": [0, 0, *size],
                        "marks": there,
                        "ignore": [],
                    },
                )
            )
    return entries


def find(data: Path, scorer: Path) -> None:
    """Print the finder's figures on one folder."""
    spec = importlib.util.spec_from_file_location("score_marks", scorer)
    score = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(score)
    found, truth, seconds = [], [], []
    for path, entry in truth_to_score(data):
        picture = seen(path)
        start = time.process_time()
        marks = find_marks(picture.pixels, picture.face, picture.skin, threshold=0.0)
        seconds.append(time.process_time() - start)
        truth.append(entry)
        found += marks_to_json([(entry["image"], marks)])
    print(f"{data.name}: {np.median(seconds):.2f} s of processor a face")
    score.show(score.evaluate(truth, found))


def place_all(data: Path) -> None:
    """Print the placement's error over all ordered pairs of views."""
    print(
        "placement   marks   all seen   facing > 0.3   facing > 0.5 (median / 95 %, mm)"
        "   hidden ones placed   seen ones left out"
    )
    for method in ("head", "nearest3"):
        errors, facing, turned, haired, hidden, left_out = [], [], 0, 0, 0, 0
        for group in views(data).values():
            for photo, portrait in ((a, b) for a in group for b in group if a is not b):
                one, two = seen(photo.marked), seen(portrait.marked)
                marks = photo.marks(ROUND)
                heads = None
                if method == "head":
                    heads = tuple(fit_person([one.steady, two.steady]))
                given = list(marks.values())
                places = place(given, photo.name, one.face, two.face, two.canvas, method, heads)
                for mark_id, spot in zip(marks, places, strict=True):
                    there = portrait.of(mark_id)
                    if not there["visible"]:
                        hidden += 1
                        turned += spot.visible and there["facing"] < 0
                        haired += spot.visible and there["facing"] > 0
                        continue
                    gap = np.hypot(*(spot.to - np.float32(there["xy"]) + 0.5))
                    errors.append(gap * portrait.truth["mm_per_px"])
                    facing.append(min(photo.of(mark_id)["facing"], there["facing"]))
                    left_out += not spot.visible and facing[-1] > 0.3
        errors, facing = np.array(errors), np.array(facing)
        parts = [errors, errors[facing > 0.3], errors[facing > 0.5]]
        cells = "   ".join(f"{np.median(e):5.2f} / {np.percentile(e, 95):5.1f}" for e in parts)
        print(
            f"{method:10s}  {len(errors):5d}   {cells}   {turned} turned, "
            f"{haired} under hair, of {hidden}"
            f"   {left_out} of {(facing > 0.3).sum()}"
        )


def lab(pixels: np.ndarray) -> np.ndarray:
    """CIELAB of uint8 or float sRGB in 0..255."""
    return cv2.cvtColor(np.asarray(pixels, np.float32) / 255, cv2.COLOR_RGB2LAB)


def appearance(
    before: np.ndarray, after: np.ndarray, truth: np.ndarray, value: dict, mm_per_px: float
) -> tuple[float, float] | None:
    """Share of a round mark recovered, and its log-contrast over the truth's.

    before, after, truth    (H, W, 3) uint8: without marks, restored, rendered with them
    ->                      None when the mark's loss cannot be seen
    """
    x, y = np.array(value["xy"]) - 0.5
    radius = value["radius_px"]
    slack = int(np.ceil(1.5 / mm_per_px))
    half = int(np.ceil(2 * radius + slack + 3))
    x0, y0 = round(x), round(y)
    height, width = truth.shape[:2]
    if not (half < x0 < width - half - 1 and half < y0 < height - half - 1):
        return None
    cut = np.s_[y0 - half : y0 + half + 1, x0 - half : x0 + half + 1]
    b, a, t = before[cut], after[cut], truth[cut]
    ys, xs = np.mgrid[-half : half + 1, -half : half + 1]
    away = np.hypot(xs - (x - x0), ys - (y - y0))
    disc = away <= max(2 * radius, 1.5)
    loss = np.linalg.norm(lab(b) - lab(t), axis=2)
    if loss[disc].mean() < 1.5 or loss[disc].max() < 4:
        return None
    core = away <= max(radius * 0.7, 0.8)

    def contrast(linear, base):
        return float(np.log((linear[core].mean(0) + 1e-3) / (base[core].mean(0) + 1e-3)).mean())

    wanted = contrast(to_linear(t), to_linear(b))
    best = (-np.inf, 0.0)
    change = a.astype(np.float32) - b
    for dy in range(-slack, slack + 1):
        for dx in range(-slack, slack + 1):
            if np.hypot(dx, dy) * mm_per_px > 1.5:
                continue
            # Only what was put there is moved, not the skin under it.
            moved = np.clip(b + np.roll(change, (dy, dx), (0, 1)), 0, 255)
            left = np.linalg.norm(lab(moved) - lab(t), axis=2)[disc].sum()
            share = 1 - left / loss[disc].sum()
            if share > best[0]:
                best = (share, contrast(to_linear(moved), to_linear(b)) / min(wanted, -1e-3))
    return (*best, wanted)


def restore(data: Path, sheet: Path | None) -> None:
    """Print how much of the marks' look comes back, for ours and the original; write a picture."""
    rows = []
    print(
        "method   placement   marks   share recovered: median, 10 %   contrast in 0.75-1.33"
        "   not put there"
    )
    for method, placement in (("ratio", "head"), ("paste", "head"), ("paste", "nearest3")):
        shares, contrasts, missing = [], [], 0
        for group in views(data).values():
            for index, portrait in enumerate(group):
                photos = [group[(index + step) % len(group)] for step in (1, 2)]
                base, truth = seen(portrait.clean), seen(portrait.marked)
                sources = [
                    Source(p.name, s.pixels, s.face, s.skin, list(p.marks().values()))
                    for p in photos
                    for s in [seen(p.marked)]
                ]
                prepared = prepare(base.pixels, base.face, base.skin, sources, method, placement)
                after = blend(prepared, Sliders())
                offered = {
                    m
                    for p in photos
                    for m, mark in p.marks(ROUND).items()
                    if p.of(m)["facing"] > 0.3
                }
                for value in portrait.truth["marks"]:
                    if value["id"] not in offered or not value["visible"] or value["facing"] < 0.3:
                        continue
                    figures = appearance(
                        base.pixels, after, truth.pixels, value, portrait.truth["mm_per_px"]
                    )
                    if figures is None:
                        continue
                    shares.append(figures[0])
                    missing += abs(figures[1]) < 0.1
                    if value["kind"] != "acne" and figures[2] < -0.2:
                        contrasts.append(figures[1])
                if method == "ratio" and index == 0:
                    rows.append((sources[0], base, after, truth))
        right = np.mean([0.75 <= c <= 1.33 for c in contrasts])
        print(
            f"{method:6s}   {placement:9s}   {len(shares):4d}   {np.median(shares):.2f}, "
            f"{np.percentile(shares, 10):.2f}   {right:.0%} of {len(contrasts)}   {missing}"
        )
    if sheet:
        picture = np.vstack([_row(*row) for row in rows])
        cv2.imwrite(str(sheet), picture[..., ::-1])


def _row(source: Source, base: Seen, after: np.ndarray, truth: Seen) -> np.ndarray:
    """Photo, portrait before, after, truth: the faces side by side."""
    tiles = []
    for pixels, face in (
        (source.pixels, source.face),
        (base.pixels, base.face),
        (after, base.face),
        (truth.pixels, base.face),
    ):
        x0, y0, x1, y1 = face.box
        middle, half = ((x0 + x1) / 2, (y0 + y1) / 2 - 0.08 * (y1 - y0)), 0.66 * (y1 - y0)
        map_to = np.float32(
            [
                [300 / half, 0, 300 - middle[0] * 300 / half],
                [0, 300 / half, 300 - middle[1] * 300 / half],
            ]
        )
        tiles.append(cv2.warpAffine(pixels, map_to, (600, 600), flags=cv2.INTER_CUBIC))
    return np.hstack(tiles)


def timing(data: Path) -> None:
    """Print seconds of processor of each phase at 1024 px with about 30 marks."""
    group = next(iter(views(data).values()))
    photos = group[1:4]

    def large(path: Path) -> Seen:
        pixels = cv2.resize(open_photo(path).pixels, (1024, 1024), interpolation=cv2.INTER_CUBIC)
        face = the_face(load_engine().find(pixels))
        return Seen(pixels, face, skin_mask(pixels, face))

    base, sources = large(group[0].clean), []
    for photo in photos:
        picture = large(photo.marked)
        marks = [
            Mark(m.kind, m.xy * 2, m.radius * 2, 1.0, m.line * 2) for m in photo.marks().values()
        ]
        sources.append(Source(photo.name, picture.pixels, picture.face, picture.skin, marks))
    start = time.process_time()
    find_marks(sources[0].pixels, sources[0].face, sources[0].skin)
    print(f"find, one face              {time.process_time() - start:.3f} s")
    for method in ("ratio", "paste"):
        start = time.process_time()
        prepared = prepare(base.pixels, base.face, base.skin, sources, method)
        first = time.process_time() - start
        spans = []
        for overall in np.linspace(0.5, 1.5, 9):
            start = time.process_time()
            blend(prepared, Sliders(overall=float(overall)))
            spans.append(time.process_time() - start)
        print(
            f"{method:5s}  prepare {first:.3f} s   a slider's move {np.median(spans):.4f} s   "
            f"{len(prepared.patches)} marks, 3 photos"
        )


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("part", choices=("find", "place", "restore", "time"))
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--scorer", type=Path, default=SCORER)
    parser.add_argument("--sheet", type=Path, help="picture to write (restore)")
    options = parser.parse_args()
    for data in options.data:
        if options.part == "find":
            find(data, options.scorer)
        elif options.part == "place":
            place_all(data)
        elif options.part == "restore":
            restore(data, options.sheet)
        else:
            timing(data)


if __name__ == "__main__":
    main()
