"""Where two face engines are at hand one decides; the other is asked, and changes nothing."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from tiny_faces import constant_pack

from realism.cli.portraits import second_opinion_of
from realism.errors import InputError
from realism.faces import dlib
from realism.faces.engine import _load, find_same_face, load_engine, primary_face
from realism.faces.insightface import pack_folder
from realism.images import save_png
from realism.marks.photo import analyse_photo
from realism.page import header, installation
from realism.page.portraits import handlers
from realism.person.person import create_person
from realism.portraits.rank import Ranked
from realism.portraits.second_opinion import SecondOpinion, second_opinions
from realism.workflow import run_through
from realism.workflow.portraits import rank_pictures
from realism.workflow.restore import restore_portrait


@pytest.fixture
def both(engine, mei, monkeypatch, tmp_path):
    """InsightFace's loader on a small pack, and the embedded engine as its second."""
    monkeypatch.setenv("INSIGHTFACE_HOME", str(tmp_path / "insightface"))
    monkeypatch.delenv("REALISM_FACE_ENGINE", raising=False)
    photo = mei[0]
    constant_pack(pack_folder(), primary_face(engine.find(photo.pixels)), photo.pixels.shape[0])
    _load.cache_clear()
    yield load_engine()
    _load.cache_clear()


def dimmed(pixels: np.ndarray, share: float) -> np.ndarray:
    """A portrait in the same place and another light."""
    return (pixels * share).astype(np.uint8)


def test_the_embedded_engine_is_insightfaces_second_and_not_the_other_way_round(both, monkeypatch):
    assert (both.name, both.second.name, both.second.second) == ("insightface", "dlib", None)
    assert load_engine("dlib").second is None, "its weights are not free for every use"
    named = load_engine("dlib, insightface")
    assert (named.name, named.second.name) == ("dlib", "insightface")
    for wrong in ("dlib,dlib", ",dlib", "dlib,deepface", "insightface,dlib,dlib"):
        with pytest.raises(InputError, match="Choose one of"):
            load_engine(wrong)


def test_without_dlibs_weights_insightface_goes_on_alone(both, monkeypatch):
    def missing():
        raise InputError("dlib_weights_missing")

    monkeypatch.setattr(dlib, "weights_folder", missing)
    _load.cache_clear()
    assert load_engine().second is None


def test_a_second_engine_that_is_named_and_cannot_be_had_says_what_to_do(both):
    shutil.rmtree(pack_folder())
    pack_folder().mkdir()
    (pack_folder() / "det_10g.onnx").write_bytes(b"not a network" * 100)
    with pytest.raises(InputError, match="REALISM_FACE_ENGINE=dlib"):
        load_engine("dlib,insightface")


def test_the_same_face_is_the_one_in_the_same_place(engine, mei, two_people):
    face = primary_face(engine.find(mei[0].pixels))
    assert find_same_face(face, mei[0].pixels, engine).box == pytest.approx(face.box)
    right, left = engine.find(two_people.pixels)
    assert find_same_face(left, two_people.pixels, engine).box == pytest.approx(left.box)
    assert find_same_face(right, two_people.pixels, engine).box == pytest.approx(right.box)
    assert find_same_face(face, np.full_like(mei[0].pixels, 120), engine) is None


def test_a_run_is_ranked_by_one_and_reported_by_the_other(both, mei, tmp_path):
    person = create_person("Mei", True, "woman", tmp_path)
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file, share in zip(files, (1.0, 0.8), strict=True):
        save_png(file, dimmed(mei[0].pixels, share))
    list(person.add_photos(files[:1], both))
    run = person.folder / "portraits" / "20260101-000000"
    for number, share in enumerate((0.9, 0.6), 1):
        save_png(run / f"{number}.png", dimmed(mei[0].pixels, share))
    save_png(run / "3.png", np.full_like(mei[0].pixels, 120))  # no face
    ranked = person.rank_run(run, both)
    opinions = {row.name: row.second for row in ranked}
    assert opinions["1.png"].engine == "dlib" and opinions["3.png"] is None
    known = primary_face(both.second.find(mei[0].pixels)).embedding
    for row in ranked[:2]:
        seen = primary_face(
            both.second.find(dimmed(mei[0].pixels, 0.9 if row.name[0] == "1" else 0.6))
        )
        assert row.second.similarity == pytest.approx(float(seen.embedding @ known), abs=1e-4)
        assert row.similarity != pytest.approx(row.second.similarity, abs=1e-4)
    assert {opinions["1.png"].rank, opinions["2.png"].rank} == {1, 2}
    kept = json.loads((run / "ranking-details.json").read_text())
    assert kept["inputs"]["second_engine"] == "dlib"
    assert {row["name"]: row["second"] for row in kept["ranking"]}["1.png"]["engine"] == "dlib"
    fixed = json.loads((run / "ranking.json").read_text())
    assert list(fixed[0]) == ["portrait", "similarity", "closest_photo", "rank", "reason"]
    # It is read back as it was, and made anew where the second has gone.
    assert person.read_ranking(run, "insightface", "dlib") == ranked
    assert person.read_ranking(run, "insightface") is None


def test_pictures_of_anybody_are_reported_by_the_other_too(both, mei, engine):
    again = type(mei[0])("again.png", dimmed(mei[0].pixels, 0.9))
    ranked, _ = run_through(rank_pictures([again], mei[:1], both))
    assert ranked[0].second.engine == "dlib" and ranked[0].second.rank == 1
    assert ranked[0].second.photos is None, "one photo has no scale"
    alone, _ = run_through(rank_pictures([again], mei[:1], engine))
    assert alone[0].second is None


def test_a_portrait_on_which_the_other_sees_nothing_has_no_place(both, mei):
    first = primary_face(both.find(mei[0].pixels))
    blank = np.full_like(mei[0].pixels, 120)
    pictures = [("seen.png", mei[0].pixels, [first]), ("blank.png", blank, [first])]
    said = second_opinions(pictures, [(mei[0].pixels, first)], both)
    assert said["seen.png"] == SecondOpinion("dlib", 1.0, 1, None)
    assert said["blank.png"] == SecondOpinion("dlib", None, None, None)
    assert second_opinions(pictures, [(blank, first)], both) == {}, "it finds the person nowhere"


def test_the_card_shows_both_or_says_that_there_is_one(both, engine, mei):
    cards = []
    for eyes in (both, engine):
        marked = [analyse_photo(mei[0], primary_face(eyes.find(mei[0].pixels)))]
        cards.append(restore_portrait(mei[0], marked, eyes).card("one and the same"))
    two, one = cards
    assert (two[:200] == one[:200]).mean() > 0.9 and (two != one).any()


def test_the_page_says_what_the_other_engine_says(both):
    info = header.on_engine("en")
    assert (info.name, info.second) == ("insightface", "dlib")
    assert "dlib gives a second opinion" in installation.about_engine(info, "en")
    opinion = SecondOpinion("dlib", 0.61, 2, (0.55, 0.83))
    row = Ranked("a.png", 1, 0.7, "p", None, 0.6, False, {"p": 0.7}, opinion)
    said = handlers._second(row, "en")
    assert "dlib" in said and "0.61, place 2" in said and "0.55 to 0.83" in said
    assert "第 2 名" in handlers._second(row, "zh")
    assert handlers._second(replace(row, second=None), "en") == ""
    unseen = replace(row, second=replace(opinion, similarity=None, rank=None))
    assert "no face" in handlers._second(unseen, "en")
    assert second_opinion_of(row) == "; dlib 0.610, place 2"
    assert second_opinion_of(unseen) == "; dlib finds no face there"
