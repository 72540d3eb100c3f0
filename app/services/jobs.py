"""Background work: asked for in a request's own transaction, claimed by one worker, fenced by its token.

A worker that was killed, or only slow, loses its lease; its successor starts from the stored cursor, and every
later write of the first one fails on the token. So work is run again and nothing is half published.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Update, case, delete, func, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from app.core.errors import NotFound
from app.core.settings import Settings
from app.db import Database, Job, Worker, WriteSession
from app.db.session import now
from app.services import outbox

MAX_ATTEMPTS = 5
PARKING_TRIES = 5
CHANNEL = "labelwise_jobs"
LIVING = timedelta(seconds=15)  # a worker says every four seconds that it lives
UNTIL_WOKEN = timedelta(days=36_500)
# Nobody asked for these, and rounds say more.
UNTOLD = {
    "round", "score", "featurize", "index", "simulate", "erase", "fetch", "lost", "purge", "scrub", "retain", "disturb",
}  # fmt: skip
PRIORITY = {
    "round": 10,
    "select": 6,
    "import": 5,
    "bucket": 5,
    "edit": 5,
    "erase": 4,
    "lost": 4,
    "score": 4,
    "featurize": 3,
    "fetch": 2,
    "snapshot": 1,
    "index": 1,
    "contend": 1,
    "compare": 0,
    "disturb": 0,
}


class JobLost(Exception):
    """Another worker holds the job now: stop without a word."""


class JobCancelled(Exception):
    """Somebody cancelled the job."""


class JobFailed(Exception):
    """The job cannot succeed, now or later; the message is for people."""


@dataclass(frozen=True)
class Done:
    """The job is finished; the result is shown with it."""

    result: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class More:
    """This slice is done; the cursor is stored and other jobs may go first."""


@dataclass(frozen=True)
class Later:
    """Something outside is out of reach, for a `reason` that people see; the job goes on after so many seconds."""

    seconds: float
    reason: str


@dataclass(frozen=True)
class Running:
    """A claimed job as its handler sees it."""

    id: int
    project_id: int | None
    kind: str
    payload: dict[str, Any]
    cursor: dict[str, Any] | None
    attempt: int
    token: UUID
    db: Database
    settings: Settings
    created_by: int | None = None

    @property
    def is_hopeless(self) -> bool:
        """Whether so many workers have died at it that nobody is to try again."""
        return self.attempt > MAX_ATTEMPTS

    def checkpoint(
        self, session: WriteSession, cursor: dict[str, Any] | None = None, progress: dict[str, Any] | None = None
    ) -> None:
        """Fence this transaction by the token, keep the lease alive, and store cursor and progress if given.

        Call it in every transaction of the handler: the handler's rows and the cursor are one commit.

        Raises:
            JobLost: another worker holds the job.
            JobCancelled: somebody cancelled it.
        """
        moment = now(session)
        values: dict[str, Any] = {
            "lease_until": moment + timedelta(seconds=self.settings.job_lease_seconds),
            "updated_at": moment,
        }
        if cursor is not None:
            values["cursor"] = cursor
        if progress is not None:
            values["progress"] = progress
        cancelled = session.execute(
            update(Job)
            .where(Job.id == self.id, Job.token == self.token, Job.state == "running")
            .values(values)
            .returning(Job.cancel_requested)
        ).scalar_one_or_none()
        if cancelled is None:
            raise JobLost
        if cancelled:
            raise JobCancelled

    def report(self, progress: dict[str, Any]) -> None:
        """Store progress in a transaction of its own and keep the lease alive; raises as `checkpoint` does."""
        with self.db.write() as session:
            self.checkpoint(session, progress=progress)


@dataclass(frozen=True)
class Parked:
    """The handler has left the job waiting for something outside, see `park`."""


Handler = Callable[[Running], Done | More | Parked | Later]


def enqueue(
    session: WriteSession,
    kind: str,
    project_id: int | None,
    payload: dict[str, Any] | None = None,
    *,
    created_by: int | None = None,
    delay_seconds: float = 0,
) -> int | None:
    """Ask for work in the caller's transaction; the id of the job.

    Rounds, featurize passes and those of the search index wait at most once a project: a second request gives None.
    """
    moment = now(session)
    insert = postgresql.insert(Job) if session.get_bind().dialect.name == "postgresql" else sqlite.insert(Job)
    statement = (
        insert.values(
            project_id=project_id,
            kind=kind,
            state="waiting",
            priority=PRIORITY.get(kind, 0),
            payload=payload or {},
            attempt=0,
            due_at=moment + timedelta(seconds=delay_seconds),
            cancel_requested=False,
            created_by=created_by,
            created_at=moment,
            updated_at=moment,
        )
        .on_conflict_do_nothing()
        .returning(Job.id)
    )
    job_id: int | None = session.execute(statement).scalar_one_or_none()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_notify(CHANNEL, kind)))
    return job_id


def at_once(session: WriteSession, kind: str, project_id: int) -> None:
    """Ask for a pass that waits at most once a project, and let one that waits already begin now."""
    if enqueue(session, kind, project_id) is None:
        moment = now(session)
        waiting = update(Job).where(Job.project_id == project_id, Job.kind == kind, Job.state == "waiting")
        session.execute(waiting.where(Job.due_at > moment).values(due_at=moment))


def wake(session: WriteSession, kind: str, project_id: int, payload: dict[str, Any]) -> int:
    """Let the job that waits begin now, with this payload; one is asked for where none waits. The job's id."""
    while True:
        job_id = enqueue(session, kind, project_id, payload)
        if job_id is None:  # one waits, unless a worker is just taking it
            waiting = update(Job).where(Job.project_id == project_id, Job.kind == kind, Job.state == "waiting")
            values = {"due_at": now(session), "payload": payload}
            job_id = session.execute(waiting.values(values).returning(Job.id)).scalar_one_or_none()
        if job_id is not None:
            return job_id


