"""Where shards are scored: here, one after the other or in threads, or on an engine with the same interface."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, TypeVar

S = TypeVar("S")
R = TypeVar("R")


class Executor(Protocol):
    """Maps a function over shards; results come in any order, so they must not depend on it."""

    def map_shards(self, function: Callable[[S], R], shards: Sequence[S]) -> Iterable[R]:
        """Apply the function to every shard; an exception of any ends the round."""
        ...


class LocalExecutor:
    """Threads of this process: numpy leaves the interpreter's lock while it computes."""

    def __init__(self, threads: int = 2) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="shard")

    def map_shards(self, function: Callable[[S], R], shards: Sequence[S]) -> Iterable[R]:
        """Apply the function to every shard, a few at a time."""
        return self._pool.map(function, shards)

    def __enter__(self) -> "LocalExecutor":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
