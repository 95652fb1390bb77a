"""A hub on this machine: serves a folder the way Hugging Face and ModelScope do.

Only what a download needs, so that the real libraries can be watched: what they ask for, and where
they go on after a broken connection.
"""

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

ID = "someone/portraits@main:film"
FETCH = """
import sys, json
from realism.diffusion.identify import read_base
from realism.errors import InputError
from realism.diffusion.hub import fetch
reports = []
try:
    given = fetch(sys.argv[1:], read_base, lambda share, what: reports.append((share, str(what))))
    family, notes = read_base(given.path).family.name, [str(note) for note in given.notes]
    found = {"found": str(given.path), "place": given.place, "notes": notes}
    print(json.dumps(found | {"reports": reports, "family": family}))
except InputError as error:
    print(json.dumps({"refused": str(error)}))
"""
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Repositories below a folder, owner/name/..., on a free port of 127.0.0.1.

    asked     (path of a file, first byte) of every file sent
    broken    file names whose first transfer is cut off in the middle
    refused   repositories, owner/name, which it does not give now, though it has them
    """

    def __init__(self, root: Path, broken: set[str] | None = None):
        self.root, self.broken, self.asked = root, set(broken or ()), []
        self.refused: set[str] = set()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                hub.answer(self)

            do_HEAD = do_GET

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request) -> None:
        """One request of either hub's library."""
        parts = urlsplit(request.path)
        steps = [unquote(step) for step in parts.path.strip("/").split("/")]
        asked = {key: value[0] for key, value in parse_qs(parts.query).items()}
        if any(repo in parts.path for repo in self.refused):
            return self.send_json(request, {"Code": 403, "Message": "not now"}, 403)
        if steps[:3] == ["api", "v1", "models"]:
            repo, rest = self.root / steps[3] / steps[4], steps[5:]
            if not repo.is_dir():
                return self.send_json(request, {"Code": 404, "Message": "not found"}, 404)
            if rest == ["repo"] and "FilePath" in asked:
                return self.send_file(request, repo / asked["FilePath"])
            if rest == ["repo", "files"]:
                return self.send_json(request, self.modelscope({"Files": self.files(repo)}))
            branch = [{"Revision": "master", "CommitId": COMMIT}]
            revisions = {"RevisionMap": {"Branches": branch, "Tags": []}}
            return self.send_json(request, self.modelscope(revisions if rest else {"Id": 1}))
        if steps[:2] == ["api", "models"]:
            repo, rest = self.root / steps[2] / steps[3], steps[4:]
            if not repo.is_dir():
                return self.send_json(request, {"error": "Repository not found"}, 404)
            if rest[:1] == ["tree"]:
                tree = [
                    {"type": "file", "path": f["Path"], "size": f["Size"], "oid": f["Sha256"]}
                    for f in self.files(repo)
                ]
                return self.send_json(request, tree)
            model = {"id": "/".join(steps[2:4]), "sha": COMMIT, "siblings": []}
            return self.send_json(request, model)
        if steps[2:3] == ["resolve"]:
            return self.send_file(request, self.root.joinpath(*steps[:2], *steps[4:]))
        return self.send_json(request, {"Code": 404, "Message": "not found"}, 404)

    @staticmethod
    def modelscope(data: dict) -> dict:
        """ModelScope's envelope."""
        return {"Code": 200, "Success": True, "Message": "", "Data": data}

    @staticmethod
    def files(repo: Path) -> list[dict]:
        """All files of a repository as ModelScope lists them."""
        return [
            {
                "Path": str(file.relative_to(repo)),
                "Name": file.name,
                "Size": file.stat().st_size,
                "Type": "blob",
                "Revision": COMMIT,
                "Sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            }
            for file in sorted(repo.rglob("*"))
            if file.is_file()
        ]

    def send_json(self, request, value, code: int = 200) -> None:
        """A JSON answer."""
        body = json.dumps(value).encode()
        request.send_response(code)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        if code == 404:
            request.send_header("X-Error-Code", "RepoNotFound")
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)

    def send_file(self, request, file: Path) -> None:
        """A file, from the byte that is asked for, cut off where that is wanted."""
        if not file.is_file():
            return self.send_json(request, {"Code": 404, "Message": "no such file"}, 404)
        data = file.read_bytes()
        span = request.headers.get("Range", "")
        start, _, end = span.removeprefix("bytes=").partition("-") if span else ("0", "", "")
        start, end = int(start or 0), int(end) if end else len(data) - 1
        body = data[start : end + 1]
        request.send_response(206 if span else 200)
        request.send_header("X-Repo-Commit", COMMIT)
        request.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        request.send_header("Accept-Ranges", "bytes")
        request.send_header("Content-Length", str(len(body)))
        if span:
            request.send_header("Content-Range", f"bytes {start}-{end}/{len(data)}")
        request.end_headers()
        if request.command == "HEAD":
            return None
        self.asked.append((str(file.relative_to(self.root)), start))
        if file.name in self.broken and len(body) > 1000:
            self.broken.discard(file.name)
            request.wfile.write(body[: len(body) // 2])
            request.wfile.flush()
            request.close_connection = True
            request.connection.close()
            return None
        request.wfile.write(body)
        return None


def hub_environment(cache: Path, hub: str, modelscope: str, huggingface: str) -> dict[str, str]:
    """What a process sees whose hubs are these addresses and whose caches are empty."""
    return {key: value for key, value in os.environ.items() if "proxy" not in key.lower()} | {
        "REALISM_HUB": hub,
        "MODELSCOPE_ENDPOINT": modelscope,
        "HF_ENDPOINT": huggingface,
        "HF_HOME": str(cache / "hf"),
        "MODELSCOPE_CACHE": str(cache / "ms"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
        "REALISM_CACHE": str(cache / "ours"),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }


def fetch(cache: Path, hub: str, modelscope: str, huggingface: str, *where: str) -> dict:
    """Fetch in a process of its own: the libraries read their settings when imported."""
    done = subprocess.run(
        [sys.executable, "-c", FETCH, *(where or [ID])],
        env=hub_environment(cache, hub, modelscope, huggingface),
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
