"""What is told of a person is what lies on disk; what is missing or damaged is said."""

import shutil

import numpy as np
import pytest

from realism.errors import InputError
from realism.images import save_png
from realism.person.person import create_person, open_person
from realism.show.story import MOST_PORTRAITS, read_story
from realism.workflow.example import open_example


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with the finished example."""
    root = tmp_path_factory.mktemp("people")
    open_example("mei", root)
    return root


@pytest.fixture
def mei(home, tmp_path):
    """The finished example, to be changed."""
    shutil.copytree(home / "mei", tmp_path / "mei")
    return open_person("mei", tmp_path)


def missing(story) -> list[str]:
    return [message.code for message in story.missing]


def test_all_four_steps_of_the_finished_example_are_told(home):
    story = read_story(open_person("mei", home))
    assert missing(story) == []
    assert [photo.accepted for photo in story.photos].count(True) == 14
    assert all(photo.reason for photo in story.photos if not photo.accepted)
    assert all(len(set(photo.pixels.shape[:2])) == 1 for photo in story.photos)
    steps = len(story.learning.losses)
    assert steps >= 100 and [step for step, *_ in story.learning.previews][-1] == steps
    assert all(len(pictures) == 4 for *_, pictures in story.learning.previews)
    assert [row.rank for row in story.ranked] == list(range(1, 21))
    likeness = [row.similarity for row in story.ranked]
    assert likeness == sorted(likeness, reverse=True)
    assert story.best_photo.name == story.ranked[0].closest_photo
    assert [row.name for row in story.portraits] == sorted(row.name for row in story.portraits)
    assert sum(story.marks.values()) == sum(entry.on for entry in story.passport.entries)
    for pair in story.restored:
        x, y = pair.places.astype(int).T
        changed = (pair.before != pair.after).any(2)
        near = np.array(
            [changed[b - 6 : b + 7, a - 6 : a + 7].any() for a, b in zip(x, y, strict=True)]
        )
        assert len(near) and near.mean() > 0.8  # marks lie where the picture says something else


def test_a_person_with_nothing_gets_one_sentence(tmp_path):
    ada = create_person("Ada", True, root=tmp_path)
    with pytest.raises(InputError) as error:
        read_story(ada)
    assert error.value.code == "nothing_to_show"


def test_steps_that_were_not_done_are_named(mei):
    for name in ("adapters", "portraits", "marks"):
        shutil.rmtree(mei.folder / name)
    story = read_story(mei)
    assert missing(story) == [
        "show_no_finetune", "show_no_portraits", "show_no_passport", "show_no_restored",
    ]  # fmt: skip
    assert story.photos and story.portraits == story.restored == [] and story.marks == {}
    assert story.best_photo is story.photos[0]


def test_damaged_files_are_named_and_the_rest_is_told(mei):
    (mei.folder / "adapters" / "pocket" / "log.json").write_text("{")
    (mei.folder / "marks" / "passport.json").write_text("[]")
    (mei.runs()[0] / "ranking.json").write_text("[{}]")
    story = read_story(mei)
    assert missing(story)[:3] == ["file_not_json", "file_does_not_fit", "not_a_passport"]
    mei.record("mei-01.jpg").path.write_bytes(b"no picture")
    assert read_story(mei).photos[0].name == "mei-02.jpg"
    assert len(story.photos) == 17 and len(story.portraits) == 20 and len(story.restored) == 3


def test_portraits_without_a_ranking_are_told_in_the_order_they_were_made(mei):
    run = mei.runs()[0]
    (run / "ranking.json").unlink()
    story = read_story(mei)
    assert missing(story) == ["show_not_ranked"]
    assert story.ranked == [] and [row.name[:2] for row in story.portraits][:3] == [
        "01",
        "02",
        "03",
    ]


def test_of_many_portraits_the_closest_are_told_and_a_deleted_one_is_not(mei):
    run = mei.runs()[0]
    first, second = (row.name for row in read_story(mei).ranked[:2])
    (run / first).unlink()
    story = read_story(mei)
    assert len(story.portraits) == 19 and story.ranked[0].name == second
    (run / "ranking.json").unlink()
    for number in range(30, 60):
        save_png(run / f"{number}-seed{number}.png", story.portraits[0].pixels)
    assert len(read_story(mei).portraits) == MOST_PORTRAITS


def test_a_portrait_that_was_restored_at_another_size_is_left_out(mei):
    pairs = [pair.name for pair in read_story(mei).restored]
    save_png(mei.runs()[0] / "restored" / pairs[0], np.zeros((64, 64, 3), np.uint8))
    assert pairs[0] not in [pair.name for pair in read_story(mei).restored]
