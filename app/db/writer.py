"""SQLite's one writer: requests that wait together share one transaction, so that one sync to disk serves them all."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

Result = TypeVar("Result")
BATCH_WRITES = 64  # one commit carries at most so many requests


class WriteSession(Session):
    """One transaction that is committed before its caller goes on."""

    _core: Connection | None = None

    @property
    def core(self) -> Connection:
        """The transaction's connection, for statements that are made once; asked for once, as that costs too.

        Inside `begin_nested` the session is asked each time: it sets the savepoint when it is first used there.
        """
        if self.in_nested_transaction():
            return self.connection()
        if self._core is None:
            self._core = self.connection()
        return self._core


class RolledBack(Exception):
    """The database undid the whole transaction of several requests: nothing of theirs is stored."""


@dataclass
class _Write:
    """One request's work, and where its outcome is waited for."""

    work: Callable[[WriteSession], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        """Wake the request; one whose client has gone is not waited for any more."""
        if self.future.cancelled():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Writer:
    """Runs every write of this process one after the other.

    Each request works inside its own savepoint, so that a refused one takes nothing of its neighbours along; it
    goes on only after the commit that carries its rows, and hears of it when that commit failed.
    `dress` prepares each session before its work.
    """

    def __init__(self, engine: Engine, dress: Callable[[WriteSession], None]) -> None:
        self._engine = engine
        self._dress = dress
        self._turn = threading.Lock()
        self._waiting: SimpleQueue[_Write | None] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def alone(self) -> Iterator[WriteSession]:
        """A transaction of one's own: committed when the block ends, rolled back on any error."""
        with self._turn, WriteSession(bind=self._engine) as session, session.begin():
            self._dress(session)
            yield session

    async def together(self, work: Callable[[WriteSession], Result]) -> Result:
        """Run the work in a transaction that it may share with others; what it returned, once that is committed."""
        loop = asyncio.get_running_loop()
        write = _Write(work, loop, loop.create_future())
        self._start()
        self._waiting.put(write)
        result: Result = await write.future
        return result

    def stop(self) -> None:
        """End the thread after what waits already."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None

    def _start(self) -> None:
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._serve, name="writer", daemon=True)
                    self._thread.start()

    def _serve(self) -> None:
        while (first := self._waiting.get()) is not None:
            writes = [first]
            last = False
            while len(writes) < BATCH_WRITES and not last:
                try:
                    more = self._waiting.get_nowait()
                except Empty:
                    break
                if more is None:
                    last = True
                else:
                    writes.append(more)
            self._store(writes)
            _settle(writes)
            if last:
                return

    def _store(self, writes: Sequence[_Write]) -> None:
        """One transaction of several requests; whatever goes wrong with it, each of them hears of it."""
        try:
            with self._turn, self._engine.connect() as connection, connection.begin():
                for write in writes:
                    self._run(write, connection)
                    if not _in_transaction(connection):
                        raise RolledBack("the database undid this and other writes") from write.error
        except BaseException as error:
            for write in writes:
                if write.error is None or isinstance(error, RolledBack):
                    write.error = error.__cause__ if isinstance(error, RolledBack) and error.__cause__ else error

    def _run(self, write: _Write, connection: Connection) -> None:
        try:
            with WriteSession(bind=connection, join_transaction_mode="create_savepoint") as session:
                self._dress(session)
                write.result = write.work(session)
                session.commit()
        except BaseException as error:
            write.error = error


def _in_transaction(connection: Connection) -> bool:
    """Whether the transaction still stands: SQLite undoes it as a whole when the disk is full or fails."""
    return bool(connection.connection.dbapi_connection.in_transaction)  # type: ignore[union-attr]  # sqlite3's own


def _settle(writes: Sequence[_Write]) -> None:
    """Wake the requests, those of one event loop by one call."""
    for loop in {write.loop for write in writes}:
        own = [write for write in writes if write.loop is loop]
        try:
            loop.call_soon_threadsafe(_settle_all, own)
        except RuntimeError:  # the loop was closed: nobody waits there any more
            continue


def _settle_all(writes: Sequence[_Write]) -> None:
    for write in writes:
        write.settle()
