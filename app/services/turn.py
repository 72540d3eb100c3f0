"""One turn of the loop, run by a worker: load, propose, publish in one commit, evaluate in the next.

No transaction is open while the learner trains. Both commits are fenced by the job's token, so a worker that
was killed or overtaken publishes nothing, and a turn that is run again gives the same order.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, any_, delete, func, literal_column, select, update

from app.core.block import Shard
from app.core.settings import Settings
from app.db import Item, Prediction, Project, QueueEntry, Round, Serving, WriteSession, count_anew
from app.db.session import now
from app.features import DamagedShard, GivenShard, fault, newest
from app.learners import GivenModel
from app.loop.executors import one_thread
from app.loop.propose import Plan, Proposal, propose
from app.services import (
    aiming,
    auditing,
    costs,
    erasing,
    features,
    guarding,
    looking,
    opening,
    outbox,
    outside,
    pool,
    records,
    rounds,
    stopping,
    tallies,
    tasks,
    versions,
)
from app.services.answered import one_of
from app.services.engines import AGAIN_SECONDS, ClusterUnavailable, engine, shards_for
from app.services.jobs import Done, JobFailed, Later, Parked, Running
from app.services.judging import judge
from app.services.labels import label_set
from app.services.turn_state import Progress, Turn, insert_rows, labelled_rows, mark_done
from app.task_types import Question


def run(running: Running) -> Done | Parked | Later:
    """Run one round of the job's project, or make it wait: for the predictions of an outside model, for a cluster.

    Raises:
        JobFailed: the project is gone or has no features.
    """
    turn = _load(running)
    if not isinstance(turn, Turn):
        return turn
    with one_thread():
        try:
            proposal = _of_items_there(running, turn, think(running.settings, turn, Progress(running)))
        except ClusterUnavailable as reason:
            return Later(AGAIN_SECONDS, str(reason))
        except DamagedShard as damage:
            raise JobFailed(_mended(running, turn, damage)) from None
        published_in = _publish(running, turn, proposal)
        count_anew(running.db)
        tallies.put_together(running.db, turn.project_id)
        erasing.drop_marked_models(running, turn.project_id)
        judge(running, turn, proposal, published_in)
    _look_again(running, turn.project_id)
    return Done({"round": turn.number})


def _of_items_there(running: Running, turn: Turn, proposal: Proposal) -> Proposal:
    """The proposal without items that were erased while it was made; O(its items).

    Raises:
        DamagedShard: it names items that never were, as a file of the features holds other bytes than were written.
    """
    named = np.union1d(proposal.ids[:, 0], proposal.sample_ids[:, 0])
    there = select(Item.id).where(Item.project_id == turn.project_id)
    with running.db.read() as session:
        known = list(session.execute(there.where(one_of(session, Item.id, named.tolist()))).scalars())
    if len(known) == len(named):
        return proposal
    for shard in turn.features.opened():
        if damage := fault(shard):
            raise DamagedShard(damage)
    order, sample = np.isin(proposal.ids[:, 0], known), np.isin(proposal.sample_ids[:, 0], known)
    return replace(
        proposal,
        ids=proposal.ids[order],
        scores=proposal.scores[order],
        probabilities=None if proposal.probabilities is None else proposal.probabilities[order],
        sample_ids=proposal.sample_ids[sample],
        sample_probabilities=None if proposal.sample_probabilities is None else proposal.sample_probabilities[sample],
    )


def _mended(running: Running, turn: Turn, damage: DamagedShard) -> str:
    """What is said of a round whose features cannot be read; people go on with the order that there is."""
    if turn.version is not None:
        return f"{damage}: push the predictions again, under another version"
    if features.make_anew(running, turn.features.version):
        return f"{damage}: the features are being made anew"
    return f"{damage}: bring it back from a backup, or push the vectors again in a new project"


def _load(running: Running) -> Turn | Done | Parked:
    started = time.monotonic()
    assert running.project_id is not None
    with running.db.read() as session:
        project = session.get(Project, running.project_id)
        if project is None or project.deleted_at is not None or project.state == "archived":
            return Done({"skipped": "the project is not open"})
        vectors = pool.active(session, running.settings, project.id)
        if vectors is None:
            raise JobFailed("no item has features yet")
        asked = tasks.questions(session, project)
        question, silence = tasks.driving(asked), tasks.silence(asked)
        class_ids = opening.class_ids_of(session, project.id, question.id) if silence is None else []
        external = outside.is_external(project)
        model = None
        if external:
            model = versions.opened(session, running.settings, running.payload.get("predictions"), class_ids)
        if model is not None:
            class_ids, vectors = model.class_ids, model.features or vectors
        labels = label_set(session, project.id, question, class_ids)
        excluded = looking.excluded(session, running.settings, project.id, vectors, outside=external)
        moment = running.db.now()
        length = rounds.order_length(session, project, moment)
        wait = external and model is None and outside.must_wait(session, project, labels)
        first = external and not wait and model is None and _is_first(session, project.id)
        warm = (
            (None, None) if external else opening.warm_start(session, running, project.id, class_ids, vectors.version)
        )
        multiple = bool(question.options.get("multiple"))
        guard = guarding.standing(session, project.id, class_ids)
        before = stopping.before(session, project.id, class_ids)
        times = costs.known(session, project, labels.newest_annotation) if project.cost_exponent else None
        pricing = costs.pricing(running.db, project, times) if times else None
    with running.db.write() as session:
        running.checkpoint(session, progress={"step": "train", "fraction": 0.0})
        if wait and outside.came_meanwhile(session, running):
            return Done({"skipped": "predictions came meanwhile: the next round uses them"})
        row = opening.open_round(
            session, running, project, class_ids, labels, vectors.version, warm[1], keep_labels=model is not None
        )
        if wait:
            outside.wait(session, running, row, labels)
            return Parked()
        if model is not None:
            row.learner = model.learner()
        number, round_id, seed = row.number, row.id, row.seed
    with running.db.read() as session:
        view = looking.part(session, running.settings, project, vectors, number)
        given = GivenModel(len(class_ids), multiple) if model is not None else None
        plan = plan_of(project, question, class_ids, silence, size=length, seed=seed, warm=warm[0], given=given)
        aimed = aiming.of(running.db, session, project.id, plan.strategy, plan.strategy_parameters)
    learned = (running.cursor or {}).get("newest_annotation") if model is not None else None
    until = None if first else learned or labels.newest_annotation
    return Turn(
        project.id, round_id, number, project.modality, class_ids, plan, vectors, labels, excluded, started, model,
        until, silence, guard, view, before, times, pricing, auditing.is_active(project),
        project.audit_estimate == auditing.POWERED and project.audit_share > 0,
        question.merged, aimed,
    )  # fmt: skip


def plan_of(project: Project, question: Question, class_ids: list[int], silence: str | None, **more: Any) -> Plan:
    """What a project's settings ask of a round; `more` is its size, seed and models."""
    return Plan(
        classes=tuple(class_ids),
        multiple=bool(question.options.get("multiple")),
        modality=project.modality,
        strategy=project.strategy.get("name", "auto") if silence is None else "auto",
        strategy_parameters=_parameters(project.strategy) if silence is None else {},
        learner=project.learner.get("name", "auto"),
        learner_parameters=_parameters(project.learner),
        apart=project.audit_use == "apart" and not outside.is_external(project),
        values=_values(question, class_ids),
        **more,
    )


