"""How much of the marks' look comes back, on pictures whose marks are known.

    python -m benchmarks.restore --data ../shared/data/marked-people --sheet OUT.png
    python -m benchmarks.restore people --data ../shared/data/people-variants --sheet OUT.png
    python -m benchmarks.restore time --data ../shared/data/marked-people

`marks`, which runs when no part is named: each clean portrait gets the marks of the next two
views of the person, as the truth gives them, and is held against the render with marks; `ratio`
on the `head` beside `paste` by `nearest3`, and both with every mark put exactly where it belongs.

- share: 1 - sum dE(restored, truth) / sum dE(clean, truth), CIE76, in a disc of twice the radius,
  best within a shift of 1.5 mm, for placement is another figure. Round marks whose loss can be
  seen (mean 1.5, peak 4 dE) and that face the camera by a cosine of 0.3 in portrait and photo;
  one that was not put there counts as 0.
- contrast: of moles and spots, log of light in the core against the skin around, restored over
  truth's, where the truth's is 0.2 at least; right from 0.75 to 1.33.
- wrinkles: correlation of the band-passed log-light that was put there with the truth's, within
  2 mm of the line, best within the same shift.
- seam: slope of log-light along the edge of what was put there, over the slope just outside.

Before that, millimetres between marks and where they belong (`benchmarks/marks.py`).

Of the people every other was looked at while the method was made ("tuned"). The rest were not,
until `Ratio.evened_*`, `Ratio.reach` and `Folds.reach` were chosen on all: none are untouched now.

`people`: generated people of which portraits lost marks: likeness to the photos before and after,
as a user gets them (marks seen on one of the four photos are off). One reading of the engine
trembles: noise of a grey level, which nobody sees, moves it by up to 0.005. So it is told for one
reading, and for the mean of several under such noise, the same before and after.

`time`: at 1024 px, from photos not looked at before and from photos that are known (an atlas at
hand); a slider's move; the atlas of many photos.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from benchmarks.marks import ROUND, Seen, View, as_mark, place_all, seen, views
from realism.faces.engine import Engine, load_engine, primary_face
from realism.faces.face import similarity
from realism.faces.skin import LEAST_SKIN, skin_mask
from realism.images import LUMINANCE, open_photo, to_linear
from realism.marks.atlas import build_atlas
from realism.marks.find.multiview import find_together
from realism.marks.photo import Ground, Source, source_of
from realism.marks.restore.blend import Sliders, blend
from realism.marks.restore.prepare import (
    LayeredPortrait,
    build_layers,
    locate_marks,
    prepare_restore,
)
from realism.marks.restore.quotient import mask_out_marks
from realism.workflow import run_through
from realism.workflow.restore import restore_portrait

WAYS = {
    "ratio, head": ("ratio", "head", False),
    "paste, nearest3": ("paste", "nearest3", False),
    "ratio, true place": ("ratio", "head", True),
    "paste, true place": ("paste", "head", True),
}
FACING = 0.3  # cosine: marks seen flatter are left out
SHIFT = 1.5  # mm within which the best agreement counts
STEP = 0.5  # px of that search
LEAST_MEAN, LEAST_PEAK = 1.5, 4.0  # dE of a loss that can be seen
LEAST_CONTRAST = 0.2  # log units of the truth
RIGHT = 0.75, 1.33
LEAST_GREY = 3.0  # grey levels of a wrinkle's contrast; fainter ones cannot be seen
PHOTOS = ("trustworthy_1", "outgoing_0", "outgoing_2", "weight_0")
PORTRAITS = ("age_0", "attractive_2")
READINGS = 12  # of a portrait's likeness, each under other noise of a grey level


@dataclass(frozen=True)
class Look:
    """How one mark of the truth came back in one portrait.

    person, portrait, mark, kind
    share       recovered, of round marks; correlation of the relief, of wrinkles
    in_place    the same without a shift
    contrast    restored over truth, nan where it says nothing
    put         whether anything was put there
    """

    person: str
    portrait: str
    mark: str
    kind: str
    share: float
    in_place: float
    contrast: float
    put: bool


@dataclass(frozen=True, eq=False)
class Case:
    """A portrait with the photos whose marks it gets."""

    person: str
    view: View
    photos: list[View]
    base: Seen
    truth: np.ndarray
    sources: list[Source]

    def ids(self) -> dict[int, str]:
        """The truth's name of each of the sources' marks, by the mark's own identity."""
        return {
            id(mark): name
            for photo, source in zip(self.photos, self.sources, strict=True)
            for mark, name in zip(source.marks, photo.marks(), strict=True)
        }

    def offered(self) -> list[dict]:
        """Truth of the marks in the portrait that it faces and that a photo shows well."""
        shown = {
            m for photo in self.photos for m in photo.marks() if photo.of(m)["facing"] > FACING
        }
        return [
            m
            for m in self.view.truth["marks"]
            if m["id"] in shown and m["visible"] and m["facing"] > FACING
        ]


