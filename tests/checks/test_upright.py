"""A picture that lies on its side or stands on its head is turned, and it is said."""

import numpy as np
import pytest

from realism.checks import find_upright
from realism.images import Photo, save_png
from realism.person.person import create_person


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_picture_is_turned_back_and_it_is_said(engine, mei, ravi, quarters):
    for photo in (mei[4], ravi[2]):
        turned = Photo(photo.name, np.ascontiguousarray(np.rot90(photo.pixels, -quarters)))
        upright, faces, notes = find_upright(turned, engine)
        assert np.array_equal(upright.pixels, photo.pixels)
        assert abs(faces[0].pose.roll) < 10
        assert [note.code for note in notes] == ["turned_upright"]
        assert f"{90 * quarters}°" in notes[0].text


def test_upright_pictures_and_pictures_without_a_face_stay_as_they_are(engine, mei, ravi):
    import skimage.data

    for photo in (*mei[::5], *ravi[::5], Photo("cup", skimage.data.coffee())):
        upright, _, notes = find_upright(photo, engine)
        assert upright is photo and notes == ()


def test_a_sideways_photo_is_kept_upright_with_its_person_and_the_note_stays(tmp_path, engine, mei):
    sideways = np.ascontiguousarray(np.rot90(mei[4].pixels))
    save_png(tmp_path / "chat.png", sideways)
    person = create_person("Ada", True, root=tmp_path / "home")
    list(person.add_photos([tmp_path / "chat.png"], engine))
    kept = person.record("chat.png")
    assert kept.accepted and np.array_equal(kept.photo().pixels, mei[4].pixels)
    assert [note.code for note in kept.verdict.notes] == ["turned_upright"]
