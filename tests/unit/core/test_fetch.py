"""Fetching from servers that misbehave: a real one on this machine, which the operator has named."""

import io
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from app.core import fetch
from app.core.addresses import AddressRefused, Allowed
from app.core.errors import AppError
from app.core.fetch import FetchFailed, safe_fetch

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
Answer = Callable[[socket.socket], None]


class Server(socketserver.ThreadingTCPServer):
    """Answers each connection in its own way and remembers what was asked."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, answer: bytes | Answer) -> None:
        self.asked: list[bytes] = []

        class Handler(socketserver.BaseRequestHandler):
            def handle(inner) -> None:
                inner.server.asked.append(inner.request.recv(65_536))
                with suppress(OSError):  # the other side has gone, as it should
                    inner.request.sendall(answer) if isinstance(answer, bytes) else answer(inner.request)

        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


@contextmanager
def serving(answer: bytes | Answer) -> Iterator[Server]:
    server = Server(answer)
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def get(server: Server, path: str = "/x", *, most: int = 1_000, seconds: float = 5.0, also: str = "") -> bytes:
    file = io.BytesIO()
    allowed = Allowed.parse(f"127.0.0.1:{server.port},{also}")
    size = safe_fetch(f"http://127.0.0.1:{server.port}{path}", file, most_bytes=most, seconds=seconds, allowed=allowed)
    assert size == len(file.getvalue())
    return file.getvalue()


def test_a_file_is_fetched_without_credentials_or_compression(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving(OK) as server:
        assert get(server, "/a?b=%20c") == b"hello"

    asked = server.asked[0].lower()
    assert asked.startswith(b"get /a?b=%20c http/1.1\r\n")
    assert b"accept-encoding: identity" in asked
    assert b"authorization" not in asked
    assert b"cookie" not in asked


def test_the_name_is_looked_up_once_and_only_the_checked_address_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def once(host: str, port: int, **_: object) -> list[tuple]:
        looked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1" if len(looked) == 1 else "10.9.9.9", port))]

    with serving(OK) as server:
        monkeypatch.setattr(socket, "getaddrinfo", once)
        monkeypatch.setattr(socket, "create_connection", _connect)
        file = io.BytesIO()
        safe_fetch(
            f"http://pictures.example:{server.port}/",
            file,
            most_bytes=100,
            seconds=5,
            allowed=Allowed.parse(f"pictures.example:{server.port}"),
        )

    assert file.getvalue() == b"hello"
    assert looked == ["pictures.example"]
    assert f"host: pictures.example:{server.port}".encode() in server.asked[0].lower()


def _connect(where: tuple[str, int], *_: object, **__: object) -> socket.socket:
    made = socket.socket()  # the real one would look the address up, which this test counts
    made.connect(where)
    return made


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_a_closed_place_is_refused_and_nobody_is_called(status: int) -> None:
    with (
        serving(OK) as canary,
        serving(_moved(f"http://127.0.0.1:{canary.port}/", status)) as server,
        pytest.raises(AddressRefused),
    ):
        get(server)

    assert canary.asked == []


@pytest.mark.parametrize("where", ["file:///etc/passwd", "http://169.254.169.254/", "gopher://x/", "http://[", "//\\x"])
def test_a_redirect_to_what_is_no_public_address_is_refused(where: str) -> None:
    with serving(_moved(where)) as server, pytest.raises((AddressRefused, FetchFailed)):
        get(server)
    assert len(server.asked) == 1


@pytest.mark.parametrize(("ends", "reached"), [(4, True), (99, False)])
def test_a_redirect_is_followed_three_times_and_not_more(ends: int, reached: bool) -> None:
    def answer(connection: socket.socket) -> None:
        hop = len(server.asked)
        connection.sendall(OK if hop == ends else _moved(f"/{hop}"))

    with serving(answer) as server:
        if reached:
            assert get(server) == b"hello"
        else:
            with pytest.raises(FetchFailed, match="redirects"):
                get(server)
    assert len(server.asked) == 4


def test_an_error_page_is_not_the_file_and_is_never_quoted() -> None:
    for status, again in ((404, False), (403, False), (204, False), (500, True), (503, True), (429, True)):
        body = f"HTTP/1.1 {status} Nope\r\nContent-Length: 11\r\n\r\nsecret text".encode()
        with serving(body) as server, pytest.raises(FetchFailed) as refused:
            get(server)
        assert str(status) in str(refused.value)
        assert "secret" not in str(refused.value)
        assert refused.value.again is again


def test_what_is_larger_than_allowed_ends_early() -> None:
    announced = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n"
    sent = 0

    def endless(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(20_000):
            sent += connection.send(b"x" * 10_000)

    for answer in (announced, endless, b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1_001):
        with serving(answer) as server, pytest.raises(FetchFailed, match="more than 1,000 bytes"):
            get(server)
    assert sent < 50_000_000


def test_headers_and_hints_without_end_are_cut_off() -> None:
    def headers(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for number in range(1_000_000):
            connection.sendall(b"X-%d: %s\r\n" % (number, b"x" * 1_000))

    def hints(connection: socket.socket) -> None:
        for _ in range(10_000_000):
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")

    for answer in (headers, hints):
        with serving(answer) as server, pytest.raises(AppError):
            get(server)


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"])
def test_a_server_that_drips_is_left_at_the_deadline(first: bytes) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(first)
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.05)

    with serving(drip) as server:
        began = time.monotonic()
        with pytest.raises(FetchFailed, match="longer than") as refused:
            get(server, seconds=0.5)
    assert time.monotonic() - began < 3
    assert refused.value.again


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
def test_broken_answers_give_no_file(answer: bytes) -> None:
    with serving(answer) as server, pytest.raises(FetchFailed):
        get(server)


def test_nobody_there_is_said() -> None:
    with serving(OK) as server:
        pass
    with pytest.raises(FetchFailed, match="connection failed"):
        get(server)


def test_a_name_that_nobody_knows_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(FetchFailed, match="not known"):
        safe_fetch("https://nobody.example/", io.BytesIO(), most_bytes=9, seconds=1, allowed=Allowed())


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_a_certificate_is_checked_against_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -addext subjectAltName=DNS:pictures.example"
    subprocess.run([*made.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def fetched(host: str) -> bytes:
        file = io.BytesIO()
        address = f"https://{host}:{server.port}/"
        safe_fetch(address, file, most_bytes=99, seconds=5, allowed=Allowed.parse(f"{host}:{server.port}"))
        return file.getvalue()

    def here(_host: str, port: int, **_: object) -> list[tuple]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", here)
    monkeypatch.setattr(socket, "create_connection", _connect)
    with serving(OK) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        with pytest.raises(FetchFailed, match="connection failed"):
            fetched("pictures.example")  # nobody vouches for it
        monkeypatch.setattr(fetch, "_trusted", lambda: ssl.create_default_context(cafile=certificate))
        assert fetched("pictures.example") == b"hello"
        with pytest.raises(FetchFailed, match="connection failed"):
            fetched("other.example")


def _moved(where: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode()
