"""whale-anno's projects and exports are read in every form they came in, and written back."""

import json

import numpy as np
import pytest

from realism.config import ASSETS
from realism.errors import InputError
from realism.marks.mark import KINDS, make_mark
from realism.marks.teach.whale_anno import read_whale, write_whale

POINTS = [{"type": "痣", "points": [[0.25, 0.5]]}, {"type": "皱纹", "points": [[0.75, 0.125]]}]


def entry(details=None, name="00012.jpg"):
    details = POINTS if details is None else details
    return {"projectName": "p", "fileName": name, "annoDetails": details}


def written(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


BOTH = [entry(), entry([], "b.jpg")]
FORMS = {
    "json lines": lambda d: written(d / "e.json", "\n".join(map(json.dumps, BOTH))),
    "array": lambda d: written(d / "e.json", json.dumps(BOTH)),
    "array, details as text": lambda d: written(
        d / "anno.json", json.dumps([{**entry(), "annoDetails": json.dumps(POINTS), "isAnno": True},
                                     {**entry([], "b.jpg"), "annoDetails": ""}])),
    "project": lambda d: written(d / "anno/b.jpg.json", json.dumps(entry([], "b.jpg")))
    and written(d / "anno/00012.jpg.json", json.dumps(entry())).parent.parent,
    "old project": lambda d: written(d / "anno.json", json.dumps(BOTH)).parent,
    "single point key": lambda d: written(d / "e.json", json.dumps(
        [
            entry([{"type": p["type"], "point": p["points"][0]} for p in POINTS]),
            entry([], "b.jpg"),
        ])),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_export_is_read_alike(form, tmp_path):
    export = read_whale(FORMS[form](tmp_path))
    by_name = {a.file_name: a for a in export.annotations}
    assert by_name["00012.jpg"].kinds == ("mole", "wrinkle")
    assert np.allclose(by_name["00012.jpg"].points, [[0.25, 0.5], [0.75, 0.125]])
    assert by_name["b.jpg"].kinds == ()
    assert export.unknown_labels == {}


def test_shares_of_the_image_become_its_pixels(tmp_path):
    (annotation, _) = read_whale(FORMS["json lines"](tmp_path)).annotations
    mole, wrinkle = annotation.marks(400, 200)
    assert mole.kind == "mole"
    assert mole.xy.tolist() == [99.5, 99.5]
    assert wrinkle.xy.tolist() == [299.5, 24.5]


def test_english_labels_are_known_and_unknown_ones_are_named(tmp_path):
    details = [
        {"type": t, "points": [[0.5, 0.5]]} for t in ("Mole", "acne", "疤痕", "疤痕", "scar")
    ]
    export = read_whale(written(tmp_path / "e.json", json.dumps(entry(details))))
    assert export.annotations[0].kinds == ("mole", "acne")
    assert export.unknown_labels == {"疤痕": 2, "scar": 1}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no annotated image"),
        ("not json", "e.json:1 cannot be read as JSON"),
        ("[1, 2]", r"e.json\[0\] is no annotation"),
        ('{"annoDetails": []}', "fileName is missing"),
        (json.dumps(entry(name="")), "fileName: .*at least 1"),
        (json.dumps(entry([{"type": "痣"}])), "annoDetails.0.points is missing"),
        (json.dumps(entry([{"type": "痣", "points": []}])), "annoDetails.0.points: .*at least 1"),
        (json.dumps(entry([{"type": "痣", "points": [[1.5, 0.5]]}])), "less than or equal to 1"),
        (
            json.dumps(entry([{"type": "痣", "points": [[-0.1, 0.5]]}])),
            "than or equal to 0",
        ),
        (json.dumps(entry([{"type": "痣", "points": [[float("nan"), 0.5]]}])), "points.0.0: "),
        (json.dumps(entry([{"type": "痣", "points": [["a", 0.5]]}])), "points.0.0 is not a number"),
        (json.dumps(entry([{"type": "痣", "points": [[0.5]]}])), "points.0.1 is missing"),
        (json.dumps(entry()) + "\n" + json.dumps(entry("[")), "e.json:2 .*annoDetails: "),
    ],
)
def test_what_is_no_export_is_refused_with_the_place_and_what_is_wrong(text, says, tmp_path):
    with pytest.raises(InputError, match=says):
        read_whale(written(tmp_path / "e.json", text))


def test_a_missing_export_and_an_empty_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match="no whale-anno"):
        read_whale(tmp_path / "nothing.json")
    with pytest.raises(InputError, match="not a whale-anno project"):
        read_whale(tmp_path)


def test_findings_written_as_a_project_are_read_back_where_they_were(tmp_path):
    photo = ASSETS / "people" / "mei" / "mei-01.jpg"
    marks = [
        make_mark(kind, np.float32([100 + 20 * i, 200.25]), 3.0) for i, kind in enumerate(KINDS)
    ]
    assert write_whale(tmp_path / "p", "项目", [(photo, (512, 512), marks)]) == ["mei-01.jpg"]
    assert (tmp_path / "p/data/mei-01.jpg").read_bytes() == photo.read_bytes()
    (annotation,) = read_whale(tmp_path / "p").annotations
    assert annotation.kinds == KINDS
    back = annotation.marks(512, 512)
    assert all(np.allclose(a.xy, b.xy, atol=0.01) for a, b in zip(marks, back, strict=True))


def test_the_projects_config_holds_its_labels_as_json_within_json(tmp_path):
    write_whale(tmp_path, "p", [])
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert isinstance(config["entityTypes"], str)
    assert [e["type"] for e in json.loads(config["entityTypes"])] == ["痣", "斑", "痘", "皱纹"]
    assert config["projectType"] == "图片点标注"
