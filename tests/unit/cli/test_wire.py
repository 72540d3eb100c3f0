"""Connections that say little, slowly or for ever, against a real server with short patience."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from app.cli import wire
from app.cli.wire import Connection

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body to its end and says how long it was; at /late it is done a while after the last byte of that."""
    if scope["type"] != "http":
        return
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    if scope["path"] == "/late":
        await asyncio.sleep(0.2)
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    for name, seconds in {"HEAD_SECONDS": 0.3, "BODY_SECONDS": 0.3, "LOOK_SECONDS": 0.05}.items():
        monkeypatch.setattr(wire, name, seconds)
    monkeypatch.setattr(Connection, "most", 20)
    config = uvicorn.Config(application, port=0, http=Connection, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


def heard(port: int, *pieces: bytes, pause: float = 0.0, seconds: float = 3.0) -> tuple[bytes, float]:
    """What came back until the other side closed, and after how many seconds it did."""
    began, got = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as line:
        try:
            for piece in pieces:
                line.sendall(piece)
                time.sleep(pause)
            while more := line.recv(65_536):
                got += more
        except ConnectionError:
            pass
    return got, time.monotonic() - began


@pytest.mark.parametrize(
    "pieces",
    [(b"",), (b"GET / HTTP/1.1\r\n",), (b"GET / HTTP/1.1\r\nHost: x\r\n", *[b"X: y\r\n"] * 20)],
    ids=["nothing", "half a head", "a header now and then"],
)
def test_a_head_that_does_not_come_is_not_waited_for(port: int, pieces: tuple[bytes, ...]) -> None:
    got, seconds = heard(port, *pieces, pause=0.05)

    assert got == b""
    assert 0.2 < seconds < 2


@pytest.mark.parametrize(
    "head", [b"Content-Length: 100\r\n\r\nfew", b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n"]
)
def test_a_body_that_stops_is_not_waited_for(port: int, head: bytes) -> None:
    got, seconds = heard(port, b"POST / HTTP/1.1\r\nHost: x\r\n" + head)

    assert b"200 OK" not in got
    assert 0.2 < seconds < 2


def test_a_slow_body_that_goes_on_is_read_to_its_end(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10\r\n\r\n"

    got, seconds = heard(port, head, *[b"x"] * 10, pause=0.06)

    assert got.endswith(b"10")
    assert seconds > 0.5


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 1_000_000, b"431"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", b"431"),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"nonsense\r\n\r\n", b"400"),
    ],
)
def test_a_head_that_is_too_large_is_refused_in_the_form_of_all_refusals(port: int, sent: bytes, status: bytes) -> None:
    got, _ = heard(port, sent)

    assert got.startswith(b"HTTP/1.1 " + status)
    assert b'{"error": "' in got


def test_the_longest_idle_connection_makes_room(port: int) -> None:
    lines = []
    for _ in range(60):
        line = socket.create_connection(("127.0.0.1", port), timeout=3)
        line.sendall(GET)
        assert line.recv(1_000).startswith(b"HTTP/1.1 200")
        lines.append(line)
    try:
        lines[-1].sendall(GET)
        assert lines[-1].recv(1_000).startswith(b"HTTP/1.1 200")
        assert lines[0].recv(1_000) == b""
    finally:
        for line in lines:
            line.close()


def test_a_refusal_arrives_though_the_client_is_still_sending(port: int) -> None:
    for _ in range(5):
        got, seconds = heard(port, b"GET / HTTP/1.1\r\nHost: x\r\nX: ", *[b"a" * 1_000_000] * 8)

        assert got.startswith(b"HTTP/1.1 431")
        assert seconds < 3


LARGE = b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 60_000 + b"\r\n\r\n"


@pytest.mark.parametrize("pause", [0.0, 0.1], ids=["at once", "behind its answer, which is not done yet"])
def test_a_refusal_comes_behind_the_answers_before_it(port: int, pause: float) -> None:
    got, _ = heard(port, b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n", LARGE, pause=pause)

    assert [each[:3] for each in got.split(b"HTTP/1.1 ")[1:]] == [b"200", b"431"]
