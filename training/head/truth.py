"""Where every point of the skin is in each picture of synthetic-faces: shapes without rendering.

The renderer draws people and views from seeds, so their geometry can be had again from its own
modules. Blender is not needed for that: empty modules stand in where the renderer imports it.
Every picture's 68 published landmarks must agree with the result to 0.1 px.

    python -m training.head.truth --tools ../shared/tools/synthetic-people \
        --data ../shared/data/synthetic-faces --out work/head/truth.npz
"""

import argparse
import json
import sys
import types
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


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tools", type=Path, required=True)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--out", type=Path, required=True)
    given = options.parse_args()
    head, sample, portrait, make = renderer(given.tools)
    assets = head.Assets()
    surface, neck = assets.surface, head.neck_weights(assets)
    landmarks = json.loads((assets.root / "landmarks68.json").read_text())["vertex"]
    landmarks = surface.fine_of_base[np.array(landmarks)]
    published = {Path(m["file_name"]).stem: m for m in read_metadata(given.data)}

    template = (surface.matrix @ assets.base - assets.eye_centre(assets.base)) * 100  # mm
    x, y, z = template.T
    kept = np.flatnonzero((y > -160) & (y < 120) & (abs(x) < 110) & (z > -60))
    new = np.full(len(template), -1)
    new[kept] = np.arange(len(kept))
    triangles = new[surface.tris]
    triangles = triangles[(triangles >= 0).all(1)]

    class Lens:  # what the renderer's camera method asks of its studio
        pass

    Lens.assets = assets

    def build(person, view):
        expression = head.expression_targets(
            view["expression"], person["race"], view["expression_amount"]
        )
        rest = head.shape(assets, person["macro"], person["identity"], expression)
        yaw, pitch, roll = view["turn"]
        trunk = view["body_yaw"]
        body, turned = head.pose(assets, rest, rest, neck, yaw - trunk, pitch, roll)
        pivot, about = assets.joint(rest, "neck"), head.rotation(trunk, 0, 0)
        whole = np.eye(4)
        whole[:3, :3], whole[:3, 3] = about, pivot - about @ pivot
        return rest, surface.matrix @ ((body - pivot) @ about.T + pivot), whole @ turned

    names, people, focals, points, marks = [], [], [], [], []
    for seed, frame in PARTS:
        draw, number = np.random.default_rng(seed), 0
        while f"s{seed % 100:02d}{number + 1:03d}-01" in published:
            number += 1
            name = f"s{seed % 100:02d}{number:03d}"
            person = sample.person(draw, name, assets)
            # The set draws hair and marks here; the draws must be made to stay in step.
            if person["sex"] == "female" and person["group"] != "african":
                draw.random()
            draw.random()
            views = np.random.default_rng([seed, number])
            for k, turn in enumerate(make.turn_plan(4, views)):
                view = sample.view(views, person, turn=turn, frame=frame, size=SIZE)
                # The camera was aimed at the neutral face.
                rest, _, whole = build(person, {**view, "expression": "neutral"})
                camera = portrait.Studio.camera(Lens, whole, rest, view, SIZE)
                _, fine, _ = build(person, view)
                picture = f"{name}-{k + 1:02d}"
                off = camera.project(fine[landmarks])[0] - published[picture]["landmarks68"]
                assert np.abs(off).max() < 0.1, picture
                names.append(picture)
                people.append(name)
                focals.append(camera.f_px)
                # x right, y up, z towards the camera -> x right, y down, z away; mm
                seen = (fine - camera.position) @ camera.R * [100, -100, -100]
                points.append(seen[kept].astype(np.float32))
                marks.append(seen[landmarks].astype(np.float32))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        given.out, names=names, people=people, focals=focals, points=points, landmarks=marks,
        template=template[kept], triangles=triangles, size=SIZE,
        neutral=[published[name]["expression"] == "neutral" for name in names],
    )  # fmt: skip
    print(f"{len(names)} pictures of {len(set(people))} people")


if __name__ == "__main__":
    main()
