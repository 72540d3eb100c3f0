"""A connection that goes wrong: a small proxy between people and the server, or between the server and PostgreSQL."""

import asyncio
import random
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
PIECE = 65_536
DELAY_SECONDS = 0.3


class Proxy:
    """Passes bytes on, on a thread of its own. `wrong` decides by chance what becomes of an exchange over HTTP.

    cut: the server has answered, and the client never hears of it; delay: it hears late; double: the request is sent
    twice, on two connections at once; lost: the request never arrives.
    """

    def __init__(self, target: int | str, *, seed: int, share: float = 0.0) -> None:
        self._target, self._share = target, share
        self._random = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.made: Counter[str] = Counter()
        self.stalled = False  # nothing is passed on, and nobody is told
        self.closed = False  # nobody is let in

    def wrong(self) -> str:
        """What becomes of the next exchange."""
        kind = self._random.choice(("cut", "delay", "double", "lost")) if self._random.random() < self._share else ""
        if kind:
            self.made[kind] += 1
        return kind

    def cut_all(self) -> None:
        """Cut every connection there is."""
        self._loop.call_soon_threadsafe(self._abort)

    def _abort(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, int):
            return await asyncio.open_connection("127.0.0.1", self._target)
        return await asyncio.open_unix_connection(self._target)

    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client that speaks HTTP, request by request."""
        self._open.add(writer)
        try:
            far = await self._connect()
            while request := await _message(reader):
                kind = self.wrong()
                if kind == "lost":
                    break
                twin = asyncio.ensure_future(self._again(request)) if kind == "double" else None
                far[1].write(request)
                answer = await _message(far[0])
                if twin is not None:
                    await twin
                if kind == "cut":
                    break
                await asyncio.sleep(DELAY_SECONDS if kind == "delay" else 0)
                writer.write(answer)
                await writer.drain()
            far[1].close()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _again(self, request: bytes) -> None:
        far = await self._connect()
        far[1].write(request)
        with suppress(OSError, asyncio.IncompleteReadError):
            await _message(far[0])
        far[1].close()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass bytes of any protocol on, both ways."""
        if self.closed:
            writer.transport.abort()
            return
        far = (asyncio.StreamReader(), writer)
        try:
            far = await self._connect()
            self._open |= {writer, far[1]}
            await asyncio.gather(self._pass(reader, far[1]), self._pass(far[0], writer))
        except OSError:
            pass
        finally:
            self._open -= {writer, far[1]}
            writer.transport.abort()
            far[1].transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(PIECE):
            while self.stalled:  # noqa: ASYNC110  # another thread says when
                await asyncio.sleep(0.05)
            writer.write(piece)
            await writer.drain()
        raise OSError("ended")

    def run(self, serve: Any, ready: threading.Event) -> None:
        """Listen until the loop is stopped."""
        asyncio.set_event_loop(self._loop)
        listening = self._loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", self.port))
        self.port = listening.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        listening.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    def stop(self) -> None:
        """End the thread's loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)


async def _message(reader: asyncio.StreamReader) -> bytes:
    """One request or answer with its body; empty at the end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    found = LENGTH.search(head)
    return head + (await reader.readexactly(int(found.group(1))) if found else b"")


@contextmanager
def between(target: int | str, *, seed: int = 0, share: float = 0.0, http: bool = True) -> Iterator[Proxy]:
    """A running proxy before a port, or before a socket file."""
    proxy, ready = Proxy(target, seed=seed, share=share), threading.Event()
    thread = threading.Thread(target=proxy.run, args=(proxy.exchange if http else proxy.pump, ready), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join(10)
