"""InsightFace's pack is used where it can be had and is the genuine one; else dlib takes over."""

import hashlib
import zipfile

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from realism.errors import InputError
from realism.faces import insightface
from realism.faces.dlib import DlibEngine
from realism.faces.engine import Engine, _load, load_engine, primary_face
from realism.faces.insightface import InsightFaceEngine, fetch_pack, pack_folder


def constant_pack(folder, face, size) -> None:
    """A small pack in buffalo_l's layout, whose detector sees `face` at its place.

    The graphs have InsightFace's inputs and outputs and run through its own loader. The
    detector's answer is fixed; the embedding is truly computed from the aligned picture.
    """
    folder.mkdir(parents=True)
    scale = 640 / size  # insightface's own resize of a square picture
    box = face.box * scale
    points = face.mesh[:, :2] * scale
    kps = np.stack([points[[33, 133]].mean(0), points[[362, 263]].mean(0), points[1]])
    kps = np.concatenate([kps, points[[61, 291]]])
    outputs = {"score": 1, "box": 4, "kps": 10}
    arrays = []
    for kind, width in outputs.items():
        for stride in (8, 16, 32):
            cells = 640 // stride
            values = np.zeros((cells * cells * 2, width), np.float32)
            if stride == 32:
                x, y = ((box[:2] + box[2:]) / 2 // 32).astype(int)
                anchor = np.float32([x, y]) * 32
                row = (y * cells + x) * 2
                values[row] = {
                    "score": [0.9],
                    "box": np.concatenate([anchor - box[:2], box[2:] - anchor]) / 32,
                    "kps": (kps - anchor).ravel() / 32,
                }[kind]
            arrays.append((f"{kind}{stride}", values))
    save_graph(folder / "det_10g.onnx", 640, arrays)
    draw = np.random.default_rng(0)
    weights = draw.normal(size=(3 * 16 * 16, 512)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["in"], ["pooled"], kernel_shape=[7, 7], strides=[7, 7]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "arcface",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, [1, 3, 112, 112])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 512])],
        [numpy_helper.from_array(weights, "weights")],
    )
    save(graph, folder / "w600k_r50.onnx")
    landmarks = np.zeros((1, 3309), np.float32)
    save_graph(folder / "1k3d68.onnx", 192, [("fc1", landmarks)])


def save_graph(path, side, arrays) -> None:
    nodes, values = [], []
    for name, array in arrays:
        # The input is used, so that the graph keeps it: mean times nought is added.
        nodes += [
            helper.make_node("ReduceMean", ["in"], [f"m{name}"], keepdims=0),
            helper.make_node("Mul", [f"m{name}", "nought"], [f"n{name}"]),
            helper.make_node("Add", [f"c{name}", f"n{name}"], [name]),
        ]
        values.append(numpy_helper.from_array(array, f"c{name}"))
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, a.shape) for n, a in arrays],
        [*values, numpy_helper.from_array(np.float32(0), "nought")],
    )
    save(graph, path)


def save(graph, path) -> None:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)


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
    names = {"name", "licence", "note", "same_person"}
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
