"""The audit log: who did what to what, written in the same transaction as the deed; the database lets it only grow."""

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.core.requests import ON_BEHALF_OF
from app.db import AuditDoor, Event, WriteSession
from app.db.session import now

# Every deed that leaves a line; a test provokes each of them. `project.purged`, `project.stopped` and
# `retention.applied` are the service's own, by nobody.
Deed = Literal[
    "audit.asked",
    "audit.cancelled",
    "bucket.granted",
    "bucket.revoked",
    "class.added",
    "class.changed",
    "class.deleted",
    "class.merged",
    "class.unmerged",
    "export.made",
    "item.deleted",
    "item.erased",
    "learner.taken",
    "member.invited",
    "member.joined",
    "member.removed",
    "member.set",
    "password.changed",
    "password.link",
    "project.changed",
    "project.created",
    "project.deleted",
    "project.purged",
    "project.restored",
    "project.stopped",
    "retention.applied",
    "scorer.secret",
    "session.opened",
    "session.refused",
    "sessions.ended",
    "simulation.applied",
    "simulation.deleted",
    "simulation.started",
    "snapshot.created",
    "snapshot.deleted",
    "snapshot.exported",
    "token.created",
    "token.deleted",
    "user.changed",
    "user.created",
    "user.erased",
    "user.exported",
    "webhook.changed",
    "webhook.created",
    "webhook.deleted",
]


def record(
    session: WriteSession, action: Deed, user_id: int | None, *, project_id: int | None = None, **detail: Any
) -> None:
    """Add one line. `detail` holds ids and settings, never names or secrets, so that erasure need not look here."""
    where = {"user_id": user_id, "project_id": project_id, "request_id": ON_BEHALF_OF.get()}
    session.add(Event(at=now(session), action=action, detail=detail, **where))


def unlink(session: WriteSession, project_id: int) -> None:
    """Keep the lines of a project that is gone for good without it: the one change of a line that is allowed."""
    session.execute(update(Event).where(Event.project_id == project_id).values(project_id=None))


def forget(session: WriteSession, ids: Sequence[int]) -> None:
    """Remove lines that are older than they are kept: the one way to do it, see the triggers on the table."""
    door = AuditDoor()
    session.add(door)
    session.flush()
    session.execute(delete(Event).where(Event.id.in_(ids)))
    session.delete(door)
    session.flush()


def listed(session: Session, before: int | None, limit: int) -> Sequence[Event]:
    """Lines older than the id `before`, newest first."""
    statement = select(Event).order_by(Event.id.desc()).limit(limit)
    return session.execute(statement if before is None else statement.where(Event.id < before)).scalars().all()
