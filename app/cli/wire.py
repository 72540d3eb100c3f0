"""What a connection may send before anybody knows who it is: so many bytes of headers, within so much time.

The server's parser keeps a header until it is complete and waits for the rest of a request for ever, and a connection
that says nothing costs a file handle. A flood of any of these would take the service from those who work with it.
"""

import asyncio
import json
import resource
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_BYTES = 32_768  # the address and all headers
ADDRESS_BYTES = 16_384
HEADERS = 100
HEAD_SECONDS = 15.0  # for all of the headers
BODY_SECONDS = 60.0  # between two pieces of a body
LOOK_SECONDS = 5.0
UNREAD_BYTES = 32_000_000  # of a body behind its refusal, which a client sends to the end before it reads
LINGER_SECONDS = 3.0  # for what was on its way when a request was refused
FILES_KEPT = 200  # handles for the database, uploads and the like
NAMES = {400: "BadSyntax", 414: "TooLarge", 431: "TooLarge"}


class Connection(HttpToolsProtocol):
    """One connection, with bounds on what arrives and on how long it takes."""

    most = 10_000  # connections at once; the longest idle one makes room for the next

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to watch it, and make room where there are too many."""
        super().connection_made(transport)
        self._in_head, self._head, self._sum, self._unread = True, 0, 0, 0
        self._refused, self._refusing, self._owed = (400, "this is no HTTP request"), False, False
        self._since = self._heard = self.loop.time()
        self._watch = self.loop.call_later(LOOK_SECONDS, self._look)
        if len(self.connections) > self.most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching it."""
        self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what is not yet known to be a body; behind a refusal nothing is looked at any more."""
        if self._refusing:
            self._throw_away(len(data))
            return
        self._heard = self.loop.time()
        super().data_received(data)
        if self._in_head and not self._refusing and not self.transport.is_closing():
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self._refused = (431, "the headers are too large")
                self.send_400_response("")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head, self._sum, self._unread, self._since = True, 0, 0, self.loop.time()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the address, which is a path: the names of hosts stand in one place only, the Host header."""
        super().on_url(url)
        if not self.url.startswith(b"/"):
            self._refuse(400, "the address is no path of this service")
        if len(self.url) > ADDRESS_BYTES:
            self._refuse(414, "the address is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._sum += len(name) + len(value)
        if self._sum > HEAD_BYTES or len(self.headers) >= HEADERS:
            self._refuse(431, "the headers are too large, or too many")
        if name.lower() == b"transfer-encoding" and value.strip().lower() != b"chunked":
            self._refuse(400, "this transfer encoding is not taken: a proxy in front might read it otherwise")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """From here on the application decides."""
        if self.parser.get_http_version() not in ("1.0", "1.1"):
            self._refuse(400, "this is no HTTP/1.1")
        self._in_head, self._head = False, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a body; one that was refused already is thrown away, but not for ever."""
        if self.cycle.response_complete:
            self._throw_away(len(body))
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """Refuse in the form of all refusals, and close; after the answers to the requests before it."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering and self._in_head:
            self._refusing = self._owed = True
            return
        if answering and self.cycle.response_started:  # its own body is at fault
            self.transport.close()
            return
        status, words = self._refused
        body = json.dumps({"error": NAMES[status], "detail": words, "request_id": None}).encode()
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        if answering:
            self.transport.close()
        else:
            self._linger()

    def on_response_complete(self) -> None:
        """An answer is given; the last one is followed by the refusal of what came behind its request."""
        super().on_response_complete()
        if self._owed and self.cycle.response_complete and not self.transport.is_closing():
            self._owed = False
            self.send_400_response("")

    @property
    def idle_since(self) -> float:
        """When it was last heard, or never where a request of it is being answered."""
        busy = self.cycle is not None and not self.cycle.response_complete
        return float("inf") if busy else self._heard

    def _refuse(self, status: int, words: str) -> None:
        self._refused = (status, words)
        raise ValueError(words)  # the parser stops and says so

    def _linger(self) -> None:
        """Close once the rest has come: over unread bytes a connection is reset, and the refusal is lost with it."""
        self._refusing = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _throw_away(self, size: int) -> None:
        self._unread += size
        if self._unread > UNREAD_BYTES:
            self.transport.close()

    def _look(self) -> None:
        if self.transport.is_closing():
            return
        now = self.loop.time()
        slow_head = self._in_head and self._waits_for_head() and now - self._since > HEAD_SECONDS
        slow_body = self._waits_for_body() and now - self._heard > BODY_SECONDS
        if slow_head or slow_body or (self._throws_away() and now - self._since > BODY_SECONDS):
            self.transport.close()
        else:
            self._watch = self.loop.call_later(LOOK_SECONDS, self._look)

    def _waits_for_head(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _waits_for_body(self) -> bool:
        return self.cycle is not None and self.cycle.more_body and not self.flow.read_paused

    def _throws_away(self) -> bool:
        return self.cycle is not None and self.cycle.more_body and self.cycle.response_complete

    def _make_room(self) -> None:
        others: list[Any] = [each for each in self.connections if each is not self]
        idle = sorted((each for each in others if each.idle_since < float("inf")), key=lambda each: each.idle_since)
        for each in idle[: max(1, self.most // 20)]:
            each.transport.close()


def prepare_files() -> None:
    """Take all file handles that the system gives, and bound connections by them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard > soft:
        soft = min(hard, 65_536) if hard != resource.RLIM_INFINITY else 65_536
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    Connection.most = max(50, min(10_000, soft - FILES_KEPT))
