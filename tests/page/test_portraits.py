"""Tab 3: portraits are made and ranked; a ranking that holds is shown without an engine."""

import shutil
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from realism.faces.dlib import DlibEngine
from realism.images import read_info
from realism.page import finetune, header, steps
from realism.page.job import start_job
from realism.page.portraits import handlers as portraits
from realism.page.portraits import making
from realism.person.person import open_person
from realism.portraits.rank import Ranked


@pytest.fixture(scope="module")
def info():
    """What the page knows of the engine."""
    return header.on_engine("en")


@pytest.fixture(scope="module")
def made(learned) -> list[tuple]:
    """What the page shows while two portraits are made: gallery, message, run, ranking, detail."""
    return list(
        making.on_make(
            "mei", learned.root, "en", learned.base, "photo of {person}", "", 2, "7", 4, 2, "best",
            None, 1.0, None, 0.25, True,
        )
    )  # fmt: skip


@pytest.fixture
def root(learned, made, tmp_path) -> Path:
    """A home of one's own with the person and the portraits."""
    shutil.copytree(learned.root / "mei", tmp_path / "mei")
    return tmp_path


@pytest.fixture
def searches(monkeypatch) -> list:
    """Pictures in which the engine was asked to find faces."""
    asked, find = [], DlibEngine.find

    def counted(self, pixels):
        asked.append(pixels)
        return find(self, pixels)

    monkeypatch.setattr(DlibEngine, "find", counted)
    return asked


def test_portraits_are_shown_as_they_are_made_then_ranked(learned, made, click_at):
    assert any("Portrait 2 of 2" in str(message) for _, message, *_ in made)
    gallery, message, run, ranked, _ = made[-1]
    assert len(gallery) == len(ranked) == 2 and "2 portraits" in message
    assert {read_info(file)["Seed"] for file, _ in gallery} == {"7", "8"}
    about = portraits.on_select(run["value"], ranked, "mei", learned.root, "en", click_at(0))
    assert "Seed" in about[2] and Path(about[3]).exists()
    about = portraits.on_select(run["value"], ranked, "mei", learned.root, "zh", click_at(0))[2]
    assert (
        "种子 " in about and "（权重 1）" in about and " steps" not in about and "Seed" not in about
    )
    assert Path(portraits.on_zip(run["value"], "mei", learned.root, "en")).stat().st_size > 1000
    assert "2 made" in steps.on_show("mei", learned.root, learned.base, "en")[0]


def test_who_comes_back_sees_the_newest_run_and_who_is_busy_keeps_the_screen(root, made, info):
    arrived, gallery, ranked, *_ = portraits.on_arrive("", info, "mei", root, "en")
    assert arrived["value"] == made[-1][2]["value"] in arrived["choices"]
    assert len(gallery) == 2 and [portrait.rank for portrait in ranked] == [1, 2]
    busy, kept, *_ = portraits.on_arrive("Portrait 1 of 2", info, "mei", root, "en")
    assert "value" not in busy and kept == gr.skip()


def test_a_visit_with_a_ranking_that_holds_asks_no_engine(root, info, searches):
    run, *shown, unranked = portraits.on_arrive("", info, "mei", root, "en")
    assert len(shown[1]) == 2 and unranked is None
    again = portraits.on_open(run["value"], info, "mei", root, "en")
    assert len(again[1]) == 2 and again[-1] is None
    portraits.on_rank(None, "mei", root, "en")  # nothing is left to rank
    assert searches == []


def test_a_run_whose_ranking_holds_no_longer_is_shown_at_once_and_ranked_anew(
    root, info, engine, searches
):
    person = open_person("mei", root)
    person.choose(person.accepted()[0].name, False, engine)  # one photo less to compare with
    run, gallery, ranked, message, _, unranked = portraits.on_arrive("", info, "mei", root, "en")
    assert len(gallery) == 2 and ranked == [] and "Comparing" in message
    assert unranked == run["value"] and searches == []
    portraits.on_rank(unranked, "mei", root, "en")
    assert len(searches) == 2
    screen = (info, "mei", root, "en")
    gallery, ranked, message, _, rest = portraits.on_ranked(unranked, unranked, *screen)
    assert len(gallery) == len(ranked) == 2 and "2 portraits" in message and rest is None
    assert portraits.on_ranked(unranked, "another run", *screen) == (gr.skip(),) * 5
    assert len(searches) == 2