def cases(data: Path) -> Iterator[Case]:
    """Every view as the portrait, with the next two of the person as photos."""
    for person, group in views(data).items():
        for index, view in enumerate(group):
            photos = [group[(index + step) % len(group)] for step in (1, 2)]
            sources = [
                Source(p.name, s.pixels, s.face, s.skin, list(p.marks().values()))
                for p in photos
                for s in [seen(p.marked)]
            ]
            truth = open_photo(view.marked).pixels
            yield Case(person, view, photos, seen(view.clean), truth, sources)


def prepared_for(case: Case, method: str, placement: str, true_place: bool) -> LayeredPortrait:
    """The marks laid as a user gets them, or each exactly where the truth has it."""
    base = case.base
    if not true_place:
        return prepare_restore(base.pixels, base.face, base.skin, case.sources, method, placement)
    given, ids = (Ground(base.pixels, base.face, base.skin), case.sources), case.ids()
    placed = []
    for spot in locate_marks(*given, placement):
        there = case.view.of(ids[id(spot.mark)])
        to = np.float32(there["xy"]) - 0.5
        line = spot.polyline
        if len(line):
            whole = np.float32(there["polyline"]) - 0.5
            # The photo shows a part of the line: the same part of the portrait's.
            photo = next(p for p in case.photos if p.name == spot.photo)
            line = whole[np.array(photo.of(ids[id(spot.mark)])["polyline_visible"], bool)]
        placed.append(replace(spot, to=to, polyline=line))
    return build_layers(*given, placed, method)


def millimetres_off(case: Case, prepared: LayeredPortrait) -> list[float]:
    """How far each round mark lies off that faces the camera in portrait and photo, put or not."""
    ids, off = case.ids(), []
    for spot in prepared.placements:
        there = case.view.of(ids[id(spot.mark)])
        faces = there["visible"] and min(there["facing"], spot.photo_facing) > FACING
        if spot.mark.kind in ROUND and faces:
            gap = np.hypot(*(spot.to - np.float32(there["xy"]) + 0.5))
            off.append(float(gap) * case.view.truth["mm_per_px"])
    return off


def lab(pixels: np.ndarray) -> np.ndarray:
    """CIELAB of uint8 or float sRGB in 0..255."""
    return cv2.cvtColor(np.asarray(pixels, np.float32) / 255, cv2.COLOR_RGB2LAB)


def shifts(mm_per_px: float) -> list[tuple[float, float]]:
    """All shifts within SHIFT, px."""
    most = int(SHIFT / mm_per_px / STEP)
    steps = np.arange(-most, most + 1) * STEP
    return [(x, y) for y in steps for x in steps if np.hypot(x, y) * mm_per_px <= SHIFT]


def moved(change: np.ndarray, shift: tuple[float, float]) -> np.ndarray:
    """What was put there, shifted."""
    matrix = np.float32([[1, 0, shift[0]], [0, 1, shift[1]]])
    height, width = change.shape[:2]
    return cv2.warpAffine(change, matrix, (width, height), flags=cv2.INTER_CUBIC)


