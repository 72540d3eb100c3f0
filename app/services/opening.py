"""The row of a round when it begins: its number, its seed, what it learns from and where its weights start."""

import logging

import numpy as np
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.core.settings import Settings
from app.db import Project, ProjectClass, Round, WriteSession
from app.db.session import now
from app.learners import DAMAGED, HTTP, OUTSIDE, LinearModel, load_model
from app.learners.base import Model
from app.services import outbox
from app.services.jobs import Running, holds
from app.services.labels import LabelledItem, LabelSet

log = logging.getLogger("labelwise.rounds")

UNFINISHED = ("running", "published", "waiting_for_predictions")


def open_round(
    session: WriteSession,
    running: Running,
    project: Project,
    class_ids: list[int],
    labels: LabelSet,
    featurizer: str,
    warm_round_id: int | None,
    *,
    keep_labels: bool = False,
) -> Round:
    """The row of this turn.

    One that an earlier attempt left running, or waiting for predictions, is used again; one that it had published
    stays what it is, and this attempt is a turn of its own. With `keep_labels` what a round gave out to be learned
    from, before it waited, stays its label snapshot.
    """
    moment = now(session)
    row = session.execute(
        select(Round).where(Round.job_id == running.id, Round.state.in_(UNFINISHED))
    ).scalar_one_or_none()
    if row is not None and row.state == "published":
        row.state, row.finished_at = "done", moment
        row.reason = "the worker ended before it was evaluated; the next round was run in its place"
        row = None
    if row is None:
        last = session.execute(select(func.max(Round.number)).where(Round.project_id == project.id)).scalar()
        row = Round(project_id=project.id, number=(last or 0) + 1, job_id=running.id, created_at=moment)
        session.add(row)
    if not (keep_labels and row.labels):
        apart = project.audit_use == "apart" and project.learner.get("name") not in OUTSIDE
        learned = [item for item in labels.items if item.imported_test or not (apart and item.audit)]
        row.labels = LabelSet(learned, labels.newest_annotation).annotation_ids
        row.labels_count = len(taught(learned))
    row.state, row.sentence = "running", None
    learner = {"name": HTTP} if project.learner.get("name") == HTTP else project.learner  # its address stays there
    row.strategy, row.learner, row.featurizer = project.strategy, learner, featurizer
    row.task_version, row.class_ids = project.task_version, list(class_ids)
    row.seed = _seed(project.seed, row.number)
    row.warm_round_id = warm_round_id
    session.flush()
    return row


def fail(running: Running, reason: str, *, final: bool) -> None:
    """Write on the round why it failed; called by the worker when its turn raised, and heeded while it has the job.

    One that was published already stays it: its order is in force, and a further attempt is a turn of its own.
    """
    with running.db.write() as session:
        if not holds(session, running):
            return
        mine = update(Round).where(Round.job_id == running.id)
        unpublished = mine.where(Round.state.in_(UNFINISHED), Round.state != "published")
        failed = {"state": "failed", "reason": reason, "finished_at": now(session)}
        session.execute(unpublished.values(failed if final else {"state": "running", "reason": reason}))
        if final:
            session.execute(mine.where(Round.state == "published").values({**failed, "state": "done"}))
        if final and running.project_id is not None:
            outbox.emit(session, running.project_id, "round.failed", {"job": running.id, "reason": reason})


def class_ids_of(session: Session, project_id: int, question: str) -> list[int]:
    """The classes of the driving question, which a round tells apart, by number: the columns of its probabilities."""
    return list(
        session.execute(
            select(ProjectClass.number)
            .where(ProjectClass.project_id == project_id, ProjectClass.question == question, ~ProjectClass.retired)
            .order_by(ProjectClass.number)
        ).scalars()
    )


def warm_start(
    session: Session, running: Running, project_id: int, class_ids: list[int], version: str
) -> tuple[Model | None, int | None]:
    """The newest model of the same classes and features, and its round's id."""
    row = session.execute(
        select(Round.id, Round.model_file, Round.class_ids, Round.featurizer)
        .where(Round.project_id == project_id, Round.model_file.is_not(None))
        .order_by(Round.number.desc())
        .limit(1)
    ).first()
    if row is None or row.class_ids != class_ids or row.featurizer != version:
        return None, None
    warm = model_of(running.settings, project_id, row.model_file)
    return (None, None) if warm is None else (warm, int(row.id))


def model_of(settings: Settings, project_id: int, name: str) -> LinearModel | None:
    """A round's model from its file; None where that is gone, damaged, or of a kind that cannot be read again."""
    try:
        return load_model(settings.data / "models" / str(project_id) / name)
    except FileNotFoundError:
        return None
    except DAMAGED as error:
        log.error("the model %s of project %d is damaged, so it is not used: %s", name, project_id, error)
        return None


def taught(items: list[LabelledItem]) -> list[LabelledItem]:
    """What a model may learn from, but for audit answers kept apart: everything but the client's own test set."""
    return [item for item in items if not item.imported_test]


def _seed(project_seed: int, number: int) -> int:
    return int(np.random.SeedSequence([project_seed, number]).generate_state(1, np.uint32)[0])
