"""One turn of the loop, run by a worker: load, propose, publish in one commit, evaluate in the next.

No transaction is open while the learner trains. Both commits are fenced by the job's token, so a worker that
was killed or overtaken publishes nothing, and a turn that is run again gives the same order.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import delete, func, insert, select, update

from app.db import Item, Prediction, Project, ProjectClass, QueueEntry, Round, Serving, WriteSession
from app.db.session import now
from app.features import gather, newest
from app.learners import load_model
from app.learners.base import Model
from app.loop.evaluate import evaluate
from app.loop.executors import LocalExecutor
from app.loop.propose import Labelled, Plan, Proposal, propose
from app.services import pool, rounds, tasks
from app.services.jobs import Done, JobFailed, More, Running
from app.services.labels import LabelledItem, LabelSet, label_set

INSERT_ROWS = 500


@dataclass(frozen=True)
class Turn:
    """Everything that a turn read from the database before it began to think."""

    project_id: int
    round_id: int
    number: int
    modality: str
    class_ids: list[int]
    plan: Plan
    features: pool.FeaturePool
    labels: LabelSet
    excluded: Any
    started: float


def run(running: Running) -> Done | More:
    """Run one round of the job's project; finishes what an earlier attempt had published.

    Raises:
        JobFailed: the project is gone or has no features.
    """
    turn = _load(running)
    if turn is None:
        return Done({"skipped": "the project is not open"})
    proposal = _think(running, turn)
    published_in = _publish(running, turn, proposal)
    _evaluate(running, turn, proposal, published_in)
    return Done({"round": turn.number})


def _load(running: Running) -> Turn | None:
    started = time.monotonic()
    assert running.project_id is not None
    with running.db.read() as session:
        project = session.get(Project, running.project_id)
        if project is None or project.deleted_at is not None or project.state == "archived":
            return None
        features = pool.active(session, running.settings, project.id)
        if features is None:
            raise JobFailed("no item has features yet")
        question = tasks.driving(tasks.questions(session, project))
        class_ids = _class_ids(session, project.id)
        labels = label_set(session, project.id, question, class_ids)
        excluded = pool.not_candidates(session, project.id)
        moment = running.db.now()
        length = rounds.order_length(session, project, moment)
        warm = _warm(session, running, project.id, class_ids, features.version)
        multiple = bool(question.options.get("multiple"))
    with running.db.write() as session:
        running.checkpoint(session, progress={"step": "train", "fraction": 0.0})
        row = _open_round(session, running, project, class_ids, labels, features, warm[1])
        number, round_id, seed = row.number, row.id, row.seed
    plan = Plan(
        classes=tuple(class_ids),
        multiple=multiple,
        modality=project.modality,
        strategy=project.strategy.get("name", "auto"),
        strategy_parameters=_parameters(project.strategy),
        learner=project.learner.get("name", "auto"),
        learner_parameters=_parameters(project.learner),
        size=length,
        seed=seed,
        warm=warm[0],
    )
    return Turn(project.id, round_id, number, project.modality, class_ids, plan, features, labels, excluded, started)


def _think(running: Running, turn: Turn) -> Proposal:
    shards = newest(turn.features.opened(pool.candidates_only(turn.excluded)))
    progress = _Progress(running)
    taught = [item for item in turn.labels.items if not item.imported_test]
    with LocalExecutor() as executor:
        return propose(_labelled(turn, taught), shards, turn.plan, executor, progress)


def _publish(running: Running, turn: Turn, proposal: Proposal) -> float:
    model_file = _save_model(running, turn, proposal)
    seconds = {**proposal.seconds, "to_published": round(time.monotonic() - turn.started, 4)}
    entries = [
        {
            "round_id": turn.round_id,
            "rank": rank,
            "project_id": turn.project_id,
            "item_id": int(proposal.ids[rank, 0]),
            "unit": int(proposal.ids[rank, 1]),
            "score": _finite(proposal.scores[rank]),
            "probabilities": _listed(proposal.probabilities, rank),
            "done": False,
        }
        for rank in range(proposal.ids.shape[0])
    ]
    with running.db.write() as session:
        running.checkpoint(session, progress={"step": "publish", "fraction": 0.9})
        moment = now(session)
        _insert(session, QueueEntry, entries)
        _mark_done(session, turn.round_id)
        _insert(session, Prediction, _predictions(turn, proposal))
        session.execute(
            update(Round)
            .where(Round.id == turn.round_id)
            .values(
                state="published",
                published_at=moment,
                model_file=model_file,
                queue_length=len(entries),
                fallback=proposal.fallback,
                sentence=proposal.sentence,
                strategy={"name": turn.plan.strategy, "ran": proposal.strategy, **turn.plan.strategy_parameters},
                seconds=seconds,
            )
        )
        session.execute(
            update(Serving)
            .where(Serving.project_id == turn.project_id)
            .values(round_id=turn.round_id, snapshot_annotation_id=turn.labels.newest_annotation)
        )
        # The orders and predictions of earlier rounds are never read again.
        for table in (QueueEntry, Prediction):
            older = select(Round.id).where(Round.project_id == turn.project_id, Round.number < turn.number)
            session.execute(delete(table).where(table.round_id.in_(older)))
    return seconds["to_published"]


def _evaluate(running: Running, turn: Turn, proposal: Proposal, published_in: float) -> None:
    begun = time.monotonic()
    taught = [item for item in turn.labels.items if not item.imported_test]
    tests = [item for item in turn.labels.items if item.imported_test]
    metrics: dict[str, Any] = {}
    reason = None
    if proposal.model is not None:
        try:
            heldout = _labelled(turn, tests) if tests else None
            metrics = evaluate(
                _labelled(turn, taught), heldout, turn.plan, proposal.model, _Progress(running)
            ).to_json()
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            reason = f"the evaluation failed: {error}"
    took = time.monotonic() - begun
    with running.db.write() as session:
        running.checkpoint(session, progress={"step": "evaluate", "fraction": 1.0})
        seconds = {**proposal.seconds, "to_published": published_in, "evaluate": round(took, 4)}
        seconds["total"] = round(published_in + took, 4)
        session.execute(
            update(Round)
            .where(Round.id == turn.round_id)
            .values(state="done", metrics=metrics, seconds=seconds, reason=reason, finished_at=now(session))
        )


class _Progress:
    """Stores the step for the status panel, at most twice a second."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._last = time.monotonic()

    def __call__(self, step: str, fraction: float) -> None:
        if time.monotonic() - self._last > 0.5:
            self._last = time.monotonic()
            self._running.report({"step": step, "fraction": round(fraction, 3)})


