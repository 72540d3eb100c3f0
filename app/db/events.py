"""What happened, for the audit log, and the answers to keyed requests."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import NEVER_REUSE_IDS, Base


class Event(Base):
    """One line of the audit log: who did what to what, in which request. The database lets no line change or go."""

    __tablename__ = "events"
    __table_args__ = (NEVER_REUSE_IDS,)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id"), index=True)
    action: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str | None] = mapped_column(String(40))  # as the answer named it; of a worker its job
    detail: Mapped[dict[str, Any]]


class AuditDoor(Base):
    """A row while the lines of the audit log that are too old are removed, in that transaction only: nobody sees it."""

    __tablename__ = "audit_doors"

    id: Mapped[int] = mapped_column(primary_key=True)


class KeyedRequest(Base):
    """The stored answer to a request that came with an Idempotency-Key; kept for 48 hours."""

    __tablename__ = "keyed_requests"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    route: Mapped[str] = mapped_column(String(200), primary_key=True)
    key: Mapped[str] = mapped_column(String(36), primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]  # None while the first request is in progress
    answer: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(index=True)
