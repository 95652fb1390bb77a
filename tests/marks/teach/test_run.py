"""The loop: findings are exported, corrected, learned from, judged; by the shell's verbs."""

import json
import shutil

import pytest

from realism.config import ASSETS
from realism.marks.mark import KINDS
from realism.marks.teach.dataset import match_pictures
from realism.marks.teach.whale_anno import read_whale

MEI = ASSETS / "people/mei"
TINY = ("--model", "compact", "--size", "100", "--batch", "1", "--learning-rate", "0.001")


@pytest.fixture
def run(run):
    """Run a verb of the marks: (exit code, standard output, standard error)."""
    return lambda *words: run("marks", *words)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Three photos with their true marks as a person annotates them, in Chinese; and an export."""
    folder = tmp_path_factory.mktemp("whale") / "mei"
    (folder / "anno").mkdir(parents=True)
    (folder / "data").mkdir()
    words = {"mole": "痣", "spot": "斑", "acne": "痘", "wrinkle": "皱纹"}
    lines = []
    for name in ("mei-01.jpg", "mei-02.jpg", "mei-04.jpg"):
        shutil.copy(MEI / name, folder / "data")
        truth = json.loads((MEI / "truth" / name).with_suffix(".json").read_text())
        details = [
            {"type": words[m["kind"]], "points": [[m["xy"][0] / 512, m["xy"][1] / 512]]}
            for m in truth["marks"]
            if m["visible"]
        ]
        details.append({"type": "疤痕", "points": [[0.5, 0.5]]})
        value = {"projectName": "mei", "fileName": name, "annoDetails": details}
        lines.append(json.dumps(value, ensure_ascii=False))
        (folder / "anno" / f"{name}.json").write_text(lines[-1], encoding="utf-8")
    (folder.parent / "export.json").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_a_project_is_learned_from_resumed_and_judged(run, project, tmp_path):
    words = ("train", "--annotations", project, *TINY, "--judge-every", 1, "--out", tmp_path)
    code, out, lines = run(*words, "--steps", 1)
    assert code == 0
    assert "'疤痕' is none of the four kinds: its 3 points are left out" in lines
    assert "3 images" in lines and "so few" in lines
    assert "2 images to learn from, 1 to judge on" in lines
    assert "Clicks are snapped" in lines
    assert "random weights" in lines and "step 1 of 1, loss" in lines
    assert "marks find IMAGE --method compact" in lines
    assert out.startswith("kind ") and "mean AP" in out
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {
        "finder.safetensors", "finder.checkpoint.safetensors", "report.json",
        "precision-recall.png", "sheet.png",
    }  # fmt: skip
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["model"] == "compact" and report["images"] == 1 and report["learned_from"] == 2
    assert set(report["kinds"]) == {*KINDS, "round"}

    # The exported file is the same annotation; asked for more steps, the run goes on.
    export = ("--annotations", project.parent / "export.json", "--images", project / "data")
    code, _, lines = run("train", *export, *words[3:], "--steps", 2)
    assert code == 0 and "step 2 of 2" in lines and "step 1 of" not in lines
    code, _, lines = run(*words, "--steps", 2, "--learning-rate", 0.01)
    assert code == 2 and "--restart" in lines
    # Even from the weights that it will replace.
    again = ("--from", tmp_path / "finder.safetensors", "--restart")
    code, _, lines = run(*words, "--steps", 1, "--learning-rate", 0.01, *again)
    assert code == 0 and "starting from finder.safetensors" in lines
    assert "step 0: mean AP" in lines and "step 1 of 1" in lines

    photo, weights = project / "data/mei-01.jpg", tmp_path / "finder.safetensors"
    code, out, _ = run("find", photo, "--method", "compact", "--weights", weights)
    assert code == 0 and "mei-01.jpg: " in out


def test_a_finder_is_judged_on_annotations_alone(run, project, tmp_path):
    export = ("--annotations", project.parent / "export.json", "--images", MEI)
    code, out, lines = run("evaluate", *export, "--method", "dog", "--out", tmp_path)
    assert code == 0
    assert "3 images" in out and "疤痕" in lines
    report = json.loads((tmp_path / "report.json").read_text())
    # Some of the moles on these faces are found without any training, and not all.
    assert 0.2 < report["kinds"]["mole"]["at_threshold"]["recall"] < 1
    assert report["kinds"]["mole"]["at_threshold"]["precision"] > 0.5
    assert {image["image"] for image in report["per_image"]} == {
        "mei-01.jpg", "mei-02.jpg", "mei-04.jpg"
    }  # fmt: skip


def test_findings_are_exported_to_be_corrected_and_read_back(run, tmp_path):
    photo = tmp_path / "Me.JPEG"
    shutil.copy(MEI / "mei-01.jpg", photo)
    found, folder = tmp_path / "marks.json", tmp_path / "me"
    words = ("find", photo, "--method", "dog", "--json", found)
    code, _, lines = run(*words, "--export", "whale-anno", folder)
    assert code == 0 and "app/projects" in lines
    marks = json.loads(found.read_text())[0]["marks"]
    (annotation,) = read_whale(folder).annotations
    # whale-anno opens .jpg and .png only, in small letters.
    assert annotation.file_name == "Me.jpg" and (folder / "data/Me.jpg").is_file()
    assert marks and list(annotation.kinds) == [mark["kind"] for mark in marks]
    for read, mark in zip(annotation.marks(512, 512), marks, strict=True):
        assert read.xy.tolist() == pytest.approx(mark["xy"], abs=0.02)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["projectName"] == "me"
    # Corrected annotations are never written over.
    code, _, lines = run(*words, "--export", "whale-anno", folder)
    assert code == 2 and "would be lost" in lines
    code, _, lines = run(*words, "--export", "coco", tmp_path / "other")
    assert code == 2 and "whale-anno FOLDER" in lines


def test_a_picture_is_found_in_other_letters_or_with_another_suffix(project, tmp_path):
    for name in ("MEI-01.JPG", "mei-02.png"):
        shutil.copy(MEI / f"{name[:6].lower()}.jpg", tmp_path / name)
    found = {a.file_name: p and p.name for a, p in match_pictures(read_whale(project), tmp_path)}
    assert found == {"mei-01.jpg": "MEI-01.JPG", "mei-02.jpg": "mei-02.png", "mei-04.jpg": None}


def bad(project, tmp_path):
    """Annotations that cannot be used, and what is said of each."""
    one, no_face, text = tmp_path / "one", tmp_path / "none", tmp_path / "text.json"
    text.write_text("not json")
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder, names in ((one, ["mei-01.jpg"]), (no_face, ["wall.jpg"])):
        (folder / "anno").mkdir(parents=True)
        (folder / "data").mkdir()
        for name in names:
            value = {"fileName": name, "annoDetails": [{"type": "mole", "points": [[0.5, 0.5]]}]}
            (folder / "anno" / f"{name}.json").write_text(json.dumps(value))
            shutil.copy(MEI / "mei-01.jpg", folder / "data" / name)
    (no_face / "data/wall.jpg").write_bytes(b"no picture")
    export = project.parent / "export.json"
    return {
        "no json": (["--annotations", text, "--images", MEI], "cannot be read as JSON"),
        "no annotations": (["--annotations", tmp_path / "gone"], "no whale-anno export"),
        "no folder": (["--annotations", export, "--images", tmp_path / "gone"], "no folder"),
        "no images given": (["--annotations", export], "--images"),
        "none matched": (["--annotations", export, "--images", empty], "None of the 3"),
        "one image": (["--annotations", one], "There is 1 annotated face"),
        "no face": (["--annotations", no_face], "There are 0 annotated faces"),
    }


@pytest.mark.parametrize(
    "case",
    ["no json", "no annotations", "no folder", "no images given", "none matched", "one image",
     "no face"],
)  # fmt: skip
def test_bad_annotations_are_told_in_one_line(run, project, tmp_path, case):
    words, says = bad(project, tmp_path)[case]
    code, out, lines = run("train", *words, *TINY, "--out", tmp_path / "out")
    assert code == 2 and out == ""
    assert says in lines.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["train", "--model", "yolo"], "no model 'yolo'"),
        (["train", "--model", "compact", "--steps", "0"], "steps is 0"),
        # The names of the keypoint R-CNN in training: now, and before.
        (["train", "--model", "keypoint-rcnn", "--steps", "0"], "steps is 0"),
        (["train", "--model", "resnet50", "--steps", "0"], "steps is 0"),
        (["evaluate", "--method", "yolo"], "Unknown finder 'yolo'"),
        (["evaluate", "--method", "compact"], "no weights yet"),
        (["serve", "--kind", "freckle"], "no kind 'freckle'"),
        (["serve", "--port", "99999"], "65535"),
    ],
)
def test_bad_choices_are_told_in_one_line(run, project, tmp_path, words, says):
    more = [] if words[0] == "serve" else ["--annotations", project, "--out", tmp_path]
    code, _, lines = run(*words, *more)
    assert code == 2 and says in lines.strip().splitlines()[-1]