def park(session: WriteSession, running: Running, cursor: dict[str, Any]) -> None:
    """Leave a running job waiting until somebody wakes it; the one that waited behind it is not needed any more.

    On PostgreSQL another one may be asked for between the two statements: it is cancelled as well.
    """
    moment = now(session)
    behind = update(Job).where(Job.project_id == running.project_id, Job.kind == running.kind, Job.state == "waiting")
    values = {"state": "waiting", "due_at": moment + UNTIL_WOKEN, "attempt": 0, "token": None, "lease_until": None}
    for left in reversed(range(PARKING_TRIES)):
        session.execute(behind.values(state="cancelled", reason="another one waits already", updated_at=moment))
        try:
            with session.begin_nested():
                session.execute(_held(running).values(**values, cursor=cursor, progress=None, updated_at=moment))
            return
        except IntegrityError:
            if not left:
                raise


def later(session: WriteSession, running: Running, seconds: float, cursor: dict[str, Any], reason: str | None) -> None:
    """Leave a running job waiting for some seconds, for what is outside; a kind that may wait more than once only."""
    moment = now(session)
    values = {"state": "waiting", "due_at": moment + timedelta(seconds=seconds), "attempt": 0, "token": None}
    values |= {"lease_until": None, "cursor": cursor, "reason": reason, "updated_at": moment}
    session.execute(_held(running).values(values))


def is_due(db: Database, kinds: tuple[str, ...]) -> bool:
    """Whether `claim` would probably find a job; a look that takes no turn among those who write."""
    with db.read() as session:
        moment = db.now()
        due = (Job.state == "waiting") & (Job.due_at <= moment) | (Job.state == "running") & (Job.lease_until < moment)
        return session.execute(select(Job.id).where(Job.kind.in_(kinds), due).limit(1)).first() is not None


