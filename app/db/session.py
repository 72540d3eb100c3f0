"""The database: two kinds of sessions, and how requests wait for them."""

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from app.core.clock import Clock, monotonic_clock
from app.core.text import write_json
from app.db.gathering import Gathering, Waiting
from app.db.writer import PostgresqlWriter, Result, SqliteWriter, WriteSession

SQLITE_PRAGMAS = (
    "journal_mode=wal",
    "synchronous=full",
    "fullfsync=on",
    "busy_timeout=10000",
    "foreign_keys=on",
    "secure_delete=on",  # what is deleted or changed is overwritten in the file: erasure has to mean it
    "cache_size=-8192",
    "temp_store=memory",
    # A log of up to 64 MB: a large import touches the same index pages again and again, and checkpoints at the usual
    # 4 MB wrote them each time (a quarter of its rate).
    "wal_autocheckpoint=16000",
)
AGAIN_LATER = ("08", "40", "53", "57")  # SQLSTATE: connection, rollback, resources, an operator's intervention
CLOCK = text("SELECT clock_timestamp()")
CLOCK_SECONDS = 5.0  # how long PostgreSQL's clock is followed before it is read again
# Few threads wait for PostgreSQL on behalf of all requests: among 40 that fought for the interpreter's lock a lease
# took twice as long, and a sixth of the processor's time went into waking them.
LOOK_LANES, STORE_LANES = 2, 3
LOOK_CONNECTIONS = LOOK_LANES + 2  # and of what is found by key: tokens and cookies
MOST_FOUND = 64  # keys of one statement
IDLE_SECONDS = 5.0  # a PostgreSQL connection that rested longer is tried before it is used
# A server whose machine is gone is noticed after half a minute, not after the two hours of the system.
LIVELY = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


class ReadSession(Session):
    """Reads only; on SQLite every select is its own snapshot."""


Find = Callable[[ReadSession, Sequence[str], datetime], Mapping[str, Result]]


class Database:
    """The engines of one process. Sessions are taken with `read()` and `write()`.

    `clock` gives the time on SQLite; on PostgreSQL the server's clock is the only one.
    """

    def __init__(self, url: str, *, clock: Clock | None = None, pool_size: int = 10) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._clock = clock or monotonic_clock()
        self._fixed_clock = clock
        self._clock_reading = (-math.inf, datetime.min.replace(tzinfo=UTC))  # PostgreSQL's, and when it was read
        self._look_lanes = ThreadPoolExecutor(LOOK_LANES, "look")  # threads start when they are first needed
        self._store_lanes = ThreadPoolExecutor(STORE_LANES, "store alone")
        self._finding: dict[Any, Gathering] = {}  # by what finds
        self._questions: dict[int, Any] = {}  # what services remember of projects; see app/services/tasks
        self.settled = 0  # up to which annotation nothing can appear any more; see app/services/feed
        if self.is_sqlite:
            if self.url.database:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.reading = _sqlite_engine(url, write=False)
            self.writing = _sqlite_engine(url, write=True)
            # A pool of its own: what is looked up in place must never wait for the slow reads of other threads.
            self._looking = _sqlite_engine(url, write=False)
            self._writer: SqliteWriter | PostgresqlWriter = SqliteWriter(self.writing, self._dress)
        else:
            self.reading = self.writing = _postgresql_engine(url, pool_size, max_overflow=5)
            # Connections of their own that commit by themselves: no BEGIN, no ROLLBACK, nothing to turn back.
            self._looking = _postgresql_engine(
                url, LOOK_CONNECTIONS, max_overflow=0, pool_reset_on_return=None, autocommit=True
            )
            self._writer = PostgresqlWriter(self.writing, self._dress)

    @contextmanager
    def read(self) -> Iterator[ReadSession]:
        """A session for reading."""
        with ReadSession(bind=self.reading) as session:
            self._dress(session)
            yield session

    @contextmanager
    def write(self) -> Iterator[WriteSession]:
        """A transaction: committed when the block ends, before the caller goes on; rolled back on any error."""
        if isinstance(self._writer, SqliteWriter):
            with self._writer.alone() as session:
                yield session
            return
        with WriteSession(bind=self.writing) as session, session.begin():
            self._dress(session)
            yield session
            session.end()

    async def look_up(self, work: Callable[[ReadSession], Result]) -> Result:
        """What `work` reads by an index: on SQLite in place, as a thread's turn costs more than the read does."""
        if self.is_sqlite:
            return self._look(work)
        return await asyncio.get_running_loop().run_in_executor(self._look_lanes, self._look, work)

    async def find(self, work: Find[Result], key: str) -> Result | None:
        """What `work` finds for a key, looked up together with the keys that others wait for at the same time.

        `work` gets a session, the keys and the time, and gives what it found of them.
        """
        if self.is_sqlite:
            return self._look(lambda session: work(session, [key], self.now())).get(key)
        gathering = self._finding.get(work)
        if gathering is None:
            gathering = self._finding[work] = Gathering("find", 1, MOST_FOUND, lambda asked: self._find(work, asked))
        found: Result | None = await gathering.ask(key)
        return found

    async def store(self, work: Callable[[WriteSession], Result]) -> Result:
        """What `work` returned, once its transaction is committed; on SQLite requests at once share a commit.

        An error of `work` undoes what it wrote and is raised here. It runs in the caller's context.
        """
        if self.is_sqlite:
            return await self._writer.together(work)
        run = copy_context().run
        return await asyncio.get_running_loop().run_in_executor(self._store_lanes, run, self._writing, work)

    async def store_together(self, work: Callable[[WriteSession], Result]) -> Result:
        """The same, where requests at once share a commit on PostgreSQL too.

        The work may then be run twice, so that it must do nothing but read and write in its session, and what it locks
        it holds until the others are done: nothing that many wait for.
        """
        return await self._writer.together(work)

    def _look(self, work: Callable[[ReadSession], Result]) -> Result:
        with ReadSession(bind=self._looking) as session:
            self._dress(session)
            return work(session)

    def _find(self, work: Find[Any], asked: Sequence[Waiting]) -> None:
        moment = self.now()
        found = self._look(lambda session: work(session, list({request.what for request in asked}), moment))
        for request in asked:
            request.result = found.get(request.what)

    def _writing(self, work: Callable[[WriteSession], Result]) -> Result:
        with self.write() as session:
            return work(session)

    def _dress(self, session: Session) -> None:
        """Give a session its clock (PostgreSQL has its own) and what is remembered of projects."""
        session.info["questions"] = self._questions
        if self.is_sqlite or self._fixed_clock is not None:
            session.info["now"] = self._clock

    def now(self) -> datetime:
        """The time that sign-ins and tokens are judged by, and pages show.

        PostgreSQL's clock is read every few seconds and followed in between; leases and jobs ask it each time.
        """
        if self.is_sqlite or self._fixed_clock is not None:
            return self._clock()
        read_at, moment = self._clock_reading
        since = time.monotonic() - read_at
        if since > CLOCK_SECONDS:
            with self.reading.connect() as connection:
                moment = connection.execute(CLOCK).scalar_one().astimezone(UTC)
            self._clock_reading, since = (time.monotonic(), moment), 0.0
        return moment + timedelta(seconds=since)

    def dispose(self) -> None:
        """Close every connection, after the writes that wait already."""
        self._writer.stop()
        for gathering in self._finding.values():
            gathering.stop()
        self._look_lanes.shutdown()
        self._store_lanes.shutdown()
        self.reading.dispose()
        self._looking.dispose()
        self.writing.dispose()


