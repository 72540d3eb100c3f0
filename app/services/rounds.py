"""When a round is due, and what is known of the rounds so far."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.core.errors import Conflict, NotFound
from app.db import Annotation, FeatureSet, Job, Lease, Project, QueueEntry, Round, Serving, WriteSession
from app.db.session import now
from app.loop.serving import queue_length
from app.services import jobs
from app.services.access import Person, project_for

ACTIVE_MINUTES = 10
SMALLEST_ROUND = 20
LABELS_PER_ANNOTATOR = 4
PAUSE_AFTER_FAILURE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 300.0


def request_if_due(session: WriteSession, project: Project, moment: datetime) -> int | None:
    """Ask for a round in this transaction when one is due; the job's id when it was asked for.

    Due are: the first order, once items have features; `round_size` new answers; less than a quarter of the
    order left while the pool has more. At most one round waits, and the pause between two rounds is at least
    as long as the last one took. Cost: O(round size), whatever the pool's size.
    """
    serving = session.execute(
        select(Serving.round_id, Serving.snapshot_annotation_id).where(Serving.project_id == project.id)
    ).one()
    if project.state != "open" or not _due(session, project, serving.round_id, serving.snapshot_annotation_id, moment):
        return None
    return jobs.enqueue(session, "round", project.id, delay_seconds=_pause(session, project.id, moment))


def request(session: WriteSession, person: Person, project_ref: int | str) -> int:
    """Start a round now, whether due or not; the job's id. Raises Conflict while one waits already."""
    project = project_for(session, person, project_ref, "manager")
    if _features(session, project.id) is None:
        raise Conflict("no item has features yet: push items first, and check that a worker is running")
    job_id = jobs.enqueue(session, "round", project.id, created_by=person.id)
    if job_id is None:
        raise Conflict("a round is waiting to start already")
    return job_id


def round_size(session: Session, project: Project, moment: datetime) -> int:
    """How many new answers make a round due: as set, or max(20, 4 x annotators active in the last 10 minutes)."""
    if project.round_size is not None:
        return project.round_size
    return max(SMALLEST_ROUND, LABELS_PER_ANNOTATOR * active_annotators(session, project.id, moment))


def active_annotators(session: Session, project_id: int, moment: datetime) -> int:
    """People who hold a live lease that was given in the last 10 minutes."""
    since = moment - timedelta(minutes=ACTIVE_MINUTES)
    return session.execute(
        select(func.count(func.distinct(Lease.annotator_id))).where(
            Lease.project_id == project_id, text("leases.state = 'live'"), Lease.served_at >= since
        )
    ).scalar_one()


def live_leases(session: Session, project_id: int) -> int:
    """How many items are in people's hands."""
    return session.execute(
        select(func.count()).where(Lease.project_id == project_id, text("leases.state = 'live'"))
    ).scalar_one()


def left_in_queue(session: Session, round_id: int, limit: int | None = None) -> int:
    """How many places of a round's order are still to be answered, counted up to `limit`."""
    rows = select(QueueEntry.rank).where(QueueEntry.round_id == round_id, text("NOT queue.done")).limit(limit)
    return session.execute(select(func.count()).select_from(rows.subquery())).scalar_one()


def new_answers(session: Session, project_id: int, after: int, limit: int | None = None) -> int:
    """Answers, changes and retractions stored after annotation `after`, counted up to `limit`."""
    rows = select(Annotation.id).where(Annotation.project_id == project_id, Annotation.id > after).limit(limit)
    return session.execute(select(func.count()).select_from(rows.subquery())).scalar_one()


def listed(session: Session, person: Person, project_ref: int | str, limit: int, before: int | None) -> Sequence[Round]:
    """Rounds, newest first, for reviewers and managers; `before` is a round number."""
    project = project_for(session, person, project_ref, "reviewer")
    statement = select(Round).where(Round.project_id == project.id).order_by(Round.number.desc()).limit(limit)
    if before is not None:
        statement = statement.where(Round.number < before)
    return session.execute(statement).scalars().all()


def one(session: Session, person: Person, project_ref: int | str, number: int) -> Round:
    """One round by its number; raises NotFound."""
    project = project_for(session, person, project_ref, "reviewer")
    found = session.execute(
        select(Round).where(Round.project_id == project.id, Round.number == number)
    ).scalar_one_or_none()
    if found is None:
        raise NotFound(f"there is no round {number}")
    return found


def _due(session: Session, project: Project, round_id: int | None, seen: int, moment: datetime) -> bool:
    if round_id is None:
        return _features(session, project.id) is not None
    size = round_size(session, project, moment)
    fresh = new_answers(session, project.id, seen, size)
    if fresh >= size:
        return True
    published = session.execute(select(Round.queue_length).where(Round.id == round_id)).scalar_one()
    wanted = queue_length(size, live_leases(session, project.id))
    if published < min(wanted, queue_length(size, 0)):
        return False  # the whole pool is in the order already
    return left_in_queue(session, round_id, published // 4 + 1) <= published // 4


def _features(session: Session, project_id: int) -> int | None:
    return session.execute(
        select(FeatureSet.id).where(FeatureSet.project_id == project_id, FeatureSet.active).limit(1)
    ).scalar_one_or_none()


def _pause(session: Session, project_id: int, moment: datetime) -> float:
    """Seconds until the next round may start: as long as the last one took, longer after each failure in a row."""
    last = session.execute(
        select(Round.state, Round.seconds, Round.finished_at)
        .where(Round.project_id == project_id, Round.finished_at.is_not(None))
        .order_by(Round.number.desc())
        .limit(6)
    ).all()
    if not last or last[0].finished_at is None:
        return 0.0
    failures = next((i for i, row in enumerate(last) if row.state != "failed"), len(last))
    took = float((last[0].seconds or {}).get("total", 0.0))
    pause = took if not failures else min(LONGEST_PAUSE_SECONDS, PAUSE_AFTER_FAILURE_SECONDS * 2 ** (failures - 1))
    return float(max(0.0, pause - (moment - last[0].finished_at).total_seconds()))


def waiting_or_running(session: Session, project_id: int) -> Job | None:
    """The round job that waits or runs, if any; the running one first."""
    return session.execute(
        select(Job)
        .where(Job.project_id == project_id, Job.kind == "round", Job.state.in_(("waiting", "running")))
        .order_by(Job.state)
        .limit(1)
    ).scalar_one_or_none()


def after_features(session: WriteSession, project_id: int) -> None:
    """Ask for a round because items got their vectors: they become candidates with it."""
    project: Any = session.get(Project, project_id)
    if project is not None and project.state == "open" and project.deleted_at is None:
        jobs.enqueue(session, "round", project_id, delay_seconds=_pause(session, project_id, now(session)))