def round_look(case: Case, after: np.ndarray, value: dict) -> tuple[float, float, float] | None:
    """Share recovered at best and in place, and contrast over the truth's, of a round mark.

    ->    None when the mark's loss cannot be seen
    """
    x, y = np.array(value["xy"]) - 0.5
    radius, mm_per_px = value["radius_px"], case.view.truth["mm_per_px"]
    around = np.ceil(3 * radius + 2)
    half = int(around + SHIFT / mm_per_px + 2)
    x0, y0 = round(x), round(y)
    height, width = after.shape[:2]
    if not (half < x0 < width - half - 1 and half < y0 < height - half - 1):
        return None
    cut = np.s_[y0 - half : y0 + half + 1, x0 - half : x0 + half + 1]
    clean, truth = case.base.pixels[cut], case.truth[cut]
    change = after[cut].astype(np.float32) - clean
    ys, xs = np.mgrid[-half : half + 1, -half : half + 1]
    away = np.hypot(xs - (x - x0), ys - (y - y0))
    disc, core = away <= max(2 * radius, 1.5), away <= max(0.7 * radius, 0.8)
    wanted = lab(truth)
    loss = np.linalg.norm(lab(clean) - wanted, axis=2)[disc]
    if loss.mean() < LEAST_MEAN or loss.max() < LEAST_PEAK:
        return None
    others = [as_mark(m, case.view.truth) for m in case.view.truth["marks"]
              if m["visible"] and m["id"] != value["id"]]  # fmt: skip
    ring = (away > 2 * radius) & (away <= around)
    skin = mask_out_marks(case.base.skin, others)[cut] > LEAST_SKIN
    ring = ring & skin if (ring & skin).sum() >= 12 else ring

    def contrast(pixels: np.ndarray) -> float:
        light = to_linear(pixels) + 1e-3
        return float(np.log(light[core].mean(0) / light[ring].mean(0)).mean())

    shares = []
    for shift in shifts(mm_per_px):
        pixels = np.clip(clean + moved(change, shift), 0, 255)
        left = np.linalg.norm(lab(pixels) - wanted, axis=2)[disc].sum()
        shares.append((1 - left / loss.sum(), contrast(pixels), shift))
    best = max(shares, key=lambda one: one[0])
    in_place = next(share for share, _, shift in shares if shift == (0, 0))
    dark = contrast(truth)
    says = value["kind"] != "acne" and abs(dark) > LEAST_CONTRAST
    return best[0], in_place, best[1] / dark if says else np.nan


def wrinkle_look(case: Case, after: np.ndarray, value: dict) -> tuple[float, float] | None:
    """Correlation of the relief that was put there with the truth's, at best and in place."""
    if value["contrast"] < LEAST_GREY:
        return None
    mm_per_px = case.view.truth["mm_per_px"]
    line = np.float32(value["polyline"])[np.array(value["polyline_visible"], bool)] - 0.5
    margin = 6 / mm_per_px
    x0, y0 = np.maximum(np.floor(line.min(0) - margin), 0).astype(int)
    x1, y1 = np.ceil(line.max(0) + margin).astype(int)
    cut = np.s_[y0:y1, x0:x1]

    def light(pixels: np.ndarray) -> np.ndarray:
        return np.log(to_linear(pixels[cut]) @ LUMINANCE + 2e-3)

    def banded(change: np.ndarray) -> np.ndarray:
        fine, coarse = 0.4 / mm_per_px, 2.0 / mm_per_px
        return cv2.GaussianBlur(change, (0, 0), fine) - cv2.GaussianBlur(change, (0, 0), coarse)

    clean = light(case.base.pixels)
    wanted, put = banded(light(case.truth) - clean), banded(light(after) - clean)
    drawn = np.ones(wanted.shape, np.uint8)
    course = np.round(line - [x0, y0]).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(drawn, [course], False, 0, 1)
    near = cv2.distanceTransform(drawn, cv2.DIST_L2, 5) <= 2 / mm_per_px

    def alike(shift: tuple[float, float]) -> float:
        laid = moved(put, shift)[near]
        spread = laid.std() * wanted[near].std()
        return float(((laid - laid.mean()) * (wanted[near] - wanted[near].mean())).mean()
                     / spread) if spread > 1e-9 else 0.0  # fmt: skip

    return max(alike(shift) for shift in shifts(mm_per_px)), alike((0, 0))


