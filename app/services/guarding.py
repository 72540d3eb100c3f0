"""The no-harm guard of a project: how the newest round left it, and what the order that is served says of it."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import Round
from app.evaluation.guard import Guard
from app.loop.propose import Plan

MARK = "guarded"  # in a round's strategy: half of the slots of its order are random
WORDS = (
    " Half of the answers are asked at random for now: a learner of chosen answers was behind one of as many random "
    "ones, both judged on random answers that neither saw."
)


def standing(session: Session, project_id: int, class_ids: Sequence[int]) -> Guard:
    """The guard as the newest evaluated round left it; down where that round was about another question's classes."""
    stored = session.execute(
        select(Round.metrics["guard"].label("guard"), Round.class_ids)
        .where(Round.project_id == project_id, Round.state == "done", Round.metrics.is_not(None))
        .order_by(Round.number.desc())
        .limit(1)
    ).first()
    if stored is None or (stored.class_ids and not set(stored.class_ids) & set(class_ids)):
        return Guard()
    return Guard.from_json(stored.guard)


def mark(plan: Plan, guard: Guard) -> dict[str, bool]:
    """What the round's strategy says where the guard is up."""
    return {MARK: True} if plan.guarded and guard.raised else {}


def words(plan: Plan, guard: Guard) -> str:
    """The sentence behind the strategy's own; empty while the guard is down."""
    return WORDS if mark(plan, guard) else ""
