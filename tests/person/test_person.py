"""A person's folder: what goes in is listed, judged, kept, and gone when deleted."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from realism.config import ASSETS
from realism.errors import InputError, Message
from realism.faces.engine import load_engine
from realism.images import open_photo, save_png
from realism.marks.mark import RoundMark, Wrinkle, flipped, marks_by_image, marks_to_json
from realism.marks.switched import Switched, mark_id
from realism.person.names import slug_of
from realism.person.person import create_person, open_person, people

MEI = ASSETS / "people/mei"


@pytest.fixture(scope="module")
def engine():
    return load_engine("dlib")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, engine):
    """Mei with five good photos, a blurred one, two heads in one, and a text named .jpg."""
    root = tmp_path_factory.mktemp("people")
    text = root / "notes.jpg"
    text.write_text("not a picture")
    files = [MEI / f"mei-0{number}.jpg" for number in (1, 2, 3, 5, 9)]
    files += [MEI / "faulty/mei-blurred.jpg", MEI / "faulty/mei-too-dark.jpg", text]
    mei = create_person("Mei", consent=True, class_word="woman", root=root)
    list(mei.add_photos(files, engine))
    return root


@pytest.fixture
def mei(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "people")
    return open_person("mei", tmp_path / "people")


def codes(person) -> dict[str, set[str]]:
    return {e.name: {reason.code for reason in e.verdict.reasons} for e in person.records()}


def test_good_photos_are_accepted_and_the_others_say_why(mei):
    reasons_by_photo = codes(mei)
    assert {name for name, reasons in reasons_by_photo.items() if not reasons} == {
        "mei-01.jpg",
        "mei-02.jpg",
        "mei-03.jpg",
        "mei-05.jpg",
        "mei-09.jpg",
    }
    assert "blurred" in reasons_by_photo["mei-blurred.jpg"]
    assert "too_dark" in reasons_by_photo["mei-too-dark.jpg"]
    assert reasons_by_photo["notes.jpg"] == {"unreadable"}


def test_a_file_is_filed_by_what_is_wrong_with_it_not_by_its_name(mei, engine, tmp_path):
    lovers, large = tmp_path / "lovers.jpg", tmp_path / "large.jpg"
    lovers.write_text("not a picture, but its name has the word over in it")
    large.write_bytes(bytes(41 * 2**20))
    reasons = {
        entry.name: entry.verdict.reasons[0] for entry in mei.add_photos([lovers, large], engine)
    }
    assert (reasons["lovers.jpg"].code, reasons["large.jpg"].code) == ("unreadable", "too_large")
    assert reasons["lovers.jpg"].message == Message("not_a_picture", name="lovers.jpg")
    assert reasons["large.jpg"].message.code == "photo_too_large"


def test_reasons_come_back_from_disk_in_any_language_and_old_ones_as_they_were(mei):
    entry = mei.record("notes.jpg")
    assert entry.verdict.reasons[0].message == Message("not_a_picture", name="notes.jpg")
    (file,) = (mei.folder / "photos").glob("notes-*.json")
    stored = json.loads(file.read_text())
    assert "not a picture" in stored["reasons"][0]["text"]
    del stored["reasons"][0]["message"]
    stored["reasons"][0]["text"] = "An old sentence."
    file.write_text(json.dumps(stored))
    (reason,) = mei.record("notes.jpg").verdict.reasons
    assert (reason.code, reason.text) == ("unreadable", "An old sentence.")


def test_the_scale_of_the_person_covers_the_accepted_photos_only(mei):
    scale = mei.photo_to_photo()
    assert set(scale) == {entry.name for entry in mei.accepted()}
    assert all(0.2 < value < 1 for value in scale.values())


def test_a_refused_photo_with_a_face_can_be_accepted_by_hand_and_given_back(mei, engine):
    assert mei.choose("mei-blurred.jpg", True, engine).accepted
    assert "mei-blurred.jpg" in mei.photo_to_photo()
    assert not mei.choose("mei-blurred.jpg", None, engine).accepted
    with pytest.raises(InputError, match="no face in it to learn from") as refused:
        mei.choose("notes.jpg", True, engine)
    assert refused.value.code == "photo_without_face"


def test_a_file_that_is_given_again_stays_as_it_is(mei, engine):
    before = {record.name for record in mei.records()}
    mei.choose("mei-02.jpg", False, engine)
    again = list(mei.add_photos(sorted(MEI.glob("mei-0[12].jpg")), engine))
    assert [record.name for record in again] == ["mei-01.jpg", "mei-02.jpg"]
    assert {record.name for record in mei.records()} == before
    assert mei.record("mei-02.jpg").choice is False, "what its owner said of it stays, too"


def test_another_photo_of_a_name_that_is_taken_is_listed_under_a_free_one(mei, engine, tmp_path):
    picture = open_photo(MEI / "mei-01.jpg").pixels
    for folder, brighter in (("a", 0), ("b", 2)):  # two cameras count alike
        save_png(tmp_path / folder / "1.png", np.clip(picture[..., :] + np.uint8(brighter), 2, 255))
    files = [tmp_path / folder / "1.png" for folder in ("a", "b")]
    for _ in range(2):
        list(mei.add_photos(files, engine))
        assert {"1.png", "1-2.png"} <= set(codes(mei)) and "1-3.png" not in codes(mei)


def test_a_file_that_cannot_be_read_is_listed_once_however_often_it_is_given(mei, engine, tmp_path):
    (tmp_path / "letter.jpg").write_text("no picture")
    for _ in range(2):
        list(mei.add_photos([tmp_path / "letter.jpg"], engine))
    assert "letter.jpg" in codes(mei) and "letter-2.jpg" not in codes(mei)


def test_the_same_photo_under_another_name_is_a_duplicate(mei, engine, tmp_path):
    shutil.copy(MEI / "mei-01.jpg", tmp_path / "mei-01-2.jpg")
    list(mei.add_photos([tmp_path / "mei-01-2.jpg"], engine))
    reasons_by_photo = codes(mei)
    assert "mei-01-2.jpg" in reasons_by_photo
    assert "duplicate" in reasons_by_photo["mei-01.jpg"] | reasons_by_photo["mei-01-2.jpg"]
    assert not reasons_by_photo["mei-02.jpg"]
    mei.remove_photo("mei-01-2.jpg", engine)
    assert not codes(mei)["mei-01.jpg"]


def test_no_accepted_photo_is_never_met_without_a_sentence(tmp_path, engine):
    empty = create_person("Nobody", consent=True, root=tmp_path)
    with pytest.raises(InputError, match="no photos yet: add about a dozen"):
        empty.accepted()
    with pytest.raises(InputError, match="No photos were given"):
        list(empty.add_photos([], engine))
    list(empty.add_photos([MEI / "faulty/mei-too-dark.jpg"], engine))
    with pytest.raises(InputError, match="All 1 photos of Nobody were refused"):
        empty.accepted()


def test_nothing_on_disk_carries_the_cameras_metadata(mei):
    for picture in (mei.folder / "photos").glob("*.png"):
        data = picture.read_bytes()
        assert b"eXIf" not in data and b"tEXt" not in data and b"iTXt" not in data


def test_without_consent_there_is_no_person(tmp_path):
    with pytest.raises(InputError, match="agreed"):
        create_person("Mei", consent=False, root=tmp_path)
    assert people(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("../mei", "cannot hold"),
        ("a/b", "cannot hold"),
        ("..", "at least one letter"),
        ("", "at least one letter"),
        ("😀", "at least one letter"),
        (".hidden", "begin with a dot"),
        ("m" * 300, "300 characters: use 60"),
        ("nul\0byte", "cannot hold"),
    ],
)
def test_a_name_that_cannot_be_a_folder_is_refused(tmp_path, name, says):
    with pytest.raises(InputError, match=says):
        create_person(name, consent=True, root=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_names_of_any_script_have_folders_of_their_own(tmp_path):
    names = ["小明", "小红", "Zoë", "Zoe", "Ana 😀", "Анна"]
    made = [create_person(name, consent=True, root=tmp_path) for name in names]
    assert len({person.folder for person in made}) == len(names)
    assert sorted(person.name for person in people(tmp_path)) == sorted(names)
    assert open_person("小明", tmp_path).name == "小明"
    assert slug_of("Mei Lin") == "mei-lin"
    with pytest.raises(InputError, match="already"):
        create_person("zoe", consent=True, root=tmp_path)


def test_an_unknown_person_is_answered_with_who_is_there(mei):
    with pytest.raises(InputError, match=r"no person called Ravi \(there is: Mei\)"):
        open_person("Ravi", mei.folder.parent)


def test_deleting_says_what_went_and_leaves_nothing(mei):
    deleted = mei.delete()
    assert Message("photos_deleted", count=7) in deleted
    assert list(mei.folder.parent.glob("*mei*")) == []
    assert people(mei.folder.parent) == []


def test_a_folder_of_a_newer_program_is_not_touched(mei):
    file = mei.folder / "person.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema": 99}))
    with pytest.raises(InputError, match="newer Realism"):
        open_person("mei", mei.folder.parent)


def test_marks_are_kept_with_the_person(mei):
    assert mei.marks() == {}
    mei.save_marks({"mei-01.jpg": [RoundMark("mole", [310.72, 251.81], 2.0, 0.9)]})
    (mark,) = mei.marks()["mei-01.jpg"]
    assert (mark.kind, [round(float(v), 2) for v in mark.xy]) == ("mole", [310.72, 251.81])


def test_with_a_new_photo_only_marks_that_were_corrected_stay(mei):
    one, two = (
        {name: [RoundMark("mole", [9.0, 9.0], 2.0)]} for name in ("mei-01.jpg", "mei-02.jpg")
    )
    mei.save_marks(one | two)
    assert mei.reviewed([*one, *two]) == {*one, *two}
    assert mei.reviewed([*one, *two, "mei-03.jpg"]) == set()
    mei.save_marks(one | two, corrected=two)
    mei.save_marks(mei.marks())
    assert mei.reviewed([*one, *two, "mei-03.jpg"]) == {*two}
    file = mei.folder / "marks" / "found.json"  # as it was before corrections were told apart
    kept = json.loads(file.read_text())
    del kept["corrected"]
    file.write_text(json.dumps(kept))
    assert mei.reviewed([*one, *two, "mei-03.jpg"]) == {*one, *two}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"marks": []}, "must be a list"),
        ([{"image": "a.jpg", "marks": [{"kind": "mole"}]}], "needs"),
        ([{"image": "a.jpg", "marks": [{"kind": "scar", "xy": [1, 2]}]}], "Unknown kind"),
        ([{"image": "a.jpg", "marks": [{"kind": "mole", "xy": [1, "x"]}]}], "not readable"),
        ([{"image": "a.jpg", "marks": [{"kind": "mole", "xy": [1, 2], "radius": -1}]}], "positive"),
    ],
)
def test_marks_that_cannot_be_read_are_refused_with_what_is_wrong(value, says):
    with pytest.raises(InputError, match=says):
        marks_by_image(value)


def test_marks_come_back_from_json_as_they_went(mei):
    mark = Wrinkle([10.5, 20.25], 1.5, 0.75, [[1, 2], [10.5, 20.25], [30, 40]])
    ((name, (back,)),) = marks_by_image(marks_to_json([("a.png", [mark])])).items()
    assert name == "a.png"
    assert back.kind == "wrinkle" and back.score == 0.75
    assert back.polyline.tolist() == [[1, 2], [10.5, 20.25], [30, 40]]


def test_a_mirrored_photo_is_flipped_with_its_marks_and_judged_again(mei, engine):
    name, other = "mei-02.jpg", "mei-01.jpg"  # turned by 30 degrees
    before, mark = mei.record(name), RoundMark("mole", np.float32([100, 200]), 3.0)
    fold = Wrinkle(mark.xy, 1.0, 1.0, np.float32([[100, 200], [110, 201]]))
    pixels = before.photo().pixels
    mei.save_marks({name: [mark, fold], other: [mark]})
    after = mei.flip_photo(name, engine)
    assert (after.photo().pixels == pixels[:, ::-1]).all()
    yaw, turned = (record.face.pose.yaw for record in (before, after))
    assert abs(yaw) > 20 and turned == pytest.approx(-yaw, abs=6)
    marks = mei.marks()
    assert marks[name][0].xy.tolist() == [411, 200]
    assert marks[name][1].polyline.tolist() == [[411, 200], [401, 201]]
    assert marks[other][0].xy.tolist() == [100, 200]


def test_a_run_is_ranked_once_and_again_only_when_something_changed(mei, engine):
    class Counting:
        name, second, looks = engine.name, None, 0

        def find(self, pixels):
            self.looks += 1
            return engine.find(pixels)

    run = mei.folder / "portraits" / "20260101-000000"
    run.mkdir(parents=True)
    for number in (1, 2):
        shutil.copy(next(mei.folder.glob(f"photos/mei-0{number}*.png")), run / f"{number}.png")
    (run / ".realism-000000-1-half.png").write_bytes(b"half")  # being written, or left by a kill
    counting = Counting()
    assert mei.read_ranking(run, engine.name) is None
    first = mei.rank_run(run, counting)
    assert counting.looks == 2 and first[0].similarity == pytest.approx(1, abs=1e-4)
    assert mei.rank_run(run, counting) == first == mei.read_ranking(run, engine.name)
    assert counting.looks == 2
    mei.choose("mei-05.jpg", False, engine)
    assert mei.read_ranking(run, engine.name) is None
    assert "mei-05.jpg" not in mei.rank_run(run, counting)[0].similarities
    assert counting.looks == 4
    fixed = json.loads((run / "ranking.json").read_text())
    assert list(fixed[0]) == ["portrait", "similarity", "closest_photo", "rank", "reason"]


def test_marks_that_were_switched_are_kept_with_the_person_and_go_with_their_photo(
    tmp_path,
):
    person = create_person("Mei", True, root=tmp_path)
    assert not person.switched(), "nothing in a folder from before that was kept"
    mole = RoundMark("mole", np.float32([30, 40]), 3.0)
    person.save_marks({"a.jpg": [mole]})
    assert person.find_mark(mark_id("a.jpg", mole))[0] == "a.jpg"
    with pytest.raises(InputError, match="mole-0"):
        person.find_mark("mole-0")
    person.save_switched(Switched().with_mark([("a.jpg", mole), ("b.jpg", mole)], on=False))
    again = open_person("Mei", tmp_path).switched()
    assert again.state_of([("a.jpg", mole)]) is False
    file = person.folder / "marks" / "switched.json"
    newer = json.loads(file.read_text()) | {"schema": 2}
    file.write_text(json.dumps(newer))
    with pytest.raises(InputError, match="newer"):
        person.switched()
    file.write_text("{}")
    with pytest.raises(InputError, match="switched off or on"):
        person.switched()


def test_a_photo_that_is_flipped_or_removed_takes_what_was_switched_along(tmp_path, engine):
    person = create_person("Mei", True, root=tmp_path)
    files = [MEI / f"mei-0{number}.jpg" for number in (1, 2)]
    list(person.add_photos(files, engine))
    width = person.record("mei-01.jpg").photo().pixels.shape[1]
    mole = RoundMark("mole", np.float32([30, 40]), 3.0)
    person.save_switched(Switched().with_mark([("mei-01.jpg", mole)], on=False))
    person.flip_photo("mei-01.jpg", engine)
    assert person.switched().state_of([("mei-01.jpg", flipped(mole, width))]) is False
    person.remove_photo("mei-01.jpg", engine)
    assert not person.switched()


def test_a_person_of_another_engine_is_ranked_with_faces_that_this_one_found(tmp_path, engine):
    class Other:
        """The same eyes, and an embedding of another length."""

        name, same_person, second = "other", engine.same_person, None

        def find(self, pixels):
            return [
                replace(face, embedding=np.append(face.embedding, np.float32(0)))
                for face in engine.find(pixels)
            ]

    mei = create_person("Mei", True, "woman", tmp_path)
    list(mei.add_photos([MEI / "mei-01.jpg"], engine))
    run = mei.folder / "portraits" / "20260101-000000"
    run.mkdir(parents=True)
    save_png(run / "1.png", open_photo(MEI / "mei-01.jpg").pixels)
    for eyes in (engine, Other(), engine):
        assert mei.rank_run(run, eyes)[0].similarity == pytest.approx(1, abs=1e-4)
        assert mei.read_ranking(run, eyes.name) is not None
        assert len(mei.accepted()[0].face.embedding) == 128 + (eyes.name == "other")