def test_a_portrait_that_is_damaged_is_named_and_the_others_are_ranked(root, made, info, click_at):
    run = open_person("mei", root).folder / "portraits" / made[-1][2]["value"]
    first, second = sorted(run.glob("*.png"))
    first.write_bytes(first.read_bytes()[:-500])
    given = ("mei", root, "en")
    portraits.on_rank(run.name, *given)
    gallery, ranked, *_ = portraits.on_open(run.name, info, *given)
    assert [Path(file).name for file, _ in gallery] == [second.name, first.name]
    about = portraits.on_select(run.name, ranked, *given, click_at(1))[2]
    assert "damaged or cut off" in about
    second.write_bytes(b"")
    portraits.on_rank(run.name, *given)
    assert "file is empty" in portraits.on_select(
        run.name, portraits.on_open(run.name, info, *given)[1], *given, click_at(1)
    )[2]  # fmt: skip


@pytest.mark.parametrize(
    ("which", "weight", "says"),
    [("file", 1.0, "Give the LoRA's file"), ("best", float("nan"), "weight of nan"),
     ("best", 1e9, "weight of 1000000000")],
)  # fmt: skip
def test_a_lora_that_is_not_given_or_too_strong_is_said_before_anything_is_drawn(
    learned, root, which, weight, says
):
    with pytest.raises(gr.Error, match=says):
        list(
            making.on_make(
                "mei", root, "en", learned.base, "a", "", 1, "7", 4, 2, which, None, weight, None,
                0.25, False,
            )
        )  # fmt: skip


def test_until_the_engine_is_known_a_run_is_shown_unranked(root):
    *_, unranked = portraits.on_arrive("", None, "mei", root, "en")
    assert unranked


def test_a_prompt_too_long_for_the_base_is_said_to_be_cut(learned, monkeypatch):
    warnings = []
    monkeypatch.setattr(gr, "Warning", lambda warning, **_: warnings.append(warning))
    prompt = "photo of {person} " + "in the evening sun " * 30
    next(
        shown
        for shown in making.on_make(
            "mei", learned.root, "en", learned.base, prompt, "", 1, "7", 4, 2, "none",
            None, 1.0, None, 0.25, False,
        )
        if "Portrait 1" in str(shown[1])
    )  # fmt: skip
    assert len(warnings) == 1 and "not read" in warnings[0] and "evening sun" in warnings[0]


def test_what_of_a_prompt_is_not_read_stays_written_after_the_notice_is_gone(learned, monkeypatch):
    notices, prompt = [], "{person} (smile:1.3) BREAK <lora:a:1>"
    monkeypatch.setattr(gr, "Warning", lambda warning, **_: notices.append(warning))
    for language, words in (("en", ("smile", "BREAK")), ("zh", ("smile", "BREAK"))):
        shown = list(
            making.on_make(
                "mei", learned.root, language, learned.base, prompt,
                "(old:1.2)", 1, "7", 4, 1, "none", None, 1.0, None, 0.25, False,
            )
        )  # fmt: skip
        messages = [message for _, message, *_ in shown if 'class="note"' in str(message)]
        assert notices, "told at once"
        assert messages[-1] == shown[-1][1]
        for message in (messages[0], messages[-1]):  # below the bar, and below the ranking
            assert message.count('class="note"') == len(notices)
            assert all(word in message for word in words)
        notices.clear()


def test_likeness_to_the_photo_that_was_not_learned_from_stands_beside_the_rankings(
    learned, made, root
):
    person = open_person("mei", root)
    run = person.folder / "portraits" / made[-1][2]["value"]
    photo = person.held_out_photo(run)
    assert photo in {record.name for record in person.accepted()}
    row = Ranked("a.png", 1, 0.7, "other", None, 0.6, False, {"other": 0.7, photo: 0.41})
    said = portraits._unseen([row, replace(row, similarities={photo: 0.31})], photo, "en")
    assert photo in said and "0.41 at best" in said and "0.36 on average" in said
    assert "未参与训练" in portraits._unseen([row], photo, "zh")
    assert portraits._unseen([row], None, "en") == ""
    for which in ("best", "last"):  # trained anew: nobody knows what these portraits were made of
        for file in (root / "mei" / "adapters").glob(f"*/{which}/*.safetensors"):
            file.write_bytes(file.read_bytes() + b" ")
    assert person.held_out_photo(run) is None


