"""Names of people, photos, styles and files in a zip: what Windows and macOS would not take."""

from pathlib import PurePosixPath, PureWindowsPath

import pytest

from realism.errors import InputError
from realism.filenames import DEVICES, FORBIDDEN, is_device, portable_name, portable_names
from realism.person.names import file_stem, person_folder, slug_of
from realism.person.person import create_person, open_person, people
from realism.portraits.imported_styles import _slug

ODD = [
    "con.png", "Aux.json", "NUL", "COM1.tar.gz", "lpt².png", "con .png", "a<b>.png", 'say "hi".png',
    "what?.png", "a*b|c.png", "8:30.png", "a\\b.png", "a/b.png", "tab\t.png", "end.", "end ",
    "...", " ", "CONOUT$",
]  # fmt: skip
PLAIN = ["mei-01.jpg", "照片 1.png", "J. R. Smith.heic", "console.png", "comb1.png", ".profile"]


def is_taken_by_windows(name: str) -> bool:
    """Whether Windows writes a file of exactly that name."""
    path = PureWindowsPath(name)
    return (
        path.parts == (name,)
        and not FORBIDDEN.search(name)
        and name[-1] not in ". "
        and not is_device(name)
    )


@pytest.mark.parametrize("name", ODD)
def test_a_name_that_windows_forbids_is_changed_to_one_that_it_takes(name):
    assert not is_taken_by_windows(name)
    for made in (portable_name(name), f"{file_stem(name)}.png"):
        assert is_taken_by_windows(made) and PurePosixPath(made).parts == (made,)


@pytest.mark.parametrize("name", PLAIN)
def test_a_name_that_every_system_takes_stays(name):
    assert is_taken_by_windows(name) and portable_name(name) == name


def test_a_person_s_name_that_is_no_utf8_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(InputError) as refused:
        person_folder(tmp_path, "caf\udce9")
    assert refused.value.code == "name_not_allowed"
    assert portable_name("caf\udce9.png") == "caf_.png"


def test_devices_are_those_of_pathlib():
    for name in sorted(DEVICES - {"com0", "lpt0"}):  # reserved by Microsoft's list, not by pathlib
        assert PureWindowsPath(name).is_reserved(), name


def test_two_files_of_one_zip_are_told_apart_without_their_capitals():
    names = portable_names(["IMG.png", "img.png", "Img-2.png", "a?.png", "a*.png"])
    assert list(names) == ["IMG.png", "img.png", "Img-2.png", "a?.png", "a*.png"]
    made = list(names.values())
    assert made[0] == "IMG.png" and len({name.lower() for name in made}) == len(made)
    assert all(map(is_taken_by_windows, made))
    assert portable_names(PLAIN) == {name: name for name in PLAIN}


def test_a_person_whose_name_is_a_device_s_has_a_folder_that_windows_takes(tmp_path):
    for name in ("Con", "NUL", "Com1", "aux."):
        assert is_taken_by_windows(slug_of(name)), name
    con = create_person("Con", True, root=tmp_path)
    assert con.folder.name.startswith("con-") and open_person("con", tmp_path) == con
    with pytest.raises(InputError, match="already"):
        create_person("CON", True, root=tmp_path)


def test_a_folder_from_before_is_opened_as_it_is(tmp_path):
    con = create_person("Con", True, root=tmp_path)
    con.folder.rename(tmp_path / "con")  # as an earlier version named it
    assert person_folder(tmp_path, "Con") == tmp_path / "con"
    assert open_person("Con", tmp_path).folder == tmp_path / "con"
    assert [person.name for person in people(tmp_path)] == ["Con"]


@pytest.mark.parametrize("name", ["a<b", "a>b", "a:b", 'a"b', "a|b", "a?b", "a*b", "a\\b", "a/b"])
def test_a_person_s_name_with_what_no_folder_may_have_is_refused_in_a_sentence(name):
    with pytest.raises(InputError) as refused:
        slug_of(name)
    assert refused.value.code == "name_not_allowed"


def test_names_that_end_in_dots_or_spaces_and_capitals_have_one_folder_each(tmp_path):
    slugs = {name: slug_of(name) for name in ("Mei", "Mei.", "Mei!", "MEI", " mei ", "mei . ")}
    assert slugs["Mei"] == slugs["MEI"] == slugs[" mei "] == "mei"
    assert len(set(slugs.values())) == 4 and all(map(is_taken_by_windows, slugs.values()))


def test_an_imported_style_s_files_are_no_devices():
    assert is_taken_by_windows(f"{_slug('Aux', [])}.json")
    assert _slug("Witch", ["witch"]) == "witch-2"
