"""What keeps answers safe, taken away one at a time: a harness that finds nothing then cannot find anything.

Only processes that a harness starts are changed, in memory; the product knows of no such switch.
"""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from sqlalchemy import create_engine, event, text, update
from sqlalchemy.pool import NullPool

from app import features
from app.api import errors
from app.cli import serve
from app.core import clock, contents
from app.db import Database, Job, gathering, migrate
from app.db import session as sessions
from app.db.gathering import Waiting
from app.db.writer import Writer
from app.services import annotations, answers, filed, jobs, recounting, turn

LATE_SECONDS = 0.05
HELD_SECONDS = 2.0
KEPT_BYTES = 100_000
TAKEN: list[tuple[Any, str, Any]] = []  # what stood where something else was put


def remove(name: str) -> None:
    """Take a guard away in this process; nothing for no name."""
    if name:
        GUARDS[name]()


def put(place: Any, name: str, value: Any) -> None:
    """Put something else in the place of a part of the product."""
    TAKEN.append((place, name, getattr(place, name)))
    setattr(place, name, value)


def hungry(size: int) -> None:
    """Let each round of this process need so many bytes more."""
    propose = vars(turn)["propose"]

    def with_much(*given: Any, **more: Any) -> Any:
        held = np.ones(size // 8)
        return propose(*given, **more) if held.size else None

    put(turn, "propose", with_much)


def restore() -> None:
    """Put everything back in this process."""
    while TAKEN:
        setattr(*TAKEN.pop())


def shifted(file: Path) -> type[datetime]:
    """A `datetime` whose clock is wrong by the seconds in a file, read each time."""

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=float(file.read_text() or 0))

    return Shifted


def _answer_before_commit() -> None:
    """People hear of their answer a moment before it is committed."""
    run, settle = Writer._run, Waiting.settle

    def early(self: Writer, request: Waiting, *more: Any) -> None:
        run(self, request, *more)
        gathering.settle([request])
        time.sleep(LATE_SECONDS)

    put(Waiting, "settle", lambda self: None if self.future.done() else settle(self))
    put(Writer, "_run", early)


def _no_idempotency() -> None:
    """An answer that is sent again is stored again: neither its key nor its lease is remembered."""
    held, store = answers.held, answers.store

    def forgetful(*given: Any) -> Any:
        row = held(*given)
        return SimpleNamespace(**{**row._mapping, "earlier": None, "state": "live"})

    def keyless(session: Any, lease: Any, person: Any, label: Any, _key: Any, *more: Any) -> Any:
        return store(session, lease, person, label, None, *more)

    put(annotations, "answers", SimpleNamespace(**{**vars(answers), "held": forgetful, "store": keyless}))


def _no_fence() -> None:
    """A worker that lost its job writes all the same."""

    def unfenced(self: jobs.Running, session: Any, cursor: Any = None, progress: Any = None) -> None:
        values = {"progress": progress} if progress is not None else {"attempt": self.attempt}
        session.execute(update(Job).where(Job.id == self.id).values(values))

    put(jobs.Running, "checkpoint", unfenced)
    put(jobs, "_held", lambda running: update(Job).where(Job.id == running.id))


def _no_sync_on_postgresql() -> None:
    """The server's own `synchronous_commit` counts, whatever it is."""
    made = sessions._postgresql_engine

    def unsynced(*given: Any) -> Any:
        engine = made(*given)

        @event.listens_for(engine, "connect")
        def _off(connection: Any, _record: Any) -> None:
            connection.execute("SET synchronous_commit = off")
            connection.commit()

        return engine

    put(sessions, "_postgresql_engine", unsynced)


def _no_sync_on_sqlite() -> None:
    kept = [each for each in sessions.SQLITE_PRAGMAS if "sync" not in each]
    put(sessions, "SQLITE_PRAGMAS", (*kept, "synchronous=off"))


def _wall_clock() -> None:
    """The system's clock is believed whenever it is asked, also where the database has one."""
    made = Database.__init__

    def with_wall(self: Database, url: str, **more: Any) -> None:
        made(self, url, **{**more, "clock": lambda: vars(clock)["datetime"].now(UTC)})

    put(Database, "__init__", with_wall)


def _no_checksums() -> None:
    """Files and pages are believed to be what was written."""
    for place in (filed, features):
        put(place, "fault", lambda _shard: None)
    put(filed, "sha256_of", lambda path: path.name)
    put(contents, "_matches", lambda *_: True)
    put(recounting, "integrity", lambda _db: [])


def _no_transaction() -> None:
    """Migrations run as SQLite's driver does by itself: statements of the schema outside of any transaction."""
    put(migrate, "_engine", lambda url, _is_sqlite: create_engine(url, poolclass=NullPool))


def _think_in_a_transaction() -> None:
    """A round holds what people's answers need for a while, as one would that thinks inside of its transaction."""
    publish = vars(turn)["_publish"]

    def late(running: jobs.Running, *given: Any) -> Any:
        with running.db.write() as session:
            if not running.db.is_sqlite:
                session.execute(text("LOCK TABLE leases IN EXCLUSIVE MODE"))
            time.sleep(HELD_SECONDS)
        return publish(running, *given)

    put(turn, "_publish", late)


def _keep_everything() -> None:
    """What an answer needed stays: its memory always, and now and then an open file."""
    store = answers.store
    kept: list[Any] = []

    def hoarding(*given: Any) -> Any:
        kept.append(bytearray(os.urandom(KEPT_BYTES)))
        if len(kept) % 20 == 0:
            kept.append(os.open(os.devnull, os.O_RDONLY))
        return store(*given)

    put(answers, "store", hoarding)


def _unknown_full_disk() -> None:
    """A disk without room is an error like any other."""
    put(errors, "is_full", lambda _error: False)
    put(errors, "NO_ROOM", frozenset())


def _nobody_buries() -> None:
    """The jobs of a worker that died wait for the end of their leases."""
    put(serve, "_free_jobs", lambda _settings, _pid: None)


GUARDS: dict[str, Callable[[], None]] = {
    "commit_first": _answer_before_commit,
    "idempotency": _no_idempotency,
    "fence": _no_fence,
    "synchronous_commit": _no_sync_on_postgresql,
    "synchronous": _no_sync_on_sqlite,
    "clock": _wall_clock,
    "checksums": _no_checksums,
    "transaction": _no_transaction,
    "short_transactions": _think_in_a_transaction,
    "give_back": _keep_everything,
    "room": _unknown_full_disk,
    "burial": _nobody_buries,
}
