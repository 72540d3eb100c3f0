"""When a round is due, and what is known of the rounds so far."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, func, select, text
from sqlalchemy.orm import Session, defer

from app.core.errors import Conflict, NotFound
from app.core.text import INT64_MAX
from app.db import FeatureSet, Job, Lease, Member, Project, Round, Serving, WriteSession, reads
from app.db.session import now
from app.learners import HTTP
from app.loop.serving import MOST_MEANWHILE, queue_length
from app.services import jobs
from app.services.access import Person, project_for

ACTIVE_MINUTES = 10
SMALLEST_ROUND = 20
LABELS_PER_ANNOTATOR = 4
PAUSE_AFTER_FAILURE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 300.0


# What decides whether a round is due: a few index rows (the partial indexes' conditions stand here word for word).
STANDING = reads(
    text("""
        SELECT serving.round_id, serving.snapshot_annotation_id, rounds.queue_length,
               (SELECT count(*) FROM jobs WHERE jobs.project_id = :project AND jobs.kind = 'round'
                AND jobs.kind IN ('round', 'featurize') AND jobs.state = 'waiting') AS waiting,
               (SELECT count(*) FROM feature_sets WHERE feature_sets.project_id = :project
                AND feature_sets.active = :yes) AS featured,
               (SELECT count(*) FROM leases WHERE leases.project_id = :project AND leases.state = 'live') AS live,
               (SELECT count(DISTINCT leases.annotator_id) FROM leases WHERE leases.project_id = :project
                AND leases.state = 'live' AND leases.served_at >= :since) AS active
        FROM serving LEFT JOIN rounds ON rounds.id = serving.round_id
        WHERE serving.project_id = :project
    """).bindparams(bindparam("since", type_=Lease.served_at.type), bindparam("yes", type_=FeatureSet.active.type)),
    "round_id snapshot_annotation_id queue_length waiting featured live active",
)


def request_if_due(
    session: WriteSession, project_id: int, state: str, size: int | None, moment: datetime
) -> int | None:
    """Ask for a round in this transaction when one is due; the job's id when it was asked for.

    `state` and `size` are the project's own (`size` None: automatic). Due are: the first order, once items have
    features; `size` new answers; less than a quarter of the order left while the pool has more. At most one round
    waits, and the pause between two rounds is at least as long as the last one took.
    Cost: O(size + live leases), whatever the pool's size.
    """
    if state != "open":
        return None
    values = {"project": project_id, "yes": True, "since": moment - timedelta(minutes=ACTIVE_MINUTES)}
    standing = session.core.execute(STANDING, values).one()
    if standing.waiting or not _due(session, project_id, standing, size):
        return None
    return jobs.enqueue(session, "round", project_id, delay_seconds=_pause(session, project_id, moment))


def ask_at_end(session: WriteSession, project_id: int, state: str, size: int | None, moment: datetime) -> None:
    """Do `request_if_due` just before the commit, once for all requests that share the transaction."""
    session.at_end(("round", project_id), lambda ending: request_if_due(ending, project_id, state, size, moment))


def run_with(session: WriteSession, project_id: int, prediction_set: int) -> int:
    """Let a round use a version of an outside model's predictions now; the job's id.

    Raises:
        Conflict: the items have no features yet, without which there is no order.
    """
    if _features(session, project_id) is None:
        raise Conflict("the items have no features yet: a worker is making them, push again in a moment")
    return jobs.wake(session, "round", project_id, {"predictions": prediction_set})


def learner_changed(session: WriteSession, project_id: int) -> None:
    """The new learner makes the next order at once, also in the place of a round that waits for predictions."""
    if waiting_for_predictions(session, project_id) is not None:
        jobs.wake(session, "round", project_id, {})
    else:
        make_due(session, project_id)


def ask_scorer(session: WriteSession, project_id: int, number: int) -> int:
    """Let the project's scorer be asked for a waiting round now; the id of the job that does."""
    own = (Job.project_id == project_id, Job.kind == "score", Job.state.in_(("waiting", "running")))
    moment = now(session)
    for job in session.execute(select(Job).where(*own).order_by(Job.id)).scalars():
        if job.payload.get("round") == number:
            job.due_at = min(job.due_at, moment)
            return job.id
        if job.state == "waiting":
            job.state, job.reason, job.updated_at = "cancelled", "a later round is scored in its place", moment
    job_id = jobs.enqueue(session, "score", project_id, {"round": number})
    assert job_id is not None, "any number of these may wait"
    return job_id


