"""The one door to other people's servers: what is fetched for a user is fetched here, or not at all.

The name is looked up once and the connection goes to the address that was checked, with the name for Host and TLS.
No redirect is followed unchecked, no proxy of the environment is used, no credential is sent, and size and time are
bounded whatever the other side does. Refusals never quote what it sent.
"""

import io
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO
from urllib.parse import urljoin

import httpcore
import httpx

from app.core import addresses
from app.core.addresses import Allowed, Place
from app.core.errors import AppError

REDIRECTS = 3
MOVED = (301, 302, 303, 307, 308)
HEAD_BYTES = 256_000  # for TLS, headers and framing beside the content
CONNECT_SECONDS = 5.0
HEADERS = ((b"User-Agent", b"labelwise"), (b"Accept", b"*/*"), (b"Accept-Encoding", b"identity"))


class FetchFailed(AppError):
    """The file could not be fetched. `again` says that it may go well later."""

    status = 422

    def __init__(self, detail: str, *, again: bool = False) -> None:
        super().__init__(detail)
        self.again = again


def safe_fetch(address: str, file: BinaryIO, *, most_bytes: int, seconds: float, allowed: Allowed) -> int:
    """Write what lies at an address to a file; how many bytes came. Blocks for `seconds` at most, and 5 for the name.

    Raises:
        AddressRefused: the address, or one that it redirects to, may not be fetched.
        FetchFailed: nobody there, an answer other than 200, too large, too slow.
    """
    deadline = time.monotonic() + seconds
    for _ in range(REDIRECTS + 1):
        place = addresses.parse(address, allowed)
        try:
            numeric = addresses.resolve(place, allowed)
        except OSError:
            raise FetchFailed(f"the name {place.host[:100]} is not known", again=True) from None
        try:
            moved = _get(place, _Line(numeric, deadline, most_bytes + HEAD_BYTES), file, most_bytes)
        except _TooMuch:
            raise FetchFailed(f"it has more than {most_bytes:,} bytes") from None
        except httpcore.TimeoutException:
            raise FetchFailed(f"it took longer than {seconds:g} seconds", again=True) from None
        except (httpcore.NetworkError, httpcore.ProtocolError):
            raise FetchFailed("the connection failed", again=True) from None
        if moved is None:
            return file.tell()
        try:
            address = urljoin(address, moved)
        except ValueError:
            raise FetchFailed("it redirects to what is no address") from None
    raise FetchFailed(f"it redirects more than {REDIRECTS} times")


def safe_post(address: str, content: bytes, headers: Mapping[str, str], *, seconds: float, allowed: Allowed) -> int:
    """Send content to an address; the status of its answer, whose body is not read. Redirects are not followed.

    Raises:
        AddressRefused: the address may not be called.
        FetchFailed: nobody there, too slow, or no HTTP.
    """
    deadline = time.monotonic() + seconds
    place = addresses.parse(address, allowed)
    try:
        line = _Line(addresses.resolve(place, allowed), deadline, HEAD_BYTES)
        url = httpcore.URL(scheme=place.scheme, host=place.host, port=place.port, target=place.target)
        sent = [(b"Host", _host(place)), *HEADERS, (b"Content-Length", str(len(content)).encode())]
        sent += [(name.encode(), value.encode()) for name, value in headers.items()]
        with (
            httpcore.ConnectionPool(ssl_context=_trusted(), network_backend=line) as pool,
            pool.stream("POST", url, headers=sent, content=content) as response,
        ):
            return int(response.status)
    except OSError:
        raise FetchFailed(f"the name {place.host[:100]} is not known", again=True) from None
    except _TooMuch:
        raise FetchFailed("the answer has too many bytes of headers", again=True) from None
    except httpcore.TimeoutException:
        raise FetchFailed(f"it took longer than {seconds:g} seconds", again=True) from None
    except (httpcore.NetworkError, httpcore.ProtocolError):
        raise FetchFailed("the connection failed", again=True) from None


@dataclass(frozen=True)
class Answer:
    """What a server answered: its status, and its body where it was small enough to be read whole."""

    status: int
    body: bytes


class Exchange:
    """Requests to one server, one after the other over one connection; see `exchange`."""

    def __init__(self, host: Place, line: "_Line", pool: httpcore.ConnectionPool) -> None:
        self._host, self._line, self._pool = host, line, pool

    def send(
        self,
        method: str,
        target: str,
        content: bytes,
        headers: Mapping[str, str],
        *,
        seconds: float,
        most_bytes: int,
    ) -> Answer:
        """One request and its whole answer; a redirect is an answer like others and is not followed.

        Raises:
            FetchFailed: too slow, too large, compressed, or no HTTP.
        """
        place, self._line.deadline = self._host, time.monotonic() + seconds
        self._line.bytes_left = most_bytes + HEAD_BYTES
        url = httpcore.URL(scheme=place.scheme, host=place.host, port=place.port, target=target)
        sent = [(b"Host", _host(place)), *HEADERS, (b"Content-Length", str(len(content)).encode())]
        sent += [(name.encode(), value.encode()) for name, value in headers.items()]
        with (
            _in_words(place, seconds, most_bytes),
            self._pool.stream(method, url, headers=sent, content=content) as got,
        ):
            body = io.BytesIO()
            answered = {name.lower(): value for name, value in got.headers}
            if answered.get(b"content-encoding", b"identity").strip().lower() != b"identity":
                raise FetchFailed("the server sent it compressed although that was not asked for", again=True)
            _write(got.iter_stream(), answered.get(b"content-length", b""), body, most_bytes)
            return Answer(int(got.status), body.getvalue())


