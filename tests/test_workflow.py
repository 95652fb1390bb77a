"""The four steps as events: what comes in which order, and what is there afterwards."""

import itertools
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from finetune_run import FLOAT32, tiny_stage
from safetensors.torch import save_file

from realism.config import ASSETS
from realism.diffusion.base import load_base
from realism.errors import InputError
from realism.finetune.events import TrainingStep
from realism.images import Photo, open_photo, read_info
from realism.marks.restore.blend import Sliders
from realism.marks.restore.report import note_doubts
from realism.marks.switched import Switched, mark_id
from realism.person.person import create_person, open_person
from realism.portraits.imported_styles import import_styles, remove_style
from realism.portraits.sample import LoraNote, SamplingStep
from realism.workflow import run_through, translated
from realism.workflow.finetune import (
    FacesBegin,
    FacesKnown,
    FinetuneOptions,
    PersonBegins,
    finetune,
)
from realism.workflow.marks import (
    PhotoOpened,
    PhotoSearched,
    build_passport,
    find_marks_of_person,
    find_marks_of_photos,
    with_least_score,
)
from realism.workflow.photos import PhotoChecked, SetChecked, add_photos
from realism.workflow.place import RestoreOptions, blend_portrait, mark_key, place_portrait
from realism.workflow.portraits import (
    PhotoLeftOut,
    PortraitRequest,
    PortraitSaved,
    PortraitsRanked,
    PromptNote,
    RunBegun,
    make_portraits,
    rank_pictures,
    rank_run,
    resume_portraits,
    unfinished_portraits,
)
from realism.workflow.restore import (
    PortraitRestored,
    PortraitSkipped,
    finish_portrait,
    restore_portrait,
    restore_portraits,
)

MEI = ASSETS / "people/mei"
FILES = [MEI / f"mei-{number}.jpg" for number in ("01", "02", "05")]


@pytest.fixture(scope="module")
def person(tmp_path_factory, engine):
    """Mei with three photos."""
    mei = create_person("Mei", True, "woman", tmp_path_factory.mktemp("people"))
    run_through(add_photos(mei, FILES, engine))
    return mei


@pytest.fixture(scope="module")
def base(tiny_sd):
    """A tiny base with random weights."""
    return load_base(str(tiny_sd), FLOAT32)


@pytest.fixture
def faces(tmp_path):
    """A folder of two faces for stage 1."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for name in ("ravi-01.jpg", "ravi-09.jpg"):
        (folder / name).symlink_to(ASSETS / "people/ravi" / name)
    return folder


@pytest.fixture(scope="module")
def marked(person, engine):
    """Her photos with the marks found."""
    return run_through(find_marks_of_person(person, engine))


@pytest.fixture(scope="module")
def placed(marked, engine):
    """Another picture of her with the marks placed."""
    return place_portrait(MEI / "mei-04.jpg", marked, engine)


def test_work_gives_its_result_whatever_becomes_of_its_events():
    def work():
        yield from (1, 2)
        return "done"

    assert run_through(work()) == "done"
    assert list(translated(work(), lambda number: number * 10)) == [10, 20]
    assert run_through(translated(work(), str)) == "done"


def test_photos_are_checked_one_by_one_then_as_a_set(tmp_path, engine):
    mei = create_person("Mei", True, root=tmp_path)
    *each, whole = add_photos(mei, [*FILES[:2], MEI / "faulty/mei-blurred.jpg"], engine)
    assert [(event.number, event.of) for event in each] == [(1, 3), (2, 3), (3, 3)]
    assert all(isinstance(event, PhotoChecked) for event in each)
    assert isinstance(whole, SetChecked)
    assert [photo.accepted for photo in whole.photos] == [True, True, False]
    assert set(whole.photo_to_photo) == {"mei-01.jpg", "mei-02.jpg"}


def kinds_in_order(events) -> list[type]:
    """The types of the workflow's own events and steps, repeats left out."""
    own = (FacesBegin, FacesKnown, PersonBegins, TrainingStep)
    kinds = [type(event) for event in events if isinstance(event, own)]
    return [kind for kind, _ in itertools.groupby(kinds)]


