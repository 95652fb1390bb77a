"""How well the 3D head transfers marks between pictures of a person, beside simpler ways.

Every ordered pair of views; every round mark that both show; its true place in the photo is
transferred to the portrait. Millimetres in the portrait's plane. The head is fitted to the two
pictures alone.

    python -m benchmarks.head --data ../shared/data/marked-people [--contrast 0] [--wires DIR]
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from data_sets.marked_people import read_views
from realism.faces.engine import load_engine, primary_face
from realism.faces.mesh import IBUG68
from realism.head import geometry
from realism.head.fit import fit_head, fit_person, steady_mesh
from realism.head.geometry import Head
from realism.head.transfer import transfer_on_mesh
from realism.images import open_photo

HIDDEN = 0.0  # cosine of the truth below which a mark has turned away for certain


@dataclass(frozen=True, eq=False)
class View:
    """A picture of a person with its face and truth."""

    name: str
    pixels: np.ndarray
    face: object
    steady: np.ndarray
    truth: dict

    @property
    def size(self) -> tuple[int, int]:
        return self.pixels.shape[:2]


def read_faces(data: Path) -> dict[str, list[View]]:
    """All views by person."""
    engine, people = load_engine("dlib"), {}
    for person, group in read_views(data).items():
        for view in group:
            pixels = open_photo(view.marked).pixels
            face = primary_face(engine.find(pixels))
            own = View(view.name, pixels, face, steady_mesh(pixels, face.mesh), view.truth)
            people.setdefault(person, []).append(own)
    return people


def by_nearest3(photo: View, portrait: View, mesh: bool) -> Callable:
    """The three nearest points transfer the mark: of the 468, or of the 68 landmarks."""
    which = slice(None) if mesh else IBUG68
    here, there = photo.face.mesh[which, :2], portrait.face.mesh[which, :2]

    def transfer(xy):
        three = np.argsort(np.linalg.norm(here - xy, axis=1))[:3]
        weights = np.linalg.pinv(np.vstack([here[three].T, np.ones(3)])) @ [*xy, 1]
        return weights @ there[three], True

    return transfer


def by_mesh(photo: View, portrait: View) -> Callable:
    """The mesh's triangles transfer the mark; beside them, the mesh near by."""

    def transfer(xy):
        transferred = transfer_on_mesh(xy[None], photo.face, portrait.face)
        return transferred.to[0], bool(transferred.facing[0] > 0.12 and not transferred.hidden[0])

    return transfer


def by_head(photo: Head, portrait: Head) -> Callable:
    """The 3D head transfers the mark."""

    def transfer(xy):
        place = photo.surface_point_at(xy)
        if place is None:
            return None, False
        projection = portrait.project(place)
        return projection.xy, projection.visible

    return transfer


def errors(people: dict, method: Callable, contrast: float) -> tuple[np.ndarray, np.ndarray]:
    """Errors of shown marks and answers on hidden ones.

    Parameters
    ----------
    people : dict of str to list of View
    method : callable
        Photo and portrait -> function of px (2,) to (px (2,) or None, visible).
    contrast : float, grey levels
        Least of marks that count.

    Returns
    -------
    shown : (n, 3) ndarray
        mm (nan where unreachable), lower cosine of the two, found to be visible.
    hidden : (m,) bool ndarray
        Of marks that have turned away: found to be visible all the same.
    """
    shown, hidden = [], []
    for views in people.values():
        for photo in views:
            for portrait in views:
                if photo is portrait:
                    continue
                transfer = method(photo, portrait)
                for mark, twin in zip(photo.truth["marks"], portrait.truth["marks"], strict=True):
                    if mark["kind"] == "wrinkle" or not seen(mark, contrast):
                        continue
                    xy, visible = transfer(np.array(mark["xy"]) - 0.5)
                    if twin["facing"] < HIDDEN:
                        hidden.append(visible)
                    elif seen(twin, contrast):
                        wanted = np.array(twin["xy"]) - 0.5
                        away = np.nan if xy is None else np.linalg.norm(xy - wanted)
                        cosine = min(mark["facing"], twin["facing"])
                        shown.append((away * portrait.truth["mm_per_px"], cosine, visible))
    return np.array(shown), np.array(hidden)