def claim(db: Database, settings: Settings, kinds: tuple[str, ...], *, longest_due: bool = False) -> Running | None:
    """Take the most urgent due job: waiting, or running under a lease that ended. None when there is none.

    With `longest_due` the one that has been due for longest, however urgent.
    """
    since = case((Job.state == "waiting", Job.due_at), else_=Job.lease_until)
    order = (since, Job.id) if longest_due else (Job.priority.desc(), Job.due_at, Job.id)
    with db.write() as session:
        moment = now(session)
        due = (
            select(Job)
            .where(
                Job.kind.in_(kinds),
                or_(
                    (Job.state == "waiting") & (Job.due_at <= moment),
                    (Job.state == "running") & (Job.lease_until < moment),
                ),
                # One running round a project; the unique index is the guard, this spares the attempt.
                ~(
                    (Job.kind == "round")
                    & (Job.state == "waiting")
                    & Job.project_id.in_(_projects_with_running_round())
                ),
            )
            .order_by(*order)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        job = session.execute(due).scalar_one_or_none()
        if job is None:
            return None
        job.state, job.token, job.attempt = "running", uuid4(), job.attempt + 1
        job.lease_until = moment + timedelta(seconds=settings.job_lease_seconds)
        job.updated_at = moment
        session.flush()
        return Running(
            id=job.id,
            project_id=job.project_id,
            kind=job.kind,
            payload=job.payload,
            cursor=job.cursor,
            attempt=job.attempt,
            token=job.token,
            db=db,
            settings=settings,
            created_by=job.created_by,
        )


def _projects_with_running_round() -> Any:
    running = Job.__table__.alias("running")
    return (
        select(running.c.project_id)
        .where(running.c.kind == "round", running.c.state == "running", running.c.project_id.is_not(None))
        .scalar_subquery()
    )


def settle(running: Running, state: str, *, result: dict[str, Any] | None = None, reason: str | None = None) -> None:
    """End a job as done, failed or cancelled; silently nothing when another worker holds it."""
    with running.db.write() as session:
        values: dict[str, Any] = {"state": state, "reason": reason, "lease_until": None, "updated_at": now(session)}
        if result is not None:
            values["result"] = result
        held = session.execute(_held(running).values(values).returning(Job.id)).first()
        if held is not None and running.project_id is not None and running.kind not in UNTOLD:
            told = {"job": running.id, "kind": running.kind, "state": state, "reason": reason}
            outbox.emit(session, running.project_id, "job.finished", told)


def hand_back(running: Running, *, after_seconds: float = 0, reason: str | None = None, counts: bool = True) -> None:
    """Give a job back to be claimed again: after a slice that went well, or with a reason after one that did not.

    With `counts` false the attempt is none of those that a job has.
    It stays `running` under a lease that ends, so that a waiting job of the same kind is not in its way.
    """
    with running.db.write() as session:
        moment = now(session)
        values: dict[str, Any] = {
            "lease_until": moment + timedelta(seconds=after_seconds - 0.001),
            "reason": reason,
            "updated_at": moment,
        }
        if reason is None or not counts:
            values["attempt"] = 0
        session.execute(_held(running).values(values))


def holds(session: WriteSession, running: Running) -> bool:
    """Whether the job is this worker's still; nobody takes it before the transaction ends."""
    held = select(Job.id).where(Job.id == running.id, Job.token == running.token, Job.state == "running")
    return session.execute(held.with_for_update()).first() is not None


def _held(running: Running) -> Update:
    return update(Job).where(Job.id == running.id, Job.token == running.token, Job.state == "running")


def cancel(session: WriteSession, job_id: int) -> None:
    """Cancel a waiting job at once and a running one at its next checkpoint."""
    moment = now(session)
    changed = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state.in_(("waiting", "running")))
        .values(
            cancel_requested=True,
            state=text("CASE WHEN state = 'waiting' THEN 'cancelled' ELSE state END"),
            updated_at=moment,
        )
        .returning(Job.id)
    ).scalar_one_or_none()
    if changed is None and session.get(Job, job_id) is None:
        raise NotFound("there is no such job")


def bury_worker(session: WriteSession, host: str, pid: int) -> int:
    """Forget a worker process that died; the number of jobs that are free at once.

    A job does not name its worker. So its lease is ended only where no other worker was seen lately; and if one
    does live, it hears by its token that the job is another's.
    """
    moment = now(session)
    session.execute(delete(Worker).where(Worker.host == host[:200], Worker.pid == pid))
    living = select(func.count()).select_from(Worker).where(Worker.last_seen > moment - LIVING)
    if session.execute(living).scalar_one():
        return 0
    freed = update(Job).where(Job.state == "running", Job.lease_until > moment)
    return len(session.execute(freed.values(lease_until=moment, updated_at=moment).returning(Job.id)).all())
