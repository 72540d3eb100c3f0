"""Webhooks, and the outbox of what is still to be said to them."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import NEVER_REUSE_IDS, Base

WAITING = text("state = 'waiting'")


class Webhook(Base):
    """An address that hears of a project's events, one after the other."""

    __tablename__ = "webhooks"
    __table_args__ = (CheckConstraint("state IN ('active', 'paused')", name="state"), NEVER_REUSE_IDS)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    url: Mapped[str] = mapped_column(String(2000))
    events: Mapped[list[Any]]
    secret: Mapped[str] = mapped_column(String(200))  # signs, so it is kept as it is; never shown again
    state: Mapped[str] = mapped_column(String(16), default="active")
    reason: Mapped[str | None] = mapped_column(String(500))  # why it is paused, or why the last delivery failed
    last_seq: Mapped[int] = mapped_column(default=0)  # of its events: 1, 2, 3 without gaps
    last_annotation: Mapped[int] = mapped_column(default=0)  # up to which answers were told of
    last_batch_at: Mapped[datetime]
    failing_since: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)  # in a row
    next_at: Mapped[datetime]  # no delivery is tried earlier; also the end of a courier's turn
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]


class Delivery(Base):
    """One event for one webhook, written in the transaction of its cause; its id and body are the same at each try."""

    __tablename__ = "deliveries"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'delivered')", name="state"),
        UniqueConstraint("webhook_id", "seq"),
        Index("ix_deliveries_waiting", "webhook_id", "seq", sqlite_where=WAITING, postgresql_where=WAITING),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    seq: Mapped[int]
    event: Mapped[str] = mapped_column(String(40))
    data: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    status: Mapped[int | None]  # of the last answer
    reason: Mapped[str | None] = mapped_column(String(500))  # why the last try failed
    created_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None] = mapped_column(index=True)
