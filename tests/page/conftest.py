"""What the tests of the page share: homes with and without people, clicks, marks found once."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple
from urllib.parse import unquote

import numpy as np
import pytest

from realism.config import ASSETS
from realism.images import open_photo
from realism.marks.photo import MarkedPhoto
from realism.page import finetune
from realism.page.compare import file_url
from realism.page.job import stop_jobs
from realism.page.marks import handlers
from realism.person.person import create_person
from realism.workflow.example import open_example
from realism.workflow.place import PlacedPortrait


class Learned(NamedTuple):
    """A person with a LoRA.

    root     home in which mei has eight photos and the LoRA
    base     what `load_base` takes
    shown    what the page showed meanwhile: message, curves and previews of each event
    """

    root: Path
    base: str
    shown: list[tuple]


class Found(NamedTuple):
    """Marks found on two photos and placed on a third.

    photos        MarkedPhoto by name
    photo_name    the one in view
    placed        the third
    before        PNG of it
    message       what the page says of it
    cutouts       PNG of what the strip shows
    """

    photos: dict[str, MarkedPhoto]
    photo_name: str
    placed: PlacedPortrait
    before: str
    message: str
    cutouts: str


@pytest.fixture(autouse=True)
def no_work_left():
    """Stop what a test left running: it would go on in the next."""
    yield
    stop_jobs()


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A home without people."""
    monkeypatch.setenv("REALISM_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def mei_files() -> list[Path]:
    """Files of fourteen photos of a made-up woman with moles."""
    return sorted((ASSETS / "people" / "mei").glob("mei-*.jpg"))


@pytest.fixture(scope="session")
def both_people() -> Path:
    """File of a picture of two people."""
    return ASSETS / "people" / "mei-and-ravi.jpg"


@pytest.fixture(scope="session")
def root_of_mei(tmp_path_factory, engine, mei_files) -> Path:
    """A home in which mei has eight photos."""
    root = tmp_path_factory.mktemp("people")
    list(create_person("mei", True, "woman", root).add_photos(mei_files[:8], engine))
    return root


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A home in which the finished example is, all four steps done."""
    root = tmp_path_factory.mktemp("finished")
    open_example("mei", root)
    return root


@pytest.fixture(scope="session")
def learned(tmp_path_factory, root_of_mei, tiny_sd) -> Learned:
    """Mei, learned by a tiny base in three steps."""
    root = tmp_path_factory.mktemp("learned")
    shutil.copytree(root_of_mei / "mei", root / "mei")
    settings = (2, 1e-4, 3, 1e-4, 4, 2, False)
    walk = finetune.on_finetune("mei", root, "en", str(tiny_sd), True, "", *settings, False)
    return Learned(root, str(tiny_sd), list(walk))


@pytest.fixture(scope="session")
def picture() -> Callable[[str], np.ndarray]:
    """Pixels of a picture that the page shows, by its address."""
    return lambda url: open_photo(Path(unquote(url.removeprefix(file_url(""))))).pixels


@pytest.fixture(scope="session")
def click_at() -> Callable[[object], SimpleNamespace]:
    """What Gradio tells a handler of a click on a picture: `click_at(index, its name)`."""
    return lambda index, name="": SimpleNamespace(index=index, value={"caption": name})


@pytest.fixture(scope="module")
def found(mei_files) -> Found:
    """Marks of two photos of mei, placed on another one of her."""
    portrait, files = str(mei_files[7]), [str(mei_files[0]), str(mei_files[4])]
    *_, (photos, photo_name, _, _) = handlers.on_find(portrait, files, {}, None, None, "en")
    placed, before, message, _, cutouts = handlers.on_place(
        portrait, photos, 0.5, "ratio", "head", {}, "en"
    )
    return Found(photos, photo_name, placed, before, message, cutouts)
