"""A people folder as the version before wrote it is read: photos, marks, passport, runs, LoRA.

`tests/data/people-v1` was made by that version (git e2edade) on three pictures of an example
person and a text named .jpg; the face too small was accepted by hand, the marks of one photo were
corrected, the passport made twice.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from realism.diffusion.lora import describe_lora
from realism.errors import InputError, Message
from realism.images import open_photo
from realism.person.person import open_person, people
from realism.person.runs import portraits_of
from realism.portraits.portrait import read_parameters

DATA = Path(__file__).parent.parent / "data" / "people-v1"


@pytest.fixture
def mei(tmp_path):
    shutil.copytree(DATA, tmp_path / "people")
    (person,) = people(tmp_path / "people")
    return person


def test_the_person_is_who_it_was(mei):
    assert (mei.name, mei.class_word, mei.subject) == ("Mei", "woman", "ohwx woman")
    assert mei.consent == "2026-11-28T20:34:38+00:00"
    assert open_person("mei", mei.folder.parent) == mei


def test_photos_and_verdicts_are_read_and_old_reasons_stand_as_they_were_written(mei):
    verdicts = {
        record.name: (record.accepted, record.choice, [r.code for r in record.verdict.reasons])
        for record in mei.records()
    }
    assert verdicts == {
        "mei-01.png": (True, None, []),
        "mei-02.png": (True, None, []),
        "mei-05.png": (True, True, ["small_face"]),
        "notes.jpg": (False, None, ["unreadable"]),
    }
    (reason,) = mei.record("mei-05.png").verdict.reasons
    assert reason.text.startswith("The face is only 91 px wide; at least 160 px are needed.")
    assert (reason.limit, round(reason.value, 2)) == (160.0, 91.5)
    assert mei.record("notes.jpg").path is None
    first = mei.record("mei-01.png")
    assert first.photo().pixels.shape == (230, 230, 3)
    assert first.face.embedding.shape == (128,) and first.face.mesh.shape[1] == 3
    assert np.linalg.norm(first.face.embedding) == pytest.approx(1, abs=1e-4)
    scale = mei.photo_to_photo()
    assert set(scale) == {record.name for record in mei.accepted()}
    assert all(0 < value <= 1 for value in scale.values())


def test_marks_and_corrections_are_read(mei):
    marks = mei.marks()
    assert {name: len(found) for name, found in marks.items()} == {
        "mei-01.png": 6,
        "mei-02.png": 6,
        "mei-05.png": 4,
    }
    wrinkle = marks["mei-01.png"][-1]
    assert wrinkle.kind == "wrinkle" and wrinkle.polyline.tolist() == [[50, 60], [60, 60], [70, 61]]
    assert mei.reviewed([*marks, "new.png"]) == {"mei-01.png"}
    mei.save_marks(marks)
    assert {name: len(found) for name, found in mei.marks().items()} == {
        name: len(found) for name, found in marks.items()
    }


def test_the_passport_is_read_and_the_next_one_is_the_third(mei):
    atlas = mei.passport()
    assert set(atlas.photos) == {"mei-01.png", "mei-02.png", "mei-05.png"}
    assert len(atlas.entries) >= 4 and atlas.entries[0].mark.kind
    assert mei.save_passport(atlas) == 3
    assert (mei.folder / "marks" / "passport-2.json").exists()


def test_runs_keep_their_portraits_and_how_they_were_made(mei):
    (run,) = mei.runs()
    assert run.name == "20260101-120000"
    files = sorted(run.glob("*.png"))
    made = [read_parameters(file) for file in files]
    assert [parameters.seed for parameters in made] == [7, 8]
    assert {parameters.base for parameters in made} == {"pocket"}
    assert open_photo(files[0]).pixels.shape == (96, 96, 3)
    assert [row["rank"] for row in json.loads((run / "ranking.json").read_text())] == [1, 2]


def test_a_run_that_was_ranked_before_is_ranked_anew_once(mei, engine):
    (run,) = mei.runs()
    before = json.loads((run / "ranking.json").read_text())
    assert mei.read_ranking(run, engine.name) is None  # what it was made from was not kept then
    ranked = mei.rank_run(run, engine)
    assert [row.name for row in ranked] == [row["portrait"] for row in before]
    similarities = [row.similarity for row in ranked]
    assert similarities == pytest.approx([row["similarity"] for row in before], abs=1e-3)
    assert mei.read_ranking(run, engine.name) == ranked


def test_the_lora_is_found_with_what_it_says_of_itself(mei):
    folder = mei.adapter("pocket")
    assert folder == mei.folder / "adapters" / "pocket" / "last"
    about = describe_lora(folder)
    assert (about["kind"], about["trigger"], about["rank"]) == ("person", "ohwx woman", 1)
    with pytest.raises(InputError, match="Mei has no LoRA for other yet"):
        mei.adapter("other")


def test_deleting_counts_what_was_there(mei):
    restored = mei.runs()[0] / "restored"
    restored.mkdir(exist_ok=True)
    copy = portraits_of(mei.runs()[0])[0]
    shutil.copy(copy, restored / copy.name)  # the same portrait, with its marks: counted once
    deleted = mei.delete()
    assert Message("photos_deleted", count=3) in deleted
    assert Message("portraits_deleted", count=2) in deleted
    assert Message("loras_deleted", count=1) in deleted
    assert people(mei.folder.parent) == []


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"noun": None}, "person"),
        ({"noun": "child"}, "child"),
        ({"name": None}, "file_does_not_fit"),
        ({"consent": None}, "file_does_not_fit"),
        ({"name": 7}, "file_does_not_fit"),
        ({"schema": 2, "name": None}, "person_of_newer_program"),
    ],
)
def test_a_hand_edited_person_is_read_or_refused_on_one_line(mei, change, answer):
    file = mei.folder / "person.json"
    stored = json.loads(file.read_text()) | change
    file.write_text(json.dumps({key: value for key, value in stored.items() if value is not None}))
    try:
        assert open_person("mei", mei.folder.parent).class_word == answer
    except InputError as refused:
        assert refused.code == answer
        assert "\n" not in str(refused)


@pytest.mark.parametrize("name", ["person.json", "marks/found.json"])
def test_a_file_of_another_form_is_named_with_what_does_not_fit(mei, name):
    (mei.folder / name).write_text("[]")
    with pytest.raises(InputError) as refused:
        open_person("mei", mei.folder.parent).photo_to_photo()
        mei.marks()
    assert refused.value.code == "file_does_not_fit"
    assert Path(name).name in str(refused.value)
