"""Writes of requests that wait together share one transaction, so that one sync to disk serves them all."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.db.gathering import Gathering, Waiting

Result = TypeVar("Result")
SQLITE_MOST = 64  # one commit carries at most so many requests
POSTGRESQL_MOST = 8  # fewer, as each waits for the statements of the others
POSTGRESQL_LANES = 2  # transactions of several requests at once: while one waits for the disk another one works


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

    def at_end(self, key: Hashable, work: "Ending") -> None:
        """Do this just before the commit: once for all requests of the transaction that ask for it by this key."""
        self.endings[key] = work

    @property
    def endings(self) -> "dict[Hashable, Ending]":
        """What is still to be done before the commit."""
        found: dict[Hashable, Ending] = self.info.setdefault("endings", {})
        return found

    def end(self) -> None:
        """Do what is to be done before the commit."""
        for work in self.endings.values():
            work(self)
        self.endings.clear()


Ending = Callable[[WriteSession], object]


class RolledBack(Exception):
    """The database undid the whole transaction of several requests: nothing of theirs is stored."""


class Refused(Exception):
    """One of several requests failed, and the transaction was undone for all of them."""


@dataclass(frozen=True)
class Work:
    """A request's work, and the context of the request to run it in."""

    do: Callable[[WriteSession], Any]
    context: Context


class Writer(ABC):
    """Runs the writes of requests, those that wait together in one transaction.

    Each goes on only after the commit that carries its rows, and hears of it when that commit failed; a refused one
    takes nothing of its neighbours along. `dress` prepares each session before its work.
    """

    name, lanes, most = "writer", 1, SQLITE_MOST

    def __init__(self, engine: Engine, dress: Callable[[WriteSession], None]) -> None:
        self._engine = engine
        self._dress = dress
        self._gathering = Gathering(self.name, self.lanes, self.most, self._store)

    async def together(self, work: Callable[[WriteSession], Result]) -> Result:
        """Run the work in a transaction that it may share with others; what it returned, once that is committed."""
        result: Result = await self._gathering.ask(Work(work, copy_context()))
        return result

    def stop(self) -> None:
        """End the threads after what waits already."""
        self._gathering.stop()

    @abstractmethod
    def _store(self, asked: Sequence[Waiting]) -> None:
        """Commit the works of those who asked, and write a result or an error into each."""

    def _run(self, waiting: Waiting, session: WriteSession) -> None:
        """The work of one request."""
        work: Work = waiting.what
        try:
            waiting.result, waiting.error = work.context.run(work.do, session), None
            session.flush()
        except BaseException as error:
            waiting.error = error


class SqliteWriter(Writer):
    """SQLite's: every write of this process one after the other, each request inside its own savepoint."""

    def __init__(self, engine: Engine, dress: Callable[[WriteSession], None]) -> None:
        super().__init__(engine, dress)
        self._turn = threading.Lock()

    @contextmanager
    def alone(self) -> Iterator[WriteSession]:
        """A transaction of one's own: committed when the block ends, rolled back on any error."""
        with self._turn, WriteSession(bind=self._engine) as session, session.begin():
            self._dress(session)
            yield session
            session.end()

    def _store(self, asked: Sequence[Waiting]) -> None:
        """One transaction of several requests; whatever goes wrong with it, each of them hears of it."""
        try:
            with self._turn, self._engine.connect() as connection, connection.begin():
                endings: dict[Hashable, Ending] = {}
                for waiting in asked:
                    with self._session(connection) as session:
                        self._run(waiting, session)
                        if waiting.error is None:
                            endings |= session.endings
                            session.commit()
                    if not _in_transaction(connection):
                        raise RolledBack("the database undid this and other writes") from waiting.error
                if endings:
                    with self._session(connection) as session:
                        session.endings.update(endings)
                        session.end()
                        session.commit()
        except BaseException as error:
            for waiting in asked:
                if waiting.error is None or isinstance(error, RolledBack):
                    waiting.error = error.__cause__ if isinstance(error, RolledBack) and error.__cause__ else error

    @contextmanager
    def _session(self, connection: Connection) -> Iterator[WriteSession]:
        with WriteSession(bind=connection, join_transaction_mode="create_savepoint") as session:
            self._dress(session)
            yield session


class PostgresqlWriter(Writer):
    """PostgreSQL's, for works that may be run twice and take no lock that others wait for.

    Savepoints would cost as much as transactions do. So the requests share one session without them, and where one of
    them fails all is undone and each is run by itself: that is rare, and then costs its neighbours a few milliseconds.
    """

    name, lanes, most = "store", POSTGRESQL_LANES, POSTGRESQL_MOST

    def _store(self, asked: Sequence[Waiting]) -> None:
        try:
            self._share(asked)
        except Refused:
            if len(asked) > 1:
                for waiting in asked:
                    self._store([waiting])
        except BaseException as error:
            for waiting in asked:
                waiting.error = error

    def _share(self, asked: Sequence[Waiting]) -> None:
        """All in one transaction; raises Refused where one of them failed, and nothing is stored.

        A connection that broke is no refusal of one: to try each anew would let all of them wait again.
        """
        with WriteSession(bind=self._engine) as session, session.begin():
            self._dress(session)
            for waiting in asked:
                self._run(waiting, session)
                if waiting.error is not None:
                    broken = isinstance(waiting.error, DBAPIError) and waiting.error.connection_invalidated
                    raise waiting.error if broken else Refused
            session.end()


def _in_transaction(connection: Connection) -> bool:
    """Whether the transaction still stands: SQLite undoes it as a whole when the disk is full or fails."""
    return bool(connection.connection.dbapi_connection.in_transaction)  # type: ignore[union-attr]  # sqlite3's own