def test_a_run_that_was_stopped_is_offered_and_gone_on_with(learned, root):
    given = ("mei", root, "en")
    shown = making.on_make(
        *given, learned.base, "photo of {person}", "", 2, "7", 4, 2, "best", None, 1.0, None, 0.25,
        False,
    )  # fmt: skip
    next(gallery for gallery, *_ in shown if isinstance(gallery, list) and len(gallery) == 1)
    making.on_stop(*given)
    made = len(list(open_person("mei", root).unfinished_run().glob("*.png")))
    offer = making.on_unfinished(*given)
    assert offer["visible"] and f"{made} of 2 are made" in offer["value"]
    *_, (gallery, message, *_) = making.on_resume(*given, learned.base)
    assert len(gallery) == 2 and "2 portraits" in message
    assert not making.on_unfinished(*given)["visible"]


def test_who_comes_back_to_a_run_that_was_gone_on_with_is_shown_all_of_it_and_its_name(
    learned, root, info
):
    given = ("mei", root, "en")
    older = open_person("mei", root).runs()[0]
    shown = making.on_make(
        *given, learned.base, "photo of {person}", "", 3, "7", 4, 2, "best", None, 1.0, None, 0.25,
        False,
    )  # fmt: skip
    next(gallery for gallery, *_ in shown if isinstance(gallery, list) and len(gallery) == 1)
    making.on_stop(*given)
    run = open_person("mei", root).unfinished_run()
    made = len(list(run.glob("*.png")))
    assert run != older and 1 <= made < 3
    resumed = making.on_resume(*given, learned.base)
    next(resumed)
    resumed.close()  # the browser is gone
    back = list(making.on_follow(*given))
    galleries = [gallery for gallery, *_ in back if isinstance(gallery, list)]
    assert [Path(file) for file, _ in galleries[0]][:made] == sorted(run.glob("*.png"))[:made]
    assert len(galleries[-1]) == 3
    chosen = [choice["value"] for _, _, choice, *_ in back if "value" in choice]
    assert set(chosen) == {run.name}
    # A click while they are made is not taken for a portrait of the run that was shown before.
    assert [rows for gallery, _, _, rows, _ in back if gallery is galleries[0]] == [[]]


def test_while_portraits_are_made_neither_tab_nor_language_bring_an_older_run(root, info):
    def endless(_progress):
        while True:
            time.sleep(0.01)
            yield None

    person = open_person("mei", root)
    run = person.runs()[0]
    person.request_file(run).write_text("{}")
    start_job(person.folder, "portraits", endless)
    choice, *rest = portraits.on_arrive("", info, "mei", root, "en")
    assert "value" not in choice and rest == [gr.skip()] * 5
    (run / "ranking-details.json").unlink()
    gallery, ranked, message, _, unranked = portraits.on_open(run.name, info, "mei", root, "zh")
    assert (
        [file for file, _ in gallery] == sorted(map(str, run.glob("*.png")))
        and ranked == []
        and unranked is None
        and message == gr.skip()
    )


def test_what_cannot_be_read_of_a_person_is_said_in_the_language_of_the_page(root):
    run = open_person("mei", root).runs()[0]
    (run / "request.json").write_text("[")
    with pytest.raises(gr.Error, match="无法"):
        making.on_unfinished("mei", root, "zh")
    (root / "mei" / "person.json").write_text("[")
    for handler in (making.on_unfinished, making.on_stop, finetune.on_stop):
        with pytest.raises(gr.Error, match="无法"):
            handler("mei", root, "zh")
    for follow in (making.on_follow, lambda *given: finetune.on_follow(*given, "pocket")):
        with pytest.raises(gr.Error, match="无法"):
            list(follow("mei", root, "zh"))


@pytest.mark.parametrize(("language", "says"), [("en", "There is no base"), ("zh", "没有名为")])
def test_who_comes_back_to_portraits_that_failed_is_told_why(root, language, says):
    shown = making.on_make(
        "mei", root, language, "/nowhere", "a", "", 1, "7", 4, 2, "best", None, 1.0, None, 0.25,
        False,
    )  # fmt: skip
    next(shown)
    shown.close()
    for _ in range(2):  # while it runs, and after
        with pytest.raises(gr.Error, match=says):
            list(making.on_follow("mei", root, language))


def test_of_one_portrait_the_likeness_is_said_once():
    person = SimpleNamespace(photo_to_photo=dict)
    one = Ranked("a.png", 1, 0.5, "b.jpg", None, None, False, {"b.jpg": 0.5})
    assert portraits._headline(person, [one], "en") == "One portrait, similarity 0.50."
    assert portraits._headline(person, [one, one], "en").startswith("2 portraits")
