"""The shell's verbs: fixed forms for scripts, one clear line for bad input."""

import io
import json
import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realism import __version__
from realism.cli import marks as shell
from realism.config import ASSETS
from realism.diffusion.weights import read_tensor_headers
from realism.images import open_photo
from realism.marks.find.finders import DEFAULT_FINDER
from realism.person.person import create_person

MEI = ASSETS / "people/mei"
RAVI = ASSETS / "people/ravi"


def test_the_version_is_said(run):
    assert run("--version") == (0, f"realism {__version__}\n", "")


def test_a_console_of_another_code_page_is_printed_to_all_the_same(tmp_path):
    create_person("玫", True, root=tmp_path)
    environment = {**os.environ, "REALISM_HOME": str(tmp_path), "PYTHONIOENCODING": "cp1252"}
    listing = [sys.executable, "-m", "realism", "photos", "list"]
    done = subprocess.run(listing, env=environment, capture_output=True, check=True)
    assert done.stdout == b"\\u73ab: 0 of 0 photos accepted\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("verb", ["bases", "--help"])
def test_lines_that_the_disk_has_no_room_for_end_in_a_sentence(verb):
    shell = f"{sys.executable} -m realism {verb} > /dev/full"
    ended = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("realism: The disk is full") and ended.stderr.count("\n") == 1


def test_a_damaged_person_is_named_and_the_others_are_listed(run, tmp_path):
    for name in ("Ada", "Bob"):
        create_person(name, True, root=tmp_path / "people")
    (tmp_path / "people" / "ada" / "person.json").write_text("")
    code, out, err = run("photos", "list")
    assert (code, out) == (0, "Bob: 0 of 0 photos accepted\n")
    assert "ada" in err and len(err.splitlines()) == 1


def test_photos_are_added_listed_and_a_person_is_deleted(run, tmp_path):
    files = [MEI / "mei-01.jpg", MEI / "mei-02.jpg", MEI / "faulty/mei-blurred.jpg"]
    code, _, err = run("photos", "add", "Mei", *files)
    assert code == 2 and "agreed" in err
    code, out, _ = run("photos", "add", "Mei", *files, "--consent", "--noun", "woman")
    assert code == 0
    assert "2 of 3 photos of Mei are accepted." in out
    assert "mei-blurred.jpg: refused" in out
    code, out, _ = run("photos", "choose", "mei", "mei-blurred.jpg", "accept")
    assert "3 of 3 photos of Mei are accepted." in out
    assert run("photos", "list")[1] == "Mei: 3 of 3 photos accepted\n"
    code, out, _ = run("delete", "mei", "--yes")
    assert "3 photos" in out
    assert run("photos", "list")[1] == ""
    assert list((tmp_path / "people").iterdir()) == []


def test_a_folder_means_its_pictures_and_a_wrong_path_takes_nothing_in(run, tmp_path):
    folder = tmp_path / "phone"
    (folder / "older").mkdir(parents=True)
    shutil.copy(MEI / "mei-01.jpg", folder / "a.JPG")
    shutil.copy(MEI / "mei-02.jpg", folder / "older" / "b.jfif")
    shutil.copy(MEI / "mei-03.jpg", folder / ".hidden.jpg")
    (folder / "notes.txt").write_text("not a picture")
    code, _, err = run("photos", "add", "Mei", folder, tmp_path / "typo.jpg", "--consent")
    assert code == 2 and "typo.jpg" in err and "Check the path" in err
    assert run("photos", "list")[1] == ""  # not even the person was made
    code, out, _ = run("photos", "add", "Mei", folder, "--consent")
    assert code == 0 and "2 of 2 photos of Mei are accepted." in out
    code, _, err = run("photos", "add", "Mei", tmp_path / "phone" / "notes.txt")
    assert code == 0  # a file that was named has its own verdict
    assert "notes.txt: refused" in run("photos", "list", "Mei")[1]
    (tmp_path / "empty").mkdir()
    code, _, err = run("photos", "add", "Mei", tmp_path / "empty")
    assert code == 2 and "no pictures" in err


