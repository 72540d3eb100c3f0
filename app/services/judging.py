"""The second commit of a turn: how good its model is, what it thinks of the labels, and whether a goal is reached."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.core.errors import AppError
from app.db import Prediction, Project, Round, WriteSession
from app.db.session import now
from app.evaluation.saved import Saved
from app.loop.doubts import opinions
from app.loop.evaluate import Peek
from app.loop.propose import Proposal
from app.services import (
    advice,
    auditing,
    balance,
    costs,
    doubting,
    drifting,
    goal,
    opening,
    outbox,
    records,
    robustness,
    status,
    stopping,
    unanswered,
)
from app.services.drift import Drift, tell
from app.services.jobs import Running
from app.services.labels import by_class
from app.services.measuring import Terms, measure, unmeasured
from app.services.turn_state import Progress, Turn, insert_rows, mark_done


def judge(running: Running, turn: Turn, proposal: Proposal, published_in: float) -> None:
    """Measure the published round's model and store what was found; `published_in` are the seconds until its order.

    An evaluation that fails is said with the round, whose order stays.
    """
    begun = time.monotonic()
    doubts: list[dict[str, Any]] = []
    reason = None
    with running.db.read() as session:
        terms = Terms(_peek(session, turn.project_id), turn.guard, _saved(session, turn.project_id))
        earlier = advice.history(session, turn.project_id)
        project = session.get_one(Project, turn.project_id)
        worth = stopping.terms(session, project, running.db.now())
        times = turn.times or costs.known(session, project, turn.labels.newest_annotation)
        cost = costs.to_json(times, project.modality, project.cost_exponent)
        before = Drift.from_json(_last_kept(session, turn.project_id, "drift"))
        advised = _last_kept(session, turn.project_id, "stopping")
        disputed = balance.ties(session, project)
        silent = unanswered.of_project(session, turn.project_id)
        peek = replace(terms.peek, audits=auditing.judges(session, turn))
    terms = replace(terms, peek=peek)
    taught = opening.taught(turn.labels.items)
    try:
        found = measure(running.db, turn, proposal, terms, Progress(running))
        if found.labelled is not None:
            thought = opinions(found.labelled, turn.plan)
            doubts = doubting.entries(turn.round_id, found.labelled, thought, proposal.sample_ids)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
        found, reason = unmeasured(terms), f"the evaluation failed: {error}"
    seen = stopping.seen(
        len(taught), proposal.sample_ids, proposal.sample_probabilities, turn.before, turn.plan.multiple
    )
    rounds = [*earlier, stopping.judged(seen, found.metrics.get("accuracy"))]
    drift = _drift(running, turn, before)
    worth = replace(worth, unlike=drift is not None and drift.alarm)
    weighed = stopping.weighed(rounds, worth, advised)
    metrics = found.metrics | {"stopping": weighed, "cost": cost, "drift": drift and drift.to_json()}
    metrics |= {"labelled": by_class(taught, turn.class_ids), "disputed": disputed, "unanswered": silent.to_json()}
    took = time.monotonic() - begun
    with running.db.write() as session:
        running.checkpoint(session, progress={"step": "evaluate", "fraction": 1.0})
        insert_rows(session, Prediction, doubts)
        metrics["robustness"] = kept = _last_kept(session, turn.project_id, "robustness")
        robustness.request(session, turn.project_id, len(taught), kept)
        project = session.get_one(Project, turn.project_id)
        metrics["stopping"] = weighed = weighed | stopping.decided(project, weighed)
        mark_done(session, turn.round_id)
        seconds = {**proposal.seconds, "to_published": published_in, "evaluate": round(took, 4)}
        seconds["total"] = round(published_in + took, 4)
        session.execute(
            update(Round)
            .where(Round.id == turn.round_id)
            .values(state="done", metrics=metrics, seconds=seconds, reason=reason, finished_at=now(session))
        )
        records.keep_judged(session, turn, found.judged, terms.to_json())
        _tell_of_the_goal(session, turn.project_id)
        tell(session, turn.project_id, turn.number, before, drift)
        if weighed["pauses"]:
            stopping.act(session, project, weighed["advice"])


def _peek(session: Session, project_id: int) -> Peek:
    """The look that this round takes at the judges: one after those that the newest evaluated round counts.

    Rounds of a release that counted none may have looked each.
    """
    judged = (Round.project_id == project_id, Round.state == "done", Round.metrics.is_not(None))
    looks = _last_kept(session, project_id, "looks")
    if looks is None:
        looks = session.execute(select(func.count()).select_from(Round).where(*judged)).scalar_one()
    items = status.item_counts(session, project_id)
    return Peek(int(looks) + 1, items["total"] - items["test"])


def _drift(running: Running, turn: Turn, last: Drift | None) -> Drift | None:
    """How new items compare with earlier ones; what cannot be compared is said and stops nothing."""
    try:
        return drifting.look(running, turn, last)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError, OSError, AppError) as error:
        return last and replace(last, lack=str(error))


def _saved(session: Session, project_id: int) -> Saved:
    return Saved.from_json(_last_kept(session, project_id, "saved"))


def _last_kept(session: Session, project_id: int, name: str) -> Any:
    """What the newest evaluated round keeps under a name; None where there is no such round or it keeps nothing."""
    judged = (Round.project_id == project_id, Round.state == "done", Round.metrics.is_not(None))
    newest = select(Round.metrics[name]).where(*judged).order_by(Round.number.desc()).limit(1)
    return session.execute(newest).scalar_one_or_none()


def _tell_of_the_goal(session: WriteSession, project_id: int) -> None:
    project = session.get_one(Project, project_id)
    if project.goal and outbox.is_heard(session, project_id, "goal.reached"):
        answered = status.item_counts(session, project_id)["answered"]
        accuracy = status.headline(status.last_evaluated(session, project_id))
        words = goal.reached(goal.parts(session, project, answered, accuracy, now(session)))
        if words:
            outbox.goal_reached(session, project, words)