def _values(question: Question, class_ids: list[int]) -> tuple[float, ...] | None:
    """The numbers that the classes stand for, where they are the levels of a rating."""
    if question.type != "rating":
        return None
    names = {each.id: each.name for each in question.classes}
    return tuple(float(names[number]) for number in class_ids)


def _is_first(session: Any, project_id: int) -> bool:
    published = session.execute(select(Serving.round_id).where(Serving.project_id == project_id)).scalar_one()
    return published is None


def _look_again(running: Running, project_id: int) -> None:
    """Ask for the next round where one is due by now: nobody may come any more who would.

    Answers came while this one ran or waited for predictions; and the first order of an outside model's project teaches
    nothing, so that labels that are there already make a round due.
    """
    with running.db.write() as session:
        project = session.get_one(Project, project_id)
        rounds.request_if_due(session, project_id, project.state, project.round_size, now(session))


def think(settings: Settings, turn: Turn, progress: Callable[[str, float], None]) -> Proposal:
    """Fit, score and choose, with no transaction open; raises ClusterUnavailable."""
    view, model, samples = turn.view, turn.version, None
    shards: list[Shard]
    if view is not None:
        shards, samples, rows = list(view.shards), view.samples, view.rows
    else:
        stored = newest(turn.features.opened(pool.candidates_only(turn.excluded)))
        given = None if model is None else [GivenShard(each, model.given) for each in stored]
        shards = shards_for(settings, turn.features.folder, stored) if given is None else list(given)
        rows = sum(shard.rows for shard in shards)
    taught = opening.taught(turn.labels.items)
    here = model is not None or view is not None
    with engine(settings, rows, here=here) as (executor, where):
        labelled = labelled_rows(turn, taught)
        proposal = propose(
            labelled, shards, turn.plan, executor, progress, samples=samples, pool_rows=rows, pricing=turn.pricing,
            aims=None if turn.aimed is None else turn.aimed.aims(turn.features),
        )  # fmt: skip
    return replace(proposal, sentence=proposal.sentence + (view.words if view else where))