def waiting_for_predictions(session: Session, project_id: int) -> Round | None:
    """The round that waits for the predictions of an outside model, if any."""
    return session.execute(
        select(Round)
        .join(Job, Job.id == Round.job_id)
        .where(Round.project_id == project_id, Round.state == "waiting_for_predictions", Job.state == "waiting")
        .order_by(Round.number.desc())
        .limit(1)
    ).scalar_one_or_none()


def request(session: WriteSession, person: Person, project_ref: int | str) -> int:
    """Start a round now, whether due or not, or ask the scorer of a waiting one again; the job's id.

    Raises:
        Conflict: one waits to start already, or for predictions that are pushed.
    """
    project = project_for(session, person, project_ref, "manager")
    if _features(session, project.id) is None:
        raise Conflict("no item has features yet: push items first, and check that a worker is running")
    job_id = jobs.enqueue(session, "round", project.id, created_by=person.id)
    if job_id is not None:
        return job_id
    waiting = waiting_for_predictions(session, project.id)
    if waiting is not None and project.learner.get("name") == HTTP:
        return ask_scorer(session, project.id, waiting.number)
    if waiting is not None:
        raise Conflict(f"round {waiting.number} waits for the predictions of your own model: push them")
    raise Conflict("a round is waiting to start already")


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


LEFT = reads(
    text("SELECT count(*) FROM (SELECT 1 FROM queue WHERE round_id = :round AND NOT done LIMIT :limit) AS places"),
    "count",
)


def left_in_queue(session: Session, round_id: int, limit: int = INT64_MAX) -> int:
    """How many places of a round's order are still to be answered, counted up to `limit`."""
    return session.connection().execute(LEFT, {"round": round_id, "limit": limit}).scalar_one()  # type: ignore[no-any-return]  # text is untyped


NEW_ANSWERS = reads(
    text("""
        SELECT count(*)
        FROM (SELECT 1 FROM annotations WHERE project_id = :project AND id > :after LIMIT :limit) AS fresh
    """),
    "count",
)


def new_answers(session: Session, project_id: int, after: int, limit: int) -> int:
    """Answers, changes and retractions stored after annotation `after`, counted up to `limit`."""
    values = {"project": project_id, "after": after, "limit": limit}
    return session.connection().execute(NEW_ANSWERS, values).scalar_one()  # type: ignore[no-any-return]  # text is untyped


def order_length(session: Session, project: Project, moment: datetime) -> int:
    """How many places the next order has: enough for the people at work, by their number and by their pace.

    The first one is made before anybody labels, so it expects every member.
    """
    size, live = round_size(session, project, moment), live_leases(session, project.id)
    row = session.execute(
        select(Serving.round_id, Serving.snapshot_annotation_id).where(Serving.project_id == project.id)
    ).one()
    if row.round_id is None:
        members = session.execute(select(func.count()).where(Member.project_id == project.id)).scalar_one()
        return queue_length(max(size, LABELS_PER_ANNOTATOR * members), live)
    return queue_length(size, live, new_answers(session, project.id, row.snapshot_annotation_id, MOST_MEANWHILE))


def listed(session: Session, person: Person, project_ref: int | str, limit: int, before: int | None) -> Sequence[Round]:
    """Rounds, newest first, for reviewers and managers; `before` is a round number."""
    project = project_for(session, person, project_ref, "reviewer")
    statement = select(Round).options(defer(Round.labels))  # as long as there are answers
    statement = statement.where(Round.project_id == project.id).order_by(Round.number.desc()).limit(limit)
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


def _due(session: WriteSession, project_id: int, standing: Row[Any], size: int | None) -> bool:
    if standing.round_id is None:
        return bool(standing.featured)
    size = size or max(SMALLEST_ROUND, LABELS_PER_ANNOTATOR * standing.active)
    if new_answers(session, project_id, standing.snapshot_annotation_id, size) >= size:
        return True
    if int(standing.queue_length) < min(queue_length(size, standing.live), queue_length(size, 0)):
        return False  # the whole pool is in the order already
    quarter = int(standing.queue_length) // 4
    return left_in_queue(session, standing.round_id, quarter + 1) <= quarter


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


def make_due(session: WriteSession, project_id: int) -> None:
    """Ask for a round although no answer came: items got their vectors, or the classes are others now."""
    project: Any = session.get(Project, project_id)
    if project is None or project.state != "open" or project.deleted_at is not None:
        return
    if _features(session, project_id) is not None:
        jobs.enqueue(session, "round", project_id, delay_seconds=_pause(session, project_id, now(session)))
