"""Selections by another strategy than the project's: fitted, scored and chosen by a job, as a round is, but published
nowhere. What a strategy cannot do without is said; nothing else is chosen in its place.
"""

import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import filters as grammar
from app.core.arrays import Indices
from app.core.errors import AppError, Conflict, Invalid
from app.core.settings import Settings
from app.db import Item, PredictionSet, Project, Round, User, WriteSession
from app.db.session import now
from app.features import newest
from app.learners import GivenModel
from app.loop.propose import Proposal
from app.services import (
    aiming,
    filters,
    jobs,
    leases,
    opening,
    outside,
    pool,
    projects,
    selecting,
    tasks,
    turn,
    versions,
)
from app.services.access import Person
from app.services.engines import AGAIN_SECONDS, ClusterUnavailable
from app.services.jobs import Done, JobFailed, Later, Running
from app.services.labels import label_set
from app.services.picking import Order, Pick, Take
from app.services.selecting import Ask
from app.services.turn_state import Progress, Turn

SEED = 0x5E1EC7  # so that a selection draws other numbers than the round


def enqueue(
    session: WriteSession, settings: Settings, person: Person, ref: int | str, strategy: dict[str, Any], ask: Ask,
    filter_text: str,
) -> int:  # fmt: skip
    """Ask for a selection by a strategy with its parameters; the job's id.

    Raises:
        Invalid: no such strategy or parameter, a class of the filter that is unknown, a count out of bounds.
        Conflict: the project is empty or not open, its items have no features yet, or its model cannot give what the
            strategy needs.
    """
    selecting.check(settings, ask)
    project = selecting.open_project(session, person, ref)
    if ask.hold_hours is not None:
        person.need("label")
    chosen = projects.check_plugin("strategy", strategy, project.modality)
    projects.check_together(chosen, project.learner)
    projects.check_question(chosen, tasks.driving_spec(project))
    aiming.check(session, project.id, chosen)
    filters.conditions(session, project, ask.filter)
    if pool.active(session, settings, project.id) is None:
        raise Conflict(pool.no_features(session, project.id))
    payload = {"strategy": chosen, "count": ask.count, "filter": filter_text, "hold_hours": ask.hold_hours}
    job_id = jobs.enqueue(session, "select", project.id, payload, created_by=person.id)
    assert job_id is not None
    return job_id


def run(running: Running) -> Done | Later:
    """Choose, and hold what is to be held; the job's result has the items.

    Raises:
        JobFailed: the strategy cannot run, with the reason; or the project is not open any more.
    """
    if running.cursor is not None:  # another attempt held the items before it died
        return Done(running.cursor["result"])
    prepared = _load(running)
    try:
        proposal = turn.think(running.settings, prepared, Progress(running))
    except ClusterUnavailable as reason:
        return Later(AGAIN_SECONDS, str(reason))
    if proposal.fallback is not None or (len(proposal.ids) and proposal.strategy == "random" != prepared.plan.strategy):
        why = prepared.silence or (proposal.fallback or proposal.sentence).removeprefix("random: ")
        raise JobFailed(f"strategy {prepared.plan.strategy} cannot run: {why}")
    drawn = _candidates(prepared) if proposal.strategy == "random" else 0
    with running.db.write() as session:
        project = session.get_one(Project, prepared.project_id)
        picks, scores = _picks(session, running, project, proposal)
        result = _result(running, prepared, proposal, picks, scores, drawn, now(session))
        running.checkpoint(session, cursor={"result": result})
    return Done(result)


def _load(running: Running) -> Turn:
    assert running.project_id is not None
    given = running.payload
    with running.db.read() as session:
        project = session.get(Project, running.project_id)
        if project is None or project.deleted_at is not None or project.state != "open":
            raise JobFailed("the project is not open any more")
        features = pool.active(session, running.settings, project.id)
        if features is None:
            raise JobFailed("the items have no features any more: start a round, then select again")
        asked = tasks.questions(session, project)
        question, silence = tasks.driving(asked), tasks.silence(asked)
        class_ids = opening.class_ids_of(session, project.id, question.id) if silence is None else []
        model = _outside(session, running.settings, project, class_ids)
        if model is not None:
            class_ids, features = model.class_ids, model.features or features
        labels = label_set(session, project.id, question, class_ids)
        excluded = _excluded(session, project, given["filter"])
        last = select(Round.number).where(Round.project_id == project.id).order_by(Round.number.desc()).limit(1)
        number = session.execute(last).scalar() or 0
    several = bool(question.options.get("multiple"))
    strategy = dict(given["strategy"])
    plan = turn.plan_of(
        project,
        question,
        class_ids,
        silence,
        size=given["count"],
        seed=int(np.random.SeedSequence([project.seed, number, SEED]).generate_state(1, np.uint32)[0]),
        given=GivenModel(len(class_ids), several) if model is not None else None,
    )
    plan = replace(plan, strategy=strategy.pop("name"), strategy_parameters=strategy)
    with running.db.read() as session:
        aimed = aiming.of(running.db, session, project.id, plan.strategy, plan.strategy_parameters)
    began = time.monotonic()
    return Turn(
        project.id, 0, number, project.modality, class_ids, plan, features, labels, excluded, began, model, None,
        silence, aimed=aimed,
    )  # fmt: skip


