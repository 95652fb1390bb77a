"""Tiny bases as fixtures: `tiny_sd` and `tiny_sdxl` for all tests, `single_file` in both forms."""

import shutil
from pathlib import Path

import pytest

from benchmarks.tiny_bases import (
    WORDS,
    _renamed,
    make_sd,
    make_sdxl,
    make_single_file,
    make_text_config,
    make_thin_sd15,
    make_thin_sdxl,
    make_tokenizer,
)
from realism.diffusion.families import FAMILIES

__all__ = ["WORDS", "_renamed", "make_sd", "make_sdxl", "make_text_config", "make_tokenizer"]


@pytest.fixture(scope="session")
def tiny_sd(tmp_path_factory) -> Path:
    """Folder of a tiny base of the SD 1.5 family."""
    return make_sd(tmp_path_factory.mktemp("sd"))


@pytest.fixture(scope="session")
def tiny_sdxl(tmp_path_factory) -> Path:
    """Folder of a tiny base of the SDXL family."""
    return make_sdxl(tmp_path_factory.mktemp("sdxl"))


@pytest.fixture(params=["sd15", "sdxl"])
def single_file(request, tmp_path, monkeypatch) -> tuple[Path, Path]:
    """A thin base of the real number of levels, as folder and as checkpoint in one file."""
    make = make_thin_sd15 if request.param == "sd15" else make_thin_sdxl
    folder = make(tmp_path)
    monkeypatch.setattr(type(FAMILIES[request.param]), "file_resolution", 64)
    configs = tmp_path / "configs"
    shutil.copytree(folder, configs / request.param, ignore=shutil.ignore_patterns("*.safetensors"))
    monkeypatch.setattr("realism.diffusion.identify.CONFIGS", configs)
    monkeypatch.setattr("realism.diffusion.families.unet.CLIP", tmp_path / "words")
    monkeypatch.setattr("realism.diffusion.families.unet.TOKENS", 16)  # that it was trained on
    return folder, make_single_file(folder, tmp_path / "base.safetensors")
