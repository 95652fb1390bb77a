"""whale-anno's automatic-annotation button is answered as its page expects it."""

import base64
import io
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from realism.errors import InputError
from realism.marks.mark import Mark, RoundMark
from realism.marks.teach.server import WhaleServer, whale_app

PAGE = "http://127.0.0.1:9060"  # where whale-anno's page comes from


def darkest(pixels: np.ndarray) -> list[Mark]:
    """A finder for pictures with one dark place: no face is needed to ask the server."""
    if pixels.max() < 10:
        raise InputError("face_not_found")
    y, x = np.unravel_index(pixels.sum(2).argmin(), pixels.shape[:2])
    return [RoundMark("mole", np.float32([x, y]), 2.0, 0.9)]


@contextmanager
def serving(find=darkest, **options):
    with WhaleServer(find, port=0, **options) as server:
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        yield server.port
        server.stop()
        thread.join()


@pytest.fixture(scope="module")
def port():
    with serving() as port:
        yield port


def ask(port, body=b"", path="/cv_cls", method="POST", **headers):
    """(status, envelope or None, headers)."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    read = answer.read()
    connection.close()
    return answer.status, json.loads(read) if read else None, answer.headers


def ask_first(port, origin):
    """What a browser asks before it posts to another port."""
    asked = {"Method": "POST", "Headers": "content-type", "Private-Network": "true"}
    headers = {f"Access-Control-Request-{name}": value for name, value in asked.items()}
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("OPTIONS", "/cv_cls", headers={"Origin": origin, **headers})
    answer = connection.getresponse()
    read = answer.read()
    connection.close()
    return answer.status, read, answer.headers


def posted(pixels: np.ndarray, prefix: str = "") -> bytes:
    """What the button posts."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    image = prefix + base64.b64encode(file.getvalue()).decode()
    return json.dumps({"projectName": "p", "image": image, "types": ["小狗", "小猫"]}).encode()


@pytest.fixture
def spotted():
    """200 x 120 px with a dark pixel at column 60, row 30."""
    pixels = np.full((120, 200, 3), 200, np.uint8)
    pixels[30, 60] = 0
    return pixels


@pytest.mark.parametrize("path", ["/cv_cls", "/detect"])
def test_the_button_gets_points_in_pixels_with_the_pictures_size(port, spotted, path):
    status, envelope, headers = ask(port, posted(spotted), path, Origin=PAGE)
    assert status == 200 and envelope["errCode"] == 0
    info = envelope["info"]
    (point,) = info["rect_angles"]
    # What the page makes of it: a share of the width and height, here of the pixel's centre.
    assert point["x"] / info["width"] == pytest.approx(60.5 / 200)
    assert point["y"] / info["height"] == pytest.approx(30.5 / 120)
    assert headers["Access-Control-Allow-Origin"] == PAGE


def test_the_prefix_of_a_data_url_does_no_harm(port, spotted):
    _, envelope, _ = ask(port, posted(spotted, "data:image/png;base64,"))
    assert len(envelope["info"]["rect_angles"]) == 1


def test_the_browser_may_ask_first_whether_it_may_post(port):
    status, _, headers = ask_first(port, PAGE)
    assert status == 200
    assert headers["Access-Control-Allow-Origin"] == PAGE
    assert "POST" in headers["Access-Control-Allow-Methods"]
    assert "Content-Type" in headers["Access-Control-Allow-Headers"]
    assert headers["Access-Control-Allow-Private-Network"] == "true"


def test_pages_of_other_sites_may_not_unless_named():
    evil, lan = "http://127.0.0.1.evil.example", "http://192.168.1.5:9060"
    with serving(origins=(lan,)) as port:
        assert ask_first(port, evil)[2]["Access-Control-Allow-Origin"] is None
        assert ask_first(port, lan)[2]["Access-Control-Allow-Origin"] == lan
        for origin in (evil, "null"):
            assert ask(port, b"{}", Origin=origin)[2]["Access-Control-Allow-Origin"] is None


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "must be JSON"),
        (b"\xff\xfe", "must be JSON"),
        (b"[1]", "must be JSON"),
        (b'{"image": 5}', "must be JSON"),
        (b'{"image": "not base64!"}', "must be JSON"),
        (b'{"image": "' + base64.b64encode(b"not a picture") + b'"}', "not a picture"),
        (b"[" * 100_000, "must be JSON"),
    ],
)
def test_a_bad_request_is_told_so_that_the_page_shows_it(port, body, says):
    status, envelope, _ = ask(port, body)
    # The page reads an error only from an answer of status 200.
    assert status == 200 and envelope["errCode"] != 0
    assert says in envelope["errMsg"]


def test_a_picture_without_a_face_and_one_that_is_too_small_are_told(port):
    _, envelope, _ = ask(port, posted(np.zeros((120, 200, 3), np.uint8)))
    assert envelope["errMsg"].startswith("No face was found.")
    _, envelope, _ = ask(port, posted(np.zeros((8, 8, 3), np.uint8)))
    assert "too small" in envelope["errMsg"]


def test_a_picture_over_the_limit_is_refused_unread(port):
    asked = {"Content-Length": str(10**12), "Origin": PAGE}
    status, envelope, headers = ask(port, b"", **asked)
    assert status == 200 and "over the limit" in envelope["errMsg"]
    # The page may read why; and the rest is not waited for.
    assert headers["Access-Control-Allow-Origin"] == PAGE and headers["Connection"] == "close"


def test_a_request_of_unknown_length_is_refused(port):
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("POST", "/cv_cls")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    assert connection.getresponse().status == 411
    connection.close()


def test_a_request_that_is_cut_off_ends_nothing_else(port, spotted):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"POST /cv_cls HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{")
    assert ask(port, posted(spotted))[1]["errCode"] == 0


def test_pictures_are_looked_at_one_at_a_time(spotted):
    at_once, most = [], []

    def slow(pixels):
        at_once.append(1)
        most.append(len(at_once))
        time.sleep(0.05)
        at_once.pop()
        return darkest(pixels)

    with serving(slow) as port, ThreadPoolExecutor(3) as callers:
        answers = list(callers.map(lambda _: ask(port, posted(spotted))[1], range(3)))
    assert [answer["errCode"] for answer in answers] == [0, 0, 0]
    assert most == [1, 1, 1]


def test_it_can_be_mounted_on_another_app(spotted):
    app = FastAPI()
    app.mount("/whale", whale_app(darkest))
    client = TestClient(app)
    answer = client.post("/whale/cv_cls", content=posted(spotted), headers={"Origin": PAGE})
    assert len(answer.json()["info"]["rect_angles"]) == 1
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE


@pytest.mark.parametrize("path", ["/", "/../../etc/passwd", "/cv_cls/../x"])
def test_other_paths_hold_nothing(port, spotted, path):
    status, envelope, _ = ask(port, posted(spotted), path)
    assert status == 404 and envelope["errCode"] != 0
    assert ask(port, path=path, method="GET")[0] == 405


def test_a_port_that_is_taken_is_said(port):
    with pytest.raises(InputError, match="Nothing can be served"):
        WhaleServer(darkest, port=port)
    with pytest.raises(InputError, match="Nothing can be served"):
        WhaleServer(darkest, port=99999)
    with pytest.raises(InputError, match="Nothing can be served"):
        WhaleServer(darkest, host="203.0.113.1", port=0)  # no address of this machine
