"""Somebody else's server that means no good: each path is one trick, and what it was asked is kept."""

import contextlib
import gzip
import io
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from PIL import Image

PATIENCE_SECONDS = 20.0


@dataclass
class Asked:
    """One request: method, path with query, headers in lower case, body."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Trap:
    """The server; `say` answers paths of one's own instead of the tricks."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    say: dict[str, Callable[[Asked], bytes]] = field(default_factory=dict)

    def url(self, path: str = "/") -> str:
        """The address of a trick."""
        return f"http://127.0.0.1:{self.port}{path}"

    def at(self, path: str) -> list[Asked]:
        """What was asked of a path."""
        return [each for each in self.asked if urlsplit(each.target).path == path]


def answer(body: bytes = b"", status: str = "200 OK", *headers: str) -> bytes:
    """An honest answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def png(width: int = 8, height: int = 8, color: str = "red") -> bytes:
    """A small picture."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), color).save(out, "PNG")
    return out.getvalue()


def _redirect(line: socket.socket, asked: Asked) -> None:
    query = parse_qs(urlsplit(asked.target).query)
    line.sendall(answer(b"", f"{query.get('status', ['302'])[0]} Moved", f"Location: {query['to'][0]}"))


def _drip(line: socket.socket, _: Asked) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        line.sendall(b"x")
        time.sleep(0.5)


def _endless(line: socket.socket, _: Asked) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\x89PNG\r\n\x1a\n")
    while True:
        line.sendall(b"x" * 65_536)


def _bomb(line: socket.socket, _: Asked) -> None:
    line.sendall(answer(gzip.compress(b"\0" * 10_000_000), "200 OK", "Content-Encoding: gzip"))


def _headers(line: socket.socket, _: Asked) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(1_000_000):
        line.sendall(f"X-{number}: {'x' * 500}\r\n".encode())


def _hints(line: socket.socket, _: Asked) -> None:
    while True:
        line.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n")


def _hang(_: socket.socket, __: Asked) -> None:
    time.sleep(PATIENCE_SECONDS)


TRICKS: dict[str, Callable[[socket.socket, Asked], None]] = {
    "/redirect": _redirect,
    "/loop": lambda line, _: line.sendall(answer(b"", "302 Found", "Location: /loop")),
    "/drip": _drip,
    "/endless": _endless,
    "/promise": lambda line, _: line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\nx"),
    "/bomb": _bomb,
    "/brotli": lambda line, _: line.sendall(answer(b"x" * 100, "200 OK", "Content-Encoding: br")),
    "/headers": _headers,
    "/hints": _hints,
    "/chunks": lambda line, _: line.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx"),
    "/half": lambda line, _: line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"),
    "/rubbish": lambda line, _: line.sendall(b"\x00\xff rubbish\r\n\r\n"),
    "/hang": _hang,
}


@contextmanager
def trap() -> Iterator[Trap]:
    """A trap that is set."""
    made = Trap()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                asked = _read(self.rfile)
                made.asked.append(asked)
                path = urlsplit(asked.target).path
                if path in made.say:
                    self.connection.sendall(made.say[path](asked))
                elif path in TRICKS:
                    TRICKS[path](self.connection, asked)
                else:
                    self.connection.sendall(answer(b"not here", "404 Not Found"))

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 50

    server = Server(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _read(source) -> Asked:  # type: ignore[no-untyped-def]
    method, target, _ = source.readline().decode("latin-1").split(" ", 2)
    headers = {}
    while (line := source.readline().decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Asked(method, target, headers, source.read(int(headers.get("content-length", 0))))
