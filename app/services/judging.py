"""The second commit of a turn: how good its model is, what it thinks of the labels, and whether a goal is reached."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
from sqlalchemy import update

from app.db import Prediction, Project, Round, WriteSession
from app.db.session import now
from app.loop.doubts import opinions
from app.loop.evaluate import evaluate
from app.loop.guarding import guarded
from app.loop.propose import Labelled, Proposal
from app.services import doubting, goal, opening, outbox, status
from app.services.jobs import Running
from app.services.turn_state import Progress, Turn, insert_rows, labelled_rows


def judge(running: Running, turn: Turn, proposal: Proposal, published_in: float) -> None:
    """Measure the published round's model and store what was found; `published_in` are the seconds until its order.

    An evaluation that fails is said with the round, whose order stays.
    """
    begun = time.monotonic()
    taught = opening.taught(turn.labels.items)
    tests = [item for item in turn.labels.items if item.imported_test]
    metrics: dict[str, Any] = {}
    doubts: list[dict[str, Any]] = []
    guard, reason = turn.guard, None
    if proposal.model is not None:
        try:
            heldout = _judged(turn, labelled_rows(turn, tests)) if tests else None
            labelled = _judged(turn, labelled_rows(turn, taught))
            found = evaluate(labelled, heldout, turn.plan, proposal.model, Progress(running))
            metrics, guard = found.to_json(), guarded(found.compared, turn.plan, guard)
            doubts = doubting.entries(turn.round_id, labelled, opinions(labelled, turn.plan), proposal.sample_ids)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            reason = f"the evaluation failed: {error}"
    metrics["guard"] = guard.to_json()
    took = time.monotonic() - begun
    with running.db.write() as session:
        running.checkpoint(session, progress={"step": "evaluate", "fraction": 1.0})
        insert_rows(session, Prediction, doubts)
        seconds = {**proposal.seconds, "to_published": published_in, "evaluate": round(took, 4)}
        seconds["total"] = round(published_in + took, 4)
        session.execute(
            update(Round)
            .where(Round.id == turn.round_id)
            .values(state="done", metrics=metrics, seconds=seconds, reason=reason, finished_at=now(session))
        )
        _tell_of_the_goal(session, turn.project_id)


def _tell_of_the_goal(session: WriteSession, project_id: int) -> None:
    project = session.get_one(Project, project_id)
    if project.goal and outbox.is_heard(session, project_id, "goal.reached"):
        answered = status.item_counts(session, project_id)["answered"]
        accuracy = status.headline(status.last_evaluated(session, project_id))
        words = goal.reached(goal.parts(session, project, answered, accuracy, now(session)))
        if words:
            outbox.goal_reached(session, project, words)


def _judged(turn: Turn, labelled: Labelled) -> Labelled:
    """The same rows; of an outside model those that it spoke of, with what it said."""
    if turn.version is None:
        return labelled
    found, probabilities = turn.version.given.of(labelled.ids)
    kept = labelled.take(found)
    return replace(kept, block=replace(kept.block, given=probabilities))
