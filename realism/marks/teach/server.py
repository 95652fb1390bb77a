"""Answer whale-anno's automatic-annotation button.

The button's page posts the open picture, as PNG in base64, from the browser to this machine's
port 5000 and waits for points in pixels; they replace what is annotated and all get the label that
is chosen there. So a server may be told to answer with one kind only. The page comes from another
port, hence the headers that allow that, for pages of this machine. It shows an error only
where the answer is status 200 with an `errCode` other than 0.

Protocol from whale-anno's sources of May 2024 (the path was /detect until 2023); none of its code.
"""

import base64
import json
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

import numpy as np

from realism.config import INTAKE
from realism.errors import InputError
from realism.images import open_photo
from realism.marks.mark import Mark

PATHS = ("/cv_cls", "/detect")
PORT = 5000  # the button knows no other
# Base64 takes 4 bytes for 3, and the names around it a little.
MOST_BYTES = INTAKE.max_bytes * 4 // 3 + 4096
SLOWEST = 30  # s to wait for the rest of a request
OWN = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")
REFUSED = 404  # whale-anno's code of any error

Find = Callable[[np.ndarray], list[Mark]]


def answer_to(body: bytes, find: Find) -> dict:
    """whale-anno's envelope with the points of the picture in `body`.

    body    JSON with "image": PNG, JPEG or WebP in base64
    find    pixels (H, W, 3) uint8 sRGB to marks, surest first
    Raises InputError for a body that is not that, or a picture without one clear face.
    """
    try:
        value = json.loads(body)
        image = value.get("image") if isinstance(value, dict) else None
        if not isinstance(image, str):
            raise ValueError('there is no text "image" in it')
        # The button strips the prefix of a data URL; other callers may not.
        data = base64.b64decode(image.rpartition(",")[2], validate=True)
    except (ValueError, RecursionError) as error:
        raise InputError("request_not_a_picture", detail=error) from error
    pixels = open_photo(data, "the picture").pixels
    height, width = pixels.shape[:2]
    points = [
        {
            # A share of the picture is counted from its edge, a pixel of ours from its centre.
            "x": round(float(mark.xy[0]) + 0.5, 2),
            "y": round(float(mark.xy[1]) + 0.5, 2),
            "type": mark.kind,
            "score": round(mark.score, 4),
        }
        for mark in find(pixels)
    ]
    info = {"rect_angles": points, "width": width, "height": height}
    return {"errCode": 0, "errMsg": "", "info": info}


def server(
    find: Find, host: str = "127.0.0.1", port: int = PORT, origins: tuple[str, ...] = ()
) -> ThreadingHTTPServer:
    """A server that is ready to `serve_forever()`; port 0 takes a free one.

    origins    where whale-anno's page comes from, when not from this machine: http://host:9060
    Raises InputError when the port is taken or the address is not this machine's.
    """
    lock = Lock()

    def one_at_a_time(pixels: np.ndarray) -> list[Mark]:
        # Two pictures at once would only take turns on the processor, and double the memory.
        with lock:
            return find(pixels)

    class Handler(BaseHTTPRequestHandler):
        """Answers POST with points, and the browser's question whether it may post."""

        protocol_version = "HTTP/1.1"
        server_version, sys_version = "realism", ""
        timeout = SLOWEST

        def do_OPTIONS(self) -> None:
            self._reply(204, None)

        def do_GET(self) -> None:
            self._refuse(405, "This answers POST only: it is for whale-anno's button.")

        def do_POST(self) -> None:
            if self.path.partition("?")[0] not in PATHS:
                self.close_connection = True
                return self._refuse(404, f"There is nothing here: post to {PATHS[0]}.")
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal():
                self.close_connection = True
                return self._refuse(411, "The request must say its length.")
            if int(length) > MOST_BYTES:
                self.close_connection = True
                limit = INTAKE.max_bytes / 2**20
                return self._refuse(200, f"The picture is over the limit of {limit:.0f} MB.")
            body = self.rfile.read(int(length))
            if len(body) < int(length):
                self.close_connection = True
                return None
            try:
                self._reply(200, answer_to(body, one_at_a_time))
            except InputError as reason:
                self._refuse(200, str(reason))

        def _refuse(self, status: int, why: str) -> None:
            self._reply(status, {"errCode": REFUSED, "errMsg": why, "info": []})

        def _reply(self, status: int, value: dict | None) -> None:
            body = b"" if value is None else json.dumps(value, ensure_ascii=False).encode()
            self.send_response(status)
            origin = self.headers.get("Origin", "")
            if OWN.fullmatch(origin) or origin in origins:
                self.send_header("Access-Control-Allow-Origin", origin)
                self.send_header("Access-Control-Allow-Methods", "POST")
                self.send_header("Access-Control-Allow-Headers", "Content-Type")
                self.send_header("Access-Control-Allow-Private-Network", "true")
                self.send_header("Vary", "Origin")
            if value is not None:
                self.send_header("Content-Type", "application/json; charset=utf-8")
            if self.close_connection:
                self.send_header("Connection", "close")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_) -> None:
            """Nothing: requests are pictures of people."""

    try:
        return ThreadingHTTPServer((host, port), Handler)
    except (OSError, OverflowError) as error:
        raise InputError("cannot_serve", host=host, port=port, detail=error) from error
