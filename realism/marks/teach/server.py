"""Answer whale-anno's automatic-annotation button.

The button's page posts the open picture, as PNG in base64, from the browser to this machine's
port 5000 and waits for points in pixels; they replace what is annotated and all get the label that
is chosen there. So a server may be told to answer with one kind only. The page comes from another
port, hence the headers that allow that, for pages of this machine. It shows an error only
where the answer is status 200 with an `errCode` other than 0.

Protocol from whale-anno's sources of May 2024 (the path was /detect until 2023); none of its code.
"""

import asyncio
import base64
import os
import re
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ValidationError

from realism.config import INTAKE
from realism.errors import InputError
from realism.faults import describe_faults
from realism.images import open_photo
from realism.marks.mark import Mark

if TYPE_CHECKING:
    from fastapi import FastAPI

PATHS = ("/cv_cls", "/detect")
PORT = 5000  # the button knows no other
# Base64 takes 4 bytes for 3, and the names around it a little.
MAX_BODY_BYTES = INTAKE.max_bytes * 4 // 3 + 4096
BODY_TIMEOUT = 30  # s to wait for the whole of a request
OWN_PAGES = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")
REFUSED = 404  # whale-anno's code of any error
# Of an answer to a body that was not read: what is left of it would be taken for a request.
CLOSING = {"Connection": "close"}

FindMarks = Callable[[np.ndarray], list[Mark]]


class ButtonRequest(BaseModel):
    """What the button posts; it also names the project and its labels, which are not needed."""

    image: str


def answer_button(body: bytes, find: FindMarks) -> dict:
    """whale-anno's envelope with the points of the picture in `body`.

    Parameters
    ----------
    body : bytes
        JSON with "image": PNG, JPEG or WebP in base64.
    find : callable
        Pixels, (H, W, 3) uint8 sRGB, to marks, surest first.

    Raises
    ------
    InputError
        For a body that is not that, or a picture without one clear face.
    """
    try:
        image = ButtonRequest.model_validate_json(body).image
        # The button strips the prefix of a data URL; other callers may not.
        data = base64.b64decode(image.rpartition(",")[2], validate=True)
    except ValidationError as error:
        raise InputError("request_not_a_picture", detail=describe_faults(error)[0]) from error
    except ValueError as error:
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


def whale_app(find: FindMarks, origins: tuple[str, ...] = ()) -> "FastAPI":
    """The service as an application, to be run alone or mounted on another.

    Parameters
    ----------
    find : callable
        Pixels, (H, W, 3) uint8 sRGB, to marks, surest first; called for one picture at a time.
    origins : tuple of str
        Where whale-anno's page comes from, when not from this machine: http://host:9060.
    """
    from fastapi import FastAPI, Request
    from fastapi.middleware.cors import CORSMiddleware
    from fastapi.responses import JSONResponse, Response
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect

    app = FastAPI(openapi_url=None, redirect_slashes=False)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_origin_regex=OWN_PAGES.pattern,
        allow_methods=["POST"],
        allow_headers=["Content-Type"],
        allow_private_network=True,
    )
    # Two pictures at once would only take turns on the processor, and double the memory.
    one_at_a_time = asyncio.Lock()

    def refuse(status: int, why: str, headers: dict[str, str] | None = None) -> JSONResponse:
        return JSONResponse({"errCode": REFUSED, "errMsg": why, "info": []}, status, headers)

    @app.exception_handler(HTTPException)
    async def refuse_other_requests(request: Request, _: Exception) -> Response:
        if request.method == "POST":
            return refuse(404, f"There is nothing here: post to {PATHS[0]}.", CLOSING)
        return refuse(405, "This answers POST only: it is for whale-anno's button.", CLOSING)

    async def answer(request: Request) -> Response:
        length = request.headers.get("Content-Length", "")
        if not length.isdecimal():
            return refuse(411, "The request must say its length.", CLOSING)
        if int(length) > MAX_BODY_BYTES:
            limit = INTAKE.max_bytes / 2**20
            return refuse(200, f"The picture is over the limit of {limit:.0f} MB.", CLOSING)
        try:
            body = await asyncio.wait_for(request.body(), BODY_TIMEOUT)
        except (TimeoutError, ClientDisconnect):
            return Response(status_code=408, headers=CLOSING)
        try:
            async with one_at_a_time:
                return JSONResponse(await run_in_threadpool(answer_button, body, find))
        except InputError as reason:
            return refuse(200, str(reason))

    for path in PATHS:
        app.post(path)(answer)
    return app


class WhaleServer:
    """The service on a port of its own, which is taken when this is made.

    Parameters
    ----------
    find, origins
        As of `whale_app`.
    host : str
        An address of this machine.
    port : int
        0 takes a free one.

    Attributes
    ----------
    port : int
        The one that was taken.

    Raises
    ------
    InputError
        When the port is taken already or the address is not this machine's.
    """

    def __init__(
        self,
        find: FindMarks,
        host: str = "127.0.0.1",
        port: int = PORT,
        origins: tuple[str, ...] = (),
    ) -> None:
        import uvicorn

        try:
            self._socket = _listen(host, port)
        except (OSError, OverflowError) as error:
            raise InputError("cannot_serve", host=host, port=port, detail=error) from error
        self.port: int = self._socket.getsockname()[1]
        # No line a request: they are pictures of people.
        config = uvicorn.Config(
            whale_app(find, origins), log_level="warning", access_log=False, server_header=False
        )
        self._server: uvicorn.Server = uvicorn.Server(config)

    def run(self) -> None:
        """Answer until Ctrl-C, or until another thread calls `stop`."""
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """End `run` as soon as what is being answered is answered."""
        self._server.should_exit = True

    def __enter__(self) -> "WhaleServer":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens; unlike `socket.create_server` it leaves none open where it cannot."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it would let two programs share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except (OSError, OverflowError):
        listener.close()
        raise
    return listener
