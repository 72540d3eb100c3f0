"""Requests that wait at the same time are served together: by one statement, or in one transaction."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any


@dataclass
class Waiting:
    """What somebody wants, and where its outcome is waited for."""

    what: Any
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        """Wake who waits; one whose client has gone is not waited for any more."""
        if self.future.cancelled():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Gathering:
    """Threads that serve what has come in since they last looked, at most `most` of them at a time.

    `serve` writes a result or an error into each request. A request that comes while all threads are busy waits for
    the next turn, so what serves it began after it came.
    """

    def __init__(self, name: str, threads: int, most: int, serve: Callable[[Sequence[Waiting]], None]) -> None:
        self._name, self._threads, self._most, self._serve = name, threads, most, serve
        self._waiting: SimpleQueue[Waiting] = SimpleQueue()
        self._turn = threading.Lock()
        self._busy = 0
        self._lanes: ThreadPoolExecutor | None = None

    async def ask(self, what: Any) -> Any:
        """The result for `what`; raises its error."""
        loop = asyncio.get_running_loop()
        request = Waiting(what, loop, loop.create_future())
        self._waiting.put(request)
        with self._turn:
            if self._busy < self._threads:
                self._started().submit(self._work)
                self._busy += 1
        return await request.future

    def stop(self) -> None:
        """End the threads after what waits already; they start again when something is asked."""
        with self._turn:
            lanes, self._lanes = self._lanes, None
        if lanes is not None:
            lanes.shutdown()

    def _started(self) -> ThreadPoolExecutor:
        if self._lanes is None:
            self._lanes = ThreadPoolExecutor(self._threads, self._name)
        return self._lanes

    def _work(self) -> None:
        while True:
            asked = self._taken()
            if asked:
                try:
                    self._serve(asked)
                except BaseException as error:
                    for request in asked:
                        request.error = error
                settle(asked)
                continue
            with self._turn:
                if self._waiting.empty():  # what comes from here on starts a thread of its own
                    self._busy -= 1
                    return

    def _taken(self) -> list[Waiting]:
        asked: list[Waiting] = []
        while len(asked) < self._most:
            try:
                asked.append(self._waiting.get_nowait())
            except Empty:
                break
        return asked


def settle(asked: Sequence[Waiting]) -> None:
    """Wake those who asked, those of one event loop by one call."""
    for loop in {request.loop for request in asked}:
        own = [request for request in asked if request.loop is loop]
        try:
            loop.call_soon_threadsafe(_settle_all, own)
        except RuntimeError:  # the loop was closed: nobody waits there any more
            continue


def _settle_all(asked: Sequence[Waiting]) -> None:
    for request in asked:
        request.settle()