def test_faces_are_learned_once_then_the_person_on_top(person, base, engine, faces, tmp_path):
    stage = tiny_stage(1, 1)
    options = FinetuneOptions(faces=faces, first=stage, second=stage, root=tmp_path / "root")
    first = kinds_in_order(finetune(person, base, engine, options))
    assert first == [FacesBegin, TrainingStep, PersonBegins, TrainingStep]
    again = kinds_in_order(finetune(person, base, engine, options))
    assert again == [FacesKnown, PersonBegins, TrainingStep]
    alone = FinetuneOptions("2", True, faces, stage, stage, root=tmp_path / "root")
    assert kinds_in_order(finetune(person, base, engine, alone)) == [PersonBegins, TrainingStep]
    assert (person.adapter_folder(base.name) / "last").is_dir()
    assert not list((tmp_path / "root").rglob("running"))


def test_stage_1_needs_nobody_and_gives_its_folder(base, engine, faces, tmp_path):
    options = FinetuneOptions("1", False, faces, tiny_stage(1, 1), root=tmp_path / "root")
    folder = run_through(finetune(None, base, engine, options))
    assert folder.name == "last" and folder.is_relative_to(tmp_path / "root")
    with pytest.raises(InputError) as refused:
        run_through(finetune(None, base, engine, FinetuneOptions("2")))
    assert refused.value.code == "person_not_named"


def test_portraits_are_sampled_saved_and_ranked_and_the_ranking_is_read_back(person, base, engine):
    request = PortraitRequest(
        prompt="photo of {person} " + "very " * 90, count=2, seed=3, steps=2, adapter="none"
    )
    events = list(make_portraits(person, base, engine, request))
    kinds = [type(event) for event in events]
    assert kinds == [
        PromptNote,
        RunBegun,
        *[SamplingStep, SamplingStep, PortraitSaved] * 2,
        PortraitsRanked,
    ]
    assert events[0].message.code == "prompt_end_not_read"
    saved = [event for event in events if isinstance(event, PortraitSaved)]
    assert [event.file.name for event in saved] == ["01-seed3.png", "02-seed4.png"]
    assert np.array_equal(open_photo(saved[0].file).pixels, saved[0].portrait.pixels)
    assert "woman" in saved[0].portrait.parameters.prompt
    ranked = events[-1]
    assert ranked.run == saved[0].file.parent and len(ranked.ranked) == 2
    assert set(ranked.photo_to_photo) == {file.name for file in FILES}

    class Unasked:
        name, second = engine.name, None

    assert rank_run(person, ranked.run, Unasked()) == list(ranked.ranked)


def test_an_imported_style_is_drawn_with_its_lora_and_its_weights(person, base, engine, tmp_path):
    root = person.folder.parent
    style = {
        "name": "巫(Witch)", "add_prompt_style": "black robes", "bin_file": "witch.safetensors",
        "multiplier_style": 0.3, "multiplier_human": 0.9,
    }  # fmt: skip
    (tmp_path / "witch.json").write_text(json.dumps(style))
    layer = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
    save_file(
        {f"{layer}.hada_w{n}_{side}": torch.randn(32, 32) for n in "12" for side in "ab"}
        | {"bundle_emb.robes.clip_l": torch.zeros(1, 32)},
        tmp_path / "witch.safetensors",
    )
    run_through(import_styles([tmp_path], root))
    request = PortraitRequest("witch", count=1, seed=3, steps=1, adapter="none")
    events = list(make_portraits(person, base, engine, request))
    (saved,) = (event for event in events if isinstance(event, PortraitSaved))
    parameters = saved.portrait.parameters
    assert [(lora.name, lora.weight) for lora in parameters.adapters] == [("witch", 0.3)]
    assert parameters.prompt == "photo portrait of woman, black robes"
    (note,) = (event for event in events if isinstance(event, LoraNote))
    assert note.message.values["names"] == ("robes",)
    remove_style("witch", root)


