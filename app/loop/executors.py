"""Where shards are scored: here, one after the other or in threads, or on an engine with the same interface."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, TypeVar

from threadpoolctl import threadpool_limits

MOST_THREADS = 8  # by then the way to the memory is full

S = TypeVar("S")
R = TypeVar("R")


class Executor(Protocol):
    """Maps a function over parts of the pool; results come in any order, so they must not depend on it."""

    @property
    def rows_at_once(self) -> int:
        """How many rows one call should see at least, where shards are small: a call to another machine has a price."""
        ...

    def map_shards(self, function: Callable[[S], R], parts: Iterable[S]) -> Iterator[R]:
        """Apply the function to every part; an exception of any ends the round.

        Parts are drawn from the iterable only a few at a time, so that a later one can carry what is known by then.
        """
        ...


def one_thread() -> threadpool_limits:
    """While it is entered, the linear algebra library of this process has one thread.

    With two, whose work is small, threads wait for one another, and for a core that a third process has: judging a
    round took 8 s instead of 0.6 s so, a round over a million items 1.1 s instead of 0.75 s.
    """
    return threadpool_limits(1)


class LocalExecutor:
    """Threads of this process, one a core unless said: numpy leaves the interpreter's lock while it computes.

    The linear algebra library adds none of its own meanwhile, see `one_thread`.
    """

    rows_at_once = 1

    def __init__(self, threads: int | None = None) -> None:
        threads = threads or min(os.cpu_count() or 1, MOST_THREADS)
        self._limits = one_thread()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="shard")
        self._ahead = 2 * threads

    def map_shards(self, function: Callable[[S], R], parts: Iterable[S]) -> Iterator[R]:
        """Apply the function to every part, a few at a time; results in the order of the parts."""
        waiting: deque[Future[R]] = deque()
        for part in parts:
            waiting.append(self._pool.submit(function, part))
            if len(waiting) >= self._ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def __enter__(self) -> "LocalExecutor":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._limits.restore_original_limits()
