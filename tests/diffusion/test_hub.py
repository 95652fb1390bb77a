"""Downloads from both hubs, by their real libraries, from a hub on this machine."""

import os
import shutil

import pytest
from hub_server import Hub, fetch

from realism.diffusion.hub import is_hub_id, parse_hub_id
from realism.diffusion.hub_files import choose_files

LARGE = "words.txt"


@pytest.fixture
def repository(tiny_sd, tmp_path):
    """A repository with a base in a folder, and much that nobody needs beside it."""
    root = tmp_path / "hub"
    folder = shutil.copytree(tiny_sd, root / "someone" / "portraits" / "film")
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"\x80" * 5000)
    (folder / "safety_checker").mkdir()
    (folder / "safety_checker" / "model.safetensors").write_bytes(b"0" * 5000)
    # Larger than the pieces in which the libraries write (10 MB), so that half of it is kept.
    (folder / "tokenizer" / LARGE).write_bytes(os.urandom(24_000_000))
    (root / "someone" / "portraits" / "all.ckpt").write_bytes(b"\x80" * 5000)
    return root


DEAD = "http://127.0.0.1:9"


@pytest.mark.parametrize("hub", ["modelscope", "huggingface"])
def test_what_a_base_needs_is_downloaded_once_with_progress_past_a_broken_line(
    hub, repository, tmp_path
):
    with Hub(repository, broken={LARGE}) as server:
        first = fetch(tmp_path / "cache", hub, server.address, server.address)
        if "refused" in first:  # the library gave up: the next try goes on
            first = fetch(tmp_path / "cache", hub, server.address, server.address)
    assert first["family"] == "sd15"
    assert max(start for name, start in server.asked if name.endswith(LARGE)) > 0
    names = {name for name, _ in server.asked}
    assert not any("safety" in name or name.endswith((".bin", ".ckpt")) for name in names)
    shares = [share for share, _ in first["reports"]]
    assert shares[-1] > 0.99 and shares == sorted(shares)
    assert "someone/portraits" in first["reports"][-1][1]
    again = fetch(tmp_path / "cache", hub, DEAD, DEAD)
    assert again["found"] == first["found"]


def test_the_other_hub_takes_over_where_the_first_is_dead_or_lacks_it(repository, tmp_path):
    with Hub(repository) as server, Hub(tmp_path) as empty:
        done = fetch(tmp_path / "one", "modelscope", DEAD, server.address)
        assert "Hugging Face" in done["reports"][-1][1]
        done = fetch(tmp_path / "two", "huggingface", server.address, empty.address)
        assert "ModelScope" in done["reports"][-1][1]


def test_what_no_hub_has_is_refused_with_both_answers(repository, tmp_path):
    with Hub(repository) as server:
        where = "someone/nothing"
        done = fetch(tmp_path, "modelscope", server.address, server.address, where)
        assert "ModelScope: " in done["refused"] and "Hugging Face: " in done["refused"]
        done = fetch(tmp_path, "modelscope", server.address, DEAD, "someone/portraits")
        assert "name its folder or file after a colon, one of: film" in done["refused"]


def test_ids_are_read_in_their_parts():
    assert parse_hub_id("a/b").revision is None and parse_hub_id("a/b").folder == ""
    parsed = parse_hub_id("ly261666/cv_portrait_model@v2.0:film/film")
    assert parsed.repo == "ly261666/cv_portrait_model"
    assert parsed.revision == "v2.0" and parsed.folder == "film/film"
    assert not is_hub_id("a/../b") and not is_hub_id("one two") and not is_hub_id("a/b/c")


def test_half_precision_is_taken_where_offered_and_pickles_where_there_is_nothing_else():
    parts = ("unet", "vae", "text_encoder")
    plain = [f"{part}/model.safetensors" for part in parts]
    half = [f"{part}/model.fp16.safetensors" for part in parts]
    names = ["model_index.json", *plain, *half, "unet/model.bin", "model.safetensors"]
    assert set(choose_files(names, "")) == {"model_index.json", *half}
    assert set(choose_files(["model_index.json", *plain], "")) == {"model_index.json", *plain}
    pickled = ["model_index.json", "unet/config.json", "unet/model.bin", *plain[1:]]
    assert set(choose_files(pickled, "")) == set(pickled)
    assert choose_files(["a.ckpt", "x.md"], "") == ["a.ckpt"]
    assert choose_files(["a.ckpt", "a.safetensors"], "") == ["a.safetensors"]
    assert choose_files(["a.safetensors", "x.md"], "") == ["a.safetensors"]
    assert choose_files(["a.safetensors", "b.safetensors"], "b.safetensors") == ["b.safetensors"]
