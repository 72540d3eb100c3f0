"""Snapshots: data sets that stay as they were."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import NEVER_REUSE_IDS, Base


class Snapshot(Base):
    """A named set of items with their labels and splits as of one moment; its rows lie in a file that never changes.

    Until its job has made it, `sha256` and all that follows is null. Only the erasure of an item takes a row out.
    """

    __tablename__ = "snapshots"
    __table_args__ = (UniqueConstraint("project_id", "name"), NEVER_REUSE_IDS)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(String(100))
    filter: Mapped[str] = mapped_column(Text)
    splits: Mapped[dict[str, Any] | None]  # {"train": 0.8, ...}; None: the audit share is the test split
    group_by: Mapped[str | None] = mapped_column(String(1000))  # a name in the metadata
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    sha256: Mapped[str | None] = mapped_column(String(64))  # of the rows as they were made
    file: Mapped[str | None] = mapped_column(String(200))  # its name in the project's folder of snapshots
    bytes: Mapped[int | None]  # of the file
    items: Mapped[int | None]
    erased: Mapped[int] = mapped_column(default=0)  # rows taken out since
    report: Mapped[dict[str, Any] | None]
    made_at: Mapped[datetime | None]
