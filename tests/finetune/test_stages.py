"""The two stages: faces once for a base, then the person, one photo held out."""

from dataclasses import replace

import pytest
from finetune_run import FLOAT32, SUBJECT, tiny_stage

from realism.config import ASSETS
from realism.diffusion.base import load_base
from realism.diffusion.lora import describe_lora
from realism.errors import InputError
from realism.faces.engine import load_engine
from realism.finetune.events import LoraSaved, Note, Preview, TrainingStep
from realism.finetune.run_folder import is_best
from realism.finetune.stages import (
    choose_held_out,
    find_stage1,
    finetune_faces,
    finetune_person,
    stage1_folder,
)
from realism.images import open_photo

MEI = ASSETS / "people" / "mei"


@pytest.fixture
def base(tiny_sd):
    return load_base(str(tiny_sd), FLOAT32)


@pytest.fixture(scope="module")
def photos():
    engine = load_engine("dlib")
    opened = [open_photo(MEI / f"mei-{number:02}.jpg") for number in (1, 4, 5, 8, 9, 14)]
    return [(photo, engine.find(photo.pixels)[0]) for photo in opened]


def test_stage_1_is_found_again_for_the_same_settings_and_faces(base, tmp_path, monkeypatch):
    monkeypatch.setenv("REALISM_HOME", str(tmp_path / "people"))
    faces = tmp_path / "faces"
    faces.mkdir()
    for name in ("ravi-01", "ravi-09"):
        (faces / f"{name}.jpg").symlink_to(ASSETS / "people" / "ravi" / f"{name}.jpg")
    stage, engine = tiny_stage(2, 2), load_engine("dlib")
    assert find_stage1(base, stage, faces) is None
    events = list(finetune_faces(base, engine, faces, stage))
    assert len([event for event in events if isinstance(event, TrainingStep)]) == 2
    found = find_stage1(base, stage, faces)
    assert found == stage1_folder(base, stage, faces) / "last"
    assert find_stage1(base, replace(stage, steps=3), faces) is None
    (faces / "ravi-09.jpg").unlink()
    assert find_stage1(base, stage, faces) is None


def test_the_held_out_photo_is_compared_with_and_never_learned_from(base, photos, tmp_path):
    stage = replace(tiny_stage(2, 2), held_out_from=6)
    held_out = choose_held_out(photos, stage)
    events = finetune_person(base, _Known(photos), photos, SUBJECT, tmp_path, None, stage)
    learned, previews = set(), []
    for event in events:
        if hasattr(event, "photo"):
            learned.add(event.photo)
        if isinstance(event, Preview):
            previews.append(event)
        if isinstance(event, LoraSaved) and event.best:
            assert event.similarity == pytest.approx(previews[-1].similarity)
    assert learned == {photo.name for photo, _ in photos} - {held_out.name}
    assert previews[-1].similarity == pytest.approx(1.0, abs=1e-5)
    assert describe_lora(tmp_path / "best")["held_out"] == held_out.name


def test_of_steps_alike_near_to_the_held_out_photo_the_latest_is_kept():
    assert is_best(0.30, []) and is_best(0.40, [0.30])
    assert is_best(0.39, [0.30, 0.40]) and not is_best(0.37, [0.30, 0.40])
    assert not is_best(None, []) and not is_best(0.0, [])


class _Known:
    """Random weights make no faces: this engine sees the held-out one in every preview."""

    def __init__(self, photos):
        self.face = next(
            face
            for photo, face in photos
            if photo.name == choose_held_out(photos, tiny_stage(1, 1)).name
        )

    def find(self, pixels):
        return [self.face]


def test_with_few_photos_none_is_held_out_and_a_note_says_so(base, photos, tmp_path):
    stage = tiny_stage(1, 1)
    events = list(finetune_person(base, None, photos[:3], SUBJECT, tmp_path, None, stage))
    assert any(
        isinstance(event, Note) and event.message.code == "none_held_out" for event in events
    )
    assert [event.similarity for event in events if isinstance(event, Preview)] == [None]
    assert not (tmp_path / "best").exists()


def test_nothing_to_learn_from_is_refused_with_what_to_do(base, tmp_path):
    with pytest.raises(InputError, match="no accepted photo"):
        list(finetune_person(base, None, [], SUBJECT, tmp_path, None))
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "a.jpg").write_text("not a picture")
    with pytest.raises(InputError, match=r"not one picture to learn from \(a\.jpg"):
        list(finetune_faces(base, load_engine("dlib"), tmp_path / "faces", tiny_stage(2, 2)))
