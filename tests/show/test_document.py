"""The presentation: one file, in both languages, that asks for nothing from elsewhere."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from realism.draw.turntable import draw_turning_head
from realism.errors import LANGUAGES
from realism.show.document import document, write_document
from realism.show.story import Story, read_story
from realism.workflow.example import open_example

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Story:
    """Of the finished example."""
    return read_story(open_example("mei", tmp_path_factory.mktemp("people")))


class Scripts(HTMLParser):
    """The scripts of a page, as a browser would separate them."""

    def __init__(self, page: str):
        super().__init__()
        self.found, self.attributes = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.attributes += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, text):
        if self.lasttag == "script":
            self.found.append(text)


def data_of(page: str) -> dict:
    return json.loads(Scripts(page).found[0])


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_holds_all_pictures_and_names_nothing_elsewhere(story, language):
    page = document(story, language)
    assert Scripts(page).attributes == ["data:,"]
    outside = re.sub(r"data:image/(?:jpeg|webp);base64,[A-Za-z0-9+/=]+", "", page)
    assert not re.search(r"https?://|url\(|@import", outside)
    assert "connect-src" not in page and "default-src 'none'" in page
    data = data_of(page)
    assert (len(data["photos"]), len(data["portraits"]), len(data["restored"])) == (17, 20, 3)
    likeness = [data["portraits"][number]["likeness"] for number in data["order"]]
    assert sorted(data["order"]) == list(range(20))
    assert likeness == sorted(likeness, reverse=True) and likeness[0] > likeness[-1]
    assert len(page) < 8e6
    reasons = [photo["reason"] for photo in data["photos"] if not photo["accepted"]]
    assert len(reasons) == 3
    assert all(any(letter >= "\u4e00" for letter in reason) for reason in reasons) == (
        language == "zh"
    )


def test_a_name_cannot_become_a_part_of_the_page(story):
    name = "<!--<script>alert(1)</script><!--data-->"
    page = document(replace(story, name=name))
    assert data_of(page)["name"] == name
    assert len(list(filter(str.strip, Scripts(page).found))) == 2


def test_it_is_written_whole(story, tmp_path):
    out = write_document(story, tmp_path / "new" / "mei.html", "zh")
    assert out.read_text(encoding="utf-8") == document(story, "zh")
    assert [file.name for file in out.parent.iterdir()] == ["mei.html"]


def test_the_head_turns_where_there_is_a_passport(story):
    sides = list(draw_turning_head(story.passport, (-60, 60), 120))
    data = data_of(document(story, head=sides))
    assert [side[:16] for side in data["head"]] == ["data:image/webp;"] * 2
    assert {kind["name"]: kind["count"] for kind in data["kinds"]} == {
        "Moles": 3, "Spots": 2, "Acne": 3, "Wrinkles": 1,
    }  # fmt: skip
    assert data_of(document(story))["head"] == []


@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs a browser at /usr/bin/chromium")
def test_keys_lead_through_it_and_every_scene_fits_a_screen_and_a_phone(story, tmp_path):
    from playwright.sync_api import sync_playwright

    head = draw_turning_head(story.passport, (-60, 0, 60), 120)
    out = write_document(story, tmp_path / "mei.html", head=head)
    faults = []
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        page.goto(out.as_uri())
        total = page.evaluate("scenes.reduce((sum, scene) => sum + scene.seconds, 0)")
        assert 100 <= total <= 150
        page.keyboard.press("ArrowRight")
        page.keyboard.press("PageDown")
        assert page.evaluate("[current, plays]") == [2, False]
        page.keyboard.press("ArrowLeft")
        assert page.evaluate("current") == 1
        page.keyboard.press(" ")
        assert page.evaluate("[plays, still]") == [True, False]
        page.keyboard.press(" ")
        stopped = page.evaluate("time")
        page.wait_for_timeout(200)
        assert page.evaluate("[plays, still, time]") == [True, True, stopped]
        # By itself it goes on where a scene ends.
        page.evaluate("show(1, scenes[1].seconds - 0.1)")
        page.keyboard.press(" ")
        page.keyboard.press(" ")
        page.keyboard.press(" ")
        page.wait_for_timeout(800)
        assert page.evaluate("current") == 2
        for width, height in ((1280, 720), (390, 844)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate(OUTSIDE) == []
        page.keyboard.press("Escape")
        assert page.evaluate("[current, plays]") == [0, False]
        browser.close()
    assert faults == []


# What can be seen at the end of each scene and lies beyond the screen.
OUTSIDE = """() => scenes.flatMap((scene, number) => {
  plays = false; still = true;
  show(number, scene.seconds);
  const notice = scene.section.querySelector('.made')?.getBoundingClientRect();
  const words = document.createRange();
  words.selectNodeContents(scene.section.querySelector('h1'));
  const covered = [...words.getClientRects()].some(line =>
    notice && line.right > notice.left && line.top < notice.bottom);
  if (covered) return [`${number} heading under the notice`];
  const parts = scene.section.querySelectorAll('h1, p, b, canvas, .tile, li');
  return [...parts].filter(part => {
    const at = part.getBoundingClientRect(), holder = part.closest('.tile, .pane') ?? part;
    return holder.style.opacity !== '0' && part.style.opacity !== '0' && at.width > 0
      && (at.left < -1 || at.top < -1 || at.right > innerWidth + 1 || at.bottom > innerHeight + 1);
  }).map(part => `${number} ${part.tagName} ${part.className} ${part.textContent}`);
})"""
