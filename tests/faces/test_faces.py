"""Faces are found where they are, turned as they are, and told apart."""

import hashlib
import json
import zipfile

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from realism.config import ASSETS
from realism.errors import InputError
from realism.faces import insightface
from realism.faces.dlib import DlibEngine
from realism.faces.engine import _load, load_engine, primary_face
from realism.faces.face import similarity
from realism.faces.head_mask import head_mask
from realism.faces.insightface import InsightFaceEngine, fetch_pack, pack_folder
from realism.faces.skin import skin_mask


def truth_of(photo) -> dict:
    """What the renderer says of an example photo."""
    name = photo.name.removesuffix(".jpg")
    file = ASSETS / "people" / name.split("-")[0] / "truth" / f"{name}.json"
    return json.loads(file.read_text())


@pytest.fixture(scope="module")
def found(engine, mei, ravi):
    """Photos of both, each with the faces that were found."""
    return [(photo, engine.find(photo.pixels)) for photo in (*mei, *ravi)]


def test_every_example_photo_shows_exactly_one_face_strong_turns_included(found):
    assert [len(faces) for _, faces in found] == [1] * 28
    assert max(abs(truth_of(photo)["pose"]["yaw"]) for photo, _ in found) > 45


def test_eyes_nose_and_lips_lie_within_millimetres_of_the_truth(found):
    errors = []
    for photo, faces in found:
        truth = truth_of(photo)
        off = faces[0].landmarks + 0.5 - np.array(truth["landmarks68"])
        error = np.linalg.norm(off, axis=1) * truth["mm_per_px"]
        errors.append(np.where(truth["landmarks68_visible"], error, np.nan))
    errors = np.array(errors)
    assert np.nanmedian(errors[:, 36:48]) < 3  # eyes
    assert np.nanmedian(errors[:, 27:36]) < 4  # nose
    assert np.nanmedian(errors[:, 48:68]) < 4  # lips


def test_pose_has_the_sign_and_size_of_the_truth(found):
    for axis, most in (("yaw", 4), ("pitch", 4), ("roll", 2)):
        seen = np.array([getattr(faces[0].pose, axis) for _, faces in found])
        true = np.array([truth_of(photo)["pose"][axis] for photo, _ in found])
        assert np.median(np.abs(seen - true)) < most
        assert np.corrcoef(seen, true)[0, 1] > 0.9


def test_a_mirrored_face_turns_the_other_way(engine, mei):
    straight = primary_face(engine.find(mei[1].pixels)).pose
    mirrored = primary_face(engine.find(mei[1].pixels[:, ::-1].copy())).pose
    assert straight.yaw > 20
    assert mirrored.yaw == pytest.approx(-straight.yaw, abs=4)


def test_a_real_face_is_found_and_its_box_lies_on_it(engine, astronaut):
    face = primary_face(engine.find(astronaut))
    x, y = (face.box[:2] + face.box[2:]) / 2
    assert (x, y) == (pytest.approx(225, abs=12), pytest.approx(130, abs=15))
    assert 85 < face.width < 125
    assert face.mesh.shape == (468, 3) and face.landmarks.shape == (68, 2)
    assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5)


def test_photos_of_one_person_are_more_alike_than_of_two(found):
    people = np.array([photo.name[:3] for photo, _ in found])
    vectors = np.stack([faces[0].embedding for _, faces in found])
    alike = vectors @ vectors.T
    same = (people[:, None] == people) & ~np.eye(28, dtype=bool)
    other = people[:, None] != people
    assert np.median(alike[same]) > 0.4
    assert np.median(alike[other]) < 0.1
    # The scale of the product: a photo's best match among its own against any of the other's.
    assert (np.where(same, alike, -1).max(1) > np.where(other, alike, -1).max(1)).all()


def test_one_picture_in_two_sizes_is_one_person(engine, astronaut):
    small = primary_face(engine.find(astronaut)).embedding
    large = primary_face(engine.find(cv2.resize(astronaut, (1400, 1400)))).embedding
    assert similarity(small, large) > 0.9


def test_ten_faces_in_one_picture_are_all_found(engine, mei, ravi):
    rows = [np.hstack([photo.pixels for photo in photos[:5]]) for photos in (mei, ravi)]
    faces = engine.find(np.vstack(rows))
    assert len(faces) == 10
    assert [face.area for face in faces] == sorted((f.area for f in faces), reverse=True)
    with pytest.raises(InputError, match=r"10 faces.*Crop"):
        primary_face(faces)


def test_a_small_face_in_a_large_picture_is_found(engine, mei):
    canvas = np.full((1500, 2000, 3), 120, np.uint8)
    canvas[900:1028, 300:428] = cv2.resize(mei[0].pixels, (128, 128), interpolation=cv2.INTER_AREA)
    face = primary_face(engine.find(canvas))
    assert 300 < face.box[0] < face.box[2] < 428


def test_pictures_without_a_face_give_none(engine):
    import skimage.data

    for picture in (skimage.data.cat(), skimage.data.coffee(), skimage.data.rocket()):
        assert engine.find(picture) == []
    assert engine.find(np.full((64, 64, 3), 255, np.uint8)) == []
    with pytest.raises(InputError, match="No face"):
        primary_face([])


def test_the_largest_face_is_taken_when_it_is_clearly_the_subject(engine, mei, ravi):
    picture = mei[0].pixels.copy()
    picture[:120, :120] = cv2.resize(ravi[0].pixels, (120, 120), interpolation=cv2.INTER_AREA)
    faces = engine.find(picture)
    assert len(faces) == 2
    assert primary_face(faces) is faces[0]
    assert faces[0].width > 150


# Masks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, 1, 13])
def test_skin_is_on_the_cheeks_and_not_on_eyes_lips_hair_or_backdrop(engine, mei, index):
    photo = mei[index]
    face = primary_face(engine.find(photo.pixels))
    skin = skin_mask(photo.pixels, face)
    assert skin.shape == photo.pixels.shape[:2] and skin.dtype == np.float32
    assert skin.min() >= 0 and skin.max() <= 1

    def at(points):
        x, y = face.mesh[points, :2].mean(0).round().astype(int)
        return skin[y, x]

    near = [205, 50] if face.pose.yaw > 0 else [425, 280]
    assert at(near) > 0.9  # the cheek that faces the camera
    for hidden in ([159, 145], [386, 374], [13, 14], [105, 66], [334, 296]):
        assert at(hidden) < 0.05
    x0, y0, _, y1 = face.box
    assert skin[: int(y0 - 0.4 * (y1 - y0))].max() == 0  # hair on top
    assert skin[:, : int(x0 - 20)].max() == 0


def test_a_mole_is_part_of_the_skin(engine, mei):
    photo = mei[0]
    skin = skin_mask(photo.pixels, primary_face(engine.find(photo.pixels)))
    moles = [m for m in truth_of(photo)["marks"] if m["visible"] and m["kind"] == "mole"]
    on_skin = [skin[int(m["xy"][1]), int(m["xy"][0])] > 0.5 for m in moles]
    assert moles and np.mean(on_skin) > 0.7


def test_the_head_mask_holds_the_face_and_leaves_the_corners(engine, ravi):
    for photo in ravi[:3]:
        face = primary_face(engine.find(photo.pixels))
        head = head_mask(photo.pixels, face)
        x, y = face.mesh[:, :2].round().astype(int).T
        assert np.mean(head[y, x] > 0.5) > 0.9
        assert max(head[0, 0], head[0, -1], head[-1, 0], head[-1, -1]) < 0.1


# The other engine -------------------------------------------------------------------------------


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
    assert list(folder.iterdir()) == []