def _open_round(
    session: WriteSession,
    running: Running,
    project: Project,
    class_ids: list[int],
    labels: LabelSet,
    features: pool.FeaturePool,
    warm_round_id: int | None,
) -> Round:
    """The row of this turn.

    One that an earlier attempt left running is used again; one that it had published stays what it is, and
    this attempt is a turn of its own.
    """
    moment = now(session)
    row = session.execute(
        select(Round).where(Round.job_id == running.id, Round.state.in_(("running", "published")))
    ).scalar_one_or_none()
    if row is not None and row.state == "published":
        row.state, row.finished_at = "done", moment
        row.reason = "the worker ended before it was evaluated; the next round was run in its place"
        row = None
    if row is None:
        last = session.execute(select(func.max(Round.number)).where(Round.project_id == project.id)).scalar()
        row = Round(project_id=project.id, number=(last or 0) + 1, job_id=running.id, created_at=moment)
        session.add(row)
    row.state = "running"
    row.strategy, row.learner, row.featurizer = project.strategy, project.learner, features.version
    row.task_version, row.class_ids = project.task_version, list(class_ids)
    row.seed = _seed(project.seed, row.number)
    row.labels = labels.annotation_ids
    row.labels_count = sum(not item.imported_test for item in labels.items)  # the test set teaches nothing
    row.warm_round_id = warm_round_id
    session.flush()
    return row


