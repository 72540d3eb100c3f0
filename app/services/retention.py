"""What is kept no longer than needed: a daily job removes what is older than the settings say, and can say so before.

Every kind is one function from a moment to the rows that are too old; counting and removing use the same, so that a dry
run lists exactly what the real one takes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update

from app.core.settings import Settings
from app.db import (
    BrowserSession,
    Database,
    Delivery,
    Event,
    Job,
    KeyedRequest,
    Media,
    OneTimeLink,
    Project,
    Round,
    SignInFailure,
    Simulation,
    Snapshot,
    Token,
    WriteSession,
)
from app.db.session import now
from app.services import audit, jobs, media, tallies, thumbnails
from app.services.jobs import Done, Running

KIND = "retain"
Statement = Any  # a select of some columns; their number differs
DAY = timedelta(days=1)
DAY_SECONDS = 86_400.0
BATCH = 500  # rows of a transaction
FINISHED = ("done", "failed", "cancelled")
REMOVED = "it was removed some days after the project was closed, as LABELWISE_KEEP_MEDIA_DAYS says"


@dataclass(frozen=True)
class Kind:
    """One kind of thing: in words, for how many days it is kept (0: for ever), and the ids of what is too old."""

    name: str
    days: float
    too_old: Callable[[datetime], Statement]
    remove: Callable[[WriteSession, Settings, Sequence[Any]], None]


@dataclass(frozen=True)
class Found:
    """How many things of a kind are older than its days, or were removed; `days` 0 keeps them for ever."""

    name: str
    days: float
    count: int


def kinds(settings: Settings) -> list[Kind]:
    """Every kind, in the order in which they are removed."""
    return [
        Kind("lines of the audit log", settings.keep_audit_days, _events, _forget_lines),
        Kind("finished jobs with their rejected rows", settings.keep_jobs_days, _jobs, _rows_of(Job)),
        Kind("delivered webhook events", settings.keep_deliveries_days, _deliveries, _rows_of(Delivery)),
        Kind("browser sessions that ended", 1, _ended(BrowserSession), _rows_of(BrowserSession)),
        Kind("tokens that ended", 30, _ended(Token), _rows_of(Token)),
        Kind("one-time links that ended", 30, _ended(OneTimeLink), _rows_of(OneTimeLink)),
        Kind("answers kept for repeated requests", 2, _keyed, _forget_keyed),
        Kind("counts of failed sign-ins", 1, _failures, _rows_of(SignInFailure)),
        Kind("files of closed projects", settings.keep_media_days, _media, _lose_files),
    ]


def look(db: Database, settings: Settings) -> list[Found]:
    """What a run would remove now; changes nothing."""
    with db.read() as session:
        moment = db.now()
        return [
            Found(kind.name, kind.days, _count(session, kind, moment) if kind.days else 0) for kind in kinds(settings)
        ]


def clear(db: Database, settings: Settings) -> list[Found]:
    """Remove what is too old, some rows a transaction; what was removed. Safe beside others that do the same."""
    found = [Found(kind.name, kind.days, _clear(db, settings, kind) if kind.days else 0) for kind in kinds(settings)]
    if gone := {each.name: each.count for each in found if each.count}:
        with db.write() as session:
            audit.record(session, "retention.applied", None, removed=gone)
    return found


def request_missing(db: Database) -> None:
    """Ask for the daily job where none waits, as of a first start."""
    with db.write() as session:
        waiting = select(Job.id).where(Job.kind == KIND, Job.state.in_(("waiting", "running"))).limit(1)
        if session.execute(waiting).first() is None:
            jobs.enqueue(session, KIND, None)


def run(running: Running) -> Done:
    """The daily job: remove, put counts together, and ask for tomorrow's."""
    with running.db.write() as session:
        running.checkpoint(session)
        waiting = select(Job.id).where(Job.kind == KIND, Job.state == "waiting").limit(1)
        if session.execute(waiting).first() is None:
            jobs.enqueue(session, KIND, None, delay_seconds=DAY_SECONDS)
    found = clear(running.db, running.settings)
    tallies.put_all_together(running.db)
    return Done({"removed": sum(each.count for each in found)})


def _count(session: Any, kind: Kind, moment: datetime) -> int:
    before = moment - kind.days * DAY
    return int(session.execute(select(func.count()).select_from(kind.too_old(before).subquery())).scalar_one())


def _clear(db: Database, settings: Settings, kind: Kind) -> int:
    gone = 0
    while True:
        with db.write() as session:
            too_old = kind.too_old(now(session) - kind.days * DAY).limit(BATCH)
            rows = session.execute(too_old).all()
            if rows:
                kind.remove(session, settings, rows)
        gone += len(rows)
        if len(rows) < BATCH:
            return gone


def _rows_of(table: Any) -> Callable[[WriteSession, Settings, Sequence[Any]], None]:
    def remove(session: WriteSession, _settings: Settings, rows: Sequence[Any]) -> None:
        session.execute(delete(table).where(table.id.in_([row.id for row in rows])))

    return remove


def _ended(table: Any) -> Callable[[datetime], Statement]:
    return lambda before: select(table.id).where(table.expires_at < before).order_by(table.id)


def _forget_lines(session: WriteSession, _settings: Settings, rows: Sequence[Any]) -> None:
    audit.forget(session, [row.id for row in rows])


def _events(before: datetime) -> Statement:
    return select(Event.id).where(Event.at < before).order_by(Event.id)


def _jobs(before: datetime) -> Statement:
    """Finished ones that nothing else names; rejected rows and what can be taken back of an edit go with them."""
    named = [Job.id.not_in(select(table.job_id).where(table.job_id.is_not(None))) for table in (Round, Snapshot)]
    simulated = Job.id.not_in(select(Simulation.job_id))
    old = (Job.state.in_(FINISHED), Job.updated_at < before)
    return select(Job.id).where(*old, *named, simulated).order_by(Job.id)


def _deliveries(before: datetime) -> Statement:
    return select(Delivery.id).where(Delivery.delivered_at < before).order_by(Delivery.id)


def _keyed(before: datetime) -> Statement:
    whole = (KeyedRequest.user_id, KeyedRequest.route, KeyedRequest.key)
    old = select(*whole).where(KeyedRequest.created_at < before)
    return old.order_by(*whole)


def _forget_keyed(session: WriteSession, _settings: Settings, rows: Sequence[Any]) -> None:
    for row in rows:
        own = (KeyedRequest.user_id == row.user_id, KeyedRequest.route == row.route, KeyedRequest.key == row.key)
        session.execute(delete(KeyedRequest).where(*own))


def _failures(before: datetime) -> Statement:
    return select(SignInFailure.id).where(SignInFailure.at < before).order_by(SignInFailure.id)


def _media(before: datetime) -> Statement:
    """Stored files of projects that were closed, or changed last, before that moment."""
    closed = (Project.state.in_(("closed", "archived")), Project.updated_at < before, Project.deleted_at.is_(None))
    columns = select(Media.id, Media.project_id, Media.sha256).join(Project, Project.id == Media.project_id)
    return columns.where(*closed, Media.bucket.is_(None), Media.lost.is_(None)).order_by(Media.id)


def _lose_files(session: WriteSession, settings: Settings, rows: Sequence[Any]) -> None:
    """The rows stay and say why; a file whose removal was not committed is removed again."""
    session.execute(update(Media).where(Media.id.in_([row.id for row in rows])).values(lost=REMOVED))
    for row in rows:
        path = media.path_of(settings, row.project_id, row.sha256)
        if path is not None:
            path.unlink(missing_ok=True)
        thumbnails.forget(settings, row.project_id, row.sha256)