def now(session: WriteSession) -> datetime:
    """The database's time inside a write transaction."""
    clock: Callable[[], datetime] | None = session.info.get("now")
    if clock is not None:
        return clock()
    moment: datetime = session.connection().execute(CLOCK).scalar_one()
    return moment.astimezone(UTC)


def is_busy(error: DBAPIError) -> bool:
    """Whether the database asks to try again later: locked, out of connections, restarted, a serialisation failure.

    PostgreSQL says so by the class of its state; an error of its client that has no state is one of the connection.
    """
    state = getattr(error.orig, "sqlstate", "")  # SQLite's errors have no such attribute
    if error.connection_invalidated or (state is None and isinstance(error, OperationalError)):
        return True
    words = str(error.orig).lower()
    signs = ("locked", "busy", "deadlock", "could not serialize", "connection", "starting up")
    return (state or "")[:2] in AGAIN_LATER or any(sign in words for sign in signs)


def is_full(error: DBAPIError) -> bool:
    """Whether the database could not write for want of room."""
    words = str(error.orig).lower()
    return any(sign in words for sign in ("disk is full", "disk i/o error", "no space left", "disk full"))


def is_damaged(error: DBAPIError) -> bool:
    """Whether the database says that what it read is not what it wrote."""
    words = str(error.orig).lower()
    signs = ("malformed", "not a database", "corrupt", "invalid page", "checksum")
    return any(sign in words for sign in signs)


def _common() -> dict[str, Any]:
    """What both kinds of engine are made with; values stay out of the texts of errors, which go to the log."""
    return {"json_serializer": write_json, "json_deserializer": orjson.loads, "hide_parameters": True}


def _postgresql_engine(url: str, pool_size: int, *, autocommit: bool = False, **more: Any) -> Engine:
    """Connections that rested are tried first, so that a restart of the server costs no request; busy ones are not."""
    engine = create_engine(
        url,
        pool_size=pool_size,
        pool_timeout=10,
        pool_recycle=3600,
        connect_args={**LIVELY, "autocommit": autocommit},
        **_common(),
        **more,
    )

    @event.listens_for(engine, "connect")
    def _set(connection: Any, _record: Any) -> None:
        """What is acknowledged is on disk, also where the server's own setting says otherwise; nothing is compiled.

        PostgreSQL compiles a statement that it takes for long, and then a lease that looks at fifty items takes 100 ms.
        """
        with connection.cursor() as cursor:
            cursor.execute("SET jit = off")
            if cursor.execute("SHOW synchronous_commit").fetchone() == ("off",):
                cursor.execute("SET synchronous_commit = on")
        connection.commit()

    @event.listens_for(engine, "checkin")
    def _rests(_connection: Any, record: Any) -> None:
        record.info["rests_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _try_a_rested_one(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("rests_since", math.inf) > IDLE_SECONDS:
            try:
                engine.dialect.do_ping(connection)
            except Exception as error:
                raise DisconnectionError from error  # the pool opens another one

    return engine


def _sqlite_engine(url: str, *, write: bool) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1 if write else 8,
        max_overflow=0 if write else 8,
        pool_timeout=10,
        connect_args={"isolation_level": None, "timeout": 10, "check_same_thread": False},
        **_common(),
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