def _outside(session: Session, settings: Settings, project: Project, class_ids: list[int]) -> versions.Version | None:
    """What an outside model of the project said last, of those versions that put items in order."""
    if not outside.is_external(project):
        return None
    complete = select(PredictionSet.id).where(PredictionSet.project_id == project.id, PredictionSet.state == "complete")
    last = complete.where(PredictionSet.use != "suggest").order_by(PredictionSet.completed_at.desc()).limit(1)
    return versions.opened(session, settings, session.execute(last).scalar(), class_ids)


def _excluded(session: Session, project: Project, filter_text: str) -> Indices:
    """Sorted ids of the items that may not be chosen: what a round may not choose, and what does not fit."""
    excluded = pool.not_candidates(session, project.id)
    wanted = grammar.parse(filter_text)
    if not wanted:
        return excluded
    try:
        fitting = select(Item.id).where(Item.project_id == project.id, *filters.conditions(session, project, wanted))
    except AppError as error:  # a class was renamed meanwhile
        raise JobFailed(str(error)) from None
    fits = np.fromiter(session.execute(fitting).scalars(), dtype=np.int64)
    everything = np.fromiter(
        session.execute(select(Item.id).where(Item.project_id == project.id)).scalars(), dtype=np.int64
    )
    return np.union1d(excluded, np.setdiff1d(everything, fits))


def _candidates(prepared: Turn) -> int:
    """How many rows there were to be drawn from."""
    stored = newest(prepared.features.opened(pool.candidates_only(prepared.excluded)))
    return sum(len(shard.load().ids) for shard in stored)


def _picks(
    session: WriteSession, running: Running, project: Project, proposal: Proposal
) -> tuple[list[Pick], dict[int, float | None]]:
    """The chosen items that are open still, held where that was asked for, with the scores of all."""
    scores = {int(proposal.ids[rank, 0]): turn.finite(proposal.scores[rank]) for rank in range(proposal.ids.shape[0])}
    owner = session.get(User, running.created_by) if running.created_by is not None else None
    hours = running.payload["hold_hours"]
    order = Order(0, 0, False, strategy=proposal.strategy)
    person = Person(owner.id if owner and hours else selecting.NOBODY, owner.name if owner else "")
    kept: list[Pick] = []
    ids = list(scores)
    for start in range(0, len(ids), selecting.AT_ONCE):
        here = [Item.id.in_(ids[start : start + selecting.AT_ONCE])]
        take = Take(session, project, person, order, selecting.AT_ONCE, set(), here, brief=True)
        rows = {row.id: row for row in take.rows(leases.HERE)}
        kept += [Pick(rows[each], "query", 0) for each in ids[start : start + selecting.AT_ONCE] if each in rows]
    if hours and owner is not None:
        kept = selecting.hold(session, project, person, order, kept, hours)
    return kept, scores


def _result(
    running: Running,
    prepared: Turn,
    proposal: Proposal,
    picks: list[Pick],
    scores: dict[int, float | None],
    drawn: int,
    moment: datetime,
) -> dict[str, Any]:
    chance = min(1.0, len(picks) / drawn) if drawn else 1.0
    kind, hours = "random" if drawn else "query", running.payload["hold_hours"]
    few = f"no more than {len(picks):,} items are open now" if len(picks) < running.payload["count"] else None
    return {
        "round": prepared.number or None,
        "strategy": proposal.strategy if len(proposal.ids) else prepared.plan.strategy,
        "words": "; ".join(filter(None, (proposal.sentence.removesuffix("."), few))),
        "held_until": (moment + timedelta(hours=hours)).isoformat() if hours else None,
        "items": [
            {
                "rank": rank,
                "item": pick.row.id,
                "key": pick.row.key,
                "score": None if drawn else scores[pick.row.id],
                "kind": kind,
                "inclusion_probability": round(chance, 6),
            }
            for rank, pick in enumerate(picks)
        ],
    }


def refuse(reason: str | None) -> Invalid:
    """The refusal that a failed selection becomes."""
    return Invalid(reason or "the selection failed", fields={"strategy": "cannot run"})
