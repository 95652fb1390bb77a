"""Pictures and the engine that several tests look at: two made-up people, and the astronaut."""

import os
import sys
import tempfile
from pathlib import Path

# One thread a process, before NumPy and torch are imported: two tests side by side (`-n 2`) then
# share two cores, and small tensors take half of the processor time that two threads spend on them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import pytest

from realism.cli import main as program
from realism.config import ASSETS
from realism.faces.dlib import DlibEngine
from realism.faces.engine import load_engine
from realism.images import Photo, open_photo

cv2.setNumThreads(1)

# The page keeps copies of pictures beside the people: not in this checkout.
COPIES = tempfile.TemporaryDirectory()
os.environ["GRADIO_TEMP_DIR"] = COPIES.name
os.environ["REALISM_CACHE"] = str(Path(COPIES.name) / "cache")

pytest_plugins = ["tiny"]  # tiny_sd and tiny_sdxl, in tests/tiny.py

# Tests need no network: the engine that needs no download, and no look for the other.
os.environ["REALISM_FACE_ENGINE"] = "dlib"


@pytest.fixture(scope="session")
def engine() -> DlibEngine:
    """The embedded engine, loaded once."""
    return load_engine("dlib")


def photos_of(name: str) -> list[Photo]:
    """The fourteen photos of an example person."""
    folder: Path = ASSETS / "people" / name
    return [open_photo(path) for path in sorted(folder.glob(f"{name}-[0-9]*.jpg"))]


@pytest.fixture(scope="session")
def mei() -> list[Photo]:
    """Photos of a made-up woman with moles."""
    return photos_of("mei")


@pytest.fixture(scope="session")
def ravi() -> list[Photo]:
    """Photos of a made-up man with wrinkles."""
    return photos_of("ravi")


@pytest.fixture(scope="session")
def two_people() -> Photo:
    """Both in one picture, equally large."""
    return open_photo(ASSETS / "people" / "mei-and-ravi.jpg")


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """A photo of a real person, (512, 512, 3) uint8; the face is about 105 px wide."""
    import skimage.data

    return skimage.data.astronaut()


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run a verb in this process: (exit code, standard output, standard error)."""
    monkeypatch.setenv("REALISM_HOME", str(tmp_path / "people"))
    monkeypatch.setenv("REALISM_FACE_ENGINE", "dlib")

    def call(*words) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["realism", *map(str, words)])
        code = 0
        try:
            program.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
