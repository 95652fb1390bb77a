"""One hurt file hides nothing else, and what the others still give is computed anew."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from realism.config import ASSETS
from realism.errors import InputError
from realism.faces.engine import load_engine
from realism.person.person import create_person, damaged_people, open_person, people

MEI = ASSETS / "people/mei"


@pytest.fixture(scope="module")
def engine():
    return load_engine("dlib")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, engine):
    """A home in which Mei has four photos."""
    root = tmp_path_factory.mktemp("people")
    files = [MEI / f"mei-0{number}.jpg" for number in (1, 2, 3, 5)]
    list(create_person("Mei", True, "woman", root).add_photos(files, engine))
    return root


@pytest.fixture
def mei(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "people")
    return open_person("mei", tmp_path / "people")


def empty(file: Path) -> None:
    file.write_bytes(b"")


def cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def test_one_damaged_person_does_not_hide_the_others_and_is_named(mei):
    root = mei.folder.parent
    create_person("Ravi", True, "man", root)
    empty(mei.folder / "person.json")
    assert [person.name for person in people(root)] == ["Ravi"]
    (fault,) = damaged_people(root)
    assert "mei" in fault.text() and "mei" in fault.text("zh")
    with pytest.raises(InputError, match="JSON"):
        open_person("mei", root)


@pytest.mark.parametrize("suffix", [".json", ".npz"])
@pytest.mark.parametrize("hurt", [empty, cut_off])
def test_a_damaged_record_is_listed_as_such_and_judged_anew_by_its_picture(
    mei, engine, suffix, hurt
):
    record = mei.record("mei-03.jpg")
    hurt(record.path.with_suffix(suffix))
    states = {photo.name: photo.accepted for photo in mei.records()}
    assert len(states) == 4 and sum(states.values()) == 3
    refused = next(photo for photo in mei.records() if not photo.accepted)
    assert "check the photos again" in refused.verdict.reasons[0].text
    before = record.photo().pixels
    mei.judge_set(engine)
    photos = mei.records()
    assert len(photos) == 4 and all(photo.accepted for photo in photos)
    assert any((photo.photo().pixels == before).all() for photo in photos)
    assert len(list((mei.folder / "photos").iterdir())) == 12


def test_a_damaged_record_can_be_removed(mei, engine):
    empty(mei.record("mei-03.jpg").path.with_suffix(".json"))
    refused = next(photo for photo in mei.records() if not photo.accepted)
    mei.remove_photo(refused.name, engine)
    assert len(mei.records()) == 3 and len(list((mei.folder / "photos").iterdir())) == 9


def test_the_scale_of_the_photos_is_computed_where_its_file_is_damaged(mei):
    scale = mei.photo_to_photo()
    for text in ("", "[]", '{"photos": ', '{"photos": {"a.jpg": 1e308}}', '{"photos": {"a": NaN}}'):
        (mei.folder / "similarity.json").write_text(text)
        assert mei.photo_to_photo() == scale


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a file's name is always text")
def test_a_file_name_that_is_no_utf8_is_kept_with_a_mark(mei, engine, tmp_path):
    file = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")
    shutil.copy(MEI / "mei-07.jpg", file)
    list(mei.add_photos([Path(file)], engine))
    assert mei.record("caf\N{REPLACEMENT CHARACTER}.jpg").path is not None


@pytest.mark.parametrize("name", ["n" * 251 + ".jpg", "a b'\"c.jpg", "照片😀.jpg", "no suffix"])
def test_any_name_of_a_file_is_taken(mei, engine, tmp_path, name):
    try:
        shutil.copy(MEI / "mei-07.jpg", tmp_path / name)
    except OSError:
        pytest.skip("this file system does not take the name")
    list(mei.add_photos([tmp_path / name], engine))
    assert mei.record(name).path is not None