def looks(case: Case, after: np.ndarray) -> Iterator[Look]:
    """How every mark that a photo offers came back."""
    changed = (after != case.base.pixels).any(2)
    for value in case.offered():
        if value["kind"] in ROUND:
            figures = round_look(case, after, value)
        else:
            figures = wrinkle_look(case, after, value)
            figures = figures and (*figures, np.nan)
        if figures is None:
            continue
        x, y = np.array(value["xy"]) - 0.5
        reach = int(np.ceil(3 / case.view.truth["mm_per_px"]))
        x, y = round(x), round(y)
        put = changed[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1].any()
        yield Look(case.person, case.view.name, value["id"], value["kind"], *figures, bool(put))


def seam(prepared: LayeredPortrait, after: np.ndarray) -> tuple[float, float, int] | None:
    """Slope along the edges of what was put there over that just outside, and pixels beyond.

    ->    of the restored portrait, of the same edges in the clean one; pixels changed outside
    """
    mask = np.zeros(after.shape[:2], np.uint8)
    for layer in prepared.layers:
        x, y = layer.origin
        height, width = layer.falloff.shape
        mask[y : y + height, x : x + width] |= layer.falloff < 1
    beyond = int(((after != prepared.portrait).any(2) & (mask == 0)).sum())
    disc = [cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (n, n)) for n in (3, 5, 9)]
    edge = cv2.dilate(mask, disc[0]) - cv2.erode(mask, disc[0]) > 0
    outside = cv2.dilate(mask, disc[2]) - cv2.dilate(mask, disc[1]) > 0
    if not edge.any() or not outside.any():
        return None
    ratios = []
    for pixels in (after, prepared.portrait):
        light = np.log(to_linear(pixels).mean(2) + 2e-3)
        slope = np.hypot(cv2.Sobel(light, -1, 1, 0), cv2.Sobel(light, -1, 0, 1))
        ratios.append(float(slope[edge].mean() / slope[outside].mean()))
    return *ratios, beyond


def marks(data: Path, sheet: Path | None) -> None:
    """Print how much of the marks' look comes back; write a picture."""
    place_all(data)
    every = list(cases(data))
    names = sorted({case.person for case in every})
    tuned = set(names[::2])
    halves = {
        "tuned " + " ".join(names[::2]): tuned,
        "others " + " ".join(names[1::2]): set(names) - tuned,
        "all": set(names),
    }
    print(
        f"{'way':18s}{'people':20s}{'marks':>6s}  share: median, 10 %   (in place)   contrast right"
        "        wrinkles: correlation (in place)   not put"
    )
    rows, seams, off = [], {}, {}
    for way, (method, placement, true_place) in WAYS.items():
        found, edges = [], []
        for case in every:
            prepared = prepared_for(case, method, placement, true_place)
            after = blend(prepared, Sliders())
            found += looks(case, after)
            edges.append(seam(prepared, after))
            off.setdefault(way, []).extend(millimetres_off(case, prepared))
            if way == "ratio, head":
                rows.append((case, after))
        for name, people in halves.items():
            print_looks(way, name, [look for look in found if look.person in people])
        seams[way] = [edge for edge in edges if edge]
    for way in list(WAYS)[:2]:
        print(
            f"placed from two photos, {way}: {np.median(off[way]):.2f} mm in the median, "
            f"{np.percentile(off[way], 95):.1f} in the 95th percentile of {len(off[way])}"
        )
    for way, edges in seams.items():
        ours, clean, beyond = np.array(edges).T
        print(
            f"seam, {way}: slope along the edge over just outside {np.median(ours):.2f} in the "
            f"median portrait, {ours.max():.2f} at most (the same places in the clean portraits "
            f"{np.median(clean):.2f}, {clean.max():.2f}; restored over clean at most "
            f"{(ours / clean).max():.2f}); {beyond.sum():.0f} pixels changed outside the masks"
        )
    if sheet:
        picture = np.vstack([_row(*row) for row in rows[::2]])
        cv2.imwrite(str(sheet), picture[..., ::-1])


