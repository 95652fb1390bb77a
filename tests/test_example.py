"""The finished example people: they open at once, belong to the base that ships, and go on."""

import json
import resource
import time
import zipfile

import numpy as np
import pytest
from finetune_run import FLOAT32, tiny_stage

from realism.config import ASSETS
from realism.diffusion.base import POCKET, load_base
from realism.diffusion.identify import read_base
from realism.diffusion.lora import Adapter, applied_loras, describe_lora, lora_file
from realism.diffusion.weights import fingerprint
from realism.errors import InputError
from realism.images import open_photo
from realism.person.person import create_person, open_person, write_zip
from realism.portraits.portrait import read_parameters
from realism.portraits.rank import rank_to_json
from realism.workflow import example as workflow_example
from realism.workflow import run_through
from realism.workflow.example import (
    CLASS_WORDS,
    FINISHED,
    build_example,
    example_photos,
    open_example,
)
from realism.workflow.finetune import FinetuneOptions
from realism.workflow.marks import find_marks_of_person, with_least_score
from realism.workflow.portraits import PortraitRequest, PortraitsRanked, make_portraits
from realism.workflow.restore import restore_portrait

MOST_BYTES = 15e6  # of both examples
MOST_SECONDS = 2
# Paths and accounts of whoever built them.
FOLDERS = ("root", "home", "Users", "tmp", "work", "var")
TRACES = (b"\\Users\\", *(f"/{folder}/".encode() for folder in FOLDERS))


NAMES = [name for name in CLASS_WORDS if (FINISHED / name).is_dir()]


