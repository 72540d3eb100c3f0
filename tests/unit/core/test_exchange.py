"""Several requests to one server that may misbehave: a real one on this machine, which the operator has named."""

import socket
import time

import pytest

from app.core.addresses import AddressRefused, Allowed
from app.core.fetch import FetchFailed, exchange
from tests.unit.core.test_fetch import OK, Server, serving


def post(server: Server, *, seconds: float = 5.0, most: int = 100, times: int = 1) -> list[tuple[int, bytes]]:
    allowed = Allowed.parse(f"127.0.0.1:{server.port}")
    with exchange(f"http://127.0.0.1:{server.port}/x", allowed=allowed) as line:
        found = [
            line.send("POST", f"/{turn}?k=v", b"hi", {"X-A": "b"}, seconds=seconds, most_bytes=most)
            for turn in range(times)
        ]
    return [(each.status, each.body) for each in found]


def test_requests_go_over_one_connection_without_compression() -> None:
    sent: list[bytes] = []

    def twice(connection: socket.socket) -> None:
        sent.append(server.asked[0])
        for _ in range(2):
            while not sent[-1].endswith(b"\r\n\r\nhi"):
                sent[-1] += connection.recv(65_536)
            connection.sendall(OK)
            sent.append(b"")

    with serving(twice) as server:
        assert post(server, times=2) == [(200, b"hello"), (200, b"hello")]

    first, second = (each.lower() for each in sent[:2])
    assert first.startswith(b"post /0?k=v http/1.1\r\n")
    assert second.startswith(b"post /1?k=v http/1.1\r\n")
    assert b"accept-encoding: identity" in first
    assert b"x-a: b" in first
    assert len(server.asked) == 1  # connections


def test_a_redirect_is_an_answer_and_nobody_follows_it() -> None:
    with serving(OK) as canary:
        moved = f"HTTP/1.1 302 Moved\r\nLocation: http://127.0.0.1:{canary.port}/\r\nContent-Length: 0\r\n\r\n"
        with serving(moved.encode()) as server:
            assert post(server) == [(302, b"")]

    assert canary.asked == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + b"x" * 101, "more than 100 bytes"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 101, "more than 100 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", "compressed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", "connection failed"),
        (b"hello", "connection failed"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 400_000, "connection failed|more than"),
    ],
)
def test_broken_answers_are_faults_in_our_own_words(answer: bytes, words: str) -> None:
    with serving(answer) as server, pytest.raises(FetchFailed, match=words):
        post(server)


def test_no_drip_keeps_a_request_open_and_the_next_one_has_its_own_time() -> None:
    def drips(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
        for _ in range(40):
            connection.sendall(b"x")
            time.sleep(0.05)

    begun = time.monotonic()
    with serving(drips) as server, pytest.raises(FetchFailed, match="took longer"):
        post(server, seconds=0.3)
    assert time.monotonic() - begun < 1.5


def test_who_may_not_be_called_is_not() -> None:
    with serving(OK) as server:
        with pytest.raises(AddressRefused), exchange(f"http://127.0.0.1:{server.port}/", allowed=Allowed()):
            pass
        assert server.asked == []
