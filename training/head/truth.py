"""Where every point of the skin is in each picture of synthetic-faces: shapes without rendering.

The renderer draws people and views from seeds, so their geometry can be had again from its own
modules. Blender is not needed for that: empty modules stand in where the renderer imports it.
Every picture's 68 published landmarks must agree with the result to 0.1 px.

    python -m training.head.truth --tools ../shared/tools/synthetic-people \
        --data ../shared/data/synthetic-faces --out work/head/truth.npz

Sets that were rendered with `--marks` say of themselves who is in them (`people/`) and how each
picture was taken (`truth/`): `--twins DIR` in place of `--data` takes their bare pictures.
"""

import argparse
import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_sets.renders import read_metadata

SIZE = 320  # px, side of the set's pictures
# Seed and height of the picture at the face (mm) of the set's four parts.
PARTS = ((501, (360, 480)), (502, (360, 480)), (503, (280, 420)), (504, (280, 420)))


def renderer(tools: Path):
    """The renderer's modules `head`, `sample`, `portrait` and `make`, without Blender."""
    absent = {"bpy": (), "mathutils": ("Vector",), "mathutils.bvhtree": ("BVHTree",)}
    for name, needed in absent.items():
        module = types.ModuleType(name)
        for attribute in needed:
            setattr(module, attribute, object)
        sys.modules[name] = module
    sys.path.insert(0, str(tools))
    import make
    from people import head, portrait, sample

    return head, sample, portrait, make


class Renderer:
    """The renderer's geometry of a person and a view."""

    def __init__(self, tools: Path):
        self.head, self.sample, self.portrait, self.make = renderer(tools)
        self.assets = self.head.Assets()
        self.surface = self.assets.surface
        self.neck = self.head.neck_weights(self.assets)
        landmarks = json.loads((self.assets.root / "landmarks68.json").read_text())["vertex"]
        self.landmarks = self.surface.fine_of_base[np.array(landmarks)]
        base = self.assets.base
        template = (self.surface.matrix @ base - self.assets.eye_centre(base)) * 100  # mm
        x, y, z = template.T
        self.kept = np.flatnonzero((y > -160) & (y < 120) & (abs(x) < 110) & (z > -60))
        self.template = template[self.kept]
        new = np.full(len(template), -1)
        new[self.kept] = np.arange(len(self.kept))
        triangles = new[self.surface.tris]
        self.triangles = triangles[(triangles >= 0).all(1)]

    def build(self, person: dict, view: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The body at rest, its fine surface as posed, and how the head stands."""
        expression = self.head.expression_targets(
            view["expression"], person["race"], view["expression_amount"]
        )
        rest = self.head.shape(self.assets, person["macro"], person["identity"], expression)
        yaw, pitch, roll = view["turn"]
        trunk = view["body_yaw"]
        body, turned = self.head.pose(self.assets, rest, rest, self.neck, yaw - trunk, pitch, roll)
        pivot, about = self.assets.joint(rest, "neck"), self.head.rotation(trunk, 0, 0)
        whole = np.eye(4)
        whole[:3, :3], whole[:3, 3] = about, pivot - about @ pivot
        return rest, self.surface.matrix @ ((body - pivot) @ about.T + pivot), whole @ turned

    def see(
        self, person: dict, view: dict, size: int, published: list, name: str
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Focal length (px) and the skin and landmarks in the camera's axes (mm).

        Their landmarks must be those published.
        """

        class Lens:  # what the renderer's camera method asks of its studio
            assets = self.assets

        # The camera was aimed at the neutral face.
        rest, _, whole = self.build(person, {**view, "expression": "neutral"})
        camera = self.portrait.Studio.camera(Lens, whole, rest, view, size)
        _, fine, _ = self.build(person, view)
        off = camera.project(fine[self.landmarks])[0] - np.array(published)
        assert np.abs(off).max() < 0.1, name
        # x right, y up, z towards the camera -> x right, y down, z away; mm
        seen = (fine - camera.position) @ camera.R * [100, -100, -100]
        points, marks = seen[self.kept].astype(np.float32), seen[self.landmarks].astype(np.float32)
        return camera.f_px, points, marks


def faces_of(data: Path, known: Renderer) -> Iterator[tuple]:
    """Name, person, view, px and published landmarks of each picture of synthetic-faces."""
    published = {Path(m["file_name"]).stem: m for m in read_metadata(data)}
    for seed, frame in PARTS:
        draw, number = np.random.default_rng(seed), 0
        while f"s{seed % 100:02d}{number + 1:03d}-01" in published:
            number += 1
            name = f"s{seed % 100:02d}{number:03d}"
            person = known.sample.person(draw, name, known.assets)
            # The set draws hair and marks here; the draws must be made to stay in step.
            if person["sex"] == "female" and person["group"] != "african":
                draw.random()
            draw.random()
            views = np.random.default_rng([seed, number])
            for k, turn in enumerate(known.make.turn_plan(4, views)):
                view = known.sample.view(views, person, turn=turn, frame=frame, size=SIZE)
                picture = f"{name}-{k + 1:02d}"
                file = data / "images" / f"{picture}.jpg"
                yield file, name, person, view, SIZE, published[picture]["landmarks68"]


def twins_of(data: Path) -> Iterator[tuple]:
    """The same of the bare pictures of a set with `people/` and `truth/`."""
    for path in sorted((data / "truth").glob("*.json")):
        truth = json.loads(path.read_text())
        person = json.loads((data / "people" / f"{truth['person']}.json").read_text())
        file = data / "clean" / f"{path.stem}.jpg"
        yield file, truth["person"], person, truth["view"], truth["size"][0], truth["landmarks68"]


def main() -> None:
    """Write the points of all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--tools", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="synthetic-faces")
    parser.add_argument("--twins", type=Path, help="or a set rendered with marks")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    known = Renderer(given.tools)
    rows, points, marks = [], [], []
    pictures = faces_of(given.data, known) if given.data else twins_of(given.twins)
    for file, name, person, view, size, published in pictures:
        focal, seen, landmarks = known.see(person, view, size, published, file.stem)
        rows.append((file.stem, name, str(file), focal, size, view["expression"] == "neutral"))
        points.append(seen)
        marks.append(landmarks)
    names, people, files, focals, sizes, neutral = zip(*rows, strict=True)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        given.out, names=names, people=people, files=files, focals=focals, points=points,
        landmarks=marks, template=known.template, triangles=known.triangles, size=sizes[0],
        neutral=neutral,
    )  # fmt: skip
    print(f"{len(names)} pictures of {len(set(people))} people")


if __name__ == "__main__":
    main()
