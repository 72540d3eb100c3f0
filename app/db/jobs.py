"""Background work as claimable rows, and the workers that claim them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import NEVER_REUSE_IDS, Base


class Job(Base):
    """One piece of background work. Every write of a running job names its token, so a worker that was only
    slow cannot overwrite its successor."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'running', 'done', 'failed', 'cancelled')", name="state"),
        Index(
            "uq_jobs_running_round",
            "project_id",
            unique=True,
            sqlite_where=text("kind = 'round' AND state = 'running'"),
            postgresql_where=text("kind = 'round' AND state = 'running'"),
        ),
        Index(
            "uq_jobs_waiting_single",
            "project_id",
            "kind",
            unique=True,
            sqlite_where=text("kind IN ('round', 'featurize', 'index') AND state = 'waiting'"),
            postgresql_where=text("kind IN ('round', 'featurize', 'index') AND state = 'waiting'"),
        ),
        Index(
            "ix_jobs_claimable",
            "state",
            "due_at",
            sqlite_where=text("state IN ('waiting', 'running')"),
            postgresql_where=text("state IN ('waiting', 'running')"),
        ),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))  # round, featurize, index, import, simulate ...
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    priority: Mapped[int] = mapped_column(default=0)  # rounds first
    payload: Mapped[dict[str, Any]]
    cursor: Mapped[dict[str, Any] | None]  # where the next slice goes on
    progress: Mapped[dict[str, Any] | None]  # {"step", "fraction", "done", "total"}
    result: Mapped[dict[str, Any] | None]
    reason: Mapped[str | None] = mapped_column(Text)
    attempt: Mapped[int] = mapped_column(default=0)
    token: Mapped[UUID | None]  # of the worker that holds it
    lease_until: Mapped[datetime | None]
    due_at: Mapped[datetime]
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class RejectedRow(Base):
    """One row of an import that was refused, with its line and the reason."""

    __tablename__ = "rejected_rows"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str | None] = mapped_column(String(512))
    error: Mapped[str] = mapped_column(Text)


class Worker(Base):
    """A worker process that is, or was, looking for jobs."""

    __tablename__ = "workers"
    __table_args__ = (NEVER_REUSE_IDS,)

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[UUID] = mapped_column(unique=True)
    host: Mapped[str] = mapped_column(String(200))
    pid: Mapped[int]
    started_at: Mapped[datetime]
    last_seen: Mapped[datetime]
