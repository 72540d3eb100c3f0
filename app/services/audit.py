"""The audit log: who did what to what, written in the same transaction as the deed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import Event, WriteSession
from app.db.session import now


def record(
    session: WriteSession, action: str, user_id: int | None, *, project_id: int | None = None, **detail: Any
) -> None:
    """Add one line. `detail` holds ids and settings, never names or secrets, so that erasure need not look here."""
    session.add(Event(at=now(session), user_id=user_id, project_id=project_id, action=action, detail=detail))


def listed(session: Session, before: int | None, limit: int) -> Sequence[Event]:
    """Lines older than the id `before`, newest first."""
    statement = select(Event).order_by(Event.id.desc()).limit(limit)
    return session.execute(statement if before is None else statement.where(Event.id < before)).scalars().all()
