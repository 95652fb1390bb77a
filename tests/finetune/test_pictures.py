"""A folder of faces: which pictures serve, and what their captions say."""

import json
import shutil

import cv2
import numpy as np
import pytest

from realism.config import ASSETS
from realism.errors import InputError, Message
from realism.faces.engine import load_engine
from realism.finetune.crops import TrainingCrop
from realism.finetune.pictures import PictureSkipped, crop_folder, folder_digest

MEI = ASSETS / "people" / "mei"


@pytest.fixture(scope="module")
def engine():
    return load_engine("dlib")


def test_a_folder_of_faces_is_read_with_its_captions_and_says_what_it_skips(tmp_path, engine):
    shutil.copy(MEI / "mei-01.jpg", tmp_path / "a.jpg")
    shutil.copy(MEI / "mei-09.jpg", tmp_path / "b.jpg")
    (tmp_path / "broken.jpg").write_text("not a picture")
    cv2.imwrite(str(tmp_path / "empty.png"), np.full((200, 200, 3), 90, np.uint8))
    row = {"file_name": "a.jpg", "text": "photo portrait of a young woman, front"}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row) + "\n")
    found = list(crop_folder(tmp_path, engine, 256))
    skipped = {item.name: item.reason for item in found if isinstance(item, PictureSkipped)}
    captions = {item.photo: item.caption for item in found if isinstance(item, TrainingCrop)}
    assert set(skipped) == {"broken.jpg", "empty.png"}
    assert skipped["empty.png"] == Message("face_not_found")
    assert captions["a.jpg"].startswith("photo portrait of a young woman, front, close-up")
    assert captions["b.jpg"].startswith("photo portrait of a person, ")


def test_captions_beside_the_pictures_are_read_as_kohya_lays_them(tmp_path, engine):
    folder = tmp_path / "10_faces"
    folder.mkdir()
    shutil.copy(MEI / "mei-01.jpg", folder / "a.jpg")
    shutil.copy(MEI / "mei-09.jpg", folder / "b.jfif")
    (folder / "a.txt").write_text("a young woman,\n smiling", "utf-8-sig")
    (folder / "b.caption").write_text("a woman in a blue shirt")
    captions = {crop.photo: crop.caption for crop in crop_folder(tmp_path, engine, 256)}
    assert captions["a.jpg"].startswith("a young woman, smiling")
    assert captions["b.jfif"].startswith("a woman in a blue shirt")
    (folder / "a.txt").write_bytes("Größe".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        list(crop_folder(tmp_path, engine, 256))


def test_the_digest_of_a_folder_changes_with_a_picture_or_a_caption(tmp_path):
    shutil.copy(MEI / "mei-01.jpg", tmp_path / "a.jpg")
    first = folder_digest(tmp_path)
    assert folder_digest(tmp_path) == first
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.jpg", "text": "front"}\n')
    second = folder_digest(tmp_path)
    shutil.copy(MEI / "mei-02.jpg", tmp_path / "a.jpg")
    assert len({first, second, folder_digest(tmp_path)}) == 3


def test_a_folder_without_pictures_is_refused_with_what_to_do(tmp_path, engine):
    with pytest.raises(InputError, match="put JPEG"):
        list(crop_folder(tmp_path, engine, 256))
    with pytest.raises(InputError, match="There is no folder"):
        list(crop_folder(tmp_path / "nowhere", engine, 256))