def test_a_run_that_was_stopped_goes_on_to_the_portraits_it_would_have_made(person, base, engine):
    request = PortraitRequest(prompt="photo of {person}", count=3, seed=3, steps=2, adapter="none")
    *_, whole = make_portraits(person, base, engine, request)
    assert unfinished_portraits(person) is None and not person.request_file(whole.run).exists()
    walk = make_portraits(person, base, engine, request)
    first = next(event for event in walk if isinstance(event, PortraitSaved))
    walk.close()  # as good as killed: nothing is written at the end
    assert unfinished_portraits(person) == (1, 3)
    before = first.file.read_bytes()
    events = list(resume_portraits(person, base, engine))
    saved = [event.file.name for event in events if isinstance(event, PortraitSaved)]
    assert saved == ["02-seed4.png", "03-seed5.png"] and first.file.read_bytes() == before
    assert events[-1].run == first.file.parent and len(events[-1].ranked) == 3
    for file in sorted(whole.run.glob("*.png")):
        again = open_photo(first.file.parent / file.name)
        assert np.array_equal(open_photo(file).pixels, again.pixels)
    assert unfinished_portraits(person) is None
    # Killed when all were made, before they were ranked.
    killed = make_portraits(person, base, engine, replace(request, count=1))
    next(event for event in killed if isinstance(event, PortraitSaved))
    killed.close()
    assert unfinished_portraits(person) == (1, 1)
    assert isinstance([*resume_portraits(person, base, engine)][-1], PortraitsRanked)
    with pytest.raises(InputError, match="no run of portraits that was stopped"):
        next(resume_portraits(person, base, engine))


@pytest.mark.parametrize("again", [False, True], ids=["deleted", "and another one made"])
@pytest.mark.parametrize("step", ["photos", "portraits", "finetune", "marks"])
def test_of_a_person_who_is_deleted_while_work_goes_on_nothing_is_kept(
    person, base, engine, tmp_path, step, again
):
    shutil.copytree(person.folder, tmp_path / "mei")
    mei = open_person("Mei", tmp_path)
    request = PortraitRequest(prompt="photo of {person}", count=2, seed=3, steps=2, adapter="none")
    walk = {
        "photos": lambda: add_photos(mei, [MEI / "mei-07.jpg", MEI / "mei-08.jpg"], engine),
        "portraits": lambda: make_portraits(mei, base, engine, request),
        "finetune": lambda: finetune(
            mei, base, engine, FinetuneOptions("2", second=tiny_stage(3, 1))
        ),
        "marks": lambda: find_marks_of_person(mei, engine),
    }[step]()
    next(walk)
    shutil.rmtree(mei.folder)  # by another program, which knows nothing of this one's work
    if again:
        create_person("Mei", True, root=tmp_path)
    with pytest.raises(InputError) as ended:
        run_through(walk)
    assert ended.value.code == "person_gone"
    left = [file.name for file in tmp_path.rglob("*") if file.is_file()]
    assert left == (["person.json"] if again else [])


def test_a_run_is_not_gone_on_with_on_another_base(person, base, engine):
    walk = make_portraits(person, base, engine, PortraitRequest(count=2, steps=2, adapter="none"))
    next(event for event in walk if isinstance(event, SamplingStep))
    walk.close()
    kept = person.request_file(person.unfinished_run())
    kept.write_text(kept.read_text().replace(base.fingerprint, "0" * 64))
    with pytest.raises(InputError, match="choose"):
        next(resume_portraits(person, base, engine))
    kept.write_text("{")
    with pytest.raises(InputError, match="request of a run"):
        next(resume_portraits(person, base, engine))


def test_a_photo_without_one_face_is_left_out_of_a_ranking_and_named(engine):
    photos = [open_photo(file) for file in (FILES[0], MEI.parent / "mei-and-ravi.jpg")]
    walk = rank_pictures([open_photo(MEI / "mei-03.jpg")], photos, engine)
    (left_out,) = walk
    assert isinstance(left_out, PhotoLeftOut) and left_out.name == "mei-and-ravi.jpg"
    with pytest.raises(InputError) as refused:
        run_through(rank_pictures([photos[0]], photos[1:], engine))
    assert refused.value.code == "no_photo_with_one_face"


def test_a_portrait_is_restored_alike_with_marks_just_found_and_read_back(person, marked, engine):
    again = run_through(find_marks_of_person(person, engine))
    for now, later in zip(marked, again, strict=True):
        assert [mark.score for mark in now.marks] == [mark.score for mark in later.marks]
        assert all(
            np.array_equal(mark.xy, other.xy) and mark.radius == other.radius
            for mark, other in zip(now.marks, later.marks, strict=True)
        )


