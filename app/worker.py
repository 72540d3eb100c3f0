"""The worker process: claims jobs, rounds first, runs them, and keeps their leases alive while it does.

Every eighth turn goes to the job that has been due for longest, so that rounds without an end keep nothing else from
its end.

It is woken at once (a notification on PostgreSQL, the file's data version on SQLite) and looks by itself every
second as a net. Killed at any point, its jobs are claimed again when their leases end.
"""

import contextlib
import logging
import os
import secrets
import select as io_select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import delete, insert, update
from sqlalchemy.exc import SQLAlchemyError

from app.core import logs, memory
from app.core.requests import ON_BEHALF_OF
from app.core.settings import Settings
from app.db import Database, Job, Worker
from app.db.session import now
from app.services import (
    buckets,
    collecting,
    contenders,
    contested,
    disturbing,
    edits,
    erasing,
    features,
    fetches,
    high_water,
    ingestion,
    jobs,
    opening,
    proposing,
    purging,
    racing,
    replaying,
    retention,
    scoring,
    scrubbing,
    search,
    snapping,
    turn,
)  # fmt: skip
from app.services.courier import Courier
from app.services.jobs import Done, Handler, JobCancelled, JobFailed, JobLost, Later, More, Parked, Running

log = logging.getLogger("labelwise.worker")

LOOK_SECONDS = 0.05  # how often SQLite's data version is read: 1.6 microseconds a look
NET_SECONDS = 1.0  # how often jobs are looked for without being woken
HEARTBEAT_SECONDS = 4.0
RETRIES = 3
BACK_OFF_SECONDS = 2.0
FORGET_HOURS = 24.0
TURNS = 8  # the last of so many is that of the job which has been due for longest

HANDLERS: dict[str, Handler] = {
    "round": turn.run,
    "import": ingestion.run,
    "bucket": collecting.run,
    "lost": buckets.run_lost,
    "edit": edits.run,
    "featurize": features.run,
    "fetch": fetches.run,
    "index": search.run,
    "erase": erasing.run,
    "simulate": racing.run,
    "snapshot": snapping.run,
    "score": scoring.run,
    "select": proposing.run,
    "purge": purging.run,
    "retain": retention.run,
    "scrub": scrubbing.run,
    "compare": replaying.run,
    "disturb": disturbing.run,
    contested.KIND: contenders.run,
}
BESIDE = ("score",)  # kinds that mostly wait for others' servers: a worker process has a thread of its own for them


def first_line(error: Exception) -> str:
    """What an error says in one line; its kind where it says nothing."""
    return (str(error) or type(error).__name__).splitlines()[0]