@contextmanager
def exchange(address: str, *, allowed: Allowed) -> Iterator[Exchange]:
    """A line to the server of an address. Its name is looked up once, and every request goes to what was checked.

    Raises:
        AddressRefused: the address may not be called.
        FetchFailed: its name is not known.
    """
    place = addresses.parse(address, allowed)
    try:
        line = _Line(addresses.resolve(place, allowed), 0.0, 0)
    except OSError:
        raise FetchFailed(f"the name {place.host[:100]} is not known", again=True) from None
    with httpcore.ConnectionPool(ssl_context=_trusted(), max_connections=1, network_backend=line) as pool:
        yield Exchange(place, line, pool)


@contextmanager
def _in_words(place: Place, seconds: float, most_bytes: int) -> Iterator[None]:
    try:
        yield
    except _TooMuch:
        raise FetchFailed(f"it has more than {most_bytes:,} bytes", again=True) from None
    except httpcore.TimeoutException:
        raise FetchFailed(f"it took longer than {seconds:g} seconds", again=True) from None
    except httpcore.ConnectError:
        raise FetchFailed(f"nobody answers at {place.host[:100]}, port {place.port}", again=True) from None
    except (httpcore.NetworkError, httpcore.ProtocolError):
        raise FetchFailed("the connection failed", again=True) from None


class _TooMuch(Exception):
    """More bytes came than are wanted."""


@dataclass
class _Line(httpcore.NetworkBackend):
    """Connects to the checked addresses only, and ends when time or bytes are used up."""

    numeric: Sequence[str]
    deadline: float
    bytes_left: int

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the first address that answers; `host` was resolved before and is not looked at."""
        last: Exception = httpcore.ConnectError("no address")
        for each in self.numeric:
            try:
                wait = min(CONNECT_SECONDS, self.left())
                return _Bounded(httpcore.SyncBackend().connect_tcp(each, port, wait), self)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last

    def left(self) -> float:
        """Seconds until the deadline; raises ReadTimeout behind it."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left


class _Bounded(httpcore.NetworkStream):
    """A connection under the line's limits. Each read is short of the deadline, so that no drip keeps it open."""

    def __init__(self, stream: httpcore.NetworkStream, line: _Line) -> None:
        self._stream = stream
        self._line = line

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        piece = self._stream.read(max_bytes, self._line.left())
        self._line.bytes_left -= len(piece)
        if self._line.bytes_left < 0:
            raise _TooMuch
        return piece

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._line.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Bounded(self._stream.start_tls(ssl_context, server_hostname, self._line.left()), self._line)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _get(place: Place, line: _Line, file: BinaryIO, most_bytes: int) -> str | None:
    """One request; where the answer redirects to, or None when the content is in the file."""
    url = httpcore.URL(scheme=place.scheme, host=place.host, port=place.port, target=place.target)
    headers = [(b"Host", _host(place)), *HEADERS]
    with (
        httpcore.ConnectionPool(ssl_context=_trusted(), network_backend=line) as pool,
        pool.stream("GET", url, headers=headers) as response,
    ):
        answered = {name.lower(): value for name, value in response.headers}
        if response.status in MOVED and b"location" in answered:
            return answered[b"location"].decode("latin-1")
        if response.status != 200:
            again = response.status == 429 or response.status >= 500
            raise FetchFailed(f"the server answered with status {response.status}", again=again)
        if answered.get(b"content-encoding", b"identity").strip().lower() != b"identity":
            raise FetchFailed("the server sent it compressed although that was not asked for")
        _write(response.iter_stream(), answered.get(b"content-length", b""), file, most_bytes)
    return None


def _write(pieces: Iterable[bytes], announced: bytes, file: BinaryIO, most_bytes: int) -> None:
    if announced.isdigit() and len(announced) < 20 and int(announced) > most_bytes:
        raise _TooMuch
    file.seek(0)
    file.truncate()
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > most_bytes:
            raise _TooMuch
        file.write(piece)


def _host(place: Place) -> bytes:
    name = f"[{place.host}]" if ":" in place.host else place.host
    return (name if place.port == addresses.PORTS[place.scheme] else f"{name}:{place.port}").encode()


@cache
def _trusted() -> ssl.SSLContext:
    return httpx.create_ssl_context()