def test_rank_writes_the_fixed_form_closest_first(run, tmp_path):
    photos, portraits = tmp_path / "photos", tmp_path / "portraits"
    photos.mkdir()
    portraits.mkdir()
    for name in ("mei-01.jpg", "mei-03.jpg"):
        shutil.copy(MEI / name, photos)
    for file in (MEI / "mei-05.jpg", RAVI / "ravi-01.jpg", MEI.parent / "mei-and-ravi.jpg"):
        shutil.copy(file, portraits)
    out = tmp_path / "rank.json"
    code, _, _ = run("rank", "--photos", photos, "--portraits", portraits, "--json", out)
    assert code == 0
    ranked = json.loads(out.read_text())
    assert [set(row) for row in ranked] == [
        {"portrait", "similarity", "closest_photo", "rank", "reason"}
    ] * 3
    assert [row["portrait"] for row in ranked] == ["mei-05.jpg", "ravi-01.jpg", "mei-and-ravi.jpg"]
    assert [row["rank"] for row in ranked] == [1, 2, 3]
    assert ranked[0]["closest_photo"] in ("mei-01.jpg", "mei-03.jpg")
    assert ranked[0]["similarity"] > ranked[1]["similarity"]
    assert ranked[2]["similarity"] is None and "2 faces" in ranked[2]["reason"]


def test_marks_are_found_and_restored_by_file(run, tmp_path):
    found, report, out = tmp_path / "marks.json", tmp_path / "report.json", tmp_path / "out.png"
    code, _, _ = run("marks", "find", MEI / "mei-01.jpg", "--json", found)
    assert code == 0
    (entry,) = json.loads(found.read_text())
    assert entry["image"] == "mei-01.jpg"
    assert all({"kind", "xy", "radius", "score"} <= set(mark) for mark in entry["marks"])

    # A mole of mei-01 by its truth goes to where the truth of mei-04 says it is.
    names = ("mei-01", "mei-04")
    truth = {name: json.loads((MEI / f"truth/{name}.json").read_text()) for name in names}
    (mole,) = [mark for mark in truth["mei-01"]["marks"] if mark["id"] == "m02"]
    (there,) = [mark for mark in truth["mei-04"]["marks"] if mark["id"] == "m02"]
    given = [{"kind": "mole", "xy": mole["xy"], "radius": mole["radius_px"]}]
    found.write_text(json.dumps([{"image": "mei-01.jpg", "marks": given}]))
    code, _, _ = run(
        "marks", "restore", MEI / "mei-04.jpg", "--photo", MEI / "mei-01.jpg", "--marks", found,
        "--out", out, "--report", report,
    )  # fmt: skip
    assert code == 0
    written = json.loads(report.read_text())
    (placed,) = written["placements"]
    assert placed["kind"] == "mole" and placed["photo"] == "mei-01.jpg" and placed["visible"]
    assert placed["from"] == [round(v, 2) for v in mole["xy"]]
    assert np.hypot(*np.subtract(placed["to"], there["xy"])) * truth["mei-04"]["mm_per_px"] < 5
    assert set(written["similarity"]) == {"before", "after", "photos"}

    before, after = open_photo(MEI / "mei-04.jpg").pixels, open_photo(out).pixels
    changed = np.argwhere((before != after).any(2))[:, ::-1]
    assert (np.linalg.norm(changed - np.array(placed["to"]), axis=1) < 30).all()


@pytest.mark.parametrize("method", ["ratio", "paste"])
def test_a_strength_of_zero_gives_the_portrait_back_bit_for_bit(run, tmp_path, method):
    out = tmp_path / "out.png"
    code, _, _ = run(
        "marks", "restore", MEI / "mei-04.jpg", "--photo", MEI / "mei-01.jpg", "--out", out,
        "--strength", "0", "--method", method, "--placement", "nearest3",
    )  # fmt: skip
    assert code == 0
    assert np.array_equal(open_photo(out).pixels, open_photo(MEI / "mei-04.jpg").pixels)


def test_the_passport_counts_sightings_is_kept_and_drawn(run, tmp_path):
    photos = [MEI / f"mei-{number}.jpg" for number in ("01", "02", "05", "09")]
    assert run("photos", "add", "Mei", *photos, "--consent")[0] == 0
    out, picture = tmp_path / "passport.json", tmp_path / "head.png"
    code, printed, _ = run("marks", "passport", "Mei", "--json", out, "--picture", picture)
    written = json.loads(out.read_text())
    assert code == 0 and written["version"] == 1 and len(written["marks"]) >= 4
    most = written["marks"][0]
    assert 3 <= len(most["seen_in"]) <= most["chances"] <= 4 and most["on"]
    assert f"in {len(most['seen_in'])} of {most['chances']} photos that could show it" in printed
    assert open_photo(picture).pixels.std() > 20
    assert run("marks", "passport", "Mei", "--json", out)[0] == 0
    assert json.loads(out.read_text())["version"] == 2
    assert run("marks", "passport", "Mei", "--picture", tmp_path / "a.jpg")[0] == 2