def fail(running: Running, reason: str, *, final: bool) -> None:
    """Write on the round why it failed; called by the worker when `run` raised."""
    with running.db.write() as session:
        session.execute(
            update(Round)
            .where(Round.job_id == running.id, Round.state.in_(("running", "published")))
            .values(state="failed" if final else "running", reason=reason, finished_at=now(session) if final else None)
        )


def _seed(project_seed: int, number: int) -> int:
    return int(np.random.SeedSequence([project_seed, number]).generate_state(1, np.uint32)[0])


def _class_ids(session: Any, project_id: int) -> list[int]:
    return list(
        session.execute(
            select(ProjectClass.number)
            .where(ProjectClass.project_id == project_id, ~ProjectClass.retired)
            .order_by(ProjectClass.number)
        ).scalars()
    )


def _warm(
    session: Any, running: Running, project_id: int, class_ids: list[int], version: str
) -> tuple[Model | None, int | None]:
    row = session.execute(
        select(Round.id, Round.model_file, Round.class_ids, Round.featurizer)
        .where(Round.project_id == project_id, Round.model_file.is_not(None))
        .order_by(Round.number.desc())
        .limit(1)
    ).first()
    if row is None or row.class_ids != class_ids or row.featurizer != version:
        return None, None
    file = running.settings.data / "models" / str(project_id) / row.model_file
    if not file.exists():
        return None, None
    warm = load_model(file)
    return (None, None) if warm is None else (warm, int(row.id))


def _labelled(turn: Turn, items: list[LabelledItem]) -> Labelled:
    """The rows of the labelled items that have vectors, in the order of their ids."""
    ids = np.array([(item.item_id, item.unit, item.revision) for item in items], dtype=np.int64).reshape(-1, 3)
    found, block = gather(turn.features.opened(), ids)
    kept = [item for item, there in zip(items, found, strict=True) if there]
    columns = len(turn.class_ids)
    return Labelled(
        ids=ids[found],
        block=block,
        targets=np.array([item.shares for item in kept], dtype=np.float32).reshape(len(kept), columns),
        weights=np.ones(len(kept)),
        audit=np.array([item.audit for item in kept], dtype=np.bool_),
    )


def _save_model(running: Running, turn: Turn, proposal: Proposal) -> str | None:
    if proposal.model is None:
        return None
    folder: Path = running.settings.data / "models" / str(turn.project_id)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"{turn.number}-{running.token.hex[:8]}.npz"
    proposal.model.save(folder / name)
    return name


def _predictions(turn: Turn, proposal: Proposal) -> list[dict[str, Any]]:
    if proposal.sample_probabilities is None:
        return []
    return [
        {
            "round_id": turn.round_id,
            "item_id": int(identity[0]),
            "unit": int(identity[1]),
            "probabilities": [round(float(value), 5) for value in row],
        }
        for identity, row in zip(proposal.sample_ids, proposal.sample_probabilities, strict=True)
    ]


def _mark_done(session: WriteSession, round_id: int) -> None:
    """Items that were answered while the turn was thinking are not offered by its order."""
    answered = (
        select(QueueEntry.item_id)
        .join(Item, Item.id == QueueEntry.item_id)
        .where(QueueEntry.round_id == round_id, Item.done)
    )
    session.execute(
        update(QueueEntry).where(QueueEntry.round_id == round_id, QueueEntry.item_id.in_(answered)).values(done=True)
    )


def _insert(session: WriteSession, table: Any, rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), INSERT_ROWS):
        session.execute(insert(table), rows[start : start + INSERT_ROWS])


def _parameters(setting: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in setting.items() if key != "name"}


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None


def _listed(probabilities: Any, rank: int) -> list[float] | None:
    if probabilities is None:
        return None
    return [round(float(value), 5) for value in probabilities[rank]]