def test_marks_found_on_a_person_s_photos_are_kept_with_the_person(person, marked, engine):
    assert {name: len(marks) for name, marks in person.marks().items()} == {
        photo.name: len(photo.marks) for photo in marked
    }
    assert sum(len(photo.marks) for photo in marked) >= 6
    # All were looked at before: nothing is searched again.
    events = list(find_marks_of_person(person, engine))
    assert [type(event) for event in events] == [PhotoOpened] * 3


def test_photos_of_nobody_are_opened_searched_and_named_in_errors(engine, tmp_path):
    walk = find_marks_of_photos(FILES[:1], engine)
    kinds = [(type(event), event.name, event.number, event.of) for event in walk]
    assert kinds == [(PhotoOpened, "mei-01.jpg", 1, 1), (PhotoSearched, "mei-01.jpg", 1, 1)]
    with pytest.raises(InputError, match=r"mei-and-ravi.jpg: "):
        run_through(find_marks_of_photos([MEI.parent / "mei-and-ravi.jpg"], engine))


def test_marks_below_a_score_are_left_out(marked):
    surest = with_least_score(marked, 0.9)
    scores = [mark.score for photo in surest for mark in photo.marks]
    assert scores and min(scores) >= 0.9
    assert len(scores) < sum(len(photo.marks) for photo in marked)


def test_a_passport_is_kept_under_a_new_version_each_time(person, marked):
    assert build_passport(marked).version is None
    first, second = (build_passport(marked, person) for _ in range(2))
    assert second.version == first.version + 1
    assert len(person.passport().entries) == len(second.atlas.entries)


def test_two_phases_give_what_restoring_at_once_gives(placed, marked, engine):
    seldom = [placed.keys[index] for index in placed.rare()]
    finished = finish_portrait(placed, engine, off=seldom)
    at_once = restore_portrait(MEI / "mei-04.jpg", marked, engine)
    assert np.array_equal(blend_portrait(placed, off=seldom), at_once.pixels)
    assert np.array_equal(finished.pixels, at_once.pixels)
    assert finished.report == at_once.report
    assert finished.put_back > 0 and (finished.pixels != placed.portrait.pixels).any()
    assert finished.likeness.after == pytest.approx(finished.likeness.before, abs=0.1)
    assert len(finished.likeness.photos) == len(marked)


def test_a_mark_that_is_switched_off_is_not_put_back_and_the_report_says_so(placed, engine):
    # Of what the portrait shows already nothing is laid: a mark that it lacks.
    layers = placed.prepared.layers
    shown = next(layer.placement for layer in layers if abs(layer.log_ratio).max() > 0.2)
    key = placed.keys[shown]
    whole, without = (blend_portrait(placed, off=off) for off in ([], [key]))
    x, y = np.rint(placed.placements[shown].to).astype(int)
    near = np.s_[y - 3 : y + 4, x - 3 : x + 4]
    assert (whole[near] != without[near]).any()
    report = finish_portrait(placed, engine, off=[list(key)], least_sightings=1).report
    assert report["placements"][shown]["code"] == "switched_off"
    assert not report["placements"][shown]["visible"]
    counted = finish_portrait(placed, engine, off=[key], least_sightings=99).report
    expected = "switched_off" if placed.placements[shown].mark.score == 1 else "seen_on_few"
    assert counted["placements"][shown]["code"] == expected


def test_a_mark_is_put_where_it_was_moved(placed, marked, engine):
    shown = next(index for index, mark in enumerate(placed.placements) if mark.visible)
    key, to = placed.keys[shown], tuple((placed.placements[shown].to + 9).tolist())
    moved = place_portrait(
        MEI / "mei-04.jpg", marked, engine, RestoreOptions(moves={(placed.digest, *key): to})
    )
    (index,) = moved.indices([key])
    assert moved.placements[index].to.tolist() == pytest.approx(list(to))
    others = [number for number in range(len(placed.keys)) if number != shown]
    for number in others:
        (same,) = moved.indices([placed.keys[number]])
        assert moved.placements[same].to.tolist() == placed.placements[number].to.tolist()


def test_without_strength_the_portrait_comes_back_bit_for_bit(placed):
    assert np.array_equal(blend_portrait(placed, Sliders(overall=0)), placed.portrait.pixels)