@pytest.fixture(scope="module", params=NAMES)
def person(request, tmp_path_factory):
    """An example, opened."""
    return open_example(request.param, tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def run(person):
    """Its portraits."""
    (run,) = person.runs()
    return run


@pytest.fixture(scope="module")
def pocket():
    return load_base("pocket", FLOAT32)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_belongs_to_the_base_that_ships(name):
    shipped = read_base(POCKET).fingerprint
    lora = FINISHED / name / "adapters" / "pocket" / "best"
    files = sorted((FINISHED / name / "portraits").glob("*/*.png"))
    made = {read_parameters(file) for file in files}
    rebuild = f"It was made on another base. Build it anew: python -m realism example build {name}"
    assert describe_lora(lora)["fingerprint"] == shipped, rebuild
    assert {parameters.base_fingerprint for parameters in made} == {shipped}, rebuild
    adapters = {adapter.fingerprint for parameters in made for adapter in parameters.adapters}
    assert adapters == {fingerprint([lora_file(lora)])[:16]}


def test_examples_are_small_and_name_nobody_and_no_place():
    files = [file for file in sorted(FINISHED.rglob("*")) if file.is_file()]
    assert sum(file.stat().st_size for file in files) < MOST_BYTES
    for file in files:
        held = file.read_bytes()
        assert [trace for trace in TRACES if trace in held] == [], file
    assert {file.relative_to(FINISHED).parts[0] for file in files} <= {"README.md", *CLASS_WORDS}


def test_an_example_opens_at_once(tmp_path):
    # Of the processor: the clock on the wall tells what else the machine does.
    began_at = time.process_time()
    open_example("mei", tmp_path / "visitors" / "one")
    assert time.process_time() - began_at < MOST_SECONDS


def test_photos_are_those_of_the_person_with_their_verdicts(person):
    name = person.folder.name
    files = {file.name: file for file in example_photos(name)}
    records = person.records()
    assert {record.name for record in records} == set(files)
    for record in records:
        assert np.array_equal(record.photo().pixels, open_photo(files[record.name]).pixels)
    refused = {record.name for record in records if not record.accepted}
    assert {f"{name}-blurred.jpg", f"{name}-too-dark.jpg", "mei-and-ravi.jpg"} <= refused
    accepted = {record.name for record in records if record.accepted}
    assert len(accepted) >= 13 and set(person.photo_to_photo()) == accepted


def test_portraits_are_ranked_without_an_engine_and_nothing_is_left_unfinished(person, run):
    ranked = person.read_ranking(run, "dlib")
    assert [row.rank for row in ranked] == list(range(1, 21))
    assert {row.name for row in ranked} == {file.name for file in run.glob("*.png")}
    assert json.loads((run / "ranking.json").read_text()) == rank_to_json(ranked)
    assert person.held_out_photo(run) in person.photo_to_photo()
    assert person.unfinished_run() is None
    log = json.loads((person.adapter_folder("pocket") / "log.json").read_text())
    assert len(log["losses"]) >= log["previews"][-1]["step"] > 0
    assert list((person.adapter_folder("pocket") / "previews").glob("*.png"))


def test_marks_the_passport_and_restored_portraits_are_there(person, run):
    marks = person.marks()
    assert set(marks) <= set(person.photo_to_photo()) and sum(map(len, marks.values())) > 20
    assert person.reviewed(marks) == set(marks)  # not searched again
    assert len(person.passport().entries) >= 5
    restored = sorted((run / "restored").glob("*.png"))
    reports = json.loads((run / "restored" / "restore.json").read_text())["portraits"]
    assert len(restored) == 6
    for file in restored:
        before, after = open_photo(run / file.name).pixels, open_photo(file).pixels
        put_back = [place for place in reports[file.name]["placements"] if place["visible"]]
        assert put_back and (before != after).any() and before.shape == after.shape


@pytest.mark.slow
def test_every_step_goes_on_from_there(pocket, engine, tmp_path):
    mei = open_example("mei", tmp_path)
    for which in ("best", "last"):
        with applied_loras(pocket, [Adapter(mei.adapter("pocket", which))]) as loaded:
            assert loaded[0]["kind"] == "person"
    request = PortraitRequest(seed=77, count=1, steps=2)
    *_, done = make_portraits(mei, pocket, engine, request)
    assert isinstance(done, PortraitsRanked) and mei.runs()[0] == done.run
    photos = with_least_score(run_through(find_marks_of_person(mei, engine, most=3)), 0.3)
    best = mei.runs()[1] / mei.read_ranking(mei.runs()[1], "dlib")[0].name
    assert restore_portrait(best, photos, engine).put_back
    files = [file for file in sorted(best.parent.rglob("*")) if file.is_file()]
    packed = write_zip(tmp_path / "run.zip", files, best.parent)
    assert f"restored/{best.name}" in zipfile.ZipFile(packed).namelist()
    said = {message.code: message.values["count"] for message in mei.delete()}
    assert said["portraits_deleted"] == 21 and said["loras_deleted"] == 2
    assert list(tmp_path.iterdir()) == [packed]


def test_whoever_has_the_name_already_is_opened_as_they_are(tmp_path):
    mine = create_person("Mei", True, "woman", tmp_path)
    assert open_example("mei", tmp_path) == mine
    assert mine.records() == []


def test_what_lies_where_the_example_would_go_is_not_touched(tmp_path):
    (tmp_path / "mei").mkdir()
    (tmp_path / "mei" / "thesis.txt").write_text("three years of work")
    with pytest.raises(InputError, match="no person's"):
        open_example("mei", tmp_path)
    assert [file.name for file in (tmp_path / "mei").iterdir()] == ["thesis.txt"]
    with pytest.raises(InputError, match="use one of mei, ravi"):
        open_example("../mei", tmp_path)


def test_a_full_disk_leaves_no_half_example(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A file larger than allowed ends as a write to a full disk does, with an OSError.
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, limits[1]))
    try:
        with pytest.raises(InputError, match="disk is full"):
            open_example("mei", tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_an_example_is_built_by_the_four_steps_and_opens(tiny_sd, engine, tmp_path, monkeypatch):
    photos = [ASSETS / "people/mei" / f"mei-{number}.jpg" for number in ("01", "02", "05")]
    monkeypatch.setattr(workflow_example, "example_photos", lambda name: photos)
    monkeypatch.setattr(workflow_example, "FINISHED", tmp_path / "finished")
    base, stage = load_base(str(tiny_sd), FLOAT32), tiny_stage(2, 2)
    options = FinetuneOptions(one_stage=True, second=stage)
    request = PortraitRequest(prompt="photo of {person}", count=2, seed=1, steps=2)
    older = tmp_path / "finished" / "mei" / "portraits" / "older.txt"
    older.parent.mkdir(parents=True)
    older.write_text("of an older base")
    build = build_example("mei", base, engine, tmp_path / "finished", options, request)
    folder = run_through(build)
    assert folder == tmp_path / "finished" / "mei" and not older.exists()
    assert not list(folder.glob("photos/*.png")) and not list(folder.rglob("last"))
    assert [file.name for file in folder.parent.iterdir()] == ["mei"]
    mei = open_example("mei", tmp_path / "people")
    assert mei.consent == "2026-01-01T00:00:00+00:00"
    assert mei.read_ranking(mei.runs()[0], engine.name) is not None
    assert mei.runs()[0].name == "20260101-000000"
    assert set(mei.marks()) == {photo.name for photo in photos}
    assert mei.adapter(base.name, "last") != mei.adapter(base.name, "best")
    assert open_person("mei", tmp_path / "people") == mei