def test_a_mark_that_is_switched_off_stays_off_and_the_report_says_so(run, tmp_path):
    photos = [MEI / f"mei-{number}.jpg" for number in ("01", "02", "05")]
    assert run("photos", "add", "Mei", *photos, "--consent")[0] == 0
    report, out = tmp_path / "report.json", tmp_path / "out.png"
    restore = ("marks", "restore", MEI / "mei-04.jpg", "--out", out, "--report", report)

    def placements(*options):
        assert run(*restore, "--person", "Mei", *options)[0] == 0
        return {mark["id"]: mark for mark in json.loads(report.read_text())["placements"]}

    whole = placements()
    first, second = [name for name, mark in whole.items() if mark["visible"]][:2]
    assert 1 <= whole[first]["sightings"] <= whole[first]["chances"] <= 3
    code, _, err = run("marks", "off", "Mei", first, "mole-nobody")
    assert code == 2 and "mole-nobody" in err and "passport" in err
    code, printed, _ = run("marks", "off", "Mei", second)
    assert code == 0 and "1 mark of Mei switched off" in printed
    assert ", switched off" in run("marks", "passport", "Mei")[1]
    marks = placements()
    assert (marks[second]["code"], marks[first]["visible"]) == ("switched_off", True)
    assert run("marks", "on", "Mei", second)[0] == 0
    marks = placements("--without", first)
    assert (marks[first]["code"], marks[second]["visible"]) == ("switched_off", True)
    assert run(*restore, "--person", "Mei", "--without", "mole-nobody")[0] == 2
    for given in ([], ["--person", "Mei", "--photo", photos[0]]):
        code, _, err = run(*restore, *given)
        assert code == 2 and "--person" in err


def test_the_shell_finds_by_the_default_method():
    assert DEFAULT_FINDER.name == shell.FINDER_METHOD


def test_bases_are_listed_with_licence_and_size(run):
    code, out, _ = run("bases")
    assert code == 0
    assert "pocket" in out and "majicmix" in out.lower() and "OpenRAIL" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["photos", "check", "Nobody"], "no person called Nobody"),
        (["photos", "add", "../x", MEI / "mei-01.jpg", "--consent"], "cannot hold"),
        (["portraits", "Nobody"], "no person called Nobody"),
        (["finetune"], "Name the person"),
        (["finetune", "Nobody"], "no person called Nobody"),
        (["finetune", "--stage", "3"], "'3' is not one of"),
        (["rank", "--photos", "/nowhere", "--portraits", "/nowhere"], "no folder /nowhere"),
        (["marks", "find", "/nowhere.jpg"], "no such picture"),
        (["marks", "find", MEI / "mei-01.jpg", "--together", "--method", "dog"], "heatmap finder"),
        (["marks", "find", MEI / "mei-01.jpg", RAVI / "ravi-01.jpg", "--together"],
         "another person"),
        (["marks", "restore", MEI / "mei-01.jpg", "--photo", MEI / "mei-02.jpg", "--out", "a.jpg"],
         "name it .png"),
        (["marks", "restore", MEI / "mei-01.jpg", "--photo", MEI / "mei-02.jpg", "--out", "a.png",
          "--strength", "3"], "less than or equal to 1.5"),
        (["marks", "restore", MEI / "mei-01.jpg", "--photo", MEI / "mei-02.jpg", "--photo",
          MEI / "mei-02.jpg", "--out", "a.png"], "each photo once"),
        (["demo", "--person", "nobody"], "no example"),
        (["photos", "choose", "Nobody", "a.jpg", "perhaps"], "'perhaps' is not one of"),
        (["nonsense"], "No such command"),
    ],
)  # fmt: skip
def test_bad_input_ends_with_one_line_and_code_2(run, words, says):
    code, out, err = run(*words)
    assert code == 2
    assert out == ""
    assert says in err.strip().splitlines()[-1]
    assert err.strip().splitlines()[-1].startswith("realism: ")


