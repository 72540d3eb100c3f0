"""The outbox of webhooks: events are written in the transaction of their cause, so that none is lost or invented."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db import Delivery, Project, Webhook, WriteSession
from app.db.session import now

EVENTS = (
    "round.published", "round.failed", "round.waiting_for_predictions", "annotation.batch", "flag.created",
    "goal.reached", "drift.found", "job.finished",
)  # fmt: skip
TEST = "test"
MOST_WAITING = 10_000  # deliveries; a webhook that is further behind is paused


def emit(session: WriteSession, project_id: int, event: str, data: dict[str, Any]) -> None:
    """Say it to every active webhook of the project that asked for such events; one look at an index without any."""
    hooks = session.execute(
        select(Webhook).where(Webhook.project_id == project_id, Webhook.state == "active").with_for_update()
    ).scalars()
    for hook in hooks.all():
        if event in hook.events:
            add(session, hook, event, data)


def is_heard(session: Session, project_id: int, event: str) -> bool:
    """Whether some active webhook of the project asked for such events."""
    asked = select(Webhook.events).where(Webhook.project_id == project_id, Webhook.state == "active")
    return any(event in events for events in session.execute(asked).scalars())


def add(session: WriteSession, hook: Webhook, event: str, data: dict[str, Any]) -> Delivery:
    """Put one event behind the others of a webhook; pauses one that is too far behind."""
    hook.last_seq += 1
    row = Delivery(webhook_id=hook.id, seq=hook.last_seq, event=event, data=data, created_at=now(session))
    session.add(row)
    session.flush()
    if hook.failures and waiting(session, hook.id) >= MOST_WAITING:
        hook.state, hook.reason = "paused", f"{MOST_WAITING:,} events wait, as its address does not take them"
    return row


def waiting(session: Session, hook_id: int) -> int:
    """How many events are still to be delivered."""
    return session.execute(
        select(func.count()).where(Delivery.webhook_id == hook_id, Delivery.state == "waiting")
    ).scalar_one()


def goal_reached(session: WriteSession, project: Project, words: str) -> None:
    """Say that the goal is reached, once for each goal."""
    told = session.execute(
        select(Delivery.data)
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .where(Webhook.project_id == project.id, Delivery.event == "goal.reached")
    ).scalars()
    if not any(each.get("goal") == project.goal for each in told):
        emit(session, project.id, "goal.reached", {"goal": project.goal, "words": words})