def print_looks(way: str, name: str, found: list[Look]) -> None:
    """One line of the table."""
    of_round = [look for look in found if look.kind in ROUND]
    folds = [look for look in found if look.kind not in ROUND]
    shares = np.array([look.share for look in of_round])
    fixed = np.array([look.in_place for look in of_round])
    contrasts = np.array([look.contrast for look in of_round])
    contrasts = contrasts[np.isfinite(contrasts)]
    right = np.mean((contrasts >= RIGHT[0]) & (contrasts <= RIGHT[1]))
    cells = [f"{np.median(shares):5.2f}, {np.percentile(shares, 10):5.2f}"]
    cells.append(f"({np.median(fixed):5.2f}, {np.percentile(fixed, 10):5.2f})")
    cells.append(f"{right:4.0%} of {len(contrasts):3d}, median {np.median(contrasts):.2f}")
    if folds:
        best, there = ([getattr(f, part) for f in folds] for part in ("share", "in_place"))
        cells.append(f"{np.median(best):5.2f} ({np.median(there):5.2f}) of {len(folds)}")
    missing = sum(not look.put for look in found)
    print(f"{way:18s}{name:20s}{len(shares):6d}  {'   '.join(cells)}   {missing}")


def _row(case: Case, after: np.ndarray) -> np.ndarray:
    """A photo, truth, clean, restored: the faces side by side."""
    tiles = []
    source, base = case.sources[0], case.base
    for pixels, face in (
        (source.pixels, source.face),
        (case.truth, base.face),
        (base.pixels, base.face),
        (after, base.face),
    ):
        tiles.append(cut_face(pixels, face))
    return np.hstack(tiles)


def cut_face(pixels: np.ndarray, face, side: int = 600) -> np.ndarray:
    """The face in a square of `side` px."""
    x0, y0, x1, y1 = face.box
    half = 0.66 * (y1 - y0)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2 - 0.08 * (y1 - y0)
    scale = side / (2 * half)
    matrix = np.float32([[scale, 0, side / 2 - x * scale], [0, scale, side / 2 - y * scale]])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.warpAffine(pixels, matrix, (side, side), flags=how)