def test_a_stopped_verb_says_that_what_was_finished_is_kept(run, monkeypatch):
    def stop():
        raise KeyboardInterrupt

    monkeypatch.setattr("realism.diffusion.recommended.recommended_bases", stop)
    code, _, err = run("bases")
    assert code == 130 and "what was finished is kept" in err


def test_nothing_is_deleted_without_a_yes(run, monkeypatch, tmp_path):
    assert run("photos", "add", "Mei", MEI / "mei-01.jpg", "--consent")[0] == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    code, out, err = run("delete", "mei")
    assert (code, out.strip()) == (1, "") and "Delete Mei with everything derived?" in err
    assert (tmp_path / "people" / "mei" / "person.json").exists()


def test_styles_are_listed_without_a_person(run):
    code, out, _ = run("portraits", "Nobody", "--style", "list")
    assert code == 0 and out.startswith("studio")


def test_photos_looked_at_together_are_surer_of_what_both_show(run, tmp_path):
    photos, found = [MEI / f"mei-0{number}.jpg" for number in (1, 2)], tmp_path / "marks.json"
    # A pale spot, hardly to be seen on the first.
    (spot,) = (
        m for m in json.loads((MEI / "truth/mei-01.json").read_text())["marks"] if m["id"] == "m04"
    )
    scores = []
    for together in ([], ["--together"]):
        code, _, _ = run("marks", "find", *photos, "--json", found, "--threshold", "0", *together)
        assert code == 0
        entries = json.loads(found.read_text())
        assert [entry["image"] for entry in entries] == ["mei-01.jpg", "mei-02.jpg"]
        near = (m for m in entries[0]["marks"] if math.dist(m["xy"], spot["xy"]) < 5)
        scores.append(max(m["score"] for m in near))
    assert scores[1] > scores[0]


def test_a_picture_without_a_face_is_named(run, tmp_path):
    Image.new("RGB", (300, 300), "grey").save(tmp_path / "wall.png")
    code, _, err = run("marks", "find", tmp_path / "wall.png")
    assert code == 2
    assert "wall.png: No face was found" in err


def test_help_answers_without_loading_torch():
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "realism", "rank", "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Order portraits" in ended.stdout
    assert " torch\n" not in ended.stderr and " gradio\n" not in ended.stderr
    assert time.monotonic() - began < 10


def test_styles_of_facechain_are_brought_in_listed_and_deleted(run, tmp_path):
    folder = tmp_path / "styles"
    folder.mkdir()
    style = {
        "name": "巫(Witch)",
        "add_prompt_style": "robes",
        "model_id": "a/b",
        "bin_file": "w.bin",
    }
    (folder / "Witch.json").write_text(json.dumps(style))
    (folder / "bad.json").write_text("[]")
    code, out, err = run("styles", "add", folder)
    assert code == 0 and out.startswith("1 styles brought in")
    assert "bad.json is left out" in err
    listed = run("styles", "list")[1]
    assert "witch          Witch / 巫" in listed and "LoRA w.bin from a/b, for sd15 bases" in listed
    assert run("styles", "remove", "witch")[:2] == (0, "witch is deleted.\n")
    code, _, err = run("styles", "add", folder / "bad.json")
    assert code == 2 and len(err.splitlines()) == 1


def test_a_person_s_lora_is_written_for_other_programs(run, tmp_path):
    home = tmp_path / "people"
    mei = create_person("Mei", True, root=home)
    code, _, err = run("lora", "mei", "--to", tmp_path / "mei.safetensors")
    assert code == 2 and "fine-tune first" in err
    shutil.copytree(ASSETS / "pocket" / "stage1", mei.adapter_folder("pocket") / "best")
    for form, prefix in (("kohya", "lora_unet_"), ("diffusers", "unet.")):
        file = tmp_path / f"{form}.safetensors"
        assert run("lora", "mei", "--form", form, "--to", file)[:2] == (0, f"{file}\n")
        assert all(name.startswith(prefix) for name in read_tensor_headers(file))
    code, _, err = run("lora", "mei", "--to", tmp_path / "mei.bin")
    assert code == 2 and "does not end in .safetensors" in err
