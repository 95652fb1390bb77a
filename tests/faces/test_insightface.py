"""InsightFace's pack is used where it can be had and is the genuine one; else dlib takes over."""

import hashlib
import zipfile

import numpy as np
import pytest
from tiny_faces import constant_pack

from realism.errors import InputError
from realism.faces import insightface
from realism.faces.dlib import DlibEngine
from realism.faces.engine import Engine, _load, load_engine, primary_face
from realism.faces.insightface import InsightFaceEngine, fetch_pack, pack_folder


@pytest.fixture
def no_server(monkeypatch, tmp_path):
    """No pack on disk, and a server that refuses the connection at once."""
    monkeypatch.setenv("INSIGHTFACE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(insightface, "ADDRESS", "http://127.0.0.1:9/buffalo_l.zip")
    monkeypatch.delenv("REALISM_FACE_ENGINE", raising=False)
    _load.cache_clear()
    yield tmp_path / "home"
    _load.cache_clear()


def test_a_pack_runs_through_insightfaces_own_loader(engine, mei, no_server):
    photo = mei[0]
    known = primary_face(engine.find(photo.pixels))
    constant_pack(pack_folder(), known, photo.pixels.shape[0])
    other = load_engine("insightface")
    assert (other.name, other.note) == ("insightface", None)
    assert "non-commercial" in str(other.licence)
    assert load_engine().name == "insightface"  # the default wherever the pack is on disk
    face = primary_face(other.find(photo.pixels))
    assert face.box == pytest.approx(known.box, abs=3)  # one box, whichever engine
    assert face.embedding.shape == (512,)
    assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5)
    # 1k3d68 answers the middle of its crop for every point: these landmarks are its own.
    middle = (known.box[:2] + known.box[2:]) / 2
    assert face.landmarks == pytest.approx(np.tile(middle, (68, 1)), abs=3)


def test_without_a_pack_the_embedded_engine_takes_over_and_says_why(no_server):
    engine = load_engine()
    assert isinstance(engine, DlibEngine)
    assert engine.note.values["reason"].code == "insightface_cannot_be_fetched"
    assert "commercial" in str(engine.licence)
    assert not no_server.exists()  # no empty folder, which would make insightface fail later


def test_each_engine_has_all_that_the_protocol_names(engine, mei, no_server):
    photo = mei[0]
    constant_pack(pack_folder(), primary_face(engine.find(photo.pixels)), photo.pixels.shape[0])
    names = {"name", "licence", "note", "same_person", "second"}
    assert set(Engine.__annotations__) == names
    for each in (DlibEngine(), load_engine("insightface")):
        assert names <= set(dir(each))
        assert 0 < each.same_person < 1


def test_asking_for_insightface_without_a_pack_says_what_to_do(no_server, monkeypatch):
    monkeypatch.setenv("REALISM_FACE_ENGINE", "insightface")
    with pytest.raises(InputError, match="REALISM_FACE_ENGINE=dlib"):
        load_engine()
    with pytest.raises(InputError, match="Choose one of: insightface, dlib"):
        load_engine("deepface")


def test_an_empty_or_broken_pack_is_refused_with_a_sentence(no_server):
    pack_folder().mkdir(parents=True)
    with pytest.raises(InputError, match=r"no \.onnx files"):
        InsightFaceEngine(pack_folder())
    (pack_folder() / "det_10g.onnx").write_bytes(b"not a network" * 100)
    with pytest.raises(InputError, match="damaged or incomplete"):
        InsightFaceEngine(pack_folder())
    assert load_engine().name == "dlib"  # the automatic choice goes on without it


def test_a_fetched_pack_is_moved_into_place_whole(no_server, tmp_path, monkeypatch):
    import http.server
    import threading

    served = tmp_path / "served"
    served.mkdir()
    with zipfile.ZipFile(served / "buffalo_l.zip", "w") as archive:
        archive.writestr("buffalo_l/det_10g.onnx", b"one")
        archive.writestr("buffalo_l/w600k_r50.onnx", b"two")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(served))

        def log_message(self, *arguments):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(insightface, "ADDRESS", f"{address}/buffalo_l.zip")
    sha256 = hashlib.sha256((served / "buffalo_l.zip").read_bytes()).hexdigest()
    monkeypatch.setattr(insightface, "PACK_SHA256", sha256)
    pack_folder().mkdir(parents=True)  # left behind by a download that failed
    folder = fetch_pack()
    assert sorted(file.name for file in folder.iterdir()) == ["det_10g.onnx", "w600k_r50.onnx"]
    assert [file.name for file in folder.parent.iterdir()] == ["buffalo_l"]
    # Another archive, or a page instead of one, is not unpacked and leaves nothing.
    for file in folder.iterdir():
        file.unlink()
    with zipfile.ZipFile(served / "buffalo_l.zip", "a") as archive:
        archive.writestr("buffalo_l/genderage.onnx", b"three")
    another = (served / "buffalo_l.zip").read_bytes()
    for content in (another, b"<html>"):
        (served / "buffalo_l.zip").write_bytes(content)
        with pytest.raises(InputError, match="it was thrown away") as refused:
            fetch_pack()
        assert refused.value.code == "insightface_not_genuine"
        assert hashlib.sha256(content).hexdigest().startswith(refused.value.values["found"])
    assert load_engine().note.values["reason"].code == "insightface_not_genuine"
    (served / "buffalo_l.zip").unlink()
    with pytest.raises(InputError, match="could not be fetched"):
        fetch_pack()
    server.shutdown()
    server.server_close()
    assert list(folder.iterdir()) == []
