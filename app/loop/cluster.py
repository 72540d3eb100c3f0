"""Shards scored on a Dask cluster, behind the same interface as the threads of one process.

What a round computes is pickled once and sent in pieces; a task names a few shards, which its machine reads where they
lie, and sends back the best of them. The cluster holds no truth: a machine that is lost has its tasks done by another,
and when the scheduler is lost the round is run again from its rows.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from uuid import uuid4

import numpy as np

S = TypeVar("S")
R = TypeVar("R")

INSTALL = "pip install 'labelwise[dask]'"
CONNECT_SECONDS = 5.0
ALONE_SECONDS = 30.0  # for which a round waits while the scheduler has no worker
LOOK_SECONDS = 1.0
PIECE = 4_000_000  # bytes that are sent at once
ROOMS = ("core", "features", "learners", "loop", "strategies")  # whose code runs on the workers
TASK_ROWS = 100_000  # that a task should see at least: sending one takes some milliseconds


class NotInstalled(RuntimeError):
    """The library is missing; the message says what to install."""


class ClusterUnavailable(Exception):
    """The cluster cannot do the work now; the message is for people, and the round is to be run again later."""


def library() -> Any:
    """The module `distributed`, imported when it is needed.

    Raises:
        NotInstalled: it is not there.
    """
    try:
        import cloudpickle  # noqa: F401  # one of its own dependencies
        import dask
        import distributed
    except ImportError:
        raise NotInstalled(f"a Dask scheduler needs the library distributed: {INSTALL}") from None
    dask.config.set({"distributed.comm.timeouts.connect": f"{CONNECT_SECONDS}s"})
    return distributed


class DaskExecutor:
    """The workers of one scheduler; a context that connects, looks whether they can do the work, and leaves again."""

    rows_at_once = TASK_ROWS

    def __init__(self, address: str) -> None:
        self.address = address
        self.workers = 0  # how many there were when it connected
        self._distributed = library()
        self._client: Any = None
        self._ahead = 0

    def __enter__(self) -> "DaskExecutor":
        try:
            self._client = self._distributed.Client(self.address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            raise ClusterUnavailable(f"the Dask scheduler at {self.address} cannot be reached") from error
        try:
            threads = self._asked(self._client.nthreads)
            if not threads:
                raise ClusterUnavailable(f"the Dask scheduler at {self.address} has no worker")
            self._check(self._asked(lambda: self._client.run(versions)))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.workers, self._ahead = len(threads), 2 * sum(threads.values()) + 2
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close(timeout=2)

    def map_shards(self, function: Callable[[S], R], parts: Iterable[S]) -> Iterator[R]:
        """Apply the function to every part on some worker; results as they come.

        Raises:
            ClusterUnavailable: the scheduler or all workers are lost.
            RuntimeError: a worker cannot read a shard, or died of one again and again.
        """
        pieces = self._sent(function)
        parts = iter(parts)
        waiting: set[Any] = set()
        while True:
            for part in parts:
                waiting.add(self._submit(_work, pieces, _pickled(part)))
                if len(waiting) >= self._ahead:
                    break
            if not waiting:
                return
            done = self._some_done(waiting)
            waiting -= done
            for future in done:
                yield self._result(future)

    def _sent(self, function: Callable[..., Any]) -> list[Any]:
        """The function on the cluster, in pieces that are made anew where the worker that held one is lost."""
        whole = _pickled(function)
        return [self._submit(_hold, whole[start : start + PIECE]) for start in range(0, len(whole), PIECE)]

    def _submit(self, work: Callable[..., Any], *given: Any) -> Any:
        key = f"labelwise-{uuid4().hex}"
        return self._asked(lambda: self._client.submit(work, *given, key=key, pure=False))

    def _some_done(self, waiting: set[Any]) -> set[Any]:
        alone_since: float | None = None
        while True:
            try:
                return self._asked(lambda: self._wait(list(waiting)))
            except TimeoutError:
                moment = time.monotonic()
                alone_since = None if self._asked(self._client.nthreads) else alone_since or moment
                if alone_since is not None and moment - alone_since > ALONE_SECONDS:
                    raise ClusterUnavailable(f"no worker of the Dask scheduler at {self.address} is left") from None

    def _wait(self, waiting: list[Any]) -> set[Any]:
        with self._client.as_current():
            done, _ = self._distributed.wait(waiting, timeout=LOOK_SECONDS, return_when="FIRST_COMPLETED")
        return set(done)

    def _result(self, future: Any) -> Any:
        try:
            return self._asked(future.result)
        except FileNotFoundError as error:
            raise RuntimeError(
                f"a Dask worker does not find {error.filename}: the data folder must be there under the same path, or "
                "the features at an address (shards_address)"
            ) from error
        except self._distributed.scheduler.KilledWorker as error:
            raise RuntimeError("a shard ended several Dask workers, most often for want of memory") from error

    def _asked(self, call: Callable[[], R]) -> R:
        """What the cluster answers; a lost connection in words."""
        try:
            return call()
        except TimeoutError:
            if self._client.status == "running":
                raise
            raise self._lost() from None
        except (self._distributed.client.CancelledError, self._distributed.comm.CommClosedError) as error:
            raise self._lost() from error
        except (OSError, RuntimeError) as error:
            if self._client.status == "running":
                raise
            raise self._lost() from error

    def _lost(self) -> ClusterUnavailable:
        return ClusterUnavailable(f"the Dask scheduler at {self.address} was lost while the round ran")

    def _check(self, found: dict[str, tuple[str, str]]) -> None:
        mine = versions()
        for worker, theirs in found.items():
            if theirs != mine:
                raise ClusterUnavailable(
                    f"the Dask worker {worker} has other versions (code {theirs[0]}, numpy {theirs[1]}) than this one "
                    f"(code {mine[0]}, numpy {mine[1]}): install the same everywhere"
                )


@lru_cache(maxsize=1)
def versions() -> tuple[str, str]:
    """What has to be the same on every machine for the same batch: the code that computes, as a hash, and numpy."""
    here = Path(__file__).resolve().parents[1]
    files = sorted(file for room in ROOMS for file in (here / room).rglob("*.py"))
    code = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return code[:12], np.__version__


def _pickled(what: Any) -> bytes:
    import cloudpickle

    found: bytes = cloudpickle.dumps(what)
    return found


def _hold(piece: bytes) -> bytes:
    return piece


def _work(pieces: list[bytes], part: bytes) -> Any:
    """On a worker: apply the function to one part."""
    import cloudpickle

    return _function(tuple(pieces))(cloudpickle.loads(part))


@lru_cache(maxsize=4)
def _function(pieces: tuple[bytes, ...]) -> Callable[[Any], Any]:
    import cloudpickle

    made: Callable[[Any], Any] = cloudpickle.loads(b"".join(pieces))
    return made