def _publish(running: Running, turn: Turn, proposal: Proposal) -> float:
    model_file = _save_model(running, turn, proposal)
    seconds = {**proposal.seconds, "to_published": round(time.monotonic() - turn.started, 4)}
    order = _order(running, turn, proposal)
    with running.db.read() as session:
        audits = auditing.read(session, turn)
    audits = auditing.weighed(turn, audits, proposal.model)
    with running.db.write() as session:
        running.checkpoint(session, progress={"step": "publish", "fraction": 0.9})
        moment = now(session)
        if turn.version is not None:
            order = outside.keeping_places(
                session, turn.project_id, turn.version.given, turn.class_ids, turn.excluded, order
            )
        whose = {"round_id": turn.round_id, "project_id": turn.project_id, "done": False}
        entries = [{**whose, "rank": rank, **row} for rank, row in enumerate(order)]
        insert_rows(session, QueueEntry, entries)
        insert_rows(session, Prediction, _predictions(turn, proposal))
        session.execute(
            update(Round)
            .where(Round.id == turn.round_id)
            .values(
                state="published",
                published_at=moment,
                model_file=model_file,
                queue_length=len(entries),
                fallback=proposal.fallback,
                sentence=turn.silence or proposal.sentence + guarding.words(turn.plan, turn.guard),
                strategy={"name": turn.plan.strategy, "ran": proposal.strategy, **turn.plan.strategy_parameters}
                | guarding.mark(turn.plan, turn.guard),
                seconds=seconds,
            )
        )
        records.keep(session, turn, proposal)
        told = {"round": turn.number, "labels": len(turn.labels.items), "queue": len(entries)}
        outbox.emit(session, turn.project_id, "round.published", told)
        mark_done(session, turn.round_id)
        auditing.publish(session, turn, audits)
        served: dict[str, Any] = {"round_id": turn.round_id}
        if turn.newest_annotation is not None:
            served["snapshot_annotation_id"] = turn.newest_annotation
        # Last, as nobody is given an item from here to the commit.
        session.execute(update(Serving).where(Serving.project_id == turn.project_id).values(served))
    _drop_older(running, turn)
    return seconds["to_published"]


def _drop_older(running: Running, turn: Turn) -> None:
    """The orders and predictions of earlier rounds are never read again.

    In a transaction of its own, as whoever answers an item waits for the one that removes its place. Itself it waits
    for nobody: places that somebody is passing just then are left to the next round.
    """
    with running.db.write() as session:
        running.checkpoint(session)
        numbered = select(Round.id).where(Round.project_id == turn.project_id, Round.number < turn.number)
        older = list(session.execute(numbered).scalars())
        places = one_of(session, QueueEntry.round_id, older)
        for gone in (
            delete(Prediction).where(one_of(session, Prediction.round_id, older)),
            delete(QueueEntry).where(free(session, places)),
        ):
            session.execute(gone.execution_options(synchronize_session=False))


def free(session: WriteSession, places: ColumnElement[bool]) -> ColumnElement[bool]:
    """Those of the places that nobody is passing just now; by their addresses, whatever is known of the table's size.

    By their keys PostgreSQL compared each place with each other one as long as it had not counted them: 9 seconds.
    """
    if session.get_bind().dialect.name == "sqlite":  # one transaction writes at a time
        return places
    address: ColumnElement[Any] = literal_column("queue.ctid")
    free = select(address).select_from(QueueEntry).where(places).with_for_update(skip_locked=True)
    return address == any_(func.array(free.scalar_subquery().correlate(None)))


def _order(running: Running, turn: Turn, proposal: Proposal) -> list[dict[str, Any]]:
    """The chosen items in their order, each with what is suggested for it."""
    rows = [
        {
            "item_id": int(proposal.ids[rank, 0]),
            "unit": int(proposal.ids[rank, 1]),
            "revision": int(proposal.ids[rank, 2]),
            "score": finite(proposal.scores[rank]),
            "probabilities": _listed(proposal.probabilities, rank),
        }
        for rank in range(proposal.ids.shape[0])
    ]
    if turn.version is not None and turn.version.use == "rank":
        rows = [{**row, "probabilities": None} for row in rows]
    with running.db.read() as session:
        rows = versions.suggest(session, running.settings, turn.project_id, turn.class_ids, rows)
    return [{name: value for name, value in row.items() if name != "revision"} for row in rows]


def _save_model(running: Running, turn: Turn, proposal: Proposal) -> str | None:
    if proposal.model is None or turn.version is not None:
        return None
    folder: Path = running.settings.data / "models" / str(turn.project_id)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"{turn.number}-{running.token.hex[:8]}.npz"
    proposal.model.save(folder / name)
    if turn.view is not None:
        looking.keep(folder / name, turn.features, proposal.best)
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


def _parameters(setting: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in setting.items() if key != "name"}


def finite(value: Any) -> float | None:
    """A number as it is stored; None for one that is not finite."""
    number = float(value)
    return number if np.isfinite(number) else None


def _listed(probabilities: Any, rank: int) -> list[float] | None:
    if probabilities is None:
        return None
    return [round(float(value), 5) for value in probabilities[rank]]
