"""InsightFace's `buffalo_l` pack: SCRFD detector, ArcFace embedding, 68 landmarks in 3D.

Used wherever the pack is on disk or can be fetched. insightface's own download waits without
limit, and leaves an empty folder behind that makes the next start fail; so we look first, give
up within seconds, compare the checksum, and move the pack into place whole.

Deng et al., "ArcFace", CVPR 2019; Guo et al., "SCRFD", ICLR 2022. Its weights may be used for
non-commercial research only.
"""

import hashlib
import logging
import os
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from realism.errors import InputError, Message
from realism.faces.face import Face
from realism.faces.mesh import IBUG68, FaceMesh, estimate_pose, face_box
from realism.faces.second_look import look_again

if TYPE_CHECKING:
    from insightface.app import FaceAnalysis

    from realism.faces.engine import Engine

LEAST_SCORE = 0.5  # detector score 0..1, insightface's own default
CONNECT_SECONDS = 3.0  # until the model server must answer
READ_SECONDS = 20.0  # without a byte, before a download counts as dead
SAME_PERSON = 0.3  # cosine of ArcFace embeddings, the usual choice

PACK = "buffalo_l"
# insightface 2.1 fetches from here (insightface.utils.storage); naming it again saves the two
# seconds of that import when there is no network.
ADDRESS = f"https://github.com/deepinsight/insightface/releases/download/model-zoo/{PACK}.zip"
# Of that file, 288,621,354 bytes. InsightFace publishes none: this is what other projects that pin
# the pack found, independently of each other, at this address and at that of release v0.7.
PACK_SHA256 = "80ffe37d8a5940d59a7384c201a2a38d4741f2f3c51eef46ebb28218a7b0ca2f"

log = logging.getLogger(__name__)


class InsightFaceEngine:
    """InsightFace's detector, embedding and landmarks; MediaPipe's mesh on its boxes.

    Parameters
    ----------
    folder : Path
        Of the pack's .onnx files.
    second : Engine, optional
        The other one, for a second opinion.

    Raises
    ------
    InputError
        The folder holds no pack that works.
    """

    name = "insightface"
    licence = Message("licence_insightface", pack=PACK)

    def __init__(self, folder: Path, second: "Engine | None" = None):
        self.note: Message | None = None
        self.second = second
        self.same_person = SAME_PERSON
        self._mesh = FaceMesh()
        self._app = _load(folder)
        self._lock = threading.Lock()  # the mesh's network keeps state between calls

    def find(self, pixels: np.ndarray) -> list[Face]:
        """All faces of a picture, as `Engine.find`."""
        with self._lock:
            detections = self._app.get(pixels[..., ::-1].copy())
            found: list[Face] = []
            for ask in (self._mesh.confirmed, partial(look_again, self._mesh)):
                faces = [self._face(pixels, detection, ask) for detection in detections]
                found = [face for face in faces if face is not None]
                if found:
                    break
        return sorted(found, key=lambda face: -face.area)

    def _face(self, pixels: np.ndarray, detection: Any, ask: Callable) -> Face | None:
        # InsightFace's first two of five points are the eyes, the image's left one first.
        fit = ask(pixels, detection.bbox.astype(np.float32), detection.kps[:2])
        if fit is None:
            return None
        mesh, presence = fit
        landmarks = detection.get("landmark_3d_68", mesh[IBUG68])[:, :2].astype(np.float32)
        embedding = detection.normed_embedding.astype(np.float32)
        score = float(detection.det_score) * presence
        return Face(face_box(mesh), landmarks, mesh, estimate_pose(mesh), embedding, score)


def pack_folder() -> Path:
    """Where the pack is or would be: under `$INSIGHTFACE_HOME`, else `~/.insightface`."""
    root = os.environ.get("INSIGHTFACE_HOME") or "~/.insightface"
    return Path(root).expanduser() / "models" / PACK


def fetch_pack() -> Path:
    """Download the pack unless it is there.

    Returns
    -------
    Path
        Its folder. A pack that is there already is taken as it is: it may be the owner's own.

    Raises
    ------
    InputError
        Within seconds when it cannot be had (`insightface_cannot_be_fetched`), or when what came
        is not the file it should be (`insightface_not_genuine`). Then nothing is left on disk.
    """
    folder = pack_folder()
    if any(folder.glob("*.onnx")):
        return folder
    import requests

    timeout = (CONNECT_SECONDS, READ_SECONDS)
    try:
        with tempfile.TemporaryDirectory(prefix="realism-") as scratch:
            archive = Path(scratch) / f"{PACK}.zip"
            with requests.get(ADDRESS, stream=True, timeout=timeout) as reply:
                reply.raise_for_status()
                log.warning("Fetching InsightFace's %s from %s", PACK, ADDRESS)
                with archive.open("wb") as out:
                    for chunk in reply.iter_content(1 << 20):
                        out.write(chunk)
            with archive.open("rb") as fetched:
                found = hashlib.file_digest(fetched, "sha256").hexdigest()
            if found != PACK_SHA256:
                raise InputError(
                    "insightface_not_genuine",
                    pack=PACK,
                    address=ADDRESS,
                    found=found[:12],
                    wanted=PACK_SHA256[:12],
                    folder=folder,
                )
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(Path(scratch) / "pack")
            _move_whole(Path(scratch) / "pack", folder)
    except (OSError, zipfile.BadZipFile) as error:  # requests' errors are OSErrors
        raise InputError("insightface_cannot_be_fetched", pack=PACK, folder=folder) from error
    return folder


def _move_whole(unpacked: Path, folder: Path) -> None:
    """Put the .onnx files of `unpacked` into `folder`, all or none."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{PACK}-") as beside:
        for file in unpacked.rglob("*.onnx"):
            shutil.copy(file, Path(beside) / file.name)
        if folder.is_dir():
            folder.rmdir()  # the empty folder of a failed download; a full one was used above
        Path(beside).rename(folder)


def _load(folder: Path) -> "FaceAnalysis":
    """The loaded FaceAnalysis of the pack in `folder`."""
    from google.protobuf.message import DecodeError
    from insightface.app import FaceAnalysis

    onnx_errors = import_module("onnxruntime.capi.onnxruntime_pybind11_state")

    broken = (
        onnx_errors.Fail,
        onnx_errors.InvalidArgument,
        onnx_errors.InvalidGraph,
        onnx_errors.InvalidProtobuf,
        onnx_errors.NoSuchFile,
        DecodeError,
    )
    if not any(folder.glob("*.onnx")):
        raise InputError("insightface_not_found", folder=folder, pack=PACK)
    modules = ["detection", "recognition", "landmark_3d_68"]
    try:
        app = FaceAnalysis(name=str(folder), allowed_modules=modules)
    except (*broken, AssertionError) as error:  # bare, when no file is a detector
        raise InputError("insightface_damaged", folder=folder, pack=PACK) from error
    if "recognition" not in app.models:
        raise InputError("insightface_incomplete", folder=folder)
    app.prepare(ctx_id=0, det_thresh=LEAST_SCORE)
    return app