def test_a_batch_is_saved_and_what_cannot_be_restored_is_passed_over(marked, engine, tmp_path):
    files = [MEI / "mei-04.jpg", tmp_path / "none.png"]
    walk = restore_portraits(files, marked, engine, tmp_path / "restored")
    restored, skipped = itertools.islice(walk, 2)
    assert isinstance(restored, PortraitRestored) and isinstance(skipped, PortraitSkipped)
    assert (skipped.file, skipped.number, skipped.of) == (files[1], 2, 2)
    assert skipped.message.code == "photo_file_not_found"
    assert restored.saved == tmp_path / "restored" / "mei-04.png"
    assert np.array_equal(open_photo(restored.saved).pixels, restored.restored.pixels)
    assert read_info(restored.saved)["Restored"] == "true"
    assert restored.restored.card().shape[2] == 3
    report = json.loads((tmp_path / "restored" / "restore.json").read_text())
    assert report["portraits"] == {"mei-04.png": restored.restored.report}


def test_what_the_owner_switched_holds_on_every_portrait(placed, marked, engine, tmp_path):
    shown = max(
        (index for index, each in enumerate(placed.placements) if each.visible),
        key=lambda index: placed.placements[index].photo_count,
    )
    appearances = placed.placements[shown].appearances
    assert len(appearances) > 1
    for seen in appearances:  # by whichever of its photos it was switched
        switched = Switched().with_mark([seen], on=False)
        assert shown in placed.left_out(switched)
        assert placed.left_out(switched) - placed.left_out(Switched()) == {shown}
    options = RestoreOptions(switched=switched)
    walk = restore_portraits(
        [MEI / "mei-04.jpg", MEI / "mei-06.jpg"], marked, engine, tmp_path, options
    )
    for event in walk:
        placements = event.restored.placed.placements
        (index,) = event.restored.placed.indices_of_ids([mark_id(*seen)])
        assert {photo for photo, _ in placements[index].appearances} & {seen[0]}
        assert event.restored.report["placements"][index]["code"] == "switched_off"


def test_a_mark_that_few_photos_show_is_on_when_its_owner_says_so(placed):
    rare = placed.rare(99)
    index = min(rare)
    switched = Switched().with_mark(placed.placements[index].appearances, on=True)
    assert placed.left_out(switched, 99) == rare - {index}


def test_how_many_photos_show_a_place_counts_every_photo_that_shows_the_mark(placed, marked):
    for each in placed.placements:
        assert each.photo_count <= each.visible_in <= len(marked)


def test_a_doubtful_portrait_is_restored_with_a_word_of_warning(marked, engine):
    stranger = place_portrait(MEI.parent / "ravi" / "ravi-04.jpg", marked, engine)
    assert [note.code for note in stranger.notes] == ["portrait_of_other_person"]
    notes = note_doubts(stranger.face, 1, [stranger.face.embedding], engine)
    assert notes == []
    poor = 0.9 * engine.same_person * stranger.face.embedding  # as one that is a little alike
    (note,) = note_doubts(stranger.face, 1, [poor], engine)
    assert note.code == "portrait_little_alike" and "not much like" in note.text("en")
    both = place_portrait(MEI.parent / "mei-and-ravi.jpg", marked, engine)
    assert "portrait_of_several_people" in [note.code for note in both.notes]
    small = open_photo(MEI / "mei-04.jpg").pixels[::4, ::4].copy()
    tiny = place_portrait(Photo("small.png", small), marked, engine)
    assert "portrait_face_small" in [note.code for note in tiny.notes]
    bare = place_portrait(
        MEI / "mei-04.jpg", [replace(photo, marks=[]) for photo in marked], engine
    )
    assert [note.code for note in bare.notes] == ["no_marks_to_put_back"]


def test_restoring_needs_photos(engine):
    with pytest.raises(InputError) as refused:
        place_portrait(MEI / "mei-04.jpg", [], engine)
    assert refused.value.code == "no_photo_of_marks"


def test_a_key_names_a_mark_of_a_photo(marked):
    mark = marked[0].marks[0]
    assert mark_key(marked[0].name, mark)[:2] == (marked[0].name, mark.kind)


def test_a_run_that_cannot_begin_leaves_nothing_behind(person, base, engine, tmp_path):
    (tmp_path / "broken.safetensors").write_bytes(b"no weights")
    before = person.runs()
    request = PortraitRequest(count=1, steps=1, adapter=str(tmp_path / "broken.safetensors"))
    with pytest.raises(InputError):
        list(make_portraits(person, base, engine, request))
    assert person.runs() == before
