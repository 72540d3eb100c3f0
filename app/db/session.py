"""The database: two kinds of sessions, and the group commit that shares one sync among many answers."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from app.core.clock import Clock, monotonic_clock
from app.core.text import write_json

SQLITE_PRAGMAS = (
    "journal_mode=wal",
    "synchronous=full",
    "fullfsync=on",
    "busy_timeout=10000",
    "foreign_keys=on",
    "cache_size=-8192",
    "temp_store=memory",
)
BATCH_WRITES = 64  # one commit carries at most so many requests
BATCH_SECONDS = 0.02  # and is not put off for longer


class ReadSession(Session):
    """Reads only; on SQLite every select is its own snapshot."""


class WriteSession(Session):
    """One transaction that is committed before its caller goes on."""


class _Batch:
    """The requests that share one commit."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.writes = 0
        self.started = time.monotonic()
        self.committed = threading.Event()
        self.error: BaseException | None = None


class GroupCommit:
    """Lets waiting writers share one SQLite transaction, so that one sync to disk serves them all.

    Each writer works alone inside its own savepoint; the last one in line commits and wakes the others. A
    writer goes on only after the commit that carries its rows, and hears of it when that commit failed.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()
        self._count = threading.Lock()
        self._waiting = 0
        self._batch: _Batch | None = None

    @contextmanager
    def write(self) -> Iterator[WriteSession]:
        with self._count:
            self._waiting += 1
        self._turn.acquire()
        with self._count:
            self._waiting -= 1
        batch = None
        try:
            batch = self._join()
            with WriteSession(bind=batch.connection, join_transaction_mode="create_savepoint") as session:
                yield session
                session.commit()
        finally:
            try:
                if batch is not None:
                    self._finish_if_last(batch)
            finally:
                self._turn.release()
        batch.committed.wait()
        if batch.error is not None:
            raise batch.error

    def _join(self) -> _Batch:
        if self._batch is None:
            connection = self._engine.connect()
            try:
                connection.begin()
            except BaseException:
                connection.close()
                raise
            self._batch = _Batch(connection)
        self._batch.writes += 1
        return self._batch

    def _finish_if_last(self, batch: _Batch) -> None:
        with self._count:
            alone = self._waiting == 0
        old = time.monotonic() - batch.started > BATCH_SECONDS
        if not (alone or old or batch.writes >= BATCH_WRITES):
            return
        self._batch = None
        try:
            batch.connection.commit()
        except BaseException as error:
            batch.error = error
            batch.connection.rollback()
        finally:
            batch.connection.close()
            batch.committed.set()


class Database:
    """The engines of one process. Sessions are taken with `read()` and `write()`.

    `clock` gives the time on SQLite; on PostgreSQL the server's clock is the only one.
    """

    def __init__(self, url: str, *, clock: Clock | None = None, pool_size: int = 10) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._clock = clock or monotonic_clock()
        self._fixed_clock = clock
        if self.is_sqlite:
            if self.url.database:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.reading = _sqlite_engine(url, write=False)
            self.writing = _sqlite_engine(url, write=True)
            self._group: GroupCommit | None = GroupCommit(self.writing)
        else:
            self.reading = self.writing = create_engine(
                url, pool_size=pool_size, max_overflow=5, pool_timeout=10, pool_pre_ping=True, **_json()
            )
            self._group = None

    @contextmanager
    def read(self) -> Iterator[ReadSession]:
        """A session for reading."""
        with ReadSession(bind=self.reading) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[WriteSession]:
        """A transaction: committed when the block ends, before the caller goes on; rolled back on any error."""
        if self._group is not None:
            with self._group.write() as session:
                session.info["now"] = self._clock
                yield session
            return
        with WriteSession(bind=self.writing) as session, session.begin():
            if self._fixed_clock is not None:
                session.info["now"] = self._fixed_clock
            yield session

    def now(self) -> datetime:
        """The time that leases and jobs are judged by."""
        if self.is_sqlite or self._fixed_clock is not None:
            return self._clock()
        with self.reading.connect() as connection:
            moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            return moment.astimezone(UTC)

    def dispose(self) -> None:
        """Close every connection."""
        self.reading.dispose()
        self.writing.dispose()


def now(session: WriteSession) -> datetime:
    """The database's time inside a write transaction."""
    clock: Callable[[], datetime] | None = session.info.get("now")
    if clock is not None:
        return clock()
    moment: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment.astimezone(UTC)


def is_busy(error: OperationalError) -> bool:
    """Whether the database asks to try again later: locked, out of connections, a serialisation failure."""
    words = str(error.orig).lower()
    return any(sign in words for sign in ("locked", "busy", "deadlock", "could not serialize", "connection"))


def is_full(error: OperationalError) -> bool:
    """Whether the database could not write for want of room."""
    words = str(error.orig).lower()
    return any(sign in words for sign in ("disk is full", "disk i/o error", "no space left", "disk full"))


def _json() -> dict[str, Any]:
    return {"json_serializer": write_json, "json_deserializer": orjson.loads}


def _sqlite_engine(url: str, *, write: bool) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1 if write else 8,
        max_overflow=0 if write else 8,
        pool_timeout=10,
        connect_args={"isolation_level": None, "timeout": 10, "check_same_thread": False},
        **_json(),
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        for pragma in SQLITE_PRAGMAS:
            connection.execute(f"pragma {pragma}")

    if write:

        @event.listens_for(engine, "begin")
        def _take_the_write_lock(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