def people(data: Path, sheet: Path | None) -> None:
    """Print likeness to the photos before and after on generated people; write a picture."""
    engine, rows, kept = load_engine(), [], []
    print("portrait               marks put   likeness to the nearest photo: one reading    "
          f"mean of {READINGS}           mean of all photos")  # fmt: skip
    for person in sorted({path.name.split("_")[0] for path in data.glob("*.jpg")}):
        sources = []
        for name in PHOTOS:
            photo = open_photo(data / f"{person}_{name}.jpg")
            sources.append(source_of(photo, primary_face(engine.find(photo.pixels))))
        sources = run_through(find_together(sources))
        embeddings = [source.face.embedding for source in sources]
        for name in PORTRAITS:
            portrait = open_photo(data / f"{person}_{name}.jpg")
            restored = restore_portrait(portrait, sources, engine)
            both = portrait.pixels, restored.pixels
            one = [likeness(engine, pixels, embeddings, 1) for pixels in both]
            many = [likeness(engine, pixels, embeddings, READINGS) for pixels in both]
            pairs = (*zip(*one, strict=True), *zip(*many, strict=True))
            kept.append([after >= before for before, after in pairs])
            put = sum(spot["visible"] for spot in restored.report["placements"])
            told = "      ".join(
                f"{before:.4f} -> {after:.4f}" for before, after in (pairs[0], *pairs[2:])
            )
            print(f"{portrait.name:20s}   {put:6d}      {told}", flush=True)
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

    photos    (D,) unit embeddings;  readings    1: of the pixels as they are
    """
    rng, found = np.random.default_rng(5), []
    for _ in range(readings):
        noise = rng.normal(0, 1.0, pixels.shape) if readings > 1 else 0
        seen = np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)
        face = primary_face(engine.find(seen)).embedding
        found.append([similarity(face, photo) for photo in photos])
    cosines = np.mean(found, 0)
    return float(cosines.max()), float(cosines.mean())


def timing(data: Path, most: int = 30) -> None:
    """Print seconds of each phase at 1024 px, with half of the marks and with all."""
    group = next(iter(views(data).values()))

    def large(path: Path) -> Seen:
        pixels = cv2.resize(open_photo(path).pixels, (1024, 1024), interpolation=cv2.INTER_CUBIC)
        face = primary_face(load_engine().find(pixels))
        return Seen(pixels, face, skin_mask(pixels, face))

    base, sources = large(group[0].clean), []
    for view in group[1:4]:
        picture = large(view.marked)
        doubled = [m.mapped(lambda points: points * 2 + 0.5, 2) for m in view.marks().values()]
        sources.append(Source(view.name, picture.pixels, picture.face, picture.skin, doubled))
    for method in ("ratio", "paste"):
        for count in (most // 2, most):
            photos = _with_marks(base, sources, count)
            fresh, known, moves = [], [], []
            for _ in range(3):
                # New sources: what was measured in the photos is forgotten.
                photos = [replace(source, ground=None) for source in photos]
                for spans in (fresh, known):
                    start, work = time.perf_counter(), time.process_time()
                    prepared = prepare_restore(base.pixels, base.face, base.skin, photos, method)
                    spans.append((time.perf_counter() - start, time.process_time() - work))
            for overall in np.linspace(0.5, 1.5, 11):
                start = time.perf_counter()
                blend(prepared, Sliders(overall=float(overall)))
                moves.append(time.perf_counter() - start)
            told = [
                "{:.2f} s ({:.2f} s of processor)".format(*np.min(spans, 0))
                for spans in (fresh, known)
            ]
            print(
                f"{method:5s}  {len(prepared.layers):2d} marks, {len(photos)} photos, 1024 px: "
                f"restored from new photos in {told[0]}, from known ones in {told[1]}, best of "
                f"three; a slider's move {np.median(moves) * 1000:.0f} ms in the median, "
                f"{max(moves) * 1000:.0f} at most"
            )
    start, work = time.perf_counter(), time.process_time()
    atlas = build_atlas(
        [replace(s, name=f"{n}-{s.name}", ground=None) for n in range(5) for s in sources]
    )
    print(
        f"atlas of {len(atlas.photos)} photos of 1024 px, marks given: "
        f"{time.perf_counter() - start:.1f} s ({time.process_time() - work:.1f} s of processor)"
    )


def _with_marks(base: Seen, sources: list[Source], count: int) -> list[Source]:
    """The photos with as many marks added beside their own as lays `count` in the portrait."""
    given = [list(source.marks) for source in sources]
    # Copies of the first photo's marks around the head: what is laid costs alike wherever it is.
    step, turn = 0.06 * base.face.width, 0
    while True:
        photos = [replace(s, marks=m) for s, m in zip(sources, given, strict=True)]
        own = Ground(base.pixels, base.face, base.skin)
        placed = locate_marks(own, photos)
        seen_there = [spot for spot in placed if spot.visible]
        if len(seen_there) >= count:
            keep = {id(spot.mark) for spot in seen_there[:count]}
            return [replace(s, marks=[m for m in s.marks if id(m) in keep]) for s in photos]
        turn += 1
        angle = 2.4 * turn  # the golden angle: no two fall together
        off = np.float32([np.cos(angle), np.sin(angle)]) * step * np.sqrt(turn)
        given[turn % len(given)] += [
            m.mapped(lambda points, off=off: points + off) for m in sources[0].marks[:3]
        ]


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("part", nargs="?", default="marks", choices=("marks", "people", "time"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sheet", type=Path, help="picture to write (marks, people)")
    options = parser.parse_args()
    if options.part == "time":
        timing(options.data)
    elif options.part == "people":
        people(options.data, options.sheet)
    else:
        marks(options.data, options.sheet)


if __name__ == "__main__":
    main()