class WorkerProcess:
    """One worker: call `run` in the main thread of a process, or `run_waiting` in a test."""

    def __init__(
        self, settings: Settings, db: Database, handlers: dict[str, Handler] | None = None, first_turn: int = 0
    ) -> None:
        self._turn = first_turn
        self._settings = settings
        self._db = db
        self._handlers = dict(handlers or HANDLERS)
        self._token: UUID = uuid4()
        self._stop = threading.Event()
        self._current: Running | None = None

    def run(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Work until a signal or `stopped` says to end; a job in hand is left to its lease."""
        self._register()
        purging.request_missing(self._db)
        retention.request_missing(self._db)
        heartbeat = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        heartbeat.start()
        courier = Courier(self._db, self._settings)
        courier.start()
        beside = WorkerProcess(
            self._settings, self._db, {kind: self._handlers.pop(kind) for kind in BESIDE if kind in self._handlers}
        )
        threading.Thread(target=beside.run_beside, name="beside", daemon=True).start()
        while not (self._stop.is_set() or stopped()):
            try:
                self._work(stopped)
            except (psycopg.Error, SQLAlchemyError) as error:
                log.warning("the database does not answer, tried again: %s", first_line(error))
                self._stop.wait(NET_SECONDS)
        beside.stop()
        courier.stop()
        self._unregister()

    def _work(self, stopped: Callable[[], bool]) -> None:
        """Run what is due and wait for more, until the end or the loss of the connection that wakes us."""
        worked = False
        with waker(self._db) as wait:
            while not (self._stop.is_set() or stopped()):
                if self._try_one():
                    worked = True
                    continue
                if worked:
                    memory.give_back()
                    worked = False
                wait(NET_SECONDS)

    def run_beside(self) -> None:
        """Work until `stop`, for another worker of this process; what is in hand when it ends is left to its lease."""
        threading.Thread(target=self._beat, name="beside-heartbeat", daemon=True).start()
        while not self._stop.wait(NET_SECONDS):
            with contextlib.suppress(SQLAlchemyError):  # of the look: a database that is away is asked again
                while jobs.is_due(self._db, tuple(self._handlers)) and not self._stop.is_set() and self._try_one():
                    pass

    def stop(self) -> None:
        """End after the job in hand."""
        self._stop.set()

    def run_waiting(self, limit: int = 1000) -> int:
        """Run due jobs until none is left; how many slices were run."""
        return next((count for count in range(limit) if not self.run_one()), limit)

    def run_one(self) -> bool:
        """Claim and run one slice of one job; False when there was nothing to do."""
        try:
            self._turn += 1
            waited = self._turn % TURNS == 0
            running = jobs.claim(self._db, self._settings, tuple(self._handlers), longest_due=waited)
        except Exception:
            log.exception("could not look for jobs")
            return False
        if running is None:
            return False
        self._current = running
        try:
            if running.is_hopeless:
                self._give_up(running, f"the worker died {running.attempt - 1} times while running it")
            else:
                self._run(running)
        finally:
            self._current = None
        return True

    def _try_one(self) -> bool:
        """As `run_one`; a job that cannot be put down, for want of a database above all, is left to its lease."""
        try:
            return self.run_one()
        except Exception:
            log.exception("a job could not be put down: it is run again when its lease ends")
            return False

    def _run(self, running: Running) -> None:
        handler = self._handlers[running.kind]
        ON_BEHALF_OF.set(f"job-{running.id}")
        try:
            outcome = handler(running)
        except JobLost:
            log.info("job %s is run by another worker now", running.id)
        except JobCancelled:
            self._on_failure(running, "cancelled", final=True)
            jobs.settle(running, "cancelled", reason="cancelled")
        except JobFailed as error:
            self._give_up(running, str(error))
        except MemoryError as error:
            log.error("job %s (%s) needs more memory than there is: %s", running.id, running.kind, error)
            self._retry_or_fail(running, f"there is not enough memory for it on the worker's machine: {error}")
        except Exception as error:
            log.exception("job %s (%s) raised", running.id, running.kind)
            self._retry_or_fail(running, f"{type(error).__name__}: {error}"[:2000])
        else:
            _leave(running, outcome)

    def _give_up(self, running: Running, reason: str) -> None:
        self._on_failure(running, reason, final=True)
        jobs.settle(running, "failed", reason=reason)

    def _retry_or_fail(self, running: Running, reason: str) -> None:
        if running.attempt >= RETRIES:
            self._give_up(running, reason)
        else:
            self._on_failure(running, reason, final=False)
            jobs.hand_back(running, after_seconds=BACK_OFF_SECONDS * 2 ** (running.attempt - 1), reason=reason)

    def _on_failure(self, running: Running, reason: str, *, final: bool) -> None:
        if running.kind == "round":
            opening.fail(running, reason, final=final)
        elif running.kind == "score" and final:
            scoring.fail(running, reason)

    def _register(self) -> None:
        with self._db.write() as session:
            moment = now(session)
            session.execute(delete(Worker).where(Worker.last_seen < moment - timedelta(hours=FORGET_HOURS)))
            session.execute(
                insert(Worker).values(
                    token=self._token,
                    host=socket.gethostname()[:200],
                    pid=os.getpid(),
                    started_at=moment,
                    last_seen=moment,
                )
            )

    def _unregister(self) -> None:
        with self._db.write() as session:
            session.execute(delete(Worker).where(Worker.token == self._token))

    def _beat(self) -> None:
        """Say that this worker lives, and keep the lease of the job in hand, whatever its handler computes."""
        while not self._stop.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(Exception):
                self._say_alive()
                high_water.keep(self._db, self._settings)

    def _say_alive(self) -> None:
        with self._db.write() as session:
            moment = now(session)
            session.execute(update(Worker).where(Worker.token == self._token).values(last_seen=moment))
            if (running := self._current) is not None:
                session.execute(
                    update(Job)
                    .where(Job.id == running.id, Job.token == running.token, Job.state == "running")
                    .values(lease_until=moment + timedelta(seconds=self._settings.job_lease_seconds))
                )


def _leave(running: Running, outcome: Done | More | Later | Parked) -> None:
    """Put a job down as its handler says."""
    if isinstance(outcome, Done):
        jobs.settle(running, "done", result=outcome.result)
    elif isinstance(outcome, More):
        jobs.hand_back(running)
    elif isinstance(outcome, Later):
        jobs.hand_back(running, after_seconds=outcome.seconds, reason=outcome.reason, counts=False)


@contextlib.contextmanager
def waker(db: Database) -> Iterator[Callable[[float], None]]:
    """A function that sleeps until somebody wrote to the database, or so many seconds have passed."""
    if db.is_sqlite:
        with db.reading.connect() as connection:
            raw: Any = connection.connection.driver_connection
            yield _FileWaker(raw).wait
        return
    url = db.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection_:
        connection_.execute(f"LISTEN {jobs.CHANNEL}")
        yield lambda seconds: _wait_for_notice(connection_, seconds)


class _FileWaker:
    """Notices commits of other connections; one between two waits ends the second at once."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._seen = self._version()

    def wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (version := self._version()) == self._seen and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
        self._seen = version

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])


def _wait_for_notice(connection: "psycopg.Connection[Any]", seconds: float) -> None:
    io_select.select([connection.fileno()], [], [], seconds)
    for _ in connection.notifies(timeout=0):
        pass


def run_worker(settings: Settings, *, parent_pipe: int | None = None) -> None:
    """Run a worker in this process until SIGTERM, SIGINT, or the end of the parent (its pipe closes)."""
    with contextlib.suppress(OSError):
        os.nice(10)  # people who label come first
    logs.install(settings)
    db = Database(settings.url)
    # A worker that is killed again and again comes to its last turn too.
    worker = WorkerProcess(settings, db, first_turn=secrets.randbelow(TURNS))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    if parent_pipe is not None:
        threading.Thread(target=_end_with_parent, args=(parent_pipe,), daemon=True).start()
    try:
        worker.run()
    finally:
        db.dispose()


def _end_with_parent(pipe: int) -> None:
    """Block until the parent's end of the pipe closes, then leave at once: the jobs' leases bring a successor."""
    with contextlib.suppress(OSError):
        while os.read(pipe, 1):
            pass
    os._exit(0)
