"""What restoring takes at 1024 px."""

import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from data_sets.marked_people import read_views
from realism.faces.engine import load_engine, primary_face
from realism.faces.skin import skin_mask
from realism.images import open_photo
from realism.marks.atlas import build_atlas
from realism.marks.photo import MarkedPhoto, PhotoAnalysis
from realism.marks.restore.blend import Sliders, blend
from realism.marks.restore.prepare import locate_marks, prepare_restore


def timing(data: Path, most: int = 30) -> None:
    """Print seconds of each phase at 1024 px, with half of the marks and with all."""
    group = next(iter(read_views(data).values()))

    def large(path: Path) -> PhotoAnalysis:
        pixels = cv2.resize(open_photo(path).pixels, (1024, 1024), interpolation=cv2.INTER_CUBIC)
        face = primary_face(load_engine().find(pixels))
        return PhotoAnalysis(pixels, face, skin_mask(pixels, face))

    base, sources = large(group[0].clean), []
    for view in group[1:4]:
        picture = large(view.marked)
        doubled = [m.mapped(lambda points: points * 2 + 0.5, 2) for m in view.marks().values()]
        sources.append(MarkedPhoto(view.name, picture.pixels, picture.face, picture.skin, doubled))
    for method in ("ratio", "paste"):
        for count in (most // 2, most):
            photos = with_mark_count(base, sources, count)
            fresh, known, moves = [], [], []
            for _ in range(3):
                # New sources: what was measured in the photos is forgotten.
                photos = [replace(source, analysis=None) for source in photos]
                for spans in (fresh, known):
                    start, work = time.perf_counter(), time.process_time()
                    prepared = prepare_restore(base.pixels, base.face, base.skin, photos, method)
                    spans.append((time.perf_counter() - start, time.process_time() - work))
            for overall in np.linspace(0.5, 1.5, 11):
                start = time.perf_counter()
                blend(prepared, Sliders(overall=float(overall)))
                moves.append(time.perf_counter() - start)
            seconds = [
                "{:.2f} s ({:.2f} s of processor)".format(*np.min(spans, 0))
                for spans in (fresh, known)
            ]
            print(
                f"{method:5s}  {len(prepared.layers):2d} marks, {len(photos)} photos, 1024 px: "
                f"restored from new photos in {seconds[0]}, from known ones in {seconds[1]}, best "
                f"of three; a slider's move {np.median(moves) * 1000:.0f} ms in the median, "
                f"{max(moves) * 1000:.0f} at most"
            )
    start, work = time.perf_counter(), time.process_time()
    atlas = build_atlas(
        [replace(s, name=f"{n}-{s.name}", analysis=None) for n in range(5) for s in sources]
    )
    print(
        f"atlas of {len(atlas.photos)} photos of 1024 px, marks given: "
        f"{time.perf_counter() - start:.1f} s ({time.process_time() - work:.1f} s of processor)"
    )


def with_mark_count(
    base: PhotoAnalysis, sources: list[MarkedPhoto], count: int
) -> list[MarkedPhoto]:
    """The photos with as many marks added beside their own as lays `count` in the portrait."""
    given = [list(source.marks) for source in sources]
    # Copies of the first photo's marks around the head: what is laid costs alike wherever it is.
    step, turn = 0.06 * base.face.width, 0
    while True:
        photos = [replace(s, marks=m) for s, m in zip(sources, given, strict=True)]
        own = PhotoAnalysis(base.pixels, base.face, base.skin)
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
