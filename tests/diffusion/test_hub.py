"""Downloads from both hubs, by their real libraries, from a hub on this machine."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hub_server import ID, Hub, fetch, hub_environment

from realism.diffusion.hub import is_hub_id, parse_hub_id
from realism.diffusion.hub_files import choose_files
from realism.diffusion.recommended import places_of, recommended_bases
from realism.errors import InputError

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
    others = ["unet/openvino_model.bin", "unet/diffusion_pytorch_model.non_ema.bin"]
    assert set(choose_files([*pickled, *others], "")) == set(pickled)
    flax = ["model_index.json", "unet/config.json", "unet/diffusion_flax_model.msgpack"]
    with pytest.raises(InputError, match="its unet has no weights"):
        choose_files(flax, "")
    assert choose_files(["a.ckpt", "x.md"], "") == ["a.ckpt"]
    assert choose_files(["a.ckpt", "a.safetensors"], "") == ["a.safetensors"]
    assert choose_files(["a.safetensors", "x.md"], "") == ["a.safetensors"]
    assert choose_files(["a.safetensors", "b.safetensors"], "b.safetensors") == ["b.safetensors"]


# Places ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("hub", ["modelscope", "huggingface"])
def test_a_place_that_is_gone_is_said_and_the_next_is_tried(repository, tmp_path, hub):
    gone, there = "somebody/earlier@main:film", "someone/portraits@main:film"
    next(repository.rglob(LARGE)).unlink()
    with Hub(repository) as server:
        both = (hub, server.address, server.address)
        done = fetch(tmp_path / "cache", *both, gone, there)
        assert done["place"] == there
        assert done["notes"] == [f"It is not to be had from {gone} any more: taken from {there}."]
        assert [0, f"{gone} is not there any more; trying {there}"] in done["reports"]
        # Once it is on disk no hub is asked, and nothing is to be said any more.
        again = fetch(tmp_path / "cache", hub, DEAD, DEAD, gone, there)
    assert again["found"] == done["found"] and again["notes"] == []


def test_a_broken_line_is_no_reason_to_download_another_place(repository, tmp_path):
    whole = "someone/other@main:film"
    shutil.copytree(repository / "someone" / "portraits", repository / "someone" / "other")
    with Hub(repository) as server:
        server.refused.add("someone/portraits")
        done = fetch(tmp_path, "huggingface", DEAD, server.address, ID, whole)
    assert "refused" in done and not any("other" in name for name, _ in server.asked)


def test_a_row_of_the_table_goes_on_to_its_other_places():
    row = next(row for row in recommended_bases() if row.name.startswith("MajicMix"))
    assert row.where[1:] == (
        "MAILAND/majicmixRealistic_v6@v1.0.0:realistic",
        "digiplay/majicMIX_realistic_v6",
    )
    assert places_of(row.where[1]) == (row.where[1], row.where[0], row.where[2])
    assert places_of("someone/else") == ("someone/else",)


CHECK = """
import sys
from realism.cli.main import main
sys.argv = ["realism", "bases", "check"]
main()
"""


def check(modelscope: str, huggingface: str, cache: Path) -> list[str]:
    """Lines of `realism bases check`."""
    done = subprocess.run(
        [sys.executable, "-c", CHECK],
        env=hub_environment(cache, "modelscope", modelscope, huggingface),
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    return done.stdout.splitlines()


def test_every_row_is_asked_of_each_hub_and_its_form_and_size_said(repository, tmp_path):
    film = shutil.copytree(
        repository / "someone" / "portraits" / "film",
        repository / "ly261666" / "cv_portrait_model" / "film" / "film",
    )
    for file in list(film.rglob("*.safetensors")):
        file.rename(file.with_suffix(".bin"))
    single = repository / "SG161222" / "RealVisXL_V4.0"
    single.mkdir(parents=True)
    (single / "RealVisXL.safetensors").write_bytes(b"0" * 30_000_000)
    with Hub(repository) as server:
        lines = check(server.address, server.address, tmp_path)
    rows = [row for row in recommended_bases() if row.size_gb]
    assert len(lines) == 2 * sum(len(row.where) for row in rows)
    moon = [line for line in lines if line.startswith("MoonFilm")]
    assert len(moon) == 2 and all("yes: folder, pickles, 0.0" in line for line in moon)
    visible = [line for line in lines if "SG161222/RealVisXL_V4.0" in line]
    assert all("one file, RealVisXL.safetensors, safetensors, 0.03 GB" in x for x in visible)
    gone = [line for line in lines if "YorickHe" in line]
    assert len(gone) == 2 and all("no: it is not there" in line for line in gone)


def test_without_a_network_each_row_says_so_on_one_line_within_seconds(tmp_path):
    start = time.monotonic()
    lines = check(DEAD, DEAD, tmp_path)
    assert time.monotonic() - start < 30  # of it the libraries' own import
    rows = [row for row in recommended_bases() if row.size_gb]
    assert len(lines) == len(rows) and all("no hub can be reached" in line for line in lines)
