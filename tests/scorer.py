"""Somebody's scorer, for tests: it keeps what it is asked, and thinks or misbehaves as it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Row = dict[str, Any]
Reply = tuple[int, dict[str, str], bytes]


def by_key(item: Row) -> Row | None:
    """Sure of the class that a key begins with."""
    cat = item["key"].startswith("cat")
    return {"key": item["key"], "probabilities": {"cat": 0.9, "dog": 0.1} if cat else {"cat": 0.1, "dog": 0.9}}


@dataclass
class FakeScorer:
    """What it was asked, and how it answers."""

    port: int = 0
    about: dict[str, Any] | None = None  # None: it has no such page
    think: Callable[[Row], Row | None] = by_key
    wrong: Callable[[bytes], Reply] | None = None  # answers instead, while it is set
    fits: int = 200  # the status with which it takes a lesson
    asked: list[Row] = field(default_factory=list)
    lessons: list[Row] = field(default_factory=list)
    signed: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/score"

    @property
    def keys(self) -> list[str]:
        """The keys that it was asked about, in order."""
        return [item["key"] for each in self.asked for item in each["items"]]

    def reply(self, method: str, path: str, signature: str, body: bytes) -> Reply:
        self.signed.append((signature, body))
        if method == "GET":
            return (404, {}, b"") if self.about is None else (200, {}, json.dumps(self.about).encode())
        if path == "/score/fit":
            self.lessons.append(json.loads(body))
            return self.fits, {}, b"{}"
        if self.wrong is not None:
            return self.wrong(body)
        self.asked.append(json.loads(body))
        rows = [row for item in self.asked[-1]["items"] if (row := self.think(item)) is not None]
        return 200, {"Content-Type": "application/json"}, json.dumps({"items": rows}).encode()


@contextmanager
def scoring() -> Iterator[FakeScorer]:
    made = FakeScorer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = made.reply(
                self.command, self.path, self.headers.get("Labelwise-Signature", ""), content
            )
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer

        def log_message(self, *_: Any) -> None:
            pass

        def handle(self) -> None:
            try:
                super().handle()
            except (ConnectionError, TimeoutError):
                self.close_connection = True  # who asked has gone

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