def seen(mark: dict, contrast: float) -> bool:
    """Whether the truth says that a mark can be seen."""
    return mark["visible"] and mark["contrast"] >= contrast


def print_row(name: str, shown: np.ndarray, hidden: np.ndarray) -> None:
    cells = []
    for least in (-1, 0.3, 0.5):
        of = shown[shown[:, 1] > least, 0]
        reached = of[np.isfinite(of)]
        median, high = np.median(reached), np.percentile(reached, 95)
        cells.append(f"{median:5.2f} /{high:6.2f} ({len(of)}, {len(of) - len(reached)} missed)")
    facing = shown[shown[:, 1] > 0.3]
    print(
        f"{name:34s} {'  '.join(cells)}  said hidden {np.mean(facing[:, 2] == 0):5.1%}"
        f"  put though turned away {hidden.sum()}/{len(hidden)}"
        f" = {hidden.sum() / (hidden.sum() + shown[:, 2].sum()):.1%} of all put"
    )


def main() -> None:
    """Print the table; write the wires where asked."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=Path("../shared/data/marked-people"))
    options.add_argument("--contrast", type=float, default=3.0, help="least contrast, grey levels")
    options.add_argument("--wires", type=Path, help="folder for pictures of the fitted heads")
    given = options.parse_args()
    people = read_faces(given.data)
    print("median / 95th percentile, mm: all marks shown, facing > 0.3, facing > 0.5 (in both)")
    for name, method in (
        ("nearest 3 of 68 landmarks", lambda a, b: by_nearest3(a, b, False)),
        ("nearest 3 of 468 mesh points", lambda a, b: by_nearest3(a, b, True)),
        ("mesh triangles", by_mesh),
    ):
        print_row(name, *errors(people, method, given.contrast))

    def pairs(mesh: Callable) -> Callable:
        fitted = {}  # both directions of a pair share one fit

        def method(photo: View, portrait: View) -> Callable:
            names = tuple(sorted((photo.name, portrait.name)))
            if names not in fitted:
                two = sorted((photo, portrait), key=lambda view: view.name)
                heads = fit_person([(mesh(view), view.size) for view in two])
                fitted[names] = dict(zip(names, heads, strict=True))
            return by_head(fitted[names][photo.name], fitted[names][portrait.name])

        return method

    def alone(photo: View, portrait: View) -> Callable:
        head = fit_head(photo.steady, photo.size)
        return by_head(head, fit_head(portrait.steady, portrait.size, head.identity))

    once, steady = (lambda v: v.face.mesh), (lambda v: v.steady)
    print_row("head + warp, one reading", *errors(people, pairs(once), given.contrast))
    print_row("head + warp", *errors(people, pairs(steady), given.contrast))
    print_row("head + warp, photo's identity", *errors(people, alone, given.contrast))
    usual, geometry.WARP_HEIGHT = geometry.WARP_HEIGHT, 1e-3
    print_row("head, no warp", *errors(people, pairs(steady), given.contrast))
    geometry.WARP_HEIGHT = usual

    every = [view for views in people.values() for view in views]
    start = time.process_time()
    heads = [fit_head(view.steady, view.size) for view in every]
    print(f"fit: {1000 * (time.process_time() - start) / len(every):.0f} ms of processor a face")
    start = time.process_time()
    for head in heads:
        _ = head.pixels, head.facings
    print(f"vertices and warp: {1000 * (time.process_time() - start) / len(every):.0f} ms a face")
    if given.wires:
        given.wires.mkdir(parents=True, exist_ok=True)
        for view, head in zip(every, heads, strict=True):
            drawn = head.draw_wireframe(view.pixels)
            cv2.imwrite(str(given.wires / f"{view.name}.png"), drawn[..., ::-1])


if __name__ == "__main__":
    main()
