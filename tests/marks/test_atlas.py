"""The mark passport: observations on one head, counted; mirrored photos; coverage; its JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest
from marked import round_marks, truth_of

from realism.draw.passport import draw_passport
from realism.errors import InputError
from realism.faces.engine import primary_face
from realism.faces.skin import skin_mask
from realism.marks.atlas import Atlas, atlas_from_json, atlas_to_json, build_atlas, on_mean_head
from realism.marks.coverage import REGIONS, advise_next_photo, poorly_covered
from realism.marks.mark import RoundMark
from realism.marks.photo import MarkedPhoto
from realism.person.person import create_person


@pytest.fixture(scope="module")
def sources(mei, engine) -> list[MarkedPhoto]:
    """Six photos of mei with the renderer's own marks."""
    made = []
    for photo in mei[:6]:
        face = primary_face(engine.find(photo.pixels))
        marks = list(round_marks(truth_of(photo)).values())
        made.append(
            MarkedPhoto(photo.name, photo.pixels, face, skin_mask(photo.pixels, face), marks)
        )
    return made


@pytest.fixture(scope="module")
def atlas(sources):
    return build_atlas(sources)


def first_off(atlas: Atlas) -> Atlas:
    """The passport with its first mark switched off."""
    first, *rest = atlas.entries
    return replace(atlas, entries=(replace(first, on=False), *rest))


def test_observations_of_one_mark_become_one_entry(mei, sources, atlas):
    ids = {name for photo in mei[:6] for name in round_marks(truth_of(photo))}
    observations = sum(len(source.marks) for source in sources)
    assert len(atlas.entries) == pytest.approx(len(ids), abs=1) and observations > 2 * len(ids)
    assert all(len(entry.seen_in) <= entry.visible_in <= 6 for entry in atlas.entries)
    most = atlas.entries[0]
    assert len(most.seen_in) >= 4 and most.on


def test_the_left_cheek_s_marks_are_on_the_left_of_the_head(mei, sources, atlas):
    # In a photo from the front the person's left is on the image's right.
    front = min(sources, key=lambda source: abs(source.face.pose.yaw))
    nose = front.face.landmarks[30, 0]
    for entry in atlas.entries:
        if entry.photo == front.name and abs(entry.mark.xy[0] - nose) > 0.1 * front.face.width:
            assert (on_mean_head(entry.place)[0] > 0) == (entry.mark.xy[0] > nose)


def test_what_one_of_many_photos_shows_is_kept_but_off(sources):
    speck = RoundMark(
        "mole", sources[0].face.mesh[151, :2].copy(), 2.0
    )  # the middle of the forehead
    dusty = replace(sources[0], marks=[*sources[0].marks, speck])
    entries = build_atlas([dusty, *sources[1:]]).entries
    (found,) = [entry for entry in entries if entry.mark is speck]
    assert found.seen_in == (sources[0].name,) and found.visible_in >= 3 and not found.on


def test_a_mirrored_selfie_is_told_from_its_marks_and_left_out(sources, engine):
    pixels = np.ascontiguousarray(sources[0].pixels[:, ::-1])
    face = primary_face(engine.find(pixels))
    marks = [
        replace(mark, xy=np.float32([pixels.shape[1] - 1 - mark.xy[0], mark.xy[1]]))
        for mark in sources[0].marks
    ]
    selfie = MarkedPhoto("selfie.jpg", pixels, face, skin_mask(pixels, face), marks)
    atlas = build_atlas([selfie, *sources[1:]])
    assert atlas.mirrored == ("selfie.jpg",)
    assert all("selfie.jpg" not in entry.seen_in for entry in atlas.entries)
    assert build_atlas(sources).mirrored == ()


def test_the_coach_names_what_few_photos_show(sources):
    turned = max(sources, key=lambda source: source.face.pose.yaw)
    alone = build_atlas([turned])
    assert set(poorly_covered(alone.coverage)) == set(REGIONS)  # one photo shows nothing twice
    assert advise_next_photo(alone.coverage).code == "face_not_covered"
    assert "Take the next photo" in str(advise_next_photo(alone.coverage))
    # Turned to the image's right, it shows the person's right side better.
    assert alone.coverage["right cheek"] >= alone.coverage["left temple"]


def test_the_passport_comes_back_from_json_and_nonsense_is_refused(atlas):
    written = json.loads(json.dumps(atlas_to_json(atlas, 3)))
    assert atlas_to_json(atlas_from_json(written), 3) == written
    with pytest.raises(InputError, match="not a mark passport"):
        atlas_from_json({"schema": 1, "marks": [{}]})


def test_a_person_keeps_each_version(atlas, tmp_path):
    person = create_person("mei", True, "woman", tmp_path)
    assert person.passport() is None
    assert [person.save_passport(atlas), person.save_passport(first_off(atlas))] == [1, 2]
    assert not person.passport().entries[0].on
    assert (person.folder / "marks" / "passport-1.json").exists()


def test_the_picture_shows_the_marks_on_the_head_and_off_ones_grey(atlas):
    plain = draw_passport(replace(atlas, entries=()), 200)
    shown = draw_passport(atlas, 200)
    assert shown.shape == (200, 600, 3) and (shown != plain).any()
    off = first_off(atlas)
    assert (draw_passport(off, 200) != shown).any()
    assert plain.std() > 20  # a head, not an empty sheet


def test_without_photos_it_is_refused():
    with pytest.raises(InputError, match="at least one photo"):
        build_atlas([])
