"""The page served: another program calls it, and one visit in a browser."""

from pathlib import Path

import pytest

from realism.page import blocks
from realism.person.person import create_person, open_person

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture
def served(home):
    """The page on a free port, its address."""
    page = blocks.build_page()
    blocks.serve(page, "127.0.0.1", None, block=False)
    yield page.local_url
    page.close()


def test_another_program_can_create_a_person_and_add_photos_through_the_page(served, mei_files):
    from gradio_client import Client, handle_file

    client = Client(served, verbose=False)
    client.predict("Ada", "woman", True, api_name="/create_person")
    files = [handle_file(str(file)) for file in mei_files[:2]]
    job = client.submit(files, "Ada", "en", api_name="/add_photos")
    assert "2 photos were checked" in job.result()
    assert len(open_person("Ada").accepted()) == 2
    # Another client names her in its first call.
    later = Client(served, verbose=False)
    third = [handle_file(str(mei_files[2]))]
    assert "1 photo" in later.predict(third, "Ada", "en", api_name="/add_photos")
    assert len(open_person("Ada").records()) == 3


def test_a_file_of_any_kind_among_the_photos_gets_its_own_verdict(served, mei_files, tmp_path):
    from gradio_client import Client, handle_file

    (tmp_path / "notes.pdf").write_text("no picture")
    client = Client(served, verbose=False)
    client.predict("Ada", "woman", True, api_name="/create_person")
    files = [handle_file(str(file)) for file in (*mei_files[:2], tmp_path / "notes.pdf")]
    assert "3" in client.predict(files, "Ada", "zh", api_name="/add_photos")
    ada = open_person("Ada")
    assert len(ada.accepted()) == 2
    assert "图片" in ada.record("notes.pdf").verdict.reasons[0].message.text("zh")


def test_other_programs_are_offered_the_verbs_and_nothing_else(served):
    from gradio_client import Client

    offered = Client(served, verbose=False).view_api(return_format="dict")["named_endpoints"]
    assert set(offered) == {
        "/create_person", "/load_example", "/add_photos", "/finetune", "/make_portraits",
        "/find_marks",
    }  # fmt: skip


def settles(page, joined: list) -> bool:
    """Whether the page asks nothing for three seconds, within half a minute."""
    for _ in range(10):
        before = len(joined)
        page.wait_for_timeout(3000)
        if len(joined) == before:
            return True
    return False


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs a browser at /usr/bin/chromium")
def test_a_visit_in_a_browser_in_both_languages_meets_no_error_and_no_other_host(served, mei_files):
    from playwright.sync_api import sync_playwright

    create_person("Ada", True)
    faults, elsewhere, joined = [], [], []
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=flags)
        page = browser.new_page(viewport={"width": 390, "height": 844}, locale="zh-CN")
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        page.on("request", lambda request: joined.append(request.url)
                if "queue/join" in request.url else None)  # fmt: skip
        page.on("request", lambda request: elsewhere.append(request.url)
                if not request.url.startswith((served, "data:", "blob:")) else None)  # fmt: skip
        page.goto(served)
        page.get_by_role("tab", name="照片", exact=True).wait_for(timeout=60_000)
        page.get_by_text("dlib").wait_for(timeout=60_000)
        assert settles(page, joined), "events that call one another without end"
        page.get_by_text("EN", exact=True).click()
        page.get_by_role("tab", name="Photos", exact=True).wait_for(timeout=20_000)
        for tab in ("Fine-tune", "Portraits", "Marks", "Photos"):
            page.get_by_role("tab", name=tab, exact=True).click()
            # Once settled: nothing is wider than the phone.
            fits = "document.documentElement.scrollWidth <= window.innerWidth"
            page.wait_for_function(fits, timeout=10_000)
        page.locator("input[type=file]").first.set_input_files(mei_files[:2])
        page.get_by_text("2 of 2 photos accepted").wait_for(timeout=120_000)
        page.locator(".photos button img").nth(1).wait_for()
        browser.close()
    assert faults == [] and elsewhere == []
